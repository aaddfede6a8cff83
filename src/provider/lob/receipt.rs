//! Lob's events: JSON, signed over time stamp and body.
//!
//! unconfirmed: the vendor's page breaks off before the algorithm. Hexadecimal HMAC-SHA-256 over `stamp.body`, the stamp in
//! milliseconds, is what several independent receivers in production use; seconds are read too.

use super::{MARK, words};
use crate::provider::wire::{name, text_at};
use crate::provider::{RawReceipt, ReadReceipt, ReceiptRefusal};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How an event proves itself, as ours names it.
pub const SCHEME: &str = "hmac-sha256";
/// Stamps above this are milliseconds: as seconds they would lie beyond the year 5000.
const SECONDS_MAX: i64 = 100_000_000_000;

/// Reads the events of one account.
pub struct ReceiptReader {
    secret: SecretString,
}

impl ReceiptReader {
    /// For an account whose webhook has this secret.
    pub fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    /// Believes an event, or says why not; events of other things than letters say nothing of any message.
    pub fn read(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        let stamp = raw.header("lob-signature-timestamp");
        if !self.is_signed(stamp, raw.body, raw.header("lob-signature")) {
            return Err(ReceiptRefusal::BadSignature);
        }
        let stamp: i64 = stamp.parse().map_err(|_| ReceiptRefusal::Stale)?;
        let seconds = if stamp > SECONDS_MAX { stamp / 1000 } else { stamp };
        if raw.now_seconds.abs_diff(seconds) > raw.window_seconds.unsigned_abs() {
            return Err(ReceiptRefusal::Stale);
        }
        let value: Value = serde_json::from_slice(raw.body).map_err(|_| ReceiptRefusal::Malformed)?;
        let text = |pointer: &str| text_at(&value, pointer).and_then(|text| name(&text));
        let (Some(event_name), Some(kind)) = (text("/id"), text("/event_type/id")) else { return Err(ReceiptRefusal::Malformed) };
        let Some(word) = kind.strip_prefix("letter.") else { return Ok(Vec::new()) };
        Ok(vec![ReadReceipt {
            event_name,
            reference: text(&format!("/body/metadata/{MARK}")),
            provider_id: text("/reference_id").or_else(|| text("/body/id")),
            word: word.to_owned(),
            status: words::state(word),
            part: None,
        }])
    }

    /// Whether this is `hex(hmac_sha256(secret, stamp "." body))`.
    pub fn is_signed(&self, stamp: &str, body: &[u8], signature: &str) -> bool {
        let secret = self.secret.expose_secret();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
        for part in [stamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        let given = hex::decode(signature).unwrap_or_default();
        bool::from(mac.finalize().into_bytes().as_slice().ct_eq(&given)) && !secret.is_empty()
    }
}
