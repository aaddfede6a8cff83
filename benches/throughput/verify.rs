//! How long an auditor waits: `duly verify` of a pack of half a million events, as a process of its own.

#[path = "../../crates/ledger/tests/verify/case.rs"]
#[allow(dead_code, reason = "the verifier's tests use more of it")]
mod case;
#[path = "../../crates/ledger/tests/verify/large.rs"]
mod large;
#[path = "../../crates/ledger/tests/verify/story.rs"]
#[allow(dead_code, reason = "the verifier's tests use more of it")]
mod story;

use crate::{Entry, scaled};
use duly_ledger::{Appender, leaf_hash};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Events of each person in the pack.
const EVENTS_EACH: u64 = 5;

pub fn run() -> Entry {
    let people = scaled(100_000);
    let files = large::pack(u32::try_from(people).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (pack, key) = (folder.path().join("pack.zip"), folder.path().join("log.vkey"));
    std::fs::write(&pack, case::zipped(&files)).unwrap();
    std::fs::write(&key, case::signer(&case::origin()).vkey().to_string()).unwrap();
    let bundles: Vec<&Vec<u8>> = files.iter().filter(|(name, _)| name.starts_with("tile/entries/")).map(|(_, b)| b).collect();
    let hashing = hash_alone(&bundles);
    let mut runs: Vec<(f64, u64)> = (0..3).map(|_| verify(&pack, &key)).collect();
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((seconds, _), peak) = (runs[1], runs.iter().map(|(_, peak)| *peak).max().unwrap());
    let megabytes = std::fs::metadata(&pack).unwrap().len() / 1_000_000;
    Entry {
        name: "verify_500k_seconds",
        value: seconds,
        unit: "s",
        conditions: format!(
            "`duly verify` of a pack of {} events of {people} people ({megabytes} MB), process start included, median of 3, file in the cache; peak memory {peak} MB",
            people * EVENTS_EACH + 5
        ),
        baseline: format!("hashing the same leaves into their tree and nothing else: {hashing:.2} s"),
        ratio: hashing / seconds,
    }
}

/// Seconds and peak memory, MB, of one verification that finds nothing.
fn verify(pack: &Path, key: &Path) -> (f64, u64) {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_duly"))
        .args(["verify", "--complete"])
        .arg(pack)
        .arg("--key")
        .arg(key)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (status_file, mut peak) = (format!("/proc/{}/status", child.id()), 0);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the pack is not good");
            return (started.elapsed().as_secs_f64(), peak / 1024);
        }
        // Where there is no such file the figure stays 0.
        peak = peak.max(peak_of(&std::fs::read_to_string(&status_file).unwrap_or_default()));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// kB of the highest water mark in a process's status.
fn peak_of(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn hash_alone(bundles: &[&Vec<u8>]) -> f64 {
    let started = Instant::now();
    let mut tree = Appender::new();
    for bundle in bundles {
        let mut rest = bundle.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, next) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            tree.append(leaf_hash(entry));
            rest = next;
        }
    }
    std::hint::black_box(tree.root());
    started.elapsed().as_secs_f64()
}
