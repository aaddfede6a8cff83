//! `GET /log/<origin>/…`: the published logs at C2SP's paths. Nothing here is secret and nothing is personal.
//!
//! Only what a published checkpoint covers is served: what the place outside does not hold yet, nobody sees.

use super::Web;
use crate::model::causes::with_causes;
use crate::store::StoreError;
use crate::store::log::{Published, i64_of, u64_of};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use duly_ledger::{Tile, encode_bundle};
use std::sync::Arc;

/// A full tile or bundle never changes again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A checkpoint is outdated at any moment.
const NOT_AT_ALL: HeaderValue = HeaderValue::from_static("no-cache");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Serves a checkpoint, a tile or a bundle.
pub(super) async fn serve(State(web): State<Arc<Web>>, Path(path): Path<String>) -> Response {
    match find(&web, &path).await {
        Ok(Some((bytes, kind, age))) => ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, age)], bytes).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "nothing is published at this path\n").into_response(),
        Err(error) => {
            tracing::warn!(error = with_causes(&error), "a part of a log could not be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the log cannot be read at this moment, ask again\n").into_response()
        }
    }
}

type Found = Option<(Vec<u8>, HeaderValue, HeaderValue)>;

async fn find(web: &Web, path: &str) -> Result<Found, StoreError> {
    let store = &web.office.store;
    // No origin has other characters, and the database could not even look for some.
    if !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(None);
    }
    if let Some(origin) = path.strip_suffix("/checkpoint") {
        let published = store.find_published(origin).await?;
        return Ok(published.map(|log| (log.note.into_bytes(), TEXT, NOT_AT_ALL)));
    }
    let Some(at) = path.find("/tile/") else { return Ok(None) };
    let (origin, tile) = (&path[..at], Tile::parse(&path[at + 1..]));
    let (Some(tile), Some(log)) = (tile, store.find_published(origin).await?) else { return Ok(None) };
    if !tile.is_within(u64_of(log.size)) {
        return Ok(None);
    }
    Ok(read(web, &log, &tile).await?.map(|bytes| (bytes, BYTES, FOR_EVER)))
}

async fn read(web: &Web, log: &Published, tile: &Tile) -> Result<Option<Vec<u8>>, StoreError> {
    let (store, number, width) = (&web.office.store, i64_of(tile.number()), usize::from(tile.width()));
    if tile.is_entries() {
        let first = number.saturating_mul(256);
        let end = first.saturating_add(i64::from(tile.width()));
        let entries = store.list_entries(log.log_no, log.generation, first, end).await?;
        return Ok(encode_bundle(&entries).ok().filter(|_| entries.len() == width));
    }
    store.load_tile(log.log_no, log.generation, *tile).await
}
