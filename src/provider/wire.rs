//! What one writes to add a provider that speaks HTTP: it makes requests and reads answers, and does nothing else.
//!
//! No I/O, no clock, no retry: [`super::http::HttpProvider`] has the client, the guarded body and the timeouts. Requests
//! are without host and credentials: the host is the lane's, credentials are added at each call by `authorise`.

use super::frozen::{Request, Thawed};
use super::{
    CallResult, CancelOutcome, Capabilities, Check, Item, Outbound, Pause, RawReceipt, ReadReceipt, ReceiptRefusal, Refusal,
    Seen, Sought, StatusAnswer,
};
use crate::model::email;
use crate::model::step::Answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

/// A provider's requests and answers.
pub trait Wire: Send + Sync + 'static {
    /// The word that chooses it in a lane's settings, and the first line of its frozen requests.
    fn kind(&self) -> &'static str;

    /// What it promises.
    fn capabilities(&self) -> &Capabilities;

    /// Refuses what this provider can never take beyond its stated limits, such as an address in a country that it does not
    /// serve.
    fn takes(&self, _item: &Item<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// The request for one message: its bytes are frozen, so it must be the same each time and carry no secret.
    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal>;

    /// The header that proves who we are, made anew for each call; `now` is UTC.
    fn authorise(&self, now: OffsetDateTime) -> Credential;

    /// The table of answers to `prepare`'s request. Begin with the rows that are this provider's own and end with
    /// [`usual`], which has those that are alike everywhere.
    fn read_answer(&self, sent: &Thawed<'_>, reply: &Reply) -> CallResult;

    /// The request that looks for our message, `page` being where the page before said that the next one is; `None`
    /// where there is no look-up.
    fn look_up(&self, sought: &Sought<'_>, page: Option<&str>) -> Option<Request>;

    /// What a page of the look-up shows of our message.
    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page;

    /// The request for the status of one message; `None` where there is none.
    fn status(&self, provider_id: &str) -> Option<Request>;

    /// What it answers.
    fn read_status(&self, reply: &Reply) -> StatusAnswer;

    /// The request that shows the letter of this id, or where it lies; `None` where there is none.
    fn letter(&self, _provider_id: &str) -> Option<Request> {
        None
    }

    /// What it answers; asked only where there is a request.
    fn read_letter(&self, _provider_id: &str, _reply: &Reply) -> LetterAt {
        LetterAt::NotYet
    }

    /// Hosts of its own, beside the lane's address, at which its letters lie: an answer leads nowhere else.
    fn letter_hosts(&self) -> &'static [&'static str] {
        &[]
    }

    /// The request that takes a message back; `None` where there is none.
    fn cancel(&self, _provider_id: &str) -> Option<Request> {
        None
    }

    /// What it answers; asked only where there is a request.
    fn read_cancel(&self, _reply: &Reply) -> CancelOutcome {
        CancelOutcome::Unknown
    }

    /// A request that proves credentials and reaches nobody; `None` where there is none.
    fn check(&self) -> Option<Request>;

    /// What it answers; usually any 2xx is good.
    fn read_check(&self, reply: &Reply) -> Check {
        match reply.status {
            200..300 => Check::Good,
            401 | 403 => Check::BadCredentials,
            _ => Check::Unreachable,
        }
    }

    /// Whether nobody without the key is shown what the check asks for. Where that is not known, it is tried.
    fn is_check_guarded(&self) -> bool {
        true
    }

    /// What somebody can do where there is no such request.
    fn how_to_check(&self) -> &'static str {
        "send a message of your own to yourself through a plan of one person"
    }

    /// The code by which the lane rests where this word says that nobody's message is taken.
    fn stop_code(&self, _word: &str) -> Option<&'static str> {
        None
    }

    /// Believes a receipt, or says why not.
    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal>;
}

/// A header that must not be printed.
pub struct Credential {
    /// Header's name, in lower case.
    pub header: &'static str,
    /// Its value.
    pub value: SecretString,
}

impl Credential {
    /// `Authorization: Bearer …`.
    pub fn bearer(token: &str) -> Self {
        Self { header: "authorization", value: format!("Bearer {token}").into() }
    }

    /// `Authorization: Basic …`.
    pub fn basic(user: &str, password: &str) -> Self {
        Self { header: "authorization", value: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into() }
    }
}

/// Where a letter is that its provider shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterAt {
    /// In the answer.
    Here,
    /// At this address.
    Link(String),
    /// Nowhere by now.
    NotYet,
}

/// A page of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Those that are ours, and where the next page is.
    Shows {
        /// Ours.
        seen: Vec<Seen>,
        /// As `look_up` wants it again; `None`: that was all.
        next: Option<String>,
    },
    /// No answer that means anything.
    CannotKnow,
}

/// An answer, read to its end.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer of a test.
    pub fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    /// The body as JSON; `None` where it is none.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A text in its JSON, by RFC 6901 pointer; empty texts are none.
    pub fn text_at(&self, pointer: &str) -> Option<String> {
        text_at(&self.json()?, pointer)
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The wait that the provider asks for, in seconds or as a date, at most a day.
    pub fn retry_after(&self, now: OffsetDateTime) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822).ok()?;
                Duration::try_from(at - now).unwrap_or_default()
            }
        };
        Some(wait.min(Duration::from_secs(86_400)))
    }
}

