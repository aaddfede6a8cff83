//! One round: a message for each thing that can go wrong, all of them in the hands of one process, which dies with them at one
//! point; another goes on.

use super::ends::{Death, Nature, Row, end};
use crate::crash_matrix::{End, Point};
use crate::support::{Capability, LAG_MS, Lane, Process, Setup, Stage, eventually, lane, within};
use duly::model::state::Route;
use duly_sandbox::{Fault, FaultKind};
use std::time::Duration;
use uuid::Uuid;

/// Times of a call that a busy machine keeps to.
const TIMES: &[(&str, i64)] = &[
    ("lease_ms", 18_000),
    ("queue_lease_ms", 18_000),
    ("request_timeout_ms", 5000),
    ("send_by_ms", 6000),
    ("network_margin_ms", 300),
    ("hold_check_ms", 10_000),
];
/// Longest wait for a round to end.
const LONGEST: Duration = Duration::from_secs(150);
/// How long a call stays unknown to whoever is to leave it to the victim, and a little more.
const LEFT_ALONE: (&str, &str) = ("DULY_DISPATCH__UNKNOWN_AFTER_MS", "600000");
const LEFT_ALONE_SECONDS: i32 = 700;
/// An hour of looking where "not there" proves nothing.
const PATIENCE_SECONDS: i32 = 3700;
/// Keys are relied on for longer than all jumps of the clock.
const KEY_LIFE_SECONDS: u64 = 60 * 86_400;
/// Messages of one round; the scheduler looks after so many at once.
pub const ROUND: usize = 30;

/// A message and what must become of it.
struct Cell {
    row: Row,
    number: String,
    message: Uuid,
    end: End,
}

/// It acknowledges all that it did: a job that came again would take the place of another in the next victim's batch.
async fn stop(mut worker: Process) {
    assert!(worker.terminate().await.success());
}

