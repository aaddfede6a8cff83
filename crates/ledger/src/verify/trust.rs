//! Whom the reader trusts, and what those have signed. Never from the pack.

use super::report::{Anchor, Code, Finding, Findings};
use super::signed::Signed;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::from_hex;
use crate::key::{KeyKind, Vkey};
use crate::key_change::KeyLine;
use crate::note::{Note, NoteError, NoteSignature, verify_cosignatures};
use crate::policy::Policy;
use std::path::Path;

/// Keys obtained from elsewhere than the pack.
#[derive(Debug, Clone)]
pub enum Trust {
    /// A raw Ed25519 public key, under whatever name it signs.
    Key([u8; 32]),
    /// Keys with names; a log's key also speaks for the later generations of that log.
    Vkeys(Vec<Vkey>),
    /// Logs, witnesses and a quorum.
    Policy(Policy),
}

impl Trust {
    /// A vkey, an Ed25519 public key in 64 hexadecimal digits, or a file with one or with vkeys, one a line.
    pub fn named(key: &str) -> Result<Self, String> {
        let path = Path::new(key);
        let text = if path.is_file() { text_of(path)? } else { key.to_owned() };
        let text = text.trim();
        if let Some(key) = from_hex(&text.to_ascii_lowercase()) {
            return Ok(Self::Key(key));
        }
        let vkeys: Result<Vec<Vkey>, _> = text.lines().map(|line| line.trim().parse()).collect();
        match vkeys {
            Ok(vkeys) if !vkeys.is_empty() => Ok(Self::Vkeys(vkeys)),
            _ => Err("the key names no file, and is no vkey and no public key of 64 hexadecimal digits".into()),
        }
    }

    /// A file with a C2SP tlog-policy.
    pub fn policy_file(path: &Path) -> Result<Self, String> {
        Policy::parse(&text_of(path)?).map(Self::Policy).map_err(|e| e.to_string())
    }

    /// Keys that may sign for this origin.
    fn keys(&self, origin: &str) -> Vec<Vkey> {
        let vkeys = match self {
            Self::Key(key) => return Vkey::new(origin, KeyKind::Note, key).into_iter().collect(),
            Self::Vkeys(vkeys) => vkeys.as_slice(),
            Self::Policy(policy) => policy.logs(),
        };
        let is_later = |name: &str| {
            let generation = origin.strip_prefix(name).and_then(|rest| rest.strip_prefix('/'));
            generation.is_some_and(|g| g.parse::<u64>().is_ok_and(|n| n > 1 && n.to_string() == g))
        };
        let of = vkeys.iter().filter(|key| key.name() == origin || is_later(key.name()));
        of.filter_map(|key| Vkey::new(origin, key.kind(), key.key()).ok()).collect()
    }

    /// The same without names.
    pub(super) fn raw_keys(&self, origin: &str) -> Vec<[u8; 32]> {
        self.keys(origin).iter().filter_map(|key| key.key().try_into().ok()).collect()
    }

    /// Those of any generation of a log.
    pub(super) fn given(&self, origins: &[String]) -> Vec<[u8; 32]> {
        origins.iter().flat_map(|origin| self.raw_keys(origin)).collect()
    }

    /// Opens a checkpoint that a given key must have signed.
    pub fn open(&self, bytes: &[u8]) -> Result<Checkpoint, String> {
        self.open_signed(bytes, &KeyLine::default()).map(|signed| signed.checkpoint)
    }

    /// Opens a checkpoint that a given key must have signed, or any of the log's line of keys if a given one is of it.
    pub(super) fn open_signed(&self, bytes: &[u8], line: &KeyLine) -> Result<Signed, String> {
        let claimed = Note::parse(bytes).map_err(|e| e.to_string())?;
        let claimed: Checkpoint = claimed.text().parse().map_err(|_| "the text is no checkpoint".to_owned())?;
        let mut keys = self.keys(&claimed.origin);
        if keys.is_empty() {
            return Err(format!("none of the given keys is one of the log `{}`", claimed.origin));
        }
        let given = self.raw_keys(&claimed.origin);
        if line.keys().any(|key| given.contains(&key)) {
            let further = line.keys().filter(|key| !given.contains(key));
            keys.extend(further.filter_map(|key| Vkey::new(&claimed.origin, KeyKind::Note, &key).ok()));
        }
        let (checkpoint, by) = Checkpoint::open_signed(bytes, &keys).map_err(|e| unsigned(&e))?;
        Ok(Signed { checkpoint, by: by.into_iter().filter_map(|key| key.key().try_into().ok()).collect() })
    }

    /// Whether the reader's policy demands that witnesses have seen a checkpoint.
    pub fn needs_witnesses(&self) -> bool {
        matches!(self, Self::Policy(policy) if policy.needs_witnesses())
    }

    /// Looks for cosignatures of the policy's witnesses; whether they suffice.
    pub fn witnessed(
        &self,
        checkpoint: &Checkpoint,
        note: &Note,
        more: &[NoteSignature],
        anchors: &mut Vec<Anchor>,
        findings: &mut Findings,
    ) -> bool {
        let Self::Policy(policy) = self else { return true };
        let lines: Vec<NoteSignature> = note.signatures().iter().chain(more).cloned().collect();
        let mut seen = Vec::new();
        for (_, key) in policy.witnesses() {
            match verify_cosignatures(note.text(), &lines, key) {
                Ok(Some(cosigned)) => {
                    seen.push(key.clone());
                    let at = super::time_of_seconds(cosigned.at_seconds);
                    let Checkpoint { origin, size, root, .. } = checkpoint.clone();
                    let by = cosigned.name;
                    anchors.push(Anchor { origin, size, root, by, at, is_verified: true, command: None, newest: None });
                }
                Ok(None) => {}
                Err(error) => findings.push(Finding::new(Code::Witness, error.to_string())),
            }
        }
        policy.is_satisfied(|key| seen.contains(key))
    }
}

/// Keys of people: 64 hexadecimal digits, or a file with one as the first word of each line that is no comment.
pub fn public_keys(named: &str) -> Result<Vec<[u8; 32]>, String> {
    let path = Path::new(named);
    let text = if path.is_file() { text_of(path)? } else { named.to_owned() };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key = |line: &str| line.split_whitespace().next().and_then(|word| from_hex(&word.to_ascii_lowercase()));
    let keys: Option<Vec<[u8; 32]>> = lines.map(key).collect();
    keys.filter(|keys| !keys.is_empty())
        .ok_or_else(|| format!("`{named}` is no file with keys, and no key of 64 hexadecimal digits"))
}

/// Why none of the keys opens a checkpoint; a log's key may have been changed since.
fn unsigned(error: &CheckpointError) -> String {
    match error {
        CheckpointError::Note(NoteError::Unsigned) => {
            format!("{error}; if it is from before the log's key was changed to yours, ask for the key of that time")
        }
        other => other.to_string(),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read as text: {error}", path.display()))
}
