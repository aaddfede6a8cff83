//! Stannp: letters in the United Kingdom, by its API v1.
//!
//! Facts from the vendor's own reference for programs (stannp.com/stannp-api-llm.md, as api-evangelist/stannp 30ed00f9 keeps
//! it), its pages stannp.com/uk/direct-mail-api/… and, for the look-up, stannp.com/us/direct-mail-api/reporting. There is no
//! OpenAPI document of the vendor's; tests/openapi has one of ours. Never run against the live service.
//!
//! The PDF goes out as it is (`letters/post`); Stannp reads the address off it by OCR and says what it read, which is
//! compared. The same key with an identical body is answered with 409 and the first answer; one byte more is a second letter.
//! unconfirmed: that the key, documented for the API as a whole, holds for `letters/post`; how long it lives.

mod receipt;
#[cfg(test)]
mod tests;

use super::frozen::{Request, Thawed};
use super::money;
use super::multipart::{Multipart, Part, file, parts, text};
use super::wire::{Credential, LetterAt, Page, ReadBack, Reply, Wire, page_of_ours, text_at, usual};
use super::{
    CallResult, CancelOutcome, CancelWindow, Capabilities, Check, ClaimedBy, Cost, Detail, Item, LetterLimits, LookupStrength,
    Outbound, Pause, RawReceipt, ReadReceipt, ReceiptProof, ReceiptRefusal, Refusal, Returned, Seen, ShownLetter, Sought,
    StatusAnswer, Word, find_word,
};
use crate::config::Lane;
use crate::model::contact::country_code;
use crate::model::state::{Channel, MessageState as S};
use crate::model::step::Answer;
use receipt::ReceiptReader;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;

/// The live service for Europe; a key of one region is refused by the other.
pub const LIVE_URL: &str = "https://api-eu1.stannp.com";
/// unconfirmed: nobody says how long a key lives; an hour is enough to resolve what a healthy lane leaves unknown.
const KEY_LIFE: Duration = Duration::from_secs(3600);
/// How far back a letter is looked for of which nobody knows when it was sent.
const SEEN_FOR: time::Duration = time::Duration::days(90);
/// Letters of one list; of one reference there are never so many.
const PAGE: usize = 100;
/// The vendor's pages say 10 or 64.
const PAGES_MAX: u32 = 10;
/// unconfirmed: no page names a size.
const BYTES_MAX: usize = 10_000_000;
/// unconfirmed: that prices of the European host are in pounds.
const CURRENCY: &str = "GBP";

/// Stannp's words: those of its API and those of its webhooks (reference, sections Reporting and Webhooks).
pub const WORDS: &[Word] = &[
    row("received", Some(S::Accepted), ClaimedBy::Provider, "Stannp holds the letter"),
    row("producing", Some(S::Printed), ClaimedBy::Provider, "it is being printed or finished"),
    row("printing", Some(S::Printed), ClaimedBy::Provider, "it is being printed or finished"),
    row("handed_over", Some(S::HandedToCarrier), ClaimedBy::Provider, "handed over to the carrier"),
    row("dispatched", Some(S::HandedToCarrier), ClaimedBy::Provider, "handed over to the carrier"),
    row("local_delivery", Some(S::HandedToCarrier), ClaimedBy::Carrier, "at the last delivery office"),
    row(
        "delivered",
        Some(S::HandedToCarrier),
        ClaimedBy::Estimate,
        "handed over; by Stannp's estimate it has arrived, nobody saw it",
    ),
    row("returned", Some(S::Returned), ClaimedBy::Carrier, "it came back, mostly because of its address"),
    row("cancelled", Some(S::Failed), ClaimedBy::Provider, "taken back before it was made: nothing is posted"),
    row("test", None, ClaimedBy::Provider, "nothing: a letter of the test mode is not printed"),
];

const fn row(word: &'static str, state: Option<S>, claimed_by: ClaimedBy, proves: &'static str) -> Word {
    Word { channel: Channel::Letter, word, state, claimed_by, proves }
}

fn state(word: &str) -> Option<S> {
    find_word(WORDS, Channel::Letter, word).and_then(|row| row.state)
}

/// An account at Stannp.
pub struct Stannp {
    api_key: SecretString,
    receipts: ReceiptReader,
    capabilities: Capabilities,
}

impl Stannp {
    /// The account of a lane.
    pub fn new(lane: &Lane, _: Channel) -> Self {
        let receipts = ReceiptReader::new(lane.receipt_secret.clone());
        Self { api_key: lane.api_key.clone(), receipts, capabilities: capabilities() }
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        name: "Stannp",
        channels: &[Channel::Letter],
        idempotent_for: Some(KEY_LIFE),
        // The list by tag finds news. That it shows everything nobody says, so that what is missing in it proves nothing;
        // after a call without an answer a repeat under the key tells more.
        lookup: LookupStrength::None,
        receipts: ReceiptProof::Signed(receipt::SCHEME),
        receipts_have_time: false,
        names_callback: false,
        polling: true,
        // 300 a minute; a second's worth may leave at once before the pace begins.
        per_second_max: Some(4),
        per_day_max: None,
        text_chars_max: None,
        letters: Some(LetterLimits { pages_max: PAGES_MAX, bytes_max: BYTES_MAX, postage_classes: &["first", "second"] }),
        // unconfirmed: that it has no page more than ours, and is shown to whoever has its link.
        shows_letter: Some(ShownLetter::AS_GIVEN),
        // Until production begins; when that is, no page says.
        cancel_within: Some(CancelWindow::UntilMade),
        retention: None,
        delivered_means: "Stannp's estimate that it arrived: it proves no more than that the letter was handed to the carrier",
        cut_off: "",
        words: WORDS,
        test_mode: "`test=true`: a sample is made, and nothing is printed; Duly does not use it",
    }
}

