//! Lob's face: letters of its API v1.
//!
//! A multipart form with the PDF in it, or JSON; a key is honoured for 24 hours; look-ups by metadata; events are JSON,
//! signed over time stamp and body.

use super::form::{Part, has_key, hmac_sha256, parts};
use super::{
    Asked, ContentWith, Door, End, ORIGIN, Receipt, Reply, Request, Secrets, Shown, Step, Tries, Trouble, Vendor, Written,
    content_hash, digits, shown, told,
};
use crate::account::Physical;
use crate::config::{Limit, ProviderConfig};
use crate::letters::{count_pages, paper};
use axum::http::Method;
use serde_json::{Value, json};

const KEY_MAX: usize = 256;
/// Waits between the tries of an event, ms; how many there are the vendor does not say.
const WAITS_MS: &[u64] = &[200, 400, 800, 1600];

pub(super) struct Lob;

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "code": code, "message": message, "status_code": status } }))
        .with("x-rate-limit-limit", 150)
        .with("x-rate-limit-remaining", 100)
}

fn invalid(message: &str) -> Reply {
    error(422, "invalid", message)
}

fn text<'a>(fields: &'a [Part], name: &str) -> Option<&'a str> {
    let part = fields.iter().find(|part| part.name == name && part.file_name.is_none())?;
    std::str::from_utf8(&part.content).ok().filter(|text| !text.is_empty())
}

/// A US address, as its lines on an envelope.
fn address(fields: &[Part], who: &str) -> Result<Vec<String>, Reply> {
    let field = |name: &str| text(fields, &format!("{who}[{name}]"));
    let must = |name: &str| field(name).ok_or_else(|| invalid(&format!("{who}.{name} is required")));
    let name = field("name").or(field("company")).ok_or_else(|| invalid(&format!("{who}.name or {who}.company is required")))?;
    let (line1, line2) = (must("address_line1")?, field("address_line2").unwrap_or_default());
    let (city, state, zip) = (must("address_city")?, must("address_state")?, must("address_zip")?);
    let is_zip = |zip: &str| zip.split('-').all(|part| part.bytes().all(|b| b.is_ascii_digit())) && matches!(zip.len(), 5 | 10);
    if name.chars().count() > 40 {
        return Err(invalid(&format!("{who}.name must be no longer than 40 characters")));
    }
    if line1.chars().count() + line2.chars().count() > 50 {
        return Err(error(422, "address_length_exceeds_limit", "address_line1 and address_line2 are too long together"));
    }
    if state.len() != 2 || !is_zip(zip) {
        return Err(invalid(&format!("{who}.address_state or {who}.address_zip is not valid")));
    }
    Ok([name, line1, line2, city, state, zip].into_iter().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn show(message: &Shown) -> Value {
    let mut shown = message.shown.clone();
    shown["id"] = json!(message.id);
    shown["deleted"] = json!(message.status == "deleted");
    let (status, events): (&str, &[&str]) = match message.status.as_str() {
        "created" => ("processed", &[]),
        "failed" => ("failed", &[]),
        "mailed" => ("rendered", &["Mailed"]),
        "in_transit" => ("rendered", &["Mailed", "In Transit"]),
        "processed_for_delivery" => ("rendered", &["Mailed", "In Transit", "Processed for Delivery"]),
        "delivered" => ("rendered", &["Mailed", "In Transit", "Processed for Delivery", "Delivered"]),
        "returned_to_sender" => ("rendered", &["Mailed", "In Transit", "Returned to Sender"]),
        _ => ("rendered", &[]),
    };
    shown["status"] = json!(status);
    shown["tracking_events"] =
        events.iter().map(|name| json!({ "name": name, "object": "tracking_event", "type": "normal" })).collect();
    shown
}

/// What a signed link is signed with.
fn link_signature(id: &str) -> String {
    digits(id, 0)
}

/// The letter of a signed link.
fn asset<'a>(request: &Request<'a>) -> Option<&'a str> {
    request.path.strip_prefix("/letters/")?.strip_suffix(".pdf")
}

impl Vendor for Lob {
    fn door(&self, request: &Request<'_>) -> Option<Door> {
        if let Some(id) = asset(request) {
            return Some(Door::Letter(id.to_owned()));
        }
        let rest = request.path.strip_prefix("/v1/letters")?;
        match (request.method, rest.strip_prefix('/')) {
            (&Method::POST, None) => Some(Door::Submit),
            (&Method::GET, None) => {
                let pairs = super::form::pairs(request.query.as_bytes());
                let by = pairs.into_iter().find(|(name, _)| name.starts_with("metadata["));
                Some(Door::LookUp(by.map(|(name, value)| format!("{name}={value}")).unwrap_or_default()))
            }
            (&Method::GET, Some(id)) => Some(Door::Find(id.to_owned())),
            (&Method::DELETE, Some(id)) => Some(Door::Cancel(id.to_owned())),
            _ => None,
        }
    }

