//! What the sandbox simulates, as data.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why the sandbox stops.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The listener or a file failed.
    #[error("the sandbox cannot read or write")]
    Io(#[from] std::io::Error),
}

/// All providers of a sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// Decides which faults fire, together with provider, reference and request number.
    pub seed: u64,
    /// Secret of the receipts' signatures.
    pub secret: String,
    /// Accepted bearer key.
    pub api_key: String,
    /// Where receipts go: `{callback}/{provider}`; none: no receipts.
    pub callback: Option<String>,
    /// Providers by name.
    pub providers: BTreeMap<String, ProviderConfig>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { seed: 1, secret: "sandbox-secret".into(), api_key: "sandbox-key".into(), callback: None, providers: BTreeMap::new() }
    }
}

/// One provider account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// `sms` or `letter`.
    pub channel: String,
    /// Whether an idempotency key is honoured.
    pub idempotent: bool,
    /// How long a key is kept, ms.
    pub key_life_ms: u64,
    /// Whether messages can be looked up by reference.
    pub lookup: bool,
    /// How long a new message stays invisible to look-ups, ms.
    pub lookup_lag_ms: u64,
    /// Time before each answer, ms.
    pub latency_ms: u64,
    /// Time between the steps of a message's life, ms.
    pub receipt_delay_ms: u64,
    /// Whether receipts are sent.
    pub receipts: bool,
    /// Faults.
    pub faults: Vec<Fault>,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            channel: "sms".into(),
            idempotent: false,
            key_life_ms: 86_400_000,
            lookup: true,
            lookup_lag_ms: 0,
            latency_ms: 0,
            receipt_delay_ms: 50,
            receipts: true,
            faults: Vec::new(),
        }
    }
}

/// A fault and how often it fires.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Chance of firing per request or message, in thousandths.
    pub per_mille: u32,
    /// Duration for `slow`, `late` and `receipt_late`, ms.
    #[serde(default)]
    pub ms: u64,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 422: never with this recipient.
    Reject,
    /// 429 with Retry-After.
    TooMany,
    /// 500, nothing produced.
    ErrorBefore,
    /// 500, produced.
    ErrorAfter,
    /// Produced, answered after `ms`.
    Slow,
    /// Produced, connection closed without an answer.
    CutAfter,
    /// Produced, never answered.
    Hang,
    /// Held for `ms`, then produced and answered.
    Late,
    /// 401.
    Unauthorised,
    /// A receipt before the answer.
    ReceiptEarly,
    /// Receipts `ms` later than usual.
    ReceiptLate,
    /// Each receipt twice.
    ReceiptDouble,
    /// Receipts in the wrong order.
    ReceiptReorder,
    /// A contradicting receipt after the last.
    ReceiptContradict,
    /// No receipt at all.
    ReceiptLost,
    /// A forged receipt beside the true ones.
    ReceiptForged,
    /// The letter comes back.
    LetterReturned,
    /// The SMS cannot be delivered.
    Undelivered,
}
