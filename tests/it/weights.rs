//! Lanes of one channel share its messages by weight; one that rests leaves its part to the others and gets it back little
//! by little; and what was on the road to one never goes to another.

use crate::support::{Capability, Lane, PATIENT, Setup, Stage, eventually};
use duly_sandbox::{Fault, FaultKind};

fn lane(name: &'static str, weight: u32, faults: Vec<Fault>) -> Lane {
    let mut provider = Capability::StrongLookup.provider();
    provider.faults = faults;
    Lane { per_second: 20, weight, provider, ..Lane::named(name) }
}

fn handed(stage: &Stage, lane: &str) -> usize {
    stage.sandbox.state.arrivals(lane).len()
}

#[tokio::test]
async fn lanes_share_a_run_by_their_weights_and_not_by_who_comes_first() {
    let lanes = vec![lane("a", 1, vec![]), lane("b", 3, vec![])];
    let stage = Stage::new(Setup { people: 120, lanes, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("a part was sent", async || handed(&stage, "a") + handed(&stage, "b") >= 60).await;
    let part = handed(&stage, "a");
    assert!((10..=22).contains(&part), "{part} of the first 60 went to the lane with a quarter");

    stage.drain().await;

    let (a, b) = (handed(&stage, "a"), handed(&stage, "b"));
    assert!((25..=35).contains(&a) && a + b == 120, "{a} and {b}");
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    stage.audit().await;
}

#[tokio::test]
async fn without_weights_no_lane_keeps_a_faster_one_back() {
    let slow = Lane { per_second: 4, ..lane("slow", 0, vec![]) };
    let stage = Stage::new(Setup { people: 96, lanes: vec![lane("fast", 0, vec![]), slow], ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    let (fast, slow) = (handed(&stage, "fast"), handed(&stage, "slow"));
    assert!((12..=20).contains(&slow) && fast + slow == 96, "{fast} and {slow}");
    let arrivals = stage.sandbox.state.arrivals("fast");
    let seconds = (*arrivals.last().unwrap() - arrivals[0]).as_secs_f64();
    assert!(seconds < 15.0, "80 messages at 20 a second took {seconds} s");
    stage.audit().await;
}

#[tokio::test]
async fn a_lane_that_rests_leaves_its_part_to_the_other_and_gets_it_back_little_by_little() {
    let lanes = vec![lane("a", 1, vec![Fault::always(FaultKind::Unauthorised)]), lane("b", 1, vec![])];
    let health = "rest_min_ms = 1600\nrest_max_ms = 60000\nreturn_ms = 20000\n";
    let stage = Stage::new(Setup { people: 260, lanes, health, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("the other sends", async || handed(&stage, "b") >= 40).await;
    let refused = handed(&stage, "a");

    stage.sandbox.state.set_faults("a", vec![]);
    stage.shift_clock(65).await;
    let resumed = "select count(*) from event where kind = 'lane.resumed'";
    eventually("the lane goes on", async || stage.count(resumed).await == 1).await;
    let (before_a, before_b) = (handed(&stage, "a"), handed(&stage, "b"));
    eventually("some more were sent", async || handed(&stage, "b") >= before_b + 40).await;

    let back = handed(&stage, "a") - before_a;
    assert!((1..=20).contains(&back), "{back} beside 40, and not its whole part at once");
    stage.drain().await;
    assert!(handed(&stage, "a") >= refused + 20, "it got its part back");
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), 260);
    stage.audit().await;
}

#[tokio::test]
async fn what_is_not_known_at_one_lane_never_goes_to_another_whatever_the_weights() {
    let mut first = lane("a", 1, vec![Fault::always(FaultKind::CutAfter)]);
    first.provider.lookup = false;
    let health = "bad_min = 5\nbad_percent = 50\nrest_min_ms = 60000\nrest_max_ms = 60000\nreturn_ms = 1\n";
    let lanes = vec![first, lane("b", 3, vec![])];
    let stage = Stage::new(Setup { people: 120, lanes, health, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    let open = "select count(*) from message where lane = 'b' and state <> 'accepted' or lane is null or lane = 'a' and state in ('sending', 'unknown')";

    eventually("the other lane has the rest", async || stage.count(open).await == 0).await;

    let asked = stage.count("select count(*) from message where state = 'asked'").await;
    assert!(asked >= 5, "{asked} calls ended without an answer");
    let twice = "select count(*) from (select message_id from attempt group by 1 having count(distinct lane) > 1) m";
    assert_eq!(stage.count(twice).await, 0);
    assert_eq!(stage.count("select count(*) from attempt join message using (message_id) where state = 'asked'").await, asked);
    stage.audit().await;
}

#[tokio::test]
async fn whom_one_lane_refuses_is_not_tried_by_another() {
    let lanes = vec![lane("a", 1, vec![Fault::always(FaultKind::Reject)]), lane("b", 1, vec![])];
    let stage = Stage::new(Setup { people: 20, lanes, dispatch: PATIENT.to_vec(), ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    let refused = stage.count("select count(*) from message where state = 'rejected'").await;
    assert!((5..20).contains(&refused), "{refused} were refused");
    assert_eq!(stage.count("select count(*) from message where state = 'rejected' and lane <> 'a'").await, 0);
    assert_eq!(stage.count("select count(*) from attempt").await, 20, "one call for each");
    assert_eq!(handed(&stage, "b"), 20 - usize::try_from(refused).unwrap());
    stage.audit().await;
}
