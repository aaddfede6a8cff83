//! Whom the reader trusts, and what those have signed. Never from the pack.

use super::report::{Anchor, Code, Finding, Findings};
use crate::checkpoint::Checkpoint;
use crate::note::{KeyKind, Note, NoteSignature, Vkey, verify_cosignatures};
use crate::policy::Policy;

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

    /// Opens a checkpoint that a trusted key must have signed.
    pub fn open(&self, bytes: &[u8]) -> Result<Checkpoint, String> {
        let claimed = Note::parse(bytes).map_err(|e| e.to_string())?;
        let claimed: Checkpoint = claimed.text().parse().map_err(|_| "the text is no checkpoint".to_owned())?;
        let keys = self.keys(&claimed.origin);
        if keys.is_empty() {
            return Err(format!("none of the given keys is one of the log `{}`", claimed.origin));
        }
        Checkpoint::open(bytes, &keys).map_err(|e| e.to_string())
    }

    /// Looks for cosignatures of the policy's witnesses; whether they suffice.
    pub fn witnessed(
        &self,
        size: u64,
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
                    anchors.push(Anchor { size, by: cosigned.name, at, is_verified: true, command: None });
                }
                Ok(None) => {}
                Err(error) => findings.push(Finding::new(Code::Witness, error.to_string())),
            }
        }
        policy.is_satisfied(|key| seen.contains(key))
    }
}
