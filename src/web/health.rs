//! Whether this process may be given work: each part is asked, and the answer names the one that fails.

use super::Web;
use crate::store::{Store, StoreError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// Longest wait for one part.
const WAIT: Duration = Duration::from_secs(2);
const NO_ANSWER: &str = "no answer within 2 s";
const BLOCKED: &str = "takes nothing: its memory or disk is short (`rabbitmqctl status`)";
/// Name of no queue.
const PROBE: &str = "duly.health";
/// Largest offset of this machine's clock from the database's.
const OFFSET_MAX: time::Duration = time::Duration::seconds(2);

/// A connection that is kept between two looks, so that a look costs one round trip.
#[derive(Default)]
pub(super) struct Broker(Mutex<Option<Connection>>);

impl Broker {
    /// One word or sentence on how it is.
    async fn look(&self, url: &str) -> &'static str {
        let mut kept = self.0.lock().await;
        if kept.as_ref().is_none_or(|c| !c.status().connected()) {
            *kept = match timeout(WAIT, Connection::connect(url, ConnectionProperties::default())).await {
                Ok(Ok(connection)) => Some(connection),
                Ok(Err(_)) => return "cannot be reached",
                Err(_) => return NO_ANSWER,
            };
        }
        let Some(connection) = kept.as_ref() else { return NO_ANSWER };
        let is_blocked = || connection.status().blocked();
        let look = match is_blocked() {
            true => BLOCKED,
            false => match timeout(WAIT, probe(connection)).await {
                Ok(Ok(())) => "ok",
                Ok(Err(_)) => "cannot be reached",
                Err(_) if is_blocked() => BLOCKED,
                Err(_) => NO_ANSWER,
            },
        };
        // A connection that is blocked is told when there is room again; any other is made anew.
        if look != "ok" && look != BLOCKED {
            *kept = None;
        }
        look
    }
}

/// A broker that is gone answers nothing, and one whose memory or disk is short takes nothing: it says so to those who
/// publish, and confirms nothing. What is published here goes to no queue.
async fn probe(connection: &Connection) -> Result<(), lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), PROBE.into(), options, &[], properties).await?.await?;
    channel.close(200, "looked".into()).await
}

/// `GET /health/ready`: 200 with every part `ok`, or 503 that names what is wrong.
pub(super) async fn ready(State(web): State<Arc<Web>>) -> (StatusCode, Json<Value>) {
    let store = &web.office.store;
    let url = web.office.settings.broker.url.expose_secret();
    let (database, broker) = tokio::join!(timeout(WAIT, check_database(store)), web.broker.look(url));
    let (schema, clock) = database.unwrap_or((Err("no answer"), Err("no answer")));
    let is_up = !matches!((schema, clock), (_, Err("no answer")));
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
