//! Checkpoints and who signed them: a key that the reader gave, or one to which the log's own changes lead from it.

use super::pack::{Pack, PackError};
use super::report::{Code, Finding, Findings};
use super::scan::{Fact, scan};
use super::trust::Trust;
use crate::checkpoint::Checkpoint;
use crate::event::BYTES_MAX;
use crate::key_change::{KEY_CHANGED, KEY_CHANGES_MAX, KeyChange, KeyChangeError, KeyLine, KeyLines, Said};
use crate::note::Note;
use crate::proof::parse_decimal;
use crate::tile::{bundle_entries, entry_bundles};
use std::io::{Read, Seek};

/// How every change begins, as its fields are in order: most leaves are told from one by their first bytes.
const BEGINNING: &[u8] = b"{\"d\":{\"new\":\"";
/// Largest bundle.
const BUNDLE_MAX: usize = 256 * (2 + BYTES_MAX);

/// A checkpoint with the keys that signed it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Raw keys whose signatures hold.
    pub by: Vec<[u8; 32]>,
}

impl Signed {
    /// Whether the log's key at this size signed it; a finding if not: whoever has an old key may have signed it.
    pub fn is_in_force(&self, line: &KeyLine, generation: u64, file: Option<&str>, findings: &mut Findings) -> bool {
        let size = self.checkpoint.size;
        if line.in_force(generation, size).is_none_or(|key| self.by.contains(&key)) {
            return true;
        }
        let text = format!("the key that signed the checkpoint of size {size} was not the log's at that size");
        let finding = Finding { generation, ..Finding::new(Code::Signature, text) };
        findings.push(match file {
            Some(file) => finding.file(file),
            None => finding,
        });
        false
    }
}

/// Reads the changes of a log one after the other.
#[derive(Debug, Default)]
pub struct Changes {
    lines: KeyLines,
    tried: usize,
    /// Each that holds for itself, with its generation.
    taken: Vec<(u64, KeyChange)>,
}

impl Changes {
    /// Goes on with the event at a leaf of a generation, whose log has this name.
    pub fn take(&mut self, (generation, index): (u64, u64), origin: &str, fact: &Fact) -> Result<(), KeyChangeError> {
        self.tried += 1;
        if self.tried > KEY_CHANGES_MAX {
            return Err(KeyChangeError::TooMany);
        }
        let said = || {
            Some(Said {
                change: KeyChange { size: fact.number("size")?, old: fact.hex("old")?, new: fact.hex("new")? },
                old_signature: fact.hex("old_signature")?,
                new_signature: fact.hex("new_signature")?,
            })
        };
        let change = said().ok_or(KeyChangeError::Malformed)?.verified(origin, index)?;
        self.lines.push(generation, change)?;
        self.taken.push((generation, change));
        Ok(())
    }

    /// The line of a log of which these keys were given; where each change stands that is not of it.
    pub fn line(&self, given: &[[u8; 32]]) -> (KeyLine, Vec<(u64, u64)>) {
        let line = self.lines.line(|key| given.contains(key));
        let others = self.taken.iter().filter(|taken| !line.changes().contains(taken));
        let others = others.map(|(generation, change)| (*generation, change.size)).collect();
        (line, others)
    }

    fn try_take(&mut self, at: (u64, u64), origin: &str, entry: &[u8]) {
        let change = entry.starts_with(BEGINNING).then(|| scan(entry)).flatten().filter(|fact| fact.kind == KEY_CHANGED);
        // One that does not count is named when its leaf is taken; here nothing is believed because of it.
        if let Some(fact) = change {
            self.take(at, origin, &fact).unwrap_or_default();
        }
    }
}

/// Opens the checkpoints of a pack. Changes of the key are looked for only where a given key alone does not do.
pub struct Opener<'a> {
    trust: &'a Trust,
    line: Option<KeyLine>,
}

impl<'a> Opener<'a> {
    /// By what the reader gave.
    pub fn new(trust: &'a Trust) -> Self {
        Self { trust, line: None }
    }

    /// Opens a checkpoint that a trusted key must have signed.
    pub fn open<R: Read + Seek>(&mut self, pack: &mut Pack<R>, bytes: &[u8]) -> Result<Result<Signed, String>, PackError> {
        let direct = self.trust.open_signed(bytes, &KeyLine::default());
        if direct.is_ok() {
            return Ok(direct);
        }
        let line = match &mut self.line {
            Some(line) => line,
            none => {
                let (changes, origins) = changes_in(pack)?;
                none.insert(changes.line(&self.trust.given(&origins)).0)
            }
        };
        Ok(self.trust.open_signed(bytes, line))
    }

    /// How many changes the line has to which these signers of a log's checkpoint belong; 0: a given key signed it.
    pub fn changes_to(&self, origin: &str, by: &[[u8; 32]]) -> usize {
        let given = self.trust.raw_keys(origin);
        match &self.line {
            Some(line) if !by.iter().any(|key| given.contains(key)) => line.changes().len(),
            _ => 0,
        }
    }
}

/// The changes that a pack tells of, before anything else in it is looked at, and the names that its generations say to have.
fn changes_in<R: Read + Seek>(pack: &mut Pack<R>) -> Result<(Changes, Vec<String>), PackError> {
    let (mut changes, mut origins) = (Changes::default(), Vec::new());
    let mut prefixes: Vec<String> = (1..super::GENERATIONS_MAX)
        .map(|generation| format!("generation/{generation}/"))
        .take_while(|prefix| pack.has(&format!("{prefix}checkpoint")))
        .collect();
    prefixes.push(String::new());
    for (generation, prefix) in (1..).zip(prefixes) {
        let said = pack.read(&format!("{prefix}checkpoint"), 1 << 20)?.and_then(|bytes| Note::parse(&bytes).ok());
        let Some(said) = said.and_then(|note| note.text().parse::<Checkpoint>().ok()) else { continue };
        for bundle in entry_bundles(said.size) {
            let Some(bytes) = pack.read(&format!("{prefix}{}", bundle.path()), BUNDLE_MAX)? else { break };
            let entries = bundle_entries(&bytes).map_while(Result::ok);
            for (index, entry) in (bundle.number() * 256..).zip(entries) {
                changes.try_take((generation, index), &said.origin, entry);
            }
        }
        if prefix.is_empty() {
            changes_of_person(pack, &said.origin, &mut changes)?;
        }
        origins.push(said.origin);
    }
    Ok((changes, origins))
}

/// A pack of a person has them one by one, each under the number of its leaf.
fn changes_of_person<R: Read + Seek>(pack: &mut Pack<R>, origin: &str, changes: &mut Changes) -> Result<(), PackError> {
    let numbered = |name: &String| parse_decimal(name.strip_prefix("log/")?.strip_suffix(".json")?).map(|n| (n, name.clone()));
    let mut leaves: Vec<(u64, String)> = pack.names().iter().filter_map(numbered).collect();
    leaves.sort_unstable();
    for (index, name) in leaves {
        let entry = pack.read(&name, BYTES_MAX)?.unwrap_or_default();
        changes.try_take((1, index), origin, &entry);
    }
    Ok(())
}
