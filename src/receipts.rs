//! Receipts as they arrive from providers: verified, sealed, kept, answered. Nothing is decided and nothing moves
//! here; this part faces the internet, and its database role can insert receipts and do nothing else.

mod directory;
mod inbox;

use crate::config::{Receipts, Settings};
use crate::dispatch::DispatchError;
use crate::model::seal::{SealError, seal_to};
use crate::provider::choose::{AccountError, Nobody};
use crate::provider::{ClaimedBy, RawReceipt, ReadReceipt, Reader, ReceiptRefusal};
use crate::store::receipt::{NewReceipt, ReceiptStore};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use directory::Directory;
use futures::future::join_all;
use inbox::Inbox;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a receipt waits until others are read.
const WAIT_FOR_SLOT: Duration = Duration::from_secs(1);
/// How long a receipt may take from its first header to its answer: nobody holds a place by sending slowly.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Where receipts are handed in.
pub struct Desk {
    /// By lane.
    readers: BTreeMap<String, Reader>,
    directory: Directory,
    inbox: Inbox,
    slots: Semaphore,
    body_bytes_max: usize,
    window_seconds: i64,
    /// Scheme and host under which providers call.
    origin: String,
    nobody: Nobody,
}

impl Desk {
    /// Opens the desk with a database role of its own; needs no key of Duly's and none of the providers'.
    pub async fn open(settings: &Settings) -> Result<Arc<Self>, DispatchError> {
        let (url, _) = settings.database.for_receipts();
        let store = ReceiptStore::connect(url.expose_secret(), settings.database.connections).await?;
        Ok(Arc::new(Self {
            readers: readers(settings)?,
            inbox: Inbox::start(store.clone(), settings.receipts.refusals_every_seconds * 1000),
            directory: Directory::new(store),
            slots: Semaphore::new(settings.receipts.in_flight_max),
            body_bytes_max: settings.receipts.body_bytes_max,
            window_seconds: settings.receipts.replay_window_seconds,
            origin: settings.receipts.url.trim_end_matches('/').to_owned(),
            nobody: Nobody::default(),
        }))
    }

    /// `POST /receipts/{controller}/{provider}`.
    pub fn router(self: Arc<Self>) -> Router {
        let limit = DefaultBodyLimit::max(self.body_bytes_max);
        Router::new()
            .route("/receipts/{controller}/{provider}", post(take))
            .layer(limit)
            .layer(from_fn_with_state(self.clone(), one_of_few))
            .with_state(self)
    }

    /// Keeps what a call says; without a body it was too large to be read, and only that is noted.
    ///
    /// A place that is not there gets the answer of a wrong signature, after the same work: an outsider must not learn
    /// who has a breach to notify. Of what did not prove itself no body is kept, wherever it went: a stranger must not
    /// decide how much we store.
    async fn keep(&self, called: &Called<'_>) -> Result<StatusCode, StatusCode> {
        let (controllers, now_seconds) = self.directory.read().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let place = controllers.by_slug.get(called.controller).zip(self.readers.get(called.lane));
        let read = called.body.map(|body| self.read(called, body, now_seconds, place.map(|(_, reader)| reader)));
        let (verdict, answer) = verdict(read.as_ref());
        let reader = place.map(|(_, reader)| reader);
        let place = place.map(|(controller, _)| controller);
        // What strangers write into a URL is kept nowhere.
        let lane = place.map_or("-", |_| called.lane);
        let blank = NewReceipt::bare(place.map(|controller| controller.controller_id), lane, verdict);
        let seal = |body: &[u8]| place.map(|controller| seal_to(&controller.public_key, body)).transpose();
        let receipts = match (read, called.body) {
            (Some(Ok(all)), Some(body)) => all.into_iter().map(|one| filled(&blank, one, reader, body, seal)).collect(),
            (Some(Err(ReceiptRefusal::Malformed)), Some(body)) => seal(body).map(|sealed| vec![NewReceipt { sealed, ..blank }]),
            _ => Ok(vec![blank]),
        };
        let receipts = receipts.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        // Without these commits the provider is told to send it again.
        let kept = join_all(receipts.into_iter().map(|receipt| self.inbox.keep(receipt))).await;
        if kept.into_iter().all(|is_kept| is_kept) { Ok(answer) } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
    }

    fn read(
        &self,
        called: &Called<'_>,
        body: &[u8],
        now_seconds: i64,
        reader: Option<&Reader>,
    ) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        let raw = RawReceipt {
            path: &Receipts::path_of(called.controller, called.lane),
            query: called.query,
            origin: &self.origin,
            headers: called.headers,
            body,
            now_seconds,
            window_seconds: self.window_seconds,
        };
        match reader {
            Some(reader) => reader.read(&raw),
            None => Err(self.nobody.refuse(&raw)),
        }
    }
}

