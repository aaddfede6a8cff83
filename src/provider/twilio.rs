//! Twilio: text messages by the Messages resource of its API 2010-04-01.
//!
//! Facts from twilio/twilio-oai d50069b4 (`spec/json/twilio_api_v2010.json`), twilio/twilio-python 306691e7
//! (`request_validator.py`, `base/version.py`) and the pages twilio.com/docs/api/errors/…. Never run against the live
//! service.
//!
//! No key makes a repeat safe: the page of error 20500 says that a text that is posted again may be sent again. There is no
//! field for our reference either, so it travels in the query of the callback, and a look-up goes by number and text. What
//! it finds is ours; what it does not find may be there all the same.

mod receipt;
#[cfg(test)]
mod tests;
mod words;

pub use words::WORDS;

use super::frozen::{Request, Thawed};
use super::given::content;
use super::money;
use super::wire::{Credential, Page, ReadBack, Reply, Wire, text_at, usual};
use super::{
    CallResult, CancelOutcome, CancelWindow, Capabilities, Check, Cost, Count, Detail, Item, LookupStrength, Outbound, Pause,
    RawReceipt, ReadReceipt, ReceiptProof, ReceiptRefusal, Refusal, Returned, Seen, Sought, StatusAnswer,
};
use crate::config::Lane;
use crate::model::state::Channel;
use crate::model::step::Answer;
use crate::render::sms::measure;
use receipt::ReceiptReader;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The live service.
pub const LIVE_URL: &str = "https://api.twilio.com";
const FORM: &str = "application/x-www-form-urlencoded";
/// Longest text, characters.
const TEXT_CHARS_MAX: usize = 1600;
/// How often and after what a callback is tried again (page webhooks-connection-overrides). unconfirmed: `all`.
const TRIES: &str = "#rc=5&rp=all";
/// Longest `ValidityPeriod`, seconds.
const VALIDITY_MAX: u64 = 36_000;
/// How long to go on looking for an unknown call.
const PATIENCE: Duration = Duration::from_secs(3600);
/// What two clocks may differ by.
const CLOCKS: time::Duration = time::Duration::minutes(5);

/// Errors of the recipient: another number might be taken, this one never.
const RECIPIENT: &[u64] = &[21211, 21214, 21265, 21421, 21610, 21612, 21614, 21635];
/// Errors of the lane's own settings: nobody's message would be taken.
pub(super) const OURS: &[u64] = &[NOT_ACTIVE, 20404, 21212, 21603, 21606, 21609, 21659, 21660, 21661, 21703];
/// This sender's queue is full; nothing was taken.
const QUEUE_FULL: u64 = 21611;
/// The account's messages of 24 hours are used up; nothing was taken.
const DAILY: u64 = 63038;
/// Texts to the number's country are switched off in the account (page of error 21408, Messaging Geo Permissions), in a few
/// countries for everybody. Other numbers are taken, and whoever runs the account can switch it on: it refuses nobody for good.
const REGION: u64 = 21408;
/// How long it takes until somebody may have switched a country on.
const REGION_AGAIN: Duration = Duration::from_secs(3600);
/// The account was suspended before Twilio could send the text (page of error 30002: in callbacks, in the message's
/// `error_code`). unconfirmed: that a submit can be answered with it.
const SUSPENDED: u64 = 30002;
/// The account is not active: suspended or closed. unconfirmed: that a question is answered with it and not with 20003, which
/// is the error of wrong credentials too (page of error 20003).
const NOT_ACTIVE: u64 = 20005;
/// The credentials are those of the test mode, which answer nothing but a submit.
const TEST_CREDENTIALS: u64 = 20008;

/// An account at Twilio.
pub struct Twilio {
    account: String,
    user: String,
    password: SecretString,
    service: String,
    validity: String,
    receipts: ReceiptReader,
    capabilities: Capabilities,
}

/// How long Twilio tries, seconds: it takes ten hours at most, which is also what it does unasked.
fn validity(wanted: u64) -> u64 {
    if wanted == 0 { VALIDITY_MAX } else { wanted.min(VALIDITY_MAX) }
}

