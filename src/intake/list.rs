//! Imports an affected list in batches: each row gets its one fate in the transaction that takes it.
//!
//! One thread reads, checks and seals while the database stores the batch before; memory does not grow with the list.

use super::csv::{Counted, ListError, Mapping, count, file, open};
use super::rows::RowKeys;
use crate::model::seal::{Key, SealError};
use crate::store::incident::Incident;
use crate::store::list::{Inserted, NewList, NewRow, OpenList, Tally};
use crate::store::{Store, StoreError};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Rows in one transaction.
const BATCH: usize = 2000;
/// Batches that wait for the database.
const BATCHES_AHEAD: usize = 2;
/// Faults that a report names one by one.
pub const FAULTS_SHOWN_MAX: usize = 20;

/// Why an import stopped; what was taken before stays taken, and the same import goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The same file was imported with other columns of its own.
    #[error("this file was imported before with {}", if .before.is_empty() { "no columns of its own".to_owned() } else { format!("the columns {}", .before) })]
    OtherColumns {
        /// Their names and types.
        before: String,
    },
    /// The reading thread died.
    #[error("the list could not be read to its end")]
    Reader,
}

impl ImportError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::List(error) => error.remedy(),
            Self::Store(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::OtherColumns { .. } => {
                "give the same `--map` and `--sensitive` again, or import the people who are missing as a file of their own"
            }
            Self::Reader => "import the same file again: it goes on where it stopped",
        }
    }
}

/// One fault of one row, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowFault {
    /// Row of the file.
    pub row: i64,
    /// Column.
    pub column: String,
    /// Code.
    pub code: String,
}

/// What became of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Number of the list within the incident; `None` where there is none yet.
    pub list: Option<i32>,
    /// Rows read.
    pub rows: u64,
    /// New people.
    pub people: u64,
    /// Repeats of a person with equal fields.
    pub duplicates: u64,
    /// Rows that wait for a correction.
    pub quarantined: u64,
    /// Rows that were known before.
    pub known: u64,
    /// Faults by code.
    pub by_code: BTreeMap<String, u64>,
    /// The first faults.
    pub faults: Vec<RowFault>,
    /// Headers that were not read.
    pub unmapped: Vec<String>,
}

impl Report {
    /// Adds a batch: its tally, and the faults of its rows.
    pub fn add(&mut self, tally: Tally, quarantined: &[(i64, Value)]) {
        self.rows += tally.rows;
        self.people += tally.people;
        self.duplicates += tally.duplicates;
        self.quarantined += tally.quarantined;
        self.known += tally.known;
        for (row, faults) in quarantined {
            for fault in faults.as_array().into_iter().flatten() {
                let text = |key: &str| fault.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (column, code) = (text("column"), text("code"));
                *self.by_code.entry(code.clone()).or_insert(0) += 1;
                if self.faults.len() < FAULTS_SHOWN_MAX {
                    self.faults.push(RowFault { row: *row, column, code });
                }
            }
        }
    }
}

/// The columns of a list as `--map` names them.
fn names(columns: &Value) -> String {
    let columns = columns.as_object().into_iter().flatten();
    let word = |column: &Value, key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    columns.map(|(name, column)| format!("{name}:{}", word(column, "type"))).collect::<Vec<_>>().join(", ")
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Rows stored.
    pub rows: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
}

/// A batch of rows on its way from the reading thread.
pub(super) struct Batch {
    pub rows: Vec<NewRow>,
    pub bytes: u64,
}

/// Imports a file; the same file again changes nothing.
pub async fn import(
    store: &Store,
    incident: &Incident,
    incident_key: &Key,
    path: &Path,
    mapping: &Mapping,
    progress: impl Fn(Progress),
) -> Result<Report, ImportError> {
    let counted = count_list(path).await?;
    import_counted(&Target { store, incident, incident_key }, path, mapping, &counted, progress).await
}

/// Where rows go.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The database.
    pub store: &'a Store,
    /// The incident.
    pub incident: &'a Incident,
    /// Its key.
    pub incident_key: &'a Key,
}

impl Target<'_> {
    /// The keyed hash by which a file is known.
    pub fn file_hash(&self, counted: &Counted) -> [u8; 32] {
        self.incident_key.search_hash("file", &counted.hash)
    }
}

