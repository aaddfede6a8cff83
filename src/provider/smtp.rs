//! `smtp`: emails through a mail relay, by lettre. One transaction a message, TLS only, nothing sent twice.
//!
//! RFC 5321 (SMTP), 3461 and 3464 (DSN), 4954 (AUTH), 3207 (STARTTLS), 3834 (`Auto-Submitted`). A relay's 2xx after the text
//! says that it took the mail, and no more. Delivery notices are asked for where it offers them and go to the sender's
//! address; who hands them to our door makes receipts of them. Never run against a relay that reaches people.

mod call;
mod mail;
mod notice;
mod relay;
#[cfg(test)]
mod tests;

use super::frozen::{Frozen, Request, Thawed};
use super::guarded::MayStart;
use super::reader::Reads;
use super::wire::ReadBack;
use super::{
    CallResult, CancelOutcome, Capabilities, Check, Item, LookUp, LookupStrength, Outbound, Provider, RawReceipt, ReadReceipt,
    ReceiptProof, ReceiptRefusal, Refusal, Sought, StatusAnswer,
};
use crate::config::Lane;
use crate::model::contact::email::is_address;
use crate::model::state::Channel;
use futures::FutureExt;
use futures::future::BoxFuture;
pub use notice::WORDS;
use relay::Relay;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// The word that chooses it, and the first line of its frozen requests.
pub const KIND: &str = "smtp";

/// What a frozen mail's envelope says, as headers of the frozen request.
const SENDER: &str = "mail-from";
const REFERENCE: &str = "envid";

/// An account at a relay.
pub struct Smtp {
    relay: Relay,
    /// Where delivery notices go; empty: the sender's address.
    bounces: String,
    timeout: Duration,
    notices: Notices,
}

impl Smtp {
    /// The account of a lane; otherwise which setting is wrong, and what with it.
    pub fn new(lane: &Lane, timeout: Duration) -> Result<Self, (&'static str, &'static str)> {
        if !lane.sender_id.is_empty() && !is_address(&lane.sender_id) {
            return Err(("sender_id", "must be the address that delivery notices go to, or empty for the sender's"));
        }
        Ok(Self { relay: Relay::new(lane)?, bounces: lane.sender_id.clone(), timeout, notices: Notices::new(lane) })
    }
}

/// Reads the delivery notices of a lane: no password is needed.
pub struct Notices {
    secret: SecretString,
    capabilities: Capabilities,
}

impl Notices {
    /// Those that are signed with the lane's secret.
    pub fn new(lane: &Lane) -> Self {
        let secret = lane.receipt_secret.clone();
        Self { capabilities: capabilities(!secret.expose_secret().is_empty()), secret }
    }
}

impl Reads for Notices {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        notice::read(raw, &self.secret)
    }
}

/// Notices are read only where whoever hands them in can sign them.
fn capabilities(has_notices: bool) -> Capabilities {
    let (receipts, delivered_means) = match has_notices {
        true => (ReceiptProof::Signed(notice::SCHEME), "the recipient's mail server took it, by its own notice"),
        false => (ReceiptProof::None, "nothing: that the relay accepted the mail is all that is known here"),
    };
    Capabilities {
        name: "SMTP relay",
        channels: &[Channel::Email],
        idempotent_for: None,
        lookup: LookupStrength::None,
        receipts,
        receipts_have_time: false,
        names_callback: false,
        polling: false,
        per_second_max: None,
        per_day_max: None,
        text_chars_max: None,
        letters: None,
        shows_letter: None,
        cancel_within: None,
        retention: None,
        delivered_means,
        cut_off: "",
        words: WORDS,
        test_mode: "its greeting and its credentials, without a mail",
    }
}

impl Provider for Smtp {
    fn capabilities(&self) -> &Capabilities {
        &self.notices.capabilities
    }

    fn takes(&self, item: &Item<'_>) -> Result<(), Refusal> {
        self.capabilities().check(item)?;
        match item {
            Item::Email { from, .. } if !is_address(from) => Err(Refusal { code: "header" }),
            _ => Ok(()),
        }
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Frozen, Refusal> {
        self.takes(&outbound.item)?;
        let Item::Email { from, to, subject, text, .. } = outbound.item else { return Err(Refusal { code: "channel" }) };
        let body = mail::write(outbound.reference, &outbound.item).ok_or(Refusal { code: "body" })?;
        // Nothing is sent that does not say what was approved.
        if mail::read(&body).as_ref().map(|(subject, text)| (subject.as_str(), text.as_str())) != Some((subject, text)) {
            return Err(Refusal { code: "body" });
        }
        let sender = if self.bounces.is_empty() { from } else { &self.bounces };
        let headers = vec![(SENDER, sender.to_owned()), (REFERENCE, outbound.reference.to_owned())];
        let request = Request { method: "DATA", path: "/".to_owned(), headers, body, destination: Some(to.to_owned()) };
        Ok(request.freeze(KIND))
    }

    fn submit(&self, frozen: Frozen, may_start: MayStart) -> BoxFuture<'_, CallResult> {
        call::deliver(&self.relay, self.timeout, frozen, may_start).boxed()
    }

    fn look_up<'a>(&'a self, _: Sought<'a>) -> BoxFuture<'a, LookUp> {
        async { LookUp::CannotKnow }.boxed()
    }

    fn fetch_status<'a>(&'a self, _: &'a str) -> BoxFuture<'a, StatusAnswer> {
        async { StatusAnswer::CannotKnow }.boxed()
    }

    fn cancel<'a>(&'a self, _: &'a str) -> BoxFuture<'a, CancelOutcome> {
        async { CancelOutcome::Unsupported }.boxed()
    }

    /// Greets, shows the credentials, and leaves.
    fn check(&self) -> BoxFuture<'_, Check> {
        async {
            match tokio::time::timeout(self.timeout, self.relay.open("localhost")).await {
                Ok(Ok(connection)) => {
                    relay::leave(connection);
                    Check::Good
                }
                Ok(Err(refusal)) => call::judge(&refusal),
                Err(_) => Check::Unreachable,
            }
        }
        .boxed()
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.notices.parse_receipt(raw)
    }
}

/// Reads a frozen request back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let (subject, text) = mail::read(request.body)?;
    Some(ReadBack::email(request.destination.as_deref()?, &subject, &text))
}
