//! Another key for a log that goes on: an event that both keys sign, and the line of keys that such events make.
//!
//! Whoever trusts one key of the line can follow it to all others, each for the sizes at which it was in force.

use crate::event::Event;
use crate::hash::{from_hex, to_hex};
use crate::key::verify_ed25519;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value, json};

/// The kind of its event.
pub const KEY_CHANGED: &str = "log.key_changed";
/// Most changes of one log that are looked at: each costs two signatures.
pub(crate) const KEY_CHANGES_MAX: usize = 1000;

/// Why a change of the key does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyChangeError {
    /// Fields are missing, or of another form.
    #[error("it says no change of a log's key")]
    Malformed,
    /// It was made for another place in the log.
    #[error("its `size` is not the number of leaves before it")]
    Size,
    /// One of the two did not sign, or for another log.
    #[error("the signature of its {0} key does not hold")]
    Signature(&'static str),
    /// The key that it ends is not the one that signs.
    #[error("it leads from no key of this log that is known, or from one that was not in force")]
    NotInForce,
    /// No other key.
    #[error("its new key is the old one")]
    Returned,
    /// More than anybody changes a key.
    #[error("the log's key was changed more than 1000 times")]
    TooMany,
}

/// A change that both keys signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChange {
    /// Leaves before it: checkpoints that are larger are the new key's.
    pub size: u64,
    /// Ed25519 public key that signed until then.
    pub old: [u8; 32],
    /// Ed25519 public key that signs from then on.
    pub new: [u8; 32],
}

/// What an event says, believed by nobody yet.
pub(crate) struct Said {
    pub change: KeyChange,
    pub old_signature: [u8; 64],
    pub new_signature: [u8; 64],
}

impl KeyChange {
    /// The detail of the event that stands at leaf `size` of a log, by the seeds of both keys.
    pub fn sign(origin: &str, size: u64, old: &[u8; 32], new: &[u8; 32]) -> Map<String, Value> {
        let (old, new) = (SigningKey::from_bytes(old), SigningKey::from_bytes(new));
        let change = Self { size, old: old.verifying_key().to_bytes(), new: new.verifying_key().to_bytes() };
        let text = change.text(origin);
        let signature = |key: &SigningKey| json!(to_hex(&key.sign(text.as_bytes()).to_bytes()));
        let fields = [
            ("new", json!(to_hex(&change.new))),
            ("new_signature", signature(&new)),
            ("old", json!(to_hex(&change.old))),
            ("old_signature", signature(&old)),
            ("size", json!(size)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Reads the event at a leaf of a log; both signatures must hold, over this log's name and this place.
    pub fn read(event: &Event, origin: &str, index: u64) -> Result<Self, KeyChangeError> {
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str);
        let said = || {
            Some(Said {
                change: Self {
                    size: event.detail.get("size")?.as_u64()?,
                    old: from_hex(text("old")?)?,
                    new: from_hex(text("new")?)?,
                },
                old_signature: from_hex(text("old_signature")?)?,
                new_signature: from_hex(text("new_signature")?)?,
            })
        };
        if event.kind != KEY_CHANGED {
            Err(KeyChangeError::Malformed)
        } else {
            said().ok_or(KeyChangeError::Malformed)?.verified(origin, index)
        }
    }

    /// What both keys sign.
    fn text(&self, origin: &str) -> String {
        format!("duly/log-key/v1\n{origin}\n{}\n{}\n{}\n", self.size, to_hex(&self.old), to_hex(&self.new))
    }
}

impl Said {
    pub(crate) fn verified(&self, origin: &str, index: u64) -> Result<KeyChange, KeyChangeError> {
        if self.change.size != index {
            return Err(KeyChangeError::Size);
        }
        let text = self.change.text(origin);
        for (name, key, signature) in
            [("old", &self.change.old, &self.old_signature), ("new", &self.change.new, &self.new_signature)]
        {
            if !verify_ed25519(key, text.as_bytes(), signature) {
                return Err(KeyChangeError::Signature(name));
            }
        }
        Ok(self.change)
    }
}

/// Changes that hold each for itself, as lines of keys: whose line the log's is, only a key from elsewhere can tell.
#[derive(Debug, Clone, Default)]
pub struct KeyLines {
    lines: Vec<KeyLine>,
    count: usize,
}

impl KeyLines {
    /// Goes on with the next change of a log, in a generation of it.
    pub fn push(&mut self, generation: u64, change: KeyChange) -> Result<(), KeyChangeError> {
        self.count += 1;
        if self.count > KEY_CHANGES_MAX {
            return Err(KeyChangeError::TooMany);
        }
        if change.new == change.old {
            return Err(KeyChangeError::Returned);
        }
        // A key does not come back: whoever got hold of it since would.
        let goes_on = |line: &&mut KeyLine| line.newest() == Some(change.old) && !line.keys().any(|key| key == change.new);
        match self.lines.iter_mut().find(goes_on) {
            Some(line) => line.changes.push((generation, change)),
            None => self.lines.push(KeyLine { changes: vec![(generation, change)] }),
        }
        Ok(())
    }

    /// The log's line: the first one with a key of which this is true. Without one no change counts.
    pub fn line(&self, is_trusted: impl Fn(&[u8; 32]) -> bool) -> KeyLine {
        self.lines.iter().find(|line| line.keys().any(|key| is_trusted(&key))).cloned().unwrap_or_default()
    }

    /// Every line.
    pub fn all(&self) -> &[KeyLine] {
        &self.lines
    }
}

/// The keys of a log one after the other, over all its generations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyLine {
    changes: Vec<(u64, KeyChange)>,
}

impl KeyLine {
    /// The key that signs checkpoints of this size of a generation; `None`: the key was never changed.
    pub fn in_force(&self, generation: u64, size: u64) -> Option<[u8; 32]> {
        let before = self.changes.iter().rev().find(|(of, change)| (*of, change.size) < (generation, size));
        before.map(|(_, change)| change.new).or_else(|| self.changes.first().map(|(_, change)| change.old))
    }

