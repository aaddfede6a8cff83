//! What providers take in a while and in a day: our pace and our count keep below it, and where it is less than we know nobody
//! is lost.

use crate::support::{Lane, NOTIFY_KEY, Setup, Stage, eventually};
use duly::model::state::Route;
use duly_sandbox::{Face, Limit, ProviderConfig, SandboxConfig};
use std::time::Duration;

const WINDOW_MS: u64 = 5000;

fn notify(limit: usize, per_day: Option<u64>) -> Lane {
    let provider = ProviderConfig {
        face: Face::Notify,
        api_key: Some(NOTIFY_KEY.to_owned()),
        receipts: false,
        receipt_delay_ms: 3_600_000,
        limits: Some(vec![Limit { many: limit, ms: WINDOW_MS }]),
        per_day,
        ..ProviderConfig::default()
    };
    Lane { provider, ..Lane::named("notify") }
}

async fn stage(people: u32, lane: Lane) -> Stage {
    Stage::new(Setup { people, lanes: vec![lane], ..Setup::default() }).await
}

/// Most submits that came within any window.
fn most_within(arrivals: &[Duration]) -> usize {
    let window = Duration::from_millis(WINDOW_MS);
    arrivals.iter().map(|from| arrivals.iter().filter(|at| **at >= *from && **at < *from + window).count()).max().unwrap_or(0)
}

#[tokio::test]
async fn a_lane_whose_pace_fits_the_limit_of_its_provider_is_never_refused() {
    // A second's worth may leave at once, and then so many a second; and what was late to leave adds two seconds' worth.
    let stage = stage(60, Lane { per_second: 5, ..notify(50, None) }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    let most = most_within(&stage.sandbox.state.arrivals("notify"));
    assert_eq!((stage.sandbox.state.over_limit("notify"), stage.produced()), (0, 60));
    assert!((15..=50).contains(&most), "{most} within a window");
    stage.audit().await;
}

/// Every letter is asked about each second, and each question counts at Stannp like a letter.
#[tokio::test]
async fn sends_and_questions_together_keep_to_the_limit_of_a_provider_that_counts_both() {
    let provider = ProviderConfig {
        face: Face::Stannp,
        channel: "letter".into(),
        receipts: false,
        receipt_delay_ms: 3_600_000,
        // Four a second and what may leave at once: the vendor's 300 a minute, seen closer.
        limits: Some(vec![Limit { many: 30, ms: WINDOW_MS }]),
        ..ProviderConfig::default()
    };
    let setup = Setup { people: 60, lanes: vec![Lane { provider, ..Lane::named("stannp") }], ..Setup::default() };
    let stage = Stage::new(Setup { routes: vec![Route::Letter], ..setup }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;
    let asked = "select count(*) from lookup";
    let while_sending = stage.count(asked).await;
    eventually("all are asked about", async || stage.count(asked).await >= while_sending + 20).await;

    assert_eq!((stage.sandbox.state.over_limit("stannp"), stage.produced()), (0, 60));
    assert!(while_sending >= 3, "{while_sending}: those who send leave a part to questions");
}

#[tokio::test]
async fn a_limit_that_is_lower_than_we_know_is_kept_to_by_waiting_and_nobody_is_lost() {
    let stage = stage(60, Lane { per_second: 50, ..notify(20, None) }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    assert!(stage.sandbox.state.over_limit("notify") > 0);
    assert!(most_within(&stage.sandbox.state.arrivals("notify")) > 20, "it was tried");
    assert_eq!((stage.produced(), stage.states().await.iter().filter(|state| *state == "accepted").count()), (60, 60));
    stage.audit().await;
}

#[tokio::test]
async fn a_lane_that_knows_its_days_limit_is_never_refused_for_it() {
    let stage = stage(12, Lane { per_day: 7, ..notify(1000, Some(7)) }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    eventually("the day is used up", async || stage.produced() == 7).await;
    // Whoever is not sent to today waits for tomorrow, by the sweep's own time.
    eventually("the rest waits", async || stage.count("select count(*) from message where state = 'ready'").await == 5).await;

    assert_eq!(stage.sandbox.state.over_limit("notify"), 0);
    stage.audit().await;
}

#[tokio::test]
async fn a_days_limit_that_is_lower_than_we_know_rests_the_lane_and_everybody_else_is_told_tomorrow() {
    let stage = stage(12, notify(1000, Some(7))).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    const RESTS: &str = "select count(*) from lane_pause where until > duly_now() + interval '1 second'";
    eventually("the lane rests", async || stage.count(RESTS).await == 1 && stage.produced() == 7).await;
    // Several calls were under way together; each that was refused waits again.
    eventually("nobody is being called", async || stage.count("select count(*) from message where state = 'ready'").await == 5)
        .await;

    // The sandbox's own day is this machine's: its limit is lifted, as midnight lifts it.
    let mut config = SandboxConfig::clone(&stage.sandbox.state.config());
    config.providers.get_mut("notify").unwrap().per_day = None;
    stage.sandbox.state.set_config(config);
    stage.shift_clock(86_401).await;
    stage.drain().await;

    let refused = stage.sandbox.state.over_limit("notify");
    assert!((1..=5).contains(&refused), "nobody is refused twice: {refused}");
    assert_eq!(stage.produced(), 12);
    stage.audit().await;
}
