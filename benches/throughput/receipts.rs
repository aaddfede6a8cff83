//! How long a provider waits for the answer to its receipt: stored, sealed and committed before it.

use crate::{Entry, scaled, setting};
use duly::dispatch::Office;
use duly_sandbox::sign;
use futures::future::join_all;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Receipts a second: four times what GOV.UK Notify sends at its limit.
const PER_SECOND: u64 = 200;
const PATH: &str = "/receipts/northmere/sms-a";

pub async fn run() -> Entry {
    let lane =
        [("channel", "sms"), ("url", "http://127.0.0.1:1"), ("api_key", "sandbox-key"), ("receipt_secret", "sandbox-secret")];
    let lane = lane.map(|(key, value)| (format!("lanes.sms-a.{key}"), value.to_owned()));
    let flags: Vec<(&str, String)> = lane.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let mut settings = setting::settings("duly_bench_doors", &flags).await;
    let office = Arc::new(Office::open(settings.clone()).await.unwrap());
    let ann = setting::ann(&office.store).await;
    setting::incident(&office, &ann).await;
    settings.database.receipts_url = own_login(settings.database.url.expose_secret()).await.into();
    let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), CancellationToken::new());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stopped = stop.clone();
    let door = tokio::spawn(async move { duly::web::run_receipts(&settings, listener, stopped).await });

    let n = scaled(6_000).max(400);
    let live = measure(n, |client, _| client.get(format!("{url}/health/live"))).await;
    let told = measure(n, |client, i| receipt(client, &url, i)).await;

    stop.cancel();
    door.await.unwrap().unwrap();
    Entry {
        name: "receipt_answer_p99_ms",
        value: told,
        unit: "ms",
        conditions: format!(
            "{n} signed receipts, {PER_SECOND} a second, each stored and sealed before its answer by a login that may only insert, fsync and synchronous_commit on"
        ),
        baseline: format!("the same server asked whether it lives, as often: {live:.2} ms"),
        ratio: live / told,
    }
}

/// The same database by a login that can insert receipts and nothing else, as whoever faces the internet has it.
async fn own_login(url: &str) -> String {
    let pool = PgPool::connect(url).await.unwrap();
    let made = sqlx::query("create role duly_bench_door login in role duly_receipts").execute(&pool).await;
    let is_there = |error: &sqlx::Error| error.as_database_error().is_some_and(|e| e.code().as_deref() == Some("42710"));
    assert!(made.as_ref().err().is_none_or(is_there), "{made:?}");
    let (scheme, rest) = url.split_once("://").unwrap();
    format!("{scheme}://duly_bench_door@{}", rest.split_once('@').unwrap().1)
}

/// A receipt that nobody sent before, of a message that nobody knows: the door, which may read no message, stores it as any other.
fn receipt(client: &reqwest::Client, url: &str, i: u64) -> reqwest::RequestBuilder {
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let body =
        format!(r#"{{"at":"2026-11-26T08:00:00Z","event":"e{i}","id":"sb_{i}","reference":"{i:032x}","status":"delivered"}}"#);
    client
        .post(format!("{url}{PATH}"))
        .header("x-sandbox-timestamp", &stamp)
        .header("x-sandbox-signature", sign("sandbox-secret", &stamp, PATH, &body))
        .body(body)
}

/// The 99th of a hundred waits for an answer, ms: each is asked for at its time, whether those before were answered or not.
async fn measure(n: u64, request: impl Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder) -> f64 {
    let client = reqwest::Client::new();
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / PER_SECOND));
    let mut asked = Vec::new();
    for i in 0..n {
        pace.tick().await;
        let request = request(&client, i);
        asked.push(tokio::spawn(async move {
            let begun = Instant::now();
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            begun.elapsed().as_secs_f64() * 1000.0
        }));
    }
    let mut waits: Vec<f64> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    waits.sort_by(f64::total_cmp);
    waits[waits.len() * 99 / 100]
}
