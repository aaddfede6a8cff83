//! Checkpoints that others have seen: time stamps and cosignatures, each over a checkpoint that this log must have had.

use super::pack::{Pack, PackError};
use super::replay::Had;
use super::report::{Anchor, Claim, Code, Finding, Findings, RFC_3161, Report};
use super::signed::{Opener, Signed};
use super::stamp;
use super::trust::Trust;
use super::world::CLOCKS_DIFFER_MAX;
use crate::event::micros_of;
use crate::note::{Note, NoteSignature};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Seek};

/// Most anchors that are looked at.
const ANCHORS_MAX: usize = 1000;
/// Largest file of an anchor.
const BYTES_MAX: usize = 1 << 20;

/// A checkpoint that somebody anchored.
pub struct Anchored {
    /// Its entry in the pack.
    pub file: String,
    /// What it says; signed by a trusted key.
    pub signed: Signed,
}

/// Reads all anchors of a pack; which of them this log must have had is seen when it is replayed.
pub fn load<R: Read + Seek>(
    pack: &mut Pack<R>,
    (trust, opener): (&Trust, &mut Opener),
    found: &mut Vec<Anchor>,
    findings: &mut Findings,
) -> Result<Vec<Anchored>, PackError> {
    let mut anchored = Vec::new();
    for file in pack.names().iter().filter(|name| name.starts_with("anchors/")) {
        let is_stamped = file.strip_suffix("tsr").is_none_or(|stem| pack.has(&format!("{stem}checkpoint")));
        if !is_stamped {
            findings.push(Finding::new(Code::Anchor, "the checkpoint that it stamps is not beside it").file(file));
        }
    }
    for file in pack.names().iter().filter(|n| n.starts_with("anchors/") && n.ends_with(".checkpoint")).take(ANCHORS_MAX) {
        let bytes = pack.read(file, BYTES_MAX)?.unwrap_or_default();
        let signed = match opener.open(pack, &bytes)? {
            Ok(signed) => signed,
            Err(text) => {
                findings.push(Finding::new(Code::Anchor, text).file(file));
                continue;
            }
        };
        let stem = file.strip_suffix("checkpoint").unwrap_or_default();
        if stem != format!("anchors/{}.", signed.checkpoint.size) {
            findings.push(Finding::new(Code::Anchor, "its name is not the size of its checkpoint").file(file));
            continue;
        }
        if let Some(token) = pack.read(&format!("{stem}tsr"), BYTES_MAX)? {
            match stamp::time_of(&token, &Sha256::digest(&bytes).into()) {
                Ok(at) => found.push(Anchor {
                    origin: signed.checkpoint.origin.clone(),
                    size: signed.checkpoint.size,
                    root: signed.checkpoint.root,
                    by: RFC_3161.into(),
                    at,
                    is_verified: false,
                    command: Some(format!("openssl ts -verify -data {file} -in {stem}tsr -CAfile TSA-ROOT.pem")),
                    newest: None,
                }),
                Err(text) => findings.push(Finding::new(Code::Anchor, text).file(&format!("{stem}tsr"))),
            }
        }
        if let (Some(lines), Ok(note)) = (pack.text(&format!("{stem}cosig"))?, Note::parse(&bytes)) {
            let lines: Vec<NoteSignature> = lines.lines().filter_map(|line| line.parse().ok()).collect();
            trust.witnessed(&signed.checkpoint, &note, &lines, found, findings);
        }
        anchored.push(Anchored { file: file.clone(), signed });
    }
    Ok(anchored)
}

/// What a log had, by its name and size.
pub type Roots = BTreeMap<(String, u64), Option<Had>>;

/// After the replay: the newest time that an event under each anchor claims.
pub fn date(anchors: &mut [Anchor], roots: &Roots) {
    for anchor in anchors {
        let had = roots.get(&(anchor.origin.clone(), anchor.size)).copied().flatten();
        anchor.newest = had.filter(|had| had.root == anchor.root).and_then(|had| had.newest);
    }
}

/// Nothing was seen before it happened: of each anchor that was verified, the newest event that says so.
pub fn check_times(anchors: &[Anchor], findings: &mut Findings) {
    for anchor in anchors.iter().filter(|anchor| anchor.is_verified) {
        let Some((claim, seen_at)) = anchor.newest.zip(anchor.at_micros()) else { continue };
        let Claim { at_micros, generation, leaf } = claim;
        let is_told = |f: &Finding| (f.code, f.generation, f.leaf) == (Code::Time, generation, Some(leaf));
        if at_micros <= seen_at.saturating_add(CLOCKS_DIFFER_MAX) || findings.kept.iter().any(is_told) {
            continue;
        }
        let who = if anchor.by == RFC_3161 { "a time stamp is over it" } else { "a witness cosigned it" };
        let text =
            format!("its time is more than ten minutes after {}, when {who} in the first {} events", anchor.at, anchor.size);
        findings.push(Finding::new(Code::Time, text).leaf(generation, leaf));
    }
}

impl Anchor {
    /// To the second; `None` beyond any calendar, which bounds nothing.
    fn at_micros(&self) -> Option<i64> {
        // A leap second has no number of its own.
        let second = self.at.get(..19)?.replace(":60", ":59");
        micros_of(&format!("{second}.000000Z"))
    }
}

impl Report {
    /// After further anchors were found to hold: events that claim to be later than these.
    pub fn check_times(&mut self) {
        check_times(&self.anchors, &mut self.findings);
    }
}