/// Who reads each lane's receipts.
fn readers(settings: &Settings) -> Result<BTreeMap<String, Reader>, AccountError> {
    let is_reachable = !settings.receipts.url.is_empty();
    let all = settings.lanes.iter().map(|(name, lane)| Ok((name.clone(), Reader::new(name, lane, is_reachable)?)));
    let all: Result<Vec<_>, AccountError> = all.collect();
    Ok(all?.into_iter().filter_map(|(name, reader)| Some((name, reader?))).collect())
}

/// One call at the desk.
struct Called<'a> {
    controller: &'a str,
    lane: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    /// `None`: too large.
    body: Option<&'a [u8]>,
}

/// The word for the record, and the answer.
fn verdict(read: Option<&Result<Vec<ReadReceipt>, ReceiptRefusal>>) -> (&'static str, StatusCode) {
    match read {
        None => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
        Some(Ok(_)) => ("verified", StatusCode::OK),
        Some(Err(ReceiptRefusal::BadSignature)) => ("bad_signature", StatusCode::UNAUTHORIZED),
        Some(Err(ReceiptRefusal::Stale)) => ("stale", StatusCode::UNAUTHORIZED),
        Some(Err(ReceiptRefusal::Malformed)) => ("malformed", StatusCode::BAD_REQUEST),
    }
}

/// A receipt with what was read of it; what a provider must confirm is only claimed. Of a call that speaks of many messages each gets its own part only: erasing one
/// person must leave nothing of them among the others'.
fn filled(
    blank: &NewReceipt,
    read: ReadReceipt,
    reader: Option<&Reader>,
    body: &[u8],
    seal: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, SealError>,
) -> Result<NewReceipt, SealError> {
    let is_confirmed = reader.is_some_and(Reader::is_confirmed);
    let word = read.word.clone();
    let claimed_by = reader.filter(|_| read.status.is_some()).and_then(|reader| reader.claimed_by(&read.word));
    Ok(NewReceipt {
        sealed: seal(read.part.as_deref().unwrap_or(body))?,
        event_name: Some(read.event_name),
        reference: read.reference,
        provider_id: read.provider_id,
        status: read.status.filter(|_| !is_confirmed),
        claimed: read.status.filter(|_| is_confirmed),
        unknown_word: match reader {
            Some(reader) => reader.unknown_word(&read.word, read.status).map(str::to_owned),
            None => read.status.is_none().then_some(read.word),
        },
        claimed_by: claimed_by.map(ClaimedBy::as_str),
        // What nobody signed stops nothing.
        stop_code: reader.filter(|_| !is_confirmed).and_then(|reader| reader.stop_code(&word)),
        ..blank.clone()
    })
}

/// Bounds the bodies that this process holds at once; who comes in a crowd waits a moment, then is told to come again.
async fn one_of_few(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let Ok(Ok(_slot)) = timeout(WAIT_FOR_SLOT, desk.slots.acquire()).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    timeout(TAKEN_WITHIN, next.run(request)).await.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

/// 200 kept, 400 not understood, 401 not believed or no such place, 413 too large (noted all the same), 408 too
/// slow, 503 again.
async fn take(
    State(desk): State<Arc<Desk>>,
    Path((controller, lane)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> StatusCode {
    let body = match &body {
        Ok(bytes) => Some(&bytes[..]),
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => None,
        Err(refused) => return refused.status(),
    };
    let query = query.unwrap_or_default();
    let called = Called { controller: &controller, lane: &lane, query: &query, headers: &headers, body };
    desk.keep(&called).await.unwrap_or_else(|answer| answer)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::state::MessageState;

    #[test]
    fn a_signed_receipt_of_a_suspended_account_keeps_the_code_that_stops_its_lane() {
        let lane = "provider = \"twilio\"\nchannel = \"sms\"\nurl = \"http://127.0.0.1:1\"\naccount = \"AC00000000000000000000000000000001\"\n";
        let reader = Reader::new("sms", &toml::from_str(lane).unwrap(), true).unwrap();
        let kept = |word: &str, status| {
            let blank = NewReceipt::bare(None, "sms", "verified");
            let read =
                ReadReceipt { event_name: "e".into(), reference: None, provider_id: None, word: word.into(), status, part: None };
            let kept = filled(&blank, read, reader.as_ref(), b"", |_| Ok(None)).unwrap();
            (kept.stop_code, kept.unknown_word)
        };

        assert_eq!(kept("failed 30002", Some(MessageState::Failed)), (Some("30002"), None));
        assert_eq!(kept("failed 30036", Some(MessageState::Expired)), (None, None));
        assert_eq!(kept("partially_delivered", None), (None, None), "a word that is known and moves nothing");
        assert_eq!(kept("teleported", None), (None, Some("teleported".to_owned())));
    }
}
