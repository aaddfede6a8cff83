//! Columns of a list beside those that Duly knows: typed values of each person, which a template may print.

use super::contact::clean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::Date;
use time::macros::format_description;

/// Longest name of a column, bytes.
const NAME_BYTES_MAX: usize = 40;
/// Longest value, characters.
const VALUE_CHARS_MAX: usize = 200;
/// Names that templates use for something else.
const TAKEN: &[&str] = &["name", "list", "row", "codes"];

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Words.
    #[default]
    Text,
    /// Digits, perhaps with a sign, a point and commas.
    Number,
    /// A day, written 2026-11-09.
    Date,
}

/// A column as its list declares it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What its cells hold.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Its values may stand in no message.
    #[serde(default)]
    pub sensitive: bool,
}

/// Columns by name; never a value.
pub type Columns = BTreeMap<String, Column>;

/// One cell of a person's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Its column.
    #[serde(flatten)]
    pub column: Column,
    /// As checked: a date in ISO 8601.
    pub value: String,
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cell(…)")
    }
}

impl ColumnType {
    /// The type of a word.
    pub fn of(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}

impl Cell {
    /// Checks a cell as read; `None` where it is empty, the fault's code where it is not of its column's type.
    pub fn check(column: Column, raw: &str) -> Result<Option<Self>, &'static str> {
        let value = clean(raw);
        if value.is_empty() {
            return Ok(None);
        }
        let is_number = || {
            let digits = value.strip_prefix('-').unwrap_or(&value);
            digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || ".,".contains(c))
        };
        match column.kind {
            _ if value.chars().count() > VALUE_CHARS_MAX => Err("value_too_long"),
            ColumnType::Number if !is_number() => Err("not_a_number"),
            ColumnType::Date if day(&value).is_none() => Err("not_a_date"),
            _ => Ok(Some(Self { column, value })),
        }
    }

    /// Year, month and day of a date, which each language prints in its own way.
    pub fn day(&self) -> Option<(i32, u8, u8)> {
        let day = day(&self.value).filter(|_| self.column.kind == ColumnType::Date)?;
        Some((day.year(), day.month().into(), day.day()))
    }
}

fn day(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// Cells that nobody has checked yet, as a job brings them: `{"pay_grade": "7"}`, or with what its column is,
/// `{"joined": {"type": "date", "sensitive": true, "value": "2026-11-09"}}`; null is as absent.
pub mod unchecked {
    use super::{Cell, Column, ColumnType};
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    /// One cell as it may be written.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Nothing(()),
        Words(String),
        Typed(Typed),
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Typed {
        #[serde(rename = "type", default)]
        kind: ColumnType,
        #[serde(default)]
        sensitive: bool,
        #[serde(deserialize_with = "Option::deserialize")]
        value: Option<String>,
    }

    /// Each cell with what its column is.
    pub fn serialize<S: Serializer>(cells: &[(String, Column, String)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(cells.iter().map(|(name, column, value)| (name, Cell { column: *column, value: value.clone() })))
    }

    /// By name; of two under one name the last one stands.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Column, String)>, D::Error> {
        let written = BTreeMap::<String, Written>::deserialize(deserializer)?;
        let cells = written.into_iter().filter_map(|(name, cell)| match cell {
            Written::Nothing(()) => None,
            Written::Words(value) => Some((name, Column::default(), value)),
            Written::Typed(Typed { kind, sensitive, value }) => Some((name, Column { kind, sensitive }, value?)),
        });
        Ok(cells.collect())
    }
}

/// Whether a word can name a column: `pay_number_type`.
pub fn is_name(word: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    word.len() <= NAME_BYTES_MAX
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(fits)
        && !TAKEN.contains(&word)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(kind: ColumnType, raw: &str) -> Result<Option<String>, &'static str> {
        Cell::check(Column { kind, sensitive: false }, raw).map(|cell| cell.map(|cell| cell.value))
    }

    #[test]
    fn a_cell_is_what_its_column_says_or_has_a_fault() {
        use ColumnType::{Date, Number, Text};
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(check(Text, "  a\u{a0} b "), some("a b"));
        assert_eq!(check(Text, " "), Ok(None));
        assert_eq!(check(Text, &"x".repeat(201)), Err("value_too_long"));
        assert_eq!(check(Number, "-1,200.50"), some("-1,200.50"));
        assert_eq!(check(Number, "twelve"), Err("not_a_number"));
        assert_eq!(check(Date, "2026-11-09"), some("2026-11-09"));
        assert_eq!(check(Date, "09/11/2026"), Err("not_a_date"));
    }

    #[test]
    fn a_cell_is_sealed_with_its_column() {
        let cell = Cell::check(Column { kind: ColumnType::Date, sensitive: true }, "2026-11-09").unwrap().unwrap();
        let json = serde_json::to_string(&cell).unwrap();
        assert_eq!(json, r#"{"type":"date","sensitive":true,"value":"2026-11-09"}"#);
        assert_eq!(serde_json::from_str::<Cell>(&json).unwrap(), cell);
        assert_eq!(cell.day(), Some((2026, 11, 9)));
        assert_eq!(Cell { column: Column::default(), ..cell.clone() }.day(), None, "words that look like a date are words");
        assert_eq!(format!("{cell:?}"), "Cell(…)");
    }

    #[test]
    fn names_are_words_of_a_template() {
        assert!(["pay_grade", "a1"].into_iter().all(is_name));
        assert!(["", "Pay", "pay-grade", "1a", "_a", "name", "row"].into_iter().all(|word| !is_name(word)));
    }
}
