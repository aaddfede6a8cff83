//! The HTTP server: receipts from providers, health and metrics. Receipts are only inserted here, never applied.

use crate::dispatch::Office;
use crate::model::seal::seal_to;
use crate::provider::sandbox::ReceiptRefusal;
use crate::store::receipt::NewReceipt;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `stop`.
pub async fn run(office: Arc<Office>, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let limit = office.settings.receipts.body_bytes_max;
    let router = Router::new()
        .route("/receipts/{controller}/{provider}", post(take_receipt).layer(DefaultBodyLimit::max(limit)))
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(office);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn ready(State(office): State<Arc<Office>>) -> (StatusCode, &'static str) {
    match office.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached"),
    }
}

async fn metrics(State(office): State<Arc<Office>>) -> Result<String, StatusCode> {
    let counts = office.store.count_all_messages().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let mut text = String::from("# HELP duly_messages Messages by channel and state\n# TYPE duly_messages gauge\n");
    for (channel, state, n) in counts {
        text.push_str(&format!("duly_messages{{channel=\"{channel}\",state=\"{state}\"}} {n}\n"));
    }
    Ok(text)
}

/// Keeps the receipt, then says what it is worth: 200 taken, 401 not believed, 404 no such place, 413 too large.
async fn take_receipt(
    State(office): State<Arc<Office>>,
    Path((controller, provider)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Some(account) = office.accounts.get(&provider) else { return StatusCode::NOT_FOUND };
    let Ok(found) = office.store.find_receipt_controller(&controller).await else { return StatusCode::SERVICE_UNAVAILABLE };
    let Some((controller_id, public_key)) = found else { return StatusCode::NOT_FOUND };
    let header = |name: &str| headers.get(name).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let window = office.settings.receipts.replay_window_seconds;
    let read = account.read_receipt(header("X-Sandbox-Timestamp"), header("X-Sandbox-Signature"), &body, now, window);
    let Some(sealed) = public_key.try_into().ok().and_then(|key| seal_to(&key, &body).ok()) else { return StatusCode::INTERNAL_SERVER_ERROR };
    let (verdict, answer) = match &read {
        Ok(_) => ("verified", StatusCode::OK),
        Err(ReceiptRefusal::BadSignature) => ("bad_signature", StatusCode::UNAUTHORIZED),
        Err(ReceiptRefusal::Stale) => ("stale", StatusCode::UNAUTHORIZED),
        Err(ReceiptRefusal::Malformed) => ("malformed", StatusCode::BAD_REQUEST),
    };
    let receipt = read.ok();
    let new = NewReceipt {
        controller_id,
        provider,
        sealed,
        verdict,
        event_name: receipt.as_ref().map(|r| r.event_name.clone()),
        reference: receipt.as_ref().map(|r| r.reference.clone()),
        provider_id: receipt.as_ref().map(|r| r.provider_id.clone()),
        status: receipt.and_then(|r| r.status),
    };
    match office.store.insert_receipt(&new).await {
        Ok(()) => answer,
        Err(error) => {
            tracing::error!(error = %error, "a receipt was not kept; the provider will send it again");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
