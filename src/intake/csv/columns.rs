//! Which header means which column.

use super::ListError;
use crate::model::column::{Column, ColumnType, Columns as OwnColumns, is_name};

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
    ("email", &["email", "emailaddress", "mail", "mailaddress"]),
];

/// Names of the columns, as written in files of ours.
pub fn column_names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name)
}

/// What a list's headers mean where they do not say it themselves, and the columns that are its own.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// (column, header).
    headers: Vec<(String, String)>,
    /// Columns beside those of Duly.
    own: OwnColumns,
}

impl Mapping {
    /// From `--map column=header`, `--map column:type=header` and `--sensitive column`.
    pub fn of(maps: &[(String, String)], sensitive: &[String]) -> Result<Self, ListError> {
        let mut mapping = Self::default();
        for (word, header) in maps {
            let bad = || ListError::BadMap { name: format!("{word}={header}") };
            let (name, kind) = match word.split_once(':') {
                Some((name, kind)) => (name, Some(ColumnType::of(kind).ok_or_else(bad)?)),
                None => (word.as_str(), None),
            };
            let is_known = column_names().any(|known| known == name);
            if (is_known && kind.is_some()) || !(is_known || is_name(name)) {
                return Err(bad());
            }
            if !is_known {
                mapping.own.insert(name.to_owned(), Column { kind: kind.unwrap_or_default(), sensitive: false });
            }
            mapping.headers.push((name.to_owned(), header.clone()));
        }
        for name in sensitive {
            if !is_name(name) || column_names().any(|known| known == name) {
                return Err(ListError::BadSensitive { name: name.clone() });
            }
            mapping.own.entry(name.clone()).or_default().sensitive = true;
        }
        Ok(mapping)
    }

    /// Of a list whose headers name its own columns.
    pub fn with_own(own: OwnColumns) -> Self {
        Self { headers: Vec::new(), own }
    }

    /// The list's own columns.
    pub fn own(&self) -> &OwnColumns {
        &self.own
    }
}

/// The headers of one list, mapped.
pub struct Columns {
    headers: Vec<String>,
    places: Vec<Option<usize>>,
    /// The list's own columns with their places; `None`: this file does not have it.
    own: Vec<(String, Column, Option<usize>)>,
}

impl Columns {
    /// Maps headers to columns. Whoever maps a column of their own must have it; a file of corrections may lack one.
    pub fn map(headers: Vec<String>, mapping: &Mapping) -> Result<Self, ListError> {
        let overrides = &mapping.headers;
        for (column, header) in overrides {
            if !headers.iter().any(|h| same(h, header)) {
                return Err(ListError::BadMap { name: format!("{column}={header}") });
            }
        }
        // A header that is given to another column does not count for this one.
        let find = |column: &str, fits: &dyn Fn(&str) -> bool| {
            let forced = overrides.iter().find(|(c, _)| c == column).map(|(_, header)| header);
            let is_given = |h: &String| overrides.iter().any(|(c, header)| c != column && same(h, header));
            let is = |h: &String| forced.map_or_else(|| fits(&plain(h)) && !is_given(h), |f| same(h, f));
            headers.iter().enumerate().filter(|(_, h)| is(h)).map(|(i, _)| i).collect::<Vec<_>>()
        };
        let mut own = Vec::new();
        for (name, column) in &mapping.own {
            match find(name, &|header| header == plain(name))[..] {
                [] => own.push((name.clone(), *column, None)),
                [place] => own.push((name.clone(), *column, Some(place))),
                _ => return Err(ListError::DoubleColumn { column: name.clone() }),
            }
        }
        let mut places = Vec::with_capacity(COLUMNS.len());
        for (column, names) in COLUMNS {
            let taken = |place: &usize| own.iter().any(|(_, _, own)| *own == Some(*place));
            let found = find(column, &|header| names.contains(&header)).into_iter().filter(|place| !taken(place));
            match found.collect::<Vec<_>>()[..] {
                [] => places.push(None),
                [place] => places.push(Some(place)),
                _ => return Err(ListError::DoubleColumn { column: (*column).to_owned() }),
            }
        }
        let columns = Self { headers, places, own };
        columns.demand("external_reference", &[0])?;
        columns.demand("last_name", &[2])?;
        columns.demand("phone", &[3, 4, 14])?;
        Ok(columns)
    }

    /// Refuses a mapping whose own columns the file does not have.
    pub fn check_own(&self) -> Result<(), ListError> {
        match self.own.iter().find(|(_, _, place)| place.is_none()) {
            Some((name, ..)) => Err(ListError::BadSensitive { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The list's own cells of a row.
    pub fn own<'a>(&'a self, cells: &'a [(String, String)]) -> impl Iterator<Item = (String, Column, &'a str)> {
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).map(|(_, cell)| cell.as_str());
        self.own.iter().filter_map(move |(name, column, place)| Some((name.clone(), *column, cell(*place)?)))
    }

    fn demand(&self, column: &'static str, any_of: &[usize]) -> Result<(), ListError> {
        if any_of.iter().any(|i| self.place(*i).is_some()) { Ok(()) } else { Err(ListError::MissingColumn { column }) }
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
        let own = self.own.iter().find(|(_, _, own)| *own == Some(place)).map(|(name, ..)| name.clone());
        if let Some(own) = own {
            return own;
        }
        let ours = self.places.iter().position(|p| *p == Some(place)).and_then(|i| COLUMNS.get(i)).map(|(name, _)| *name);
        ours.map_or_else(|| self.headers.get(place).cloned().unwrap_or_default(), str::to_owned)
    }

    /// Headers that mean nothing to Duly.
    pub fn unmapped(&self) -> Vec<String> {
        self.headers
            .iter()
            .enumerate()
            .filter(|(i, _)| !self.places.contains(&Some(*i)) && self.own.iter().all(|(_, _, own)| *own != Some(*i)))
            .map(|(_, h)| h.clone())
            .collect()
    }
}

fn same(header: &str, wanted: &str) -> bool {
    header == wanted.trim()
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
