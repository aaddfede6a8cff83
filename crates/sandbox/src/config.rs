//! What the sandbox simulates, as data.

use crate::face::Face;
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
        Self {
            seed: 1,
            secret: "sandbox-secret".into(),
            api_key: "sandbox-key".into(),
            callback: None,
            providers: BTreeMap::new(),
        }
    }
}

/// One provider account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// Whose wire format it speaks.
    pub face: Face,
    /// `sms`, `email` or `letter`.
    pub channel: String,
    /// Key or password of its own; none: the sandbox's `api_key`.
    pub api_key: Option<String>,
    /// Secret of its own for receipts; none: the sandbox's `secret`.
    pub secret: Option<String>,
    /// Whether an idempotency key is honoured: the same key with the same bytes is answered again, nothing is
    /// produced. The same key with other bytes is produced again, as some real providers do.
    pub idempotent: bool,
    /// How long a key is kept, ms.
    pub key_life_ms: u64,
    /// Whether messages can be looked up by reference.
    pub lookup: bool,
    /// How long a new message stays invisible to look-ups, ms.
    pub lookup_lag_ms: u64,
    /// Time before each answer, ms; 0 answers at once.
    pub latency_ms: u64,
    /// Time between the steps of a message's life, ms; 0 goes through them at once.
    pub receipt_delay_ms: u64,
    /// Whether receipts are sent.
    pub receipts: bool,
    /// Whose address they go to, where accounts here are one account with one address; none: its own.
    pub door: Option<String>,
    /// Whether only the last step of a message's life has one, as GOV.UK Notify does it.
    pub receipts_of_end_only: bool,
    /// Wait between the tries of a receipt, ms; none: as the provider waits.
    pub receipt_retry_ms: Option<u64>,
    /// Fields of a message that it shows otherwise, in its answer to the submit and whenever it is asked about one; `status`
    /// is its word.
    pub shows: serde_json::Map<String, serde_json::Value>,
    /// How many submits are let in; none: as many as the provider's own face says.
    pub limits: Option<Vec<Limit>>,
    /// How many a day (UTC); none: as its own face says.
    pub per_day: Option<u64>,
    /// Faults; of several of one kind the first that fires counts.
    pub faults: Vec<Fault>,
}

/// So many submits within so long; more are refused, in the provider's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Submits.
    pub many: usize,
    /// Within any so many ms.
    pub ms: u64,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            face: Face::Plain,
            channel: "sms".into(),
            api_key: None,
            secret: None,
            idempotent: false,
            key_life_ms: 86_400_000,
            lookup: true,
            lookup_lag_ms: 0,
            latency_ms: 0,
            receipt_delay_ms: 50,
            receipts: true,
            door: None,
            receipts_of_end_only: false,
            receipt_retry_ms: None,
            shows: serde_json::Map::new(),
            limits: None,
            per_day: None,
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
    /// Duration of `slow`, `late`, `receipt_late`, `print_outage`, of one byte of `drip` and `head_drip`; the wait that
    /// `too_many` asks for, in the provider's way, and `unavailable`, where it is not 0; ms.
    #[serde(default)]
    pub ms: u64,
    /// Which requests of a reference it concerns.
    #[serde(default)]
    pub on: Requests,
    /// How often it fires at most; none: without end.
    #[serde(default)]
    pub times: Option<u64>,
    /// The destination or reference of the message that it concerns; none: all of them.
    #[serde(default)]
    pub of: Option<String>,
}

impl Fault {
    /// A fault that always fires.
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, per_mille: 1000, ms: 0, on: Requests::Every, times: None, of: None }
    }

    /// A fault that fires with the next request and then never again.
    pub fn once(kind: FaultKind) -> Self {
        Self { times: Some(1), ..Self::always(kind) }
    }

    /// The same with a duration, ms.
    pub fn lasting(self, ms: u64) -> Self {
        Self { ms, ..self }
    }

    /// The same for some requests of a reference only.
    pub fn on(self, on: Requests) -> Self {
        Self { on, ..self }
    }

    /// The same for one message only, by its destination or reference; `times` counts for it alone.
    pub fn of(self, name: &str) -> Self {
        Self { of: Some(name.to_owned()), ..self }
    }
}

