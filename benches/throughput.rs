//! What the README's figures come from: the product on a real Postgres and a real RabbitMQ, and a baseline beside it
//! in the same run. `make bench` runs it in release and writes target/bench/latest.json.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a benchmark stops where something is wrong"
)]

#[path = "throughput/check.rs"]
mod check;
#[path = "throughput/cpu.rs"]
mod cpu;
#[path = "throughput/evidence.rs"]
mod evidence;
#[path = "throughput/import.rs"]
mod import;
#[path = "throughput/sending.rs"]
mod sending;
#[path = "throughput/setting.rs"]
mod setting;
#[path = "throughput/verify.rs"]
mod verify;

use serde::Serialize;

/// One figure as it was measured.
#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    value: f64,
    unit: &'static str,
    conditions: String,
    /// What it is compared to, in the same run.
    baseline: String,
    /// Value over baseline; for costs, baseline over value.
    ratio: f64,
}

/// `BENCH_SCALE=10` runs a tenth of everything, to try the benchmark itself.
fn scaled(n: u64) -> u64 {
    let scale: u64 = std::env::var("BENCH_SCALE").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    n / scale.max(1)
}

/// Of its figures, those that need no services: `cargo bench --bench throughput -- check`.
fn only_check() -> bool {
    std::env::args().any(|arg| arg == "check")
}

fn main() {
    if only_check() {
        eprintln!("{}", serde_json::to_string_pretty(&check::run()).unwrap());
        return;
    }
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut entries = sending::run().await;
        keep(&entries);
        entries.extend(import::run().await);
        keep(&entries);
        entries.push(evidence::sequenced().await);
        keep(&entries);
        entries.push(evidence::proofs().await);
        keep(&entries);
        entries.push(verify::run());
        entries.push(check::run());
        keep(&entries);
    });
}

/// Writes what is known so far: a run of a quarter of an hour that ends early has measured something all the same.
fn keep(entries: &[Entry]) {
    let json = serde_json::to_string_pretty(&entries).unwrap();
    std::fs::create_dir_all("target/bench").unwrap();
    std::fs::write("target/bench/latest.json", &json).unwrap();
    eprintln!("{json}");
}
