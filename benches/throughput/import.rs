//! A list of 1,000,000 rows with seals, commitments and 2 % duplicates, from the file to the database.

use crate::{Entry, scaled, setting};
use duly::dispatch::Office;
use duly::intake::csv::Mapping;
use duly::intake::{csv, list};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub async fn run() -> Vec<Entry> {
    let rows = scaled(1_000_000);
    let path = Path::new("target/bench/affected.csv");
    write_list(path, rows);
    let office = Arc::new(Office::open(setting::settings("duly_bench_import", &[]).await).await.unwrap());
    let ann = setting::ann(&office.store).await;
    let incident = setting::incident(&office, &ann).await;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident").unwrap();

    let read = Instant::now();
    assert_eq!(csv::open(File::open(path).unwrap(), &Mapping::default()).unwrap().filter(|row| row.is_ok()).count() as u64, rows);
    let read_per_second = rows as f64 / read.elapsed().as_secs_f64();
    let started = Instant::now();
    let report = list::import(&office.store, &incident, &key, path, &Mapping::default(), |_| {}).await.unwrap();
    let per_second = rows as f64 / started.elapsed().as_secs_f64();
    assert_eq!(report.people + report.duplicates, rows);

    vec![Entry {
        name: "import_rows_per_second",
        value: per_second,
        unit: "rows/s",
        conditions: format!("{rows} rows, {} duplicates, sealed and committed to, fsync on, one process", report.duplicates),
        baseline: format!("reading and checking the same file without a database, on one thread: {read_per_second:.0} rows/s"),
        ratio: per_second / read_per_second,
    }]
}

fn write_list(path: &Path, rows: u64) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    writeln!(out, "external_reference,first_name,last_name,phone,address_1,town,postcode").unwrap();
    for i in 0..rows {
        // Every fiftieth row repeats the one before.
        let n = if i % 50 == 49 { i - 1 } else { i };
        writeln!(out, "PN{n:07},Amelia,Price,+44 7400 {:06},{} High Street,Leeds,LS1 4AP", n % 1_000_000, n % 200 + 1).unwrap();
    }
    out.flush().unwrap();
}
