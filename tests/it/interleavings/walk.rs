//! One walk: jobs on the road, calls in the air, look-ups not committed, and what a random hand does to them.

use super::provider::{Class, Provider, Reply};
use super::resolver::PendingLookUp;
use crate::support::receipt::{Said, apply, keep, receipt_store};
use crate::support::{World, but_for_the_clock, world};
use duly::model::health::Sign;
use duly::model::state::{Channel, MessageState};
use duly::model::step::{Answer, Cause, Decision, Pause};
use duly::store::audit::record::{Mark, SendKey, compare};
use duly::store::claim::{Intent, RepeatWindow};
use duly::store::due::Quota;
use duly::store::outcome::Outcome;
use duly::store::plan::{PAUSE, RESUME};
use duly::store::receipt::ReceiptStore;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgPool;
use uuid::Uuid;

/// After this a call may not start, ms after its claim.
pub const SEND_BY_MS: i64 = 20_000;
/// After `send_by` and this what was written in time has arrived, or never will, ms.
pub const MARGIN_MS: i64 = 40_000;

/// Calls of one message that count; few, so that walks reach the limit.
pub const ATTEMPTS_MAX: u32 = 3;
const QUOTA: Quota = Quota { limit: 4, outstanding_max: 1000, attempts_max: ATTEMPTS_MAX, takes_new: true };

/// How careful the resolver of a walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    Full,
    /// Believes "not found" without waiting for the margin.
    BelievesTooEarly,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Claimed,
    Written,
    Answered(Reply),
}

/// A claimed call. Its worker may be gone while its request is still on the way.
#[derive(Debug, Clone)]
struct Flight {
    message_id: Uuid,
    person_id: Uuid,
    attempt: u32,
    lane: &'static str,
    claimed_at_ms: i64,
    stage: Stage,
    has_worker: bool,
}

/// A message as the database has it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub message_id: Uuid,
    pub person_id: Uuid,
    pub channel: String,
    pub state: String,
    pub attempt: i32,
}

pub struct Walk {
    pub world: World,
    pub provider: Provider,
    pub rng: StdRng,
    pub care: Care,
    pub looked: Vec<PendingLookUp>,
    seed: u64,
    owner: PgPool,
    receipts: ReceiptStore,
    jobs: Vec<Uuid>,
    flights: Vec<Flight>,
    holds: Vec<Uuid>,
    is_paused: bool,
}

/// A clock that the test moves; nothing else in Duly reads the database's.
const CLOCK: &str = "create table test_clock (ms bigint not null); insert into test_clock values (0);
    grant select on test_clock to duly_app, duly_receipts;
    create or replace function duly_now() returns timestamptz language sql volatile
        as $$ select clock_timestamp() + (select ms from public.test_clock) * interval '1 millisecond' $$";

