//! Corrections: a row of a new list takes the place of a quarantined one.

use super::csv::{Mapping, column_names, file, open};
use super::list::{ImportError, Report, Target, agree, count_list};
use super::rows::RowKeys;
use crate::model::column::{Column, ColumnType, Columns};
use crate::model::contact::{RawPerson, guard_formula};
use crate::model::seal::Key;
use crate::store::StoreError;
use crate::store::list::{NewList, NewRow, OpenList};
use crate::store::quarantine::{Corrected, Decider, RowName};
use serde_json::json;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

/// Rows of one correction: they are taken in one transaction.
pub const CORRECTIONS_MAX: u64 = 10_000;
/// What lists of corrections come from.
const SOURCE: &str = "corrections";
/// Rows exported at a time.
const PAGE: i64 = 1000;

/// Why a correction was refused; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// The file, the database or a key.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Too many at once.
    #[error("the file has {rows} rows, and at most {CORRECTIONS_MAX} are corrected at once")]
    TooMany {
        /// Data rows.
        rows: u64,
    },
    /// Rows that do not say which row they correct.
    #[error("rows without a valid `list` and `row`: {}", join(rows))]
    Unnamed {
        /// Rows of the file.
        rows: Vec<u64>,
    },
    /// One quarantined row named by several corrections.
    #[error("rows that correct the same row as one before them: {}", join(rows))]
    NamedTwice {
        /// Rows of the file.
        rows: Vec<u64>,
    },
    /// Rows that do not wait.
    #[error("not quarantined, or decided already: {}", join(rows))]
    NotQuarantined {
        /// Their names.
        rows: Vec<RowName>,
    },
    /// The export.
    #[error("the rows cannot be written")]
    Write(#[from] std::io::Error),
}

impl CorrectionError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Import(error) => error.remedy(),
            Self::TooMany { .. } => "split the file",
            Self::Unnamed { .. } => "give each row the `list` and `row` that `duly quarantine list` prints",
            Self::NamedTwice { .. } => "keep one correction for each quarantined row",
            Self::NotQuarantined { .. } => {
                "`duly quarantine export` again writes the rows that wait now, under their new places: correct those, or take the decided ones out"
            }
            Self::Write(_) => "check the path and that this user may write there",
        }
    }
}

