//! Anchors that are kept, looked at once more: a stamp is over its checkpoint's bytes and signed under the given root, and a
//! cosignature is its witness's. Whoever may write a row could have made one up.

use super::{Roots, stamp};
use crate::config::Settings;
use crate::evidence::EvidenceError;
use crate::store::anchor::{Anchor, AnchorKind};
use crate::store::audit::Finding;
use crate::store::unit::IncidentKey;
use crate::store::{Store, StoreError};
use duly_ledger::{Note, NoteSignature, Vkey, verify_cosignatures};
use uuid::Uuid;

/// Anchors read at once.
const PAGE: i64 = 500;

/// By what anchors are judged: the root of time stamps, if one is given, and the keys of the witnesses in the settings.
pub struct Judges {
    roots: Option<Roots>,
    witnesses: Vec<Vkey>,
}

impl Judges {
    /// Those that the settings name. Without a root only the imprint of stamps is looked at; a witness that is in the
    /// settings no more is not judged.
    pub fn open(settings: &Settings) -> Result<Self, EvidenceError> {
        let witnesses = &settings.anchors.witnesses;
        let keys = witnesses.iter().map(|(name, witness)| super::settings::vkey(name, witness)).collect::<Result<_, _>>()?;
        Ok(Self { roots: super::settings::roots(settings)?, witnesses: keys })
    }

    /// Anchors of the incident's log, its controller's and the system's that do not hold.
    pub async fn audit(&self, store: &Store, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let (mut findings, mut after) = (Vec::new(), Uuid::nil());
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