impl Walk {
    pub async fn new(seed: u64, care: Care) -> Self {
        let world = world("walk", 6).await;
        let owner = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&world.url).await.unwrap();
        sqlx::raw_sql(CLOCK).execute(&owner).await.unwrap();
        let receipts = receipt_store(&world).await;
        let classes = [Class::Idempotent, Class::Strong, Class::Lagging, Class::None];
        let class = if care == Care::Full { classes[(seed % 4) as usize] } else { Class::Lagging };
        Self {
            world,
            provider: Provider::new(class),
            rng: StdRng::seed_from_u64(seed),
            care,
            looked: Vec::new(),
            seed,
            owner,
            receipts,
            jobs: Vec::new(),
            flights: Vec::new(),
            holds: Vec::new(),
            is_paused: false,
        }
    }

    pub async fn random_move(&mut self) {
        // Nothing stays stopped for long; else most walks would show nothing.
        if self.is_paused && self.rng.random_range(0..5) == 0 {
            self.pause_or_resume().await;
        }
        if !self.holds.is_empty() && self.rng.random_range(0..8) == 0 {
            self.hold_or_lift().await;
        }
        match self.rng.random_range(0..100) {
            0..12 => self.queue().await,
            12..30 => self.claim_jobs().await,
            30..64 => self.move_a_flight().await,
            64..66 => self.crash(),
            66..72 => self.pass_time().await,
            72..84 => self.sweep().await,
            84..88 => self.commit_a_look_up().await,
            88..95 => self.receive().await,
            95..97 => self.hold_or_lift().await,
            97..98 => self.pause_or_resume().await,
            _ => self.decide().await,
        }
    }

    pub async fn now_ms(&self) -> i64 {
        sqlx::query_scalar("select (extract(epoch from duly_now()) * 1000)::bigint").fetch_one(&self.owner).await.unwrap()
    }

    pub async fn rows(&self) -> Vec<Row> {
        sqlx::query_as("select message_id, person_id, channel, state, attempt from message order by message_id")
            .fetch_all(&self.owner)
            .await
            .unwrap()
    }

    async fn queue(&mut self) {
        for (lane, channel) in [("sms-a", Channel::Sms), ("letters", Channel::Letter)] {
            let queued = self.world.store.queue_due(lane, channel, QUOTA).await.unwrap();
            self.jobs.extend(queued.iter().copied());
        }
    }

    /// Jobs come in any order, some twice, some never.
    async fn claim_jobs(&mut self) {
        for _ in 0..2 {
            if self.jobs.is_empty() {
                return;
            }
            let at = self.rng.random_range(0..self.jobs.len());
            let message_id = if self.rng.random_range(0..3) == 0 { self.jobs[at] } else { self.jobs.swap_remove(at) };
            self.claim(message_id, None).await;
        }
    }

    pub async fn claim(&mut self, message_id: Uuid, repeat: Option<RepeatWindow>) {
        let Some(row) = self.rows().await.into_iter().find(|row| row.message_id == message_id) else { return };
        let (lane, byte) = if row.channel == "letter" { ("letters", 3) } else { ("sms-a", 1) };
        let intent = Intent {
            message_id,
            person_id: row.person_id,
            version: 1,
            repeat,
            per_day: None,
            lane: lane.to_owned(),
            reference: message_id.simple().to_string(),
            request: vec![1],
            content: [byte; 32],
            destination: [0; 32],
        };
        let claimed_at_ms = self.now_ms().await;
        let claimed = self.world.store.claim(self.world.incident.key, &[intent], SEND_BY_MS).await.unwrap();
        self.flights.extend(claimed.iter().map(|claim| Flight {
            message_id,
            person_id: row.person_id,
            attempt: claim.attempt,
            lane,
            claimed_at_ms,
            stage: Stage::Claimed,
            has_worker: true,
        }));
    }

    async fn move_a_flight(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.flights.len());
        let (flight, now) = (self.flights[at].clone(), self.now_ms().await);
        match flight.stage {
            Stage::Claimed if now < flight.claimed_at_ms + SEND_BY_MS => self.flights[at].stage = Stage::Written,
            Stage::Claimed => self.end(at, Reply::TooMany).await,
            // The assumption of the whole protocol: what was written in time is there by the margin, or never.
            Stage::Written if now < flight.claimed_at_ms + SEND_BY_MS + MARGIN_MS && self.rng.random_range(0..5) > 0 => {
                let reply = self.provider.arrive(&mut self.rng, flight.message_id, flight.lane, now);
                self.flights[at].stage = Stage::Answered(reply);
            }
            Stage::Written if flight.has_worker => {
                // It gives up waiting; the request stays on its way.
                self.record(&flight, &Reply::Nothing).await;
                self.flights[at].has_worker = false;
            }
            Stage::Written => drop(self.flights.swap_remove(at)),
            Stage::Answered(reply) => self.end(at, reply).await,
        }
    }

    async fn end(&mut self, at: usize, reply: Reply) {
        let flight = self.flights.swap_remove(at);
        if flight.has_worker {
            self.record(&flight, &reply).await;
        }
    }

    async fn record(&self, flight: &Flight, reply: &Reply) {
        let answer = match reply {
            Reply::Accepted(_) => Answer::Accepted,
            Reply::Rejected => Answer::Rejected,
            Reply::TooMany => Answer::NotTaken,
            Reply::Refused => Answer::LaneStopped,
            Reply::Conflict | Reply::Nothing => Answer::Unknown,
        };
        let outcome = Outcome {
            message_id: flight.message_id,
            person_id: flight.person_id,
            attempt: flight.attempt,
            answer,
            provider_id: if let Reply::Accepted(id) = reply { Some(id.clone()) } else { None },
            code: if answer == Answer::NotTaken { "429" } else { "test" }.into(),
            pause: (answer == Answer::LaneStopped).then_some(Pause::Minute),
            parts: None,
            cost: None,
            sign: Sign::Nothing,
            alarm: None,
            retry_in_ms: 1000,
        };
        self.world.store.record_outcomes(self.world.incident.key, &[outcome]).await.unwrap();
    }

    /// A worker dies; what it wrote may still arrive.
    fn crash(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.flights.len());
        if self.flights[at].stage == Stage::Written {
            self.flights[at].has_worker = false;
        } else {
            self.flights.swap_remove(at);
        }
    }

    async fn pass_time(&mut self) {
        const STEPS_MS: [i64; 7] = [2_000, 5_000, 10_000, 20_000, 40_000, 70_000, 300_000];
        let step = STEPS_MS[self.rng.random_range(0..STEPS_MS.len())];
        self.pass(step).await;
    }

    pub async fn pass(&self, ms: i64) {
        sqlx::query("update test_clock set ms = ms + $1").bind(ms).execute(&self.owner).await.unwrap();
    }

    async fn receive(&mut self) {
        if let Some((physical, event, status)) = self.provider.report(&mut self.rng) {
            let reference = physical.message_id.simple().to_string();
            let said = Said { lane: physical.lane, reference: &reference, provider_id: &physical.id, event: &event, status };
            keep(&self.world, &self.receipts, &said).await;
        }
        if self.rng.random_range(0..2) == 0 {
            apply(&self.world).await;
        }
    }

    async fn hold_or_lift(&mut self) {
        match self.holds.pop() {
            Some(hold) => self.world.lift(hold).await,
            None => {
                let person = (self.rng.random_range(0..3) > 0).then(|| self.world.people[self.rng.random_range(0..6)]);
                self.holds.push(self.world.hold(person).await);
            }
        }
    }

    async fn pause_or_resume(&mut self) {
        let to = if self.is_paused { RESUME } else { PAUSE };
        self.world.users.move_plan(&self.world.store, &self.world.incident, 1, to).await;
        self.is_paused = !self.is_paused;
    }

    /// A person decides about a call that nobody can find out about: the next step, never a second send.
    async fn decide(&mut self) {
        for row in self.rows().await.iter().filter(|row| row.state == "asked") {
            let (store, incident) = (&self.world.store, &self.world.incident);
            let note = self.world.users.decide(store, incident, row.message_id, "next-step", None).await;
            let cause = Cause::Decided(Decision::NextStep);
            store.apply_one(incident.key, row.person_id, row.message_id, cause, note).await.unwrap();
        }
    }

    /// Everything stops disturbing, and goes on until nothing is left to do.
    pub async fn drain(&mut self) {
        while let Some(hold) = self.holds.pop() {
            self.world.lift(hold).await;
        }
        if self.is_paused {
            self.pause_or_resume().await;
        }
        self.provider.is_kind = true;
        self.flights.clear();
        for _ in 0..60 {
            self.pass(120_000).await;
            self.sweep().await;
            self.looked.clear();
            self.decide().await;
            self.queue().await;
            while !self.jobs.is_empty() {
                self.claim_jobs().await;
            }
            while !self.flights.is_empty() {
                self.move_a_flight().await;
            }
            apply(&self.world).await;
            let open = self
                .rows()
                .await
                .iter()
                .filter(|row| ["ready", "sending", "unknown", "asked"].contains(&row.state.as_str()))
                .count();
            if open == 0 {
                return;
            }
        }
        panic!("WALK_SEED={}: not drained: {:?}", self.seed, self.rows().await);
    }

    /// Nobody lost, nobody told twice, and the books agree with the provider's.
    pub async fn judge(&self) {
        let (seed, key) = (self.seed, self.world.incident.key);
        assert_eq!(but_for_the_clock(self.world.store.audit(key).await.unwrap()), [], "WALK_SEED={seed}");
        assert!(self.world.store.equation(key).await.unwrap().holds(), "WALK_SEED={seed}");
        let rows = self.rows().await;
        let sends: Vec<SendKey> = rows
            .iter()
            .filter(|row| row.attempt > 0)
            .map(|row| SendKey {
                message_id: row.message_id,
                channel: row.channel.parse().unwrap(),
                mark: Mark::Carries { destination: row.message_id.to_string(), content_sha256: String::new() },
                state: row.state.parse().unwrap(),
            })
            .collect();
        assert_eq!(compare(&sends, &self.provider.record()), [], "WALK_SEED={seed}");
        for person in &self.world.people {
            let states: Vec<MessageState> =
                rows.iter().filter(|r| r.person_id == *person).map(|r| r.state.parse().unwrap()).collect();
            assert!(!states.is_empty() && states.iter().any(|s| s.is_taken() || s.is_dead()), "WALK_SEED={seed}: {states:?}");
        }
    }
}
