//! Affected lists as CSV: UTF-8 with comma, semicolon or tab, streamed in constant memory.

mod columns;
mod count;
mod records;

pub use columns::{ADDRESS, COLUMNS, Mapping, column_names};
pub use count::{Counted, count, count_rows};
pub use records::ROW_BYTES_MAX;

use crate::model::contact::{Checked, Fault, PersonRecord, RawPerson, unguard_formula};
use columns::Columns;
use records::Records;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Line ends in one cell; more are the work of a stray quote.
const LINE_ENDS_MAX: usize = 10;

/// Why a list was refused as a whole; nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("the list cannot be read")]
    Io(#[from] std::io::Error),
    /// The file cannot be opened.
    #[error("the list `{}` cannot be read", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Nothing in it.
    #[error("the list is empty")]
    Empty,
    /// A header and nothing else.
    #[error("the list has a header and no row")]
    NoRows,
    /// UTF-16, as some spreadsheets save it.
    #[error("the list is UTF-16")]
    Utf16,
    /// A workbook.
    #[error("the list is a spreadsheet file")]
    Spreadsheet,
    /// The first line is not text.
    #[error("the header is not UTF-8 text")]
    HeaderNotText,
    /// The first line does not end.
    #[error("the header is longer than {ROW_BYTES_MAX} bytes")]
    HeaderTooLong,
    /// A quote that is never closed: the rows behind it cannot be told apart.
    #[error("a quote opened in row {row} is never closed")]
    UnclosedQuote {
        /// 1 for the first data row.
        row: u64,
    },
    /// A column that must be there is not.
    #[error("the header has no column `{column}`")]
    MissingColumn {
        /// Column.
        column: &'static str,
    },
    /// Two headers mean the same column.
    #[error("two headers mean the column `{column}`")]
    DoubleColumn {
        /// Column.
        column: String,
    },
    /// A column marked sensitive that is none of the list's own.
    #[error("the list has no column `{name}` of its own")]
    BadSensitive {
        /// The column.
        name: String,
    },
    /// An override names no column or no header.
    #[error("`--map {name}` names no column of Duly or no header of the list")]
    BadMap {
        /// The override.
        name: String,
    },
    /// Two readers of the same file do not agree, so one of them loses rows.
    #[error("two readers count differently: {counted} and {read} rows")]
    CountsDiffer {
        /// By the separate reader.
        counted: u64,
        /// By the import.
        read: u64,
    },
}

impl ListError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) | Self::Open { .. } => "check the path and that this user may read the file",
            Self::Empty | Self::NoRows => "export the list again: a header line and one line for each person",
            Self::Utf16 | Self::Spreadsheet | Self::HeaderNotText => "save the list as `CSV UTF-8` and import that file",
            Self::HeaderTooLong => "save the list as UTF-8 CSV with one header line and one line for each person",
            Self::UnclosedQuote { .. } => "close the quote or take it out, and import the file again: nothing was taken",
            Self::MissingColumn { .. } => "add the column, or name it with `--map external_reference=\"Your header\"`",
            Self::DoubleColumn { .. } => "rename one of the headers, or say which with `--map`",
            Self::BadMap { .. } => {
                "write `--map column=Header`, for example `--map phone=\"Mobile no\"`, or `--map joined:date=\"Start date\"` for a column of the list's own: text, number or date"
            }
            Self::BadSensitive { .. } => {
                "name a header of the list in lower case with `_`, or map one: `--map pay_grade=\"Pay grade\" --sensitive pay_grade`"
            }
            Self::CountsDiffer { .. } => {
                "the file changed while it was read, or a stray quote hides rows: import it again, then look at the rows that differ"
            }
        }
    }
}

/// Opens the file of a list; the error names it.
pub fn file(path: &Path) -> Result<File, ListError> {
    let opened = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
        true => Err(ErrorKind::IsADirectory.into()),
        false => Ok(file),
    });
    opened.map_err(|source| ListError::Open { path: path.to_owned(), source })
}

/// One data row.
pub struct ParsedRow {
    /// 1 for the first data row; blank lines do not count.
    pub row: u64,
    /// The cells with their columns, as read: what is sealed if the row is quarantined.
    pub cells: Vec<(String, String)>,
    /// A person, or every fault of the row.
    pub result: Result<Checked, Vec<Fault>>,
}

impl ParsedRow {
    /// The cell of a column that is not a person's, such as `list` in a file of corrections.
    pub fn cell(&self, column: &str) -> &str {
        self.cells.iter().find(|(name, _)| name == column).map_or("", |(_, cell)| cell)
    }
}

