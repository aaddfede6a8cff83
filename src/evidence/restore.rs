//! What a restored database forgot, read from what was published, and the logs that go on after it.

use super::tree::Tree;
use super::{Archive, EvidenceError};
use crate::store::leadership::Lead;
use crate::store::sequencing::{LogHead, LogScope};
use duly_ledger::{Checkpoint, Event, Frontier, bundle_entries, entry_bundles, leaf_hash};
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
    /// The newest generation that was published, and its checkpoint.
    pub newest: (i32, Checkpoint),
    /// People whom the lost events name with an intent.
    pub told: BTreeSet<Uuid>,
    /// People whose keys were destroyed meanwhile.
    pub erased: BTreeSet<Uuid>,
}

/// Logs that were published further than this database knows.
pub async fn list_lost(archive: &Archive) -> Result<Vec<Lost>, EvidenceError> {
    let mut lost = Vec::new();
    for (scope, head) in archive.store.list_log_heads().await? {
        if let Some(found) = lost_of(archive, scope, head).await? {
            lost.push(found);
        }
    }
    Ok(lost)
}

async fn lost_of(archive: &Archive, scope: LogScope, head: LogHead) -> Result<Option<Lost>, EvidenceError> {
    let (mut newest, mut bodies) = (None, Vec::new());
    let mut generation = head.generation;
    let mut known = u64::try_from(head.size).unwrap_or_default();
    while let Some(published) = archive.checkpoint_outside(&archive.origin(head.log_id, generation)).await? {
        if published.size > known {
            bodies.extend(read_leaves(archive, &published).await?.split_off(usize::try_from(known).unwrap_or(usize::MAX)));
            newest = Some((generation, published));
        }
        (generation, known) = (generation + 1, 0);
    }
    let Some(newest) = newest else { return Ok(None) };
    let (mut told, mut erased) = (BTreeSet::new(), BTreeSet::new());
    for body in bodies {
        let event = Event::parse(&body)?;
        let Some(person) = event.person.map(Uuid::from_bytes) else { continue };
        match event.kind.as_str() {
            "message.intent" => told.insert(person),
            "key.destroyed" => erased.insert(person),
            _ => false,
        };
    }
    Ok(Some(Lost { scope, head, newest, told, erased }))
}

/// All leaves under a published checkpoint; they are believed only if their root is the signed one.
async fn read_leaves(archive: &Archive, published: &Checkpoint) -> Result<Vec<Vec<u8>>, EvidenceError> {
    let contradiction = |what| EvidenceError::Contradiction { origin: published.origin.clone(), what };
    let (mut tree, mut leaves) = (Frontier::new(), Vec::new());
    for tile in entry_bundles(published.size) {
        let bundle = archive.outside.get(&format!("{}/{tile}", published.origin)).await?;
        let bundle = bundle.ok_or_else(|| contradiction("a bundle is missing outside"))?;
        for entry in bundle_entries(&bundle) {
            let entry = entry.map_err(|_| contradiction("a bundle outside cannot be read"))?;
            tree.append(leaf_hash(entry));
            leaves.push(entry.to_vec());
        }
    }
    if (tree.size(), tree.root()) != (published.size, published.root) {
        return Err(contradiction("the events outside are not those of the signed checkpoint"));
    }
    Ok(leaves)
}

/// Opens the next generation of every such log, all in one transaction: a size that was published is not signed again.
pub async fn open_generations(archive: &Archive, lost: &[Lost]) -> Result<(), EvidenceError> {
    if lost.is_empty() {
        return Ok(());
    }
    let mut lead = Lead::new("sequencer", &Uuid::now_v7().to_string());
    let mut tries = 0;
    let epoch = loop {
        if let Some(epoch) = lead.epoch(&archive.store).await? {
            break epoch;
        }
        tries += 1;
        if tries > LEAD_TRIES {
            return Err(EvidenceError::Led);
        }
        tokio::time::sleep(LEAD_PAUSE).await;
    };
    let Some(mut tx) = archive.store.begin_sequencing(lead.holder(), epoch).await? else { return Err(EvidenceError::Led) };
    for log in lost {
        let (generation, from) = &log.newest;
        Tree::open_next(archive, &mut tx, (log.scope, &log.head), (generation + 1, from)).await?;
    }
    tx.commit().await?;
    Ok(lead.resign(&archive.store).await?)
}
