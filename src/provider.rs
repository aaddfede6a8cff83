//! Providers: what is sent, what their answers mean, what they can tell afterwards.
//!
//! `Provider` is all that scheduler, worker, resolver, receipts and checks see; nothing outside this folder asks which
//! provider it is. One request per attempt: no redirect is followed and nothing is retried inside; the scheduler decides.
//! Whoever speaks HTTP writes a [`wire::Wire`], which is pure; [`http::HttpProvider`] makes a provider of it. A mail relay
//! does not, and is a provider of its own ([`smtp`]).

pub mod batches;
pub mod capability;
pub mod choose;
pub mod described;
pub mod file;
pub mod frozen;
mod given;
mod ground;
pub mod guarded;
pub mod http;
pub mod lob;
mod money;
mod multipart;
pub mod notify;
pub mod reader;
mod receipt;
mod rotating;
pub mod sandbox;
pub mod shown;
pub mod smtp;
pub mod stannp;
pub mod stop;
#[cfg(test)]
mod tests;
pub mod twilio;
pub mod wire;

pub use crate::model::step::Pause;
pub use batches::{BatchError, BatchList, Batches, ClosedBatch};
pub use capability::{
    CancelWindow, Capabilities, ClaimedBy, LetterLimits, LookupStrength, ReceiptProof, ShownLetter, Word, find_word,
};
pub use choose::{Account, read_content, read_request};
pub use frozen::{Frozen, Request};
pub use given::is_as_given;
pub use ground::Ground;
pub use reader::Reader;
pub use receipt::{RawReceipt, ReadReceipt, ReceiptRefusal};
pub use shown::Showing;

use crate::model::state::{Channel, MessageState};
use crate::model::step::Answer;
use futures::FutureExt;
use futures::future::BoxFuture;
use guarded::MayStart;
use std::time::Duration;
use time::OffsetDateTime;

/// A provider account.
pub trait Provider: Send + Sync {
    /// What it promises; everything that is decided about it is decided by this.
    fn capabilities(&self) -> &Capabilities;

    /// Refuses what it can never take. Asked of every message before anybody approves it, and so without making its request.
    fn takes(&self, item: &Item<'_>) -> Result<(), Refusal> {
        self.capabilities().check(item)
    }

    /// The exact bytes of a request: pure, frozen at the claim, replayed unchanged, and without credentials.
    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Frozen, Refusal>;

    /// Makes one request, if `may_start` still allows it at the first byte. Credentials are added here, never stored.
    fn submit(&self, frozen: Frozen, may_start: MayStart) -> BoxFuture<'_, CallResult>;

    /// Asks for the message of our reference.
    fn look_up<'a>(&'a self, sought: Sought<'a>) -> BoxFuture<'a, LookUp>;

    /// Asks how the message of this id stands.
    fn fetch_status<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, StatusAnswer>;

    /// Asks for the PDF of a letter as it shows it; only where its capabilities say that it shows any.
    fn fetch_letter<'a>(&'a self, _provider_id: &'a str) -> BoxFuture<'a, Showing> {
        std::future::ready(Showing::NotYet).boxed()
    }

    /// Asks that the message of this id be taken back before it leaves.
    fn cancel<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, CancelOutcome>;

    /// Proves credentials and reachability without reaching a person.
    fn check(&self) -> BoxFuture<'_, Check>;

    /// Believes what came to our door, or says why not; signatures are compared in constant time. Of one call all
    /// messages that it speaks of; none for a call that only tries the door.
    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal>;

    /// The code by which the lane rests where this word says that nobody's message is taken, as a refusal of everything does.
    fn stop_code(&self, _word: &str) -> Option<&'static str> {
        None
    }

    /// Its batches, where it writes messages for somebody to carry instead of sending them.
    fn batches(&self) -> Option<&dyn Batches> {
        None
    }
}

/// One message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outbound<'a> {
    /// Our name for it at the provider, also the key under which a repeat is none: 32 hexadecimal digits, no personal data.
    pub reference: &'a str,
    /// Where its receipts may come, `https://…/receipts/{controller}/{lane}`; `None`: no inbound connection.
    pub callback: Option<&'a str>,
    /// What is sent to whom.
    pub item: Item<'a>,
}

/// What is sent to whom.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// A text message.
    Sms {
        /// Sender as people see it.
        from: &'a str,
        /// E.164.
        to: &'a str,
        /// Text.
        text: &'a str,
    },
    /// An email.
    Email {
        /// Sender's address.
        from: &'a str,
        /// Sender's name as people see it; empty: none, where nothing outside may tell who writes.
        from_name: &'a str,
        /// Address.
        to: &'a str,
        /// Subject.
        subject: &'a str,
        /// Text.
        text: &'a str,
    },
    /// A letter that carries its address itself.
    Letter {
        /// Where it returns to, the name first, for providers that print it outside; empty: nothing may be printed there.
        from: &'a [String],
        /// The envelope as it stands in the window: the name first, postcode and foreign country last.
        address: &'a [String],
        /// The PDF.
        pdf: &'a [u8],
        /// Its pages.
        pages: u32,
        /// `first`, `second` or `economy`.
        postage_class: &'a str,
    },
}