impl Twilio {
    /// The account of a lane: `account` is its SID, `api_key` the auth token or `SK…:secret`, `receipt_secret` the auth
    /// token, by which callbacks are signed, `sender_id` a messaging service or empty. `None` where the SID is none.
    pub fn new(lane: &Lane, _: Channel) -> Option<Self> {
        is_sid("AC", &lane.account).then(|| {
            let key = lane.api_key.expose_secret();
            let (user, password) = key.split_once(':').filter(|(user, _)| user.starts_with("SK")).unwrap_or((&lane.account, key));
            Self {
                account: lane.account.clone(),
                user: user.to_owned(),
                password: password.into(),
                service: if is_sid("MG", &lane.sender_id) { lane.sender_id.clone() } else { String::new() },
                validity: validity(lane.validity_seconds).to_string(),
                receipts: ReceiptReader::new(lane.receipt_secret.clone()),
                capabilities: capabilities(),
            }
        })
    }

    fn path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}{rest}", self.account)
    }

    fn one(&self, provider_id: &str) -> Option<String> {
        let is_id = is_sid("SM", provider_id) || is_sid("MM", provider_id);
        is_id.then(|| self.path(&format!("/Messages/{provider_id}.json")))
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        name: "Twilio",
        channels: &[Channel::Sms],
        idempotent_for: None,
        lookup: LookupStrength::Weak { patience: PATIENCE },
        receipts: ReceiptProof::Signed(receipt::SCHEME),
        receipts_have_time: false,
        names_callback: true,
        polling: true,
        // Depends on sender and country; 429 tells.
        per_second_max: None,
        per_day_max: None,
        text_chars_max: Some(TEXT_CHARS_MAX),
        letters: None,
        // Only what still waits in Twilio's queue; ten hours is the longest wait there.
        shows_letter: None,
        cancel_within: Some(CancelWindow::Stated(Duration::from_secs(36_000))),
        // unconfirmed: message records are kept at least thirteen months, unless the lane's account redacts them.
        retention: None,
        delivered_means: "the network reported to Twilio that it delivered the text; not every network does, and some do so early",
        cut_off: "",
        words: WORDS,
        test_mode: "test credentials: a submit is checked, nothing is sent, and no receipt comes",
    }
}

/// Whether a text is an id of this prefix; only such ids become part of a path.
fn is_sid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn field(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Twilio's number of an error (twilio-python's `base/version.py` reads the same field of both of its error formats).
fn error_code(reply: &Reply) -> Option<u64> {
    reply.json()?.get("code")?.as_u64()
}

fn seen(message: &Value) -> Option<Seen> {
    let (word, status) = words::read(message);
    let detail = Detail {
        cost: cost(message),
        content: content(text_at(message, "/body").as_deref()),
        parts: segments(message).map(Count::Segments),
        differs: None,
    };
    Some(Seen { provider_id: text_at(message, "/sid")?, reference: None, word, status, detail })
}

/// 0 as long as a messaging service has chosen no sender.
fn segments(message: &Value) -> Option<u32> {
    text_at(message, "/num_segments").and_then(|n| n.parse::<u32>().ok()).filter(|n| *n > 0)
}

/// `"-0.04000"` and `"USD"`; filled in after the text was sent.
fn cost(message: &Value) -> Option<Cost> {
    money::cost(text_at(message, "/price")?.trim_start_matches('-'), &text_at(message, "/price_unit")?)
}

/// What came back of our message: the text, the number, the sender, the segments. A messaging service chooses the sender
/// itself, so that only a sender of ours is compared.
fn returned(body: &[u8], message: &Value) -> Returned {
    let ours = |name| field(body, name).unwrap_or_default();
    let text = ours("Body");
    let parts = segments(message);
    let differs = if text_at(message, "/body").is_some_and(|body| body != text) {
        Some("text_differs")
    } else if text_at(message, "/to").is_some_and(|to| to != ours("To")) {
        Some("destination_differs")
    } else if field(body, "From").is_some_and(|from| text_at(message, "/from").is_some_and(|theirs| theirs != from)) {
        Some("sender_differs")
    } else if parts.is_some_and(|parts| usize::try_from(parts) != Ok(measure(&text).segments)) {
        Some("segments_differ")
    } else {
        None
    };
    Returned { differs, parts, cost: cost(message) }
}

