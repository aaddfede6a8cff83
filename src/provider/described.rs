//! `http`: a provider that is described in the settings alone. What nobody has confirmed is not promised: no key, no look-up;
//! after a call without an answer a person decides.

mod receipt;
#[cfg(test)]
mod tests;

use super::frozen::{Request, Thawed};
use super::wire::{Credential, Page, ReadBack, Reply, Wire, text_at, usual};
use super::{
    CallResult, Capabilities, Check, Detail, Item, LetterLimits, LookupStrength, Outbound, RawReceipt, ReadReceipt, ReceiptProof,
    ReceiptRefusal, Refusal, Seen, Sought, StatusAnswer,
};
use crate::config::{Described, Lane};
use crate::model::state::{Channel, MessageState};
use crate::model::step::Answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

const TEMPLATE: &str = "body";

/// An account at such a provider.
pub struct DescribedProvider {
    channel: Channel,
    api_key: SecretString,
    receipt_secret: SecretString,
    settings: Described,
    words: BTreeMap<String, Option<MessageState>>,
    engine: Handlebars<'static>,
    capabilities: Capabilities,
}

impl DescribedProvider {
    /// The account of a lane; otherwise what is wrong with its description.
    pub fn new(lane: &Lane, channel: Channel) -> Result<Self, &'static str> {
        let settings = lane.http.clone().ok_or("must be there: it describes the provider")?;
        refuse_what_cannot_work(&settings, channel)?;
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(handlebars::no_escape);
        engine.register_helper("json", Box::new(write_json));
        engine.register_template_string(TEMPLATE, &settings.body).map_err(|_| "has a `body` that is no template")?;
        let state = |word: &str| match word {
            "" => Some(None),
            word => word.parse().ok().filter(|state: &MessageState| state.is_report()).map(Some),
        };
        let words = settings.words.iter().map(|(word, meaning)| Some((word.clone(), state(meaning)?)));
        let words = words.collect::<Option<_>>().ok_or("has words whose meaning is no state that a provider can report")?;
        let capabilities = capabilities(channel, &settings);
        let (api_key, receipt_secret) = (lane.api_key.clone(), lane.receipt_secret.clone());
        Ok(Self { channel, api_key, receipt_secret, settings, words, engine, capabilities })
    }

    fn state(&self, word: &str) -> Option<MessageState> {
        self.words.get(word).copied().flatten()
    }

    /// What the body may name, and what must stand in it unchanged.
    fn fields(&self, outbound: &Outbound<'_>) -> (Value, String) {
        let (reference, callback) = (outbound.reference, outbound.callback);
        match outbound.item {
            Item::Sms { from, to, text } => {
                (json!({ "from": from, "to": to, "text": text, "reference": reference, "callback": callback }), text.to_owned())
            }
            Item::Email { from, from_name, to, subject, text } => {
                let fields = json!({
                    "from": from, "from_name": from_name, "to": to, "subject": subject, "text": text, "reference": reference,
                    "callback": callback,
                });
                (fields, text.to_owned())
            }
            Item::Letter { from, address, pdf, pages, postage_class } => {
                let pdf = STANDARD.encode(pdf);
                let fields = json!({
                    "from": from, "address": address, "pdf": pdf, "pages": pages, "postage_class": postage_class,
                    "reference": reference, "callback": callback,
                });
                (fields, pdf)
            }
        }
    }
}

