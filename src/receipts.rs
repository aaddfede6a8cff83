//! Receipts as they arrive from providers: verified, sealed, kept, answered. Nothing is decided and nothing moves
//! here; this part faces the internet, and its database role can insert receipts and do nothing else.

mod inbox;

use crate::config::Settings;
use crate::dispatch::{DispatchError, accounts};
use crate::model::seal::seal_to;
use crate::provider::sandbox::{Account, ReceiptRefusal};
use crate::store::receipt::{NewReceipt, ReceiptController, ReceiptStore};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use inbox::Inbox;
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a controller's key and the measured clock are believed.
const FRESH: Duration = Duration::from_secs(60);

/// Where receipts are handed in.
pub struct Desk {
    accounts: BTreeMap<String, Arc<Account>>,
    store: ReceiptStore,
    inbox: Inbox,
    body_bytes_max: usize,
    window_seconds: i64,
    controllers: Mutex<HashMap<String, (ReceiptController, Instant)>>,
}

impl Desk {
    /// Opens the desk with a database role of its own; needs no key of Duly's.
    pub async fn open(settings: &Settings) -> Result<Arc<Self>, DispatchError> {
        let store = ReceiptStore::connect(settings.database.url.expose_secret(), settings.database.connections).await?;
        Ok(Arc::new(Self {
            accounts: accounts(settings)?,
            inbox: Inbox::start(store.clone()),
            store,
            body_bytes_max: settings.receipts.body_bytes_max,
            window_seconds: settings.receipts.replay_window_seconds,
            controllers: Mutex::default(),
        }))
    }

    /// `POST /receipts/{controller}/{provider}`.
    pub fn router(self: Arc<Self>) -> Router {
        let limit = DefaultBodyLimit::max(self.body_bytes_max);
        Router::new().route("/receipts/{controller}/{provider}", post(take)).layer(limit).with_state(self)
    }

    /// The controller of a URL, with the database's time of now: signatures are never judged by this machine's clock.
    async fn controller(&self, slug: &str) -> Result<Option<(ReceiptController, i64)>, StatusCode> {
        if !slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Ok(None);
        }
        let known = || self.controllers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = known().get(slug).cloned().filter(|(_, read_at)| read_at.elapsed() < FRESH);
        if found.is_none() {
            let read_at = Instant::now();
            let loaded = self.store.find_receipt_controller(slug).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
            found = loaded.map(|controller| (controller, read_at));
            known().extend(found.clone().map(|entry| (slug.to_owned(), entry)));
        }
        Ok(found.map(|(controller, read_at)| {
            let now_micros = controller.now_micros + i64::try_from(read_at.elapsed().as_micros()).unwrap_or(0);
            (controller, now_micros.div_euclid(1_000_000))
        }))
    }

    /// Keeps a receipt; without a `body` it was too large to be read, and only that is kept.
    async fn keep(
        &self,
        controller: &str,
        provider: String,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<StatusCode, StatusCode> {
        let account = self.accounts.get(&provider).ok_or(StatusCode::NOT_FOUND)?;
        let (controller, now_seconds) = self.controller(controller).await?.ok_or(StatusCode::NOT_FOUND)?;
        let header = |name: &str| headers.get(name).and_then(|h| h.to_str().ok()).unwrap_or_default();
        let (stamp, signature) = (header("X-Sandbox-Timestamp"), header("X-Sandbox-Signature"));
        let read = body.map(|body| account.read_receipt(stamp, signature, body, now_seconds, self.window_seconds));
        let (verdict, answer) = match &read {
            None => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
            Some(Ok(_)) => ("verified", StatusCode::OK),
            Some(Err(ReceiptRefusal::BadSignature)) => ("bad_signature", StatusCode::UNAUTHORIZED),
            Some(Err(ReceiptRefusal::Stale)) => ("stale", StatusCode::UNAUTHORIZED),
            Some(Err(ReceiptRefusal::Malformed)) => ("malformed", StatusCode::BAD_REQUEST),
        };
        let sealed = body.map(|body| seal_to(&controller.public_key, body)).transpose();
        let read = read.and_then(Result::ok);
        let receipt = NewReceipt {
            controller_id: controller.controller_id,
            provider,
            sealed: sealed.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?,
            verdict,
            event_name: read.as_ref().map(|r| r.event_name.clone()),
            reference: read.as_ref().map(|r| r.reference.clone()),
            provider_id: read.as_ref().map(|r| r.provider_id.clone()),
            status: read.and_then(|r| r.status),
        };
        // Without this commit the provider is told to send it again.
        if self.inbox.keep(receipt).await { Ok(answer) } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
    }
}

/// 200 kept, 400 not understood, 401 not believed, 413 too large (kept or noted all the same), 404 no such place, 503
/// again.
async fn take(
    State(desk): State<Arc<Desk>>,
    Path((controller, provider)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> StatusCode {
    let body = match &body {
        Ok(bytes) => Some(&bytes[..]),
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => None,
        Err(refused) => return refused.status(),
    };
    desk.keep(&controller, provider, &headers, body).await.unwrap_or_else(|answer| answer)
}
