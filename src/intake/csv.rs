//! Affected lists as CSV: UTF-8 with comma, semicolon or tab, streamed in constant memory.

use crate::model::contact::{Fault, PersonRecord, RawPerson};
use std::io::Read;

/// Columns that a list may have, with other names that people use.
const COLUMNS: &[(&str, &[&str])] = &[
    ("external_reference", &["externalreference", "reference", "paynumber", "employeenumber", "id"]),
    ("first_name", &["firstname", "forename", "givenname"]),
    ("last_name", &["lastname", "surname", "familyname", "name", "fullname"]),
    ("phone", &["phone", "mobile", "mobilenumber", "telephone", "phonenumber"]),
    ("address_1", &["address1", "addressline1", "street"]),
    ("address_2", &["address2", "addressline2"]),
    ("address_3", &["address3", "addressline3"]),
    ("address_4", &["address4", "addressline4"]),
    ("town", &["town", "city", "posttown"]),
    ("postcode", &["postcode", "zip", "postalcode"]),
    ("country", &["country"]),
    ("language", &["language"]),
    ("format", &["format"]),
    ("jurisdiction", &["jurisdiction"]),
];

/// Why a list was refused as a whole; nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("the list cannot be read")]
    Io(#[from] std::io::Error),
    /// The header or the file's form is wrong.
    #[error("the list is not CSV")]
    Csv(#[from] ::csv::Error),
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
        column: &'static str,
    },
    /// An override names no column or no header.
    #[error("`--map {name}` names no column of Duly or no header of the list")]
    BadMap {
        /// The override.
        name: String,
    },
}

impl ListError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "check the path and that this user may read the file",
            Self::Csv(_) => "save the list as UTF-8 CSV with one header line",
            Self::MissingColumn { .. } => "add the column, or name it with `--map external_reference=\"Your header\"`",
            Self::DoubleColumn { .. } => "rename one of the headers, or say which with `--map`",
            Self::BadMap { .. } => "write `--map column=Header`, for example `--map phone=\"Mobile no\"`",
        }
    }
}

/// One data row.
pub struct ParsedRow {
    /// 1 for the first data row.
    pub row: u64,
    /// The cells as JSON, for sealing.
    pub raw: Vec<u8>,
    /// A person, or every fault of the row.
    pub result: Result<PersonRecord, Vec<Fault>>,
}

/// Reads a list row by row.
pub struct ListReader<R: Read> {
    reader: ::csv::Reader<std::io::Chain<std::io::Cursor<Vec<u8>>, R>>,
    places: Vec<Option<usize>>,
    record: ::csv::ByteRecord,
    row: u64,
    /// Headers that mean nothing to Duly and are not read.
    pub unmapped: Vec<String>,
}

