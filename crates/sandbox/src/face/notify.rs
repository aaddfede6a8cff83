//! GOV.UK Notify's face: SMS, emails and precompiled letters of its API v2.
//!
//! Nothing is idempotent: a reference is a label, and the same one twice is two messages. Tokens must be of the last 30
//! seconds; unknown fields are refused; the address is read off the PDF; texts and emails are told, by a bearer token
//! and without a signature. Texts leave as the vendor writes them ([`rewriting`]).

mod rewriting;

use super::form::hmac_sha256;
use super::{
    Asked, ContentWith, Door, End, Receipt, Reply, Request, Secrets, Shown, Step, Tries, Trouble, Vendor, Written, content_hash,
    digits, mail_content, shown, told,
};
use crate::account::Physical;
use crate::config::{Limit, ProviderConfig};
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// How far a token's time may be from ours, seconds.
const CLOCK_SECONDS: i64 = 30;
/// Waits between the tries of a callback, ms.
const WAITS_MS: &[u64] = &[300_000; 5];
const SMS_FIELDS: &[&str] = &["phone_number", "template_id", "personalisation", "reference", "sms_sender_id"];
const EMAIL_FIELDS: &[&str] = &["email_address", "template_id", "personalisation", "reference", "email_reply_to_id"];
const LETTER_FIELDS: &[&str] = &["reference", "content", "postage"];

pub(super) struct Notify;

fn error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "errors": [{ "error": kind, "message": message }], "status_code": status }))
}

fn invalid(message: &str) -> Reply {
    error(400, "ValidationError", message)
}

/// Whether a bearer token is signed with the secret of `name-iss-secret` and of now.
fn is_good(token: &str, api_key: &str, now: i64) -> Option<bool> {
    let (rest, secret) = api_key.split_at_checked(api_key.len().checked_sub(36)?)?;
    let service = rest.strip_suffix('-')?.get(rest.len().checked_sub(37)?..)?;
    let (signed, signature) = token.rsplit_once('.')?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?).ok()?;
    let is_signed = URL_SAFE_NO_PAD.decode(signature).ok()? == hmac_sha256(secret, &[signed]);
    (is_signed && claims["iss"] == service).then(|| claims["iat"].as_i64().is_some_and(|iat| (now - iat).abs() <= CLOCK_SECONDS))
}

fn check_fields(body: &Value, known: &[&str], required: &[&str]) -> Result<(), Reply> {
    let object = body.as_object().ok_or_else(|| error(400, "BadRequestError", "Invalid JSON"))?;
    if let Some(other) = object.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(invalid(&format!("Additional properties are not allowed ({other} was unexpected)")));
    }
    match required.iter().find(|name| body[**name].is_null()) {
        Some(missing) => Err(invalid(&format!("{missing} is a required property"))),
        None => Ok(()),
    }
}

/// The list of templates, and what one of them makes of its fields: its whole text is `((body))`.
fn template(request: &Request<'_>) -> Option<Door> {
    let rest = request.path.strip_prefix("/v2/template")?;
    let is_preview = rest.starts_with('/') && rest.ends_with("/preview") && *request.method == Method::POST;
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    let texts = &body["personalisation"];
    match rest {
        "s" => Some(Door::Account(Reply::json(200, &json!({ "templates": [] })))),
        _ if is_preview => Some(Door::Account(Reply::json(
            200,
            &json!({ "body": texts["body"], "id": "t", "subject": texts["subject"], "type": "sms", "version": 1 }),
        ))),
        _ => None,
    }
}

fn show(message: &Shown) -> Value {
    let mut shown = message.shown.clone();
    shown["id"] = json!(message.id);
    shown["status"] = json!(message.status);
    shown
}

