//! Checkpoints that others have seen: time stamps and cosignatures, each over a checkpoint that this log must have had.

use super::pack::{Pack, PackError};
use super::report::{Anchor, Code, Finding, Findings};
use super::signed::{Opener, Signed};
use super::stamp;
use super::trust::Trust;
use crate::note::{Note, NoteSignature};
use sha2::{Digest, Sha256};
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
                    by: "RFC 3161".into(),
                    at,
                    is_verified: false,
                    command: Some(format!("openssl ts -verify -data {file} -in {stem}tsr -CAfile TSA-ROOT.pem")),
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