    fn admit(&self, request: &Request<'_>, secrets: &Secrets<'_>, _: time::OffsetDateTime) -> Result<(), Trouble> {
        if let Some(id) = asset(request) {
            // The link is all that it takes: who sends a key there gave it away.
            let is_good = request.header("Authorization").is_none() && request.asks("signature") == Some(link_signature(id));
            return if is_good { Ok(()) } else { Err(Trouble::Forbidden) };
        }
        has_key(request, secrets.api_key)
    }

    fn read(&self, account: &str, _: &ProviderConfig, request: &Request<'_>) -> Result<Asked, Reply> {
        let key = request.header("Idempotency-Key");
        if key.is_some_and(|key| key.len() > KEY_MAX) {
            return Err(invalid("Idempotency-Key is too long"));
        }
        if key.is_some() && request.asks("idempotency_key").is_some() {
            return Err(error(422, "bad_request", "more than one idempotency key"));
        }
        let kind = request.header("Content-Type").unwrap_or_default();
        let fields = parts(kind, request.body).ok_or_else(|| error(422, "bad_request", "the body cannot be read"))?;
        let must = |name: &str| text(&fields, name).ok_or_else(|| invalid(&format!("{name} is required")));
        let (to, _) = (address(&fields, "to")?, address(&fields, "from")?);
        if !matches!(must("color")?, "true" | "false") {
            return Err(invalid("color must be a boolean"));
        }
        if !matches!(must("use_type")?, "marketing" | "operational") {
            return Err(error(422, "mail_use_type_can_not_be_null", "use_type must be one of marketing, operational"));
        }
        let file = fields.iter().find(|part| part.name == "file" && part.file_name.is_some());
        let file = file.filter(|part| part.content.starts_with(b"%PDF")).ok_or_else(|| error(422, "invalid_file", "no PDF"))?;
        let marks: Vec<(String, String)> = (fields.iter())
            .filter(|part| part.name.starts_with("metadata["))
            .map(|part| (part.name.clone(), String::from_utf8_lossy(&part.content).into_owned()))
            .collect();
        if marks.len() > 20 || marks.iter().any(|(name, value)| name.len() > 40 + "metadata[]".len() || value.len() > 500) {
            return Err(invalid("metadata is too long"));
        }
        let metadata: Value = (marks.iter())
            .map(|(name, value)| (name["metadata[".len()..].trim_end_matches(']').to_owned(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let reference = marks.first().map(|(_, value)| value.clone()).unwrap_or_default();
        let shown = json!({
            "address_placement": text(&fields, "address_placement").unwrap_or("top_first_page"), "carrier": "USPS",
            "color": text(&fields, "color") == Some("true"), "date_created": "2026-11-26T08:00:00.000Z",
            "double_sided": text(&fields, "double_sided") != Some("false"), "expected_delivery_date": "2026-12-03",
            "mail_type": text(&fields, "mail_type").unwrap_or("usps_first_class"), "metadata": metadata, "object": "letter",
            "send_date": text(&fields, "send_date").unwrap_or("2026-11-26T08:05:00.000Z"), "use_type": text(&fields, "use_type"),
        });
        Ok(Asked {
            physical: Physical {
                provider: account.to_owned(),
                channel: "letter".into(),
                destination: to.join("\n"),
                content_sha256: content_hash(&file.content),
                reference,
            },
            key: key.map(str::to_owned),
            found_by: marks.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            shown,
            callback: None,
            is_test: false,
            letter: Some(file.content.clone()),
        })
    }

    /// 150 in five seconds at each endpoint.
    fn limits(&self) -> &'static [Limit] {
        &[Limit { many: 150, ms: 5000 }]
    }

    fn refuse(&self, trouble: Trouble) -> Reply {
        match trouble {
            Trouble::BadRequest(_) => error(422, "bad_request", "an invalid request was made"),
            Trouble::Recipient => error(422, "failed_deliverability_strictness", "the address {recipient} is not deliverable"),
            Trouble::Unauthorised => error(401, "invalid_api_key", "Your API key is not valid"),
            Trouble::Forbidden => error(403, "feature_limit_reached", "the account has reached its resource limit"),
            Trouble::NoCredit => error(401, "payment_method_unverified", "a verified payment method is needed"),
            Trouble::NotFound => error(404, "not_found", "letter not found"),
            Trouble::Conflict => error(409, "conflict", "this operation would leave data in a conflicted state"),
            Trouble::TooMany(ms) => {
                let reset = time::OffsetDateTime::now_utc().unix_timestamp() + i64::try_from(ms.div_ceil(1000)).unwrap_or(5);
                error(429, "rate_limit_exceeded", "Rate limit exceeded. Please wait 5 seconds and try your request again.")
                    .with("x-rate-limit-reset", reset)
            }
            Trouble::TooManyToday => error(403, "feature_limit_reached", "the account has reached its resource limit"),
            Trouble::RequestTimeout => error(408, "request_timeout", "the request took too long"),
            Trouble::Internal => error(500, "internal_server_error", "an error has occurred"),
        }
    }

    fn accepted(&self, message: &Shown, _: bool) -> Reply {
        Reply::json(200, &show(message)).with("x-rate-limit-limit", 150).with("x-rate-limit-remaining", 149)
    }

    /// Taken, and its PDF cannot be rendered.
    fn error_inside(&self, message: &Shown) -> Reply {
        let mut shown = show(message);
        shown["status"] = json!("failed");
        shown["failure_reason"] =
            json!({ "code": "unembedded_fonts", "message": "unembedded fonts", "remediation": "embed them" });
        Reply::json(200, &shown)
    }

    fn failure(&self) -> Option<&'static str> {
        Some("failed")
    }

    fn one(&self, message: &Shown) -> Reply {
        let mut letter = show(message);
        letter["url"] = json!(format!(
            "{ORIGIN}/letters/{}.pdf?version=v1&expires=1618512040&signature={}",
            message.id,
            link_signature(&message.id)
        ));
        Reply::json(200, &letter)
    }

    /// With a sheet of the address before it.
    fn letter(&self, message: &Shown, given: &[u8]) -> Result<Vec<u8>, Reply> {
        match message.status.as_str() {
            "created" | "failed" => Err(self.refuse(Trouble::NotFound)),
            _ => Ok(paper(count_pages(given) + 1)),
        }
    }

    fn list(&self, messages: &[Shown]) -> Reply {
        let data: Vec<Value> = messages.iter().map(show).collect();
        let (count, total) = (data.len(), data.len());
        Reply::json(
            200,
            &json!({ "count": count, "data": data, "next_url": null, "object": "list", "previous_url": null, "total_count": total }),
        )
    }

    fn next_page(&self) -> Option<&'static str> {
        Some("next_url")
    }

