//! A process dies, or freezes for longer than its lease and thaws, at each point of a call, with each class of provider: one
//! person each time, an exact end, and never a second message. `fault_matrix::` kills it there with every fault.

use crate::fault_matrix::ends::{Nature, Row, end};
use crate::support::{Capability, Lane, Process, Setup, Stage, eventually, lane};
use duly_sandbox::{Fault, FaultKind, Requests};
use futures::StreamExt;
use std::time::Duration;

/// Times of a call that a machine with other work keeps to: a process that waits two seconds for its turn is not refused.
const TIMES: &[(&str, i64)] = &[
    ("lease_ms", 6000),
    ("queue_lease_ms", 6000),
    ("request_timeout_ms", 2500),
    ("send_by_ms", 2000),
    ("network_margin_ms", 400),
    // A process that thaws, or hardly gets to run, is not refused for its old hold version: that is another test.
    ("hold_check_ms", 10_000),
];
/// Longer than a lease and the network margin.
const FREEZE: Duration = Duration::from_millis(6600);
/// Cells of one test that run at once.
const AT_ONCE: usize = 4;

/// What happens to the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGSTOP for longer than a lease, then SIGCONT.
    Freeze,
}

/// Where the victim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A worker at a failpoint of this name.
    Call(&'static str),
    /// A worker whose request is written and produced, and not answered.
    Written,
    /// The scheduler, its look-up answered and its verdict not committed.
    LookUp,
    /// The scheduler, in a repeat, at a failpoint of this name.
    Repeat(&'static str),
    /// The scheduler, whose repeat is written and not answered.
    RepeatWritten,
}

/// How a cell ends: state, physical messages, attempts; those not counted that a slow machine refused, so that none of them left.
pub type End = (&'static str, usize, i64);

const CALLS: &[Point] = &[
    Point::Call("before_claim_commit"),
    Point::Call("claim_committed"),
    Point::Call("checked_not_written"),
    Point::Written,
    Point::Call("response_read"),
    Point::Call("outcome_committed"),
    Point::Call("acknowledged"),
];

const REPEATS: &[Point] = &[
    Point::Repeat("before_claim_commit"),
    Point::Repeat("claim_committed"),
    Point::Repeat("checked_not_written"),
    Point::RepeatWritten,
    Point::Repeat("response_read"),
];

/// Points that exist with a provider of this class.
pub fn points(capability: Capability) -> Vec<Point> {
    let further: &[Point] = match capability {
        Capability::Idempotent => REPEATS,
        Capability::StrongLookup | Capability::LaggingLookup | Capability::WeakLookup => &[Point::LookUp],
        Capability::Nothing => &[],
    };
    [CALLS, further].concat()
}

/// The ends that a cell may have; more than one only where two processes race for a fact that both may state.
fn ends(point: Point, capability: Capability, blow: Blow) -> Vec<End> {
    match blow {
        // What a scheduler dies in is about a call that was cut (`faulty`).
        Blow::Kill if is_of_scheduler(point) => {
            end(capability, Row::Call(FaultKind::CutAfter, Nature::Made, 0), Some(point)).into_iter().collect()
        }
        Blow::Kill => end(capability, Row::Clean, Some(point)).into_iter().collect(),
        Blow::Freeze => thawed(point, capability).to_vec(),
    }
}

/// The same of a process that thaws.
pub fn thawed(point: Point, capability: Capability) -> &'static [End] {
    use Capability::{Idempotent, Nothing};
    match (point, capability) {
        // The claim commits with its lease behind it: the sweep and the refused call race, and the first is heard.
        (Point::Call("before_claim_commit"), Nothing) => &[("accepted", 1, 2), ("asked", 0, 1)],
        (Point::Call("before_claim_commit"), _) => &[("accepted", 1, 2)],
        // Nothing left, and only the provider can say so. A thawed call finds its time over.
        (Point::Call("claim_committed" | "checked_not_written"), Nothing) => &[("asked", 0, 1)],
        (Point::Call("claim_committed" | "checked_not_written"), _) => &[("accepted", 1, 2)],
        // A thawed worker believes the answer that it has read; one that waits in its socket races with the timeout.
        (Point::Call("response_read"), Nothing) => &[("accepted", 1, 1)],
        (Point::Written, Nothing) => &[("asked", 1, 1), ("accepted", 1, 1)],
        (Point::Written | Point::Call("response_read"), Idempotent) => &[("accepted", 1, 2)],
        (Point::Written | Point::Call("response_read"), _) => &[("accepted", 1, 1)],
        (Point::Call(_) | Point::LookUp, _) => &[("accepted", 1, 1)],
        // The first call was cut after production; one repeat is answered, or a second one after the first died.
        (Point::Repeat(_) | Point::RepeatWritten, _) => &[("accepted", 1, 3)],
    }
}

/// A build that calls whether or not it could claim.
const WITHOUT_CLAIM: &[(&str, &str)] = &[("DULY_SABOTAGE", "claim_check")];

/// Runs one cell; `Err` says what was not as it must be.
async fn run_with(point: Point, capability: Capability, blow: Blow, variables: &[(&str, &str)]) -> Result<(), String> {
    let lanes = vec![faulty(point, capability)];
    let stage = Stage::new(Setup { lanes, dispatch: TIMES.to_vec(), ..Setup::default() }).await;
    let is_scheduler = is_of_scheduler(point);
    let (role, other) = if is_scheduler { ("scheduler", "worker") } else { ("worker", "scheduler") };
    let _other = stage.start(&[other]);
    let failpoint = match point {
        Point::Call(name) | Point::Repeat(name) => Some(name),
        Point::LookUp => Some("lookup_sent_not_committed"),
        Point::Written | Point::RepeatWritten => None,
    };
    stage.sandbox.state.hold("sms", point == Point::Written);
    let mut victim = stage.start_with(&[role], failpoint, variables);
    if point == Point::RepeatWritten {
        eventually("the first call is cut", async || stage.sandbox.state.fired(FaultKind::CutAfter) == 1).await;
        stage.sandbox.state.hold("sms", true);
        eventually("the repeat waits for its answer", async || stage.sandbox.state.in_flight()["sms"] == 1).await;
    } else if point == Point::Written {
        eventually("the call is produced and waits", async || {
            stage.produced() == 1 && stage.sandbox.state.in_flight()["sms"] == 1
        })
        .await;
    } else {
        victim.reached().await;
    }
    let _rescuer = strike(&stage, &mut victim, (point, blow), role, variables).await;
    stage.drain().await;
    judge(&stage, point, capability, blow).await
}

fn is_of_scheduler(point: Point) -> bool {
    matches!(point, Point::LookUp | Point::Repeat(_) | Point::RepeatWritten)
}

/// The victim's lane: a call that ends unknown where the scheduler is the victim.
fn faulty(point: Point, capability: Capability) -> Lane {
    let mut lane = lane(capability);
    if is_of_scheduler(point) {
        lane.provider.faults = vec![Fault::once(FaultKind::CutAfter).on(Requests::First)];
    }
    lane
}

/// Answers the other process of the victim's role. A frozen victim thaws here, goes on from where it stood, and ends: what is
/// judged afterwards is also what it did.
async fn strike(
    stage: &Stage,
    victim: &mut Process,
    (point, blow): (Point, Blow),
    role: &str,
    variables: &[(&str, &str)],
) -> Process {
    match blow {
        Blow::Kill => victim.kill(),
        Blow::Freeze => victim.freeze(),
    }
    stage.sandbox.state.hold("sms", false);
    let rescuer = stage.start_with(&[role], None, variables);
    if blow == Blow::Freeze {
        tokio::time::sleep(FREEZE).await;
        // An open transaction keeps its rows until the victim thaws: nobody else can end the message.
        if !matches!(point, Point::Call("before_claim_commit") | Point::Repeat("before_claim_commit")) {
            stage.drain().await;
        }
        let outcomes = stage.count("select count(*) from outcome").await;
        if !matches!(point, Point::Written | Point::RepeatWritten) {
            victim.release();
        }
        victim.thaw();
        // It leaves only when all that it had begun is done, and says so.
        let ended = victim.terminate().await;
        assert!(ended.success() && victim.log().contains("\"stopped\""), "{point:?}: the thawed process did not end well");
        let late = stage.count("select count(*) from outcome").await - outcomes;
        let has_told = matches!(point, Point::Call("outcome_committed" | "acknowledged") | Point::LookUp);
        assert!(if has_told { late == 0 } else { late > 0 }, "{point:?}: {late} outcomes since it thawed");
    }
    rescuer
}

async fn judge(stage: &Stage, point: Point, capability: Capability, blow: Blow) -> Result<(), String> {
    let state = stage.states().await.remove(0);
    let attempts = stage.attempts(stage.message().await).await;
    let end = (state.as_str(), stage.produced(), attempts);
    let findings = stage.findings().await;
    let alarms = stage.alarms().await;
    let fired = stage.sandbox.state.fired(FaultKind::CutAfter);
    let expected = ends(point, capability, blow);
    let late = stage.count("select count(*) from outcome where (kind, code) = ('not_taken', 'send_by')").await;
    let as_expected = expected
        .iter()
        .any(|(state, produced, fewest)| (*state, *produced) == (end.0, end.1) && (0..=late).contains(&(attempts - fewest)));
    let has_fired = !is_of_scheduler(point) || fired == 1;
    if as_expected && findings.is_empty() && alarms.is_empty() && has_fired {
        return Ok(());
    }
    let outcomes = stage.words("select attempt || ' ' || kind || ' ' || code from outcome order by attempt").await;
    Err(format!(
        "{blow:?} at {point:?} with {capability:?}: {end:?}, expected {expected:?}; findings {findings:?}, alarms {alarms:?}, outcomes {outcomes:?}, cuts {fired}"
    ))
}

/// Each cell on a thread of its own: one that forks or cleans up must not keep another from its moment.
async fn run_all(capability: Capability, blow: Blow) {
    let cells = points(capability).into_iter().map(|point| {
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run_with(point, capability, blow, &[]))
        })
    });
    let results: Vec<_> = futures::stream::iter(cells).buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<String> = results.into_iter().filter_map(|result| result.unwrap().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_kill_at_any_point_sends_nobody_twice_where_keys_are_honoured() {
    run_all(Capability::Idempotent, Blow::Kill).await;
}

#[tokio::test]
async fn a_kill_at_any_point_sends_nobody_twice_where_look_ups_see_at_once() {
    run_all(Capability::StrongLookup, Blow::Kill).await;
}

#[tokio::test]
async fn a_kill_at_any_point_sends_nobody_twice_where_look_ups_lag() {
    run_all(Capability::LaggingLookup, Blow::Kill).await;
}

#[tokio::test]
async fn a_kill_at_any_point_sends_nobody_twice_where_nothing_can_be_asked() {
    run_all(Capability::Nothing, Blow::Kill).await;
}

#[tokio::test]
async fn a_freeze_at_any_point_sends_nobody_twice_where_keys_are_honoured() {
    run_all(Capability::Idempotent, Blow::Freeze).await;
}

#[tokio::test]
async fn a_freeze_at_any_point_sends_nobody_twice_where_look_ups_see_at_once() {
    run_all(Capability::StrongLookup, Blow::Freeze).await;
}

#[tokio::test]
async fn a_freeze_at_any_point_sends_nobody_twice_where_look_ups_lag() {
    run_all(Capability::LaggingLookup, Blow::Freeze).await;
}

#[tokio::test]
async fn a_freeze_at_any_point_sends_nobody_twice_where_nothing_can_be_asked() {
    run_all(Capability::Nothing, Blow::Freeze).await;
}

#[tokio::test]
async fn without_the_claim_check_a_cell_of_this_matrix_is_red() {
    let judged = run_with(Point::Call("response_read"), Capability::Nothing, Blow::Kill, WITHOUT_CLAIM).await;

    let why = judged.unwrap_err();
    assert!(why.contains("(\"accepted\", 2, 1), expected") && why.contains("sent_twice"), "{why}");
}

#[tokio::test]
async fn a_not_found_of_an_earlier_call_says_nothing_of_a_later_one() {
    let mut lane = lane(Capability::LaggingLookup);
    // The first call produces nothing, the second one does, and neither is answered.
    lane.provider.faults = vec![Fault::once(FaultKind::CutBefore), Fault::once(FaultKind::CutAfter).on(Requests::Repeat)];
    // The first look is late enough to count.
    let dispatch = vec![("unknown_after_ms", 2600)];
    let stage = Stage::new(Setup { lanes: vec![lane], dispatch, ..Setup::default() }).await;
    let _worker = stage.start(&["worker"]);
    let mut old = stage.start_at("lookup_sent_not_committed", &["scheduler"]);
    old.reached().await;
    old.freeze();
    let _new = stage.start(&["scheduler"]);
    const SECOND: &str = "select count(*) from message where state = 'unknown' and attempt = 2";
    eventually("the second call is not known", async || stage.count(SECOND).await == 1).await;

    old.release();
    old.thaw();
    assert!(old.terminate().await.success());
    stage.drain().await;

    assert_eq!((stage.sandbox.state.fired(FaultKind::CutBefore), stage.sandbox.state.fired(FaultKind::CutAfter)), (1, 1));
    assert_eq!(stage.produced(), 1);
    assert_eq!(stage.states().await, ["accepted"]);
    stage.audit().await;
}

/// Two copies of one job at two workers: both have read the message before either has claimed it.
async fn two_copies_at_once(sabotage: &[(&str, &str)]) -> Stage {
    // One job at a time: the first worker holds one and cannot take the other.
    let dispatch = vec![("lease_ms", 30_000), ("queue_lease_ms", 30_000), ("send_by_ms", 8000), ("prefetch", 1)];
    let stage = Stage::new(Setup { dispatch, ..Setup::default() }).await;
    let mut scheduler = stage.start(&["scheduler"]);
    let mut first = stage.start_at("before_claim_commit", &["worker"]);
    first.reached().await;
    scheduler.kill();
    let mut second = stage.start_with(&["worker"], None, sabotage);
    let (_connection, channel) = duly::broker::connect(&stage.broker.url).await.unwrap();
    duly::broker::declare(&channel, "sms").await.unwrap();
    assert_eq!(duly::broker::publish(&channel, "sms", &[stage.message().await]).await.unwrap(), 1);
    eventually("the second copy is taken", async || stage.broker.depth("duly.send.sms.v1").await == 0).await;
    if sabotage.is_empty() {
        // It ends when it has worked off what it took.
        assert!(second.terminate().await.success());
    } else {
        eventually("the sabotaged worker sends it", async || stage.produced() == 1).await;
    }
    first.release();
    eventually("the first copy is sent", async || stage.produced() == 1 + sabotage.len() && stage.states().await == ["accepted"])
        .await;
    stage
}

#[tokio::test]
async fn two_copies_of_a_job_that_are_read_before_either_is_claimed_are_sent_once() {
    let stage = two_copies_at_once(&[]).await;

    assert_eq!(stage.produced(), 1);
    stage.audit().await;
}

#[tokio::test]
async fn without_the_claim_check_the_same_two_copies_are_sent_twice_and_the_audit_is_red() {
    let stage = two_copies_at_once(WITHOUT_CLAIM).await;

    assert_eq!(stage.produced(), 2);
    assert!(stage.findings().await.contains("sent_twice"), "{:?}", stage.findings().await);
}
