//! Whether this process may be given work: each part is asked, and the answer names the one that fails.

use super::Web;
use crate::store::{Store, StoreError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lapin::{Connection, ConnectionProperties};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// Longest wait for one part.
const WAIT: Duration = Duration::from_secs(2);
/// Largest offset of this machine's clock from the database's.
const OFFSET_MAX: time::Duration = time::Duration::seconds(2);

/// A connection that is kept between two looks, so that a look costs one round trip.
#[derive(Default)]
pub(super) struct Broker(Mutex<Option<Connection>>);

impl Broker {
    async fn check(&self, url: &str) -> Result<(), lapin::Error> {
        let mut kept = self.0.lock().await;
        if kept.as_ref().is_none_or(|c| !c.status().connected()) {
            *kept = Some(Connection::connect(url, ConnectionProperties::default()).await?);
        }
        let Some(connection) = kept.as_ref() else { return Ok(()) };
        // A broker that is gone answers nothing: an open and a closed channel are a round trip each.
        let answer = match connection.create_channel().await {
            Ok(channel) => channel.close(200, "looked".into()).await,
            Err(error) => Err(error),
        };
        if answer.is_err() {
            *kept = None;
        }
        answer
    }
}

/// `GET /health/ready`: 200 with every part `ok`, or 503 that names what is wrong.
pub(super) async fn ready(State(web): State<Arc<Web>>) -> (StatusCode, Json<Value>) {
    let store = &web.office.store;
    let url = web.office.settings.broker.url.expose_secret();
    let (database, broker) = tokio::join!(timeout(WAIT, check_database(store)), timeout(WAIT, web.broker.check(url)));
    let (schema, clock) = database.unwrap_or((Err("no answer"), Err("no answer")));
    let is_up = !matches!((schema, clock), (_, Err("no answer")));
    let broker = match broker {
        Ok(Ok(())) => "ok",
        Ok(Err(_)) => "cannot be reached",
        Err(_) => "no answer within 2 s",
    };
    let restore = match timeout(WAIT, store.open_restore()).await {
        Ok(Ok(None)) => "ok",
        Ok(Ok(Some(_))) => "restored or moved, nothing is sent: run `duly restore reconcile`",
        _ => "no answer",
    };
    let word = |result: Result<(), &'static str>| result.err().unwrap_or("ok");
    let parts = [
        ("database", if is_up { "ok" } else { "cannot be reached" }),
        ("migrations", word(schema)),
        ("clock", word(clock)),
        ("broker", broker),
        ("restore", restore),
    ];
    let is_ready = parts.iter().all(|(_, state)| *state == "ok");
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts: serde_json::Map<String, Value> = parts.iter().map(|(part, state)| ((*part).to_owned(), json!(state))).collect();
    (code, Json(json!({"ready": is_ready, "parts": parts})))
}

type Part = Result<(), &'static str>;

/// Schema and clock; `no answer` where the database gave none.
async fn check_database(store: &Store) -> (Part, Part) {
    let (before, asked) = (OffsetDateTime::now_utc(), Instant::now());
    let Ok(theirs) = store.now().await else { return (Err("no answer"), Err("no answer")) };
    // Half of the round trip is the best guess of when the database looked at its clock.
    let offset = theirs - before - asked.elapsed() / 2;
    let clock = if offset.abs() <= OFFSET_MAX { Ok(()) } else { Err("more than 2 s off the database's") };
    let schema = store.check_schema().await.map_err(|error| match error {
        StoreError::Altered { .. } => "changed since they were applied: use the program that migrated this database",
        _ => "not those of this program: run `duly migrate`",
    });
    (schema, clock)
}