    fn cancelled(&self, message: &Shown, in_time: bool) -> Option<Reply> {
        Some(match in_time {
            true => Reply::json(200, &json!({ "deleted": true, "id": message.id })),
            false => error(422, "not_deletable", "the letter is in production"),
        })
    }

    fn cancelled_word(&self) -> &'static str {
        "deleted"
    }

    fn id(&self, n: u64) -> String {
        format!("ltr_{}", &digits("ltr", n)[..16])
    }

    fn first_word(&self) -> &'static str {
        "created"
    }

    fn life(&self, _: &str, end: End) -> &'static [Step] {
        match end {
            End::Returned => const { &[told("rendered_pdf"), told("mailed"), told("in_transit"), told("returned_to_sender")] },
            End::ReturnedLate => {
                const {
                    &[
                        told("rendered_pdf"),
                        told("mailed"),
                        told("in_transit"),
                        told("processed_for_delivery"),
                        told("delivered"),
                        told("returned_to_sender"),
                    ]
                }
            }
            End::Undelivered | End::Expired => const { &[told("failed")] },
            End::Good | End::Suspended => {
                const {
                    &[
                        told("rendered_pdf"),
                        told("mailed"),
                        told("in_transit"),
                        shown("in_local_area"),
                        told("processed_for_delivery"),
                        told("delivered"),
                    ]
                }
            }
        }
    }

    fn contradiction(&self, _: &str) -> &'static str {
        "failed"
    }

    fn write(&self, receipt: &Receipt<'_>, secrets: &Secrets<'_>) -> Written {
        let message = receipt.message;
        let event = json!({
            "body": show(message), "date_created": receipt.at_or("2026-11-26T08:00:00.000Z"),
            "event_type": { "enabled_for_test": true, "id": format!("letter.{}", receipt.word), "object": "event_type", "resource": "letters" },
            "id": format!("evt_{}", &digits(&message.id, receipt.number as u64)[..16]), "object": "event", "reference_id": message.id,
        });
        let body = event.to_string();
        let stamp = (receipt.now.unix_timestamp_nanos() / 1_000_000).to_string();
        let signature = hex::encode(hmac_sha256(secrets.receipts, &[&stamp, ".", &body]));
        let proof = vec![("Lob-Signature-Timestamp", stamp), ("Lob-Signature", signature)];
        Written { content_type: "application/json", body, proof }
    }

    fn tries(&self, _: &str) -> Tries {
        Tries { waits_ms: WAITS_MS.to_vec(), content_with: ContentWith::Success, pauses_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_signed_over_its_stamp_and_body() {
        let signature = hex::encode(hmac_sha256("secret", &["1700000000000", ".", r#"{"id":"evt_1"}"#]));

        assert_eq!(signature, "b3bd2bc8654b7c447011e1b7f45bda0a57c53cfe0e391848e64d63da2e789e62");
    }
}
