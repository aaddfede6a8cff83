//! 47,000 text messages from an approved plan to `accepted`, through RabbitMQ and HTTP; and the same one by one.

use crate::cpu::{SIMULATOR, Spent};
use crate::{Entry, scaled, setting};
use duly::config::Settings;
use duly::dispatch::plan::{PlanRequest, prepare};
use duly::dispatch::{Office, scheduler, worker};
use duly::intake::list;
use duly::model::state::Route;
use duly::model::user_key::UserKey;
use duly::store::incident::Incident;
use duly::store::plan::{Approved, GO, Moved};
use duly::store::unit::IncidentKey;
use duly::store::user::Signer;
use duly_sandbox::{ProviderConfig, SandboxConfig, SandboxState, serve};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What one run measured.
struct Measured {
    per_second: f64,
    transactions_per_1000: f64,
    cpu_micros: f64,
    office: Arc<Office>,
    incident: IncidentKey,
}

const FAST: [(&str, &str); 2] = [("dispatch.in_flight_max", "1000"), ("dispatch.prefetch", "2000")];
const ONE_BY_ONE: [(&str, &str); 2] = [("dispatch.batch_size_max", "1"), ("dispatch.in_flight_max", "64")];

pub async fn run() -> Vec<Entry> {
    let (people, few) = (scaled(47_000), scaled(5_000));
    let alone = measure("duly_bench_alone", few, &ONE_BY_ONE, false).await;
    let batched = measure("duly_bench_sending", people, &FAST, false).await;
    let reported = measure("duly_bench_receipts", people, &FAST, true).await;
    let event = super::evidence::cost_of(&reported.office, reported.incident).await;
    let conditions = format!(
        "{people} text messages from plan to accepted, zero-delay simulator, one process, fsync, synchronous_commit, confirms and quorum queues on, evidence written"
    );
    let with_receipts = format!("{conditions}; a signed receipt for each taken in, matched and applied");
    vec![
        Entry {
            name: "sms_per_second",
            value: batched.per_second,
            unit: "messages/s",
            conditions: conditions.clone(),
            baseline: format!("the same program with batches of one, {few} messages: {:.0} messages/s", alone.per_second),
            ratio: batched.per_second / alone.per_second,
        },
        Entry {
            name: "tx_per_1000_messages",
            value: batched.transactions_per_1000,
            unit: "Postgres transactions",
            conditions: format!("{conditions}; under backlog"),
            baseline: format!("batches of one: {:.0}", alone.transactions_per_1000),
            ratio: alone.transactions_per_1000 / batched.transactions_per_1000,
        },
        Entry {
            name: "cpu_us_per_sms",
            value: batched.cpu_micros,
            unit: "µs of CPU",
            conditions: format!("{conditions}; scheduler, worker, Postgres and RabbitMQ, without the simulator"),
            baseline: format!("batches of one: {:.0} µs", alone.cpu_micros),
            ratio: alone.cpu_micros / batched.cpu_micros,
        },
        Entry {
            name: "sms_per_second_with_receipts",
            value: reported.per_second,
            unit: "messages/s",
            conditions: with_receipts,
            baseline: format!("the same without receipts: {:.0} messages/s", batched.per_second),
            ratio: reported.per_second / batched.per_second,
        },
        Entry {
            name: "evidence_us_per_sms",
            value: event.of(2.0),
            unit: "µs of CPU",
            conditions: format!(
                "the two events of a message to accepted, all processes: {:.1} µs each to build, hash and insert on its person's chain with every guard, beyond what a unit of the send protocol costs without; {:.1} µs each to sequence, sign and copy outside; {:.1} µs with its receipt's event",
                event.writing,
                event.sequencing,
                event.of(3.0)
            ),
            baseline: format!(
                "all CPU of such a message: {:.0} µs, {:.0} µs with its receipt",
                batched.cpu_micros, reported.cpu_micros
            ),
            ratio: batched.cpu_micros / event.of(2.0),
        },
    ]
}

