//! A repeat under a provider's guarantee is a send: it speaks of itself only, keeps to its key's life, and asks
//! for leave like any other.

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane};
use duly_sandbox::{Fault, FaultKind, Requests};
use std::time::Duration;

/// One person on a provider that honours keys, with these faults.
async fn stage(faults: Vec<Fault>, key_life_seconds: u64) -> Stage {
    let mut lane = Lane { key_life_seconds, ..lane(Capability::Idempotent) };
    lane.provider.faults = faults;
    Stage::new(Setup { lanes: vec![lane], ..Setup::default() }).await
}

fn repeat(kind: FaultKind) -> Fault {
    Fault::once(kind).on(Requests::Repeat)
}

/// States that the message has gone through, by its events.
async fn way(stage: &Stage) -> Vec<String> {
    stage.words("select message_to from event where message_to is not null order by ord").await
}

#[tokio::test]
async fn what_a_repeat_is_answered_says_nothing_of_the_call_that_it_repeats() {
    for kind in [FaultKind::TooMany, FaultKind::Conflict, FaultKind::ErrorBefore, FaultKind::CutBefore] {
        let stage = stage(vec![Fault::once(FaultKind::CutAfter).on(Requests::First), repeat(kind)], 600).await;
        let _process = stage.start(&["scheduler", "worker"]);

        stage.drain().await;

        assert_eq!((stage.sandbox.state.fired(FaultKind::CutAfter), stage.sandbox.state.fired(kind)), (1, 1), "{kind:?}");
        let expected = ["sending", "unknown", "sending", "unknown", "sending", "accepted"];
        assert_eq!(way(&stage).await, expected, "{kind:?}");
        assert_eq!((stage.produced(), stage.alarms().await.len()), (1, 0), "{kind:?}");
        stage.audit().await;
    }
}

#[tokio::test]
async fn refused_credentials_of_a_repeat_pause_the_lane_and_leave_the_call_unknown() {
    let stage = stage(vec![Fault::once(FaultKind::CutAfter).on(Requests::First), repeat(FaultKind::Unauthorised)], 600).await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("the lane pauses", async || stage.words("select code from lane_pause").await == ["401"]).await;
    eventually("the call is unknown again", async || way(&stage).await.ends_with(&["sending".into(), "unknown".into()])).await;
    stage.shift_clock(120).await;
    stage.drain().await;

    assert_eq!((stage.states().await, stage.produced()), (vec!["accepted".to_owned()], 1));
    stage.audit().await;
}

#[tokio::test]
async fn a_key_that_may_have_died_is_not_relied_on_and_a_person_is_asked() {
    let stage = stage(vec![Fault::once(FaultKind::CutAfter)], 3).await;
    let _process = stage.start(&["scheduler", "worker"]);

    stage.drain().await;

    assert_eq!(stage.states().await, ["asked"]);
    assert_eq!((stage.sandbox.state.arrivals("sms").len(), stage.produced()), (1, 1));
    stage.audit().await;
}

#[tokio::test]
async fn a_repeat_waits_until_the_original_can_no_longer_arrive() {
    let stage = stage(vec![Fault::once(FaultKind::Late).lasting(1200).on(Requests::First)], 600).await;
    let _process = stage.start(&["scheduler", "worker"]);

    stage.drain().await;

    let arrivals = stage.sandbox.state.arrivals("sms");
    assert_eq!((arrivals.len(), stage.produced()), (2, 1));
    // The stage's `send_by`, timeout and margin.
    assert!(arrivals[1] - arrivals[0] >= Duration::from_millis(600 + 900 + 200 - 100), "{arrivals:?}");
    stage.audit().await;
}

#[tokio::test]
async fn a_repeat_does_not_start_under_a_hold() {
    let stage = stage(vec![Fault::once(FaultKind::CutBefore)], 600).await;
    let _worker = stage.start(&["worker"]);
    let _scheduler = stage.start(&["scheduler"]);
    eventually("the call is unknown", async || stage.states().await == ["unknown"]).await;
    let hold = stage.hold().await;

    // Longer than the original's margin and two further looks.
    tokio::time::sleep(Duration::from_secs(4)).await;

    assert_eq!((stage.states().await, stage.produced()), (vec!["unknown".to_owned()], 0));
    stage.lift(hold).await;
    stage.drain().await;
    assert_eq!((stage.states().await, stage.produced()), (vec!["accepted".to_owned()], 1));
    stage.audit().await;
}
