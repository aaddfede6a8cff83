//! The keys that sign the logs: the one in use, and one that takes its place, log by log.
//!
//! Which key was in force at a size is known from the log's own events alone. So an old key, once its seed is gone, still
//! counts for what it signed, and for nothing that it signs afterwards.

use super::{Archive, EvidenceError};
use crate::config::{Settings, SettingsError};
use crate::store::log::u64_of;
use crate::store::log_key::PlacedChange;
use crate::store::sequencing::LogHead;
use duly_ledger::{Checkpoint, Event, KeyChange, KeyKind, KeyLine, KeyLines, Note, NoteError, Signer, Vkey, public_key};
use serde_json::{Map, Value};

/// A raw Ed25519 public key.
pub type PublicKey = [u8; 32];

/// The private keys at hand.
pub struct LogKeys {
    current: [u8; 32],
    next: Option<[u8; 32]>,
}

impl LogKeys {
    /// Those of the settings; the second one, if there is one, must be another.
    pub fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let (current, next) = (*settings.log_key()?.bytes(), settings.log_next_key()?.map(|key| *key.bytes()));
        if next == Some(current) {
            let what = "is the key of keys.log_file: name the file of another key, as `duly log new-key` makes it, or none";
            return Err(SettingsError::Refused { key: "keys.log_next_file".to_owned(), origin: None, what });
        }
        Ok(Self { current, next })
    }

    /// The key under which new logs begin, and to which the others go.
    pub fn newest(&self) -> PublicKey {
        public_key(&self.next.unwrap_or(self.current))
    }

    /// The key to which all logs are to go on, if the settings name one.
    pub fn next(&self) -> Option<PublicKey> {
        self.next.as_ref().map(public_key)
    }

    /// The public halves of all of them.
    pub fn public(&self) -> Vec<PublicKey> {
        [Some(&self.current), self.next.as_ref()].into_iter().flatten().map(public_key).collect()
    }

    fn seed(&self, key: &PublicKey) -> Option<&[u8; 32]> {
        [Some(&self.current), self.next.as_ref()].into_iter().flatten().find(|seed| public_key(seed) == *key)
    }

    /// Signs under a log's name with one of them.
    pub fn signer(&self, origin: &str, key: &PublicKey) -> Result<Signer, EvidenceError> {
        let missing = || EvidenceError::KeyMissing { origin: origin.to_owned(), key: hex::encode(key) };
        Ok(Signer::new(origin, self.seed(key).ok_or_else(missing)?)?)
    }

    /// What the event says that lets a log of this size go on under the next key; `None` where it need not.
    pub fn change(&self, line: &KeyLine, origin: &str, size: u64, in_force: &PublicKey) -> Option<Map<String, Value>> {
        let (old, next) = (self.seed(in_force)?, self.next?);
        let is_due = public_key(&next) != *in_force && !line.keys().any(|key| key == public_key(&next));
        is_due.then(|| KeyChange::sign(origin, size, old, &next))
    }
}

/// The line of keys that a log's events make from one of these; what does not count among them the audit finds.
pub fn line_of(changes: &[PlacedChange], ours: &[PublicKey]) -> KeyLine {
    lines_of(changes).line(|key| ours.contains(key))
}

/// Refuses a key for what begins anew, if a log with these changes went from it to another.
pub fn refuse_retired(changes: &[PlacedChange], origin: &str, key: &PublicKey) -> Result<(), EvidenceError> {
    match line_of(changes, &[*key]).newest() {
        Some(newest) if newest != *key => {
            Err(EvidenceError::KeyRetired { origin: origin.to_owned(), key: hex::encode(key), newest: hex::encode(newest) })
        }
        _ => Ok(()),
    }
}

/// All that hold each for itself.
pub fn lines_of(changes: &[PlacedChange]) -> KeyLines {
    let mut lines = KeyLines::default();
    for change in changes {
        let read = Event::parse(&change.body).ok().and_then(|e| KeyChange::read(&e, &change.origin, u64_of(change.seq)).ok());
        // As every verifier reads it: one that does not hold changes nothing.
        if let Some(read) = read {
            lines.push(u64_of(change.generation.into()), read).unwrap_or_default();
        }
    }
    lines
}

