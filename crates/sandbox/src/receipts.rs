//! The life of a message after acceptance, and the receipts that tell of it.

use crate::config::{FaultKind, ProviderConfig};
use crate::face::{ContentWith, End, Receipt, Secrets, Shown, Step, Vendor};
use crate::faults::FaultPlan;
use crate::state::SandboxState;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Receipts on their way at once.
const AT_ONCE: usize = 64;
/// How long one that takes a receipt may take, if the provider is patient.
const PATIENCE: Duration = Duration::from_secs(5);
/// How old a stale receipt's signature is, and how far ahead one of the future.
const STALE: Duration = Duration::from_secs(3600);
/// When a mistimed receipt says that it happened, seconds since 1970: on 26 November 2016 and 2036.
const MISTIMED: [i64; 2] = [1_480_147_200, 2_111_299_200];
/// A word that nobody knows.
const UNKNOWN_WORD: &str = "teleported";
/// Numbers of receipts that are none of a message's own steps.
const EARLY: usize = 50;
const CONTRADICTING: usize = 60;
const UNKNOWN: usize = 70;
const STRANGE: usize = 80;
const OF_OTHER: usize = 90;
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
    /// The id that its receipts name, where that is another one.
    pub named: Option<String>,
    /// Where its receipts go, if its request said so.
    pub callback: Option<String>,
}

impl Birth {
    fn settings(&self) -> &ProviderConfig {
        &self.plan.settings
    }

    fn vendor(&self) -> &'static dyn Vendor {
        self.settings().face.vendor()
    }

    /// The steps of this message's life, in their true order.
    fn steps(&self) -> &'static [Step] {
        let fires = |kind| self.plan.fires(kind).is_some();
        let end = match self.settings().channel.as_str() {
            "sms" | "email" if fires(FaultKind::Undelivered) => End::Undelivered,
            "sms" | "email" if fires(FaultKind::Expired) => End::Expired,
            "sms" if fires(FaultKind::Suspended) => End::Suspended,
            "sms" | "email" => End::Good,
            _ if fires(FaultKind::LetterReturned) => End::Returned,
            _ if fires(FaultKind::LetterReturnedLate) => End::ReturnedLate,
            _ if fires(FaultKind::LetterInvalid) => {
                self.plan.account.unmake(&self.id);
                End::Undelivered
            }
            _ => End::Good,
        };
        self.vendor().life(&self.settings().channel, end)
    }
}

impl Receipts {
    pub(crate) fn new(state: Arc<SandboxState>) -> Self {
        Self { state, client: reqwest::Client::new(), slots: Semaphore::new(AT_ONCE) }
    }

    /// Begins the message's life; costs nothing where nobody will ask or be told.
    pub(crate) fn begin(self: &Arc<Self>, birth: Birth) {
        let is_told = birth.settings().receipts && self.url(&birth).is_some();
        if !is_told && birth.settings().receipt_delay_ms == 0 {
            if let Some(last) = birth.steps().last() {
                birth.plan.account.set_status(&birth.id, last.shown);
            }
        } else if is_told || birth.settings().lookup {
            tokio::spawn(self.clone().live(birth));
        }
    }

    fn url(&self, birth: &Birth) -> Option<String> {
        if birth.vendor().calls_as_asked() {
            return birth.callback.clone();
        }
        let door = birth.settings().door.as_ref().unwrap_or(&birth.plan.account.name);
        self.state.config().callback.as_ref().map(|callback| format!("{callback}/{door}"))
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
        if birth.settings().channel == "letter" {
            pause(fires(FaultKind::PrintOutage).unwrap_or(0)).await;
        }
        self.send_strange(&birth, steps, times).await;
        for (number, step) in steps.iter().enumerate() {
            pause(birth.settings().receipt_delay_ms).await;
            if !birth.plan.account.set_status(&birth.id, step.shown) {
                return;
            }
            let is_quiet = birth.settings().receipts_of_end_only && number + 1 < steps.len();
            self.send_times(if is_quiet { 0 } else { at_once }, &birth, step.told, number).await;
        }
        if is_reordered {
            for (number, step) in steps.iter().enumerate().rev() {
                self.send_times(times, &birth, step.told, number).await;
            }
        }
        if times > 0 && fires(FaultKind::ReceiptContradict).is_some() {
            let word = birth.vendor().contradiction(&birth.settings().channel);
            self.send_times(1, &birth, Some(word), CONTRADICTING).await;
        }
    }

