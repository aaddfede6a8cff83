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
#[path = "throughput/receipts.rs"]
mod receipts;
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

/// Its parts, in the order in which they run; `cargo bench --bench throughput -- import check` runs two of them.
const PARTS: [&str; 7] = ["sending", "receipts", "import", "sequenced", "proofs", "verify", "check"];

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let named: Vec<&str> = PARTS.into_iter().filter(|part| std::env::args().any(|arg| arg == *part)).collect();
    let parts = if named.is_empty() { &PARTS[..] } else { &named };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut entries = Vec::new();
        for part in parts {
            entries.extend(run(part).await);
            keep(&entries, "parts");
        }
        if named.is_empty() {
            keep(&entries, "latest");
        }
    });
}

async fn run(part: &str) -> Vec<Entry> {
    match part {
        "sending" => sending::run().await,
        "receipts" => vec![receipts::run().await],
        "import" => import::run().await,
        "sequenced" => vec![evidence::sequenced().await],
        "proofs" => vec![evidence::proofs().await],
        "verify" => vec![verify::run()],
        _ => vec![check::run()],
    }
}

/// Writes what is known so far: a run of a quarter of an hour that ends early has measured something all the same, and
/// leaves the figures of the last whole one alone.
fn keep(entries: &[Entry], name: &str) {
    let json = serde_json::to_string_pretty(&entries).unwrap();
    std::fs::create_dir_all("target/bench").unwrap();
    std::fs::write(format!("target/bench/{name}.json"), &json).unwrap();
    eprintln!("{json}");
}
