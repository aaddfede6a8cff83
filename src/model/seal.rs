//! Keys and seals: what may hold personal data is unreadable without the key above it.
//!
//! master key (outside Postgres) -> incident key -> person key (32 random bytes each). Destroy a person's key and
//! nothing of that person can be read again, while every commitment stays provable.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use rand::RngExt;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key, or altered bytes.
    #[error("a sealed value does not open: another key, or it was altered")]
    DoesNotOpen,
    /// A key that is not 64 hexadecimal digits.
    #[error("a key must be 64 hexadecimal digits")]
    BadKey,
}

impl SealError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::DoesNotOpen => "check that the master key belongs to this database, then run `duly audit`",
            Self::BadKey => "use a key that `duly init` made: 64 hexadecimal digits",
        }
    }
}

/// 32 secret bytes, wiped when dropped and never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Fresh random bytes.
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::rng().random()))
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).map_err(|_| SealError::BadKey)?;
        Ok(Self(bytes))
    }

    /// These 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hexadecimal digits, to be written to a file of mode 0600 and nowhere else.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Seals another key under this one.
    pub fn wrap(&self, inner: &Self, purpose: &str) -> Vec<u8> {
        self.seal(purpose, inner.0.as_slice())
    }

    /// Opens a wrapped key.
    pub fn unwrap_key(&self, wrapped: &[u8], purpose: &str) -> Result<Self, SealError> {
        let plain = Zeroizing::new(self.open(purpose, wrapped)?);
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| SealError::DoesNotOpen)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// Seals bytes: 12 random bytes of nonce, then AES-256-GCM with the purpose as associated data.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; 12] = rand::rng().random();
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let mut sealed = nonce.to_vec();
        // AES-GCM refuses only texts of 64 GiB and more; an empty seal then never opens.
        if let Ok(text) = self.cipher().encrypt(&Nonce::from(nonce), payload) {
            sealed.extend_from_slice(&text);
        }
        sealed
    }

    /// Opens what `seal` made for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, text) = sealed.split_first_chunk::<12>().ok_or(SealError::DoesNotOpen)?;
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        self.cipher().decrypt(&Nonce::from(*nonce), payload).map_err(|_| SealError::DoesNotOpen)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }

    /// HMAC-SHA-256 over parts joined by nothing; callers separate them by `\0`.
    pub fn keyed_hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC pads a shorter key with zeros to its block.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(self.0.as_slice());
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Keyed hash of a value that must be found again, such as an external reference.
    pub fn search_hash(&self, field: &str, value: &[u8]) -> [u8; 32] {
        self.keyed_hash(&[b"duly/search/v1\0", field.as_bytes(), b"\0", value])
    }

    /// Keyed hash by which an erased person's reference is refused: of its search hash, under a key of its own, so that
    /// it is not the value that older copies of the database hold.
    pub fn tombstone(&self, reference_hash: &[u8; 32]) -> [u8; 32] {
        let own = Self(Zeroizing::new(self.keyed_hash(&[b"duly/tombstone/v1"])));
        own.keyed_hash(&[reference_hash])
    }

    /// The name of a message at a provider: the same for every attempt, and after a restore.
    pub fn send_reference(&self, message: &MessageName<'_>) -> String {
        let text = format!(
            "duly/ref/v1\0{}\0{}\0{}\0{}\0{}",
            message.phase, message.channel, message.reason, message.ordinal, message.provider
        );
        hex::encode(&self.keyed_hash(&[text.to_ascii_lowercase().as_bytes()])[..16])
    }
}

/// What a send reference is derived from, beside the person's key.
#[derive(Debug, Clone, Copy)]
pub struct MessageName<'a> {
    /// Phase, 1..
    pub phase: i32,
    /// Channel word.
    pub channel: &'a str,
    /// Reason word.
    pub reason: &'a str,
    /// Ordinal, 1..
    pub ordinal: i32,
    /// Provider account.
    pub provider: &'a str,
}

/// An X25519 key pair for sealing to: public and secret bytes.
pub fn generate_pair() -> ([u8; 32], Key) {
    let secret = Key::generate();
    (public_half(&secret), secret)
}

/// What is sealed to, for a secret half.
pub fn public_half(secret: &Key) -> [u8; 32] {
    *crypto_box::SecretKey::from_bytes(*secret.bytes()).public_key().as_bytes()
}

