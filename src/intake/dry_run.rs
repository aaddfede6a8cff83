//! Says what an import would say, also against people who are there already, and changes nothing.

use super::csv::{Mapping, file, open};
use super::list::{ImportError, Progress, Report, Target, agree, count_list, read_batches};
use super::rows::RowKeys;
use crate::model::seal::Key;
use crate::store::list::{NewRow, Tally, duplicate_reference, erased};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// References of the file so far with their fields: 24 bytes a row, as hashes.
type Seen = HashMap<[u8; 16], [u8; 8]>;

/// Reads the whole list and looks everything up; nothing is written.
pub async fn dry_run(
    target: &Target<'_>,
    path: &Path,
    mapping: &Mapping,
    progress: impl Fn(Progress),
) -> Result<Report, ImportError> {
    let Target { store, incident, incident_key } = *target;
    let counted = count_list(path).await?;
    let unmapped = open(file(path)?, mapping)?.unmapped();
    let list = store.find_list(incident.key, "file", Some(&target.file_hash(&counted))).await?;
    let keys = RowKeys { incident: incident_key.clone(), list: Key::generate() };
    let mut report = Report { list: list.as_ref().map(|l| l.list_no), unmapped, ..Report::default() };
    let mut batches = read_batches(path.to_owned(), mapping.clone(), keys);
    let mut seen = Seen::new();
    while let Some(batch) = batches.recv().await {
        let batch = batch?;
        let identities: Vec<Vec<u8>> = batch.rows.iter().map(|row| row.identity.clone()).collect();
        let known = match &list {
            Some(list) => store.list_known(incident.key, list.list_no, &identities).await?,
            None => HashSet::new(),
        };
        let references: Vec<Vec<u8>> =
            batch.rows.iter().filter_map(|row| row.person.as_ref()).map(|p| p.reference_hash.to_vec()).collect();
        let existing = store.list_fields(incident.key, &references).await?;
        let tombstones: Vec<Vec<u8>> = batch.rows.iter().filter_map(|row| row.tombstone).map(|t| t.to_vec()).collect();
        let gone = store.list_erased(incident.key, &tombstones).await?;
        let (tally, quarantined) = judge(&batch.rows, &known, &existing, &gone, &mut seen);
        report.add(tally, &quarantined);
        progress(Progress { rows: report.rows, bytes: batch.bytes, bytes_total: counted.bytes });
    }
    agree(&counted, report.rows)?;
    Ok(report)
}

fn judge(
    rows: &[NewRow],
    known: &HashSet<Vec<u8>>,
    existing: &HashMap<Vec<u8>, Vec<u8>>,
    gone: &HashSet<Vec<u8>>,
    seen: &mut Seen,
) -> (Tally, Vec<(i64, Value)>) {
    let mut tally = Tally { rows: rows.len() as u64, ..Tally::default() };
    let mut quarantined = Vec::new();
    for row in rows {
        let mut put_aside = |faults: Value| quarantined.push((row.row_no.unwrap_or(0), faults));
        if known.contains(&row.identity) {
            tally.known += 1;
            continue;
        }
        if row.tombstone.is_some_and(|t| gone.contains(t.as_slice())) {
            put_aside(erased());
            continue;
        }
        let Some(person) = &row.person else {
            put_aside(row.faults.clone());
            continue;
        };
        let reference = person.reference_hash.first_chunk::<16>().copied().unwrap_or_default();
        let fields = person.fields_hash.first_chunk::<8>().copied().unwrap_or_default();
        let before = existing.get(person.reference_hash.as_slice()).map(|f| f.starts_with(&fields));
        match before.or_else(|| seen.get(&reference).map(|f| *f == fields)) {
            Some(true) => tally.duplicates += 1,
            Some(false) => put_aside(duplicate_reference()),
            None => {
                seen.insert(reference, fields);
                tally.people += 1;
            }
        }
    }
    tally.quarantined = quarantined.len() as u64;
    (tally, quarantined)
}
