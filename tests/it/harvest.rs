//! Receipts that never came: once a day every provider is asked how its messages stand, before it forgets them.

use crate::support::{Capability, Lane, NOTIFY_KEY, Setup, Stage, eventually};
use duly::config;
use duly::dispatch::harvest::asking;
use duly::model::state::Route;
use duly::provider::choose::Account;
use duly::store::harvest::{Asking, Untold};
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
    let asking = Asking { lane: "notify", every: DAY, within: RETENTION, at_least_every: DAY, limit: 100 };
    stage.office.store.list_untold_news(&asking).await.unwrap().len()
}

/// Those that a harvest of a lane would ask about at this moment, as the lane's provider promises.
async fn asked(stage: &Stage, lane: &str) -> Vec<Untold> {
    let account = &stage.office.accounts[lane];
    stage.office.store.list_untold_news(&asking(account, lane, DAY)).await.unwrap()
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
        let (asked_for, at_least) =
            (account.capabilities().asked_for(account.channel), account.capabilities().asked_at_least_every());
        assert!(asked_for <= retention && (at_least == DAY || retention == Duration::MAX), "{kind}: {asked_for:?}");
        assert!(asked_for <= DAY * 90, "{kind}: the questions end");
    }
}

#[tokio::test]
async fn a_letter_is_asked_about_for_ninety_days_less_and_less_often_and_then_never_again() {
    let provider = ProviderConfig {
        face: Face::Stannp,
        channel: "letter".into(),
        idempotent: true,
        receipts: false,
        // It is where it is for as long as the test lasts.
        receipt_delay_ms: 3_600_000,
        ..ProviderConfig::default()
    };
    let extra = "provider = \"stannp\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"sandbox-secret\"\n";
    let lane = Lane { provider, extra, ..Lane::named("letters") };
    let dispatch = vec![("no_news_after_ms", 200 * 86_400_000)];
    let stage =
        Stage::new(Setup { people: 2, routes: vec![Route::Letter], lanes: vec![lane], dispatch, ..Setup::default() }).await;
    let mut processes = [stage.start_with(&["scheduler"], None, &[REACHABLE]), stage.start_with(&["worker"], None, &[REACHABLE])];
    eventually("both are accepted", async || stage.states().await == ["accepted"; 2]).await;
    processes[0].kill();
    let looks = async || stage.count("select count(*) from lookup").await;

    stage.shift_clock(80 * 24 * HOUR).await;
    assert_eq!(asked(&stage, "letters").await.len(), 2);
    processes[0] = stage.start_with(&["scheduler"], None, &[REACHABLE]);
    eventually("both are asked about", async || looks().await == 2).await;
    processes[0].kill();
    stage.shift_clock(85 * 24 * HOUR).await;
    assert_eq!(asked(&stage, "letters").await.len(), 0, "an old letter is asked about once a week");
    stage.shift_clock(88 * 24 * HOUR).await;
    assert_eq!(asked(&stage, "letters").await.len(), 2);

    stage.shift_clock(91 * 24 * HOUR).await;
    assert_eq!(asked(&stage, "letters").await.len(), 0, "no news come any more");
    stage.add_people(3..=3, &[Route::Letter]).await;
    processes[0] = stage.start_with(&["scheduler"], None, &[REACHABLE]);
    eventually("a new letter is accepted", async || stage.states().await == ["accepted"; 3]).await;
    processes[0].kill();
    stage.shift_clock(93 * 24 * HOUR).await;
    // Rounds are minutes apart; a new process begins with one.
    processes[0] = stage.start_with(&["scheduler"], None, &[REACHABLE]);
    eventually("the new one is asked about", async || looks().await == 3).await;
    assert_eq!(stage.words("select distinct state from message").await, ["accepted"], "what is not known is not claimed");
}

#[tokio::test]
async fn an_overdue_text_is_asked_about_until_news_of_it_would_have_come_and_stays_overdue() {
    let lane = Lane { provider: Capability::StrongLookup.provider(), ..Lane::named("sms") };
    let dispatch = vec![("no_news_after_ms", 400), ("overdue_again_ms", 300)];
    let stage = Stage::new(Setup { lanes: vec![lane], dispatch, ..Setup::default() }).await;
    let _process = stage.start(&["scheduler", "worker"]);
    let looks = async || stage.count("select count(*) from lookup").await;
    eventually("it is overdue", async || stage.states().await == ["overdue"]).await;
    let before = looks().await;
    eventually("it is asked about again", async || looks().await >= before + 3).await;

    stage.shift_clock(8 * 24 * HOUR).await;
    let looked_after = async || {
        let due = async || stage.words("select due_at::text from message").await;
        let before = due().await;
        eventually("it is looked after", async || due().await != before).await;
    };
    // What was under way when the clock moved is over by then.
    looked_after().await;
    looked_after().await;
    let before = looks().await;
    looked_after().await;
    looked_after().await;

    assert_eq!((looks().await, stage.states().await), (before, vec!["overdue".to_owned()]));
    assert_eq!(stage.words("select state from notice").await, ["open"]);
}

#[tokio::test]
async fn a_price_is_asked_for_three_times_and_never_where_the_call_was_answered_with_it() {
    let provider =
        ProviderConfig { face: Face::Notify, api_key: Some(NOTIFY_KEY.to_owned()), receipts: false, ..ProviderConfig::default() };
    let stage =
        Stage::new(Setup { people: 2, lanes: vec![Lane { provider, ..Lane::named("notify") }], ..Setup::default() }).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("both are delivered", async || stage.states().await == ["delivered_to_handset"; 2]).await;
    process.kill();
    let store = &stage.office.store;
    let asking = Asking { lane: "notify", every: DAY, within: DAY * 30, at_least_every: DAY, limit: 100 };

    let mut times = Vec::new();
    for day in 1..=5 {
        stage.shift_clock(day * 25 * HOUR).await;
        let due = store.list_untold_news(&asking).await.unwrap();
        assert!(due.iter().all(|message| message.is_for_price));
        times.push(due.len());
        for message in due {
            store.insert_question(message.incident, message.message_id, message.attempt, message.is_for_price).await.unwrap();
        }
        if day == 1 {
            let priced = "update outcome set cost_milli = 4000, currency = 'GBP' where message_id = (select min(message_id::text)::uuid from message)";
            sqlx::raw_sql(priced).execute(&stage.owner).await.unwrap();
        }
    }

    assert_eq!(times, [2, 1, 1, 0, 0]);
}
