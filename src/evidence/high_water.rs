//! The high-water mark: which database this is and how far it was, kept outside of it, so that one that comes back
//! older is noticed before it sends anything.

use super::EvidenceError;
use super::outside::Outside;
use crate::store::Store;
use crate::store::restore::Mark;
use serde_json::json;
use std::time::Duration;

/// The mark, in the place outside.
const MARK: &str = "high-water.json";
/// Stands there from the moment a restore is noticed until it is reconciled, whatever becomes of the database.
const STOP: &str = "restored.json";
/// How often it is looked whether somebody leads.
const LEADER_PAUSE: Duration = Duration::from_millis(200);

/// Compares the database with the mark, and stops everything where it came back older or elsewhere; returns whether
/// everything is stopped now. Without a mark there is nothing to compare.
pub async fn check(store: &Store, outside: &Outside) -> Result<bool, EvidenceError> {
    if store.open_restore().await?.is_some() {
        return Ok(true);
    }
    let differs = compare(store, outside).await?;
    match outside.get(STOP).await?.map(|_| "pulse").or(differs) {
        Some(ground) => stop(store, outside, ground).await.map(|()| true),
        None => Ok(false),
    }
}

/// Why the mark outside is not one that this database wrote and has gone on from; `None` also where there is no mark.
pub async fn compare(store: &Store, outside: &Outside) -> Result<Option<&'static str>, EvidenceError> {
    let (mark, now) = (read(outside).await?, store.mark().await?);
    // A backup of this installation would bear its name: this is another one, which has forgotten nothing.
    if let Some(theirs) = mark.as_ref().and_then(|mark| mark.installation).filter(|theirs| Some(*theirs) != now.installation) {
        return Err(EvidenceError::OtherInstallation { theirs });
    }
    Ok(mark.and_then(|mark| difference(&mark, &now)))
}

/// Whether the place outside was lost: something was copied there, and a mark is written before anything is.
pub async fn is_lost(store: &Store, outside: &Outside) -> Result<bool, EvidenceError> {
    Ok(read(outside).await?.is_none() && store.has_published().await?)
}

/// Refuses where the place outside was lost. Nobody knows then whether this database was restored, and whom it forgot.
pub async fn refuse_where_lost(store: &Store, outside: &Outside) -> Result<(), EvidenceError> {
    if is_lost(store, outside).await? { Err(EvidenceError::OutsideLost) } else { Ok(()) }
}

/// Waits until whoever leads has compared the database with the mark; for a process that has no such place itself.
pub async fn wait_for_leader(store: &Store) -> Result<(), EvidenceError> {
    let before = store.mark().await?.beat;
    tracing::info!(
        "no mark of this database stands in `evidence.outside` here: this process waits for a scheduler that has compared it"
    );
    while store.mark().await?.beat == before {
        tokio::time::sleep(LEADER_PAUSE).await;
    }
    Ok(())
}

/// As `check`, and writes the mark anew where all is well; for the leader, about once a second.
pub async fn keep(store: &Store, outside: &Outside) -> Result<bool, EvidenceError> {
    if check(store, outside).await? {
        return Ok(true);
    }
    refuse_where_lost(store, outside).await?;
    // Counted and on disk first: the mark outside is never ahead of the database that wrote it.
    store.beat(0).await?;
    write(outside, &store.mark().await?).await?;
    Ok(false)
}

/// Sets the mark to this database, and takes the stop away; for who has reconciled.
pub async fn renew(store: &Store, outside: &Outside) -> Result<(), EvidenceError> {
    let before = read(outside).await?.map_or(0, |mark| mark.beat);
    store.beat(before).await?;
    write(outside, &store.mark().await?).await?;
    Ok(outside.remove(STOP).await?)
}

/// Stops everything: outside first, so that another restore does not forget it.
pub async fn stop(store: &Store, outside: &Outside, ground: &'static str) -> Result<(), EvidenceError> {
    outside.put(STOP, json!({ "ground": ground }).to_string().into_bytes()).await?;
    store.insert_restored(ground).await?;
    tracing::error!(
        ground,
        remedy = "run `duly restore reconcile`",
        "this database was restored or moved: nothing is sent before it is known what has left meanwhile"
    );
    Ok(())
}

fn difference(mark: &Mark, now: &Mark) -> Option<&'static str> {
    if (mark.system, mark.database) != (now.system, now.database) {
        return Some("identity");
    }
    if mark.timeline != now.timeline {
        return Some("timeline");
    }
    if mark.position > now.position {
        return Some("position");
    }
    (mark.beat > now.beat).then_some("pulse")
}

async fn read(outside: &Outside) -> Result<Option<Mark>, EvidenceError> {
    let Some(bytes) = outside.get(MARK).await? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(mark) => Ok(Some(mark)),
        Err(_) => {
            Err(EvidenceError::Contradiction { origin: MARK.to_owned(), what: "the high-water mark outside cannot be read" })
        }
    }
}

async fn write(outside: &Outside, mark: &Mark) -> Result<(), EvidenceError> {
    Ok(outside.put(MARK, json!(mark).to_string().into_bytes()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_or_another_database_is_told_from_the_same_one_further_on() {
        let mark = Mark { system: 1, timeline: 1, database: 5, position: 100, beat: 7, installation: None };
        assert_eq!(difference(&mark, &Mark { position: 200, beat: 9, ..mark.clone() }), None);
        assert_eq!(difference(&mark, &Mark { system: 2, ..mark.clone() }), Some("identity"));
        assert_eq!(difference(&mark, &Mark { database: 6, ..mark.clone() }), Some("identity"));
        assert_eq!(difference(&mark, &Mark { timeline: 2, position: 200, beat: 9, ..mark.clone() }), Some("timeline"));
        assert_eq!(difference(&mark, &Mark { position: 99, ..mark.clone() }), Some("position"));
        assert_eq!(difference(&mark, &Mark { position: 200, beat: 6, ..mark.clone() }), Some("pulse"));
    }
}
