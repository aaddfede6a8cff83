//! A user is an Ed25519 key in a file that a passphrase opens.

use super::seal::{Key, SealError};
use argon2::{Algorithm, Argon2, Params, Version};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Why a key file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum UserKeyError {
    /// Not a key file.
    #[error("the file is not a user key")]
    Malformed,
    /// The passphrase is wrong, or the file was altered.
    #[error("the passphrase does not open the key")]
    WrongPassphrase(#[from] SealError),
    /// Key derivation failed.
    #[error("the passphrase cannot be used")]
    Derivation,
}

impl UserKeyError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Malformed => "point DULY_USER_KEY to a file that `duly init` or `duly user add` made",
            Self::WrongPassphrase(_) => {
                "type the passphrase again; a lost one cannot be restored: revoke the user and add a new key"
            }
            Self::Derivation => "choose a passphrase that is not empty; if it is not, the file's derivation limits were altered",
        }
    }
}

/// Argon2id as OWASP's second recommendation: KiB, passes, lanes. Stored in the file, so that they can be raised later.
const DERIVATION: Derivation = Derivation { memory_kib: 19_456, passes: 2, lanes: 1 };
/// A file from elsewhere must not be able to take all memory or time.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;

/// The file: public half in clear, secret half sealed under argon2id of the passphrase.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    name: String,
    public: String,
    argon2id: Derivation,
    salt: String,
    sealed: String,
}

/// How the passphrase becomes a key.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Derivation {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// An unlocked key.
pub struct UserKey {
    /// Name in the file; the database decides by the key.
    pub name: String,
    signing: SigningKey,
}

/// Makes a key and its file.
pub fn create(name: &str, passphrase: &str) -> Result<(String, [u8; 32]), UserKeyError> {
    let key = UserKey::generate(name);
    Ok((key.to_file(passphrase)?, key.public()))
}

/// Opens a key file.
pub fn unlock(text: &str, passphrase: &str) -> Result<UserKey, UserKeyError> {
    let file: KeyFile = serde_json::from_str(text).map_err(|_| UserKeyError::Malformed)?;
    let salt = hex::decode(&file.salt).map_err(|_| UserKeyError::Malformed)?;
    let sealed = hex::decode(&file.sealed).map_err(|_| UserKeyError::Malformed)?;
    let plain = derive(passphrase, &salt, file.argon2id)?.open(&purpose(&file.name, &file.public), &sealed)?;
    let plain = Zeroizing::new(plain);
    let secret: &[u8; 32] = plain.as_slice().try_into().map_err(|_| UserKeyError::Malformed)?;
    Ok(UserKey { name: file.name, signing: SigningKey::from_bytes(secret) })
}

/// Binds what stands in clear to the seal, so that nobody can put another name or public half beside it.
fn purpose(name: &str, public_hex: &str) -> String {
    format!("duly/user-key/v1\0{public_hex}\0{name}")
}

impl UserKey {
    /// Fresh random bytes.
    pub fn generate(name: &str) -> Self {
        let secret = Zeroizing::new(rand::rng().random::<[u8; 32]>());
        Self { name: name.to_owned(), signing: SigningKey::from_bytes(&secret) }
    }

    /// The file that `passphrase` opens.
    pub fn to_file(&self, passphrase: &str) -> Result<String, UserKeyError> {
        let salt: [u8; 16] = rand::rng().random();
        let public = hex::encode(self.public());
        let secret = Zeroizing::new(self.signing.to_bytes());
        let sealed = derive(passphrase, &salt, DERIVATION)?.seal(&purpose(&self.name, &public), secret.as_slice());
        let file = KeyFile {
            name: self.name.clone(),
            public,
            argon2id: DERIVATION,
            salt: hex::encode(salt),
            sealed: hex::encode(sealed),
        };
        serde_json::to_string_pretty(&file).map_err(|_| UserKeyError::Malformed)
    }

    /// Public half.
    pub fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Signs a statement.
    pub fn sign(&self, statement: &[u8]) -> [u8; 64] {
        self.signing.sign(statement).to_bytes()
    }
}

/// Checks a signature strictly.
pub fn verify(public: &[u8; 32], statement: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(statement, &ed25519_dalek::Signature::from_bytes(signature)).is_ok())
}

fn derive(passphrase: &str, salt: &[u8], by: Derivation) -> Result<Key, UserKeyError> {
    if passphrase.is_empty() || by.memory_kib > MEMORY_KIB_MAX || by.passes > PASSES_MAX {
        return Err(UserKeyError::Derivation);
    }
    let params = Params::new(by.memory_kib, by.passes, by.lanes, Some(32)).map_err(|_| UserKeyError::Derivation)?;
    let mut bytes = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, bytes.as_mut_slice())
        .map_err(|_| UserKeyError::Derivation)?;
    Key::from_hex(&Zeroizing::new(hex::encode(bytes.as_slice()))).map_err(|_| UserKeyError::Derivation)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_with_its_passphrase_and_signs_what_verifies() {
        let (file, public) = create("ann", "correct horse").unwrap();
        assert!(matches!(unlock(&file, "wrong"), Err(UserKeyError::WrongPassphrase(_))));
        let key = unlock(&file, "correct horse").unwrap();
        let mut signature = key.sign(b"plan 1");
        assert!(verify(&public, b"plan 1", &signature));
        signature[3] ^= 1;
        assert!(!verify(&public, b"plan 1", &signature));
        assert!(!file.contains(&hex::encode(key.signing.to_bytes())));
    }

    #[test]
    fn an_altered_name_public_half_or_limit_keeps_the_key_shut() {
        let (file, public) = create("ann", "correct horse").unwrap();
        let other = hex::encode([1; 32]);
        for altered in [
            file.replace("\"ann\"", "\"bob\""),
            file.replace(&hex::encode(public), &other),
            file.replace("\"passes\": 2", "\"passes\": 3"),
        ] {
            assert_ne!(altered, file);
            assert!(matches!(unlock(&altered, "correct horse"), Err(UserKeyError::WrongPassphrase(_))));
        }
        let greedy = file.replace("19456", "4000000000");
        assert!(matches!(unlock(&greedy, "correct horse"), Err(UserKeyError::Derivation)));
        assert!(matches!(create("ann", ""), Err(UserKeyError::Derivation)));
        assert!(matches!(unlock("{}", "x"), Err(UserKeyError::Malformed)));
    }

    /// Any byte signs with the zero key's weak point under lax rules; strict verification refuses such public keys.
    #[test]
    fn a_weak_public_key_verifies_nothing() {
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&weak, b"plan 1", &signature));
    }
}
