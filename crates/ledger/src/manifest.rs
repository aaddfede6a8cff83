//! The manifest of a frozen list: one canonical line per person, strictly ascending, and its root.

use crate::hash::{leaf_hash, to_hex};
use crate::merkle::Frontier;
use std::collections::BTreeMap;

/// Why a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A field name outside lower-case letters, digits and `_`.
    #[error("a manifest field name is not plain ASCII")]
    FieldName,
    /// Lines must be strictly ascending by person.
    #[error("manifest line {line} does not ascend")]
    NotAscending {
        /// 1-based.
        line: u64,
    },
}

/// One person of a frozen list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestLine {
    /// Random id.
    pub person: [u8; 16],
    /// Field name (ASCII) to commitment.
    pub commitments: BTreeMap<String, [u8; 32]>,
}

impl ManifestLine {
    /// `{"c":{…},"p":"…"}` in the event's JSON profile, without a line end.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !self.commitments.keys().all(|field| field.bytes().all(plain)) {
            return Err(ManifestError::FieldName);
        }
        let fields: Vec<String> = self.commitments.iter().map(|(field, c)| format!("\"{field}\":\"{}\"", to_hex(c))).collect();
        Ok(format!("{{\"c\":{{{}}},\"p\":\"{}\"}}", fields.join(","), to_hex(&self.person)).into_bytes())
    }
}

/// Builds a manifest's root line by line.
#[derive(Debug, Default)]
pub struct ManifestBuilder {
    tree: Frontier,
    last: Option<[u8; 16]>,
}

impl ManifestBuilder {
    /// Adds a line; its person must be greater than the one before.
    pub fn push(&mut self, line: &ManifestLine) -> Result<(), ManifestError> {
        if self.last.is_some_and(|last| last >= line.person) {
            return Err(ManifestError::NotAscending { line: self.tree.size() + 1 });
        }
        let bytes = line.to_bytes()?;
        self.last = Some(line.person);
        self.tree.append(leaf_hash(&bytes));
        Ok(())
    }

    /// Number of lines.
    pub fn count(&self) -> u64 {
        self.tree.size()
    }

    /// RFC 6962 root over the lines.
    pub fn root(&self) -> [u8; 32] {
        self.tree.root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_golden_bytes_and_must_ascend() {
        let line = |id: u8| ManifestLine { person: [id; 16], commitments: BTreeMap::from([("phone".to_owned(), [0xab; 32])]) };
        let golden = format!("{{\"c\":{{\"phone\":\"{}\"}},\"p\":\"{}\"}}", "ab".repeat(32), "01".repeat(16));
        assert_eq!(line(1).to_bytes(), Ok(golden.into_bytes()));
        let mut builder = ManifestBuilder::default();
        assert_eq!(builder.push(&line(2)), Ok(()));
        assert_eq!(builder.push(&line(2)), Err(ManifestError::NotAscending { line: 2 }));
    }
}
