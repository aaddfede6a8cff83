//! Receipts that never came: once a day every provider is asked how its messages stand, before it forgets them.

use crate::support::{Lane, NOTIFY_KEY, Setup, Stage, eventually};
use duly::config;
use duly::provider::choose::Account;
use duly::store::harvest::Asking;
use duly_sandbox::{Face, ProviderConfig};
use std::time::Duration;

const HOUR: i32 = 3600;
const DAY: Duration = Duration::from_secs(86_400);
/// GOV.UK Notify may forget after three days.
const RETENTION: Duration = Duration::from_secs(3 * 86_400);
/// Providers can call us: nobody is asked more often than daily.
const REACHABLE: (&str, &str) = ("DULY_RECEIPTS__URL", "http://127.0.0.1:9");
const NOTIFY: &str = "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\n\
     api_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\nreceipt_secret = \"sandbox-secret\"\n";

/// Messages that a harvest of this moment would ask about.
async fn due(stage: &Stage) -> usize {
    let asking = Asking { lane: "notify", every: DAY, retention: Some(RETENTION), limit: 100 };
    stage.office.store.list_untold_news(&asking).await.unwrap().len()
}

#[tokio::test]
async fn receipts_that_were_never_called_back_come_home_by_the_daily_harvest_before_their_provider_forgets() {
    let provider = ProviderConfig {
        face: Face::Notify,
        api_key: Some(NOTIFY_KEY.to_owned()),
        receipts: false,
        receipt_delay_ms: 100,
        ..ProviderConfig::default()
    };
    let lane = Lane { provider, extra: NOTIFY, ..Lane::named("notify") };
    // The harvest alone asks: news are due long after the provider has forgotten.
    let dispatch = vec![("no_news_after_ms", 30 * 86_400_000)];
    let stage = Stage::new(Setup { people: 6, lanes: vec![lane], dispatch, ..Setup::default() }).await;
    let mut scheduler = stage.start_with(&["scheduler"], None, &[REACHABLE]);
    let worker = stage.start_with(&["worker"], None, &[REACHABLE]);
    eventually("all are accepted", async || stage.states().await == ["accepted"; 6]).await;
    scheduler.kill();
    drop(worker);

    stage.shift_clock(20 * HOUR).await;
    assert_eq!(due(&stage).await, 0, "their receipts may still come by themselves");
    stage.shift_clock(80 * HOUR).await;
    assert_eq!(due(&stage).await, 0, "their provider has forgotten them");
    stage.shift_clock(25 * HOUR).await;
    assert_eq!(due(&stage).await, 6);
    assert_eq!(stage.count("select count(*) from lookup").await, 0);

    let _scheduler = stage.start_with(&["scheduler"], None, &[REACHABLE]);
    eventually("all have their last word", async || stage.states().await == ["delivered_to_handset"; 6]).await;

    assert_eq!(stage.words("select state from notice").await, ["notified"; 6]);
    assert_eq!(stage.count("select count(*) from receipt").await, 0, "nobody called");
    let polled = "select count(*) from event where kind = 'receipt' and convert_from(body, 'UTF8')
        like '%\"claimed_by\":\"network\"%\"ground\":\"polled\"%'";
    assert_eq!((stage.count(polled).await, stage.count("select count(*) from lookup").await), (6, 6));
    stage.audit().await;
}

#[test]
fn every_provider_is_asked_at_least_twice_before_it_may_forget() {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    for (kind, channel) in [("notify", "sms"), ("notify", "letter"), ("twilio", "sms"), ("lob", "letter"), ("stannp", "letter")] {
        let lane = format!(
            "provider = \"{kind}\"\nchannel = \"{channel}\"\nurl = \"http://127.0.0.1:1\"\naccount = \"AC00000000000000000000000000000001\"\n{}",
            NOTIFY.split_once('\n').unwrap().1
        );
        let lane: config::Lane = toml::from_str(&lane).unwrap();
        let account = Account::new("lane", &lane, Duration::from_secs(1), true).unwrap();

        let every = account.poll.unwrap();
        let retention = account.capabilities().retention.unwrap_or(Duration::MAX);
        assert!(every == DAY && every * 2 <= retention, "{kind}: every {every:?}, kept for {retention:?}");
    }
}
