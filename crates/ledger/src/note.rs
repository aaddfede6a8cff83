//! C2SP signed notes: texts with signatures of named Ed25519 keys.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::{KeyKind, Vkey, verify_ed25519};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use std::fmt;
use std::str::FromStr;

/// Most signatures of a note that is read.
const SIGNATURES_MAX: usize = 100;
/// Longest note that is read, bytes.
const BYTES_MAX: usize = 1 << 20;

/// Why bytes are no note, or a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not UTF-8, control characters, no blank line, a signature line of another form, or too large.
    #[error("the bytes are no signed note")]
    Malformed,
    /// A signature of a known key is wrong: somebody changed the text or the signature.
    #[error("the signature of `{0}` is wrong")]
    WrongSignature(String),
    /// No signature of a known key.
    #[error("no trusted key has signed the note")]
    Unsigned,
    /// A name with spaces or `+`, or none.
    #[error("`{0}` cannot name a key")]
    KeyName(String),
    /// Not `name+hash+key`, or the hash is not that of the key.
    #[error("the text is no verifier key")]
    NoKey,
}

/// One signature line, believed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Which key of that name.
    pub key_id: u32,
    /// The signature.
    pub bytes: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.to_be_bytes().as_slice(), &self.bytes].concat();
        writeln!(f, "— {} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    /// Reads a line without its line feed.
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, signature) = line.strip_prefix("— ").and_then(|l| l.split_once(' ')).ok_or(NoteError::Malformed)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| NoteError::Malformed)?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed)?;
        let is_name = !name.is_empty() && !name.contains('+') && !name.chars().any(char::is_whitespace);
        if !is_name || bytes.is_empty() {
            return Err(NoteError::Malformed);
        }
        Ok(Self { name: name.to_owned(), key_id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

/// A text with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A cosignature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness's name.
    pub name: String,
    /// When it says to have seen the checkpoint, seconds since 1970.
    pub at_seconds: u64,
}

impl Note {
    /// Reads a note; nothing in it is believed yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = std::str::from_utf8(bytes).ok().filter(|n| n.len() <= BYTES_MAX).ok_or(NoteError::Malformed)?;
        if note.bytes().any(|b| b < b' ' && b != b'\n') {
            return Err(NoteError::Malformed);
        }
        // The last blank line: a text may hold blank lines itself.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::Malformed);
        }
        let signatures = lines.split('\n').map(NoteSignature::from_str).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, ending in a line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every signature line.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The keys, of those given, that signed the text. Unknown signatures say nothing; a wrong one of a given key
    /// means that the note is not to be believed at all.
    pub fn verify<'k>(&self, keys: &'k [Vkey]) -> Result<Vec<&'k Vkey>, NoteError> {
        let mut signed = Vec::new();
        for key in keys.iter().filter(|key| key.kind() == KeyKind::Note) {
            for signature in self.signatures.iter().filter(|s| key.made(s)) {
                let holds = <&[u8; 32]>::try_from(key.key())
                    .ok()
                    .zip(<&[u8; 64]>::try_from(signature.bytes.as_slice()).ok())
                    .is_some_and(|(key, signature)| verify_ed25519(key, self.text.as_bytes(), signature));
                if !holds {
                    return Err(NoteError::WrongSignature(key.name().to_owned()));
                }
                if !signed.contains(&key) {
                    signed.push(key);
                }
            }
        }
        if signed.is_empty() { Err(NoteError::Unsigned) } else { Ok(signed) }
    }

    /// What the given witness keys say of this checkpoint; a wrong cosignature of theirs is an error.
    pub fn cosigned(&self, witness: &Vkey) -> Result<Option<Cosigned>, NoteError> {
        verify_cosignatures(&self.text, &self.signatures, witness)
    }
}

/// What a witness says of a checkpoint's text, by signature lines that may stand in another file.
pub fn verify_cosignatures(text: &str, lines: &[NoteSignature], witness: &Vkey) -> Result<Option<Cosigned>, NoteError> {
    let mut seen = None;
    for line in lines.iter().filter(|line| witness.kind() == KeyKind::Cosignature && witness.made(line)) {
        let wrong = || NoteError::WrongSignature(witness.name().to_owned());
        let (time, signature) = line.bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let at_seconds = u64::from_be_bytes(*time);
        let message = cosigned_message(text, at_seconds);
        let holds = <&[u8; 32]>::try_from(witness.key())
            .ok()
            .zip(<&[u8; 64]>::try_from(signature).ok())
            .is_some_and(|(key, signature)| verify_ed25519(key, message.as_bytes(), signature));
        if !holds || i64::try_from(at_seconds).is_err() {
            return Err(wrong());
        }
        seen = seen.max(Some(at_seconds));
    }
    Ok(seen.map(|at_seconds| Cosigned { name: witness.name().to_owned(), at_seconds }))
}

fn cosigned_message(text: &str, at_seconds: u64) -> String {
    format!("cosignature/v1\ntime {at_seconds}\n{text}")
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// A private Ed25519 key with the name under which it signs.
pub struct Signer {
    key: SigningKey,
    vkey: Vkey,
    witness: Vkey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, …)", self.vkey)
    }
}

impl Signer {
    /// The key of this 32-byte seed, signing as `name`: a log's origin, or a witness's name.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        let of = |kind| Vkey::new(name, kind, &public);
        Ok(Self { vkey: of(KeyKind::Note)?, witness: of(KeyKind::Cosignature)?, key })
    }

    /// The public half, for whoever must verify.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The public half of its cosignatures.
    pub fn witness_vkey(&self) -> &Vkey {
        &self.witness
    }

    /// Signs a text that ends in a line feed.
    pub fn sign(&self, text: &str) -> Result<Note, NoteError> {
        if !text.ends_with('\n') || text.bytes().any(|b| b < b' ' && b != b'\n') {
            return Err(NoteError::Malformed);
        }
        Ok(Note { text: text.to_owned(), signatures: vec![self.signature(text)] })
    }

    /// The signed checkpoint of the log of this name.
    pub fn sign_checkpoint(&self, size: u64, root: [u8; 32]) -> String {
        let text = Checkpoint { origin: self.vkey.name().to_owned(), size, root }.to_string();
        Note { signatures: vec![self.signature(&text)], text }.to_string()
    }

    /// Opens a checkpoint that this key must have signed.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(note, std::slice::from_ref(&self.vkey))
    }

    fn signature(&self, text: &str) -> NoteSignature {
        let bytes = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        NoteSignature { name: self.vkey.name().to_owned(), key_id: self.vkey.id(), bytes }
    }

    /// Cosigns a checkpoint's text as a witness does.
    pub fn cosign(&self, text: &str, at_seconds: u64) -> NoteSignature {
        let signature = self.key.sign(cosigned_message(text, at_seconds).as_bytes()).to_bytes();
        let bytes = [at_seconds.to_be_bytes().as_slice(), &signature].concat();
        NoteSignature { name: self.witness.name().to_owned(), key_id: self.witness.id(), bytes }
    }
}
