//! C2SP tlog-checkpoint: what a log says of itself at one size, without extension lines.

use crate::key::Vkey;
use crate::note::{Note, NoteError};
use crate::proof::{parse_decimal, parse_hash};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::str::FromStr;

/// Why a checkpoint is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not three lines: origin, size, root.
    #[error("the text is no checkpoint")]
    Malformed,
    /// Signed, but not by a key of that log's name.
    #[error("the log `{0}` has not signed its checkpoint")]
    Origin(String),
}

/// Origin, size and root of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// RFC 6962 root.
    pub root: [u8; 32],
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64_STANDARD.encode(self.root))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let is_origin = !origin.is_empty() && !origin.chars().any(char::is_control);
            if !is_origin || lines.next().is_some() {
                return None;
            }
            Some(Self { origin: origin.to_owned(), size: parse_decimal(size)?, root: parse_hash(root)? })
        };
        read().ok_or(CheckpointError::Malformed)
    }
}

impl Checkpoint {
    /// Opens a signed checkpoint: one of `keys` must have signed it under the log's own name.
    pub fn open(note: &[u8], keys: &[Vkey]) -> Result<Self, CheckpointError> {
        Self::open_signed(note, keys).map(|(checkpoint, _)| checkpoint)
    }

    /// The same with those of the keys that signed it under the log's own name.
    pub fn open_signed<'k>(note: &[u8], keys: &'k [Vkey]) -> Result<(Self, Vec<&'k Vkey>), CheckpointError> {
        let note = Note::parse(note)?;
        let mut signed = note.verify(keys)?;
        let checkpoint: Self = note.text().parse()?;
        signed.retain(|key| key.name() == checkpoint.origin);
        if signed.is_empty() { Err(CheckpointError::Origin(checkpoint.origin)) } else { Ok((checkpoint, signed)) }
    }
}
