//! GOV.UK Notify: text messages, emails and precompiled letters of UK public bodies.
//!
//! Facts from alphagov/notifications-tech-docs 728dd6b (`openapi/`, `source/documentation/`); limits of a text and of a
//! letter from alphagov/notifications-utils `__init__.py`. Never run against the live service.
//!
//! A second submit under the same reference is a second message (the reference is a label, not a key), so an unknown call
//! is only ever resolved by its look-up. Our text goes out through a template whose whole body is `((body))`; what Notify
//! would write otherwise is refused before (`rewriting`), and what it made of the rest comes back and is compared.

mod jwt;
mod receipt;
mod rewriting;
#[cfg(test)]
mod tests;
mod words;

pub use jwt::ApiKey;
pub use receipt::Callbacks;
pub use words::WORDS;

use super::frozen::{Request, Thawed};
use super::given::content;
use super::wire::{Credential, LetterAt, Page, ReadBack, Reply, Wire, page_of_ours, text_at, usual};
use super::{
    CallResult, Capabilities, Check, Cost, Count, Detail, Item, LetterLimits, LookupStrength, Outbound, Pause, RawReceipt,
    ReadReceipt, ReceiptProof, ReceiptRefusal, Refusal, Returned, Seen, ShownLetter, Sought, StatusAnswer, find_word,
};
use crate::config::Lane;
use crate::model::email;
use crate::model::state::Channel;
use crate::model::step::Answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Header of a frozen request: the sender that was approved. Notify takes no sender from us; what it used is compared.
const APPROVED_SENDER: &str = "x-duly-from";

/// The live service.
pub const LIVE_URL: &str = "https://api.notifications.service.gov.uk";
const NOTIFICATIONS: &str = "/v2/notifications";
/// Messages on a page of a look-up; a shorter page is the last.
const PAGE: usize = 250;
/// What the check lets the template render.
const PROBE: &str = "Duly asks whether its text stays as it is.";
/// Longest text: six parts.
const TEXT_CHARS_MAX: usize = 918;
/// Lines of an address that Notify reads out of a letter.
const ADDRESS_LINES: std::ops::RangeInclusive<usize> = 3..=7;
/// What no line of an address may begin with.
const BAD_STARTS: &[char] = &['@', '(', ')', '=', '[', ']', '”', '\\', '/', ',', '<', '>'];

/// unconfirmed: Notify stores a message before it answers, so that a look-up sees it at once; a minute for replicas. A lane
/// may say otherwise.
const LAG: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A service at Notify.
pub struct Notify {
    channel: Channel,
    key: ApiKey,
    callbacks: Callbacks,
    template: String,
    sender_id: String,
}

impl Notify {
    /// The account of a lane; `None` where its key has not the form of Notify's keys.
    pub fn new(lane: &Lane, channel: Channel) -> Option<Self> {
        Some(Self {
            channel,
            key: ApiKey::parse(&lane.api_key)?,
            callbacks: Callbacks::new(lane, channel),
            template: lane.template.clone(),
            sender_id: lane.sender_id.clone(),
        })
    }

    /// The service of a lane, by its key: no secret.
    pub fn service(lane: &Lane) -> Option<String> {
        Some(ApiKey::parse(&lane.api_key)?.service().to_owned())
    }

    fn seen(&self, message: &Value) -> Option<Seen> {
        let word = text_at(message, "/status").unwrap_or_default();
        Some(Seen {
            provider_id: text_at(message, "/id")?,
            reference: text_at(message, "/reference"),
            status: find_word(WORDS, self.channel, &word).and_then(|row| row.state),
            word,
            detail: self.detail(message),
        })
    }

    /// Of a letter it shows no text of ours.
    fn detail(&self, message: &Value) -> Detail {
        let (body, subject) = (text_at(message, "/body"), text_at(message, "/subject"));
        let text = match self.channel {
            Channel::Sms => body,
            Channel::Email => subject.zip(body).map(|(subject, body)| email::join(&subject, &body)),
            Channel::Letter => None,
        };
        Detail { cost: cost(message), content: content(text.as_deref()), parts: parts(message), differs: None }
    }

