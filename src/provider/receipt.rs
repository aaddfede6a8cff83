//! Receipts as they come to our door, and what they say once they are believed.

use crate::model::state::MessageState;

/// A receipt as it came: everything that a signature may cover, and the time.
#[derive(Debug, Clone, Copy)]
pub struct RawReceipt<'a> {
    /// Path of the URL, with controller and lane. Twilio and the sandbox sign it; the others do not, and what is signed for one
    /// place proves itself at another: a receipt is matched by controller and lane besides, and moves nothing elsewhere.
    pub path: &'a str,
    /// The query as it came, without `?`.
    pub query: &'a str,
    /// Scheme, host and port under which the provider called us; empty where the settings do not say.
    pub origin: &'a str,
    /// Headers.
    pub headers: &'a reqwest::header::HeaderMap,
    /// Body.
    pub body: &'a [u8],
    /// The database's time, seconds since 1970 UTC.
    pub now_seconds: i64,
    /// How old a signed receipt may be, seconds.
    pub window_seconds: i64,
}

impl RawReceipt<'_> {
    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What a receipt that proved itself says of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReceipt {
    /// The provider's name of this receipt; the same again is a replay.
    pub event_name: String,
    /// Our reference, where it is in the receipt.
    pub reference: Option<String>,
    /// The provider's name of the message.
    pub provider_id: Option<String>,
    /// The provider's own word.
    pub word: String,
    /// Neutral state, where the word is known.
    pub status: Option<MessageState>,
    /// The part of the body that speaks of this message alone; `None`: all of it does.
    pub part: Option<Vec<u8>>,
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
