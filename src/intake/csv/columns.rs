//! Which header means which column.

use super::ListError;
use std::ops::RangeInclusive;

/// Places of the address lines among `COLUMNS`.
pub const ADDRESS: [usize; 4] = [4, 5, 6, 7];

/// Columns that a list may have, with other names that people use, in letters and digits only.
pub const COLUMNS: &[(&str, &[&str])] = &[
    (
        "external_reference",
        &[
            "externalreference",
            "reference",
            "ref",
            "paynumber",
            "payno",
            "employeenumber",
            "employeeno",
            "staffnumber",
            "staffid",
            "id",
        ],
    ),
    ("first_name", &["firstname", "firstnames", "forename", "forenames", "givenname"]),
    ("last_name", &["lastname", "surname", "familyname", "name", "fullname"]),
    ("phone", &["phone", "mobile", "mobileno", "mobilenumber", "mobilephone", "telephone", "phonenumber", "phoneno"]),
    ("address_1", &["address1", "addressline1", "address", "street"]),
    ("address_2", &["address2", "addressline2"]),
    ("address_3", &["address3", "addressline3"]),
    ("address_4", &["address4", "addressline4"]),
    ("town", &["town", "city", "posttown", "towncity"]),
    ("postcode", &["postcode", "zip", "zipcode", "postalcode"]),
    ("country", &["country"]),
    ("language", &["language", "preferredlanguage"]),
    ("format", &["format", "preferredformat"]),
    ("jurisdiction", &["jurisdiction"]),
];

/// Names of the columns, as written in files of ours.
pub fn column_names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name)
}

/// The headers of one list, mapped.
pub struct Columns {
    headers: Vec<String>,
    places: Vec<Option<usize>>,
}

impl Columns {
    /// Maps headers to columns; `overrides` are (column, header).
    pub fn map(headers: Vec<String>, overrides: &[(String, String)]) -> Result<Self, ListError> {
        for (column, header) in overrides {
            if !column_names().any(|name| name == column) || !headers.iter().any(|h| same(h, header)) {
                return Err(ListError::BadMap { name: format!("{column}={header}") });
            }
        }
        let mut places = Vec::with_capacity(COLUMNS.len());
        for (column, names) in COLUMNS {
            let forced = overrides.iter().find(|(c, _)| c == column).map(|(_, header)| header);
            // A header that is given to another column does not count for this one.
            let is_given = |h: &String| overrides.iter().any(|(c, header)| c != column && same(h, header));
            let fits = |h: &String| forced.map_or_else(|| names.contains(&plain(h).as_str()) && !is_given(h), |f| same(h, f));
            let mut found = headers.iter().enumerate().filter(|(_, h)| fits(h)).map(|(i, _)| i);
            places.push(found.next());
            if found.next().is_some() {
                return Err(ListError::DoubleColumn { column });
            }
        }
        let columns = Self { headers, places };
        columns.demand("external_reference", 0..=0)?;
        columns.demand("last_name", 2..=2)?;
        columns.demand("phone", 3..=4)?;
        Ok(columns)
    }

    fn demand(&self, column: &'static str, any_of: RangeInclusive<usize>) -> Result<(), ListError> {
        if any_of.into_iter().any(|i| self.place(i).is_some()) { Ok(()) } else { Err(ListError::MissingColumn { column }) }
    }

    /// Cells that a row must have.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Where the list has a column of `COLUMNS`.
    pub fn place(&self, column: usize) -> Option<usize> {
        self.places.get(column).copied().flatten()
    }

    /// What the cell at a place is called: our column's name, or the header; empty past the header.
    pub fn name(&self, place: usize) -> String {
        let ours = self.places.iter().position(|p| *p == Some(place)).and_then(|i| COLUMNS.get(i)).map(|(name, _)| *name);
        ours.map_or_else(|| self.headers.get(place).cloned().unwrap_or_default(), str::to_owned)
    }

    /// Headers that mean nothing to Duly.
    pub fn unmapped(&self) -> Vec<String> {
        self.headers.iter().enumerate().filter(|(i, _)| !self.places.contains(&Some(*i))).map(|(_, h)| h.clone()).collect()
    }
}

fn same(header: &str, wanted: &str) -> bool {
    header == wanted.trim()
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
