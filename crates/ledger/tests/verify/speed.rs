//! Half a million events. `cargo test --release -p duly-ledger --test verify -- --ignored --nocapture half_a_million`

use super::case::*;
use super::large::pack;
use duly_ledger::verify::{Options, verify};
use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

/// Five events of each person.
const PEOPLE: u32 = 100_000;

#[test]
#[ignore = "measures; run it in release"]
fn half_a_million_events_are_verified_in_three_seconds() {
    let path = std::env::temp_dir().join("duly-pack-500k.zip");
    if !path.exists() {
        std::fs::write(&path, zipped(&pack(PEOPLE))).unwrap();
    }
    let key = path.with_extension("vkey");
    std::fs::write(key, signer(&origin()).vkey().to_string()).unwrap();
    let started = Instant::now();
    let report = verify(BufReader::new(File::open(&path).unwrap()), &trust(), &Options::default());
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(found(&report), []);
    assert_eq!((report.size, report.equation.notified), (u64::from(PEOPLE) * 5 + 5, u64::from(PEOPLE)));
    println!("{} events of {} bytes packed: {seconds:.2} s", report.size, std::fs::metadata(&path).unwrap().len());
    assert!(seconds < 3.0);
}
