//! 47,000 text messages from an approved plan to `accepted`, through RabbitMQ and HTTP; and the same one by one.

use crate::{Entry, scaled, setting};
use duly::config::Settings;
use duly::dispatch::plan::{PlanRequest, prepare};
use duly::dispatch::{Office, scheduler, worker};
use duly::intake::list;
use duly::model::state::Route;
use duly::store::incident::Incident;
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
}

pub async fn run() -> Vec<Entry> {
    let (people, few) = (scaled(47_000), scaled(5_000));
    let alone =
        measure("duly_bench_alone", few, &[("dispatch.batch_size_max", "1".into()), ("dispatch.in_flight_max", "64".into())])
            .await;
    let batched =
        measure("duly_bench_sending", people, &[("dispatch.in_flight_max", "1000".into()), ("dispatch.prefetch", "2000".into())])
            .await;
    let conditions = format!(
        "{people} text messages from plan to accepted, zero-delay simulator, one process, fsync, synchronous_commit, confirms and quorum queues on, evidence written"
    );
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
    ]
}

async fn measure(database: &str, people: u64, more: &[(&str, String)]) -> Measured {
    let provider = start_sandbox().await;
    let mut flags = vec![
        ("lanes.sms-a.channel", "sms".to_owned()),
        ("lanes.sms-a.url", provider),
        ("lanes.sms-a.api_key", "sandbox-key".to_owned()),
        ("lanes.sms-a.receipt_secret", "sandbox-secret".to_owned()),
        ("lanes.sms-a.per_second", "100000".to_owned()),
        ("lanes.sms-a.lookup", "true".to_owned()),
        ("dispatch.request_timeout_ms", "15000".to_owned()),
    ];
    flags.extend_from_slice(more);
    let settings = setting::settings(database, &flags).await;
    let office = Arc::new(Office::open(settings.clone()).await.unwrap());
    let incident = setting::incident(&office).await;
    plan(&office, &incident, people).await;
    let pool = PgPool::connect(settings.database.url.expose_secret()).await.unwrap();

    let stop = CancellationToken::new();
    let before = transactions(&pool, &settings).await;
    let started = Instant::now();
    let roles =
        [tokio::spawn(scheduler::run(office.clone(), stop.clone())), tokio::spawn(worker::run(office.clone(), stop.clone()))];
    while accepted(&pool).await < people {
        assert!(started.elapsed() < Duration::from_secs(600), "the run did not end");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let spent = transactions(&pool, &settings).await - before;
    stop.cancel();
    for role in roles {
        role.await.unwrap().unwrap();
    }
    assert!(office.store.audit(incident.key).await.unwrap().is_empty());
    Measured { per_second: people as f64 / seconds, transactions_per_1000: spent as f64 * 1000.0 / people as f64 }
}

/// Its own runtime on a thread of its own, as another machine would be.
async fn start_sandbox() -> String {
    let provider = ProviderConfig { receipts: false, ..ProviderConfig::default() };
    let config = SandboxConfig { providers: BTreeMap::from([("sms-a".to_owned(), provider)]), ..SandboxConfig::default() };
    let (ready, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            serve(Arc::new(SandboxState::new(config)), listener, std::future::pending()).await.unwrap();
        });
    });
    format!("http://{}/sms-a", address.recv().unwrap())
}

async fn plan(office: &Arc<Office>, incident: &Incident, people: u64) {
    let path = Path::new("target/bench/phones.csv");
    let mut out = BufWriter::new(File::create(path).unwrap());
    writeln!(out, "external_reference,last_name,phone").unwrap();
    for i in 0..people {
        writeln!(out, "PN{i:07},Price,+44 7400 {i:06}").unwrap();
    }
    out.flush().unwrap();
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident").unwrap();
    list::import(&office.store, incident, &key, path, &[], |_| {}).await.unwrap();
    let store = &office.store;
    let ann = store.insert_user("ann", &[7; 32]).await.unwrap();
    let signer = duly::model::user_key::UserKey::generate("bob");
    let bob = store.insert_user("bob", &signer.public()).await.unwrap();
    let request = PlanRequest { routes: vec![Route::Sms], date: (2026, 11, 24), is_urgent: false, user_id: ann };
    let summary = prepare(office, incident, &request, |_| {}).await.unwrap();
    let plan = store.load_plan(incident.key, summary.plan).await.unwrap();
    let approval = serde_json::json!({"command": "plan approve", "incident": incident.incident_id, "plan": summary.plan, "hash": summary.hash});
    let signed = duly::model::statement::statement(&approval, store.now().await.unwrap(), rand::random());
    let command = store.insert_command(bob, &signed, &signer.sign(&signed)).await.unwrap();
    assert!(store.approve_plan(incident.key, &plan, bob, command, 1).await.unwrap());
    store.move_plan(incident.key, &plan, "plan.started", "approved", "running", bob).await.unwrap();
}

async fn accepted(pool: &PgPool) -> u64 {
    let n: i64 = sqlx::query_scalar("select count(*) from outcome where kind = 'accepted'").fetch_one(pool).await.unwrap();
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
