//! The faces of the sandbox: each speaks one provider's wire format, with its words, signatures, errors and quirks.
//!
//! A face is pure: it reads requests and writes answers. What is produced, remembered, faulty or told is decided
//! behind it, the same for all.

mod form;
mod lob;
mod notify;
mod plain;
mod stannp;
mod tries;
mod twilio;

use crate::account::Physical;
use crate::config::{Limit, ProviderConfig};
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub(crate) use tries::{ContentWith, Tries};

/// Whose wire format a provider account speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// The sandbox's own.
    #[default]
    Plain,
    /// Twilio: SMS.
    Twilio,
    /// Lob: letters in the United States.
    Lob,
    /// Stannp: letters in the United Kingdom.
    Stannp,
    /// GOV.UK Notify: SMS, emails and precompiled letters.
    Notify,
    /// A mail relay, on the port of [`crate::serve_mail`].
    Smtp,
}

impl Face {
    pub(crate) fn vendor(self) -> &'static dyn Vendor {
        match self {
            // A relay tells nothing over HTTP; who looks there anyway finds the sandbox's own words.
            Self::Plain | Self::Smtp => &plain::Plain,
            Self::Twilio => &twilio::Twilio,
            Self::Lob => &lob::Lob,
            Self::Stannp => &stannp::Stannp,
            Self::Notify => &notify::Notify,
        }
    }
}

/// Stands in an answer for the address at which the provider is reached.
pub(crate) const ORIGIN: &str = "{origin}";

/// Stands in a refusal for whom it speaks of: vendors quote what they were given.
pub(crate) const RECIPIENT: &str = "{recipient}";

/// A request as it came; the path lacks the account's name.
pub(crate) struct Request<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// Reads the address in a letter's window.
    pub window: &'a (dyn Fn(&[u8]) -> Option<String> + Sync),
}

impl Request<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A parameter of the query.
    pub(crate) fn asks(&self, name: &str) -> Option<String> {
        form::pairs(self.query.as_bytes()).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn is_form(&self) -> bool {
        self.header("Content-Type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    }
}

/// What a caller must know.
pub(crate) struct Secrets<'a> {
    /// Key or password of calls.
    pub api_key: &'a str,
    /// Secret of receipts.
    pub receipts: &'a str,
}

/// Which door of a provider a request knocks at.
pub(crate) enum Door {
    /// Makes a message.
    Submit,
    /// Messages by what they are found by.
    LookUp(String),
    /// One message.
    Find(String),
    /// The PDF of one letter.
    Letter(String),
    /// Takes one back.
    Cancel(String),
    /// Asks of the account itself: a template, a balance.
    Account(Reply),
}

/// What a submit asks for.
pub(crate) struct Asked {
    /// What would be printed or sent.
    pub physical: Physical,
    /// Key that makes it safe to repeat.
    pub key: Option<String>,
    /// What a look-up finds it by.
    pub found_by: Vec<String>,
    /// The provider's own object, without id and status.
    pub shown: Value,
    /// Where its receipts go, if the request says so.
    pub callback: Option<String>,
    /// Test mode: answered as if, and nothing is printed or sent.
    pub is_test: bool,
    /// The PDF of a letter, where the provider shows what it makes of it.
    pub letter: Option<Vec<u8>>,
}

/// A message as the provider knows it.
#[derive(Clone)]
pub(crate) struct Shown {
    pub id: String,
    pub reference: String,
    pub status: String,
    pub shown: Value,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Cannot be read, or a field is missing.
    BadRequest(&'static str),
    /// Never with this recipient.
    Recipient,
    Unauthorised,
    Forbidden,
    NoCredit,
    NotFound,
    Conflict,
    /// For so many ms.
    TooMany(u64),
    /// Until midnight UTC.
    TooManyToday,
    RequestTimeout,
    Internal,
}

/// An answer.
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The same with this provider's own address where it stands for it.
    pub(crate) fn at(mut self, origin: &str) -> Self {
        self.body = self.body.replace(ORIGIN, origin);
        self
    }

    /// The same with the recipient where it stands for one.
    pub(crate) fn of(mut self, recipient: &str) -> Self {
        let quoted = Value::from(recipient).to_string();
        self.body = self.body.replace(RECIPIENT, quoted.trim_matches('"'));
        self
    }

    /// The same JSON with one field more, or another value of it.
    pub(crate) fn with_field(mut self, name: &str, value: String) -> Self {
        if let Ok(mut json) = serde_json::from_str::<Value>(&self.body) {
            json[name] = value.into();
            self.body = json.to_string();
        }
        self
    }

    /// What a machine before the provider says, in no format of the provider's.
    pub(crate) fn page(status: StatusCode) -> Self {
        let headers = vec![("content-type", "text/html".into())];
        Self { status, headers, body: "<html><body>Please stand by</body></html>".into() }
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut response = Response::builder().status(reply.status);
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(reply.body)).unwrap_or_default()
    }
}

