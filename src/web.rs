//! The HTTP server: health, metrics, the published logs, and the receipts' desk.

mod health;
mod log;
mod metrics;

use crate::config::Settings;
use crate::dispatch::Office;
use crate::receipts::Desk;
use axum::Router;
use axum::routing::get;
use health::Broker;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the handlers share.
struct Web {
    office: Arc<Office>,
    broker: Broker,
    metrics: metrics::Cache,
}

/// Serves until `stop`.
pub async fn run(office: Arc<Office>, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let receipts = Desk::open(&office.settings).await.map_err(std::io::Error::other)?.router();
    let web = Arc::new(Web { office, broker: Broker::default(), metrics: metrics::Cache::default() });
    let router = Router::new()
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/log/{*path}", get(log::serve))
        .with_state(web)
        .merge(receipts);
    announce(&listener)?;
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Serves nothing but the receipts' desk until `stop`; needs no key of Duly's.
pub async fn run_receipts(settings: &Settings, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let desk = Desk::open(settings).await.map_err(std::io::Error::other)?.router();
    let router = Router::new().route("/health/live", get(|| async { "live" })).merge(desk);
    announce(&listener)?;
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Says which address was bound: port 0 lets the system choose.
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "listening for HTTP");
    Ok(())
}
