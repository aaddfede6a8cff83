//! What evidence costs: events per second into the logs, and one person's proofs among millions.

use crate::cpu::Spent;
use crate::{Entry, scaled, setting};
use duly::config::Settings;
use duly::dispatch::Office;
use duly::evidence::{Archive, sequencer};
use duly::model::health::HealthRules;
use duly::model::state::MessageState;
use duly::model::step::Cause;
use duly::store::log::Published;
use duly::store::proof::Proofs;
use duly::store::unit::{IncidentKey, Note, Wait};
use duly::store::{Deadlines, Store};
use duly_ledger::{Appender, Event, Signer, leaf_hash, to_hex};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Events of one person: list, intent, answer, reports, end.
const EVENTS_EACH: u64 = 8;
/// Rows in one insert.
const BATCH: u64 = 5000;

/// Events that wait in the inbox, until all are in their places, signed and copied outside.
pub async fn sequenced() -> Entry {
    let events = scaled(1_000_000);
    let (settings, store, pool) = open("duly_bench_sequencer").await;
    let log = System::of(&store).await;
    for first in (0..events).step_by(usize::try_from(BATCH).unwrap()) {
        log.insert(&pool, first, BATCH.min(events - first)).await;
    }
    let archive = Arc::new(Archive::open(&settings, &store).unwrap());
    let (started, before) = (Instant::now(), Spent::now());
    sequencer::run_once(archive).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let cpu = Spent::now().micros_since(before) / events as f64;
    let left: i64 = sqlx::query_scalar("select count(*) from event_inbox").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);

    let memory = in_memory(events);
    Entry {
        name: "events_sequenced_per_second",
        value: events as f64 / seconds,
        unit: "events/s",
        conditions: format!(
            "{events} events of the inbox into tiles and signed checkpoints of 5,000 each, fsync on in Postgres and outside, bundles copied; {cpu:.1} µs of CPU an event over all processes"
        ),
        baseline: format!("hashing, appending and signing the same number in memory, one thread: {memory:.0} events/s"),
        ratio: events as f64 / seconds / memory,
    }
}

fn in_memory(events: u64) -> f64 {
    let signer = Signer::new("duly.bench/log", &[7; 32]).unwrap();
    let started = Instant::now();
    let mut tree = Appender::new();
    for i in 0..events {
        tree.append(leaf_hash(&body("019355a0-0000-7000-8000-000000000002", i)));
        if i % BATCH == BATCH - 1 {
            tree.take_growth();
            assert!(!signer.sign_checkpoint(tree.size(), tree.root()).is_empty());
        }
    }
    events as f64 / started.elapsed().as_secs_f64()
}

/// CPU of an event of a person, µs.
pub struct Cost {
    /// Building and hashing it on its person's chain, and inserting it with every guard.
    pub writing: f64,
    /// Its place, checkpoint and copy outside.
    pub sequencing: f64,
}

impl Cost {
    /// Of so many events.
    pub fn of(&self, events: f64) -> f64 {
        events * (self.writing + self.sequencing)
    }
}

/// What the events of a finished run cost: as many once more, of the same people by the way that every event of theirs takes,
/// that move nothing; and all of the run's sequenced.
pub async fn cost_of(office: &Arc<Office>, incident: IncidentKey) -> Cost {
    let archive = Arc::new(Archive::open(&office.settings, &office.store).unwrap());
    let pool = PgPool::connect(office.settings.database.url.expose_secret()).await.unwrap();
    let query = "select count(*), avg(octet_length(body))::bigint from event where person_id is not null";
    let (events, bytes): (i64, i64) = sqlx::query_as(query).fetch_one(&pool).await.unwrap();
    // What the run itself left to tidy up is no evidence.
    tidy(&pool).await;
    let before = Spent::now();
    sequencer::run_once(archive).await.unwrap();
    let sequencing = Spent::now().micros_since(before) / events as f64;

    let run = Run::load(&pool, incident).await;
    let (bare, _) = run.write(&pool, &office.store, Some(0)).await;
    let filler = usize::try_from(bytes - bare).unwrap();
    tidy(&pool).await;
    let (_, without) = run.write(&pool, &office.store, None).await;
    tidy(&pool).await;
    let mut with = 0.0;
    for _ in 0..ROUNDS {
        with += run.write(&pool, &office.store, Some(filler)).await.1 / f64::from(ROUNDS);
    }
    Cost { writing: with - without, sequencing }
}

/// Each message's events are written so many times.
const ROUNDS: u32 = 3;

/// The people and messages of a run.
struct Run {
    incident: IncidentKey,
    pairs: Vec<(Uuid, Uuid)>,
}

