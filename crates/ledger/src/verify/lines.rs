//! Lines of manifests and contents: one canonical spelling, strictly ascending, kept as columns.

use super::states::{Channel, Word};
use crate::hash::from_hex;
use crate::hash::leaf_hash;
use crate::merkle::Frontier;

/// Commitments that a verification compares, by person.
#[derive(Debug, Default)]
pub struct Columns {
    /// The people, strictly ascending.
    pub people: Vec<[u8; 16]>,
    by_channel: [Vec<[u8; 32]>; 3],
    references: Vec<[u8; 32]>,
    tree: Frontier,
}

/// Stands where a line has no such field: nobody can make a commitment of zeros.
const NONE: [u8; 32] = [0; 32];

impl Columns {
    /// Takes the next line.
    pub fn push(&mut self, line: &[u8]) -> Result<(), String> {
        let number = self.people.len() + 1;
        let (person, fields) = parse(line).ok_or_else(|| format!("line {number} is no canonical line"))?;
        if self.people.last().is_some_and(|last| *last >= person) {
            return Err(format!("line {number} does not ascend"));
        }
        self.people.push(person);
        let find = |name: &str| fields.iter().find(|(field, _)| *field == name).map_or(NONE, |(_, c)| *c);
        for (channel, column) in Channel::ALL.iter().zip(&mut self.by_channel) {
            column.push(find(channel.as_str()));
        }
        self.references.push(find("external_reference"));
        self.tree.append(leaf_hash(line));
        Ok(())
    }

    /// Lines.
    pub fn count(&self) -> u64 {
        self.tree.size()
    }

    /// RFC 6962 root over the lines.
    pub fn root(&self) -> [u8; 32] {
        self.tree.root()
    }

    /// Place of a person.
    pub fn find(&self, person: &[u8; 16]) -> Option<usize> {
        self.people.binary_search(person).ok()
    }

    /// The commitment to a number or address, or to a content.
    pub fn of_channel(&self, at: usize, channel: Channel) -> Option<&[u8; 32]> {
        self.by_channel.get(channel as usize)?.get(at).filter(|c| **c != NONE)
    }

    /// The commitment to the controller's own name of a person.
    pub fn reference(&self, at: usize) -> Option<&[u8; 32]> {
        self.references.get(at).filter(|c| **c != NONE)
    }
}

type Fields<'a> = Vec<(&'a str, [u8; 32])>;

/// Reads `{"c":{"<field>":"<64 hex>",…},"p":"<32 hex>"}` and nothing else.
pub fn parse(line: &[u8]) -> Option<([u8; 16], Fields<'_>)> {
    parse_keyed(line, "c")
}

/// As `parse`, where the fields stand under another key.
pub fn parse_keyed<'a>(line: &'a [u8], key: &str) -> Option<([u8; 16], Fields<'a>)> {
    let text = std::str::from_utf8(line).ok()?;
    let text = text.strip_prefix("{\"")?.strip_prefix(key)?.strip_prefix("\":{")?;
    let (fields, person) = text.split_once("},\"p\":\"")?;
    let person = from_hex(person.strip_suffix("\"}")?)?;
    let mut read: Fields = Vec::new();
    for field in fields.split(',').filter(|_| !fields.is_empty()) {
        let (name, value) = field.strip_prefix('"')?.strip_suffix('"')?.split_once("\":\"")?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_name || read.last().is_some_and(|(last, _)| *last >= name) {
            return None;
        }
        read.push((name, from_hex(value)?));
    }
    Some((person, read))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::manifest::{ManifestBuilder, ManifestLine};
    use std::collections::BTreeMap;

    fn line(id: u8) -> ManifestLine {
        ManifestLine { person: [id; 16], commitments: BTreeMap::from([("letter".into(), [3; 32]), ("sms".into(), [4; 32])]) }
    }

    #[test]
    fn lines_are_read_as_the_builder_writes_them() {
        let (mut columns, mut builder) = (Columns::default(), ManifestBuilder::default());
        for id in 1..4 {
            columns.push(&line(id).to_bytes().unwrap()).unwrap();
            builder.push(&line(id)).unwrap();
        }
        assert_eq!((columns.root(), columns.count()), (builder.root(), 3));
        assert_eq!(columns.of_channel(1, Channel::Sms), Some(&[4; 32]));
        assert_eq!(columns.of_channel(1, Channel::Email), None);
        assert_eq!(columns.find(&[3; 16]), Some(2));
        assert!(columns.push(&line(3).to_bytes().unwrap()).is_err());
        let nobody = ManifestLine { person: [9; 16], commitments: BTreeMap::new() }.to_bytes().unwrap();
        assert_eq!(columns.push(&nobody), Ok(()));
    }

    #[test]
    fn another_spelling_of_a_line_is_refused() {
        let text = String::from_utf8(line(1).to_bytes().unwrap()).unwrap();
        assert!(parse(text.as_bytes()).is_some());
        for other in [
            text.replace("\"p\"", " \"p\""),
            text.replace("sms", "lam"),
            text.replace("sms", "letter"),
            text.replace("sms", "SMS"),
            text.replace("0404", "04"),
            text.replace("0303", "030A"),
            text.replace("},", ",},"),
            format!("{text} "),
            format!("{text}{text}"),
            text.replace("{\"letter", "{,\"letter"),
        ] {
            assert!(parse(other.as_bytes()).is_none(), "{other}");
        }
    }
}
