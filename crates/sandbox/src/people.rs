//! Made-up people for demos and tests, the same for the same seed: names of many languages, addresses here and abroad,
//! households, forces, bad rows of every kind, repeats and conflicts. The maker says what must become of each row.

mod names;
mod spoilt;

use crate::config::SandboxError;
use names::{ABROAD, PEOPLES, STREETS, TOWNS};
use std::collections::BTreeMap;
use std::io::Write;

/// What a generated list holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleSummary {
    /// Data rows.
    pub rows: u64,
    /// Rows that are people.
    pub people: u64,
    /// Exact repeats of an earlier person.
    pub duplicates: u64,
    /// Rows with one wrong field.
    pub bad: u64,
    /// Rows with the reference of an earlier person and other fields.
    pub conflicting: u64,
    /// Wrong and conflicting rows by the code that they must get.
    pub by_code: BTreeMap<&'static str, u64>,
}

const HEADER: [&str; 14] = [
    "external_reference",
    "first_name",
    "last_name",
    "phone",
    "address_1",
    "address_2",
    "address_3",
    "address_4",
    "town",
    "postcode",
    "country",
    "language",
    "format",
    "jurisdiction",
];
/// How far back repeats and conflicts look.
const REPEATS_AFTER: u64 = 143;
const CONFLICTS_AFTER: u64 = 211;
/// Written as the single byte E9, which is not UTF-8.
const NOT_UTF8: char = '\u{e000}';

enum Kind {
    Person,
    /// Lives with the person before: same address and phone, another reference.
    Household,
    Bad(usize),
    Repeat(u64),
    Conflict(u64),
}

/// Writes `rows` data rows as CSV with a header.
pub fn write_people(out: &mut impl Write, rows: u64, seed: u64) -> Result<PeopleSummary, SandboxError> {
    writeln!(out, "{}", HEADER.join(","))?;
    let mut summary = PeopleSummary::default();
    for i in 0..rows {
        summary.rows += 1;
        let row = match kind(i, seed) {
            Kind::Person => {
                summary.people += 1;
                person(i, seed)
            }
            Kind::Household => {
                summary.people += 1;
                relative(i, seed)
            }
            Kind::Bad(n) => {
                let (code, spoil) = spoilt::WAYS[n];
                let mut row = person(i, seed);
                spoil(&mut row);
                summary.bad += 1;
                *summary.by_code.entry(code).or_insert(0) += 1;
                row
            }
            Kind::Repeat(of) => {
                summary.duplicates += 1;
                person(of, seed)
            }
            Kind::Conflict(of) => {
                let mut row = person(i, seed);
                row[0] = reference(of);
                summary.conflicting += 1;
                *summary.by_code.entry("duplicate_reference").or_insert(0) += 1;
                row
            }
        };
        write_row(out, &row)?;
    }
    Ok(summary)
}

fn write_row(out: &mut impl Write, row: &[String]) -> Result<(), SandboxError> {
    let cells: Vec<String> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
    let mut parts = cells.join(",");
    parts.push('\n');
    let mut rest = parts.as_str();
    while let Some((before, after)) = rest.split_once(NOT_UTF8) {
        out.write_all(before.as_bytes())?;
        out.write_all(&[0xe9])?;
        rest = after;
    }
    Ok(out.write_all(rest.as_bytes())?)
}

/// Every hundredth rows are special ones; a repeat or conflict needs a plain person at its distance.
fn kind(i: u64, seed: u64) -> Kind {
    let is_plain = |of: u64| matches!((of + seed) % 100, n if !matches!(n, 7 | 31 | 57 | 81));
    match (i + seed) % 100 {
        7 if i >= REPEATS_AFTER && is_plain(i - REPEATS_AFTER) => Kind::Repeat(i - REPEATS_AFTER),
        31 => Kind::Bad(spoilt::choose(i)),
        57 if i >= CONFLICTS_AFTER && is_plain(i - CONFLICTS_AFTER) => Kind::Conflict(i - CONFLICTS_AFTER),
        81 if i > 0 => Kind::Household,
        _ => Kind::Person,
    }
}

fn reference(i: u64) -> String {
    format!("PN{i:07}")
}

/// A well-mixed number for the `n`-th choice about person `i`.
fn draw(i: u64, seed: u64, n: u64) -> u64 {
    let mut x = (i ^ seed.rotate_left(32)).wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn pick<T>(items: &[T], draw: u64) -> &T {
    &items[usize::try_from(draw % items.len() as u64).unwrap_or(0)]
}

fn person(i: u64, seed: u64) -> Vec<String> {
    let (firsts, lasts) = pick(PEOPLES, draw(i, seed, 1));
    let mut row = vec![String::new(); HEADER.len()];
    row[0] = reference(i);
    row[1] = (*pick(firsts, draw(i, seed, 2))).to_owned();
    row[2] = (*pick(lasts, draw(i, seed, 3))).to_owned();
    // The number is the person's own: two rows differ at least here or in the street.
    row[4] = format!("{} {}", i % 199 + 1, pick(STREETS, draw(i, seed, 4)));
    match draw(i, seed, 5) % 100 {
        0..5 => live_abroad(&mut row, i, draw(i, seed, 6)),
        5 => serve(&mut row, i),
        6 => row[4] = "No fixed abode".into(),
        n => live_here(&mut row, draw(i, seed, 7), n),
    }
    let is_homeless = row[4] == "No fixed abode";
    if row[3].is_empty() && (is_homeless || !draw(i, seed, 8).is_multiple_of(11)) {
        row[3] = format!("+44 7400 {:06}", i % 1_000_000);
    }
    // Who reads another language, or Braille, would stop a plan until somebody has written their template.
    row[12] = (*pick(&["standard", "", "", "Large print"], draw(i, seed, 9))).to_owned();
    row
}

fn live_here(row: &mut [String], draw: u64, n: u64) {
    let (town, postcode, language, nation) = pick(TOWNS, draw);
    row[5] = if n.is_multiple_of(9) { "Flat 2".into() } else { String::new() };
    (row[8], row[9]) = ((*town).into(), (*postcode).into());
    row[10] = (*pick(&["", "GB", "UK", "United Kingdom"], draw >> 8)).to_owned();
    (row[11], row[13]) = ((*language).into(), (*nation).into());
    if n == 7 {
        // A landline: reached by letter.
        row[3] = "020 7219 3000".into();
    }
}

fn live_abroad(row: &mut [String], i: u64, draw: u64) {
    let (street, town, postcode, country, language, phone) = pick(ABROAD, draw);
    row[4] = format!("{street} {}", i % 199 + 1);
    (row[8], row[9], row[10], row[11]) = ((*town).into(), (*postcode).into(), (*country).into(), (*language).into());
    row[3] = format!("{phone}{:06}", i % 1_000_000);
}

fn serve(row: &mut [String], i: u64) {
    row[4] = format!("{} Platoon, 1 Mercian", i % 199 + 1);
    row[9] = "BFPO 58".into();
}

/// Another person of the household before.
fn relative(i: u64, seed: u64) -> Vec<String> {
    let mut row = person(i - 1, seed);
    row[0] = reference(i);
    row[1] = "Alex".into();
    row
}
