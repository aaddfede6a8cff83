//! Receipts of the sandbox: believed only with a fresh time stamp and the right HMAC over place and body.

use super::WORDS;
use crate::model::state::Channel;
use crate::provider::wire::name;
use crate::provider::{RawReceipt, ReadReceipt, ReceiptRefusal, find_word};
use hmac::{Hmac, Mac};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How a receipt proves itself, as its event names it.
pub const SCHEME: &str = "hmac-sha256";

/// Reads the receipts of one account.
pub struct ReceiptReader {
    channel: Channel,
    secret: SecretString,
}

impl ReceiptReader {
    /// For an account with this secret.
    pub fn new(channel: Channel, secret: SecretString) -> Self {
        Self { channel, secret }
    }

    /// For a place that is not there: believes nothing, with as much work as another.
    pub fn of_nobody() -> Self {
        let secret: [u8; 32] = rand::rng().random();
        Self::new(Channel::Sms, hex::encode(secret).into())
    }

    /// Believes a receipt, or says why not: `hex(hmac_sha256(secret, stamp "." path "." body))`.
    pub fn read(&self, raw: &RawReceipt<'_>) -> Result<ReadReceipt, ReceiptRefusal> {
        let stamp = raw.header("x-sandbox-timestamp");
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.secret.expose_secret().as_bytes())
            .map_err(|_| ReceiptRefusal::BadSignature)?;
        for part in [stamp.as_bytes(), b".", raw.path.as_bytes(), b".", raw.body] {
            mac.update(part);
        }
        let expected = mac.finalize().into_bytes();
        let given = hex::decode(raw.header("x-sandbox-signature")).unwrap_or_default();
        // An empty secret would let anybody sign.
        if !bool::from(expected.as_slice().ct_eq(&given)) || self.secret.expose_secret().is_empty() {
            return Err(ReceiptRefusal::BadSignature);
        }
        let signed_at: i64 = stamp.parse().map_err(|_| ReceiptRefusal::Stale)?;
        if raw.now_seconds.abs_diff(signed_at) > raw.window_seconds.unsigned_abs() {
            return Err(ReceiptRefusal::Stale);
        }
        let value: Value = serde_json::from_slice(raw.body).map_err(|_| ReceiptRefusal::Malformed)?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).and_then(name).ok_or(ReceiptRefusal::Malformed);
        let word = text("status")?;
        Ok(ReadReceipt {
            event_name: text("event")?,
            reference: Some(text("reference")?),
            provider_id: Some(text("id")?),
            status: find_word(WORDS, self.channel, &word).and_then(|row| row.state),
            word,
            part: None,
        })
    }
}
