//! Checkpoints that others have seen: time stamps and cosignatures, each over a checkpoint that this log must have had.

use super::pack::{Pack, PackError};
use super::report::{Anchor, Code, Finding, Findings};
use super::signed::{Opener, Signed};
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
        if let Some(token) = pack.read(&format!("{stem}tsr"), BYTES_MAX)? {
            match token_time(&token, &Sha256::digest(&bytes).into()) {
                Some(at) => found.push(Anchor {
                    size: signed.checkpoint.size,
                    by: "RFC 3161".into(),
                    at,
                    is_verified: false,
                    command: Some(format!("openssl ts -verify -data {file} -in {stem}tsr -CAfile TSA-ROOT.pem")),
                }),
                None => {
                    findings.push(Finding::new(Code::Anchor, "the token is not over this checkpoint").file(&format!("{stem}tsr")))
                }
            }
        }
        if let (Some(lines), Ok(note)) = (pack.text(&format!("{stem}cosig"))?, Note::parse(&bytes)) {
            let lines: Vec<NoteSignature> = lines.lines().filter_map(|line| line.parse().ok()).collect();
            trust.witnessed(signed.checkpoint.size, &note, &lines, found, findings);
        }
        anchored.push(Anchored { file: file.clone(), signed });
    }
    Ok(anchored)
}

/// The time in a token whose message imprint is this hash: TSTInfo has imprint, serial number, time in this order.
///
/// The token's signature is not looked at.
fn token_time(token: &[u8], imprint: &[u8; 32]) -> Option<String> {
    let at = token.windows(34).position(|w| w.strip_prefix(&[0x04, 0x20]) == Some(imprint.as_slice()))?;
    let (serial, rest) = der(token.get(at + 34..)?)?;
    let (time, _) = der(rest)?;
    let text = std::str::from_utf8(time.1).ok().filter(|_| serial.0 == 0x02 && time.0 == 0x18)?;
    let part = |range: std::ops::Range<usize>| text.get(range).filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
    text.ends_with('Z').then_some(())?;
    Some(format!("{}-{}-{}T{}:{}:{}Z", part(0..4)?, part(4..6)?, part(6..8)?, part(8..10)?, part(10..12)?, part(12..14)?))
}

type Tagged<'a> = (u8, &'a [u8]);

/// A value of less than 128 bytes in DER: its tag and content, and what follows.
fn der(bytes: &[u8]) -> Option<(Tagged<'_>, &[u8])> {
    let ([tag, length], rest) = bytes.split_first_chunk::<2>()?;
    let (content, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *length < 128)?;
    Some(((*tag, content), rest))
}
