//! The HTTP face: submits, look-ups, and what tests and the demo read and set under `/_…`.

use crate::account::Account;
use crate::config::{Fault, SandboxConfig, SandboxError};
use crate::receipts::Receipts;
use crate::state::SandboxState;
use crate::submit::submit;
use crate::wire::{CuttableListener, Wire};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
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
        .route("/{provider}/v1/messages", post(submit).get(look_up))
        .route("/{provider}/v1/messages/{id}", get(find))
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
}

async fn config(State(state): Shared) -> Json<SandboxConfig> {
    Json(SandboxConfig::clone(&state.config()))
}

/// A refusal in the providers' own form.
pub(crate) fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

#[derive(Deserialize)]
struct LookUp {
    #[serde(default)]
    reference: String,
}

async fn look_up(State(state): Shared, Path(provider): Path<String>, Query(query): Query<LookUp>) -> Response {
    let Some(found) = state.account(&provider).and_then(|account: Arc<Account>| account.look_up(&query.reference)) else {
        return refuse(StatusCode::NOT_FOUND, "no_lookup");
    };
    let messages: Vec<Value> =
        found.iter().map(|(id, status)| json!({ "id": id, "reference": query.reference, "status": status })).collect();
    Json(json!({ "messages": messages })).into_response()
}

async fn find(State(state): Shared, Path((provider, id)): Path<(String, String)>) -> Response {
    match state.account(&provider).and_then(|account| account.find(&id)) {
        None => refuse(StatusCode::NOT_FOUND, "not_found"),
        Some((reference, status)) => Json(json!({ "id": id, "reference": reference, "status": status })).into_response(),
    }
}