/// Whether a text is an id of Stannp's; only such ids become part of a path.
fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && text != "0"
}

/// An id, written as a number or as a text.
fn id(piece: &Value) -> Option<String> {
    let id = piece.get("id")?;
    let text = id.as_u64().map(|n| n.to_string()).or_else(|| id.as_str().map(str::to_owned))?;
    is_id(&text).then_some(text)
}

/// Our reference among the tags.
fn reference(piece: &Value) -> Option<String> {
    let tags = text_at(piece, "/tags")?;
    let is_ours = |tag: &&str| tag.len() == 32 && tag.bytes().all(|b| b.is_ascii_hexdigit());
    tags.split(',').map(str::trim).find(is_ours).map(str::to_owned)
}

fn seen(piece: &Value) -> Option<Seen> {
    let word = text_at(piece, "/status").unwrap_or_default();
    let detail = Detail { cost: cost(piece), ..Detail::default() };
    Some(Seen { provider_id: id(piece)?, reference: reference(piece), status: state(&word), word, detail })
}

/// A price, written as a number or as a text; 0 as long as it is not known.
fn cost(piece: &Value) -> Option<Cost> {
    let cost = piece.get("cost")?;
    let text = cost.as_str().map(str::to_owned).unwrap_or_else(|| cost.to_string());
    money::cost(&text, CURRENCY).filter(|cost| cost.milli > 0)
}

fn form<'a>(sent: &Thawed<'a>) -> Vec<Part<'a>> {
    let kind = sent.headers.iter().find(|(name, _)| *name == "content-type").map_or("", |(_, kind)| kind);
    parts(kind, sent.body).unwrap_or_default()
}

/// What came back of our letter; the address is what a machine read off it.
fn returned(sent: &Thawed<'_>, piece: &Value) -> Returned {
    let ours = form(sent);
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect::<String>();
    let address = bare(sent.destination.as_deref().unwrap_or_default());
    let is_other = |field: &str, pointer: &str| {
        let theirs = text_at(piece, pointer);
        theirs.is_some_and(|theirs| text(&ours, field).is_none_or(|ours| !ours.eq_ignore_ascii_case(&theirs)))
    };
    let strange =
        ["/postcode", "/address1"].iter().any(|at| text_at(piece, at).is_some_and(|line| !address.contains(&bare(&line))));
    let differs = if is_other("tags", "/tags") {
        Some("reference_differs")
    } else if strange || is_other("country", "/country") {
        Some("address_differs")
    } else if is_other("addons", "/addons") {
        Some("postage_differs")
    } else {
        None
    };
    Returned { differs, parts: None, cost: cost(piece) }
}

