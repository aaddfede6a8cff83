//! Commitments to personal values: provable while the person's key lives, meaningless once it is destroyed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The 32 random bytes of one person in one incident. Never printed.
#[derive(Clone)]
pub struct PersonKey([u8; 32]);

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonKey(…)")
    }
}

impl PersonKey {
    /// Takes exactly 32 bytes; HMAC pads shorter keys, so two keys could collide.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for sealing.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Key of one field: disclosing it opens that field and no other.
pub fn field_key(key: &PersonKey, field: &str) -> [u8; 32] {
    hmac(&key.0, &[b"duly/field/v1\0", field.as_bytes()])
}

/// HMAC-SHA-256 of the value under the field's key.
pub fn commit(key: &PersonKey, field: &str, value: &[u8]) -> [u8; 32] {
    commit_under(&field_key(key, field), value)
}

/// The same for whoever has the field's key alone.
pub fn commit_under(field_key: &[u8; 32], value: &[u8]) -> [u8; 32] {
    hmac(field_key, &[value])
}

/// Whether the commitment opens to this value of this field.
pub fn verify(key: &PersonKey, field: &str, value: &[u8], commitment: &[u8; 32]) -> bool {
    commit(key, field, value) == *commitment
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads a short key with zeros to its block of 64 bytes.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_opens_for_its_value_field_and_key_only() {
        let key = PersonKey::new([7; 32]);
        let sealed = commit(&key, "phone", b"+447700900123");
        assert_eq!(sealed, commit(&key, "phone", b"+447700900123"));
        assert_ne!(sealed, commit(&key, "phone", b"+447700900124"));
        assert_ne!(sealed, commit(&key, "email", b"+447700900123"));
        assert_ne!(sealed, commit(&PersonKey::new([8; 32]), "phone", b"+447700900123"));
    }
}
