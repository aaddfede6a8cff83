//! Stannp's webhooks: up to fifty letters in one call, signed over the body, without a time (reference, section Webhooks).
//!
//! A webhook that is sent again says again what was true: it is a replay of its letter and word. After five failures in a
//! day Stannp pauses the webhook until somebody subscribes again; polling finds what is missed.

use super::{id, reference, state};
use crate::provider::wire::{name, text_at};
use crate::provider::{RawReceipt, ReadReceipt, ReceiptRefusal};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How a webhook proves itself, as its event names it.
pub const SCHEME: &str = "hmac-sha256";

/// Reads the webhooks of one account.
pub struct ReceiptReader {
    secret: SecretString,
}

impl ReceiptReader {
    /// For an account whose webhook has this secret.
    pub fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    /// Believes a webhook, or says why not. The call that tries the door when a webhook is made speaks of no letter, nor do
    /// those about campaigns.
    pub fn read(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        if !self.is_signed(raw.body, raw.header("x-stannp-signature")) {
            return Err(ReceiptRefusal::BadSignature);
        }
        let value: Value = serde_json::from_slice(raw.body).map_err(|_| ReceiptRefusal::Malformed)?;
        if text_at(&value, "/event").ok_or(ReceiptRefusal::Malformed)? != "mailpiece_status" {
            return Ok(Vec::new());
        }
        let pieces = value.get("mailpieces").and_then(Value::as_array).ok_or(ReceiptRefusal::Malformed)?;
        pieces.iter().map(|piece| read_one(piece).ok_or(ReceiptRefusal::Malformed)).collect()
    }

    /// Whether this is `hex(hmac_sha256(secret, body))`.
    pub fn is_signed(&self, body: &[u8], signature: &str) -> bool {
        let secret = self.secret.expose_secret();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
        mac.update(body);
        let given = hex::decode(signature).unwrap_or_default();
        bool::from(mac.finalize().into_bytes().as_slice().ct_eq(&given)) && !secret.is_empty()
    }
}

fn read_one(piece: &Value) -> Option<ReadReceipt> {
    let (id, word) = (id(piece)?, name(&text_at(piece, "/status")?)?);
    Some(ReadReceipt {
        event_name: name(&format!("{id}/{word}"))?,
        reference: reference(piece),
        provider_id: Some(id),
        status: state(&word),
        word,
        part: Some(piece.to_string().into_bytes()),
    })
}
