//! Anchors and checkpoints that are kept, looked at once more: a stamp is over its checkpoint's bytes and signed under the
//! given root, a cosignature is its witness's, and a note is signed by the log's key. Whoever may write a row could have
//! made one up.

use super::{Roots, stamp};
use crate::config::Settings;
use crate::evidence::EvidenceError;
use crate::store::anchor::{Anchor, AnchorKind, StoredNote};
use crate::store::audit::Finding;
use crate::store::unit::IncidentKey;
use crate::store::{Store, StoreError};
use duly_ledger::{Note, NoteSignature, Signer, Vkey, verify_cosignatures};
use uuid::Uuid;

/// Anchors read at once.
const PAGE: i64 = 500;

/// By what anchors are judged: the root of time stamps, if one is given, and the keys of the witnesses in the settings;
/// and by what checkpoints are, the log's key.
pub struct Judges {
    roots: Option<Roots>,
    witnesses: Vec<Vkey>,
    log_key: Option<[u8; 32]>,
}

impl Judges {
    /// Those that the settings name. Without a root only the imprint of stamps is looked at; a witness that is in the
    /// settings no more is not judged. Where the log's key is not at hand the notes of checkpoints are not opened.
    pub fn open(settings: &Settings) -> Result<Self, EvidenceError> {
        let witnesses = &settings.anchors.witnesses;
        let keys = witnesses.iter().map(|(name, witness)| super::settings::vkey(name, witness)).collect::<Result<_, _>>()?;
        let log_key = settings.log_key().ok().map(|key| *key.bytes());
        Ok(Self { roots: super::settings::roots(settings)?, witnesses: keys, log_key })
    }

    /// Whether the log's key is at hand, so that the notes of checkpoints are opened.
    pub fn opens_notes(&self) -> bool {
        self.log_key.is_some()
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

    /// Checkpoints that the log's key did not sign, under the log's name and over what their rows say.
    async fn audit_notes(&self, store: &Store, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let Some(seed) = &self.log_key else { return Ok(Vec::new()) };
        let (mut findings, mut after) = (Vec::new(), (0, 0, 0));
        loop {
            let rows = store.list_notes_around(incident, after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(findings) };
            after = (last.log_no, last.generation, last.size);
            let bad = rows.iter().filter(|row| !is_signed(row, seed));
            findings.extend(bad.map(|row| Finding {
                code: "checkpoint_not_signed",
                place: format!("size {} of log {}, generation {}", row.size, row.log_no, row.generation),
            }));
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

fn is_signed(row: &StoredNote, seed: &[u8; 32]) -> bool {
    let opened = Signer::new(&row.origin, seed).ok().and_then(|signer| signer.open(row.note.as_bytes()).ok());
    opened.is_some_and(|checkpoint| {
        checkpoint.origin == row.origin
            && i64::try_from(checkpoint.size) == Ok(row.size)
            && checkpoint.root.as_slice() == row.root
    })
}