async fn measure(database: &str, people: u64, more: &[(&str, &str)], receipts: bool) -> Measured {
    let simulator = start_sandbox(receipts).await;
    let mut flags = vec![
        ("lanes.sms-a.channel", "sms".to_owned()),
        ("lanes.sms-a.url", simulator.url.clone()),
        ("lanes.sms-a.api_key", "sandbox-key".to_owned()),
        ("lanes.sms-a.receipt_secret", "sandbox-secret".to_owned()),
        ("lanes.sms-a.per_second", "100000".to_owned()),
        ("lanes.sms-a.lookup", "true".to_owned()),
        ("dispatch.request_timeout_ms", "15000".to_owned()),
        ("quiet.from", "00:00".to_owned()),
        ("quiet.until", "00:00".to_owned()),
    ];
    flags.extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let settings = setting::settings(database, &flags).await;
    let office = Arc::new(Office::open(settings.clone()).await.unwrap());
    let ann = setting::ann(&office.store).await;
    let incident = setting::incident(&office, &ann).await;
    plan(&office, &incident, &ann, people).await;
    let pool = PgPool::connect(settings.database.url.expose_secret()).await.unwrap();

    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let desk = format!("http://{}/receipts/northmere", listener.local_addr().unwrap());
    simulator.state.set_callback(receipts.then_some(desk));
    let web = tokio::spawn(duly::web::run(office.clone(), listener, stop.clone()));
    let (before, cpu) = (transactions(&pool, &settings).await, Spent::now());
    let started = Instant::now();
    let roles =
        [tokio::spawn(scheduler::run(office.clone(), stop.clone())), tokio::spawn(worker::run(office.clone(), stop.clone()))];
    while done(&pool, receipts).await < people {
        assert!(started.elapsed() < Duration::from_secs(600), "the run did not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu_micros = Spent::now().micros_since(cpu) / people as f64;
    let spent = transactions(&pool, &settings).await - before;
    stop.cancel();
    for role in roles {
        role.await.unwrap().unwrap();
    }
    web.await.unwrap().unwrap();
    assert!(office.store.audit(incident.key).await.unwrap().is_empty());
    let transactions_per_1000 = spent as f64 * 1000.0 / people as f64;
    Measured { per_second: people as f64 / seconds, transactions_per_1000, cpu_micros, office, incident: incident.key }
}

struct Simulator {
    url: String,
    state: Arc<SandboxState>,
}

/// Its own runtime on a thread of its own, as another machine would be.
async fn start_sandbox(receipts: bool) -> Simulator {
    let provider = ProviderConfig { receipts, receipts_of_end_only: true, ..ProviderConfig::default() };
    let config = SandboxConfig { providers: BTreeMap::from([("sms-a".to_owned(), provider)]), ..SandboxConfig::default() };
    let state = Arc::new(SandboxState::new(config));
    let (ready, address) = std::sync::mpsc::channel();
    let served = state.clone();
    let thread = std::thread::Builder::new().name(SIMULATOR.to_owned());
    let serving = thread.spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            serve(served, listener, std::future::pending()).await.unwrap();
        });
    });
    // It ends with the benchmark.
    drop(serving.unwrap());
    Simulator { url: format!("http://{}/sms-a", address.recv().unwrap()), state }
}

async fn plan(office: &Arc<Office>, incident: &Incident, ann: &Signer, people: u64) {
    let path = Path::new("target/bench/phones.csv");
    let mut out = BufWriter::new(File::create(path).unwrap());
    writeln!(out, "external_reference,last_name,phone").unwrap();
    for i in 0..people {
        writeln!(out, "PN{i:07},Price,+44 7400 {i:06}").unwrap();
    }
    out.flush().unwrap();
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident").unwrap();
    list::import(&office.store, incident, &key, path, &duly::intake::csv::Mapping::default(), |_| {}).await.unwrap();
    let store = &office.store;
    let key = UserKey::generate("bob");
    let bob = Signer { user_id: ann.add_user(store, "bob", &key.public()).await.unwrap(), key };
    let id = incident.incident_id;
    let by = ann.sign(store, &serde_json::json!({"command": "plan prepare", "incident": id})).await.unwrap();
    let request = PlanRequest {
        routes: vec![Route::Sms],
        date: (2026, 11, 24),
        is_urgent: false,
        at_night: false,
        told_by: None,
        accepted: BTreeMap::new(),
        profiles: Vec::new(),
        under: BTreeMap::new(),
        by,
    };
    let summary = prepare(office, incident, &request, |_, _| {}).await.unwrap();
    let plan = store.load_plan(incident.key, summary.plan).await.unwrap();
    assert_eq!(store.approve_plan(incident.key, &plan, &bob, 1).await.unwrap(), Approved::Last);
    assert_eq!(store.move_plan(incident.key, &plan, &GO, &bob).await.unwrap(), Moved::Done);
}

/// Messages accepted, or with their receipt applied.
async fn done(pool: &PgPool, receipts: bool) -> u64 {
    let query = match receipts {
        false => "select count(*) from outcome where kind = 'accepted'",
        // A narrow table, one for each: looking must not cost what is measured.
        true => "select count(*) from notice where state = 'notified'",
    };
    let n: i64 = sqlx::query_scalar(query).fetch_one(pool).await.unwrap();
    n.unsigned_abs()
}

/// Commits of the benchmark's database; the count that it takes itself is among them.
async fn transactions(pool: &PgPool, settings: &Settings) -> i64 {
    let name = settings.database.url.expose_secret().rsplit('/').next().unwrap().to_owned();
    // Backends report their counts at most once a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    sqlx::query_scalar("select xact_commit + xact_rollback from pg_stat_database where datname = $1")
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}