impl Item<'_> {
    /// Channel.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Sms { .. } => Channel::Sms,
            Self::Email { .. } => Channel::Email,
            Self::Letter { .. } => Channel::Letter,
        }
    }

    /// Where it goes, as `PersonRecord::destination` writes it.
    pub fn destination(&self) -> String {
        match self {
            Self::Sms { to, .. } | Self::Email { to, .. } => (*to).to_owned(),
            Self::Letter { address, .. } => address.join("\n"),
        }
    }
}

/// Why a provider can never take this message; found before anything is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this provider cannot take the message: {code}")]
pub struct Refusal {
    /// `channel`, `header`, `pages`, `bytes`, `text_length`, `postage_class`, `address` …
    pub code: &'static str,
}

/// How a call ended, in the provider-neutral words of the design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// What the answer means.
    pub answer: Answer,
    /// The provider's name for the message.
    pub provider_id: Option<String>,
    /// HTTP status or transport fact: lower-case letters, digits and `_`, at most 32; never the provider's text.
    pub code: String,
    /// When the provider asks to be tried again.
    pub retry_after: Option<Duration>,
    /// Whether nothing else on this lane will be taken either, and until when.
    pub pause: Option<Pause>,
    /// What the provider said of the message that it took.
    pub returned: Returned,
    /// What somebody must see to, though nothing rests because of it: the code of an alarm.
    pub alarm: Option<&'static str>,
}

/// What a provider returned beside its id; compared with what we gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Returned {
    /// What is not as we gave it: `text`, `postage_class`, `pages`; an alarm, and no reason to send again.
    pub differs: Option<&'static str>,
    /// Segments or pages by the provider's count.
    pub parts: Option<u32>,
    /// What it costs, where it is known by now.
    pub cost: Option<Cost>,
}

/// What a provider says of a message that it is asked about, beside where it stands; what it does not say is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// What it costs, where it is known by now.
    pub cost: Option<Cost>,
    /// SHA-256 of the text that it shows, joined with its subject as an approved email is.
    pub content: Option<[u8; 32]>,
    /// Its own count.
    pub parts: Option<Count>,
    /// What is not as in the request that was looked for, where that was at hand; as in [`Returned`].
    pub differs: Option<&'static str>,
}

/// A provider's own count of one message, by which it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Segments of a text.
    Segments(u32),
    /// Sheets of a letter that is printed on both sides.
    Sheets(u32),
}

/// A provider's price of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Thousandths of the currency's minor unit.
    pub milli: u64,
    /// ISO 4217.
    pub currency: String,
}

impl CallResult {
    /// A result without id.
    pub fn new(answer: Answer, code: impl Into<String>) -> Self {
        Self {
            answer,
            provider_id: None,
            code: code.into(),
            retry_after: None,
            pause: None,
            returned: Returned::default(),
            alarm: None,
        }
    }

    /// The provider took it and named it.
    pub fn accepted(id: impl Into<String>, code: impl Into<String>) -> Self {
        Self { provider_id: Some(id.into()), ..Self::new(Answer::Accepted, code) }
    }

    /// The same, and the lane rests.
    pub fn pausing(self, pause: Pause) -> Self {
        Self { pause: Some(pause), ..self }
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Our reference.
    pub reference: &'a str,
    /// The frozen request, where it is still known: weak look-ups compare with it.
    pub frozen: Option<&'a Frozen>,
    /// When the first call was claimed, UTC.
    pub since: Option<OffsetDateTime>,
}

/// What a look-up tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// Known; more than one is a duplicate.
    Found(Vec<Seen>),
    /// Not known at this moment.
    Absent,
    /// No answer that means anything.
    CannotKnow,
}

/// A message as its provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The provider's name for it.
    pub provider_id: String,
    /// Our reference, where it is shown.
    pub reference: Option<String>,
    /// The provider's own word.
    pub word: String,
    /// Its neutral state, where the word is known.
    pub status: Option<MessageState>,
    /// What else it says of it.
    pub detail: Detail,
}

impl Seen {
    /// Whether it is the message of this id, and of this reference where it shows one.
    pub fn is_of(&self, provider_id: &str, reference: Option<&str>) -> bool {
        let is_other = self.reference.as_deref().zip(reference).is_some_and(|(shown, ours)| shown != ours);
        self.provider_id == provider_id && !is_other
    }
}

/// What asking for a status tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusAnswer {
    /// Where it stands.
    Known(Seen),
    /// The provider does not know the id, or not any more.
    NotFound,
    /// No answer that means anything.
    CannotKnow,
}

/// What became of a request to take a message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It will not leave.
    Cancelled,
    /// It left, or is being made.
    TooLate,
    /// This provider takes nothing back by request.
    Unsupported,
    /// No answer that means anything: it may leave.
    Unknown,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It answers, and takes the credentials.
    Good,
    /// It answers, and does not take the credentials.
    BadCredentials,
    /// It takes the credentials, and cannot be used as the lane is set up; what is wrong.
    Unfit(&'static str),
    /// Nothing answers, or nothing that means anything.
    Unreachable,
    /// It answers, and would answer so without a key too: whether it takes the credentials is not proved.
    KeyNotAsked,
    /// There is no way to check it without reaching a person; what somebody can do.
    CannotCheck(&'static str),
}