impl Run {
    async fn load(pool: &PgPool, incident: IncidentKey) -> Self {
        let query = "select person_id, message_id from message order by message_id";
        Self { incident, pairs: sqlx::query_as(query).fetch_all(pool).await.unwrap() }
    }

    /// One event of each message in units of 200, as workers write them, with so much filler; `None`: none, only what the send
    /// protocol locks and reads in any case. Returns the bytes of the last event, and the CPU of a message, µs.
    async fn write(&self, pool: &PgPool, store: &Store, filler: Option<usize>) -> (i64, f64) {
        let before = Spent::now();
        for batch in self.pairs.chunks(200) {
            let people: Vec<Uuid> = batch.iter().map(|(person, _)| *person).collect();
            let mut unit = store.unit(self.incident, &people, Wait::Wait).await.unwrap();
            for (_, message) in batch.iter().filter(|_| filler.is_some()) {
                let again = Cause::Reported { report: MessageState::DeliveredToHandset, other_id: false };
                let detail = json!({ "status": "f".repeat(filler.unwrap_or(0)) });
                let note = Note { detail: detail.as_object().unwrap().clone(), due_in_ms: None };
                assert!(unit.apply(*message, again, note).unwrap().message.is_none());
            }
            unit.commit().await.unwrap();
        }
        let micros = Spent::now().micros_since(before) / self.pairs.len() as f64;
        let last = "select octet_length(body)::bigint from event order by ord desc limit 1";
        (sqlx::query_scalar(last).fetch_one(pool).await.unwrap(), micros)
    }
}

async fn tidy(pool: &PgPool) {
    sqlx::query("vacuum analyze").execute(pool).await.unwrap();
    sqlx::query("checkpoint").execute(pool).await.unwrap();
}

