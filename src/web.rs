//! The HTTP server: health, metrics, and the receipts' desk.

use crate::dispatch::Office;
use crate::receipts::Desk;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `stop`.
pub async fn run(office: Arc<Office>, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let receipts = Desk::open(&office.settings).await.map_err(std::io::Error::other)?.router();
    let router = Router::new()
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(office)
        .merge(receipts);
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