    /// Receipts that are none of the message's own: forged, of a strange message, under another's id, with a strange word.
    async fn send_strange(&self, birth: &Birth, steps: &[Step], times: usize) {
        let fires = |kind| birth.plan.fires(kind).is_some();
        let Some(last) = steps.iter().rev().find_map(|step| step.told) else { return };
        if fires(FaultKind::ReceiptForged) {
            self.send(birth, last, FORGED, Some("not-the-secret")).await;
        }
        if times > 0 && fires(FaultKind::ReceiptStranger) {
            let id = birth.vendor().id(u64::MAX / 2);
            let stranger = Birth { plan: birth.plan.clone(), id, named: None, callback: birth.callback.clone() };
            self.send(&stranger, last, STRANGE, None).await;
        }
        if let Some(other) = birth.plan.account.other_than(&birth.id).filter(|_| times > 0)
            && fires(FaultKind::ReceiptOtherId)
        {
            let (plan, callback) = (birth.plan.clone(), birth.callback.clone());
            let misnamed = Birth { plan, id: birth.id.clone(), named: Some(other.id), callback };
            self.send(&misnamed, last, OF_OTHER, None).await;
        }
        if times > 0 && fires(FaultKind::ReceiptUnknownWord) {
            self.send_times(1, birth, Some(UNKNOWN_WORD), UNKNOWN).await;
        }
    }

    async fn send_times(&self, times: usize, birth: &Birth, word: Option<&str>, number: usize) {
        for word in word.into_iter().cycle().take(times) {
            self.send(birth, word, number, None).await;
        }
    }

    /// A receipt that is there before the answer.
    pub(crate) async fn send_early(&self, birth: &Birth) {
        let life = birth.vendor().life(&birth.settings().channel, End::Good);
        let first = life.iter().find_map(|step| step.told);
        self.send_times(usize::from(birth.settings().receipts), birth, first, EARLY).await;
    }

    /// Sends one receipt, as often as the provider tries; with a `secret` that is not the account's it is forged.
    async fn send(&self, birth: &Birth, word: &str, number: usize, secret: Option<&str>) {
        let Some(url) = self.url(birth).and_then(|url| reqwest::Url::parse(&url).ok()) else { return };
        let account = &birth.plan.account;
        let (vendor, config, settings) = (birth.vendor(), self.state.config(), birth.settings());
        let tries = vendor.tries(url.as_str());
        let own = settings.secret.as_deref().unwrap_or(&config.secret);
        let secrets = Secrets { api_key: &config.api_key, receipts: secret.unwrap_or(own) };
        let is_unsigned = birth.plan.fires(FaultKind::ReceiptUnsigned).is_some();
        let fires = |kind| birth.plan.fires(kind).is_some();
        let age = if fires(FaultKind::ReceiptStale) { STALE } else { Duration::ZERO };
        let ahead = if fires(FaultKind::ReceiptFuture) { STALE } else { Duration::ZERO };
        let happened = fires(FaultKind::ReceiptMistimed).then(|| MISTIMED[number % 2]);
        let happened = happened.and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok());
        let unknown = || Shown { id: birth.id.clone(), reference: "stranger".into(), status: word.to_owned(), shown: empty() };
        let mut message = account.show(&birth.id).unwrap_or_else(unknown);
        message.id = birth.named.clone().unwrap_or(message.id);
        let Ok(_slot) = self.slots.acquire().await else { return };
        for retries in 0..=tries.waits_ms.len() {
            if tries.pauses_after.is_some_and(|limit| account.failed_receipts() >= limit) {
                return;
            }
            let now = time::OffsetDateTime::now_utc() - age + ahead;
            let (url, path) = (url.as_str(), url.path());
            let receipt = Receipt { message: &message, word, number, url, path, now, happened, retries };
            let written = vendor.write(&receipt, &secrets);
            let mut request = self.client.post(url).header("Content-Type", written.content_type).timeout(PATIENCE);
            for (name, value) in written.proof.iter().filter(|_| !is_unsigned) {
                request = request.header(*name, value);
            }
            let answer = request.body(written.body).send().await.ok().map(|answer| answer.status());
            let is_content = answer.is_some_and(|status| match tries.content_with {
                ContentWith::Success => status.is_success(),
                ContentWith::NoServerError => !status.is_server_error(),
                ContentWith::NoServerErrorNorLimit => {
                    !status.is_server_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS
                }
                ContentWith::Anything => true,
            });
            if is_content {
                return;
            }
            account.count_failed_receipt();
            pause(settings.receipt_retry_ms.or(tries.waits_ms.get(retries).copied()).unwrap_or(0)).await;
        }
    }
}

fn empty() -> serde_json::Value {
    serde_json::json!({})
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// `hex(hmac_sha256(secret, timestamp "." path "." body))`, as the header of a plain receipt carries it; the path is the
/// URL's.
pub fn sign(secret: &str, stamp: &str, path: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    for part in [stamp, ".", path, ".", body] {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}