    /// The key that signs now; `None`: the key was never changed.
    pub fn newest(&self) -> Option<[u8; 32]> {
        self.changes.last().map(|(_, change)| change.new)
    }

    /// All of them, oldest first; none where the key was never changed.
    pub fn keys(&self) -> impl Iterator<Item = [u8; 32]> {
        self.changes.first().map(|(_, change)| change.old).into_iter().chain(self.changes.iter().map(|(_, change)| change.new))
    }

    /// The changes with their generations, oldest first.
    pub fn changes(&self) -> &[(u64, KeyChange)] {
        &self.changes
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ORIGIN: &str = "duly.test/log";

    fn event(size: u64, old: u8, new: u8) -> Event {
        Event {
            id: "019355a0-0000-7000-8000-000000000001".into(),
            inc: "019355a0-0000-7000-8000-000000000002".into(),
            kind: KEY_CHANGED.into(),
            n: None,
            person: None,
            prev: None,
            at_micros: 0,
            detail: KeyChange::sign(ORIGIN, size, &[old; 32], &[new; 32]),
        }
    }

    fn change(size: u64, old: u8, new: u8) -> KeyChange {
        KeyChange::read(&event(size, old, new), ORIGIN, size).unwrap()
    }

    #[test]
    fn a_change_counts_for_its_own_log_at_its_own_place_and_by_both_signatures() {
        let read = |event: &Event, origin: &str, index: u64| KeyChange::read(event, origin, index).map(|change| change.size);
        assert_eq!(read(&event(7, 1, 2), ORIGIN, 7), Ok(7));
        assert_eq!(read(&event(7, 1, 2), ORIGIN, 8), Err(KeyChangeError::Size));
        assert_eq!(read(&event(7, 1, 2), "duly.test/log/2", 7), Err(KeyChangeError::Signature("old")));
        for (field, by) in [("old_signature", "old"), ("new_signature", "new")] {
            let mut one_only = event(7, 1, 2);
            one_only.detail.insert(field.into(), event(7, 3, 4).detail[field].clone());
            assert_eq!(read(&one_only, ORIGIN, 7), Err(KeyChangeError::Signature(by)));
            one_only.detail.remove(field);
            assert_eq!(read(&one_only, ORIGIN, 7), Err(KeyChangeError::Malformed));
        }
    }

    #[test]
    fn each_size_has_the_one_key_that_was_in_force_at_it() {
        let line = KeyLine::default();
        assert_eq!((line.in_force(1, 9), line.newest()), (None, None));
        let (first, second, third) = (change(7, 1, 2), change(9, 2, 3), change(1, 3, 4));
        let line = line_of(&[(1, first), (1, second), (2, third)], second.new);
        for (generation, size, key) in [
            (1, 0, first.old),
            (1, 7, first.old),
            (1, 8, first.new),
            (1, 9, first.new),
            (1, 10, second.new),
            (2, 1, second.new),
            (2, 2, third.new),
            (3, 0, third.new),
        ] {
            assert_eq!(line.in_force(generation, size), Some(key), "{generation} {size}");
        }
        assert_eq!(line.keys().collect::<Vec<_>>(), [first.old, first.new, second.new, third.new]);
    }

    fn line_of(changes: &[(u64, KeyChange)], trusted: [u8; 32]) -> KeyLine {
        let mut lines = KeyLines::default();
        changes.iter().for_each(|(generation, change)| lines.push(*generation, *change).unwrap());
        lines.line(|key| *key == trusted)
    }

    #[test]
    fn a_line_has_no_gap_and_no_key_comes_back_and_strangers_make_lines_of_their_own() {
        let (own, stranger) = (change(7, 1, 2), change(3, 8, 9));
        for other in [stranger, change(9, 1, 3), change(9, 2, 1), change(3, 9, 8)] {
            let mut changes = [(1, own), (1, other)];
            changes.sort_by_key(|(_, change)| change.size);
            for trusted in [own.old, own.new] {
                assert_eq!(line_of(&changes, trusted).changes(), [(1, own)], "{other:?}");
            }
        }
        assert_eq!(line_of(&[(1, own)], stranger.old), KeyLine::default());
        assert_eq!(KeyLines::default().push(1, change(7, 1, 1)), Err(KeyChangeError::Returned));
    }
}
