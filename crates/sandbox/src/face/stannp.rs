//! Stannp's face: letters that carry their address, of its API v1.
//!
//! A key is honoured only with an identical body, and the replay is a 409 with the original answer; look-ups by tag;
//! the address is read off the PDF; webhooks come in arrays, are signed over their body alone and pause after failures.

use super::form::{Part, has_key, hmac_sha256, parts};
use super::{
    Asked, ContentWith, Door, End, ORIGIN, Receipt, Reply, Request, Secrets, Shown, Step, Tries, Trouble, Vendor, Written,
    content_hash, told,
};
use crate::account::Physical;
use crate::config::{Limit, ProviderConfig};
use axum::http::Method;
use serde_json::{Value, json};

/// Waits between the tries of a webhook, ms.
const WAITS_MS: &[u64] = &[30_000; 3];
/// Failures within a day after which a webhook is paused.
const PAUSES_AFTER: usize = 5;

pub(super) struct Stannp;

fn error(status: u16, text: &str) -> Reply {
    limits(Reply::json(status, &json!({ "error": text, "success": false })), 299, 46)
}

fn success(status: u16, data: &Value) -> Reply {
    limits(Reply::json(status, &json!({ "data": data, "success": true })), 299, 46)
}

fn limits(reply: Reply, remaining: u32, reset_seconds: u64) -> Reply {
    reply.with("x-ratelimit-limit", 300).with("x-ratelimit-remaining", remaining).with("x-ratelimit-reset", reset_seconds)
}

fn text<'a>(fields: &'a [Part], name: &str) -> Option<&'a str> {
    let part = fields.iter().find(|part| part.name == name && part.file_name.is_none())?;
    std::str::from_utf8(&part.content).ok().filter(|text| !text.is_empty())
}

fn show(message: &Shown) -> Value {
    let mut shown = message.shown.clone();
    shown["id"] = json!(message.id);
    shown["mailpiece_id"] = json!(message.id);
    shown["status"] = json!(message.status);
    shown
}

/// The letter of a link into the storage, which opens to whoever has it.
fn stored<'a>(request: &Request<'a>) -> Option<&'a str> {
    request.path.strip_prefix("/api/v1/storage/get/port/")?.strip_suffix("/pdfs/letter.pdf")
}

impl Vendor for Stannp {
    fn door(&self, request: &Request<'_>) -> Option<Door> {
        if let Some(id) = stored(request) {
            return Some(Door::Letter(id.to_owned()));
        }
        let rest = request.path.strip_prefix("/v1/")?;
        let id = rest.strip_prefix("letters/get/").map(str::to_owned);
        match (request.method, rest, id) {
            (&Method::POST, "letters/post", _) => Some(Door::Submit),
            (&Method::GET, _, Some(id)) => Some(Door::Find(id)),
            (&Method::POST, "letters/cancel", _) => {
                let fields = super::form::pairs(request.body);
                Some(Door::Cancel(super::form::get(&fields, "id").unwrap_or_default().to_owned()))
            }
            (&Method::GET, "accounts/balance", _) => Some(Door::Account(success(200, &json!({ "balance": "214.4200" })))),
            (&Method::GET, rest, _) if rest.starts_with("reporting/directMail/list/") => {
                Some(Door::LookUp(request.asks("tag").unwrap_or_default()))
            }
            _ => None,
        }
    }

    fn admit(&self, request: &Request<'_>, secrets: &Secrets<'_>, _: time::OffsetDateTime) -> Result<(), Trouble> {
        if stored(request).is_some() {
            // Who sends a key there gave it away.
            return request.header("Authorization").map_or(Ok(()), |_| Err(Trouble::Forbidden));
        }
        has_key(request, secrets.api_key)
    }

    fn read(&self, account: &str, _: &ProviderConfig, request: &Request<'_>) -> Result<Asked, Reply> {
        let kind = request.header("Content-Type").unwrap_or_default();
        let fields = parts(kind, request.body).ok_or_else(|| error(400, "The request could not be read"))?;
        let country = text(&fields, "country").filter(|country| country.len() == 2);
        let country = country.ok_or_else(|| error(400, "A country is required"))?;
        let pdf = fields.iter().find(|part| matches!(part.name.as_str(), "pdf" | "file") && part.file_name.is_some());
        let pdf = pdf.filter(|part| part.content.starts_with(b"%PDF")).ok_or_else(|| error(400, "A PDF file is required"))?;
        // What stands in the window, as a machine at the printer's reads it.
        let window = (request.window)(&pdf.content).ok_or_else(|| error(400, "No address could be found on the document"))?;
        let tags = text(&fields, "tags").unwrap_or_default();
        let lines: Vec<&str> = window.lines().collect();
        let line = |n: usize| lines.get(n).copied().unwrap_or_default();
        let shown = json!({
            "addons": text(&fields, "addons").unwrap_or_default(), "address1": line(1), "address2": line(2), "cost": "0.81",
            "country": country, "created": "2026-11-26 08:00:00", "dispatched": null, "firstname": line(0), "format": "A4",
            "postcode": lines.last(), "tags": tags, "timestamp": "2026-11-26 08:00:00", "tracking": [], "tracking_ref": null,
            "transactional": i32::from(matches!(text(&fields, "transactional"), Some("1" | "true"))), "type": "letter",
        });
        Ok(Asked {
            physical: Physical {
                provider: account.to_owned(),
                channel: "letter".into(),
                content_sha256: content_hash(&pdf.content),
                reference: tags.split(',').next().unwrap_or_default().to_owned(),
                destination: window,
            },
            key: text(&fields, "idempotency_key").map(str::to_owned),
            found_by: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            shown,
            callback: None,
            is_test: matches!(text(&fields, "test"), Some("1" | "true")),
            letter: Some(pdf.content.clone()),
        })
    }

