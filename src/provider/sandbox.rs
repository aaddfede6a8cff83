//! The plain API of the sandbox: its wire format, answers and words.

mod receipt;
#[cfg(test)]
mod tests;

pub use receipt::{ReceiptReader, SCHEME};

use super::frozen::{Request, Thawed};
use super::wire::{Credential, Page, ReadBack, Reply, Wire, page_of_ours, segment, text_at, usual};
use super::{
    CallResult, CancelOutcome, CancelWindow, Capabilities, ClaimedBy, Detail, Item, LetterLimits, LookupStrength, Outbound,
    RawReceipt, ReadReceipt, ReceiptProof, ReceiptRefusal, Refusal, Seen, Sought, StatusAnswer, Word, find_word,
};
use crate::config::Lane;
use crate::model::state::{Channel, MessageState as S};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;

const PATH: &str = "/v1/messages";

/// What the sandbox's words mean; it claims nothing of the world, so that each is the provider's own.
pub const WORDS: &[Word] = &[
    row(Channel::Sms, "queued", S::Accepted, "the sandbox holds it"),
    row(Channel::Sms, "sent", S::Sent, "the simulated network has it"),
    row(Channel::Sms, "delivered", S::DeliveredToHandset, "the simulated network reported delivery"),
    row(Channel::Sms, "undelivered", S::Failed, "the simulated network gave it up"),
    row(Channel::Sms, "expired", S::Expired, "its simulated validity ended"),
    row(Channel::Sms, "cancelled", S::Failed, "it was taken back before it left"),
    row(Channel::Email, "queued", S::Accepted, "the sandbox holds it"),
    row(Channel::Email, "sent", S::Sent, "the simulated network has it"),
    row(Channel::Email, "delivered", S::CarrierDelivered, "the simulated mail server took it"),
    row(Channel::Email, "bounced", S::Returned, "the simulated mail server sent it back"),
    row(Channel::Email, "expired", S::Expired, "its simulated validity ended"),
    row(Channel::Email, "cancelled", S::Failed, "it was taken back before it left"),
    row(Channel::Letter, "queued", S::Accepted, "the sandbox holds it"),
    row(Channel::Letter, "printed", S::Printed, "the simulated letter was made"),
    row(Channel::Letter, "dispatched", S::HandedToCarrier, "the simulated letter was posted"),
    row(Channel::Letter, "delivered", S::CarrierDelivered, "the simulated carrier reported delivery"),
    row(Channel::Letter, "returned", S::Returned, "the simulated letter came back"),
    row(Channel::Letter, "failed", S::Failed, "the simulated letter was given up"),
    row(Channel::Letter, "cancelled", S::Failed, "it was taken back before it left"),
];

const fn row(channel: Channel, word: &'static str, state: S, proves: &'static str) -> Word {
    Word { channel, word, state: Some(state), claimed_by: ClaimedBy::Provider, proves }
}

/// One account at the sandbox.
pub struct Sandbox {
    channel: Channel,
    api_key: SecretString,
    receipts: ReceiptReader,
    capabilities: Capabilities,
}

impl Sandbox {
    /// The account of a lane: the sandbox can do what the lane's settings say.
    pub fn new(lane: &Lane, channel: Channel) -> Self {
        let lag = Duration::from_millis(lane.lookup_lag_ms.unsigned_abs());
        let capabilities = Capabilities {
            name: "Sandbox",
            channels: &[Channel::Sms, Channel::Email, Channel::Letter],
            idempotent_for: lane.idempotent.then(|| Duration::from_secs(lane.key_life_seconds.unsigned_abs())),
            lookup: if lane.lookup { LookupStrength::Strong { lag } } else { LookupStrength::None },
            receipts: ReceiptProof::Signed(SCHEME),
            receipts_have_time: true,
            names_callback: false,
            polling: lane.lookup,
            per_second_max: None,
            per_day_max: None,
            text_chars_max: None,
            letters: Some(LetterLimits { pages_max: 100, bytes_max: 8 << 20, postage_classes: &["first", "second", "economy"] }),
            shows_letter: None,
            // Until the message's life begins; when that is, its own settings say.
            cancel_within: Some(CancelWindow::UntilMade),
            retention: None,
            delivered_means: "nothing: nobody is reached",
            cut_off: "",
            words: WORDS,
            test_mode: "it is one",
        };
        Self {
            channel,
            api_key: lane.api_key.clone(),
            receipts: ReceiptReader::new(channel, lane.receipt_secret.clone()),
            capabilities,
        }
    }

