//! What an incident's log says at a moment: one pass over its leaves. Beside it only what no log can hold is asked: who
//! stood on a list that was not frozen, and which checkpoint was outside.
//!
//! To a moment belong the leaves before the first one whose time is later. Once there is such a leaf (`evidence::moment`
//! sees to it) the same moment gives the same replay for ever: what stands before a leaf never changes. An event whose
//! transaction was still open at the moment may say an earlier time and still come after it; it was not known then.

use super::ReportError;
use super::tally::Tally;
use crate::store::Store;
use crate::store::anchor::Outside;
use crate::store::log::Published;
use duly_ledger::{Event, Frontier, leaf_hash};
use time::OffsetDateTime;
use uuid::Uuid;

/// Leaves read at once.
const PAGE: i64 = 4096;

/// A leaf of the log at its place.
pub struct Leaf<'a> {
    /// Generation of the log.
    pub generation: i32,
    /// Index in that generation.
    pub index: u64,
    /// Its leaf hash.
    pub hash: [u8; 32],
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What it says.
    pub event: &'a Event,
}

/// Where the log stood at the moment.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Standing {
    /// Name of the log's newest generation that belongs to the moment.
    pub origin: String,
    /// That generation, 1, 2, …
    pub generation: i32,
    /// Leaves before the first one that is later than the moment.
    pub size: u64,
    /// RFC 6962 root over them.
    #[serde(serialize_with = "as_hex")]
    pub root: [u8; 32],
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

/// Microseconds since 1970.
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// Visits every leaf of a log that belongs to the moment, in order.
pub async fn visit(
    store: &Store,
    generations: &[Published],
    as_of: OffsetDateTime,
    mut seen: impl FnMut(Leaf<'_>),
) -> Result<Option<Standing>, ReportError> {
    let mut standing = None;
    for log in generations {
        let (tree, has_ended) = visit_generation(store, log, micros(as_of), &mut seen).await?;
        if tree.size() > 0 {
            standing =
                Some(Standing { origin: log.origin.clone(), generation: log.generation, size: tree.size(), root: tree.root() });
        }
        if has_ended {
            break;
        }
    }
    Ok(standing)
}

/// The tree of the leaves that belong to the moment, and whether a later leaf ended it.
async fn visit_generation(
    store: &Store,
    log: &Published,
    as_of: i64,
    seen: &mut impl FnMut(Leaf<'_>),
) -> Result<(Frontier, bool), ReportError> {
    let mut tree = Frontier::new();
    for first in (0..log.size).step_by(usize::try_from(PAGE).unwrap_or(1)) {
        let end = (first + PAGE).min(log.size);
        let entries = store.list_entries(log.log_no, log.generation, first, end).await?;
        if i64::try_from(entries.len()).ok() != Some(end - first) {
            return Err(ReportError::Missing { what: format!("an event of the log `{}`", log.origin) });
        }
        for (index, bytes) in (u64::try_from(first).unwrap_or_default()..).zip(entries) {
            let unreadable = |source| ReportError::Unreadable { origin: log.origin.clone(), leaf: index, source };
            let (hash, event) = (leaf_hash(&bytes), Event::parse(&bytes).map_err(unreadable)?);
            if event.at_micros > as_of {
                return Ok((tree, true));
            }
            tree.append(hash);
            seen(Leaf { generation: log.generation, index, hash, bytes: &bytes, event: &event });
        }
    }
    Ok((tree, false))
}

/// An incident at a moment.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The moment.
    pub as_of: OffsetDateTime,
    /// Where its log stood.
    pub standing: Standing,
    /// What it says.
    pub tally: Tally,
    /// What somebody outside held of it by then.
    pub outside: Option<Outside>,
}

/// Replays an incident's log up to a moment.
pub async fn replay(store: &Store, incident_id: Uuid, as_of: OffsetDateTime) -> Result<Replay, ReportError> {
    replay_to(store, &store.list_published(incident_id).await?, as_of).await
}

/// Replays all that is published of a log; its moment is the newest time in it, so that no clock is asked.
pub async fn replay_whole(store: &Store, generations: &[Published]) -> Result<Replay, ReportError> {
    let mut replay = replay_to(store, generations, time::macros::datetime!(9999-12-31 0:00 UTC)).await?;
    replay.as_of = OffsetDateTime::from_unix_timestamp_nanos(i128::from(replay.tally.newest) * 1000).unwrap_or(replay.as_of);
    Ok(replay)
}

async fn replay_to(store: &Store, generations: &[Published], as_of: OffsetDateTime) -> Result<Replay, ReportError> {
    let mut tally = Tally::default();
    let standing = visit(store, generations, as_of, |leaf| tally.take(leaf.event)).await?;
    let standing = standing.ok_or(ReportError::NothingYet)?;
    tally.finish();
    let log_id = generations.last().map_or_else(Uuid::nil, |log| log.log_id);
    tally.unfrozen = store.count_unfrozen(log_id, as_of).await?.unsigned_abs();
    let outside = store.find_newest_outside(log_id, as_of).await?;
    Ok(Replay { as_of, standing, tally, outside })
}
