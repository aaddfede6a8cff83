//! Receipts as they arrive from providers: verified, sealed, kept, answered. Nothing is decided and nothing moves
//! here; this part faces the internet, and its database role can insert receipts and do nothing else.

mod directory;
mod inbox;

use crate::config::Settings;
use crate::dispatch::{DispatchError, accounts};
use crate::model::seal::seal_to;
use crate::provider::sandbox::{Account, ReceiptReader, ReceiptRefusal, Signed};
use crate::store::receipt::{NewReceipt, ReceiptStore};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use directory::Directory;
use inbox::Inbox;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a receipt waits until others are read.
const WAIT_FOR_SLOT: Duration = Duration::from_secs(1);
/// How long a receipt may take from its first header to its answer: nobody holds a place by sending slowly.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Where receipts are handed in.
pub struct Desk {
    accounts: BTreeMap<String, Arc<Account>>,
    directory: Directory,
    inbox: Inbox,
    slots: Semaphore,
    body_bytes_max: usize,
    window_seconds: i64,
    nobody: ReceiptReader,
}

impl Desk {
    /// Opens the desk with a database role of its own; needs no key of Duly's.
    pub async fn open(settings: &Settings) -> Result<Arc<Self>, DispatchError> {
        let (url, _) = settings.database.for_receipts();
        let store = ReceiptStore::connect(url.expose_secret(), settings.database.connections).await?;
        Ok(Arc::new(Self {
            accounts: accounts(settings)?,
            inbox: Inbox::start(store.clone(), settings.receipts.refusals_every_seconds * 1000),
            directory: Directory::new(store),
            slots: Semaphore::new(settings.receipts.in_flight_max),
            body_bytes_max: settings.receipts.body_bytes_max,
            window_seconds: settings.receipts.replay_window_seconds,
            nobody: ReceiptReader::of_nobody(),
        }))
    }

    /// `POST /receipts/{controller}/{provider}`.
    pub fn router(self: Arc<Self>) -> Router {
        let limit = DefaultBodyLimit::max(self.body_bytes_max);
        Router::new()
            .route("/receipts/{controller}/{provider}", post(take))
            .layer(limit)
            .layer(from_fn_with_state(self.clone(), one_of_few))
            .with_state(self)
    }

    /// Keeps a receipt; without a `body` it was too large to be read, and only that is noted.
    ///
    /// A place that is not there gets the answer of a wrong signature, after the same work: an outsider must not learn
    /// who has a breach to notify. Of what did not prove itself no body is kept, wherever it went: a stranger must not
    /// decide how much we store.
    async fn keep(
        &self,
        controller: &str,
        provider: &str,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<StatusCode, StatusCode> {
        let (controllers, now_seconds) = self.directory.read().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let place = controllers.by_slug.get(controller).zip(self.accounts.get(provider));
        let reader = place.map_or(&self.nobody, |(_, account)| &account.receipts);
        let header = |name: &str| headers.get(name).and_then(|h| h.to_str().ok()).unwrap_or_default();
        let (stamp, signature) = (header("X-Sandbox-Timestamp"), header("X-Sandbox-Signature"));
        let path = format!("/receipts/{controller}/{provider}");
        let read =
            body.map(|body| reader.read(&Signed { path: &path, stamp, signature, body }, now_seconds, self.window_seconds));
        let (verdict, answer) = match &read {
            None => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
            Some(Ok(_)) => ("verified", StatusCode::OK),
            Some(Err(ReceiptRefusal::BadSignature)) => ("bad_signature", StatusCode::UNAUTHORIZED),
            Some(Err(ReceiptRefusal::Stale)) => ("stale", StatusCode::UNAUTHORIZED),
            Some(Err(ReceiptRefusal::Malformed)) => ("malformed", StatusCode::BAD_REQUEST),
        };
        let proved = body.zip(place).filter(|_| matches!(verdict, "verified" | "malformed"));
        let sealed = proved.map(|(body, (controller, _))| seal_to(&controller.public_key, body)).transpose();
        let sealed = sealed.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let read = read.and_then(Result::ok);
        let receipt = NewReceipt {
            controller_id: place.map(|(controller, _)| controller.controller_id),
            // What strangers write into a URL is kept nowhere.
            provider: place.map_or("-", |_| provider).to_owned(),
            sealed,
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

/// Bounds the bodies that this process holds at once; who comes in a crowd waits a moment, then is told to come again.
async fn one_of_few(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let Ok(Ok(_slot)) = timeout(WAIT_FOR_SLOT, desk.slots.acquire()).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    timeout(TAKEN_WITHIN, next.run(request)).await.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

/// 200 kept, 400 not understood, 401 not believed or no such place, 413 too large (noted all the same), 408 too
/// slow, 503 again.
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
    desk.keep(&controller, &provider, &headers, body).await.unwrap_or_else(|answer| answer)
}
