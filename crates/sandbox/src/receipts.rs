//! The life of a message after acceptance, and the signed receipts that tell of it.

use crate::config::{FaultKind, ProviderConfig};
use crate::faults::FaultPlan;
use crate::state::SandboxState;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Receipts on their way at once.
const AT_ONCE: usize = 64;
/// Waits between the tries of a receipt that found nobody, ms.
const RETRIES_MS: &[u64] = &[200, 400, 800, 1600, 3200];
/// Numbers of receipts that are none of a message's own steps.
const EARLY: usize = 50;
const CONTRADICTING: usize = 60;
const FORGED: usize = 99;

/// Sends receipts, a bounded number at once, on connections that stay open.
pub(crate) struct Receipts {
    state: Arc<SandboxState>,
    client: reqwest::Client,
    slots: Semaphore,
}

/// A message whose life begins.
pub(crate) struct Birth {
    pub plan: FaultPlan,
    pub id: String,
    pub reference: String,
}

impl Birth {
    fn settings(&self) -> &ProviderConfig {
        &self.plan.settings
    }

    /// The steps of this message's life, in their true order.
    fn steps(&self) -> &'static [&'static str] {
        let fires = |kind| self.plan.fires(kind).is_some();
        match self.settings().channel.as_str() {
            "sms" if fires(FaultKind::Undelivered) => &["sent", "undelivered"],
            "sms" if fires(FaultKind::Expired) => &["sent", "expired"],
            "sms" => &["sent", "delivered"],
            _ if fires(FaultKind::LetterReturned) => &["printed", "dispatched", "returned"],
            _ => &["printed", "dispatched"],
        }
    }
}

impl Receipts {
    pub(crate) fn new(state: Arc<SandboxState>) -> Self {
        Self { state, client: reqwest::Client::new(), slots: Semaphore::new(AT_ONCE) }
    }

    /// Begins the message's life; costs nothing where nobody will ask or be told.
    pub(crate) fn begin(self: &Arc<Self>, birth: Birth) {
        let is_told = birth.settings().receipts && self.state.config().callback.is_some();
        if !is_told && birth.settings().receipt_delay_ms == 0 {
            if let Some(last) = birth.steps().last() {
                birth.plan.account.set_status(&birth.id, last);
            }
        } else if is_told || birth.settings().lookup {
            tokio::spawn(self.clone().live(birth));
        }
    }

    /// Lives the message's life: its status changes, receipts leave, faults fire.
    async fn live(self: Arc<Self>, birth: Birth) {
        let fires = |kind| birth.plan.fires(kind);
        let steps = birth.steps();
        let times = if !birth.settings().receipts || fires(FaultKind::ReceiptLost).is_some() {
            0
        } else {
            1 + usize::from(fires(FaultKind::ReceiptDouble).is_some())
        };
        let is_reordered = fires(FaultKind::ReceiptReorder).is_some();
        let at_once = if is_reordered { 0 } else { times };
        pause(fires(FaultKind::ReceiptLate).unwrap_or(0)).await;
        if fires(FaultKind::ReceiptForged).is_some() {
            self.send(&birth, "delivered", FORGED, "not-the-secret").await;
        }
        for (number, status) in steps.iter().enumerate() {
            pause(birth.settings().receipt_delay_ms).await;
            birth.plan.account.set_status(&birth.id, status);
            self.send_times(at_once, &birth, status, number).await;
        }
        if is_reordered {
            for (number, status) in steps.iter().enumerate().rev() {
                self.send_times(times, &birth, status, number).await;
            }
        }
        if times > 0 && fires(FaultKind::ReceiptContradict).is_some() {
            let status = if birth.settings().channel == "sms" { "undelivered" } else { "failed" };
            self.send_times(1, &birth, status, CONTRADICTING).await;
        }
    }

    async fn send_times(&self, times: usize, birth: &Birth, status: &str, number: usize) {
        let secret = &self.state.config().secret;
        for _ in 0..times {
            self.send(birth, status, number, secret).await;
        }
    }

    /// A receipt that is there before the answer.
    pub(crate) async fn send_early(&self, birth: &Birth) {
        let first = if birth.settings().channel == "sms" { "sent" } else { "printed" };
        self.send_times(usize::from(birth.settings().receipts), birth, first, EARLY).await;
    }

    async fn send(&self, birth: &Birth, status: &str, number: usize, secret: &str) {
        let Some(callback) = self.state.config().callback.clone() else { return };
        let Ok(_slot) = self.slots.acquire().await else { return };
        let now = time::OffsetDateTime::now_utc();
        let at = now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let body = serde_json::json!({
            "at": at, "event": format!("ev_{}_{number}", birth.id), "id": birth.id, "reference": birth.reference, "status": status
        })
        .to_string();
        let stamp = now.unix_timestamp().to_string();
        let Ok(url) = reqwest::Url::parse(&format!("{callback}/{}", birth.plan.account.name)) else { return };
        let signature = sign(secret, &stamp, url.path(), &body);
        for wait_ms in RETRIES_MS {
            let request =
                self.client.post(url.clone()).header("Content-Type", "application/json").timeout(Duration::from_secs(5));
            let signed = request.header("X-Sandbox-Timestamp", &stamp).header("X-Sandbox-Signature", &signature);
            match signed.body(body.clone()).send().await {
                // 4xx will not change by trying again.
                Ok(answer) if !answer.status().is_server_error() => return,
                _ => pause(*wait_ms).await,
            }
        }
    }
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// `hex(hmac_sha256(secret, timestamp "." path "." body))`, as the header of a receipt carries it; the path is the URL's.
pub fn sign(secret: &str, stamp: &str, path: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    for part in [stamp, ".", path, ".", body] {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}