impl Notify {
    fn read_sms(account: &str, body: &Value) -> Result<Asked, Reply> {
        check_fields(body, SMS_FIELDS, &["phone_number", "template_id"])?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let to = text(&body["phone_number"]);
        if !to.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit()) || !(9..=16).contains(&to.len()) {
            return Err(invalid("phone_number Not a valid phone number"));
        }
        // The template's whole text is `((body))`.
        let content = body["personalisation"]["body"].as_str();
        let content = content.ok_or_else(|| error(400, "BadRequestError", "Missing personalisation: body"))?;
        let content = rewriting::text(content);
        let reference = text(&body["reference"]);
        let shown = json!({
            "body": content, "created_at": "2026-11-26T08:00:00.000000Z", "phone_number": to, "reference": reference,
            "template": { "id": body["template_id"], "uri": "", "version": 1 }, "type": "sms",
        });
        Ok(Self::asked(account, "sms", to, content.as_bytes(), reference, shown))
    }

    /// The template's subject is `((subject))`, its body `((body))`: shown before its markup is read.
    fn read_email(account: &str, body: &Value) -> Result<Asked, Reply> {
        check_fields(body, EMAIL_FIELDS, &["email_address", "template_id"])?;
        let to = body["email_address"].as_str().unwrap_or_default().to_owned();
        if !to.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')) {
            return Err(invalid("email_address Not a valid email address"));
        }
        let texts = &body["personalisation"];
        let (Some(subject), Some(content)) = (texts["subject"].as_str(), texts["body"].as_str()) else {
            return Err(error(400, "BadRequestError", "Missing personalisation: subject, body"));
        };
        let (subject, content) = (rewriting::subject(subject), content.trim());
        let reference = body["reference"].as_str().unwrap_or_default().to_owned();
        let shown = json!({
            "body": content, "created_at": "2026-11-26T08:00:00.000000Z", "email_address": to, "reference": reference,
            "subject": subject, "template": { "id": body["template_id"], "uri": "", "version": 1 }, "type": "email",
        });
        Ok(Self::asked(account, "email", to, &mail_content(&subject, content), reference, shown))
    }

    fn read_letter(account: &str, body: &Value, request: &Request<'_>) -> Result<Asked, Reply> {
        check_fields(body, LETTER_FIELDS, &["reference", "content"])?;
        let postage = body["postage"].as_str().unwrap_or("second");
        if !matches!(postage, "first" | "second" | "economy") {
            return Err(invalid("postage invalid. It must be first, second or economy."));
        }
        let pdf = STANDARD.decode(body["content"].as_str().unwrap_or_default()).ok().filter(|pdf| pdf.starts_with(b"%PDF"));
        let pdf = pdf.ok_or_else(|| error(400, "BadRequestError", "content is not a PDF"))?;
        let window = (request.window)(&pdf).unwrap_or_default();
        let reference = body["reference"].as_str().unwrap_or_default().to_owned();
        let shown = json!({
            "body": "", "created_at": "2026-11-26T08:00:00.000000Z", "line_1": window.lines().next(), "postage": postage,
            "reference": reference, "type": "letter",
        });
        Ok(Self::asked(account, "letter", window, &pdf, reference, shown))
    }

    fn asked(account: &str, channel: &str, destination: String, content: &[u8], reference: String, shown: Value) -> Asked {
        Asked {
            found_by: vec![reference.clone()],
            physical: Physical {
                provider: account.to_owned(),
                channel: channel.to_owned(),
                destination,
                content_sha256: content_hash(content),
                reference,
            },
            key: None,
            shown,
            callback: None,
            is_test: false,
            letter: (channel == "letter").then(|| content.to_vec()),
        }
    }
}

impl Vendor for Notify {
    fn door(&self, request: &Request<'_>) -> Option<Door> {
        if let Some(door) = template(request) {
            return Some(door);
        }
        let rest = request.path.strip_prefix("/v2/notifications")?;
        match (request.method, rest) {
            (&Method::POST, "/sms" | "/email" | "/letter") => Some(Door::Submit),
            (&Method::GET, "") => Some(Door::LookUp(request.asks("reference").unwrap_or_default())),
            (&Method::GET, rest) => match (rest.strip_prefix('/')?, rest.strip_suffix("/pdf")) {
                (_, Some(letter)) => Some(Door::Letter(letter.strip_prefix('/')?.to_owned())),
                (id, None) => Some(Door::Find(id.to_owned())),
            },
            _ => None,
        }
    }