    fn templated(&self, path: &str, to: (&str, &str), sender: &str, texts: Value, reference: &str) -> Request {
        let mut body = Map::from_iter([
            (to.0.to_owned(), json!(to.1)),
            ("personalisation".to_owned(), texts),
            ("reference".to_owned(), json!(reference)),
            ("template_id".to_owned(), json!(self.template)),
        ]);
        // A field that is empty is refused, and so is one that Notify does not know.
        if !self.sender_id.is_empty() {
            body.insert(sender.to_owned(), json!(self.sender_id));
        }
        Request::post_json(format!("{NOTIFICATIONS}/{path}"), &Value::Object(body))
    }
}

fn capabilities(channel: Channel, lag: Duration) -> Capabilities {
    let (per_day_max, delivered_means) = match channel {
        Channel::Sms => (250_000, "the mobile network told Notify's provider that the handset took it"),
        Channel::Email => (250_000, "the recipient's mail server took it"),
        Channel::Letter => (20_000, "the printer says that it printed and dispatched it; nobody tracks it from there"),
    };
    Capabilities {
        name: "GOV.UK Notify",
        channels: &[Channel::Sms, Channel::Email, Channel::Letter],
        idempotent_for: None,
        lookup: LookupStrength::Strong { lag: if lag.is_zero() { LAG } else { lag } },
        receipts: ReceiptProof::Confirmed("bearer"),
        receipts_have_time: false,
        names_callback: false,
        polling: true,
        // 3,000 a minute, rolling, for each type of key; a second's worth may leave at once before the pace begins.
        per_second_max: Some(49),
        per_day_max: Some(per_day_max),
        text_chars_max: (channel == Channel::Sms).then_some(TEXT_CHARS_MAX),
        letters: (channel == Channel::Letter).then_some(LetterLimits {
            pages_max: 10,
            // unconfirmed: Notify warns from 2 MB on.
            bytes_max: 2_000_000,
            postage_classes: &["first", "second", "economy"],
        }),
        // Sanitised, with the address written anew: page for page ours.
        shows_letter: (channel == Channel::Letter).then_some(ShownLetter::AS_GIVEN),
        // Only on its own pages, until 17:30 of the day.
        cancel_within: None,
        // A service chooses 3 to 90 days, 7 by default: the least of them is what can be relied on.
        retention: Some(DAY * 3),
        delivered_means,
        // unconfirmed: Notify names the hour for taking a letter back on its pages; what comes later is printed a day later.
        cut_off: if channel == Channel::Letter { "17:30 in the United Kingdom, on working days" } else { "" },
        words: WORDS,
        test_mode: "its test key, its smoke test numbers, and the preview of its template",
    }
}

/// Pounds as thousandths of a penny, once Notify says that the figure is final.
fn cost(message: &Value) -> Option<Cost> {
    let pounds = message.get("cost_in_pounds")?.as_f64()?;
    let is_ready = message.get("is_cost_data_ready")?.as_bool()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a price, bounded below")]
    let milli = (pounds * 100_000.0).round() as u64;
    (is_ready && (0.0..1e6).contains(&pounds)).then(|| Cost { milli, currency: "GBP".to_owned() })
}

/// What Notify charges for (`cost_details` in its documentation): fragments of a text, sheets of a letter that it prints on both
/// sides. 0 under a test key, and where nothing was sent.
fn parts(message: &Value) -> Option<Count> {
    let figure = |name: &str| {
        let n = message.get("cost_details")?.get(name)?.as_u64()?;
        u32::try_from(n).ok().filter(|n| *n > 0)
    };
    figure("billable_sms_fragments").map(Count::Segments).or(figure("billable_sheets_of_paper").map(Count::Sheets))
}

/// A request that remembers its approved sender; what no header can carry is not compared.
fn approved(request: Request, from: &str) -> Request {
    if from.is_ascii() { request.header(APPROVED_SENDER, from) } else { request }
}

fn is_no_address(lines: &[String]) -> bool {
    !ADDRESS_LINES.contains(&lines.len()) || lines.iter().any(|line| line.starts_with(BAD_STARTS))
}

