//! Receipts of the sandbox: believed only with a fresh time stamp and the right HMAC over place and body.

use super::status;
use crate::model::state::{Channel, MessageState};
use hmac::{Hmac, Mac};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Longest event name, reference or id in a receipt, bytes.
const NAME_MAX: usize = 200;
/// How a receipt proves itself, as its event names it.
pub const SCHEME: &str = "hmac-sha256";

/// A receipt that proved itself.
#[derive(Debug, Clone)]
pub struct ReadReceipt {
    /// Provider's id of the receipt.
    pub event_name: String,
    /// Our reference.
    pub reference: String,
    /// Provider's id of the message.
    pub provider_id: String,
    /// Neutral status, where the word is known.
    pub status: Option<MessageState>,
}

/// Why a receipt was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptRefusal {
    /// The signature is wrong or missing.
    BadSignature,
    /// Signed too long ago, or in the future.
    Stale,
    /// Signed, but not understood.
    Malformed,
}

/// A receipt as it came: everything that its signature covers, and the signature.
pub struct Signed<'a> {
    /// Path of the URL, with controller and lane: a receipt for one place proves nothing at another.
    pub path: &'a str,
    /// Seconds since 1970 UTC, as the header says.
    pub stamp: &'a str,
    /// `hex(hmac_sha256(secret, stamp "." path "." body))`.
    pub signature: &'a str,
    /// Body.
    pub body: &'a [u8],
}

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
        Self { channel: Channel::Sms, secret: hex::encode(secret).into() }
    }

    /// Believes a receipt, or says why not; signatures are compared in constant time.
    pub fn read(&self, signed: &Signed<'_>, now_seconds: i64, window_seconds: i64) -> Result<ReadReceipt, ReceiptRefusal> {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.secret.expose_secret().as_bytes())
            .map_err(|_| ReceiptRefusal::BadSignature)?;
        for part in [signed.stamp.as_bytes(), b".", signed.path.as_bytes(), b".", signed.body] {
            mac.update(part);
        }
        let expected = mac.finalize().into_bytes();
        let given = hex::decode(signed.signature).unwrap_or_default();
        if !bool::from(expected.as_slice().ct_eq(&given)) {
            return Err(ReceiptRefusal::BadSignature);
        }
        let signed_at: i64 = signed.stamp.parse().map_err(|_| ReceiptRefusal::Stale)?;
        if now_seconds.abs_diff(signed_at) > window_seconds.unsigned_abs() {
            return Err(ReceiptRefusal::Stale);
        }
        let value: Value = serde_json::from_slice(signed.body).map_err(|_| ReceiptRefusal::Malformed)?;
        // Names are indexed: one that no index takes would keep every receipt of its batch out.
        let is_name = |text: &&str| text.len() <= NAME_MAX && !text.chars().any(char::is_control);
        let named = |key: &str| value.get(key).and_then(Value::as_str).filter(is_name);
        let text = |key: &str| named(key).map(str::to_owned).ok_or(ReceiptRefusal::Malformed);
        let status = status(self.channel, &text("status")?);
        Ok(ReadReceipt { event_name: text("event")?, reference: text("reference")?, provider_id: text("id")?, status })
    }
}
