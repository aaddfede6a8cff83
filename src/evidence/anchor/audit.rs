//! Anchors and checkpoints that are kept, looked at once more: a stamp is over its checkpoint's bytes and signed under the
//! given root, a cosignature is its witness's, and a note is signed by the log's key. Whoever may write a row could have
//! made one up.

use super::{Roots, stamp};
use crate::config::Settings;
use crate::evidence::EvidenceError;
use crate::evidence::keys::{LogKeys, PublicKey, line_of, open_by};
use crate::store::anchor::{Anchor, AnchorKind, StoredNote};
use crate::store::audit::Finding;
use crate::store::log::u64_of;
use crate::store::unit::IncidentKey;
use crate::store::{Store, StoreError};
use duly_ledger::{KeyLine, Note, NoteSignature, Vkey, verify_cosignatures};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use uuid::Uuid;

/// Anchors read at once.
const PAGE: i64 = 500;

/// By what anchors are judged: the root of time stamps, if one is given, and the keys of the witnesses in the settings;
/// and by what checkpoints are: the logs' keys, and those to which a log's own events lead from them.
pub struct Judges {
    roots: Option<Roots>,
    witnesses: Vec<Vkey>,
    log_keys: Vec<PublicKey>,
}

impl Judges {
    /// Those that the settings name. Without a root only the imprint of stamps is looked at; a witness that is in the
    /// settings no more is not judged. Where the logs' key is not at hand the notes of checkpoints are not opened.
    pub fn open(settings: &Settings) -> Result<Self, EvidenceError> {
        let witnesses = &settings.anchors.witnesses;
        let keys = witnesses.iter().map(|(name, witness)| super::settings::vkey(name, witness)).collect::<Result<_, _>>()?;
        let log_keys = LogKeys::open(settings).map(|keys| keys.public()).unwrap_or_default();
        Ok(Self { roots: super::settings::roots(settings)?, witnesses: keys, log_keys })
    }

    /// Whether the logs' key is at hand, so that the notes of checkpoints are opened.
    pub fn opens_notes(&self) -> bool {
        !self.log_keys.is_empty()
    }

    /// Anchors and checkpoints of the incident's log, its controller's and the system's that do not hold.
    pub async fn audit(&self, store: &Store, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let (mut findings, mut after) = (self.audit_notes(store, incident).await?, Uuid::nil());
        loop {
            let rows = store.list_anchors_around(incident, after, PAGE).await?;
            let Some((last, _)) = rows.last() else { return Ok(findings) };
            after = *last;
            let bad = rows.iter().filter(|(_, anchor)| !self.holds(anchor));
            findings.extend(bad.map(|(_, anchor)| Finding {
                code: "anchor_not_valid",
                place: format!("{} {} at {}", anchor.kind, anchor.name, anchor.size),
            }));
        }
    }

    /// Checkpoints that the log's key at their size did not sign, under the log's name and over what their rows say.
    async fn audit_notes(&self, store: &Store, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let (mut findings, mut after, mut logs) = (Vec::new(), (0, 0, 0), HashMap::new());
        loop {
            let rows = store.list_notes_around(incident, after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(findings) };
            after = (last.log_no, last.generation, last.size);
            for row in &rows {
                let signers = match logs.entry(row.log_no) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(empty) => {
                        let line = line_of(&store.list_key_changes(row.log_no).await?, &self.log_keys);
                        empty.insert(Signers { line, keys: self.log_keys.clone() })
                    }
                };
                if !signers.have_signed(row) {
                    findings.push(Finding {
                        code: "checkpoint_not_signed",
                        place: format!("size {} of log {}, generation {}", row.size, row.log_no, row.generation),
                    });
                }
            }
        }
    }

    fn holds(&self, anchor: &Anchor) -> bool {
        if anchor.kind == AnchorKind::Tsa.word() {
            return stamp::check(&anchor.response, &anchor.checkpoint, self.roots.as_ref(), None).is_ok();
        }
        let lines = std::str::from_utf8(&anchor.response).ok();
        let lines = lines.and_then(|text| text.lines().map(|line| line.parse().ok()).collect::<Option<Vec<NoteSignature>>>());
        let (Some(lines), Ok(note)) = (lines, Note::parse(&anchor.checkpoint)) else { return false };
        let mut keys = self.witnesses.iter().filter(|key| key.name() == anchor.name).peekable();
        keys.peek().is_none() || keys.any(|key| verify_cosignatures(note.text(), &lines, key).is_ok_and(|seen| seen.is_some()))
    }
}

/// Who may have signed the checkpoints of a log.
struct Signers {
    line: KeyLine,
    /// Those of the settings; once one has signed, it alone: no change leads to another.
    keys: Vec<PublicKey>,
}

impl Signers {
    fn have_signed(&mut self, row: &StoredNote) -> bool {
        let in_force = self.line.in_force(u64_of(row.generation.into()), u64_of(row.size));
        let keys = in_force.map_or_else(|| self.keys.clone(), |key| vec![key]);
        if keys.is_empty() {
            return true;
        }
        let Ok((checkpoint, by)) = open_by(&row.origin, row.note.as_bytes(), &keys) else { return false };
        if in_force.is_none() {
            self.keys = vec![by];
        }
        checkpoint.origin == row.origin && checkpoint.size == u64_of(row.size) && checkpoint.root.as_slice() == row.root
    }
}