fn refuse_what_cannot_work(settings: &Described, channel: Channel) -> Result<(), &'static str> {
    let is_path = |path: &str| path.starts_with('/') && !path.contains(char::is_whitespace);
    let Described { status_path, check_path, receipt, .. } = settings;
    let pointers = [
        &settings.content,
        &settings.subject,
        &settings.id,
        &settings.status,
        &receipt.id,
        &receipt.word,
        &receipt.reference,
        &receipt.event,
    ];
    let has_receipts = !receipt.id.is_empty();
    if !is_path(&settings.path) || settings.taken.is_empty() || settings.id.is_empty() || settings.content.is_empty() {
        Err("needs `path`, `body`, `content`, `taken` and `id`")
    } else if channel == Channel::Email && settings.subject.is_empty() {
        Err("needs `subject`: where an email's subject stands in its `body`")
    } else if pointers.iter().any(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        Err("says where something stands by a pointer that does not begin with `/`")
    } else if !(status_path.is_empty() || is_path(status_path) && status_path.contains("{id}")) {
        Err("has a `status_path` without `{id}`")
    } else if !status_path.is_empty() && settings.status.is_empty() {
        Err("has a `status_path` and no `status`: where the answer has its word")
    } else if !check_path.is_empty() && !is_path(check_path) {
        Err("has a `check_path` that does not begin with `/`")
    } else if !["", "bearer", "basic", "x-api-key"].contains(&settings.auth.as_str()) {
        Err("has an `auth` that is none of bearer, basic, x-api-key")
    } else if has_receipts && receipt.word.is_empty() {
        Err("has a `receipt.id` and no `receipt.word`: where a receipt has its word")
    } else if has_receipts && receipt.signature.is_empty() && status_path.is_empty() {
        // They would be kept and asked about for ever, and never move anything.
        Err(
            "has receipts without a signature and no `status_path` to confirm them: set `status_path`, or `receipt.signature` if its provider signs, or leave `receipt` out",
        )
    } else {
        Ok(())
    }
}

/// `{{json x}}`: a value as JSON, so that no text breaks out of its place.
fn write_json(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value =
        helper.param(0).filter(|param| !param.is_value_missing()).ok_or(RenderErrorReason::ParamNotFoundForIndex("json", 0))?;
    out.write(&value.value().to_string())?;
    Ok(())
}

fn capabilities(channel: Channel, settings: &Described) -> Capabilities {
    let (polling, has_receipts) = (!settings.status_path.is_empty(), !settings.receipt.id.is_empty());
    let letters = LetterLimits { pages_max: 20, bytes_max: 4 << 20, postage_classes: &["first", "second", "economy"] };
    Capabilities {
        name: "described in the settings",
        channels: &[Channel::Sms, Channel::Email, Channel::Letter],
        idempotent_for: None,
        lookup: LookupStrength::None,
        receipts: match (has_receipts, settings.receipt.signature.is_empty()) {
            (true, false) => ReceiptProof::Signed(receipt::SIGNED),
            (true, true) => ReceiptProof::Confirmed(receipt::CONFIRMED),
            (false, _) => ReceiptProof::None,
        },
        receipts_have_time: false,
        names_callback: names_callback(&settings.body),
        polling,
        per_second_max: None,
        per_day_max: None,
        text_chars_max: None,
        letters: (channel == Channel::Letter).then_some(letters),
        shows_letter: None,
        cancel_within: None,
        retention: None,
        delivered_means: "what whoever wrote the settings says that the provider's word means; Duly knows nothing of it",
        cut_off: "",
        words: &[],
        test_mode: "",
    }
}

/// Whether a body's template has a place for the address of its receipts.
fn names_callback(body: &str) -> bool {
    body.split("{{").skip(1).any(|rest| rest.split("}}").next().is_some_and(|tag| tag.contains("callback")))
}

/// Only ids without anything that leads elsewhere become part of a path.
fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A text or a number.
fn word_at(value: &Value, pointer: &str) -> Option<String> {
    text_at(value, pointer).or_else(|| value.pointer(pointer)?.as_u64().map(|n| n.to_string()))
}

