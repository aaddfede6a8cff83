//! Twilio's face: SMS by the Messages resource of its API 2010-04-01.
//!
//! Forms go in, JSON comes out; nothing is idempotent; a list is filtered by number, never by a reference; callbacks are
//! forms, signed over the URL that the message named, and tried again only if its URL's fragment asks for it.

use super::form::{basic, get, pairs, write};
use super::{
    Asked, ContentWith, Door, End, Receipt, Reply, Request, Secrets, Shown, Step, Tries, Trouble, Vendor, Written, content_hash,
    digits, shown, told,
};
use crate::account::Physical;
use crate::config::ProviderConfig;
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Longest body, characters.
const BODY_MAX: usize = 1600;
/// Wait between two tries of a callback, ms; all of them end within 15 s.
const WAIT_MS: u64 = 100;
/// Thousandths of a dollar that a segment costs here.
const PRICE_MILLI: u64 = 40;
/// The characters of GSM 03.38 that are not ASCII.
const GSM_BEYOND_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà€";

pub(super) struct Twilio;

fn error(status: u16, code: u32, message: &str) -> Reply {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    Reply::json(status, &json!({ "code": code, "message": message, "more_info": more_info, "status": status }))
}

/// The account in a path, and what follows it.
fn place(path: &str) -> Option<(&str, &str)> {
    let (account, rest) = path.strip_prefix("/2010-04-01/Accounts/")?.split_once('/')?;
    let is_sid = account.len() == 34 && account.starts_with("AC") && account[2..].bytes().all(|b| b.is_ascii_hexdigit());
    is_sid.then_some((account, rest))
}

