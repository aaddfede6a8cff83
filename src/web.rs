//! The HTTP server: health, metrics and the published logs in every process, and the receipts' desk.

mod connections;
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

/// Serves health, metrics and receipts until `stop`.
pub async fn run(office: Arc<Office>, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let receipts = Desk::open(&office.settings).await.map_err(std::io::Error::other)?.router();
    let router = watch(office.clone()).merge(receipts);
    connections::serve(listener, router, office.settings.web.connections_max, stop).await
}

/// Serves health and metrics until `stop`, for processes that take no receipts.
pub async fn run_watch(office: Arc<Office>, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let connections_max = office.settings.web.connections_max;
    connections::serve(listener, watch(office), connections_max, stop).await
}

fn watch(office: Arc<Office>) -> Router {
    let web = Arc::new(Web { office, broker: Broker::default(), metrics: metrics::Cache::default() });
    Router::new()
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/log/{*path}", get(log::serve))
        .with_state(web)
}

/// Serves nothing but the receipts' desk until `stop`; needs no key of Duly's.
pub async fn run_receipts(settings: &Settings, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    if !settings.database.for_receipts().1 {
        tracing::warn!(
            "receipts are kept with the full login of database.url: give them one of their own by database.receipts_url"
        );
    }
    let desk = Desk::open(settings).await.map_err(std::io::Error::other)?.router();
    let router = Router::new().route("/health/live", get(|| async { "live" })).merge(desk);
    connections::serve(listener, router, settings.web.connections_max, stop).await
}