impl Wire for DescribedProvider {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The body must be JSON and have our text unchanged where the settings say; else nothing is sent.
    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        let (fields, content) = self.fields(outbound);
        let refusal = Refusal { code: "body" };
        let body = self.engine.render(TEMPLATE, &fields).map_err(|_| refusal)?;
        let value: Value = serde_json::from_str(&body).map_err(|_| refusal)?;
        let has = |pointer: &str, text: &str| value.pointer(pointer).and_then(Value::as_str) == Some(text);
        let mut request = Request::post(self.settings.path.as_str(), "application/json", body);
        if let Item::Email { subject, .. } = outbound.item {
            if !has(&self.settings.subject, subject) {
                return Err(refusal);
            }
            request = request.header("x-duly-subject", self.settings.subject.as_str());
        }
        if !has(&self.settings.content, &content) {
            return Err(refusal);
        }
        let pointer = if self.channel == Channel::Letter { "x-duly-pdf" } else { "x-duly-text" };
        // It tells whoever reads the frozen request where its content stands.
        let request = request.header(pointer, self.settings.content.as_str());
        Ok(Request { destination: Some(outbound.item.destination()), ..request })
    }

    fn authorise(&self, _: OffsetDateTime) -> Credential {
        let key = self.api_key.expose_secret();
        match (self.settings.auth.as_str(), key.split_once(':')) {
            ("basic", Some((user, password))) => Credential::basic(user, password),
            ("basic", None) => Credential::basic(key, ""),
            ("x-api-key", _) => Credential { header: "x-api-key", value: key.into() },
            _ => Credential::bearer(key),
        }
    }

    /// A status of `taken` with an id is `accepted`, without one `unknown`; one of `never` is `rejected` if its body is JSON,
    /// as all that this provider says; 4xx that are named nowhere may be anything; the rest is as everywhere.
    fn read_answer(&self, _: &Thawed<'_>, reply: &Reply) -> CallResult {
        let id = reply.json().and_then(|json| word_at(&json, &self.settings.id));
        let code = reply.status.to_string();
        let is_own = reply.json().is_some_and(|json| json.is_object());
        match (id, self.settings.taken.contains(&reply.status)) {
            (Some(id), true) => CallResult::accepted(id, code),
            (None, true) => CallResult::new(Answer::Unknown, "unreadable"),
            _ if self.settings.never.contains(&reply.status) && is_own => CallResult::new(Answer::Rejected, code),
            _ if self.settings.never.contains(&reply.status) => CallResult::new(Answer::Unknown, code),
            _ if matches!(reply.status, 400 | 404..=428 | 430..=499) => CallResult::new(Answer::Unknown, code),
            _ => usual(reply, false),
        }
    }

    fn look_up(&self, _: &Sought<'_>, _: Option<&str>) -> Option<Request> {
        None
    }

    fn read_look_up(&self, _: &Sought<'_>, _: &Reply) -> Page {
        Page::CannotKnow
    }

    fn status(&self, provider_id: &str) -> Option<Request> {
        let is_there = !self.settings.status_path.is_empty() && is_id(provider_id);
        is_there.then(|| Request::get(self.settings.status_path.replace("{id}", provider_id)))
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        let json = reply.json().filter(|_| reply.status == 200);
        let seen = json.and_then(|json| {
            let (provider_id, word) = (word_at(&json, &self.settings.id)?, word_at(&json, &self.settings.status)?);
            Some(Seen { provider_id, reference: None, status: self.state(&word), word, detail: Detail::default() })
        });
        match (seen, reply.status) {
            (Some(seen), _) => StatusAnswer::Known(seen),
            (None, 404) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    fn check(&self) -> Option<Request> {
        let path = &self.settings.check_path;
        (!path.is_empty()).then(|| Request::get(path.as_str()))
    }

    fn read_check(&self, reply: &Reply) -> Check {
        match reply.status {
            200..300 => Check::Good,
            401 | 403 => Check::BadCredentials,
            404 | 405 | 410 => Check::Unfit("it does not know the lane's `http.check_path`"),
            _ => Check::Unreachable,
        }
    }

    fn is_check_guarded(&self) -> bool {
        false
    }

    fn how_to_check(&self) -> &'static str {
        "set `http.check_path` to a place that it shows to nobody without the key, or send a message of your own to yourself through a plan of one person"
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        receipt::read(raw, &self.settings.receipt, &self.receipt_secret, |word| self.state(word)).map(|receipt| vec![receipt])
    }
}

/// Reads a frozen request back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    let at = |name: &str| request.headers.iter().find(|(header, _)| *header == name).map(|(_, pointer)| *pointer);
    let destination = request.destination.clone()?;
    let text = |pointer: &str| body.pointer(pointer)?.as_str();
    match (at("x-duly-text"), at("x-duly-subject"), at("x-duly-pdf")) {
        (Some(pointer), Some(subject), _) => Some(ReadBack::email(&destination, text(subject)?, text(pointer)?)),
        (Some(pointer), None, _) => Some(ReadBack::text(&destination, text(pointer)?)),
        (None, _, Some(pointer)) => Some(ReadBack::pdf(destination, STANDARD.decode(text(pointer)?).ok()?)),
        (None, _, None) => None,
    }
}