/// Requests of one reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// All of them.
    #[default]
    Every,
    /// The first.
    First,
    /// Every one but the first.
    Repeat,
}

/// Declares the kinds once, so that their list cannot fall behind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)+) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind { $($(#[$doc])* $kind,)+ }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];
        }
    };
}

kinds! {
    /// Never with this recipient.
    Reject,
    /// 429, for `ms`.
    TooMany,
    /// The day's limit is reached.
    TooManyToday,
    /// No money is left.
    NoCredit,
    /// 403.
    Forbidden,
    /// 408, nothing produced.
    RequestTimeout,
    /// Success in the status and failure in the body, nothing produced.
    ErrorInside,
    /// Produced, answered with a page that is no JSON.
    NotJson,
    /// 500, nothing produced.
    ErrorBefore,
    /// 500, produced.
    ErrorAfter,
    /// Produced under the id of the account's message before it, which from then on shows this one.
    IdTwice,
    /// Produced, answered after `ms`.
    Slow,
    /// Nothing produced, connection closed without an answer.
    CutBefore,
    /// Produced, connection closed without an answer.
    CutAfter,
    /// Produced, never answered.
    Hang,
    /// Held for `ms`, then produced and answered, also if nobody waits any more.
    Late,
    /// 307 to another place, nothing produced.
    Redirect,
    /// 401.
    Unauthorised,
    /// 409 for a reference that was produced before.
    Conflict,
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
    /// A receipt with a word that nobody knows, before the others.
    ReceiptUnknownWord,
    /// Receipts without signature.
    ReceiptUnsigned,
    /// Receipts signed an hour ago.
    ReceiptStale,
    /// A true receipt for a message that is not known here, before the others.
    ReceiptStranger,
    /// The letter comes back.
    LetterReturned,
    /// The SMS cannot be delivered; the email bounces.
    Undelivered,
    /// The validity of the SMS or email ends.
    Expired,
    /// The account is suspended before the SMS leaves, and the message says so.
    Suspended,
    /// A message is taken back, and the answer to that is lost.
    CancelLost,
    /// A message is not taken back, and nobody says so: the connection is cut.
    CancelCut,
    /// 500 to a look-up, or to the question how a message stands.
    LookUpError,
    /// 429 to it, for `ms`.
    LookUpTooMany,
    /// A page that is no JSON.
    LookUpNotJson,
    /// No answer: the connection is cut.
    LookUpCut,
    /// Produced, and the answer drips: a byte every `ms`.
    Drip,
    /// Produced, and the answer is compressed, which nobody asked for.
    Gzip,
    /// Produced, and the answer does not end for megabytes.
    HugeBody,
    /// The list of a look-up moves while it is read: what stood on its second page goes to the first, and neither shows it.
    LookUpMoved,
    /// The other way round: both pages show it.
    LookUpTwice,
    /// The print house took the letter and finds later that it cannot be printed.
    LetterInvalid,
    /// The PDF that the provider shows of a letter has other pages than the one that it was given.
    LetterShownOther,
    /// The print house stands still for `ms` before it prints the letter.
    PrintOutage,
    /// 503 of a machine before the provider, with a `Retry-After` of `ms` if that is not 0, nothing produced.
    Unavailable,
    /// Produced, and the answer drips from its first byte on, its head as well: a byte every `ms`.
    HeadDrip,
    /// Receipts signed an hour ahead.
    ReceiptFuture,
    /// Receipts that date what they tell of ten years back or ten years ahead, by turns.
    ReceiptMistimed,
    /// A true receipt that puts the id of another message beside this one's reference, before the others.
    ReceiptOtherId,
    /// The account's newest other message in the place of the one that is looked for, or asked for by its id.
    LookUpOther,
    /// The letter is delivered, and comes back after that.
    LetterReturnedLate,
}
