//! Public keys with names: C2SP verifier keys.

use crate::note::{NoteError, NoteSignature};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The text of a note (type 0x01).
    Note,
    /// A checkpoint with the time at which a witness saw it (type 0x04).
    Cosignature,
    /// Something that is not judged here.
    Other(u8),
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Note => 1,
            Self::Cosignature => 4,
            Self::Other(byte) => byte,
        }
    }
}

/// A public key with the name under which it signs, written `name+hash+key`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vkey {
    name: String,
    id: u32,
    kind: KeyKind,
    key: Vec<u8>,
}

impl Vkey {
    /// An Ed25519 key that signs as `name`.
    pub fn new(name: &str, kind: KeyKind, key: &[u8]) -> Result<Self, NoteError> {
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) || name.contains('+') {
            return Err(NoteError::KeyName(name.to_owned()));
        }
        let is_weak = |bytes: &[u8; 32]| VerifyingKey::from_bytes(bytes).map_or(true, |key| key.is_weak());
        if !matches!(kind, KeyKind::Other(_)) && <&[u8; 32]>::try_from(key).map_or(true, is_weak) {
            return Err(NoteError::NoKey);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, kind, key), kind, key: key.to_vec() })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that stands before each of its signatures.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether a signature says to be of this key.
    pub fn made(&self, signature: &NoteSignature) -> bool {
        self.id == signature.key_id && self.name == signature.name
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind.byte()], self.key.as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64_STANDARD.encode(typed))
    }
}

impl FromStr for Vkey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::NoKey)?;
        // The key is base64 and may hold a `+` itself.
        let (_, key) = rest.split_once('+').ok_or(NoteError::NoKey)?;
        let typed = BASE64_STANDARD.decode(key).map_err(|_| NoteError::NoKey)?;
        let (byte, key) = typed.split_first().ok_or(NoteError::NoKey)?;
        let kind = match byte {
            1 => KeyKind::Note,
            4 => KeyKind::Cosignature,
            other => KeyKind::Other(*other),
        };
        let vkey = Self::new(name, kind, key)?;
        if vkey.to_string() == text { Ok(vkey) } else { Err(NoteError::NoKey) }
    }
}

/// First four bytes of SHA-256(name ‖ line feed ‖ type ‖ key).
fn key_id(name: &str, kind: KeyKind, key: &[u8]) -> u32 {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind.byte()]).chain_update(key).finalize();
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
    u32::from_be_bytes([a, b, c, d])
}

/// The public half of the Ed25519 key of a seed.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// Whether an Ed25519 signature holds, by the strict rules: no weak key, one spelling of a signature.
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
