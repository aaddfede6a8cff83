//! Who goes first where several incidents share a lane.

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane};

/// A pace at which a queue of three seconds is small beside a run.
const PACE: usize = 20;

async fn stage(people: u32) -> Stage {
    let lane = Lane { per_second: PACE as u32, ..lane(Capability::StrongLookup) };
    Stage::new(Setup { people, lanes: vec![lane], ..Setup::default() }).await
}

/// Of which incident each text message was, in the order of their making: the first one's numbers are small.
fn is_of_another(stage: &Stage) -> Vec<bool> {
    let number = |destination: &str| destination.trim_start_matches("+447400").parse::<u32>().unwrap();
    stage.sandbox.state.record().iter().map(|made| number(&made.destination) >= 100_000).collect()
}

#[tokio::test]
async fn an_urgent_incident_overtakes_a_large_one_that_is_running() {
    let mut stage = stage(300).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("the large run is under way", async || stage.produced() >= PACE).await;

    stage.add_incident("urgent", 20, true).await;
    let ahead = stage.produced() + 4 * PACE;
    eventually("everybody of the urgent incident is told", async || {
        is_of_another(&stage).iter().filter(|other| **other).count() == 20
    })
    .await;

    let order = is_of_another(&stage);
    let last = order.iter().rposition(|other| *other).unwrap();
    // What was on the road already, at most three seconds of pace, goes before.
    assert!(last < ahead + 20, "the last urgent message was number {last}, after {ahead} and 20");
    assert!(order.len() < 320, "the large run was over already");
    stage.drain().await;
    assert_eq!(stage.produced(), 320);
    stage.audit().await;
}

#[tokio::test]
async fn two_incidents_share_a_lane_by_turns_however_large_they_are() {
    let mut stage = stage(150).await;
    stage.add_incident("small", 50, false).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    let order = is_of_another(&stage);
    // Half of them, but for the lots that are drawn where one look takes less than a turn.
    let small = order[..80].iter().filter(|other| **other).count();
    assert!((25..=55).contains(&small), "{small} of 80: {order:?}");
    assert_eq!(stage.produced(), 200);
    stage.audit().await;
}