    fn admit(&self, request: &Request<'_>, secrets: &Secrets<'_>, now: time::OffsetDateTime) -> Result<(), Trouble> {
        let token = request.header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        match token.and_then(|token| is_good(token, secrets.api_key, now.unix_timestamp())) {
            Some(true) => Ok(()),
            Some(false) => Err(Trouble::Forbidden),
            None => Err(Trouble::Unauthorised),
        }
    }

    fn read(&self, account: &str, _: &ProviderConfig, request: &Request<'_>) -> Result<Asked, Reply> {
        let body: Value = serde_json::from_slice(request.body).map_err(|_| error(400, "BadRequestError", "Invalid JSON"))?;
        match request.path.rsplit('/').next() {
            Some("sms") => Self::read_sms(account, &body),
            Some("email") => Self::read_email(account, &body),
            _ => Self::read_letter(account, &body, request),
        }
    }

    /// 3,000 a minute for each kind of key; 250,000 texts or emails and 20,000 letters a day.
    fn limits(&self) -> &'static [Limit] {
        &[Limit { many: 3000, ms: 60_000 }]
    }

    fn per_day(&self, channel: &str) -> Option<u64> {
        Some(if channel == "letter" { 20_000 } else { 250_000 })
    }

    fn refuse(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::BadRequest(message) => error(400, "BadRequestError", message),
            Trouble::Recipient => invalid("phone_number Not a valid phone number: {recipient}"),
            Trouble::Unauthorised => error(403, "AuthError", "Invalid token: API key not found"),
            Trouble::Forbidden => error(403, "AuthError", "Error: Your system clock must be accurate to within 30 seconds"),
            // A service on trial; there is no other word about money.
            Trouble::NoCredit => error(400, "BadRequestError", "Can't send to this recipient when service is in trial mode"),
            Trouble::NotFound => error(404, "NoResultFound", "No result found"),
            Trouble::Conflict => error(409, "Conflict", "Conflict"),
            Trouble::TooMany(_) => {
                error(429, "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds")
            }
            Trouble::TooManyToday => error(429, "TooManyRequestsError", "Exceeded send limits (250000) for today"),
            Trouble::RequestTimeout => error(408, "Exception", "Request timeout"),
            Trouble::Internal => error(500, "Exception", "Internal server error"),
        }
    }

    fn accepted(&self, message: &Shown, _: bool) -> Reply {
        let uri = format!("https://api.notifications.service.gov.uk/v2/notifications/{}", message.id);
        let shown = &message.shown;
        let answer = match shown["type"].as_str() {
            Some("letter") => json!({ "id": message.id, "postage": shown["postage"], "reference": shown["reference"] }),
            Some("email") => json!({
                "content": { "body": shown["body"], "from_email": "notice@northmere.example", "subject": shown["subject"] },
                "id": message.id, "reference": shown["reference"], "template": shown["template"], "uri": uri,
            }),
            _ => json!({
                "content": { "body": shown["body"], "from_number": "NORTHMERE" }, "id": message.id, "reference": shown["reference"],
                "template": shown["template"], "uri": uri,
            }),
        };
        Reply::json(201, &answer)
    }

    fn error_inside(&self, _: &Shown) -> Reply {
        error(200, "Exception", "Internal server error")
    }

    fn one(&self, message: &Shown) -> Reply {
        Reply::json(200, &show(message))
    }

    /// Sanitised, with the address written anew: other bytes, the same pages. Not before it was scanned.
    fn letter(&self, message: &Shown, given: &[u8]) -> Result<Vec<u8>, Reply> {
        match message.status.as_str() {
            "created" | "pending-virus-check" => Err(error(400, "PDFNotReadyError", "PDF not available yet, try again later")),
            "validation-failed" => Err(error(400, "BadRequestError", "PDF not available for letters that failed validation")),
            _ => Ok([given, b"\n% sanitised\n"].concat()),
        }
    }

    fn list(&self, messages: &[Shown]) -> Reply {
        let notifications: Vec<Value> = messages.iter().rev().map(show).collect();
        Reply::json(200, &json!({ "links": { "current": "" }, "notifications": notifications }))
    }

    fn cancelled(&self, _: &Shown, _: bool) -> Option<Reply> {
        None
    }

    fn id(&self, n: u64) -> String {
        let d = digits("notify", n);
        format!("{}-{}-4{}-8{}-{}", &d[..8], &d[8..12], &d[13..16], &d[17..20], &d[20..])
    }

    fn first_word(&self) -> &'static str {
        "created"
    }

    /// Of letters only a return is told.
    fn life(&self, channel: &str, end: End) -> &'static [Step] {
        match (channel, end) {
            ("sms" | "email", End::Undelivered) => const { &[shown("sending"), told("permanent-failure")] },
            ("sms" | "email", End::Expired) => const { &[shown("sending"), told("temporary-failure")] },
            ("sms" | "email", _) => const { &[shown("sending"), told("delivered")] },
            (_, End::Returned | End::ReturnedLate) => const { &[shown("accepted"), shown("received"), told("returned-letter")] },
            (_, End::Undelivered | End::Expired) => const { &[shown("pending-virus-check"), shown("validation-failed")] },
            _ => const { &[shown("pending-virus-check"), shown("accepted"), shown("received")] },
        }
    }

    fn contradiction(&self, channel: &str) -> &'static str {
        if channel == "letter" { "technical-failure" } else { "permanent-failure" }
    }

    fn write(&self, receipt: &Receipt<'_>, secrets: &Secrets<'_>) -> Written {
        let shown = &receipt.message.shown;
        let at = receipt.at_or("2026-11-26T08:00:00.000000Z");
        let body = match receipt.word {
            "returned-letter" => json!({
                "date_sent": at, "notification_id": receipt.message.id, "reference": shown["reference"], "sent_by": "",
                "spreadsheet_file_name": "", "spreadsheet_row_number": null, "template_id": null, "template_name": null,
                "template_version": null, "upload_letter_file_name": "",
            }),
            word => json!({
                "completed_at": at, "created_at": at, "id": receipt.message.id, "notification_type": shown["type"],
                "reference": shown["reference"], "sent_at": at, "status": word, "template_id": shown["template"]["id"],
                "template_version": 1, "to": shown.get("email_address").unwrap_or(&shown["phone_number"]),
            }),
        };
        let proof = vec![("Authorization", format!("Bearer {}", secrets.receipts))];
        Written { content_type: "application/json", body: body.to_string(), proof }
    }

    /// After 5xx and 429 alone, and where nobody was there.
    fn tries(&self, _: &str) -> Tries {
        Tries { waits_ms: WAITS_MS.to_vec(), content_with: ContentWith::NoServerErrorNorLimit, pauses_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_half_a_minute() {
        let key = "my_test_key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiIyNjc4NWEwOS1hYjE2LTRlYjAtODQwNy1hMzc0OTdhNTc1MDYiLCJpYXQiOjE1Njg4MTg1Nzh9.YT_aQYNif0l3HaPwy62Cj9g0qsYzjnj1K5pLwkELiFw";

        assert_eq!(is_good(token, key, 1_568_818_578 + 30), Some(true));
        assert_eq!(is_good(token, key, 1_568_818_578 + 31), Some(false));
        assert_eq!(is_good(&token.replace("YT_a", "YT_b"), key, 1_568_818_578), None);
        assert_eq!(is_good(token, "sandbox-key", 1_568_818_578), None);
    }
}