/// A text in JSON by pointer; empty texts are none.
pub fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Rows that are alike everywhere, for what an adapter's own table leaves. `is_own_error`: whether the body has the form of
/// this provider's errors.
///
/// | answer | means |
/// |---|---|
/// | 400, 413, 422 with the provider's own error | `rejected` |
/// | the same with anything else | `unknown`: a page of somebody between, or half an answer, is not the provider's word |
/// | 401, 402, 403 | `lane_stopped`: as not taken, the lane pauses, nobody's attempt is burnt |
/// | 404, 405, 406, 410, 411, 415 | `lane_stopped` too: there is no such place, for anybody |
/// | 429 | `not_taken`, `Retry-After` honoured |
/// | 3xx | `unknown`, and the lane pauses: where the body went nobody knows, and the next would go there too |
/// | 409, 408, 5xx, 2xx that an adapter did not read, all else | `unknown` |
pub fn usual(reply: &Reply, is_own_error: bool) -> CallResult {
    let code = reply.status.to_string();
    match reply.status {
        400 | 413 | 422 if is_own_error => CallResult::new(Answer::Rejected, code),
        401..=406 | 410 | 411 | 415 => CallResult::new(Answer::LaneStopped, code).pausing(Pause::Minute),
        429 => {
            let retry_after = reply.retry_after(OffsetDateTime::now_utc());
            CallResult { retry_after, ..CallResult::new(Answer::NotTaken, code) }
        }
        300..400 => CallResult::new(Answer::Unknown, code).pausing(Pause::Minute),
        200..300 => CallResult::new(Answer::Unknown, "unreadable"),
        _ => CallResult::new(Answer::Unknown, code),
    }
}

/// Longest event name, reference or id in a receipt, bytes.
const NAME_MAX: usize = 200;

/// A name as it may be stored: names are indexed, and one that no index takes would keep every receipt of its batch out.
pub fn name(text: &str) -> Option<String> {
    let is_name = !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control);
    is_name.then(|| text.to_owned())
}

/// An id as a part of a path: ids come from receipts too, and one with other signs would lead the request elsewhere.
pub fn segment(id: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    ((1..=NAME_MAX).contains(&id.len()) && id.bytes().all(is_plain)).then_some(id)
}

/// Compares secrets without telling by time how much of them was right, nor how long they are.
pub fn is_same_secret(given: &[u8], expected: &[u8]) -> bool {
    bool::from(Sha256::digest(given).as_slice().ct_eq(Sha256::digest(expected).as_slice()))
}

/// Whether a receipt carries our bearer token; an empty secret proves nothing. Takes as much work for each body as a
/// signature would, so that the time of an answer tells nothing of the place.
pub fn carries_bearer(raw: &RawReceipt<'_>, secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    let given = raw.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    std::hint::black_box(Sha256::digest(raw.body));
    is_same_secret(given.as_bytes(), secret.as_bytes()) && !secret.is_empty()
}

/// What a frozen request says when it is read back: destination as `PersonRecord::destination` writes it, content as it
/// was rendered, and the ending of its file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// Number, address, or the envelope's lines joined by line ends.
    pub destination: String,
    /// Text, subject and text of an email, or PDF.
    pub content: Vec<u8>,
    /// `txt` or `pdf`.
    pub ending: &'static str,
}

impl ReadBack {
    /// A text.
    pub fn text(to: &str, text: &str) -> Self {
        Self { destination: to.to_owned(), content: text.as_bytes().to_vec(), ending: "txt" }
    }

    /// An email, as it was approved.
    pub fn email(to: &str, subject: &str, text: &str) -> Self {
        Self::text(to, &email::join(subject, text))
    }

    /// A letter.
    pub fn pdf(destination: String, pdf: Vec<u8>) -> Self {
        Self { destination, content: pdf, ending: "pdf" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of [`usual`], whose body is the provider's own error in the first case and somebody's between in the second.
    #[test]
    fn each_row_that_is_alike_everywhere_means_one_thing() {
        let (unknown, minute) = ((Answer::Unknown, None), Some(Pause::Minute));
        for (statuses, own, other) in [
            (&[400, 413, 422][..], (Answer::Rejected, None), unknown),
            (&[401, 402, 403], (Answer::LaneStopped, minute), (Answer::LaneStopped, minute)),
            (&[404, 405, 406, 410, 411, 415], (Answer::LaneStopped, minute), (Answer::LaneStopped, minute)),
            (&[429], (Answer::NotTaken, None), (Answer::NotTaken, None)),
            (&[300, 301, 302, 303, 307, 308, 399], (Answer::Unknown, minute), (Answer::Unknown, minute)),
            (&[407, 408, 409, 412, 414, 416, 417, 421, 423, 425, 426, 428, 431, 451, 499], unknown, unknown),
            (&[100, 200, 201, 202, 204, 299, 500, 502, 503, 504, 599], unknown, unknown),
        ] {
            for (&status, is_own) in statuses.iter().flat_map(|status| [(status, true), (status, false)]) {
                let CallResult { answer, pause, code, .. } = usual(&Reply::of(status, "{}"), is_own);
                assert_eq!((answer, pause), if is_own { own } else { other }, "{status} {is_own}");
                let is_read = !(200..300).contains(&status);
                assert_eq!(code, if is_read { status.to_string() } else { "unreadable".to_owned() });
            }
        }
    }
}
