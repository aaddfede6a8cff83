//! Receipts of a provider that is described in the settings: JSON with a signature over the body, or with our bearer token.

use super::word_at;
use crate::config::DescribedReceipt;
use crate::model::state::MessageState;
use crate::provider::wire::{carries_bearer, name};
use crate::provider::{RawReceipt, ReadReceipt, ReceiptRefusal};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How a signed receipt proves itself, as its event names it.
pub const SIGNED: &str = "hmac-sha256";
/// How an unsigned one is told from a stranger's.
pub const CONFIRMED: &str = "bearer";

/// Believes a receipt, or says why not.
pub fn read(
    raw: &RawReceipt<'_>,
    settings: &DescribedReceipt,
    secret: &SecretString,
    state: impl Fn(&str) -> Option<MessageState>,
) -> Result<ReadReceipt, ReceiptRefusal> {
    let is_proved = match settings.signature.as_str() {
        "" => carries_bearer(raw, secret),
        header => is_signed(raw.body, raw.header(header), secret),
    };
    if settings.id.is_empty() || !is_proved {
        return Err(ReceiptRefusal::BadSignature);
    }
    let value: Value = serde_json::from_slice(raw.body).map_err(|_| ReceiptRefusal::Malformed)?;
    let at = |pointer: &str| word_at(&value, pointer).filter(|_| !pointer.is_empty()).and_then(|text| name(&text));
    let (Some(id), Some(word)) = (at(&settings.id), at(&settings.word)) else { return Err(ReceiptRefusal::Malformed) };
    let own = at(&settings.event).or_else(|| name(&format!("{id}/{word}")));
    let event_name = own.ok_or(ReceiptRefusal::Malformed)?;
    let (reference, status) = (at(&settings.reference), state(&word));
    Ok(ReadReceipt { event_name, reference, provider_id: Some(id), word, status, part: None })
}

fn is_signed(body: &[u8], signature: &str, secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    // Some write `sha256=` before it.
    let given = hex::decode(signature.trim_start_matches("sha256=")).unwrap_or_default();
    bool::from(mac.finalize().into_bytes().as_slice().ct_eq(&given)) && !secret.is_empty()
}