/// What Notify took differently than it was approved: another reference, text or postage class, and another sender, which
/// is the service's own.
fn differs(sent: &Thawed<'_>, answer: &Value) -> Option<&'static str> {
    let ours: Value = serde_json::from_slice(sent.body).ok()?;
    let pairs = [
        ("reference_differs", "/reference", "/reference"),
        ("text_differs", "/personalisation/body", "/content/body"),
        ("subject_differs", "/personalisation/subject", "/content/subject"),
        ("postage_differs", "/postage", "/postage"),
    ];
    let from = answer.pointer("/content/from_number").or(answer.pointer("/content/from_email")).and_then(Value::as_str);
    let approved = sent.headers.iter().find(|(name, _)| *name == APPROVED_SENDER).map(|(_, from)| *from);
    let is_other_sender = from.zip(approved).is_some_and(|(theirs, ours)| theirs != ours);
    // What we gave must come back; what we did not give is theirs.
    let differs =
        pairs.into_iter().find(|(_, given, taken)| ours.pointer(given).is_some_and(|g| answer.pointer(taken) != Some(g)));
    differs.map(|p| p.0).or(is_other_sender.then_some("sender_differs"))
}

/// Whether a letter that was found goes by another postage class than it was given.
fn postage_differs(sent: &Thawed<'_>, shown: &Value) -> Option<&'static str> {
    let ours: Value = serde_json::from_slice(sent.body).ok()?;
    let (ours, theirs) = (text_at(&ours, "/postage")?, text_at(shown, "/postage")?);
    (ours != theirs).then_some("postage_differs")
}

/// Notify's name of an error: `errors[0].error`; its messages may change at any time and are not read.
fn error_of(reply: &Reply) -> String {
    reply.text_at("/errors/0/error").unwrap_or_default()
}

impl Wire for Notify {
    fn kind(&self) -> &'static str {
        "notify"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.callbacks.capabilities
    }

    fn takes(&self, item: &Item<'_>) -> Result<(), Refusal> {
        match item {
            // Notify writes the service's name as the sender of each email, and takes no other.
            Item::Email { from_name: "", .. } => Err(Refusal { code: "sender_shown" }),
            Item::Email { subject, .. } if !rewriting::keeps_subject(subject) => Err(Refusal { code: "subject_rewritten" }),
            Item::Email { text, .. } if !rewriting::keeps_body(text) => Err(Refusal { code: "text_rewritten" }),
            Item::Sms { text, .. } if !rewriting::keeps_text(text) => Err(Refusal { code: "text_rewritten" }),
            Item::Letter { address, .. } if is_no_address(address) => Err(Refusal { code: "address" }),
            _ => Ok(()),
        }
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        self.takes(&outbound.item)?;
        let reference = outbound.reference;
        match outbound.item {
            Item::Sms { from, to, text } => {
                let request = self.templated("sms", ("phone_number", to), "sms_sender_id", json!({ "body": text }), reference);
                Ok(approved(request, from))
            }
            Item::Email { from, to, subject, text, .. } => {
                let texts = json!({ "body": text, "subject": subject });
                let request = self.templated("email", ("email_address", to), "email_reply_to_id", texts, reference);
                Ok(approved(request, from))
            }
            Item::Letter { pdf, postage_class, .. } => {
                let body = json!({ "content": STANDARD.encode(pdf), "postage": postage_class, "reference": reference });
                let request = Request::post_json(format!("{NOTIFICATIONS}/letter"), &body);
                Ok(Request { destination: Some(outbound.item.destination()), ..request })
            }
        }
    }

    fn authorise(&self, now: OffsetDateTime) -> Credential {
        Credential::bearer(&self.key.token(now))
    }

    /// | answer | means |
    /// |---|---|
    /// | 201 with an id | `accepted`; what came back is compared with what we gave |
    /// | 400 of any error of Notify's | `rejected`: Notify never takes this message |
    /// | 403 | `lane_stopped`: key or clock |
    /// | 429 `TooManyRequestsError` | `lane_stopped` until midnight UTC: the daily limit |
    /// | 429 `RateLimitError`, or unread | `not_taken` |
    /// | 500 | `unknown`: Notify says "resend", but may have stored it before it failed |
    fn read_answer(&self, sent: &Thawed<'_>, reply: &Reply) -> CallResult {
        match (reply.status, reply.json().and_then(|answer| Some((text_at(&answer, "/id")?, answer)))) {
            (201, Some((id, answer))) => {
                let returned = Returned { differs: differs(sent, &answer), ..Returned::default() };
                CallResult { returned, ..CallResult::accepted(id, "201") }
            }
            (429, _) if error_of(reply) == "TooManyRequestsError" => {
                CallResult::new(Answer::LaneStopped, "429_daily").pausing(Pause::UtcDay)
            }
            _ => usual(reply, !error_of(reply).is_empty()),
        }
    }

    fn look_up(&self, sought: &Sought<'_>, page: Option<&str>) -> Option<Request> {
        let older = page.map(|id| format!("&older_than={id}")).unwrap_or_default();
        Some(Request::get(format!("{NOTIFICATIONS}?reference={}{older}", sought.reference)))
    }

    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page {
        let json = reply.json().filter(|_| reply.status == 200);
        let Some(messages) = json.as_ref().and_then(|json| json.get("notifications")?.as_array()) else {
            return Page::CannotKnow;
        };
        let given = sought.frozen.and_then(|frozen| frozen.thaw());
        let found = |message: &Value| {
            let seen = self.seen(message)?;
            let differs = given.as_ref().and_then(|sent| postage_differs(sent, message));
            Some(Seen { detail: Detail { differs, ..seen.detail }, ..seen })
        };
        let all: Option<Vec<Seen>> = messages.iter().map(found).collect();
        let Some(all) = all else { return Page::CannotKnow };
        let next = all.last().filter(|_| all.len() >= PAGE).map(|last| last.provider_id.clone());
        page_of_ours(all, sought.reference, next)
    }

    fn status(&self, provider_id: &str) -> Option<Request> {
        let id: Uuid = provider_id.parse().ok()?;
        Some(Request::get(format!("{NOTIFICATIONS}/{id}")))
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        match (reply.status, reply.json().and_then(|message| self.seen(&message))) {
            (200, Some(seen)) => StatusAnswer::Known(seen),
            (404, _) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    fn letter(&self, provider_id: &str) -> Option<Request> {
        let id: Uuid = provider_id.parse().ok().filter(|_| self.channel == Channel::Letter)?;
        Some(Request::get(format!("{NOTIFICATIONS}/{id}/pdf")))
    }

    /// | answer | means |
    /// |---|---|
    /// | 200 | the PDF |
    /// | 400 `PDFNotReadyError`, or any other | not now: not scanned yet, refused by the scan, in technical failure |
    fn read_letter(&self, _: &str, reply: &Reply) -> LetterAt {
        if reply.status == 200 { LetterAt::Here } else { LetterAt::NotYet }
    }

    /// Lets Notify render the lane's template with a text of ours, for nobody; a letter lane lists templates.
    fn check(&self) -> Option<Request> {
        let texts = json!({ "personalisation": { "body": PROBE, "subject": PROBE } });
        Some(match self.channel {
            Channel::Letter => Request::get("/v2/templates?type=letter"),
            Channel::Sms | Channel::Email => Request::post_json(format!("/v2/template/{}/preview", self.template), &texts),
        })
    }

    fn read_check(&self, reply: &Reply) -> Check {
        match reply.status {
            200 if self.channel == Channel::Letter => Check::Good,
            200 if reply.text_at("/body").as_deref() == Some(PROBE) => Check::Good,
            200 => Check::Unfit("its template changes our text: its whole body must be ((body)), and no service name before it"),
            400 | 404 => Check::Unfit("it does not know the lane's template"),
            401 | 403 => Check::BadCredentials,
            _ => Check::Unreachable,
        }
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.callbacks.believe(raw)
    }
}

/// Reads a frozen request back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    let at = |pointer: &str| text_at(&body, pointer);
    match (at("/phone_number"), at("/email_address")) {
        (Some(to), _) => Some(ReadBack::text(&to, &at("/personalisation/body")?)),
        (None, Some(to)) => Some(ReadBack::email(&to, &at("/personalisation/subject")?, &at("/personalisation/body")?)),
        (None, None) => Some(ReadBack::pdf(request.destination.clone()?, STANDARD.decode(text_at(&body, "/content")?).ok()?)),
    }
}
