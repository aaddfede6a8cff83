//! Lob: letters in the United States, by its API v1.
//!
//! Facts from lob/lob-openapi 539ed451 (v1.22.0, `dist/lob-api-bundled.yml`). Never run against the live service.
//!
//! A key makes a repeat safe for 24 hours, after which the same key prints again: the key is relied on for 23. The PDF is
//! printed as it is; Lob prints the address on a sheet of its own before it, because on ours it would stand over our own.

mod address;
mod receipt;
#[cfg(test)]
mod tests;
mod words;

pub use words::WORDS;

use super::frozen::{Request, Thawed};
use super::multipart::{Multipart, file, parts, text};
use super::wire::{Credential, LetterAt, Page, ReadBack, Reply, Wire, page_of_ours, text_at, usual};
use super::{
    CallResult, CancelOutcome, CancelWindow, Capabilities, Detail, Item, LetterLimits, LookupStrength, Outbound, Pause,
    RawReceipt, ReadReceipt, ReceiptProof, ReceiptRefusal, Refusal, Returned, Seen, ShownLetter, Sought, StatusAnswer,
};
use crate::config::Lane;
use crate::model::state::Channel;
use crate::model::step::Answer;
use address::UsAddress;
use receipt::ReceiptReader;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;

/// The live service.
pub const LIVE_URL: &str = "https://api.lob.com";
const LETTERS: &str = "/v1/letters";
/// The version of the API that the frozen requests are of; from it on, the sheet is US Letter unless asked otherwise.
const VERSION: &str = "2024-01-01";
/// The mark by which our letters are found.
const MARK: &str = "duly_reference";
/// How long a key is relied on: an hour less than it lives.
const KEY_LIFE: Duration = Duration::from_secs(23 * 3600);
/// unconfirmed: how long a new letter may be missing from a list.
const LAG: Duration = Duration::from_secs(120);
/// A PDF that is sent with its letter; the vendor names 5 MB for one that it fetches.
const BYTES_MAX: usize = 5_000_000;
/// Six sheets on both sides fit the window envelope; one of them has the address.
const PAGES_MAX: u32 = 10;

/// Errors of the lane's own settings or of our account: nobody's letter would be taken.
pub(super) const OURS: &[&str] = &[
    "billing_address_required",
    "feature_limit_reached",
    "foreign_return_address",
    "mail_use_type_can_not_be_null",
    "unrecognized_endpoint",
    "unsupported_lob_version",
];

/// An account at Lob.
pub struct Lob {
    api_key: SecretString,
    receipts: ReceiptReader,
    capabilities: Capabilities,
}

impl Lob {
    /// The account of a lane.
    pub fn new(lane: &Lane, _: Channel) -> Self {
        Self {
            api_key: lane.api_key.clone(),
            receipts: ReceiptReader::new(lane.receipt_secret.clone()),
            capabilities: capabilities(),
        }
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        name: "Lob",
        channels: &[Channel::Letter],
        idempotent_for: Some(KEY_LIFE),
        lookup: LookupStrength::Strong { lag: LAG },
        receipts: ReceiptProof::Signed(receipt::SCHEME),
        receipts_have_time: true,
        names_callback: false,
        polling: true,
        // 150 in 5 seconds at each endpoint; a second's worth may leave at once before the pace begins.
        per_second_max: Some(25),
        per_day_max: None,
        text_chars_max: None,
        letters: Some(LetterLimits { pages_max: PAGES_MAX, bytes_max: BYTES_MAX, postage_classes: &["first"] }),
        // unconfirmed: whether the sheet of the address is one page of it or, printed on both sides, two.
        shows_letter: Some(ShownLetter { added_min: 1, added_max: 2 }),
        cancel_within: Some(CancelWindow::Stated(Duration::from_secs(300))),
        retention: None,
        delivered_means: "the carrier's GPS unit left the delivery area: at the address, not in the person's hands",
        cut_off: "",
        words: WORDS,
        test_mode: "a key that begins with `test_`: a letter is rendered, and none is printed",
    }
}

/// Whether a key is one of the test mode, in which letters are rendered and none is printed.
pub fn is_test_key(key: &SecretString) -> bool {
    key.expose_secret().starts_with("test_")
}