/// Whose signature counts under checkpoints of a log.
pub struct Known {
    /// Changes of its key.
    pub line: KeyLine,
    ours: Vec<PublicKey>,
    /// How far this database knows the log: generation and leaves.
    as_far_as: (i32, u64),
}

impl Known {
    /// By the log's changes, and where these say nothing by the keys at hand.
    pub fn new(changes: &[PlacedChange], keys: &LogKeys, generation: i32, size: i64) -> Self {
        let ours = keys.public();
        Self { line: line_of(changes, &ours), ours, as_far_as: (generation, u64_of(size)) }
    }

    /// Keys of which one must have signed at this size. Beyond what is known here another change may have been
    /// published, to a key of ours that is not an old one of this log.
    fn counting(&self, generation: i32, size: u64) -> Vec<PublicKey> {
        let in_force = self.line.in_force(u64_of(generation.into()), size);
        if in_force.is_some() && (generation, size) <= self.as_far_as {
            return in_force.into_iter().collect();
        }
        let further = self.ours.iter().copied().filter(|key| !self.line.keys().any(|old| old == *key));
        in_force.into_iter().chain(further).collect()
    }

    /// Opens a checkpoint of a generation, and names the key that signed it.
    pub fn open(&self, origin: &str, generation: i32, note: &[u8]) -> Option<(Checkpoint, PublicKey)> {
        let said: Checkpoint = Note::parse(note).ok()?.text().parse().ok()?;
        let keys = self.counting(generation, said.size);
        let (checkpoint, by) = open_by(origin, note, &keys).ok()?;
        (checkpoint.origin == origin).then_some((checkpoint, by))
    }

    /// The key that signs the log now; `None` where it is none of ours and no change leads to it.
    pub fn in_force(&self, head: &LogHead, keys: &LogKeys) -> Option<PublicKey> {
        if let Some(key) = self.line.newest() {
            return Some(key);
        }
        if head.note.is_empty() {
            return Some(keys.newest());
        }
        open_by(&head.origin, head.note.as_bytes(), &self.ours).ok().map(|(_, key)| key)
    }
}

impl Archive {
    /// What is known of a log's keys.
    pub async fn known(&self, head: &LogHead) -> Result<Known, EvidenceError> {
        let changes = self.store.list_key_changes(head.log_no).await?;
        Ok(Known::new(&changes, self.keys(), head.generation, head.size))
    }

    /// Every key that signs or once signed a generation of a log, newest first.
    pub async fn signing(&self, head: &LogHead, (generation, origin): (i32, &str)) -> Result<Vec<Signing>, EvidenceError> {
        let known = self.known(head).await?;
        let number = u64_of(generation.into());
        let first = known.line.in_force(number, 0).or_else(|| known.in_force(head, self.keys()));
        let first = first.ok_or_else(|| EvidenceError::KeyUnknown { origin: origin.to_owned() })?;
        let here = known.line.changes().iter().filter(|(of, _)| *of == number);
        let mut keys: Vec<(u64, PublicKey)> = here.map(|(_, change)| (change.size + 1, change.new)).collect();
        keys.insert(0, (1, first));
        let signing = |(from_size, key): (u64, PublicKey)| {
            Ok(Signing { vkey: Vkey::new(origin, KeyKind::Note, &key)?, generation, from_size, key })
        };
        keys.into_iter().rev().map(signing).collect()
    }
}

/// A key of a log, and from which size of a generation on it signs, until a later one does.
pub struct Signing {
    /// Under the generation's name.
    pub vkey: Vkey,
    /// Generation.
    pub generation: i32,
    /// Leaves under the first checkpoint that is its own.
    pub from_size: u64,
    /// The same without a name.
    pub key: PublicKey,
}

/// Opens a checkpoint that one of these keys must have signed.
pub fn open_by(origin: &str, note: &[u8], keys: &[PublicKey]) -> Result<(Checkpoint, PublicKey), NoteError> {
    for key in keys {
        let vkey = Vkey::new(origin, KeyKind::Note, key)?;
        if let Ok(checkpoint) = Checkpoint::open(note, &[vkey]) {
            return Ok((checkpoint, *key));
        }
    }
    Err(NoteError::Unsigned)
}
