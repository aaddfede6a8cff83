//! The plain API of the sandbox: its wire format, answers and words.

mod receipt;

pub use receipt::{ReadReceipt, ReceiptReader, ReceiptRefusal, SCHEME, Signed};

use super::guarded::{GuardedBody, MayStart};
use super::{CallResult, Capabilities, LookUp};
use crate::config::Lane;
use crate::model::state::{Channel, MessageState};
use crate::model::step::Answer;
use base64::Engine;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// One account at the sandbox.
pub struct Account {
    /// Lane name, also the account's name in receipts.
    pub name: String,
    /// Channel.
    pub channel: Channel,
    /// What it promises.
    pub capabilities: Capabilities,
    /// Messages a second.
    pub per_second: u32,
    /// Whether an unknown call may go on with the next step by itself.
    pub may_skip_unknown: bool,
    /// Reads its receipts.
    pub receipts: ReceiptReader,
    url: String,
    api_key: SecretString,
    http: Client,
}

impl Account {
    /// An account of a lane; `timeout` is the longest wait for an answer.
    pub fn new(name: &str, lane: &Lane, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(Duration::from_secs(20))
            .timeout(timeout)
            .build()?;
        let channel = lane.channel.parse().unwrap_or(Channel::Sms);
        Ok(Self {
            name: name.to_owned(),
            channel,
            capabilities: Capabilities {
                idempotent_for: lane.idempotent.then(|| Duration::from_secs(lane.key_life_seconds.unsigned_abs())),
                lookup_lag: lane.lookup.then(|| Duration::from_millis(lane.lookup_lag_ms.unsigned_abs())),
            },
            per_second: lane.per_second.max(1),
            receipts: ReceiptReader::new(channel, lane.receipt_secret.clone()),
            may_skip_unknown: lane.unknown_rule == "next_step",
            url: format!("{}/v1/messages", lane.url),
            api_key: lane.api_key.clone(),
            http,
        })
    }

    /// The exact bytes of an SMS request; frozen at the claim and replayed unchanged.
    pub fn freeze_sms(&self, from: &str, to: &str, text: &str, reference: &str) -> Vec<u8> {
        json!({ "channel": "sms", "from": from, "reference": reference, "text": text, "to": to }).to_string().into_bytes()
    }

    /// The exact bytes of a letter request.
    pub fn freeze_letter(&self, address: &[String], pdf: &[u8], pages: u32, postage_class: &str, reference: &str) -> Vec<u8> {
        let pdf = base64::engine::general_purpose::STANDARD.encode(pdf);
        json!({ "address": address, "channel": "letter", "pages": pages, "pdf": pdf, "postage_class": postage_class, "reference": reference })
            .to_string()
            .into_bytes()
    }

    /// Makes one call, if `may_start` still allows it at the first byte. Credentials are added here, never stored.
    pub async fn submit(&self, frozen: Vec<u8>, reference: &str, may_start: MayStart) -> CallResult {
        let (body, trace) = GuardedBody::new(frozen, may_start);
        let sent = self
            .http
            .post(&self.url)
            .bearer_auth(self.api_key.expose_secret())
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", reference)
            .body(reqwest::Body::wrap(body))
            .send()
            .await;
        let result = match (sent, trace.refusal()) {
            (Ok(response), _) => read_answer(response).await,
            (Err(_), Some(refusal)) => CallResult::new(Answer::NotTaken, refusal),
            (Err(_), None) if !trace.is_written() => CallResult::new(Answer::NotTaken, "not_written"),
            (Err(error), None) => CallResult::new(Answer::Unknown, if error.is_timeout() { "timeout" } else { "cut" }),
        };
        crate::failpoint::reach("response_read").await;
        result
    }