/// Opens a list: finds its delimiter and maps its columns.
pub fn open<R: Read>(mut input: R, overrides: &[(String, String)]) -> Result<ListReader<R>, ListError> {
    let mut head = vec![0; 64 * 1024];
    let mut filled = 0;
    while filled < head.len() {
        match input.read(&mut head[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    head.truncate(filled);
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    let first_line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| first_line.iter().filter(|b| **b == delimiter).count();
    let delimiter = *[b',', b';', b'\t'].iter().max_by_key(|d| count(**d)).unwrap_or(&b',');
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(std::io::Cursor::new(head).chain(input));
    let headers: Vec<String> = reader.byte_headers()?.iter().map(|h| String::from_utf8_lossy(h).trim().to_owned()).collect();
    let places = map_columns(&headers, overrides)?;
    let unmapped = headers.iter().enumerate().filter(|(i, _)| !places.contains(&Some(*i))).map(|(_, h)| h.clone()).collect();
    Ok(ListReader { reader, places, record: ::csv::ByteRecord::new(), row: 0, unmapped })
}

fn map_columns(headers: &[String], overrides: &[(String, String)]) -> Result<Vec<Option<usize>>, ListError> {
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    for (column, header) in overrides {
        if !COLUMNS.iter().any(|(name, _)| name == column) || !headers.contains(header) {
            return Err(ListError::BadMap { name: format!("{column}={header}") });
        }
    }
    let mut places = Vec::with_capacity(COLUMNS.len());
    for (column, names) in COLUMNS {
        let forced = overrides.iter().find(|(c, _)| c == column).map(|(_, h)| h);
        let fits = |h: &String| forced.map_or_else(|| names.contains(&plain(h).as_str()), |f| f == h);
        let mut found = headers.iter().enumerate().filter(|(_, h)| fits(h)).map(|(i, _)| i);
        let place = found.next();
        if found.next().is_some() {
            return Err(ListError::DoubleColumn { column });
        }
        places.push(place);
    }
    if places[0].is_none() {
        return Err(ListError::MissingColumn { column: "external_reference" });
    }
    Ok(places)
}

impl<R: Read> Iterator for ListReader<R> {
    type Item = Result<ParsedRow, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                self.row += 1;
                let cells: Vec<String> = self.record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
                let raw = serde_json::to_vec(&cells).unwrap_or_default();
                Some(Ok(ParsedRow { row: self.row, raw, result: self.check() }))
            }
            Err(error) => Some(Err(error.into())),
        }
    }
}

impl<R: Read> ListReader<R> {
    fn check(&self) -> Result<PersonRecord, Vec<Fault>> {
        if self.record.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
            return Err(vec![Fault { column: "row", code: "not_utf8" }]);
        }
        let cell = |i: usize| {
            let bytes = self.places[i].and_then(|place| self.record.get(place)).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        if self.places.iter().flatten().any(|place| *place >= self.record.len()) {
            return Err(vec![Fault { column: "row", code: "wrong_cells" }]);
        }
        PersonRecord::check(&RawPerson {
            external_reference: cell(0),
            first_name: cell(1),
            last_name: cell(2),
            phone: cell(3),
            address: (4..8).map(cell).collect(),
            town: cell(8),
            postcode: cell(9),
            country: cell(10),
            language: cell(11),
            format: cell(12),
            jurisdiction: cell(13),
        })
    }
}

/// Counts data rows by a reader of its own: quotes and line ends only. One side of the equation.
pub fn count_rows(mut input: impl Read) -> Result<u64, ListError> {
    let mut buffer = [0; 64 * 1024];
    let (mut rows, mut quoted, mut has_bytes) = (0u64, false, false);
    loop {
        let n = input.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        for byte in &buffer[..n] {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => {
                    rows += u64::from(has_bytes);
                    has_bytes = false;
                    continue;
                }
                b'\r' if !quoted => continue,
                _ => {}
            }
            has_bytes = true;
        }
    }
    Ok((rows + u64::from(has_bytes)).saturating_sub(1))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn good_rows_go_on_beside_bad_ones_and_a_formula_is_data() {
        let text = "Pay number;Surname;Mobile\nA1;=CMD();07400 123456\n;X;07400 123457\nA3;\"two\nlines\";07400123458\n";
        let rows: Vec<ParsedRow> = open(text.as_bytes(), &[]).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows[0].result.as_ref().unwrap().name, "=CMD()");
        assert_eq!(rows[1].result.as_ref().unwrap_err()[0].code, "missing_reference");
        assert_eq!((rows.len() as u64, rows[2].row), (count_rows(text.as_bytes()).unwrap(), 3));
    }

    #[test]
    fn a_list_without_references_is_refused_with_its_remedy() {
        let error = open("name,phone\n".as_bytes(), &[]).err().unwrap();
        assert!(matches!(error, ListError::MissingColumn { column: "external_reference" }));
        assert!(open("name,pn\n".as_bytes(), &[("external_reference".into(), "pn".into())]).is_ok());
    }
}