/// Refuses a file whose header or rows cannot be read, before anything is taken; answers the headers that are not read.
pub fn check_list(path: &Path, mapping: &Mapping, counted: &Counted) -> Result<Vec<String>, ImportError> {
    let list = open(file(path)?, mapping)?;
    list.check_own()?;
    let unmapped = list.unmapped();
    if counted.rows == 0 { Err(ListError::NoRows.into()) } else { Ok(unmapped) }
}

/// Imports a file that was counted.
pub async fn import_counted(
    target: &Target<'_>,
    path: &Path,
    mapping: &Mapping,
    counted: &Counted,
    progress: impl Fn(Progress),
) -> Result<Report, ImportError> {
    let Target { store, incident, incident_key } = *target;
    let unmapped = check_list(path, mapping, counted)?;
    let hash = target.file_hash(counted);
    let wrapped = incident_key.wrap(&Key::generate(), "list");
    let (row_count, columns) = (i64::try_from(counted.rows).ok(), json!(mapping.own()));
    let new = NewList { source: "file", file_hash: Some(&hash), row_count, wrapped_key: &wrapped, columns: &columns };
    let mut list = store.find_or_open_list(incident.key, &new).await?;
    if list.columns != columns {
        return Err(ImportError::OtherColumns { before: names(&list.columns) });
    }
    let keys = RowKeys { incident: incident_key.clone(), list: incident_key.unwrap_key(&list.wrapped_key, "list")? };
    let mut report = Report { list: Some(list.list_no), unmapped, ..Report::default() };
    let mut batches = read_batches(path.to_owned(), mapping.clone(), keys);
    while let Some(batch) = batches.recv().await {
        let batch = batch?;
        let (tally, quarantined) = insert(store, incident, &mut list, &batch.rows).await?;
        report.add(tally, &quarantined);
        report.list = Some(list.list_no);
        progress(Progress { rows: report.rows, bytes: batch.bytes, bytes_total: counted.bytes });
    }
    agree(counted, report.rows)?;
    Ok(report)
}

/// Inserts rows; where a plan has frozen the list meanwhile, the rest goes to a supplement of the same file.
pub(super) async fn insert(
    store: &Store,
    incident: &Incident,
    list: &mut OpenList,
    rows: &[NewRow],
) -> Result<(Tally, Vec<(i64, Value)>), StoreError> {
    loop {
        match store.insert_rows(incident.key, list.list_no, rows).await? {
            Inserted::Taken { tally, quarantined } => return Ok((tally, quarantined)),
            // Frozen again before the next try is possible, and so is the next supplement.
            Inserted::Frozen => *list = store.open_supplement(incident.key, list.list_no).await?,
        }
    }
}

/// Counts by the separate reader, and refuses what cannot be told apart into rows.
pub async fn count_list(path: &Path) -> Result<Counted, ImportError> {
    let path = path.to_owned();
    let counted = tokio::task::spawn_blocking(move || count(file(&path)?)).await.map_err(|_| ImportError::Reader)??;
    if counted.ends_in_quote {
        return Err(ListError::UnclosedQuote { row: counted.rows }.into());
    }
    Ok(counted)
}

/// Both readers must have seen the same number of rows, and at least one.
pub(super) fn agree(counted: &Counted, read: u64) -> Result<(), ListError> {
    if counted.rows != read {
        return Err(ListError::CountsDiffer { counted: counted.rows, read });
    }
    if read == 0 { Err(ListError::NoRows) } else { Ok(()) }
}

/// Reads, checks and seals on a thread of its own, a few batches ahead.
pub(super) fn read_batches(path: PathBuf, mapping: Mapping, keys: RowKeys) -> mpsc::Receiver<Result<Batch, ListError>> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send_batches(&path, &mapping, &keys, &sender) {
            // Nobody listens any more: the import has stopped already.
            drop(sender.blocking_send(Err(error)));
        }
    });
    receiver
}

fn send_batches(
    path: &Path,
    mapping: &Mapping,
    keys: &RowKeys,
    sender: &mpsc::Sender<Result<Batch, ListError>>,
) -> Result<(), ListError> {
    let mut reader = open(file(path)?, mapping)?;
    loop {
        let mut rows = Vec::with_capacity(BATCH);
        for parsed in reader.by_ref().take(BATCH) {
            rows.push(keys.file_row(parsed?));
        }
        let is_last = rows.len() < BATCH;
        let batch = Batch { rows, bytes: reader.bytes_read() };
        if sender.blocking_send(Ok(batch)).is_err() || is_last {
            return Ok(());
        }
    }
}