/// How a message's life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Good,
    Undelivered,
    Expired,
    Suspended,
    Returned,
    /// After it was delivered.
    ReturnedLate,
}

/// One step of a message's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The word that the API shows from then on.
    pub shown: &'static str,
    /// The word of the receipt, where one is sent.
    pub told: Option<&'static str>,
}

/// A step that is told by its own word.
pub(crate) const fn told(word: &'static str) -> Step {
    Step { shown: word, told: Some(word) }
}

/// A step that is shown and not told.
pub(crate) const fn shown(word: &'static str) -> Step {
    Step { shown: word, told: None }
}

/// A receipt to be written.
pub(crate) struct Receipt<'a> {
    pub message: &'a Shown,
    pub word: &'a str,
    /// The same for each copy of one receipt.
    pub number: usize,
    pub url: &'a str,
    /// Path of the URL.
    pub path: &'a str,
    /// When it is signed.
    pub now: time::OffsetDateTime,
    /// When it says that it happened; none: at a time that the face makes up.
    pub happened: Option<time::OffsetDateTime>,
    /// Tries before this one.
    pub retries: usize,
}

impl Receipt<'_> {
    /// When it says that it happened, as RFC 3339 writes it, or else at this time.
    pub(crate) fn at_or(&self, usual: &str) -> String {
        let happened = self.happened.and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok());
        happened.unwrap_or_else(|| usual.to_owned())
    }
}

/// A receipt as it is sent.
pub(crate) struct Written {
    pub content_type: &'static str,
    pub body: String,
    /// Headers that prove where it comes from.
    pub proof: Vec<(&'static str, String)>,
}

/// One provider's wire format.
pub(crate) trait Vendor: Sync {
    /// The door of a request; none: there is no such place.
    fn door(&self, request: &Request<'_>) -> Option<Door>;

    /// Whether the caller knows the secret.
    fn admit(&self, request: &Request<'_>, secrets: &Secrets<'_>, now: time::OffsetDateTime) -> Result<(), Trouble>;

    /// What a submit asks for.
    fn read(&self, account: &str, settings: &ProviderConfig, request: &Request<'_>) -> Result<Asked, Reply>;

    /// How many submits it lets in.
    fn limits(&self) -> &'static [Limit] {
        &[]
    }

    /// Whether whatever else is asked of it counts as well.
    fn counts_questions(&self) -> bool {
        false
    }

    /// How many a day.
    fn per_day(&self, _channel: &str) -> Option<u64> {
        None
    }

    /// Its words for a refusal.
    fn refuse(&self, trouble: Trouble) -> Reply;

    /// Its answer to a submit; a replay answers a key that was seen before.
    fn accepted(&self, message: &Shown, is_replay: bool) -> Reply;

    /// An answer that says success in its status and failure in its body, where the provider has one.
    fn error_inside(&self, message: &Shown) -> Reply;

    /// The status under which a message exists of which it says so.
    fn failure(&self) -> Option<&'static str> {
        None
    }

    /// One message.
    fn one(&self, message: &Shown) -> Reply;

    /// The PDF of a letter, as it is printed; else what it says instead.
    fn letter(&self, _message: &Shown, _given: &[u8]) -> Result<Vec<u8>, Reply> {
        Err(self.refuse(Trouble::NotFound))
    }

    /// Messages that were looked up.
    fn list(&self, messages: &[Shown]) -> Reply;

    /// The field of a list that says where its next page is; none: its lists have one page.
    fn next_page(&self) -> Option<&'static str> {
        None
    }

    /// Its answer to one who takes a message back; none: that cannot be done here.
    fn cancelled(&self, message: &Shown, in_time: bool) -> Option<Reply>;

    /// The word of a cancelled message.
    fn cancelled_word(&self) -> &'static str {
        "cancelled"
    }

    /// Whether receipts go where the request says, and nowhere if it says nothing.
    fn calls_as_asked(&self) -> bool {
        false
    }

    /// The name of the `n`th message.
    fn id(&self, n: u64) -> String;

    /// The word of a message that was just taken.
    fn first_word(&self) -> &'static str;

    /// Its life after that.
    fn life(&self, channel: &str, end: End) -> &'static [Step];

    /// A word that contradicts a good end.
    fn contradiction(&self, channel: &str) -> &'static str;

    /// A receipt in its format, with its proof.
    fn write(&self, receipt: &Receipt<'_>, secrets: &Secrets<'_>) -> Written;

    /// How often it tries to hand in a receipt.
    fn tries(&self, callback: &str) -> Tries;
}

/// The number in `text` as 32 hex digits that look random, the same each time.
pub(crate) fn digits(kind: &str, n: u64) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(&Sha256::digest(format!("{kind} {n}"))[..16])
}

/// What an email says, as its record hashes it: the subject, an empty line, the text.
pub(crate) fn mail_content(subject: &str, text: &str) -> Vec<u8> {
    format!("{subject}\n\n{text}").into_bytes()
}

/// SHA-256 of a content, hex.
pub(crate) fn content_hash(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(content))
}