/// Number of a row, and its fields without a check or the code of why they cannot be read.
pub type RawRow = (u64, Result<RawPerson, &'static str>);

/// Reads a list row by row.
pub struct ListReader<R: Read> {
    records: Records<R>,
    columns: Columns,
    row: u64,
}

/// Opens a list: finds its delimiter and maps its columns.
pub fn open<R: Read>(input: R, mapping: &Mapping) -> Result<ListReader<R>, ListError> {
    let mut records = Records::open(input)?;
    if !records.read()? {
        return Err(ListError::Empty);
    }
    if records.is_too_long() {
        return Err(ListError::HeaderTooLong);
    }
    let header = |cell: &[u8]| std::str::from_utf8(cell).ok().filter(|h| !h.contains('\0')).map(|h| h.trim().to_owned());
    let headers = records.cells().map(header).collect::<Option<Vec<String>>>().ok_or(ListError::HeaderNotText)?;
    let columns = Columns::map(headers, mapping)?;
    Ok(ListReader { records, columns, row: 0 })
}

impl<R: Read> ListReader<R> {
    /// Headers that mean nothing to Duly and are not read.
    pub fn unmapped(&self) -> Vec<String> {
        self.columns.unmapped()
    }

    /// Refuses a mapping whose own columns the file does not have.
    pub fn check_own(&self) -> Result<(), ListError> {
        self.columns.check_own()
    }

    /// Bytes read from the file so far.
    pub fn bytes_read(&self) -> u64 {
        self.records.bytes_read()
    }

    fn parse(&self) -> ParsedRow {
        let is_utf8 = self.records.cells().all(|cell| std::str::from_utf8(cell).is_ok());
        let cells: Vec<(String, String)> =
            self.records.cells().enumerate().map(|(i, cell)| (self.columns.name(i), text(cell, is_utf8))).collect();
        let fault = |code| Err(vec![Fault { column: "row", code }]);
        let result = if self.records.is_too_long() {
            fault("row_too_long")
        } else if !is_utf8 {
            fault("not_utf8")
        } else if cells.iter().any(|(_, cell)| cell.matches('\n').count() > LINE_ENDS_MAX) {
            fault("stray_quote")
        } else if cells.len() != self.columns.len() {
            fault("wrong_cells")
        } else {
            PersonRecord::check(&self.raw_person(&cells))
        };
        ParsedRow { row: self.row, cells, result }
    }

    /// The cells as a person's fields, unchecked.
    fn raw_person(&self, cells: &[(String, String)]) -> RawPerson {
        let cell = |i: usize| {
            self.columns
                .place(i)
                .and_then(|place| cells.get(place))
                .map_or(String::new(), |(_, cell)| unguard_formula(cell).to_owned())
        };
        RawPerson {
            external_reference: cell(0),
            first_name: cell(1),
            last_name: cell(2),
            phone: cell(3),
            address: ADDRESS.map(cell).into_iter().filter(|line| !line.is_empty()).collect(),
            town: cell(8),
            postcode: cell(9),
            country: cell(10),
            language: cell(11),
            format: cell(12),
            jurisdiction: cell(13),
            email: cell(14),
            columns: self
                .columns
                .own(cells)
                .map(|(name, column, cell)| (name, column, unguard_formula(cell).to_owned()))
                .collect(),
        }
    }

    /// The next row for publishing; `None` at the end.
    pub fn next_raw(&mut self) -> Option<Result<RawRow, ListError>> {
        let parsed = match self.next()? {
            Ok(parsed) => parsed,
            Err(error) => return Some(Err(error)),
        };
        let unreadable = parsed.result.err().and_then(|faults| faults.first().filter(|f| f.column == "row").map(|f| f.code));
        Some(Ok((parsed.row, unreadable.map_or_else(|| Ok(self.raw_person(&parsed.cells)), Err))))
    }
}

impl<R: Read> Iterator for ListReader<R> {
    type Item = Result<ParsedRow, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.records.read() {
            Ok(false) => None,
            Ok(true) => {
                self.row += 1;
                Some(Ok(self.parse()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// A cell as text. Bytes that are not UTF-8 become one character each, so that none is lost for the correction.
fn text(cell: &[u8], is_utf8: bool) -> String {
    if is_utf8 { String::from_utf8_lossy(cell).into_owned() } else { cell.iter().map(|b| char::from(*b)).collect() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
