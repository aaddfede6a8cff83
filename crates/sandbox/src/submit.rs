//! One submit: read it, let the fault plan have its way, produce the message, answer or not.

use crate::account::{Account, InFlight, Physical};
use crate::config::FaultKind;
use crate::faults::FaultPlan;
use crate::receipts::Birth;
use crate::server::{App, refuse};
use crate::wire::Wire;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How long a request that is never answered stays open, unless its client leaves.
const HANG: Duration = Duration::from_secs(120);

/// The wire format: an SMS has `to` and `text`, a letter the rest.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    address: Option<Vec<String>>,
    #[serde(borrow)]
    pdf: Option<Cow<'a, str>>,
    postage_class: Option<String>,
}

/// A submit that may be produced.
struct Call {
    app: App,
    plan: FaultPlan,
    physical: Physical,
    key: Option<String>,
    body: Bytes,
    wire: Wire,
}

pub(crate) async fn submit(
    State(app): State<App>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(account) = app.state.account(&provider) else { return refuse(StatusCode::NOT_FOUND, "no_such_provider") };
    let settings = account.settings();
    let Some(physical) = read(&account.name, &settings.channel, &body) else {
        return refuse(StatusCode::BAD_REQUEST, "bad_request");
    };
    let config = app.state.config();
    let _in_flight = InFlight::enter(&account);
    let request = account.count_request(&physical.reference);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("Authorization").and_then(|value| value.strip_prefix("Bearer ")) != Some(&config.api_key) {
        return refuse(StatusCode::UNAUTHORIZED, "unauthorised");
    }
    let key = text("Idempotency-Key").map(str::to_owned);
    let plan = FaultPlan::new(config.seed, account.clone(), settings, &physical.reference, request);
    if let Some(refusal) = before(&plan, &account, &physical.reference, &wire) {
        return refusal;
    }
    let call = Call { app, plan, physical, key, body, wire };
    let late_ms = call.plan.fires(FaultKind::Late).unwrap_or(0);
    // In a task of its own: a message is produced, and lives its life, even if its client has left or was killed.
    let work = tokio::spawn(async move {
        if late_ms > 0 {
            tokio::time::sleep(Duration::from_millis(late_ms)).await;
        }
        call.produce_and_answer().await
    });
    work.await.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal"))
}

/// Faults that produce nothing.
fn before(plan: &FaultPlan, account: &Account, reference: &str, wire: &Wire) -> Option<Response> {
    let fires = |kind| plan.fires(kind);
    if account.knows(reference) && fires(FaultKind::Conflict).is_some() {
        return Some(refuse(StatusCode::CONFLICT, "duplicate_reference"));
    }
    if fires(FaultKind::Reject).is_some() {
        return Some(refuse(StatusCode::UNPROCESSABLE_ENTITY, "invalid_recipient"));
    }
    if let Some(ms) = fires(FaultKind::TooMany) {
        let wait = [(header::RETRY_AFTER, ms.div_ceil(1000).max(1).to_string())];
        return Some((StatusCode::TOO_MANY_REQUESTS, wait, Json(json!({ "error": "too_many" }))).into_response());
    }
    if fires(FaultKind::Unauthorised).is_some() {
        return Some(refuse(StatusCode::UNAUTHORIZED, "unauthorised"));
    }
    if fires(FaultKind::Redirect).is_some() {
        // The new place would produce the message: a client that follows shows in the record.
        let place = [(header::LOCATION, format!("/{}/v1/messages", account.name))];
        return Some((StatusCode::TEMPORARY_REDIRECT, place).into_response());
    }
    if fires(FaultKind::CutBefore).is_some() {
        wire.cut();
        return Some(StatusCode::OK.into_response());
    }
    fires(FaultKind::ErrorBefore).map(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal"))
}

impl Call {
    async fn produce_and_answer(self) -> Response {
        let Self { app, plan, physical, key, body, wire } = self;
        let account: Arc<Account> = plan.account.clone();
        let reference = physical.reference.clone();
        let produced = account.produce(app.state.next_id(), physical, key.as_deref(), &body);
        if produced.is_new {
            let birth = Birth { plan: plan.clone(), id: produced.id.clone(), reference };
            if plan.fires(FaultKind::ReceiptEarly).is_some() {
                app.receipts.send_early(&birth).await;
            }
            app.receipts.begin(birth);
        }
        if plan.fires(FaultKind::ErrorAfter).is_some() {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal");
        }
        if plan.fires(FaultKind::CutAfter).is_some() {
            wire.cut();
            return StatusCode::OK.into_response();
        }
        if plan.fires(FaultKind::Hang).is_some() {
            tokio::time::sleep(HANG).await;
        }
        let wait_ms = plan.fires(FaultKind::Slow).unwrap_or(0) + plan.settings.latency_ms;
        // A timer of zero still costs a turn of the clock.
        if wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        app.state.released(&account.name).await;
        (StatusCode::CREATED, Json(json!({ "id": produced.id, "status": "queued" }))).into_response()
    }
}

fn read(provider: &str, channel: &str, body: &[u8]) -> Option<Physical> {
    let request: Request<'_> = serde_json::from_slice(body).ok()?;
    let (destination, digest) = if channel == "sms" {
        (request.to?.into_owned(), Sha256::digest(request.text?.as_bytes()))
    } else {
        request.postage_class?;
        (request.address?.join("\n"), Sha256::digest(STANDARD.decode(request.pdf?.as_bytes()).ok()?))
    };
    Some(Physical {
        provider: provider.to_owned(),
        channel: channel.to_owned(),
        destination,
        content_sha256: hex::encode(digest),
        reference: request.reference.into_owned(),
    })
}
