//! The reader's own copy of a list against the pack: nobody missing, nobody else, and everybody ended.

use super::lines::{Columns, parse_keyed};
use super::pack::{Pack, PackError};
use super::plans::canonical_json;
use super::report::{Code, Finding, Report, Verdict};
use super::states::NoticeState;
use super::world::World;
use crate::commitment::commit_under;
use crate::hash::from_hex;
use crate::hash::to_hex;
use crate::text::{clean, unguard_formula};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::path::Path;

/// All that can become of a row.
const FATES: [&str; 5] = ["person", "duplicate_of", "quarantined", "superseded", "discarded"];
/// Names of the column, in letters and digits only.
const COLUMN: &str = "externalreference";

/// A list that the reader has from elsewhere.
#[derive(Debug, Clone)]
pub enum OwnList {
    /// Lines of a manifest.
    Manifest(Vec<u8>),
    /// The controller's own rows as CSV, with a column `external_reference`.
    Rows(Vec<u8>),
}

impl OwnList {
    /// A manifest from a file that ends in `.jsonl`, rows from one that ends in `.csv`.
    pub fn file(path: &Path) -> Result<Self, String> {
        let read = || std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
        match path.extension().and_then(OsStr::to_str) {
            Some("jsonl") => Ok(Self::Manifest(read()?)),
            Some("csv") => Ok(Self::Rows(read()?)),
            _ => Err("a list must be a file that ends in `.jsonl` or `.csv`".into()),
        }
    }
}

/// Compares it; what was found goes into the world's findings and the report's lines.
pub fn check<R: Read + Seek>(
    pack: &mut Pack<R>,
    list: &OwnList,
    world: &mut World,
    report: &mut Report,
) -> Result<(), PackError> {
    match list {
        OwnList::Manifest(bytes) => check_manifest(bytes, world, report),
        OwnList::Rows(bytes) => match (rows_of(pack, world)?, references(bytes)) {
            (Err(text), _) | (_, Err(text)) => world.findings.push(Finding::new(Code::OwnList, text)),
            (Ok(None), _) => {
                let text = "your list was not compared, because the pack opens no references: ask for one made with `duly pack incident --open external_reference`";
                report.verdict = Verdict::Unchecked(text.into());
            }
            (Ok(Some(rows)), Ok(references)) => check_rows(&rows, &references, world, report),
        },
    }
    Ok(())
}

fn check_manifest(bytes: &[u8], world: &mut World, report: &mut Report) {
    let mut own = Columns::default();
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for line in text.split(|b| *b == b'\n') {
        if let Err(text) = own.push(line) {
            return world.findings.push(Finding::new(Code::OwnList, format!("in your list, {text}")));
        }
    }
    let Some((number, ..)) = world.frozen.iter().find(|(_, count, root)| (*count, *root) == (own.count(), own.root())) else {
        let text = format!("no list of {} people with the root {} was frozen", own.count(), to_hex(&own.root()));
        return world.findings.push(Finding::new(Code::OwnList, text));
    };
    let mut lines = vec![format!("your list of {} people is list {number} of the pack, line by line", own.count())];
    let open =
        own.people.iter().filter(|id| world.people.find(id).is_none_or(|n| world.people.end_state(n) == NoticeState::Open));
    lines.extend(open.map(|id| format!("p_{} has no end state", to_hex(id))));
    report.own_list.extend(lines);
}

/// What the pack says of the rows of each list.
struct Rows {
    /// List and row: person, or the fate of a row that is nobody.
    fates: BTreeMap<u64, HashMap<u64, (Option<usize>, &'static str)>>,
    /// Rows of each list, jobs among them: all, people, repeats.
    sums: BTreeMap<u64, [u64; 3]>,
    /// Key of the external reference, by person.
    keys: HashMap<usize, [u8; 32]>,
}

impl Rows {
    fn take_opening(&mut self, line: &[u8], world: &World) -> Result<(), &'static str> {
        let (person, fields) = parse_keyed(line, "k").ok_or("a line is no opening")?;
        let key = fields.iter().find(|(name, _)| *name == "external_reference").map(|(_, key)| *key);
        self.keys.extend(world.people.find(&person).zip(key));
        Ok(())
    }

    fn take_row(&mut self, line: &[u8], world: &World) -> Result<(), &'static str> {
        let value = std::str::from_utf8(line).ok().and_then(canonical_json).ok_or("a line is no row")?;
        let number = |name: &str| match value.get(name) {
            Some(Value::String(text)) => text.parse().ok(),
            other => other.and_then(Value::as_u64),
        };
        let fate = value.get("fate").and_then(Value::as_str).ok_or("a row has no fate")?;
        let fate = FATES.into_iter().find(|known| *known == fate).ok_or("a row has a fate that there is not")?;
        let person = value.get("p").and_then(Value::as_str).and_then(from_hex::<16>);
        if let Some(list) = number("list") {
            let [all, people, repeats] = self.sums.entry(list).or_default();
            *all += 1;
            // Who is somebody must be named.
            *people += u64::from(fate == "person" && person.is_some());
            *repeats += u64::from(fate == "duplicate_of" && person.is_some());
        }
        // A row that came as a job has no number, and stands in no file.
        if let (Some(list), Some(row)) = (number("list"), number("row")) {
            let person = person.and_then(|id| world.people.find(&id));
            self.fates.entry(list).or_default().insert(row, (person, fate));
        }
        Ok(())
    }
}

