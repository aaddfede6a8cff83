//! Each fault of a provider, with each class of provider, once with a worker that lives and once with one that dies before
//! it has told anybody what it was answered: an exact end, and never a second message. docs/fault-matrix.md is printed from
//! the tables that these tests hold to: `MATRIX_WRITE=1 cargo test -p duly --test it fault_matrix::`.

mod paper;

use crate::crash_matrix::End;
use crate::support::{Capability, Lane, Process, Setup, Stage, eventually, lane};
use duly_sandbox::{Fault, FaultKind, Requests};

/// Times of a call that a busy machine keeps to.
const TIMES: &[(&str, i64)] = &[
    ("lease_ms", 3600),
    ("queue_lease_ms", 3600),
    ("request_timeout_ms", 1500),
    ("send_by_ms", 1200),
    ("network_margin_ms", 300),
    ("hold_check_ms", 10_000),
];

/// What a fault of a first call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Taken, and said so in time.
    Taken,
    /// Not made, and said that it never will be.
    Refused,
    /// Not made, and said that it may be made later; some of these stop the lane for a while.
    NotTaken,
    /// Not made, and not said.
    Missing,
    /// Made, and not said.
    Made,
}

/// Every fault of a first call: a conflict needs a repeat (`repeats::`), and receipts have their own (`receipts::`).
pub const FAULTS: &[(FaultKind, Nature, u64)] = &[
    (FaultKind::Slow, Nature::Taken, 400),
    (FaultKind::Reject, Nature::Refused, 0),
    (FaultKind::TooMany, Nature::NotTaken, 300),
    (FaultKind::TooManyToday, Nature::NotTaken, 0),
    (FaultKind::Unauthorised, Nature::NotTaken, 0),
    (FaultKind::NoCredit, Nature::NotTaken, 0),
    (FaultKind::Forbidden, Nature::NotTaken, 0),
    (FaultKind::RequestTimeout, Nature::Missing, 0),
    (FaultKind::ErrorBefore, Nature::Missing, 0),
    (FaultKind::ErrorInside, Nature::Missing, 0),
    (FaultKind::Redirect, Nature::Missing, 0),
    (FaultKind::CutBefore, Nature::Missing, 0),
    (FaultKind::ErrorAfter, Nature::Made, 0),
    (FaultKind::NotJson, Nature::Made, 0),
    (FaultKind::CutAfter, Nature::Made, 0),
    (FaultKind::Hang, Nature::Made, 0),
    (FaultKind::Late, Nature::Made, 2000),
    (FaultKind::Drip, Nature::Made, 200),
    (FaultKind::Gzip, Nature::Made, 0),
    (FaultKind::HugeBody, Nature::Made, 0),
];

/// The end of a cell. Whoever dies with the answer makes every answer one that was not said.
pub fn end(nature: Nature, capability: Capability, dies: bool) -> End {
    use Capability::{Idempotent, LaggingLookup, Nothing, StrongLookup};
    let known = match nature {
        Nature::Taken if dies => Nature::Made,
        Nature::Refused | Nature::NotTaken if dies => Nature::Missing,
        known => known,
    };
    match (known, capability) {
        (Nature::Taken, _) => ("accepted", 1, 1),
        (Nature::Refused, _) => ("rejected", 0, 1),
        (Nature::NotTaken, _) => ("accepted", 1, 2),
        (Nature::Missing, Nothing) => ("asked", 0, 1),
        (Nature::Made, Nothing) => ("asked", 1, 1),
        (Nature::Missing, _) | (Nature::Made, Idempotent) => ("accepted", 1, 2),
        (Nature::Made, StrongLookup | LaggingLookup) => ("accepted", 1, 1),
    }
}

/// A stage on which one person after another meets one fault after another.
struct Matrix {
    stage: Stage,
    capability: Capability,
    people: u32,
    clock_seconds: i32,
    wrong: Vec<String>,
}

impl Matrix {
    /// Its first person meets no fault.
    async fn new(capability: Capability) -> Self {
        let lanes = vec![Lane { key_life_seconds: 86_400, ..lane(capability) }];
        let stage = Stage::new(Setup { lanes, dispatch: TIMES.to_vec(), ..Setup::default() }).await;
        Self { stage, capability, people: 1, clock_seconds: 0, wrong: Vec::new() }
    }