    fn seen(&self, message: &Value) -> Option<Seen> {
        let word = text_at(message, "/status").unwrap_or_default();
        Some(Seen {
            provider_id: text_at(message, "/id")?,
            reference: text_at(message, "/reference"),
            status: find_word(WORDS, self.channel, &word).and_then(|row| row.state),
            word,
            detail: Detail::default(),
        })
    }
}

impl Wire for Sandbox {
    fn kind(&self) -> &'static str {
        "sandbox"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        let reference = outbound.reference;
        let body = match outbound.item {
            Item::Sms { from, to, text } => {
                json!({ "channel": "sms", "from": from, "reference": reference, "text": text, "to": to })
            }
            Item::Letter { address, pdf, pages, postage_class, .. } => json!({
                "address": address, "channel": "letter", "pages": pages, "pdf": STANDARD.encode(pdf),
                "postage_class": postage_class, "reference": reference,
            }),
            Item::Email { from, from_name, to, subject, text } => json!({
                "channel": "email", "from": from, "from_name": from_name, "reference": reference, "subject": subject,
                "text": text, "to": to,
            }),
        };
        Ok(Request::post_json(PATH, &body).header("idempotency-key", reference))
    }

    fn authorise(&self, _: OffsetDateTime) -> Credential {
        Credential::bearer(self.api_key.expose_secret())
    }

    fn read_answer(&self, _: &Thawed<'_>, reply: &Reply) -> CallResult {
        match (reply.status, reply.text_at("/id")) {
            (200 | 201, Some(id)) => CallResult::accepted(id, reply.status.to_string()),
            _ => usual(reply, reply.text_at("/error").is_some()),
        }
    }

    fn look_up(&self, sought: &Sought<'_>, page: Option<&str>) -> Option<Request> {
        match page {
            Some(page) => page.starts_with(PATH).then(|| Request::get(page)),
            None => Some(Request::get(format!("{PATH}?reference={}", sought.reference))),
        }
    }

    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page {
        let json = reply.json().filter(|_| reply.status == 200);
        let messages = json.as_ref().and_then(|json| json.get("messages")?.as_array());
        let all: Option<Vec<Seen>> = messages.and_then(|messages| messages.iter().map(|m| self.seen(m)).collect());
        let (Some(json), Some(all)) = (&json, all) else { return Page::CannotKnow };
        page_of_ours(all, sought.reference, text_at(json, "/next"))
    }

    fn status(&self, provider_id: &str) -> Option<Request> {
        segment(provider_id).filter(|_| self.capabilities.polling).map(|id| Request::get(format!("{PATH}/{id}")))
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        match (reply.status, reply.json().and_then(|message| self.seen(&message))) {
            (200, Some(seen)) => StatusAnswer::Known(seen),
            (404, _) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    fn cancel(&self, provider_id: &str) -> Option<Request> {
        let path = segment(provider_id).map(|id| format!("{PATH}/{id}"))?;
        Some(Request { method: "DELETE", ..Request::get(path) })
    }

    fn read_cancel(&self, reply: &Reply) -> CancelOutcome {
        match (reply.status, reply.text_at("/status").as_deref()) {
            (200, Some("cancelled")) => CancelOutcome::Cancelled,
            (409, _) if reply.text_at("/error").is_some() => CancelOutcome::TooLate,
            _ => CancelOutcome::Unknown,
        }
    }

    /// A look-up of a reference that nobody has.
    fn check(&self) -> Option<Request> {
        self.capabilities.polling.then(|| Request::get(format!("{PATH}?reference=check")))
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.receipts.read(raw).map(|receipt| vec![receipt])
    }
}

/// Reads a frozen request back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match text("channel")? {
        "sms" => return Some(ReadBack::text(text("to")?, text("text")?)),
        "email" => return Some(ReadBack::email(text("to")?, text("subject")?, text("text")?)),
        _ => {}
    }
    let lines: Option<Vec<&str>> = body.get("address")?.as_array()?.iter().map(Value::as_str).collect();
    Some(ReadBack::pdf(lines?.join("\n"), STANDARD.decode(text("pdf")?).ok()?))
}