    /// Asks for messages of our reference.
    pub async fn look_up(&self, reference: &str) -> LookUp {
        let Some(answer) = self.get(&format!("{}?reference={reference}", self.url)).await else { return LookUp::CannotKnow };
        let Some(found) = answer.get("messages").and_then(Value::as_array) else { return LookUp::CannotKnow };
        let ids: Vec<String> = found.iter().filter_map(|m| m.get("id")?.as_str().map(str::to_owned)).collect();
        let status = found.first().and_then(|m| m.get("status")?.as_str()).and_then(|word| status(self.channel, word));
        if ids.is_empty() { LookUp::Absent } else { LookUp::Found(ids, status) }
    }

    async fn get(&self, url: &str) -> Option<Value> {
        let response = self.http.get(url).bearer_auth(self.api_key.expose_secret()).send().await.ok()?;
        if response.status() != StatusCode::OK { None } else { response.json().await.ok() }
    }
}

/// The neutral state of the sandbox's word; an unknown word moves nothing.
fn status(channel: Channel, word: &str) -> Option<MessageState> {
    match (channel, word) {
        (_, "queued") => Some(MessageState::Accepted),
        (Channel::Sms, "sent") => Some(MessageState::Sent),
        (Channel::Sms, "delivered") => Some(MessageState::DeliveredToHandset),
        (Channel::Sms, "undelivered") => Some(MessageState::Failed),
        (Channel::Sms, "expired") => Some(MessageState::Expired),
        (Channel::Letter, "printed") => Some(MessageState::Printed),
        (Channel::Letter, "dispatched") => Some(MessageState::HandedToCarrier),
        (Channel::Letter, "delivered") => Some(MessageState::CarrierDelivered),
        (Channel::Letter, "returned") => Some(MessageState::Returned),
        (Channel::Letter, "failed") => Some(MessageState::Failed),
        _ => None,
    }
}

/// Reads a frozen request back: destination and SHA-256 of the content. For audits only.
pub fn read_request(frozen: &[u8]) -> Option<(String, [u8; 32])> {
    let request: Value = serde_json::from_slice(frozen).ok()?;
    let hash = Sha256::digest(read_content(frozen)?.0).into();
    if let Some(to) = request.get("to").and_then(Value::as_str) {
        return Some((to.to_owned(), hash));
    }
    let lines: Option<Vec<&str>> = request.get("address")?.as_array()?.iter().map(Value::as_str).collect();
    Some((lines?.join("\n"), hash))
}

/// The content of a frozen request, as it was rendered, and the ending of its file's name; `None` where it is not of
/// this provider's.
pub fn read_content(frozen: &[u8]) -> Option<(Vec<u8>, &'static str)> {
    let request: Value = serde_json::from_slice(frozen).ok()?;
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    if text("channel")? == "sms" {
        return Some((text("text")?.as_bytes().to_vec(), "txt"));
    }
    Some((base64::engine::general_purpose::STANDARD.decode(text("pdf")?).ok()?, "pdf"))
}

/// The table of answers.
async fn read_answer(response: Response) -> CallResult {
    let status = response.status();
    let code = status.as_u16().to_string();
    match status {
        StatusCode::CREATED | StatusCode::OK => {
            match response.json::<Value>().await.ok().and_then(|v| v.get("id")?.as_str().map(str::to_owned)) {
                Some(id) => CallResult { provider_id: Some(id), ..CallResult::new(Answer::Accepted, code) },
                None => CallResult::new(Answer::Unknown, "unreadable"),
            }
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = response.headers().get("Retry-After").and_then(|h| h.to_str().ok()).and_then(|t| t.parse().ok());
            CallResult { retry_after: seconds.map(Duration::from_secs), ..CallResult::new(Answer::NotTaken, code) }
        }
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            CallResult { stops_lane: true, ..CallResult::new(Answer::LaneStopped, code) }
        }
        // The body was written: where it went nobody knows, and the next one would go there too.
        _ if status.is_redirection() => CallResult { stops_lane: true, ..CallResult::new(Answer::Unknown, code) },
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => CallResult::new(Answer::Rejected, code),
        _ => CallResult::new(Answer::Unknown, code),
    }
}
