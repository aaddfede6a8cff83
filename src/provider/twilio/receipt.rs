//! Twilio's callbacks: forms, signed over URL and fields, without a time (twilio-python's `request_validator.py`).
//!
//! An old callback that is sent again says again what was true: it is a replay of its id, status and error.

use super::words;
use crate::provider::wire::name;
use crate::provider::{RawReceipt, ReadReceipt, ReceiptRefusal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, verify};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How a callback proves itself, as its event names it.
pub const SCHEME: &str = "hmac-sha1";

/// Reads the callbacks of one account.
pub struct ReceiptReader {
    auth_token: SecretString,
}

impl ReceiptReader {
    /// For an account with this auth token.
    pub fn new(auth_token: SecretString) -> Self {
        Self { auth_token }
    }

    /// Believes a callback, or says why not.
    pub fn read(&self, raw: &RawReceipt<'_>) -> Result<ReadReceipt, ReceiptRefusal> {
        let query = if raw.query.is_empty() { String::new() } else { format!("?{}", raw.query) };
        let url = format!("{}{}{query}", raw.origin, raw.path);
        if raw.origin.is_empty() || !self.is_signed(&url, raw.body, raw.header("x-twilio-signature")) {
            return Err(ReceiptRefusal::BadSignature);
        }
        let field =
            |wanted: &str| form_urlencoded::parse(raw.body).find(|(key, _)| key == wanted).and_then(|(_, value)| name(&value));
        let reference =
            form_urlencoded::parse(raw.query.as_bytes()).find(|(key, _)| key == "ref").and_then(|(_, value)| name(&value));
        let (Some(id), Some(status)) = (field("MessageSid"), field("MessageStatus")) else {
            return Err(ReceiptRefusal::Malformed);
        };
        let error = field("ErrorCode");
        let (word, state) = words::of(&status, error.as_deref());
        let event_name = name(&format!("{id}/{status}/{}", error.unwrap_or_default())).ok_or(ReceiptRefusal::Malformed)?;
        Ok(ReadReceipt { event_name, reference, provider_id: Some(id), word, status: state, part: None })
    }

    /// Whether the signature is one of the URL with or without its port: Twilio signs the one or the other. A body that is
    /// no form is signed by its hash in the query.
    pub fn is_signed(&self, url: &str, body: &[u8], signature: &str) -> bool {
        let token = self.auth_token.expose_secret();
        let Ok(given) = STANDARD.decode(signature) else { return false };
        let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
        let hash = url.split_once('?').and_then(|(_, query)| {
            form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "bodySHA256").map(|(_, value)| value.into_owned())
        });
        let (fields, is_whole) = match hash {
            Some(hash) => (String::new(), hash == hex::encode(Sha256::digest(body))),
            None => (fields(body), true),
        };
        let [without, with] = ports(url).map(|url| verify(&key, format!("{url}{fields}").as_bytes(), &given).is_ok());
        !token.is_empty() && is_whole & (without | with)
    }
}

/// Names and values in their order, each pair once.
fn fields(body: &[u8]) -> String {
    let sorted: BTreeSet<_> = form_urlencoded::parse(body).collect();
    sorted.into_iter().map(|(name, value)| format!("{name}{value}")).collect()
}

/// The URL without a port and with one.
fn ports(url: &str) -> [String; 2] {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (bare, port) = match host.rsplit_once(':') {
        Some((bare, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (bare, port),
        _ => (host, if scheme == "https" { "443" } else { "80" }),
    };
    [format!("{scheme}://{bare}{path}"), format!("{scheme}://{bare}:{port}{path}")]
}
