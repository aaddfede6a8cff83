//! Notify's callbacks: a bearer token that we chose, no signature and no time. Whoever knows the token could write any of
//! them, so nothing moves before Notify was asked.

use super::{WORDS, capabilities};
use crate::config::Lane;
use crate::model::state::{Channel, MessageState};
use crate::provider::reader::Reads;
use crate::provider::wire::{carries_bearer, name, text_at};
use crate::provider::{Capabilities, RawReceipt, ReadReceipt, ReceiptRefusal, find_word};
use secrecy::SecretString;
use serde_json::Value;
use std::time::Duration;

/// Reads the callbacks of a service: no key is needed.
pub struct Callbacks {
    channel: Channel,
    token: SecretString,
    /// What Notify promises on the channel.
    pub(super) capabilities: Capabilities,
}

impl Callbacks {
    /// Those of a lane.
    pub fn new(lane: &Lane, channel: Channel) -> Self {
        let capabilities = capabilities(channel, Duration::from_millis(lane.lookup_lag_ms.unsigned_abs()));
        Self { channel, token: lane.receipt_secret.clone(), capabilities }
    }

    /// Believes a callback, or says why not.
    pub fn believe(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        read(raw, &self.token, self.channel).map(|read| vec![read])
    }
}

impl Reads for Callbacks {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.believe(raw)
    }
}

/// Reads a delivery receipt (`id`, `status` …) or the notice of a returned letter (`notification_id`, `date_sent` …).
fn read(raw: &RawReceipt<'_>, token: &SecretString, channel: Channel) -> Result<ReadReceipt, ReceiptRefusal> {
    if !carries_bearer(raw, token) {
        return Err(ReceiptRefusal::BadSignature);
    }
    let value: Value = serde_json::from_slice(raw.body).map_err(|_| ReceiptRefusal::Malformed)?;
    let text = |pointer: &str| text_at(&value, pointer).and_then(|text| name(&text));
    let reference = text("/reference");
    let read = if let Some(id) = text("/notification_id") {
        let word = "returned-letter".to_owned();
        let at = text("/date_sent").unwrap_or_default();
        (id, word, Some(MessageState::Returned), at)
    } else {
        let (Some(id), Some(word)) = (text("/id"), text("/status")) else { return Err(ReceiptRefusal::Malformed) };
        // A service has one address for the receipts of all its lanes. Whatever is claimed, Notify's answer about the message counts.
        let own = find_word(WORDS, channel, &word).and_then(|row| row.state);
        let status = own.or_else(|| WORDS.iter().filter(|row| row.word == word).find_map(|row| row.state));
        (id, word, status, text("/completed_at").unwrap_or_default())
    };
    let (id, word, status, at) = read;
    // Notify names its messages and not its callbacks: the same word of the same moment is the same callback.
    let event_name = name(&format!("{id}/{word}/{at}")).ok_or(ReceiptRefusal::Malformed)?;
    Ok(ReadReceipt { event_name, reference, provider_id: Some(id), word, status, part: None })
}
