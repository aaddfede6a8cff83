//! What a restored database forgot, read from what was published, and put back in its places.

use super::tree::Tree;
use super::{Archive, EvidenceError, Outer};
use crate::failpoint;
use crate::store::bring_back::Leaf;
use crate::store::leadership::Lead;
use crate::store::sequencing::{LogHead, LogScope, Sequencing};
use duly_ledger::{Checkpoint, Event, Frontier, KEY_CHANGED, KeyChange, KeyLines, bundle_entries, entry_bundles, leaf_hash};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// Looks for the sequencer's lead; a process that still held it gives it up once it sees the stop.
const LEAD_TRIES: u32 = 20;
/// Pause between them.
const LEAD_PAUSE: Duration = Duration::from_millis(500);

/// A log that was published further than this database knows.
pub struct Lost {
    /// Its scope.
    pub scope: LogScope,
    /// As far as the database knows it.
    pub head: LogHead,
    /// What was published beyond that, oldest generation first.
    pub parts: Vec<Part>,
}

/// What is lost of one generation.
pub struct Part {
    /// The generation.
    pub generation: i32,
    /// Leaves of it that the database has.
    pub from: u64,
    /// The newest checkpoint that was published of it.
    pub checkpoint: Checkpoint,
    /// The checkpoint's bytes.
    pub note: String,
    /// The leaves in between; `None` where the copy outside cannot be read.
    pub leaves: Option<Vec<Leaf>>,
}

impl Lost {
    /// Whether all that was published can be read.
    pub fn is_readable(&self) -> bool {
        self.parts.iter().all(|part| part.leaves.is_some())
    }

    /// The lost events, in order.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.parts.iter().flat_map(|part| part.leaves.iter().flatten())
    }

    /// People of whom the lost events tell this kind.
    pub fn people(&self, kind: &str) -> BTreeSet<Uuid> {
        self.leaves().filter(|l| l.event.kind == kind).filter_map(|l| l.event.person.map(Uuid::from_bytes)).collect()
    }
}

/// Logs that were published further than this database knows. What cannot be read outside is an error, or with
/// `may_miss` a part without leaves.
pub async fn list_lost(archive: &Archive, may_miss: bool) -> Result<Vec<Lost>, EvidenceError> {
    let mut lost = Vec::new();
    for (scope, head) in archive.store.list_log_heads().await? {
        let parts = parts_of(archive, &head, may_miss).await?;
        if !parts.is_empty() {
            lost.push(Lost { scope, head, parts });
        }
    }
    Ok(lost)
}

/// All logs of which anything was signed: the place outside was lost, so that nobody knows what was published beyond.
pub async fn list_untold(archive: &Archive) -> Result<Vec<Lost>, EvidenceError> {
    let mut untold = Vec::new();
    for (scope, head) in archive.store.list_log_heads().await?.into_iter().filter(|(_, head)| head.size > 0) {
        let known = archive.known(&head).await?;
        let opened = known.open(&head.origin, head.generation, head.note.as_bytes());
        let (checkpoint, _) = opened.ok_or_else(|| EvidenceError::KeyUnknown { origin: head.origin.clone() })?;
        let (from, note) = (checkpoint.size, head.note.clone());
        let parts = vec![Part { generation: head.generation, from, checkpoint, note, leaves: None }];
        untold.push(Lost { scope, head, parts });
    }
    Ok(untold)
}

/// Names of logs that were published and of which this database knows nothing.
pub async fn list_strangers(archive: &Archive) -> Result<Vec<String>, EvidenceError> {
    let known: BTreeSet<String> =
        archive.store.list_log_heads().await?.into_iter().map(|(_, head)| head.log_id.to_string()).collect();
    let outside = archive.outside.list_folders(&archive.host).await?;
    Ok(outside.into_iter().filter(|name| name.parse::<Uuid>().is_ok() && !known.contains(name)).collect())
}

