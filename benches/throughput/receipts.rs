//! How long a provider waits for the answer to its receipt: stored, sealed and committed before it.

use crate::{Entry, scaled, setting};
use duly::dispatch::Office;
use duly_sandbox::sign;
use futures::future::join_all;
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
    let office = Arc::new(Office::open(setting::settings("duly_bench_doors", &flags).await).await.unwrap());
    let ann = setting::ann(&office.store).await;
    setting::incident(&office, &ann).await;
    let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), CancellationToken::new());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let web = tokio::spawn(duly::web::run(office.clone(), listener, stop.clone()));

    let n = scaled(6_000).max(400);
    let live = measure(n, |client, _| client.get(format!("{url}/health/live"))).await;
    let told = measure(n, |client, i| receipt(client, &url, i)).await;

    stop.cancel();
    web.await.unwrap().unwrap();
    Entry {
        name: "receipt_answer_p99_ms",
        value: told,
        unit: "ms",
        conditions: format!(
            "{n} signed receipts, {PER_SECOND} a second, each stored and sealed before its answer, fsync and synchronous_commit on"
        ),
        baseline: format!("the same server asked whether it lives, as often: {live:.2} ms"),
        ratio: live / told,
    }
}

/// A receipt that nobody sent before, of a message that nobody knows: it is stored as any other.
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
