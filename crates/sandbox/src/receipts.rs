//! The life of a message after acceptance, and the signed receipts that tell of it.

use crate::config::FaultKind;
use crate::state::SandboxState;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Sends receipts, a bounded number at once.
pub(crate) struct Receipts {
    state: Arc<SandboxState>,
    client: reqwest::Client,
    slots: Semaphore,
}

/// A message whose life begins.
pub(crate) struct Birth {
    pub provider: String,
    pub channel: String,
    pub id: String,
    pub reference: String,
    pub request: u32,
}

impl Receipts {
    pub(crate) fn new(state: Arc<SandboxState>) -> Self {
        Self { state, client: reqwest::Client::new(), slots: Semaphore::new(64) }
    }

    /// Lives the message's life: statuses change, receipts leave, faults fire.
    pub(crate) async fn live(self: Arc<Self>, birth: Birth) {
        let config = self.state.config();
        let Some(provider) = config.providers.get(&birth.provider) else { return };
        let fires = |kind| self.state.fault(&birth.provider, &birth.reference, birth.request, kind);
        let mut steps = life(&birth.channel, fires(FaultKind::LetterReturned).is_some(), fires(FaultKind::Undelivered).is_some());
        if fires(FaultKind::ReceiptReorder).is_some() {
            steps.reverse();
        }
        if fires(FaultKind::ReceiptContradict).is_some() {
            steps.push(if birth.channel == "sms" { "undelivered" } else { "failed" });
        }
        let lost = fires(FaultKind::ReceiptLost).is_some();
        let doubled = fires(FaultKind::ReceiptDouble).is_some();
        if let Some(ms) = fires(FaultKind::ReceiptLate) {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        if fires(FaultKind::ReceiptForged).is_some() {
            self.send(&birth, "delivered", 99, "not-the-secret").await;
        }
        for (i, status) in (0..).zip(steps) {
            tokio::time::sleep(Duration::from_millis(provider.receipt_delay_ms)).await;
            self.state.set_status(&birth.id, status);
            if lost || !provider.receipts {
                continue;
            }
            self.send(&birth, status, i, &config.secret).await;
            if doubled {
                self.send(&birth, status, i, &config.secret).await;
            }
        }
    }

    /// A receipt that is there before the answer.
    pub(crate) async fn early(&self, birth: &Birth) {
        let secret = self.state.config().secret;
        let first = if birth.channel == "sms" { "sent" } else { "printed" };
        self.send(birth, first, 50, &secret).await;
    }

    async fn send(&self, birth: &Birth, status: &str, number: u32, secret: &str) {
        let Some(callback) = self.state.config().callback else { return };
        let Ok(_slot) = self.slots.acquire().await else { return };
        let now = time::OffsetDateTime::now_utc();
        let at = now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let body = serde_json::json!({
            "at": at, "event": format!("ev_{}_{number}", birth.id), "id": birth.id, "reference": birth.reference, "status": status
        })
        .to_string();
        let stamp = now.unix_timestamp().to_string();
        for _ in 0..3 {
            let sent = self
                .client
                .post(format!("{callback}/{}", birth.provider))
                .header("Content-Type", "application/json")
                .header("X-Sandbox-Timestamp", &stamp)
                .header("X-Sandbox-Signature", sign(secret, &stamp, &body))
                .body(body.clone())
                .timeout(Duration::from_secs(5))
                .send()
                .await;
            match sent {
                // 4xx will not change by trying again.
                Ok(answer) if !answer.status().is_server_error() => return,
                _ => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

fn life(channel: &str, is_returned: bool, is_undelivered: bool) -> Vec<&'static str> {
    match (channel, is_returned || is_undelivered) {
        ("sms", false) => vec!["sent", "delivered"],
        ("sms", true) => vec!["sent", "undelivered"],
        (_, false) => vec!["printed", "dispatched"],
        (_, true) => vec!["printed", "dispatched", "returned"],
    }
}

/// `hex(hmac_sha256(secret, timestamp "." body))`.
pub(crate) fn sign(secret: &str, stamp: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