/// A worker takes so many together.
fn one_batch(many: &str) -> [(&'static str, &str); 2] {
    [("DULY_DISPATCH__BATCH_SIZE_MAX", many), ("DULY_DISPATCH__BATCH_LINGER_MS", "30000")]
}

/// A stage on which round follows round.
pub struct Ground {
    stage: Stage,
    capability: Capability,
    people: u32,
    clock_seconds: i32,
    /// It leads from round to round, until one in which it dies.
    scheduler: Option<Process>,
    wrong: Vec<String>,
}

impl Ground {
    /// Its first person meets no fault.
    pub async fn new(capability: Capability) -> Self {
        let lanes = vec![Lane { key_life_seconds: KEY_LIFE_SECONDS, ..lane(capability) }];
        let stage = Stage::new(Setup { lanes, dispatch: TIMES.to_vec(), ..Setup::default() }).await;
        let mut ground = Self { stage, capability, people: 1, clock_seconds: 0, scheduler: None, wrong: Vec::new() };
        ground.scheduler = Some(ground.start("scheduler"));
        let worker = ground.start("worker");
        ground.stage.drain().await;
        stop(worker).await;
        ground
    }

    /// What was not as it must be, of all rounds.
    pub async fn end(self) -> Vec<String> {
        let Self { stage, mut wrong, .. } = self;
        wrong.extend(stage.findings().await.into_iter().map(|code| format!("the audit finds {code}")));
        wrong.extend(stage.alarms().await.into_iter().map(|code| format!("alarm {code}")));
        wrong
    }

    /// One round with those rows that can be at this point.
    pub async fn round(&mut self, death: Death, rows: &[Row]) {
        let possible: Vec<(Row, End)> =
            rows.iter().filter_map(|row| Some((*row, end(self.capability, *row, death).ok()?))).collect();
        let first = self.people + 1;
        self.people += u32::try_from(possible.len()).unwrap();
        let numbers: Vec<String> = (first..=self.people).map(|i| format!("+447400{i:06}")).collect();
        let faults: Vec<Fault> = possible.iter().zip(&numbers).flat_map(|((row, _), number)| row.faults(number)).collect();
        self.stage.sandbox.state.set_faults("sms", faults.clone());
        let cells = possible.into_iter().zip(numbers).map(|((row, end), number)| Cell { row, number, message: Uuid::nil(), end });
        let mut cells: Vec<Cell> = cells.collect();
        let worker = match death {
            None => {
                let worker = self.start("worker");
                self.add(first, &mut cells).await;
                worker
            }
            Some(Point::LookUp | Point::Repeat(_) | Point::RepeatWritten) => self.scheduler_dies(death, first, &mut cells).await,
            Some(point) => self.worker_dies(point, first, &mut cells, faults).await,
        };
        self.settle(&cells).await;
        for cell in &cells {
            self.judge(cell, death).await;
        }
        // The next round is claimed in one batch, and a lane that was stopped would take a single call first.
        self.reopen().await;
        stop(worker).await;
    }

    fn start(&self, role: &str) -> Process {
        self.start_with(role, None, &[])
    }

    fn start_with(&self, role: &str, failpoint: Option<&str>, variables: &[(&str, &str)]) -> Process {
        // Twilio is told an address, because it holds our reference; nobody is there.
        let all = [&[("DULY_RECEIPTS__URL", "http://127.0.0.1:9")], variables].concat();
        self.stage.start_with(&[role], failpoint, &all)
    }

    /// Lets the round's people in, and notes whose message is whose.
    async fn add(&self, first: u32, cells: &mut [Cell]) {
        const NEWEST: &str = "select m.message_id from message m join source_row r using (controller_id, incident_no, person_id)
            where r.list_no = (select max(list_no) from affected_list) order by r.row_no";
        self.stage.add_people(first..=self.people, &[Route::Sms]).await;
        let messages: Vec<Uuid> = sqlx::query_scalar(NEWEST).fetch_all(&self.stage.owner).await.unwrap();
        assert_eq!(messages.len(), cells.len());
        cells.iter_mut().zip(messages).for_each(|(cell, message)| cell.message = message);
    }

    /// A worker takes all of them in one batch, and dies with it.
    async fn worker_dies(&mut self, point: Point, first: u32, cells: &mut [Cell], faults: Vec<Fault>) -> Process {
        let many = cells.len().to_string();
        let batch = one_batch(&many);
        let one_by_one = [batch[0], batch[1], ("DULY_FAILPOINT_MANY", many.as_str())];
        let (failpoint, variables) = match point {
            Point::Call(name @ ("checked_not_written" | "response_read")) => (Some(name), &one_by_one[..]),
            Point::Call(name) => (Some(name), &batch[..]),
            _ => (None, &batch[..]),
        };
        self.stage.sandbox.state.hold("sms", point == Point::Written);
        let mut victim = self.start_with("worker", failpoint, variables);
        self.add(first, cells).await;
        match point {
            Point::Written => self.all_in_flight(cells.len()).await,
            _ => victim.reached().await,
        }
        self.check_where_they_stand(point, cells).await;
        // What has not come to the provider yet is looked up by its reference.
        if matches!(point, Point::Call("claim_committed" | "checked_not_written")) {
            self.name_look_ups(cells, faults).await;
        }
        victim.kill();
        self.stage.sandbox.state.hold("sms", false);
        self.start("worker")
    }

    async fn all_in_flight(&self, many: usize) {
        eventually("all calls are at the provider", async || {
            self.stage.sandbox.state.in_flight()["sms"] == u64::try_from(many).unwrap()
        })
        .await;
    }

    /// That all of them are where their process dies, and not short of it or beyond.
    async fn check_where_they_stand(&mut self, point: Point, cells: &[Cell]) {
        const FREE: &str = "select count(*) from (select 1 from message where message_id = any($1) for update skip locked) free";
        const SENDING: &str = "select count(*) from message where message_id = any($1) and state = 'sending'";
        const ENDED: &str = "select count(distinct message_id) from outcome where message_id = any($1)";
        let all = i64::try_from(cells.len()).unwrap();
        let (query, expected) = match point {
            Point::Call("before_claim_commit") => (FREE, 0),
            Point::Call("outcome_committed" | "acknowledged") => (ENDED, all),
            _ => (SENDING, all),
        };
        let messages: Vec<Uuid> = cells.iter().map(|cell| cell.message).collect();
        let count =
            async |query| -> i64 { sqlx::query_scalar(query).bind(&messages).fetch_one(&self.stage.owner).await.unwrap() };
        let stand = count(query).await;
        if stand != expected {
            self.wrong.push(format!("{point:?}: {stand} stand there, expected {expected}"));
        }
    }

    async fn name_look_ups(&self, cells: &[Cell], mut faults: Vec<Fault>) {
        const REFERENCE: &str = "select reference from attempt where message_id = $1";
        // Twilio finds by number.
        if self.capability == Capability::WeakLookup {
            return;
        }
        for cell in cells {
            let Row::LookUp(kind) = cell.row else { continue };
            let found = sqlx::query_scalar(REFERENCE).bind(cell.message).fetch_one(&self.stage.owner);
            let reference: String = found.await.unwrap();
            let own = |fault: &&mut Fault| fault.kind == kind && fault.of.as_ref() == Some(&cell.number);
            faults.iter_mut().filter(own).for_each(|fault| fault.of = Some(reference.clone()));
        }
        self.stage.sandbox.state.set_faults("sms", faults);
    }

    /// A scheduler looks after all of them in one sweep, and dies in it.
    async fn scheduler_dies(&mut self, death: Death, first: u32, cells: &mut [Cell]) -> Process {
        // Whoever is to leave the unknown calls to the victim leads first.
        self.scheduler = None;
        let many = cells.len().to_string();
        // All in one batch: what stops the lane stops it for nobody of them.
        let mut calls = self.start_with("worker", None, &[&one_batch(&many)[..], &[LEFT_ALONE]].concat());
        let mut before = self.start_with("scheduler", None, &[LEFT_ALONE]);
        self.add(first, cells).await;
        self.until("no call's end is known", cells, |states| states.iter().all(|state| state == "unknown")).await;
        calls.kill();
        let worker = self.start("worker");
        self.wait_until_seen(cells).await;
        self.reopen().await;
        before.kill();
        let (failpoint, hold) = match death {
            Some(Point::Repeat(name)) => (Some(name), false),
            Some(Point::LookUp) => (Some("lookup_sent_not_committed"), false),
            _ => (None, true),
        };
        self.stage.sandbox.state.hold("sms", hold);
        self.jump(LEFT_ALONE_SECONDS).await;
        // Each repeat has a transaction of its own.
        let mut victim = self.start_with(
            "scheduler",
            failpoint,
            &[("DULY_FAILPOINT_MANY", many.as_str()), ("DULY_DATABASE__CONNECTIONS", "40")],
        );
        match failpoint {
            None => self.all_in_flight(cells.len()).await,
            Some(_) => victim.reached().await,
        }
        victim.kill();
        self.stage.sandbox.state.hold("sms", false);
        self.scheduler = Some(self.start("scheduler"));
        worker
    }

    /// Look-ups of the simulator lag in true time: what was made is seen before the clock is moved, or it would be taken for
    /// what was never made.
    async fn wait_until_seen(&self, cells: &[Cell]) {
        for cell in cells.iter().filter(|cell| cell.row.first() == Nature::Made) {
            within(LONGEST, "it is made", async || (self.sent(cell) > 0).then_some(())).await;
        }
        tokio::time::sleep(Duration::from_millis(LAG_MS)).await;
    }

    /// Physical messages of this cell.
    fn sent(&self, cell: &Cell) -> usize {
        self.stage.sandbox.state.record().iter().filter(|made| made.destination == cell.number).count()
    }

    /// Whoever is sent to first after a rest opens the lane: one who meets no fault.
    async fn reopen(&mut self) {
        const PAUSED: &str = "select count(*) from lane_pause";
        const RESTS: &str = "select coalesce(max(ceil(extract(epoch from until - duly_now()))), 0)::bigint from lane_pause";
        if self.stage.count(PAUSED).await > 0 {
            let rest = i32::try_from(self.stage.count(RESTS).await).unwrap();
            self.jump(rest.max(0) + 1).await;
            self.people += 1;
            self.stage.add_people(self.people..=self.people, &[Route::Sms]).await;
            eventually("the lane is open again", async || self.stage.count(PAUSED).await == 0).await;
        }
    }

    async fn jump(&mut self, seconds: i32) {
        self.clock_seconds += seconds;
        self.stage.shift_clock(self.clock_seconds).await;
    }

    /// How long a lane rests, a message waits as its provider asked, or a further look at one that is not known; a backoff of our
    /// own is short.
    async fn rest(&self) -> i32 {
        // Until the first that can go on by itself: one on the road to a worker may be claimed at any moment.
        const RESTS: &str = "with pause as (select max(until) as until from lane_pause where until > duly_now() + interval '5 s'),
              next as (select coalesce((select until from pause),
                    case when state = 'ready' and lease_until > duly_now() then duly_now() else due_at end) as until
                  from message where state in ('ready', 'unknown'))
            select case when exists (select from message where state = 'sending') or min(until) <= duly_now() + interval '5 s' then 0
                else coalesce(ceil(extract(epoch from min(until) - duly_now())), 0) end::bigint from next";
        i32::try_from(self.stage.count(RESTS).await).unwrap()
    }

    async fn states(&self, cells: &[Cell]) -> Vec<String> {
        const STATES: &str = "select m.state from unnest($1::uuid[]) with ordinality w (message_id, i) join message m using (message_id) order by i";
        let messages: Vec<Uuid> = cells.iter().map(|cell| cell.message).collect();
        sqlx::query_scalar(STATES).bind(messages).fetch_all(&self.stage.owner).await.unwrap()
    }

    async fn until(&self, what: &str, cells: &[Cell], is: impl Fn(&[String]) -> bool) {
        within(LONGEST, what, async || is(&self.states(cells).await).then_some(())).await;
    }

    /// Until everybody has left our hands. What rests goes on when its rest is over, and who looks in vain is patient for an
    /// hour: the clock is moved, but not while somebody else could still find out by waiting.
    async fn settle(&mut self, cells: &[Cell]) {
        let began = std::time::Instant::now();
        loop {
            let states = self.states(cells).await;
            let open = |state: &str| matches!(state, "ready" | "sending" | "unknown");
            if !states.iter().any(|state| open(state)) {
                return;
            }
            assert!(began.elapsed() < LONGEST, "{:?}: still open: {states:?}", self.capability);
            let finds_out = |(state, cell): (&String, &Cell)| state == "unknown" && cell.end.0 != "asked";
            let waits = self.capability.looks_up() && states.iter().zip(cells).any(finds_out);
            if !waits && !states.iter().any(|state| state == "sending") {
                let rest = self.rest().await;
                let is = |state: &str| states.iter().any(|is| is == state);
                let is_patient = self.capability == Capability::WeakLookup && is("unknown") && !is("ready");
                if rest > 0 {
                    self.jump(rest + 1).await;
                } else if is_patient {
                    self.jump(PATIENCE_SECONDS).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn judge(&mut self, cell: &Cell, death: Death) {
        const CALLS: &str = "select count(*) from attempt where message_id = $1";
        // A slow machine refuses a call in time: none of these left.
        const LATE: &str =
            "select count(*) from outcome where kind = 'not_taken' and code in ('send_by', 'hold_changed', 'not_written')
            and message_id = $1";
        const REFERENCE: &str = "select reference from attempt where message_id = $1 limit 1";
        let (owner, sandbox) = (&self.stage.owner, &self.stage.sandbox.state);
        if cell.row.first() == Nature::Made && cell.end.1 == 1 {
            // What is held for long is made when our end has long been written.
            within(LONGEST, "it is made", async || (self.sent(cell) > 0).then_some(())).await;
        }
        let count = async |query| -> i64 { sqlx::query_scalar(query).bind(cell.message).fetch_one(owner).await.unwrap() };
        // The clock was moved, and an accepted message is without news at once: it is as much taken as before.
        const STATE: &str = "select case state when 'overdue' then 'accepted' else state end from message where message_id = $1";
        let state: String = sqlx::query_scalar(STATE).bind(cell.message).fetch_one(owner).await.unwrap();
        let reference: String = sqlx::query_scalar(REFERENCE).bind(cell.message).fetch_one(owner).await.unwrap();
        let (calls, late) = (count(CALLS).await, count(LATE).await);
        let fired = |kind: FaultKind| sandbox.fired_of(kind, &cell.number) + sandbox.fired_of(kind, &reference);
        let is = (state.as_str(), self.sent(cell), calls);
        let is_expected = (is.0, is.1) == (cell.end.0, cell.end.1) && (0..=late).contains(&(is.2 - cell.end.2));
        let times = cell.row.kind().map_or(1, fired);
        if !is_expected || times != cell.row.fires() {
            let (row, end) = (cell.row, cell.end);
            self.wrong.push(format!("{row:?} at {death:?}: {is:?}, expected {end:?}; fired {times}, late {late}"));
        }
    }
}