/// Seals to a public key, as libsodium's sealed boxes.
pub fn seal_to(public: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    crypto_box::PublicKey::from_bytes(*public).seal(&mut crypto_box::aead::OsRng, plain).map_err(|_| SealError::DoesNotOpen)
}

/// Opens what was sealed to the public half of `secret`.
pub fn open_with(secret: &Key, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    crypto_box::SecretKey::from_bytes(*secret.bytes()).unseal(sealed).map_err(|_| SealError::DoesNotOpen)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_with_its_key_and_purpose_only() {
        let key = Key::generate();
        let sealed = key.seal("contact", b"secret");
        assert_eq!(key.open("contact", &sealed).unwrap(), b"secret");
        assert_eq!(key.open("request", &sealed), Err(SealError::DoesNotOpen));
        assert_eq!(Key::generate().open("contact", &sealed), Err(SealError::DoesNotOpen));
        assert_eq!(key.open("contact", b"short"), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn a_reference_is_the_same_for_every_attempt_and_differs_by_message() {
        let key = Key::from_hex(&"07".repeat(32)).unwrap();
        let name = MessageName { phase: 1, channel: "sms", reason: "first", ordinal: 1, provider: "sms-a" };
        assert_eq!(key.send_reference(&name), key.send_reference(&name));
        assert_ne!(key.send_reference(&name), key.send_reference(&MessageName { ordinal: 2, ..name }));
        assert_eq!(key.send_reference(&name).len(), 32);
    }

    #[test]
    fn a_sealed_box_opens_with_the_secret_half() {
        let (public, secret) = generate_pair();
        assert_eq!(open_with(&secret, &seal_to(&public, b"raw").unwrap()).unwrap(), b"raw");
    }

    /// Computed by another implementation (Python's hmac and cryptography) from the key 00 01 … 1f.
    #[test]
    fn known_answers_of_another_implementation_are_met() {
        let key = Key::from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap();
        let name = MessageName { phase: 1, channel: "letter", reason: "first", ordinal: 1, provider: "letters" };
        assert_eq!(key.send_reference(&name), "861efe668c564915edaa2fb5f5010e62");
        assert_eq!(key.send_reference(&MessageName { provider: "Letters", ..name }), "861efe668c564915edaa2fb5f5010e62");
        assert_eq!(
            hex::encode(key.search_hash("external_reference", b"PAY-0042")),
            "cd68648562b950ec4862ba95572a01619cda4f018e57246d934533a6cf594e04"
        );
        let sealed = hex::decode("6465666768696a6b6c6d6e6f2375b11117c926f25f0b313e2d25f31102f434bbce5e5eeeefb9b9").unwrap();
        assert_eq!(key.open("contact", &sealed).unwrap(), b"known plain");
        let public = crypto_box::SecretKey::from_bytes(*key.bytes()).public_key();
        assert_eq!(hex::encode(public.as_bytes()), "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f");
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_keeps_a_seal_shut() {
        let key = Key::generate();
        let sealed = key.seal("contact", b"x");
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open("contact", &altered), Err(SealError::DoesNotOpen));
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open("contact", &sealed[..length]), Err(SealError::DoesNotOpen));
        }
    }

    #[test]
    fn a_wrapped_key_opens_under_its_outer_key_and_purpose_only() {
        let (outer, inner) = (Key::generate(), Key::generate());
        let wrapped = outer.wrap(&inner, "person key");
        assert_eq!(outer.unwrap_key(&wrapped, "person key").unwrap().bytes(), inner.bytes());
        assert_eq!(outer.unwrap_key(&wrapped, "incident key").err(), Some(SealError::DoesNotOpen));
        assert_eq!(inner.unwrap_key(&wrapped, "person key").err(), Some(SealError::DoesNotOpen));
        assert_eq!(outer.unwrap_key(&outer.seal("person key", b"short"), "person key").err(), Some(SealError::DoesNotOpen));
    }

    #[test]
    fn a_sealed_box_of_another_pair_or_altered_stays_shut() {
        let (public, secret) = generate_pair();
        let mut sealed = seal_to(&public, b"raw").unwrap();
        assert_eq!(open_with(&generate_pair().1, &sealed), Err(SealError::DoesNotOpen));
        sealed[40] ^= 1;
        assert_eq!(open_with(&secret, &sealed), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for text in ["", "07", &"07".repeat(33), &"zz".repeat(32)] {
            assert_eq!(Key::from_hex(text).err(), Some(SealError::BadKey));
        }
    }
}