impl Wire for Stannp {
    fn kind(&self) -> &'static str {
        "stannp"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        let Item::Letter { address, pdf, postage_class, .. } = outbound.item else { return Err(Refusal { code: "channel" }) };
        let addons = if postage_class == "first" { "FIRST_CLASS" } else { "" };
        let last = address.last().ok_or(Refusal { code: "address" })?;
        let (content_type, body) = Multipart::new(outbound.reference)
            .text("country", country_code(last).unwrap_or("GB"))
            .text("size", "A4")
            .text("duplex", "1")
            .text("transactional", "1")
            .text("addons", addons)
            .text("tags", outbound.reference)
            .text("idempotency_key", outbound.reference)
            .pdf("pdf", pdf)
            .finish();
        let request = Request::post("/v1/letters/post", &content_type, body);
        // It stands in the PDF only.
        Ok(Request { destination: Some(outbound.item.destination()), ..request })
    }

    fn authorise(&self, _: OffsetDateTime) -> Credential {
        Credential::basic(self.api_key.expose_secret(), "")
    }

    /// | answer | means |
    /// |---|---|
    /// | 200 or 409, `success`, with an id | `accepted`; 409 is the replay of a key with the first answer |
    /// | 200 of the test mode | `lane_stopped`: nothing is printed |
    /// | 200 without `success` | `unknown`: a repeat under the key tells |
    /// | 404 | `lane_stopped`: another host |
    /// | 429 | `not_taken`, waits as `X-RateLimit-Reset` says, in seconds |
    /// | all else | the usual rows |
    fn read_answer(&self, sent: &Thawed<'_>, reply: &Reply) -> CallResult {
        let json = reply.json().filter(|_| matches!(reply.status, 200 | 409));
        let is_success = json.as_ref().and_then(|json| json.get("success")?.as_bool());
        let piece = json.as_ref().and_then(|json| json.get("data"));
        match (reply.status, is_success, piece) {
            (_, Some(true), Some(piece)) if text_at(piece, "/status").as_deref() == Some("test") => {
                CallResult::new(Answer::LaneStopped, "test_mode").pausing(Pause::Minute)
            }
            (status, Some(true), Some(piece)) if id(piece).is_some() => {
                let id = id(piece).unwrap_or_default();
                CallResult { returned: returned(sent, piece), ..CallResult::accepted(id, status.to_string()) }
            }
            (200, Some(false), _) => CallResult::new(Answer::Unknown, "error_inside"),
            (404, ..) => CallResult::new(Answer::LaneStopped, "404").pausing(Pause::Minute),
            (429, ..) => {
                let result = usual(reply, false);
                let seconds = reply.header("x-ratelimit-reset").and_then(|text| text.trim().parse::<u64>().ok());
                let wait = seconds.map(|seconds| Duration::from_secs(seconds.min(3600)));
                CallResult { retry_after: result.retry_after.or(wait), ..result }
            }
            _ => usual(reply, reply.json().is_some_and(|json| json.get("success") == Some(&Value::Bool(false)))),
        }
    }

    fn look_up(&self, sought: &Sought<'_>, _: Option<&str>) -> Option<Request> {
        let today = OffsetDateTime::now_utc().date();
        let since = sought.since.map_or(today - SEEN_FOR, |since| since.date() - time::Duration::DAY);
        let [from, to] = [since, today + time::Duration::DAY].map(|day| format!("{day}T00:00:00.000Z"));
        let list = format!("/v1/reporting/directMail/list/{from}/{to}");
        Some(Request::get(format!("{list}?tag={}&limit={PAGE}", sought.reference)))
    }

    /// A list that holds what is not ours was not filtered: then what is missing in it means nothing.
    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page {
        let json = reply.json().filter(|_| reply.status == 200);
        let data = json.as_ref().and_then(|json| json.get("data"));
        let pieces = data.and_then(|data| data.as_array().or_else(|| data.get("singles")?.as_array()));
        let Some(pieces) = pieces else { return Page::CannotKnow };
        let all: Option<Vec<Seen>> = pieces.iter().map(seen).collect();
        all.map_or(Page::CannotKnow, |all| page_of_ours(all, sought.reference, None))
    }

    fn status(&self, provider_id: &str) -> Option<Request> {
        is_id(provider_id).then(|| Request::get(format!("/v1/letters/get/{provider_id}")))
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        let seen = reply.json().and_then(|json| seen(json.get("data")?));
        match (reply.status, seen) {
            (200, Some(seen)) => StatusAnswer::Known(seen),
            (404, _) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    fn letter(&self, provider_id: &str) -> Option<Request> {
        self.status(provider_id)
    }

    /// `pdf_file` of the page "Get a single letter"; answers to a submit call it `pdf`.
    fn read_letter(&self, provider_id: &str, reply: &Reply) -> LetterAt {
        let json = reply.json().filter(|_| reply.status == 200);
        let piece = json.as_ref().and_then(|json| json.get("data")).filter(|piece| id(piece).as_deref() == Some(provider_id));
        let link = piece.and_then(|piece| text_at(piece, "/pdf_file").or(text_at(piece, "/pdf")));
        link.map_or(LetterAt::NotYet, LetterAt::Link)
    }

    /// The host in the pages' examples for both regions. unconfirmed: that it shows a letter to whoever has its link; no
    /// credentials go there.
    fn letter_hosts(&self) -> &'static [&'static str] {
        &["dash.stannp.com"]
    }

    fn cancel(&self, provider_id: &str) -> Option<Request> {
        let form = is_id(provider_id).then(|| format!("id={provider_id}"))?;
        Some(Request::post("/v1/letters/cancel", "application/x-www-form-urlencoded", form))
    }

    fn read_cancel(&self, reply: &Reply) -> CancelOutcome {
        let is_success = reply.json().and_then(|json| json.get("success")?.as_bool());
        match (reply.status, is_success) {
            (200, Some(true)) => CancelOutcome::Cancelled,
            (200 | 400 | 409 | 422, Some(false)) => CancelOutcome::TooLate,
            _ => CancelOutcome::Unknown,
        }
    }

    fn check(&self) -> Option<Request> {
        Some(Request::get("/v1/accounts/balance"))
    }

    fn read_check(&self, reply: &Reply) -> Check {
        let balance = reply.text_at("/data/balance");
        let is_empty = balance.as_deref().is_some_and(|text| text.starts_with('-') || text.bytes().all(|b| b"0.".contains(&b)));
        match reply.status {
            200 if is_empty => Check::Unfit("its balance is used up"),
            200 => Check::Good,
            401 | 403 => Check::BadCredentials,
            _ => Check::Unreachable,
        }
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.receipts.read(raw)
    }
}

/// Reads a frozen request back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    Some(ReadBack::pdf(request.destination.clone()?, file(&form(request))?.to_vec()))
}