/// One person's proofs among ten million events, from Postgres; the tree is made before the clock starts.
pub async fn proofs() -> Entry {
    let events = scaled(10_000_000);
    let (_, store, pool) = open("duly_bench_proofs").await;
    let log = OneLog {
        incident: IncidentKey { controller_id: Uuid::from_u128(1), incident_no: 1 },
        log_no: 1,
        people: events / EVENTS_EACH,
    };
    log.open(&pool).await;
    let mut tree = Appender::new();
    for first in (0..events).step_by(usize::try_from(BATCH).unwrap()) {
        let leaves = log.insert(&pool, first, BATCH.min(events - first)).await;
        leaves.into_iter().for_each(|leaf| tree.append(leaf));
        store_tiles(&pool, log.log_no, &mut tree).await;
    }
    let places = "insert into sequenced (log_no, generation, first_seq, ords)
        select $1, 1, min(ord) - 1, array_agg(ord order by ord) from event group by ord / 256";
    sqlx::query(places).bind(log.log_no).execute(&pool).await.unwrap();
    sqlx::query("analyze").execute(&pool).await.unwrap();

    let people = 200;
    let mut all = Vec::new();
    for person in 0..people {
        let started = Instant::now();
        log.prove(&store, (tree.size(), tree.root()), person * 7919 % log.people).await;
        all.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    all.sort_by(f64::total_cmp);
    let (median, worst) = (all[all.len() / 2], all[all.len() * 99 / 100]);
    let anew = events as f64 / 1000.0 / 1.94;
    Entry {
        name: "person_proof_10m_ms",
        value: median,
        unit: "ms",
        conditions: format!(
            "{EVENTS_EACH} events of one person with inclusion proofs, found, read and proved from Postgres among {events} events, verified; median of {people} people, tiles not kept in between; 99th of 100: {worst:.2} ms"
        ),
        baseline: format!("all {events} leaves hashed anew, as a log without tiles would: {anew:.0} ms"),
        ratio: anew / median,
    }
}

/// An incident's log that is made past the guards: it holds what the clock needs.
struct OneLog {
    incident: IncidentKey,
    log_no: i32,
    people: u64,
}

impl OneLog {
    async fn open(&self, pool: &PgPool) {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::query("insert into log_generation (log_no, generation, origin) values ($1, 1, 'duly.bench/log')")
            .bind(self.log_no)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Each person's events stand far from each other, as those of a run do.
    async fn insert(&self, pool: &PgPool, first: u64, count: u64) -> Vec<[u8; 32]> {
        let bodies: Vec<Vec<u8>> = (first..first + count).map(|i| body("019355a0-0000-7000-8000-000000000002", i)).collect();
        let leaves: Vec<[u8; 32]> = bodies.iter().map(|b| leaf_hash(b)).collect();
        let people: Vec<Uuid> = (first..first + count).map(|i| person(i % self.people)).collect();
        let numbers: Vec<i64> = (first..first + count).map(|i| i64::try_from(i / self.people + 1).unwrap()).collect();
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::query(
            "insert into event (controller_id, incident_no, person_id, n, kind, body, leaf)
             select $1, $2, j.person, j.n, 'message.intent', j.b, j.l
               from unnest($3::uuid[], $4::bigint[], $5::bytea[], $6::bytea[]) as j (person, n, b, l)",
        )
        .bind(self.incident.controller_id)
        .bind(self.incident.incident_no)
        .bind(&people)
        .bind(&numbers)
        .bind(&bodies)
        .bind(leaves.iter().map(|l| l.to_vec()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        leaves
    }

    async fn prove(&self, store: &Store, (size, root): (u64, [u8; 32]), number: u64) {
        let log = Published {
            log_no: self.log_no,
            log_id: Uuid::from_u128(2),
            generation: 1,
            origin: String::new(),
            size: i64::try_from(size).unwrap(),
            note: String::new(),
        };
        let placed = store.list_placed_of(self.incident, person(number), &log).await.unwrap();
        assert_eq!(placed.len() as u64, EVENTS_EACH);
        let indexes: Vec<u64> = placed.iter().map(|event| u64::try_from(event.seq).unwrap()).collect();
        let mut proofs = Proofs::new(store, self.log_no, 1, size);
        proofs.fetch(&indexes).await.unwrap();
        for (event, index) in placed.iter().zip(&indexes) {
            let path = proofs.inclusion(*index).await.unwrap();
            assert!(duly_ledger::verify_inclusion(&leaf_hash(&event.body), *index, size, &path, &root));
        }
    }
}

/// Ids of people have no order.
fn person(number: u64) -> Uuid {
    Uuid::from_bytes(leaf_hash(&number.to_be_bytes())[..16].try_into().unwrap())
}

async fn store_tiles(pool: &PgPool, log_no: i32, tree: &mut Appender) {
    for growth in tree.take_growth() {
        sqlx::query(
            "insert into log_tile (log_no, generation, level, tile_no, hashes) values ($1, 1, $2, $3, $4)
             on conflict (log_no, generation, level, tile_no) do update set hashes = log_tile.hashes || excluded.hashes",
        )
        .bind(log_no)
        .bind(i32::from(growth.level))
        .bind(i64::try_from(growth.tile).unwrap())
        .bind(growth.hashes)
        .execute(pool)
        .await
        .unwrap();
    }
}

async fn open(database: &str) -> (Settings, Store, PgPool) {
    let settings = setting::settings(database, &[]).await;
    let deadlines = Deadlines {
        lease_ms: 1,
        queue_lease_ms: 1,
        unknown_ms: 1,
        no_news_ms: 1,
        asked_ms: 1,
        overdue_ms: 1,
        laid_aside_ms: 1,
        laid_aside_max: 1000,
        health: HEALTH,
    };
    let url = settings.database.url.expose_secret();
    let store = Store::connect(url, 4, deadlines).await.unwrap();
    let pool = PgPool::connect(url).await.unwrap();
    (settings, store, pool)
}

/// The system's log, whose events need no person.
struct System {
    log_id: String,
}

impl System {
    async fn of(store: &Store) -> Self {
        Self { log_id: store.installation().await.unwrap().to_string() }
    }

    async fn insert(&self, pool: &PgPool, first: u64, count: u64) {
        let bodies: Vec<Vec<u8>> = (first..first + count).map(|i| body(&self.log_id, i)).collect();
        let leaves: Vec<Vec<u8>> = bodies.iter().map(|b| leaf_hash(b).to_vec()).collect();
        sqlx::query(
            "insert into event (kind, body, leaf) select 'message.accepted', b, l from unnest($1::bytea[], $2::bytea[]) as j (b, l)",
        )
        .bind(&bodies)
        .bind(&leaves)
        .execute(pool)
        .await
        .unwrap();
    }
}

/// An event as long as most are, and of a kind that the guards treat as most.
fn body(log_id: &str, i: u64) -> Vec<u8> {
    let filler = to_hex(&leaf_hash(&i.to_be_bytes()));
    let detail = json!({"code": "401", "lane": "sms-a", "content": filler, "destination": filler});
    Event {
        id: Uuid::from_u128(0x0193_55a0_0000_7000_8000_0000_0000_0000 | u128::from(i)).to_string(),
        inc: log_id.to_owned(),
        kind: "message.accepted".to_owned(),
        n: None,
        person: None,
        prev: None,
        at_micros: 1_764_024_005_000_000 + i64::try_from(i).unwrap(),
        detail: detail.as_object().unwrap().clone(),
    }
    .to_bytes()
    .unwrap()
}

/// No lane rests here.
const HEALTH: HealthRules = HealthRules { window_ms: 1, bad_min: 1, bad_percent: 1, rest_min_ms: 1, rest_max_ms: 1 };
