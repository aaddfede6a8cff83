//! The HTTP face: submits, look-ups, and what tests and the demo read and set under `/_…`.

use crate::config::{FaultKind, SandboxConfig, SandboxError};
use crate::receipts::{Birth, Receipts};
use crate::state::{Physical, SandboxState};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    state: Arc<SandboxState>,
    receipts: Arc<Receipts>,
}

/// Serves until `shutdown` ends.
pub async fn serve(state: Arc<SandboxState>, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), SandboxError> {
    let app = App { receipts: Arc::new(Receipts::new(state.clone())), state };
    let router = Router::new()
        .route("/{provider}/v1/messages", post(submit).get(look_up))
        .route("/{provider}/v1/messages/{id}", get(find))
        .route("/_record", get(|State(app): State<App>| async move { Json(app.state.record()) }))
        .route("/_counts", get(|State(app): State<App>| async move { Json(app.state.counts()) }))
        .route("/_requests", get(|State(app): State<App>| async move { Json(app.state.requests()) }))
        .route("/_in_flight", get(|State(app): State<App>| async move { Json(app.state.in_flight()) }))
        .route("/_config", get(|State(app): State<App>| async move { Json(app.state.config()) }).post(set_config))
        .route("/_hold/{provider}", post(|State(app): State<App>, Path(p): Path<String>| async move { app.state.hold(&p, true) }))
        .route("/_release/{provider}", post(|State(app): State<App>, Path(p): Path<String>| async move { app.state.hold(&p, false) }))
        .layer(DefaultBodyLimit::max(16 << 20))
        .with_state(app);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

async fn set_config(State(app): State<App>, Json(config): Json<SandboxConfig>) {
    app.state.set_config(config);
}

fn refuse(status: u16, error: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({ "error": error }))).into_response()
}

/// A response whose body breaks: the connection is cut without an answer that can be read.
fn cut() -> Response {
    let broken = Body::from_stream(futures_stream());
    Response::builder().status(201).header("Content-Length", "500").body(broken).unwrap_or_default()
}

fn futures_stream() -> impl futures_core::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::once(async { Err(std::io::Error::other("cut by the fault plan")) })
}

struct InFlight<'a>(&'a SandboxState, String);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.leave(&self.1);
    }
}

async fn submit(State(app): State<App>, Path(provider): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let config = app.state.config();
    let Some(settings) = config.providers.get(&provider).cloned() else { return refuse(404, "no_such_provider") };
    if headers.get("Authorization").and_then(|h| h.to_str().ok()) != Some(&format!("Bearer {}", config.api_key)) {
        return refuse(401, "unauthorised");
    }
    let Some(physical) = read(&provider, &settings.channel, &body) else { return refuse(400, "bad_request") };
    let reference = physical.reference.clone();
    app.state.enter(&provider);
    let _in_flight = InFlight(&app.state, provider.clone());
    let request = app.state.count_request(&provider, &reference);
    let fires = |kind| app.state.fault(&provider, &reference, request, kind);
    if let Some(refusal) = before(&fires) {
        return refusal;
    }
    if let Some(ms) = fires(FaultKind::Late) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let (id, is_new) = app.state.produce(physical);
    if is_new {
        let birth = |request| Birth { provider: provider.clone(), channel: settings.channel.clone(), id: id.clone(), reference: reference.clone(), request };
        if fires(FaultKind::ReceiptEarly).is_some() {
            app.receipts.early(&birth(request)).await;
        }
        tokio::spawn(app.receipts.clone().live(birth(request)));
    }
    if fires(FaultKind::ErrorAfter).is_some() {
        return refuse(500, "internal");
    }
    if fires(FaultKind::CutAfter).is_some() {
        return cut();
    }
    if fires(FaultKind::Hang).is_some() {
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
    tokio::time::sleep(Duration::from_millis(fires(FaultKind::Slow).unwrap_or(0) + settings.latency_ms)).await;
    while app.state.is_held(&provider) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (StatusCode::CREATED, Json(json!({ "id": id, "status": "queued" }))).into_response()
}

/// Faults that produce nothing.
fn before(fires: &impl Fn(FaultKind) -> Option<u64>) -> Option<Response> {
    if fires(FaultKind::Reject).is_some() {
        return Some(refuse(422, "invalid_recipient"));
    }
    if fires(FaultKind::TooMany).is_some() {
        return Some((StatusCode::TOO_MANY_REQUESTS, [("Retry-After", "1")], Json(json!({ "error": "too_many" }))).into_response());
    }
    if fires(FaultKind::Unauthorised).is_some() {
        return Some(refuse(401, "unauthorised"));
    }
    fires(FaultKind::ErrorBefore).map(|_| refuse(500, "internal"))
}

fn read(provider: &str, channel: &str, body: &[u8]) -> Option<Physical> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| request.get(key).and_then(Value::as_str);
    let (destination, content) = match channel {
        "sms" => (text("to")?.to_owned(), text("text")?.as_bytes().to_vec()),
        _ => {
            let lines: Option<Vec<&str>> = request.get("address")?.as_array()?.iter().map(Value::as_str).collect();
            text("postage_class")?;
            (lines?.join("\n"), base64::engine::general_purpose::STANDARD.decode(text("pdf")?).ok()?)
        }
    };
    Some(Physical {
        provider: provider.to_owned(),
        channel: channel.to_owned(),
        destination,
        content_sha256: hex::encode(Sha256::digest(&content)),
        reference: text("reference")?.to_owned(),
    })
}

async fn look_up(State(app): State<App>, Path(provider): Path<String>, Query(query): Query<HashMap<String, String>>) -> Response {
    let reference = query.get("reference").map(String::as_str).unwrap_or_default();
    match app.state.look_up(&provider, reference) {
        None => refuse(404, "no_lookup"),
        Some(found) => {
            let messages: Vec<Value> = found.iter().map(|(id, status)| json!({ "id": id, "reference": reference, "status": status })).collect();
            Json(json!({ "messages": messages })).into_response()
        }
    }
}

async fn find(State(app): State<App>, Path((provider, id)): Path<(String, String)>) -> Response {
    match app.state.find(&provider, &id) {
        None => refuse(404, "not_found"),
        Some((reference, status)) => Json(json!({ "id": id, "reference": reference, "status": status })).into_response(),
    }
}
