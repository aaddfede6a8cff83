//! The end of a moment. A report as of a moment reads the leaves before the first one that is later; what stands before
//! that leaf never changes, so the same moment gives the same report, whatever transaction was still open at it.

use super::{Archive, EvidenceError, sequencer};
use crate::store::sequencing::LogScope;
use duly_ledger::Event;
use serde_json::Map;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Leaves at the end of a log among which a later one is looked for.
const LAST: i64 = 256;
/// How long another leader may take to publish a leaf.
const LONGEST: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until the published log has a leaf later than `as_of` (microseconds since 1970), and writes one, `log.marked`,
/// where there is none. A log of which nothing is published has no moment that could end.
pub async fn end(archive: &Arc<Archive>, scope: LogScope, log_id: Uuid, as_of: i64) -> Result<(), EvidenceError> {
    let (started, mut is_marked) = (Instant::now(), false);
    loop {
        sequencer::run_once(archive.clone()).await?;
        match newest(archive, log_id).await? {
            Some(newest) if newest <= as_of => {}
            _ => return Ok(()),
        }
        if !is_marked {
            is_marked = true;
            archive.store.insert_event(scope, "log.marked", Map::new()).await?;
        } else if started.elapsed() > LONGEST {
            return Err(EvidenceError::NotEnded);
        } else {
            // Somebody else leads the sequencer and publishes the mark.
            sleep(LOOK).await;
        }
    }
}

/// The latest time among the last leaves of a log.
async fn newest(archive: &Archive, log_id: Uuid) -> Result<Option<i64>, EvidenceError> {
    let Some(log) = archive.store.list_published(log_id).await?.pop() else { return Ok(None) };
    let first = (log.size - LAST).max(0);
    let leaves = archive.store.list_entries(log.log_no, log.generation, first, log.size).await?;
    // One that cannot be read tells no time: the next that can ends the moment.
    let times = leaves.iter().filter_map(|leaf| Event::parse(leaf).ok()).map(|event| event.at_micros);
    Ok(Some(times.max().unwrap_or(i64::MIN)))
}