async fn parts_of(archive: &Archive, head: &LogHead, may_miss: bool) -> Result<Vec<Part>, EvidenceError> {
    let mut parts = Vec::new();
    let mut generation = head.generation.max(1);
    let mut from = u64::try_from(head.size).unwrap_or_default();
    let known = archive.known(head).await?;
    // As far as the generations before tell of it; what is read goes on from there.
    let mut lines = KeyLines::default();
    for (of, change) in known.line.changes().iter().filter(|(of, _)| *of < u64::try_from(generation).unwrap_or_default()) {
        lines.push(*of, *change).unwrap_or_default();
    }
    while let Some(outer) = archive.outside_of(&known, &archive.origin(head.log_id, generation), generation).await? {
        if outer.checkpoint.size > from {
            let leaves = match read_leaves(archive, &outer, (generation, from), &mut lines).await {
                Ok(leaves) => Some(leaves),
                Err(EvidenceError::Copy { .. }) if may_miss => None,
                Err(error) => return Err(error),
            };
            parts.push(Part { generation, from, checkpoint: outer.checkpoint, note: outer.note, leaves });
        }
        (generation, from) = (generation + 1, 0);
    }
    Ok(parts)
}

/// The leaves of a published checkpoint from `from` on; they are believed only if the root of all is the signed one, by the
/// key that they themselves say was in force.
async fn read_leaves(
    archive: &Archive,
    Outer { checkpoint: published, by, .. }: &Outer,
    (generation, from): (i32, u64),
    lines: &mut KeyLines,
) -> Result<Vec<Leaf>, EvidenceError> {
    let generation = u64::try_from(generation).unwrap_or_default();
    let unreadable = |what| EvidenceError::Copy { origin: published.origin.clone(), what };
    let (mut tree, mut leaves) = (Frontier::new(), Vec::new());
    for tile in entry_bundles(published.size) {
        let bundle = archive.outside.get(&format!("{}/{tile}", published.origin)).await?;
        let bundle = bundle.ok_or_else(|| unreadable("a bundle is missing"))?;
        for entry in bundle_entries(&bundle) {
            let entry = entry.map_err(|_| unreadable("a bundle is no bundle"))?;
            let is_change = entry.windows(KEY_CHANGED.len()).any(|word| word == KEY_CHANGED.as_bytes());
            if tree.size() >= from || is_change {
                let event = Event::parse(entry).map_err(|_| unreadable("an event is none"))?;
                // One that does not count is none for any reader.
                if let Ok(change) = KeyChange::read(&event, &published.origin, tree.size()) {
                    lines.push(generation, change).unwrap_or_default();
                }
                if tree.size() >= from {
                    leaves.push(Leaf { body: entry.to_vec(), event });
                }
            }
            tree.append(leaf_hash(entry));
        }
    }
    if (tree.size(), tree.root()) != (published.size, published.root) {
        return Err(unreadable("its events are not those of the signed checkpoint"));
    }
    // The line of the key that signed: what others made up leads nowhere.
    if lines.line(|key| key == by).in_force(generation, published.size).is_some_and(|key| key != *by) {
        return Err(unreadable("its checkpoint is signed by a key that was not in force any more"));
    }
    Ok(leaves)
}

/// Gives lost events, which wait in the inbox by now, the places that they had; a transaction per log. A log that
/// cannot be read goes on in a new generation, which says after which checkpoint.
pub async fn put_back(archive: &Archive, lost: &[Lost]) -> Result<(), EvidenceError> {
    if lost.is_empty() {
        return Ok(());
    }
    let mut lead = Lead::new("sequencer", &Uuid::now_v7().to_string());
    for log in lost {
        let mut tx = begin(archive, &mut lead).await?;
        put_back_log(archive, &mut tx, log).await?;
        tx.commit().await?;
        failpoint::reach("restore_put_back").await;
    }
    Ok(lead.resign(&archive.store).await?)
}

async fn put_back_log(archive: &Archive, tx: &mut Sequencing, log: &Lost) -> Result<(), EvidenceError> {
    if log.is_readable() {
        for part in &log.parts {
            Tree::put_back(tx, log.scope, part).await?;
        }
        return Ok(());
    }
    match log.parts.last() {
        Some(newest) => Tree::open_next(archive, tx, (log.scope, &log.head), (newest.generation + 1, &newest.checkpoint)).await,
        None => Ok(()),
    }
}

async fn begin(archive: &Archive, lead: &mut Lead) -> Result<Sequencing, EvidenceError> {
    for _ in 0..LEAD_TRIES {
        if let Some(epoch) = lead.epoch(&archive.store).await?
            && let Some(tx) = archive.store.begin_sequencing(lead.holder(), epoch).await?
        {
            return Ok(tx);
        }
        tokio::time::sleep(LEAD_PAUSE).await;
    }
    Err(EvidenceError::Led)
}