impl Wire for Twilio {
    fn kind(&self) -> &'static str {
        "twilio"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        let Item::Sms { from, to, text } = outbound.item else { return Err(Refusal { code: "channel" }) };
        if text.is_empty() {
            return Err(Refusal { code: "text_length" });
        }
        let callback = outbound.callback.map(|url| format!("{url}?ref={}{TRIES}", outbound.reference));
        let sender = if self.service.is_empty() { ("From", from) } else { ("MessagingServiceSid", self.service.as_str()) };
        let mut fields = vec![("To", to), sender, ("Body", text)];
        // What was approved is sent as it is: no character is replaced to save a segment.
        fields.push(("SmartEncoded", "false"));
        fields.push(("ValidityPeriod", &self.validity));
        fields.extend(callback.as_deref().map(|url| ("StatusCallback", url)));
        Ok(Request::post(self.path("/Messages.json"), FORM, form(&fields)))
    }

    fn authorise(&self, _: OffsetDateTime) -> Credential {
        Credential::basic(&self.user, self.password.expose_secret())
    }

    /// | answer | means |
    /// |---|---|
    /// | 201 with `sid` | `accepted`; the code says so where it failed at once |
    /// | the same, failed with 30002 | `lane_stopped`: it never left, and the account is suspended |
    /// | 4xx with 21408 | `not_taken`, again after an hour: the account may not send to that country; an alarm |
    /// | 4xx with a code of `RECIPIENT` | `rejected` |
    /// | 4xx with a code of `OURS`; 404 | `lane_stopped`: nobody's message would be taken |
    /// | 21611 sender's queue full | `lane_stopped` for a minute |
    /// | 429 with 63038 | `lane_stopped` until the day ends |
    /// | 429 else (20429) | `not_taken`: never processed, the vendor says |
    /// | 4xx without a code of Twilio's, 500 (20500) and all else | the usual rows |
    fn read_answer(&self, sent: &Thawed<'_>, reply: &Reply) -> CallResult {
        let json = reply.json();
        if let (201, Some(message), Some(sid)) = (reply.status, &json, reply.text_at("/sid")) {
            let has_failed = text_at(message, "/status").as_deref() == Some("failed");
            if has_failed && message.get("error_code").and_then(Value::as_u64) == Some(SUSPENDED) {
                return CallResult::new(Answer::LaneStopped, SUSPENDED.to_string()).pausing(Pause::Minute);
            }
            let code = if has_failed { "201_failed" } else { "201" };
            return CallResult { returned: returned(sent.body, message), ..CallResult::accepted(sid, code) };
        }
        match (reply.status, error_code(reply)) {
            (429, Some(DAILY)) => CallResult::new(Answer::LaneStopped, "429_daily").pausing(Pause::UtcDay),
            (400..=428, Some(REGION)) => CallResult {
                retry_after: Some(REGION_AGAIN),
                alarm: Some("region_not_enabled"),
                ..CallResult::new(Answer::NotTaken, REGION.to_string())
            },
            (400..=428, Some(code)) if RECIPIENT.contains(&code) => CallResult::new(Answer::Rejected, code.to_string()),
            (400..=428, Some(code)) if OURS.contains(&code) || code == QUEUE_FULL => {
                CallResult::new(Answer::LaneStopped, code.to_string()).pausing(Pause::Minute)
            }
            (404, _) => CallResult::new(Answer::LaneStopped, "404").pausing(Pause::Minute),
            (400, Some(code)) => CallResult::new(Answer::Rejected, code.to_string()),
            (_, code) => usual(reply, code.is_some()),
        }
    }

    /// By number: the vendor has no other way, so that this URL alone holds one; it is never logged. Not by the date of
    /// sending, because what still waits in the queue has none.
    fn look_up(&self, sought: &Sought<'_>, page: Option<&str>) -> Option<Request> {
        let list = self.path("/Messages.json");
        if let Some(page) = page {
            return page.starts_with(&list).then(|| Request::get(page));
        }
        let thawed = sought.frozen?.thaw()?;
        let (to, from) = (field(thawed.body, "To")?, field(thawed.body, "From"));
        let fields: Vec<_> = [("To", Some(to)), ("From", from), ("PageSize", Some("1000".to_owned()))]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let query = form(&fields.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
        Some(Request::get(format!("{list}?{query}")))
    }

    /// Ours is what has our text and number and is not older than our first call.
    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page {
        let json = reply.json().filter(|_| reply.status == 200);
        let (Some(json), Some(thawed)) = (json, sought.frozen.and_then(|frozen| frozen.thaw())) else { return Page::CannotKnow };
        let (to, text) = (field(thawed.body, "To"), field(thawed.body, "Body"));
        let Some(messages) = json.get("messages").and_then(Value::as_array) else { return Page::CannotKnow };
        let is_new = |message: &Value| {
            let made = text_at(message, "/date_created").and_then(|at| OffsetDateTime::parse(&at, &Rfc2822).ok());
            made.zip(sought.since).is_none_or(|(made, since)| made >= since - CLOCKS)
        };
        let is_ours = |message: &&Value| {
            text_at(message, "/to") == to
                && text_at(message, "/body") == text
                && text_at(message, "/direction").is_none_or(|way| way.starts_with("outbound"))
                && is_new(message)
        };
        let found = |message: &Value| {
            let seen = seen(message)?;
            let differs = returned(thawed.body, message).differs;
            Some(Seen { detail: Detail { differs, ..seen.detail }, ..seen })
        };
        let seen: Option<Vec<Seen>> = messages.iter().filter(is_ours).map(found).collect();
        // Who was asked for one number and shows others has not answered.
        let is_of_others = messages.iter().any(|message| text_at(message, "/to") != to);
        let seen = seen.filter(|seen| !(seen.is_empty() && is_of_others));
        seen.map_or(Page::CannotKnow, |seen| Page::Shows { seen, next: text_at(&json, "/next_page_uri") })
    }

    fn status(&self, provider_id: &str) -> Option<Request> {
        self.one(provider_id).map(Request::get)
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        match (reply.status, reply.json().as_ref().and_then(seen)) {
            (200, Some(seen)) => StatusAnswer::Known(seen),
            (404, _) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    fn cancel(&self, provider_id: &str) -> Option<Request> {
        Some(Request::post(self.one(provider_id)?, FORM, "Status=canceled"))
    }

    fn read_cancel(&self, reply: &Reply) -> CancelOutcome {
        match (reply.status, reply.text_at("/status").as_deref()) {
            (200, Some("canceled")) => CancelOutcome::Cancelled,
            (200, Some(_)) if reply.text_at("/sid").is_some() => CancelOutcome::TooLate,
            // unconfirmed: the number of the error; whatever it is, the vendor says no.
            (400 | 409 | 422, _) if error_code(reply).is_some() => CancelOutcome::TooLate,
            _ => CancelOutcome::Unknown,
        }
    }

    /// Lists one message, and not the account: that a standard key may not read (page of error 20003; iam/api-keys).
    fn check(&self) -> Option<Request> {
        Some(Request::get(self.path("/Messages.json?PageSize=1")))
    }

    fn read_check(&self, reply: &Reply) -> Check {
        let has_list = || reply.json().is_some_and(|json| json.get("messages").is_some_and(Value::is_array));
        match (reply.status, error_code(reply)) {
            (200, _) if has_list() => Check::Good,
            (400..=499, Some(NOT_ACTIVE | SUSPENDED)) => Check::Unfit("its account is suspended or closed"),
            (403, Some(TEST_CREDENTIALS)) => {
                Check::Unfit("its credentials are test credentials: nobody is reached and no receipt comes")
            }
            (401 | 403 | 404, _) => Check::BadCredentials,
            _ => Check::Unreachable,
        }
    }

    fn stop_code(&self, word: &str) -> Option<&'static str> {
        words::SUSPENDED.contains(&word).then_some("30002")
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.receipts.read(raw).map(|receipt| vec![receipt])
    }
}

/// Reads a frozen request back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    Some(ReadBack::text(&field(request.body, "To")?, &field(request.body, "Body")?))
}
