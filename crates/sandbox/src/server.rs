//! The HTTP server: every provider account at its own path, and what tests and the demo read and set under `/_…`.

use crate::config::{Fault, SandboxConfig, SandboxError};
use crate::receipts::Receipts;
use crate::state::SandboxState;
use crate::submit::knock;
use crate::wire::{CuttableListener, Wire};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Path, State};
use axum::response::Json;
use axum::routing::{any, get, post};
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Largest submit: a letter of some pages with its fonts, as base64.
const BODY_BYTES_MAX: usize = 16 << 20;

#[derive(Clone)]
pub(crate) struct App {
    pub state: Arc<SandboxState>,
    pub receipts: Arc<Receipts>,
}

impl FromRef<App> for Arc<SandboxState> {
    fn from_ref(app: &App) -> Self {
        app.state.clone()
    }
}

type Shared = State<Arc<SandboxState>>;

/// Serves until `shutdown` ends.
pub async fn serve(
    state: Arc<SandboxState>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SandboxError> {
    let app = App { receipts: Arc::new(Receipts::new(state.clone())), state };
    let router = Router::new()
        .route("/{provider}/{*rest}", any(knock))
        .merge(control())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app);
    let service = router.into_make_service_with_connect_info::<Wire>();
    axum::serve(CuttableListener(listener), service).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

/// What no provider has: the record, the counts, and the switches of the fault plan.
fn control() -> Router<App> {
    Router::new()
        .route("/_record", get(async |State(s): Shared| Json(s.record())))
        .route("/_counts", get(async |State(s): Shared| Json(s.counts())))
        .route("/_requests", get(async |State(s): Shared| Json(s.requests())))
        .route("/_arrivals/{provider}", get(async |State(s): Shared, Path(p): Path<String>| Json(s.arrivals(&p))))
        .route("/_in_flight", get(async |State(s): Shared| Json(s.in_flight())))
        .route("/_config", get(config).post(async |State(s): Shared, Json(c): Json<SandboxConfig>| s.set_config(c)))
        .route("/_callback", post(async |State(s): Shared, Json(c): Json<Option<String>>| s.set_callback(c)))
        .route(
            "/_faults/{provider}",
            post(async |State(s): Shared, Path(p): Path<String>, Json(f): Json<Vec<Fault>>| s.set_faults(&p, f)),
        )
        .route("/_hold/{provider}", post(async |State(s): Shared, Path(p): Path<String>| s.hold(&p, true)))
        .route("/_release/{provider}", post(async |State(s): Shared, Path(p): Path<String>| s.hold(&p, false)))
        .route("/_resubscribe/{provider}", post(async |State(s): Shared, Path(p): Path<String>| s.resubscribe(&p)))
}

async fn config(State(state): Shared) -> Json<SandboxConfig> {
    Json(SandboxConfig::clone(&state.config()))
}