    /// One person, and the fault with their first call; the worker dies with the answer, or lives.
    async fn cell(&mut self, (kind, nature, ms): (FaultKind, Nature, u64), dies: bool) {
        let state = &self.stage.sandbox.state;
        let (fired, produced) = (state.fired(kind), self.stage.produced());
        let fault = Fault { times: Some(fired + 1), ..Fault::always(kind) }.lasting(ms).on(Requests::First);
        state.set_faults("sms", vec![fault]);
        self.people += 1;
        self.stage.add_people(self.people..=self.people, &[duly::model::state::Route::Sms]).await;
        let mut rescuer: Option<Process> = None;
        if dies {
            let mut victim = self.stage.start_at("response_read", &["worker"]);
            victim.reached().await;
            victim.kill();
            rescuer = Some(self.stage.start(&["worker"]));
        }
        let what = format!("{kind:?} fires");
        eventually(&what, async || self.stage.sandbox.state.fired(kind) == fired + 1).await;
        self.end_pauses().await;
        self.stage.drain().await;
        if nature == Nature::Made {
            // What is held for long is made when our end has long been written.
            eventually("it is made", async || self.stage.produced() > produced).await;
        }
        self.judge((kind, nature), dies, fired, produced).await;
        drop(rescuer);
    }

    /// What rests goes on when its rest is over: the clock is moved, nobody waits for a day.
    async fn end_pauses(&mut self) {
        // A lane's rest, or a wait that the provider asked for; a backoff of our own is short.
        const RESTS: &str = "select coalesce(max(ceil(extract(epoch from until - duly_now()))), 0)::bigint
            from (select until from lane_pause union all select due_at from message where state = 'ready') w (until)
            where until > duly_now() + interval '5 s'";
        const IN_CALL: &str = "select count(*) from message where state = 'sending'";
        eventually("the call has ended", async || self.stage.count(IN_CALL).await == 0).await;
        let rest = self.stage.count(RESTS).await;
        if rest > 0 {
            self.clock_seconds += i32::try_from(rest).unwrap() + 1;
            self.stage.shift_clock(self.clock_seconds).await;
        }
    }

    async fn judge(&mut self, (kind, nature): (FaultKind, Nature), dies: bool, fired: u64, produced: usize) {
        const NEWEST: &str = "select state from message order by message_id desc limit 1";
        const CALLS: &str =
            "select count(*) from attempt where message_id = (select message_id from message order by message_id desc limit 1)";
        const LATE: &str =
            "select count(*) from outcome where kind = 'not_taken' and code in ('send_by', 'hold_changed', 'not_written')
            and message_id = (select message_id from message order by message_id desc limit 1)";
        let state = self.stage.words(NEWEST).await.remove(0);
        let is = (state.as_str(), self.stage.produced() - produced, self.stage.count(CALLS).await);
        // A slow machine refuses a call in time: none of these left.
        let late = self.stage.count(LATE).await;
        let expected = end(nature, self.capability, dies);
        let is_expected = (is.0, is.1) == (expected.0, expected.1) && (0..=late).contains(&(is.2 - expected.2));
        let times = self.stage.sandbox.state.fired(kind) - fired;
        if !is_expected || times != 1 {
            self.wrong.push(format!("{kind:?}, dies {dies}: {is:?}, expected {expected:?}; fired {times}, late {late}"));
        }
    }
}

async fn run(capability: Capability) {
    let mut matrix = Matrix::new(capability).await;
    let _scheduler = matrix.stage.start(&["scheduler"]);
    let mut worker = matrix.stage.start(&["worker"]);
    matrix.stage.drain().await;
    for fault in FAULTS {
        matrix.cell(*fault, false).await;
    }
    worker.kill();
    for fault in FAULTS {
        matrix.cell(*fault, true).await;
    }
    assert!(matrix.wrong.is_empty(), "{capability:?}: {:#?}", matrix.wrong);
    assert!(matrix.stage.alarms().await.is_empty());
    matrix.stage.audit().await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_keys_are_honoured() {
    run(Capability::Idempotent).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_look_ups_see_at_once() {
    run(Capability::StrongLookup).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_look_ups_lag() {
    run(Capability::LaggingLookup).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_nothing_can_be_asked() {
    run(Capability::Nothing).await;
}