fn is_number(to: &str) -> bool {
    to.strip_prefix('+').is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Numbers that test credentials treat as if something were wrong with them.
fn magic(to: &str, from: &str) -> Option<(u32, &'static str)> {
    match (to.strip_prefix("+1500555"), from.strip_prefix("+1500555")) {
        (Some("0001"), _) => Some((21211, "The 'To' number is not a valid phone number.")),
        (Some("0002"), _) => Some((21612, "The 'To' phone number is not currently reachable via SMS.")),
        (Some("0003"), _) => Some((21408, "Permission to send an SMS has not been enabled for the region.")),
        (Some("0004"), _) => Some((21610, "Attempt to send to unsubscribed recipient.")),
        (Some("0009"), _) => Some((21614, "'To' number is not a valid mobile number.")),
        (_, Some("0001")) => Some((21212, "The 'From' number is not a valid phone number.")),
        (_, Some("0007")) => Some((21606, "The 'From' phone number is not a valid, SMS-capable number of your account.")),
        (_, Some("0008")) => Some((21611, "This 'From' number has exceeded the maximum number of queued messages.")),
        _ => None,
    }
}

/// How many pieces a text travels in: 160 characters of GSM 03.38 or 70 of UCS-2, fewer where there are several.
fn segments(text: &str) -> usize {
    let is_gsm = text.chars().all(|c| (c.is_ascii() && c != '`') || GSM_BEYOND_ASCII.contains(c));
    let (length, alone, in_many) = match is_gsm {
        true => (text.chars().map(|c| if "^{}\\[~]|€".contains(c) { 2 } else { 1 }).sum(), 160, 153),
        false => (text.encode_utf16().count(), 70, 67),
    };
    if length <= alone { 1 } else { length.div_ceil(in_many) }
}

fn check(fields: &[(String, String)]) -> Result<(), (u32, &'static str)> {
    let text = |name| get(fields, name).unwrap_or_default();
    let (to, from, body) = (text("To"), text("From"), text("Body"));
    if to.is_empty() {
        return Err((21604, "A 'To' phone number is required."));
    }
    if from.is_empty() && text("MessagingServiceSid").is_empty() {
        return Err((21603, "A 'From' phone number is required."));
    }
    if body.is_empty() {
        return Err((21602, "Message body is required."));
    }
    if body.chars().count() > BODY_MAX {
        return Err((21617, "The concatenated message body exceeds the 1600 character limit."));
    }
    if let Some(url) = get(fields, "StatusCallback").filter(|url| !reqwest::Url::parse(url).is_ok_and(|url| url.has_host())) {
        tracing::debug!(bytes = url.len(), "no URL");
        return Err((21609, "The 'StatusCallback' URL is not a valid URL."));
    }
    if !is_number(to) {
        return Err((21211, "The 'To' number is not a valid phone number."));
    }
    magic(to, from).map_or(Ok(()), Err)
}

/// A status with its error, as this face remembers it.
const SUSPENDED: &str = "failed 30002";

/// The status as it is written.
fn bare(status: &str) -> &str {
    status.split(' ').next().unwrap_or_default()
}

/// The error of a failed message, by its status.
fn error_code(status: &str) -> Option<u32> {
    match status {
        SUSPENDED => Some(30002),
        "undelivered" => Some(30005),
        "failed" => Some(30036),
        _ => None,
    }
}

fn show(message: &Shown) -> Value {
    let mut shown = message.shown.clone();
    let segments = shown["num_segments"].as_str().and_then(|n| n.parse::<u64>().ok()).unwrap_or(1);
    let account = shown["account_sid"].as_str().unwrap_or_default();
    shown["uri"] = json!(format!("/2010-04-01/Accounts/{account}/Messages/{}.json", message.id));
    shown["sid"] = json!(message.id);
    shown["status"] = json!(bare(&message.status));
    shown["error_code"] = json!(error_code(&message.status));
    if matches!(message.status.as_str(), "sent" | "delivered" | "undelivered") {
        let milli = PRICE_MILLI * segments;
        shown["price"] = json!(format!("-{}.{:03}00", milli / 1000, milli % 1000));
    }
    shown
}

/// `base64(hmac_sha1(secret, url, names and values in order))`, each name and value once.
fn signature(secret: &str, url: &str, fields: &[(&str, String)]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let Ok(mut mac) = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(url.as_bytes());
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

impl Vendor for Twilio {
    fn door(&self, request: &Request<'_>) -> Option<Door> {
        let account = request.path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.strip_suffix(".json"));
        if let (&Method::GET, Some(sid), None) = (request.method, account, place(request.path)) {
            return Some(Door::Account(Reply::json(200, &json!({ "sid": sid, "status": "active", "type": "Full" }))));
        }
        let (_, rest) = place(request.path)?;
        let one = rest.strip_prefix("Messages/").and_then(|rest| rest.strip_suffix(".json"));
        match (request.method, rest, one) {
            (&Method::POST, "Messages.json", _) => Some(Door::Submit),
            (&Method::GET, "Messages.json", _) => {
                let (to, from) = (request.asks("To").unwrap_or_default(), request.asks("From"));
                Some(Door::LookUp(from.map_or(to.clone(), |from| format!("{to} {from}"))))
            }
            (&Method::GET, _, Some(id)) => Some(Door::Find(id.to_owned())),
            (&Method::POST, _, Some(id)) => {
                let is_cancel = get(&pairs(request.body), "Status") == Some("canceled");
                Some(if is_cancel { Door::Cancel(id.to_owned()) } else { Door::Find(id.to_owned()) })
            }
            _ => None,
        }
    }

    /// A standard key (`SK…`) may do everything but read the account itself.
    fn admit(&self, request: &Request<'_>, secrets: &Secrets<'_>, _: time::OffsetDateTime) -> Result<(), Trouble> {
        let rest = request.path.strip_prefix("/2010-04-01/Accounts/").unwrap_or_default();
        let account = rest.split(['/', '.']).next().unwrap_or_default();
        let may = |user: &str| user == account || (user.starts_with("SK") && place(request.path).is_some());
        match basic(request.header("Authorization")) {
            Some((user, password)) if password == secrets.api_key && may(&user) => Ok(()),
            _ => Err(Trouble::Unauthorised),
        }
    }

    fn read(&self, account: &str, _: &ProviderConfig, request: &Request<'_>) -> Result<Asked, Reply> {
        if !request.is_form() {
            return Err(error(415, 20415, "Unsupported media type."));
        }
        let fields = pairs(request.body);
        check(&fields).map_err(|(code, message)| error(400, code, message))?;
        let text = |name| get(&fields, name).unwrap_or_default().to_owned();
        let (to, from, body) = (text("To"), text("From"), text("Body"));
        let callback = get(&fields, "StatusCallback").map(str::to_owned);
        let reference = callback
            .as_deref()
            .and_then(|url| reqwest::Url::parse(url).ok())
            .and_then(|url| url.query_pairs().find(|(name, _)| name == "ref").map(|(_, value)| value.into_owned()));
        let (sid, _) = place(request.path).unwrap_or_default();
        let shown = json!({
            "account_sid": sid, "api_version": "2010-04-01", "body": body, "date_created": now_2822(), "date_sent": null,
            "date_updated": now_2822(), "direction": "outbound-api", "error_code": null, "error_message": null,
            "from": get(&fields, "From"), "messaging_service_sid": get(&fields, "MessagingServiceSid"), "num_media": "0",
            "num_segments": if from.is_empty() { "0".to_owned() } else { segments(&body).to_string() },
            "price": null, "price_unit": "USD", "to": to,
        });
        let content_sha256 = content_hash(body.as_bytes());
        let reference = reference.unwrap_or_else(|| content_hash(format!("{to} {body}").as_bytes()));
        Ok(Asked {
            found_by: vec![to.clone(), format!("{to} {from}")],
            physical: Physical {
                provider: account.to_owned(),
                channel: "sms".into(),
                destination: to,
                content_sha256,
                reference,
            },
            key: None,
            shown,
            callback,
            is_test: false,
            letter: None,
        })
    }

    fn refuse(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::BadRequest(_) => error(400, 20001, "Bad request."),
            Trouble::Recipient => error(400, 21211, "The 'To' number {recipient} is not a valid phone number."),
            Trouble::Unauthorised => error(401, 20003, "Authenticate"),
            Trouble::Forbidden => error(403, 20008, "Resource not accessible with Test Account Credentials"),
            Trouble::NoCredit => error(402, 20005, "Account not active"),
            Trouble::NotFound => error(404, 20404, "The requested resource was not found"),
            Trouble::Conflict => error(409, 20409, "Conflict"),
            Trouble::TooMany(0) => error(429, 20429, "Too Many Requests"),
            Trouble::TooMany(ms) => error(429, 20429, "Too Many Requests").with("retry-after", ms.div_ceil(1000)),
            Trouble::TooManyToday => error(429, 63038, "Account exceeded the daily messages limit"),
            Trouble::RequestTimeout => error(408, 20408, "Request timeout"),
            Trouble::Internal => error(500, 20500, "Internal server error"),
        }
    }

    fn accepted(&self, message: &Shown, _: bool) -> Reply {
        Reply::json(201, &show(message)).with("twilio-concurrent-requests", 1)
    }

    /// Made, and failed at once.
    fn error_inside(&self, message: &Shown) -> Reply {
        let mut shown = show(message);
        shown["error_message"] = json!("Account suspended");
        Reply::json(201, &shown)
    }

    fn failure(&self) -> Option<&'static str> {
        Some(SUSPENDED)
    }

    fn one(&self, message: &Shown) -> Reply {
        Reply::json(200, &show(message))
    }

    fn list(&self, messages: &[Shown]) -> Reply {
        // The newest first.
        let messages: Vec<Value> = messages.iter().rev().map(show).collect();
        Reply::json(
            200,
            &json!({ "end": messages.len().saturating_sub(1), "messages": messages, "next_page_uri": null, "page": 0, "page_size": 50, "start": 0 }),
        )
    }

    fn next_page(&self) -> Option<&'static str> {
        Some("next_page_uri")
    }

    fn cancelled(&self, message: &Shown, in_time: bool) -> Option<Reply> {
        Some(if in_time { self.one(message) } else { error(400, 30409, "The message cannot be canceled any more.") })
    }

    fn cancelled_word(&self) -> &'static str {
        "canceled"
    }

    fn calls_as_asked(&self) -> bool {
        true
    }

    fn id(&self, n: u64) -> String {
        format!("SM{}", digits("sms", n))
    }

    fn first_word(&self) -> &'static str {
        "queued"
    }

    fn life(&self, _: &str, end: End) -> &'static [Step] {
        match end {
            End::Undelivered => const { &[shown("sending"), told("sent"), told("undelivered")] },
            End::Expired => const { &[told("failed")] },
            End::Suspended => const { &[told(SUSPENDED)] },
            _ => const { &[shown("sending"), told("sent"), told("delivered")] },
        }
    }

    fn contradiction(&self, _: &str) -> &'static str {
        "undelivered"
    }

    fn write(&self, receipt: &Receipt<'_>, secrets: &Secrets<'_>) -> Written {
        let message = receipt.message;
        let field = |name: &str| message.shown[name].as_str().unwrap_or_default().to_owned();
        let mut fields = vec![
            ("AccountSid", field("account_sid")),
            ("ApiVersion", field("api_version")),
            ("From", field("from")),
            ("MessageSid", message.id.clone()),
            ("MessageStatus", bare(receipt.word).to_owned()),
            ("SmsSid", message.id.clone()),
            ("SmsStatus", bare(receipt.word).to_owned()),
            ("To", field("to")),
            // Parameters come and go without notice.
            ("RawDlrDoneDate", receipt.happened.unwrap_or(receipt.now).unix_timestamp().to_string()),
        ];
        fields.extend(error_code(receipt.word).map(|code| ("ErrorCode", code.to_string())));
        let url = receipt.url.split('#').next().unwrap_or_default();
        let token = digits(&message.id, receipt.number as u64);
        let proof =
            vec![("X-Twilio-Signature", signature(secrets.receipts, url, &fields)), ("I-Twilio-Idempotency-Token", token)];
        Written { content_type: "application/x-www-form-urlencoded; charset=UTF-8", body: write(&fields), proof }
    }

    /// Once more if nobody was there; what the URL's fragment says goes before.
    fn tries(&self, callback: &str) -> Tries {
        let fragment = pairs(callback.split_once('#').map(|(_, fragment)| fragment).unwrap_or_default().as_bytes());
        let retries = get(&fragment, "rc").and_then(|n| n.parse().ok()).unwrap_or(1).min(5);
        let content_with = match get(&fragment, "rp") {
            Some("all") => ContentWith::Success,
            Some("5xx") => ContentWith::NoServerError,
            _ => ContentWith::Anything,
        };
        Tries { waits_ms: vec![WAIT_MS; retries], content_with, pauses_after: None }
    }
}

fn now_2822() -> String {
    time::OffsetDateTime::now_utc().format(&time::format_description::well_known::Rfc2822).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_as_the_standard_counts_them() {
        for (text, n) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("ŵ".repeat(70), 1),
            ("ŵ".repeat(71), 2),
        ] {
            assert_eq!(segments(&text), n, "{n}");
        }
    }

    /// From twilio-python's tests/unit/test_request_validator.py.
    #[test]
    fn the_vendors_own_example_has_this_signature() {
        let fields: Vec<(&str, String)> = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();

        assert_eq!(signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &fields), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }
}
