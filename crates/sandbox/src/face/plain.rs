//! The sandbox's own wire format.

use super::{
    Asked, ContentWith, Door, End, Receipt, Reply, Request, Secrets, Shown, Step, Tries, Trouble, Vendor, Written, told,
};
use crate::account::Physical;
use crate::config::ProviderConfig;
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Waits between the tries of a receipt that found nobody, ms.
const WAITS_MS: &[u64] = &[200, 400, 800, 1600];

/// What is shown to nobody without the key.
const ACCOUNT: &str = "/v1/account";

pub(super) struct Plain;

/// An SMS has `to` and `text`, an email `subject` beside them, a letter the rest.
#[derive(Deserialize)]
struct Submit<'a> {
    #[serde(borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    address: Option<Vec<String>>,
    #[serde(borrow)]
    pdf: Option<Cow<'a, str>>,
    postage_class: Option<String>,
}

fn error(status: u16, word: &str) -> Reply {
    Reply::json(status, &json!({ "error": word }))
}

fn show(message: &Shown) -> Value {
    json!({ "id": message.id, "reference": message.reference, "status": message.status })
}

fn physical(account: &str, channel: &str, body: &[u8]) -> Option<Physical> {
    let submit: Submit<'_> = serde_json::from_slice(body).ok()?;
    let (destination, content) = match channel {
        "sms" => (submit.to?.into_owned(), submit.text?.into_owned().into_bytes()),
        "email" => (submit.to?.into_owned(), super::mail_content(&submit.subject?, &submit.text?)),
        _ => {
            submit.postage_class?;
            (submit.address?.join("\n"), STANDARD.decode(submit.pdf?.as_bytes()).ok()?)
        }
    };
    Some(Physical {
        provider: account.to_owned(),
        channel: channel.to_owned(),
        destination,
        content_sha256: super::content_hash(&content),
        reference: submit.reference.into_owned(),
    })
}

impl Vendor for Plain {
    fn door(&self, request: &Request<'_>) -> Option<Door> {
        if (request.method, request.path) == (&Method::GET, ACCOUNT) {
            return Some(Door::Account(Reply::json(200, &json!({ "account": "northmere" }))));
        }
        let id = request.path.strip_prefix("/v1/messages")?;
        match (request.method, id.strip_prefix('/')) {
            (&Method::POST, None) => Some(Door::Submit),
            (&Method::GET, None) => Some(Door::LookUp(request.asks("reference").unwrap_or_default())),
            (&Method::GET, Some(id)) => Some(Door::Find(id.to_owned())),
            (&Method::DELETE, Some(id)) => Some(Door::Cancel(id.to_owned())),
            _ => None,
        }
    }

    fn admit(&self, request: &Request<'_>, secrets: &Secrets<'_>, _: time::OffsetDateTime) -> Result<(), Trouble> {
        // Look-ups were never guarded here: tests look from outside.
        let key = request.header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        let is_look_up = *request.method == Method::GET && request.path != ACCOUNT;
        if is_look_up || key == Some(secrets.api_key) { Ok(()) } else { Err(Trouble::Unauthorised) }
    }

    fn read(&self, account: &str, settings: &ProviderConfig, request: &Request<'_>) -> Result<Asked, Reply> {
        let physical =
            physical(account, &settings.channel, request.body).ok_or_else(|| self.refuse(Trouble::BadRequest("body")))?;
        Ok(Asked {
            found_by: vec![physical.reference.clone()],
            physical,
            key: request.header("Idempotency-Key").map(str::to_owned),
            shown: Value::Null,
            callback: None,
            is_test: false,
            letter: None,
        })
    }

    fn refuse(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::BadRequest(_) => error(400, "bad_request"),
            Trouble::Recipient => {
                Reply::json(422, &json!({ "error": "invalid_recipient", "message": "{recipient} cannot be reached" }))
            }
            Trouble::Unauthorised => error(401, "unauthorised"),
            Trouble::Forbidden => error(403, "forbidden"),
            Trouble::NoCredit => error(402, "no_credit"),
            Trouble::NotFound => error(404, "not_found"),
            Trouble::Conflict => error(409, "duplicate_reference"),
            Trouble::TooMany(ms) => error(429, "too_many").with("retry-after", ms.div_ceil(1000).max(1)),
            Trouble::TooManyToday => error(429, "too_many_today").with("retry-after", 86_400),
            Trouble::RequestTimeout => error(408, "timeout"),
            Trouble::Internal => error(500, "internal"),
        }
    }

    fn accepted(&self, message: &Shown, _: bool) -> Reply {
        Reply::json(201, &json!({ "id": message.id, "status": "queued" }))
    }

    fn error_inside(&self, _: &Shown) -> Reply {
        error(200, "internal")
    }

    fn one(&self, message: &Shown) -> Reply {
        Reply::json(200, &show(message))
    }

    fn list(&self, messages: &[Shown]) -> Reply {
        let messages: Vec<Value> = messages.iter().map(show).collect();
        Reply::json(200, &json!({ "messages": messages }))
    }

    fn next_page(&self) -> Option<&'static str> {
        Some("next")
    }

    fn cancelled(&self, message: &Shown, in_time: bool) -> Option<Reply> {
        Some(if in_time { self.one(message) } else { error(409, "too_late") })
    }

    fn id(&self, n: u64) -> String {
        format!("sb_{n:08x}")
    }

    fn first_word(&self) -> &'static str {
        "queued"
    }

    fn life(&self, channel: &str, end: End) -> &'static [Step] {
        match (channel, end) {
            ("sms", End::Undelivered) => const { &[told("sent"), told("undelivered")] },
            ("sms", End::Expired) => const { &[told("sent"), told("expired")] },
            ("email", End::Undelivered) => const { &[told("sent"), told("bounced")] },
            ("email", End::Expired) => const { &[told("sent"), told("expired")] },
            ("sms" | "email", _) => const { &[told("sent"), told("delivered")] },
            (_, End::Undelivered) => const { &[told("failed")] },
            (_, End::Returned) => const { &[told("printed"), told("dispatched"), told("returned")] },
            (_, End::ReturnedLate) => const { &[told("printed"), told("dispatched"), told("delivered"), told("returned")] },
            _ => const { &[told("printed"), told("dispatched")] },
        }
    }

    fn contradiction(&self, channel: &str) -> &'static str {
        match channel {
            "sms" => "undelivered",
            "email" => "bounced",
            _ => "failed",
        }
    }

    fn write(&self, receipt: &Receipt<'_>, secrets: &Secrets<'_>) -> Written {
        let now = receipt.now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let at = receipt.at_or(&now);
        let Shown { id, reference, .. } = receipt.message;
        let event = format!("ev_{id}_{}", receipt.number);
        let body = json!({ "at": at, "event": event, "id": id, "reference": reference, "status": receipt.word }).to_string();
        let stamp = receipt.now.unix_timestamp().to_string();
        let signature = crate::sign(secrets.receipts, &stamp, receipt.path, &body);
        let proof = vec![("X-Sandbox-Timestamp", stamp), ("X-Sandbox-Signature", signature)];
        Written { content_type: "application/json", body, proof }
    }

    fn tries(&self, _: &str) -> Tries {
        Tries { waits_ms: WAITS_MS.to_vec(), content_with: ContentWith::NoServerError, pauses_after: None }
    }
}