/// The rows of a pack; `None` where it opens none, an error where a line is not what it must be.
fn rows_of<R: Read + Seek>(pack: &mut Pack<R>, world: &World) -> Result<Result<Option<Rows>, String>, PackError> {
    let mut rows = Rows { fates: BTreeMap::new(), sums: BTreeMap::new(), keys: HashMap::new() };
    let mut fault: Option<String> = None;
    let mut has = |name: &str, take: &mut dyn FnMut(&[u8]) -> Result<(), &'static str>| {
        let read = pack.lines(name, |line| take(line).map_err(|what| fault.insert(format!("{what} in {name}")).clone()));
        if fault.is_some() { Ok(true) } else { read }
    };
    let has_keys = has("keys/openings.jsonl", &mut |line| rows.take_opening(line, world))?;
    let has_rows = has("keys/rows.jsonl", &mut |line| rows.take_row(line, world))?;
    Ok(match fault {
        Some(fault) => Err(fault),
        None => Ok((has_keys && has_rows).then_some(rows)),
    })
}

fn check_rows(rows: &Rows, references: &[String], world: &mut World, report: &mut Report) {
    let is_of = |row: u64, reference: &str, fates: &HashMap<u64, (Option<usize>, &str)>| {
        let person = fates.get(&row).and_then(|(person, _)| *person);
        person.is_some_and(|person| opens(rows, world, person, reference))
    };
    let matches = |fates| (1..).zip(references).filter(|(row, reference)| is_of(*row, reference, fates)).count();
    // Of lists that fit alike the first: a repeat of a list opens as its people do.
    let Some((list, fates)) = rows.fates.iter().rev().max_by_key(|(_, fates)| matches(fates)) else {
        return world.findings.push(Finding::new(Code::OwnList, "the pack knows no row of any file"));
    };
    let mut lines = vec![format!(
        "your {} rows were compared with list {list} of the pack by their references; names, numbers and addresses were not",
        references.len()
    )];
    let mut wrong = Vec::new();
    let said = rows.sums.get(list).copied().unwrap_or_default();
    if world.frozen_rows.get(list).is_some_and(|frozen| *frozen != said) {
        wrong.push(format!(
            "what the pack says became of the rows of list {list} is not what was frozen: {} rows, {} people, {} repeats",
            said[0], said[1], said[2]
        ));
    }
    for (row, reference) in (1u64..).zip(references) {
        match fates.get(&row) {
            None => wrong.push(format!("row {row} of your list is unknown to the pack")),
            Some((None, fate)) => lines.push(format!("row {row} is nobody: {fate}")),
            Some((Some(person), _)) if !opens(rows, world, *person, reference) => {
                wrong.push(format!("row {row} of your list is somebody else in the pack, or its reference was not opened"));
            }
            Some((Some(person), _)) if world.people.end_state(*person) == NoticeState::Open => {
                lines.push(format!("row {row}: the person has no end state"));
            }
            Some(_) => {}
        }
    }
    let more = fates.keys().filter(|row| **row > references.len() as u64).count();
    if more > 0 {
        wrong.push(format!("the pack has {more} more rows of list {list} than your file"));
    }
    wrong.into_iter().for_each(|text| world.findings.push(Finding::new(Code::OwnList, text)));
    report.own_list.extend(lines);
}

/// Whether the manifest's commitment of this person opens to this reference.
fn opens(rows: &Rows, world: &World, person: usize, reference: &str) -> bool {
    let listed = world.people.line(person).and_then(|(lines, at)| lines.reference(at));
    let key = rows.keys.get(&person);
    listed.zip(key).is_some_and(|(listed, key)| commit_under(key, reference.as_bytes()) == *listed)
}

/// The external references of a CSV file, read and cleaned as an import does it; rows without content do not count.
fn references(bytes: &[u8]) -> Result<Vec<String>, String> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let delimiter = delimiter_of(text);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\r' | b'\n') || *byte == delimiter;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(text);
    let mut column = None;
    let mut references = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|_| "your list is no CSV file".to_owned())?;
        if record.iter().flatten().all(is_blank) {
            continue;
        }
        let Some(column) = column else {
            let plain =
                |cell: &[u8]| cell.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect::<Vec<_>>();
            column = record.iter().position(|cell| plain(cell) == COLUMN.as_bytes());
            if column.is_none() {
                return Err("your list has no column `external_reference`: rename the header".into());
            }
            continue;
        };
        let cell = String::from_utf8_lossy(record.get(column).unwrap_or_default()).into_owned();
        references.push(clean(unguard_formula(&cell)));
    }
    Ok(references)
}

/// The most frequent of comma, semicolon and tab in the first line that is not blank, outside quotes; of two the first of these.
fn delimiter_of(text: &[u8]) -> u8 {
    const ALL: [u8; 3] = [b',', b';', b'\t'];
    let (mut counts, mut is_quoted, mut has_text) = ([0u64; 3], false, false);
    for byte in text {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\r' | b'\n' if !is_quoted && has_text => break,
            b'\r' | b'\n' if !is_quoted => counts = [0; 3],
            _ if !is_quoted => ALL.iter().zip(&mut counts).for_each(|(one, count)| *count += u64::from(one == byte)),
            _ => {}
        }
        has_text |= !ALL.contains(byte) && !b" \r\n\"".contains(byte);
    }
    let most = counts.iter().max();
    ALL.iter().zip(&counts).find(|(_, count)| Some(*count) == most).map_or(b',', |(one, _)| *one)
}
