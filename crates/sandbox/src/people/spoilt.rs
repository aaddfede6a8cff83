//! One way to spoil a row for each code that it can get.

type Spoil = fn(&mut Vec<String>);

const REFERENCE: usize = 0;
const FIRST: usize = 1;
const LAST: usize = 2;
const PHONE: usize = 3;
const STREET: usize = 4;
const TOWN: usize = 8;
const POSTCODE: usize = 9;
const COUNTRY: usize = 10;

/// Rows of 70,000 bytes stand only among the first so many.
const LONG_ROWS_BEFORE: u64 = 20_000;

/// The code that a spoilt row must get, and how it is spoilt; the last one makes the row long.
pub const WAYS: &[(&str, Spoil)] = &[
    ("missing_reference", |row| row[REFERENCE] = " \u{200b}".into()),
    ("reference_too_long", |row| row[REFERENCE] = "R".repeat(129)),
    ("missing_name", |row| (row[FIRST], row[LAST]) = ("-".into(), ".".into())),
    ("name_too_long", |row| row[LAST] = "N".repeat(201)),
    ("broken_text", |row| row[LAST] = "Garc\u{fffd}a".into()),
    ("invalid_phone", |row| {
        at_home(row, "LS1 4AP");
        row[PHONE] = "12".into();
    }),
    ("phone_takes_no_texts", |row| {
        no_address(row);
        row[PHONE] = "020 7219 3000".into();
    }),
    ("invalid_postcode", |row| at_home(row, "NOT A CODE")),
    ("missing_postcode", |row| at_home(row, "")),
    ("unknown_country", |row| row[COUNTRY] = "Atlantis".into()),
    ("bfpo_with_country", |row| {
        at_home(row, "BFPO 58");
        row[COUNTRY] = "Germany".into();
    }),
    ("address_too_short", |row| {
        no_address(row);
        row[POSTCODE] = "LS1 4AP".into();
    }),
    ("address_too_long", |row| {
        at_home(row, "LS1 4AP");
        (STREET..TOWN)
            .for_each(|i| row[i] = format!("A part of the address that nobody can shorten, number {i}, and its building"));
    }),
    ("no_way_to_reach", |row| {
        no_address(row);
        row[PHONE].clear();
    }),
    ("no_fixed_abode", |row| {
        no_address(row);
        row[STREET] = "NFA".into();
        row[PHONE].clear();
    }),
    ("unknown_language", |row| row[11] = "?".into()),
    ("unknown_format", |row| row[12] = "?!".into()),
    ("unknown_jurisdiction", |row| row[13] = "Atlantis".into()),
    ("wrong_cells", |row| row.push("one more".into())),
    ("stray_quote", |row| row[STREET] = "PN1,Smith\n".repeat(12)),
    ("not_utf8", |row| row[LAST] = format!("Jos{}", super::NOT_UTF8)),
    ("row_too_long", |row| row[LAST] = "long ".repeat(14_000)),
];

/// All ways in turn.
pub fn choose(i: u64) -> usize {
    let ways = if i < LONG_ROWS_BEFORE { WAYS.len() } else { WAYS.len() - 1 };
    usize::try_from(i / 100).unwrap_or(0) % ways
}

fn no_address(row: &mut [String]) {
    row[STREET..=COUNTRY].iter_mut().for_each(String::clear);
}

fn at_home(row: &mut [String], postcode: &str) {
    no_address(row);
    (row[STREET], row[TOWN], row[POSTCODE]) = ("1 High Street".into(), "Leeds".into(), postcode.into());
}