/// Whether a text is an id of Lob's letters; only such ids become part of a path.
fn is_id(text: &str) -> bool {
    text.strip_prefix("ltr_")
        .is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// An error's word, where it is one that a code may be.
fn error_code(reply: &Reply) -> Option<String> {
    let is_word = |code: &String| code.len() <= 32 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    reply.text_at("/error/code").filter(is_word)
}

/// Whether the body has the form of Lob's errors.
fn is_own_error(reply: &Reply) -> bool {
    reply.text_at("/error/message").or(reply.text_at("/error/code")).is_some()
}

/// The wait that a limit asks for: seconds since 1970 UTC (the vendor's own text), under either of the names in its document.
fn wait(reply: &Reply) -> Option<Duration> {
    let reset: i64 = reply.header("x-rate-limit-reset").or(reply.header("ratelimit-reset"))?.trim().parse().ok()?;
    let seconds = u64::try_from(reset - OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
    Some(Duration::from_secs(seconds.min(3600)))
}

fn seen(letter: &Value) -> Option<Seen> {
    let (word, status) = words::read(letter);
    let reference = text_at(letter, &format!("/metadata/{MARK}"));
    Some(Seen { provider_id: text_at(letter, "/id").filter(|id| is_id(id))?, reference, word, status, detail: Detail::default() })
}

/// What came back of our letter. Lob corrects addresses: what must stay is the five digits of the ZIP code.
fn returned(sent: &Thawed<'_>, letter: &Value) -> Returned {
    let kind = sent.headers.iter().find(|(name, _)| *name == "content-type").map_or("", |(_, kind)| kind);
    let ours = parts(kind, sent.body).unwrap_or_default();
    let is_other = |field: &str, pointer: &str| {
        let theirs = text_at(letter, pointer);
        theirs.is_some_and(|theirs| text(&ours, field).is_some_and(|ours| ours != theirs))
    };
    let five = |zip: &str| zip.chars().take(5).collect::<String>();
    let zip = text_at(letter, "/to/address_zip").zip(text(&ours, "to[address_zip]"));
    let differs = if is_other(&format!("metadata[{MARK}]"), &format!("/metadata/{MARK}")) {
        Some("reference_differs")
    } else if zip.is_some_and(|(theirs, ours)| five(&theirs) != five(ours)) {
        Some("address_differs")
    } else if is_other("mail_type", "/mail_type") {
        Some("postage_differs")
    } else {
        None
    };
    Returned { differs, ..Returned::default() }
}

impl Wire for Lob {
    fn kind(&self) -> &'static str {
        "lob"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn takes(&self, item: &Item<'_>) -> Result<(), Refusal> {
        let Item::Letter { from, address, .. } = item else { return Err(Refusal { code: "channel" }) };
        UsAddress::parse(address).ok_or(Refusal { code: "address" })?;
        // It is printed beside the person's own, on the sheet that the window shows.
        UsAddress::parse(from).map(|_| ()).ok_or(Refusal { code: "return_address" })
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        let Item::Letter { from, address, pdf, .. } = outbound.item else { return Err(Refusal { code: "channel" }) };
        let to = UsAddress::parse(address).ok_or(Refusal { code: "address" })?;
        let from = UsAddress::parse(from).ok_or(Refusal { code: "return_address" })?;
        let form = from.write("from", to.write("to", Multipart::new(outbound.reference)));
        let (content_type, body) = form
            .text("color", "false")
            .text("use_type", "operational")
            .text("double_sided", "true")
            .text("address_placement", "insert_blank_page")
            .text("mail_type", "usps_first_class")
            .text(&format!("metadata[{MARK}]"), outbound.reference)
            .pdf("file", pdf)
            .finish();
        let request = Request::post(LETTERS, &content_type, body)
            .header("idempotency-key", outbound.reference)
            .header("lob-version", VERSION);
        // The fields do not say how the lines stood.
        Ok(Request { destination: Some(outbound.item.destination()), ..request })
    }

    fn authorise(&self, _: OffsetDateTime) -> Credential {
        Credential::basic(self.api_key.expose_secret(), "")
    }

    /// | answer | means |
    /// |---|---|
    /// | 200 with an id of a letter | `accepted`, also for a replay of the key; the code says so where rendering failed |
    /// | 403, 404 or 422 with a code of `OURS` | `lane_stopped`: nobody's letter would be taken |
    /// | 422 `conflict` | `unknown`, as 409: something under this key is there or being made |
    /// | 422 else, with an error of Lob's | `rejected` |
    /// | 429 | `not_taken`, waits until `X-Rate-Limit-Reset` |
    /// | all else | the usual rows |
    fn read_answer(&self, sent: &Thawed<'_>, reply: &Reply) -> CallResult {
        if let (200, Some(letter)) = (reply.status, reply.json())
            && let Some(id) = text_at(&letter, "/id").filter(|id| is_id(id))
        {
            let has_failed = text_at(&letter, "/status").as_deref() == Some("failed");
            let code = if has_failed { "200_failed" } else { "200" };
            return CallResult { returned: returned(sent, &letter), ..CallResult::accepted(id, code) };
        }
        match (reply.status, error_code(reply)) {
            (400..=428, Some(code)) if OURS.contains(&code.as_str()) => {
                CallResult::new(Answer::LaneStopped, code).pausing(Pause::Minute)
            }
            (404, _) => CallResult::new(Answer::LaneStopped, "404").pausing(Pause::Minute),
            (422, Some(code)) if code == "conflict" => CallResult::new(Answer::Unknown, code),
            (422, Some(code)) => CallResult::new(Answer::Rejected, code),
            (429, _) => {
                let result = usual(reply, false);
                CallResult { retry_after: wait(reply).or(result.retry_after), ..result }
            }
            _ => usual(reply, is_own_error(reply)),
        }
    }

    fn look_up(&self, sought: &Sought<'_>, page: Option<&str>) -> Option<Request> {
        match page {
            Some(page) => Some(Request::get(page)),
            None => Some(Request::get(format!("{LETTERS}?metadata%5B{MARK}%5D={}&limit=100", sought.reference))),
        }
    }

    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page {
        let json = reply.json().filter(|_| reply.status == 200);
        let Some((json, letters)) = json.as_ref().and_then(|json| Some((json, json.get("data")?.as_array()?))) else {
            return Page::CannotKnow;
        };
        // What cannot be read may be ours.
        let given = sought.frozen.and_then(|frozen| frozen.thaw());
        let found = |letter: &Value| {
            let differs = given.as_ref().and_then(|sent| returned(sent, letter).differs);
            Some(Seen { detail: Detail { differs, ..Detail::default() }, ..seen(letter)? })
        };
        let all: Option<Vec<Seen>> = letters.iter().map(found).collect();
        let Some(all) = all else { return Page::CannotKnow };
        // The next page is given with its host; ours is the lane's.
        match text_at(json, "/next_url").map(|url| url.find(LETTERS).map(|at| url[at..].to_owned())) {
            Some(None) => Page::CannotKnow,
            next => page_of_ours(all, sought.reference, next.flatten()),
        }
    }

    fn status(&self, provider_id: &str) -> Option<Request> {
        is_id(provider_id).then(|| Request::get(format!("{LETTERS}/{provider_id}")))
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        match (reply.status, reply.json().as_ref().and_then(seen)) {
            (200, Some(seen)) => StatusAnswer::Known(seen),
            (404, _) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    /// The letter itself: its `url` is a signed link that ends after 30 days and is made anew with each answer.
    fn letter(&self, provider_id: &str) -> Option<Request> {
        self.status(provider_id)
    }

    /// A letter that is not rendered has a link to nothing.
    fn read_letter(&self, provider_id: &str, reply: &Reply) -> LetterAt {
        let letter = reply.json().filter(|letter| reply.status == 200 && text_at(letter, "/id").as_deref() == Some(provider_id));
        let rendered = letter.filter(|letter| text_at(letter, "/status").is_none_or(|status| status == "rendered"));
        rendered.and_then(|letter| text_at(&letter, "/url")).map_or(LetterAt::NotYet, LetterAt::Link)
    }

    /// The document's pattern of a signed link.
    fn letter_hosts(&self) -> &'static [&'static str] {
        &["lob-assets.com"]
    }

    fn cancel(&self, provider_id: &str) -> Option<Request> {
        let path = is_id(provider_id).then(|| format!("{LETTERS}/{provider_id}"))?;
        Some(Request { method: "DELETE", ..Request::get(path) })
    }

    fn read_cancel(&self, reply: &Reply) -> CancelOutcome {
        let is_deleted = reply.json().and_then(|json| json.get("deleted")?.as_bool());
        match (reply.status, is_deleted) {
            (200, Some(true)) => CancelOutcome::Cancelled,
            (422, _) if is_own_error(reply) => CancelOutcome::TooLate,
            _ => CancelOutcome::Unknown,
        }
    }

    fn check(&self) -> Option<Request> {
        Some(Request::get(format!("{LETTERS}?limit=1")))
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.receipts.read(raw)
    }
}

/// Reads a frozen request back; `None` too where the fields of the address are not the letters of its lines.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let kind = request.headers.iter().find(|(name, _)| *name == "content-type").map(|(_, kind)| *kind)?;
    let form = parts(kind, request.body)?;
    let destination = request.destination.clone()?;
    let lines: Vec<String> = destination.split('\n').map(str::to_owned).collect();
    let is_same = UsAddress::parse(&lines)? == UsAddress::read("to", &form)?;
    is_same.then(|| ReadBack::pdf(destination, file(&form).unwrap_or_default().to_vec()))
}