    /// 300 requests a minute, of whatever kind.
    fn limits(&self) -> &'static [Limit] {
        &[Limit { many: 300, ms: 60_000 }]
    }

    fn counts_questions(&self) -> bool {
        true
    }

    fn refuse(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::BadRequest(_) => error(400, "The recipient address is not valid"),
            Trouble::Recipient => error(400, "The recipient address is not valid: {recipient}"),
            Trouble::Unauthorised => error(401, "Unauthorised. Check your API key and your region"),
            Trouble::Forbidden => error(403, "Your account may not do this"),
            Trouble::NoCredit => error(402, "Insufficient balance"),
            Trouble::NotFound => error(404, "The resource does not exist"),
            Trouble::Conflict => error(409, "Conflict"),
            Trouble::TooMany(ms) => {
                let body = json!({ "error": "Too many requests", "success": false });
                limits(Reply::json(429, &body), 0, ms.div_ceil(1000).max(1))
            }
            Trouble::TooManyToday => error(429, "Daily limit reached"),
            Trouble::RequestTimeout => error(408, "Request timeout"),
            Trouble::Internal => error(500, "Server error"),
        }
    }

    fn accepted(&self, message: &Shown, is_replay: bool) -> Reply {
        let mut first = Shown { status: "received".into(), ..message.clone() };
        if message.id == "0" {
            first.status = "test".into();
        }
        success(if is_replay { 409 } else { 200 }, &show(&first))
    }

    fn error_inside(&self, _: &Shown) -> Reply {
        error(200, "Something went wrong")
    }

    fn one(&self, message: &Shown) -> Reply {
        let mut piece = show(message);
        piece["pdf_file"] = json!(format!("{ORIGIN}/api/v1/storage/get/port/{}/pdfs/letter.pdf", message.id));
        success(200, &piece)
    }

    /// It prints the file that it was given.
    fn letter(&self, _: &Shown, given: &[u8]) -> Result<Vec<u8>, Reply> {
        Ok(given.to_vec())
    }

    fn list(&self, messages: &[Shown]) -> Reply {
        success(200, &messages.iter().map(show).collect())
    }

    fn cancelled(&self, _: &Shown, in_time: bool) -> Option<Reply> {
        Some(if in_time { success(200, &json!(1)) } else { error(400, "The item is in production already") })
    }

    fn id(&self, n: u64) -> String {
        (16_818_210 + n).to_string()
    }

    fn first_word(&self) -> &'static str {
        "received"
    }

    /// Its API and its webhooks have words of their own for the same step.
    fn life(&self, _: &str, end: End) -> &'static [Step] {
        const PRINTING: Step = Step { shown: "producing", told: Some("printing") };
        const DISPATCHED: Step = Step { shown: "handed_over", told: Some("dispatched") };
        match end {
            End::Returned => const { &[PRINTING, DISPATCHED, told("returned")] },
            End::ReturnedLate => const { &[PRINTING, DISPATCHED, told("local_delivery"), told("delivered"), told("returned")] },
            End::Undelivered | End::Expired => const { &[told("cancelled")] },
            End::Good | End::Suspended => const { &[PRINTING, DISPATCHED, told("local_delivery"), told("delivered")] },
        }
    }

    fn contradiction(&self, _: &str) -> &'static str {
        "cancelled"
    }

    fn write(&self, receipt: &Receipt<'_>, secrets: &Secrets<'_>) -> Written {
        let mut piece = show(receipt.message);
        piece["status"] = json!(receipt.word);
        let body = json!({
            "created": receipt.at_or("2026-11-26 08:00:00"), "event": "mailpiece_status", "mailpieces": [piece],
            "retries": receipt.retries, "webhook_id": 1234,
        })
        .to_string();
        let signature = hex::encode(hmac_sha256(secrets.receipts, &[&body]));
        Written { content_type: "application/json", body, proof: vec![("X-Stannp-Signature", signature)] }
    }

    fn tries(&self, _: &str) -> Tries {
        Tries { waits_ms: WAITS_MS.to_vec(), content_with: ContentWith::Success, pauses_after: Some(PAUSES_AFTER) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_signed_over_its_body() {
        let signature = hex::encode(hmac_sha256("secret", &[r#"{"webhook_id":1234}"#]));

        assert_eq!(signature, "9cf22b0f08c9433b5ff72fc82d3e8354b5d6615eb79968a893045795e72c15ff");
    }
}