fn join<T: std::fmt::Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(T::to_string).collect();
    let more = names.len().saturating_sub(shown.len());
    if more > 0 { format!("{} … and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// A file of corrected rows, read and checked; nothing was written yet.
pub struct Correction<'a> {
    target: Target<'a>,
    /// The keyed hash by which the file is known.
    pub file_hash: [u8; 32],
    row_count: u64,
    wrapped_key: Vec<u8>,
    known: Option<OpenList>,
    columns: Columns,
    rows: Vec<NewRow>,
    targets: Vec<RowName>,
}

impl<'a> Correction<'a> {
    /// Reads a file and refuses what cannot be taken; `one` is the row that a file with a single row corrects.
    pub async fn read(target: Target<'a>, path: &Path, one: Option<&RowName>) -> Result<Self, CorrectionError> {
        let counted = count_list(path).await?;
        if counted.rows > CORRECTIONS_MAX {
            return Err(CorrectionError::TooMany { rows: counted.rows });
        }
        let Target { store, incident, incident_key } = target;
        let file_hash = target.file_hash(&counted);
        let wrapped_key = incident_key.wrap(&Key::generate(), "list");
        let known = store.find_list(incident.key, SOURCE, Some(&file_hash)).await.map_err(ImportError::from)?;
        let keys = RowKeys {
            incident: incident_key.clone(),
            list: incident_key
                .unwrap_key(known.as_ref().map_or(&wrapped_key, |l| &l.wrapped_key), "list")
                .map_err(ImportError::from)?,
        };
        let columns = own_columns(&target).await?;
        let (rows, targets) = read(path, &Mapping::with_own(columns.clone()), &keys, one)?;
        agree(&counted, rows.len() as u64).map_err(ImportError::from)?;
        let list_no = known.as_ref().map(|list| list.list_no);
        let wrong = store.list_not_correctable(incident.key, list_no, &rows, &targets).await.map_err(ImportError::from)?;
        if !wrong.is_empty() {
            return Err(CorrectionError::NotQuarantined { rows: wrong });
        }
        Ok(Self { target, file_hash, row_count: counted.rows, wrapped_key, known, columns, rows, targets })
    }

    /// Takes the rows. The same file again changes nothing.
    pub async fn take(self, by: Decider) -> Result<Report, CorrectionError> {
        let Target { store, incident, .. } = self.target;
        let new = NewList {
            source: SOURCE,
            file_hash: Some(&self.file_hash),
            row_count: i64::try_from(self.row_count).ok(),
            wrapped_key: &self.wrapped_key,
            columns: &json!(self.columns),
        };
        let mut list = match self.known {
            Some(list) => list,
            None => store.find_or_open_list(incident.key, &new).await.map_err(ImportError::from)?,
        };
        loop {
            let taken = store.correct_rows(incident.key, list.list_no, &self.rows, &self.targets, by).await;
            match taken.map_err(ImportError::from)? {
                Corrected::Taken { tally, quarantined } => {
                    let mut report = Report { list: Some(list.list_no), ..Report::default() };
                    report.add(tally, &quarantined);
                    return Ok(report);
                }
                Corrected::NotQuarantined(rows) => return Err(CorrectionError::NotQuarantined { rows }),
                Corrected::Frozen => {
                    list = store.open_supplement(incident.key, list.list_no).await.map_err(ImportError::from)?;
                }
            }
        }
    }
}

/// The own columns of the incident's lists and of its jobs that wait: a corrected row keeps them.
pub async fn own_columns(target: &Target<'_>) -> Result<Columns, ImportError> {
    let lists = target.store.list_columns(target.incident.key).await?;
    let read = |list| serde_json::from_value::<Columns>(list).map_err(|_| StoreError::Corrupt { what: "columns of a list" });
    let lists = lists.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut columns = Columns::new();
    lists.into_iter().flatten().for_each(|(name, column)| add(&mut columns, name, column));
    add_columns_of_jobs(target, &mut columns).await?;
    Ok(columns)
}

/// Sensitive in one list or job is sensitive in all; what is a number in one and a day in another is text.
fn add(columns: &mut Columns, name: String, column: Column) {
    let known = columns.entry(name).or_insert(column);
    known.sensitive |= column.sensitive;
    if known.kind != column.kind {
        known.kind = ColumnType::Text;
    }
}

/// Columns that waiting jobs brought: no list declares them.
async fn add_columns_of_jobs(target: &Target<'_>, columns: &mut Columns) -> Result<(), ImportError> {
    let mut after = None;
    loop {
        let page = target.store.list_quarantined(target.incident.key, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.name.clone());
        for row in page.iter().filter(|row| row.name.is_job() && !row.sealed.is_empty()) {
            let key = target.incident_key.unwrap_key(&row.wrapped_key, "list")?;
            // A corrected job is a row of a file, and that file's list declares its columns.
            if let Ok(person) = serde_json::from_slice::<RawPerson>(&key.open("row", &row.sealed)?) {
                person.columns.into_iter().for_each(|(name, column, _)| add(columns, name, column));
            }
        }
    }
}

fn read(
    path: &Path,
    mapping: &Mapping,
    keys: &RowKeys,
    one: Option<&RowName>,
) -> Result<(Vec<NewRow>, Vec<RowName>), CorrectionError> {
    let reader = file(path).and_then(|file| open(file, mapping)).map_err(ImportError::from)?;
    let (mut rows, mut targets, mut unnamed, mut twice) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for parsed in reader {
        let parsed = parsed.map_err(ImportError::from)?;
        match one.cloned().or_else(|| RowName::of(parsed.cell("list"), parsed.cell("row"))) {
            None => unnamed.push(parsed.row),
            Some(target) if !seen.insert(target.clone()) => twice.push(parsed.row),
            Some(target) => {
                targets.push(target);
                rows.push(keys.file_row(parsed));
            }
        }
    }
    if !unnamed.is_empty() {
        return Err(CorrectionError::Unnamed { rows: unnamed });
    }
    if twice.is_empty() { Ok((rows, targets)) } else { Err(CorrectionError::NamedTwice { rows: twice }) }
}

/// Writes all waiting rows as CSV with `list`, `row` and `codes`, to be corrected and taken again. Cells that a
/// spreadsheet would run are guarded by an apostrophe, which the correction takes off again.
pub async fn export(target: &Target<'_>, out: impl Write) -> Result<u64, CorrectionError> {
    let Target { store, incident, incident_key } = *target;
    let mut out = ::csv::Writer::from_writer(out);
    let own = own_columns(target).await?.into_keys();
    let columns: Vec<String> = column_names().map(str::to_owned).chain(own).collect();
    let header: Vec<&str> = ["list", "row", "codes"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    out.write_record(&header).map_err(std::io::Error::from)?;
    let (mut after, mut count) = (None, 0);
    loop {
        let page = store.list_quarantined(incident.key, after.as_ref(), PAGE).await.map_err(ImportError::from)?;
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        for row in &page {
            let cells = match row.sealed.as_slice() {
                // Of an erased person: place and code are all that is left.
                [] => Vec::new(),
                sealed => {
                    let key = incident_key.unwrap_key(&row.wrapped_key, "list").map_err(ImportError::from)?;
                    read_cells(&key.open("row", sealed).map_err(ImportError::from)?)?
                }
            };
            let cell = |name: &str| cells.iter().find(|(column, _)| column == name).map_or("", |(_, cell)| cell);
            let place = [row.name.list_no.to_string(), row.name.row(), codes(&row.faults)];
            let line = place.into_iter().chain(columns.iter().map(|name| guard_formula(cell(name))));
            out.write_record(line).map_err(std::io::Error::from)?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

fn codes(faults: &serde_json::Value) -> String {
    let codes = faults.as_array().into_iter().flatten().filter_map(|f| f.get("code").and_then(|c| c.as_str()));
    codes.collect::<Vec<_>>().join(" ")
}

/// A row of a file is sealed as pairs of column and cell, a job as the fields of its person.
fn read_cells(opened: &[u8]) -> Result<Vec<(String, String)>, CorrectionError> {
    let corrupt = || CorrectionError::Import(StoreError::Corrupt { what: "quarantined row" }.into());
    if let Ok(cells) = serde_json::from_slice(opened) {
        return Ok(cells);
    }
    let person: RawPerson = serde_json::from_slice(opened).map_err(|_| corrupt())?;
    let mut cells = vec![
        ("external_reference", person.external_reference),
        ("first_name", person.first_name),
        ("last_name", person.last_name),
        ("phone", person.phone),
        ("email", person.email),
        ("town", person.town),
        ("postcode", person.postcode),
        ("country", person.country),
        ("language", person.language),
        ("format", person.format),
        ("jurisdiction", person.jurisdiction),
    ];
    let lines = ["address_1", "address_2", "address_3", "address_4"];
    let mut address = person.address.into_iter();
    cells.extend(lines.into_iter().zip(address.by_ref()));
    // More lines than columns: the rest goes into the last one, which may hold several.
    if let Some((_, last)) = cells.last_mut() {
        address.for_each(|line| last.extend(["\n", line.as_str()]));
    }
    let own = person.columns.into_iter().map(|(name, _, cell)| (name, cell));
    Ok(cells.into_iter().map(|(name, cell)| (name.to_owned(), cell)).chain(own).collect())
}
