//! Made-up people for demos and tests: many languages, bad rows, repeats and conflicts, the same for the same seed.

use crate::config::SandboxError;
use std::io::Write;

/// What a generated list holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeopleSummary {
    /// Data rows.
    pub rows: u64,
    /// Rows that must be quarantined because a field is wrong.
    pub bad: u64,
    /// Exact repeats of an earlier row.
    pub duplicates: u64,
    /// The reference of an earlier row with other fields.
    pub conflicting: u64,
}

const FIRST: &[&str] = &[
    "Amelia", "Siân", "Łukasz", "Ελένη", "Олексій", "Nguyễn", "Çağla", "Seán", "Anne-Marie", "Rhys", "José", "Zoë", "محمد", "Björn", "O",
];
const LAST: &[&str] = &[
    "Smith", "Llewelyn-Ŵyn", "Żółkiewska", "Παπαδοπούλου", "Шевченко", "Văn Thị", "Yılmaz", "O'Brien", "D’Souza", "Price", "García López",
    "#panic(\"x\") *b*", "=HYPERLINK(\"x\")", "الأحمد", "<i>Stone</i> {{x}}",
];
const TOWNS: &[(&str, &str)] =
    &[("Aberystwyth", "SY23 2AX"), ("Northmere", "NE1 4XF"), ("Llanfairpwll", "LL61 5UJ"), ("Leeds", "LS1 4AP"), ("London", "SW1A 1AA")];
const ABROAD: &[(&str, &str, &str)] =
    &[("Dublin", "D02 AF30", "IE"), ("Lyon", "69001", "FR"), ("Kraków", "31-001", "PL"), ("Portland", "97201", "US"), ("Köln", "50667", "DE")];

/// Writes `rows` data rows as CSV with a header.
pub fn write_people(out: &mut impl Write, rows: u64, seed: u64) -> Result<PeopleSummary, SandboxError> {
    writeln!(out, "external_reference,first_name,last_name,phone,address_1,address_2,town,postcode,country,language,format,jurisdiction")?;
    let mut summary = PeopleSummary::default();
    for i in 0..rows {
        let mut row = person(i, seed);
        match (i + seed) % 100 {
            7 if i > 200 => {
                row = person(i - 150, seed);
                let is_plain = (i - 150 + seed) % 100 != 7 && !is_bad(i - 150, seed);
                summary.duplicates += u64::from(is_plain);
                summary.bad += u64::from(!is_plain && is_bad(i - 150, seed));
            }
            _ if is_bad(i, seed) => {
                spoil(&mut row, i);
                summary.bad += 1;
            }
            57 if i > 300 && i.is_multiple_of(3) => {
                row[0] = person(i - 211, seed)[0].clone();
                summary.conflicting += 1;
            }
            _ => {}
        }
        summary.rows += 1;
        let cells: Vec<String> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(summary)
}

fn is_bad(i: u64, seed: u64) -> bool {
    (i + seed) % 100 == 31
}

fn spoil(row: &mut [String], i: u64) {
    match i / 100 % 4 {
        0 => row[0].clear(),
        1 => row[3] = "12".into(),
        2 => row[7] = "NOT A CODE".into(),
        _ => row[8] = "Atlantis".into(),
    }
}

fn pick<T>(items: &[T], i: u64) -> &T {
    &items[usize::try_from(i).unwrap_or(0) % items.len()]
}

fn person(i: u64, seed: u64) -> Vec<String> {
    let draw = i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed).rotate_left(17);
    let phone = if draw.is_multiple_of(11) { String::new() } else { format!("+44 7400 {:06}", i % 1_000_000) };
    let street = format!("{} {}", i % 200 + 1, pick(&["Heol y Bont", "High Street", "Station Road", "Church Lane"], draw));
    let (town, postcode, country) = if draw.is_multiple_of(23) {
        *pick(ABROAD, draw >> 8)
    } else {
        let (town, postcode) = *pick(TOWNS, draw >> 8);
        (town, postcode, "GB")
    };
    [
        format!("PN{i:07}"),
        (*pick(FIRST, draw >> 16)).to_owned(),
        (*pick(LAST, draw >> 24)).to_owned(),
        phone,
        street,
        String::new(),
        town.to_owned(),
        postcode.to_owned(),
        country.to_owned(),
        if town == "Aberystwyth" { "cy".into() } else { "en".to_owned() },
        "standard".into(),
        country.to_owned(),
    ]
    .into()
}
