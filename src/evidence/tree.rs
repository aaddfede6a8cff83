//! One log in the sequencer's memory: its right edge, from which it goes on.

use super::restore::Part;
use super::{Archive, EvidenceError};
use crate::store::log::{i64_of, u64_of};
use crate::store::sequencing::{LogHead, LogScope, Sequencing, TileGrowth, Waiting};
use duly_ledger::{Appender, Checkpoint, Event, Growth, leaf_hash};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A log and its right edge.
pub struct Tree {
    head: LogHead,
    edge: Appender,
}

impl Tree {
    /// Reads it from its newest checkpoint; opens its first generation where there is none.
    pub async fn load(archive: &Archive, tx: &mut Sequencing, scope: LogScope) -> Result<Self, EvidenceError> {
        let mut head = tx.head(scope).await?;
        let is_new = head.generation == 0;
        if is_new {
            head.generation = 1;
            head.origin = archive.origin(head.log_id, 1);
        }
        refuse_older_database(archive, &head).await?;
        let mut tree = Self { edge: load_edge(tx, &head).await?, head };
        if is_new {
            tree.open(tx, scope, Map::new()).await?;
        }
        Ok(tree)
    }

    /// Number and generation of the log, and how many leaves it has.
    pub fn extent(&self) -> (i32, i32, u64) {
        (self.head.log_no, self.head.generation, self.edge.size())
    }

    /// The first leaf says what the log is.
    async fn open(&mut self, tx: &mut Sequencing, scope: LogScope, mut detail: Map<String, Value>) -> Result<(), EvidenceError> {
        detail.insert("format".into(), json!(1));
        detail.insert("generation".into(), json!(self.head.generation));
        detail.insert("kind".into(), json!(scope.kind()));
        detail.insert("origin".into(), json!(self.head.origin));
        let event = Event {
            id: Uuid::now_v7().to_string(),
            inc: self.head.log_id.to_string(),
            kind: "log.opened".to_owned(),
            n: None,
            person: None,
            prev: None,
            at_micros: tx.now_micros,
            detail,
        };
        let body = event.to_bytes()?;
        let leaf = leaf_hash(&body);
        let opened = (self.head.generation, self.head.origin.as_str());
        let ord = tx.open_generation(scope, self.head.log_no, opened, (&body, &leaf)).await?;
        tx.place(&self.head, 0, &[ord]).await?;
        self.edge.append(leaf);
        Ok(())
    }

    /// Gives events that a restored database forgot the places in which they were published, under the checkpoint that
    /// was signed then: nothing is signed here.
    pub async fn put_back(tx: &mut Sequencing, scope: LogScope, part: &Part) -> Result<(), EvidenceError> {
        let contradiction = |what| EvidenceError::Contradiction { origin: part.checkpoint.origin.clone(), what };
        let known = tx.head(scope).await?;
        let mut tree = if part.from > 0 {
            Self { edge: load_edge(tx, &known).await?, head: known }
        } else {
            let head = LogHead {
                generation: part.generation,
                origin: part.checkpoint.origin.clone(),
                size: 0,
                root: Vec::new(),
                ..known
            };
            tx.insert_generation(head.log_no, head.generation, &head.origin).await?;
            Self { head, edge: Appender::new() }
        };
        let leaves: Vec<[u8; 32]> = part.leaves.iter().flatten().map(|leaf| leaf_hash(&leaf.body)).collect();
        let ords = tx.part(scope, &leaves).await?;
        if ords.len() != leaves.len() || tree.edge.size() != part.from {
            return Err(contradiction("an event that was published is not on record"));
        }
        tx.place(&tree.head, i64_of(part.from), &ords).await?;
        leaves.iter().for_each(|leaf| tree.edge.append(*leaf));
        let growths: Vec<TileGrowth> = tree.edge.take_growth().into_iter().map(growth).collect();
        tx.grow(&tree.head, &growths).await?;
        if (tree.edge.size(), tree.edge.root()) != (part.checkpoint.size, part.checkpoint.root) {
            return Err(contradiction("this database's events before the restore are not those that were published"));
        }
        tx.sign(&tree.head, i64_of(part.checkpoint.size), &part.checkpoint.root, &part.note).await?;
        Ok(tx.insert_published(&tree.head, i64_of(part.checkpoint.size)).await?)
    }

    /// Opens another generation where what was published cannot be read any more; its first leaf says which checkpoint that was.
    pub async fn open_next(
        archive: &Archive,
        tx: &mut Sequencing,
        (scope, log): (LogScope, &LogHead),
        (generation, from): (i32, &Checkpoint),
    ) -> Result<(), EvidenceError> {
        let origin = archive.origin(log.log_id, generation);
        let head = LogHead { generation, origin, size: 0, root: Vec::new(), ..log.clone() };
        let mut tree = Self { head, edge: Appender::new() };
        let mut detail = Map::new();
        detail.insert("from_root".into(), json!(hex::encode(from.root)));
        detail.insert("from_size".into(), json!(from.size));
        detail.insert("reason".into(), json!("restored"));
        tree.open(tx, scope, detail).await?;
        tree.append(archive, tx, &[]).await
    }

    /// Gives events their places and signs the new size, inside the transaction; nobody sees it before the commit.
    pub async fn append(&mut self, archive: &Archive, tx: &mut Sequencing, waiting: &[Waiting]) -> Result<(), EvidenceError> {
        let first = i64_of(self.edge.size());
        if waiting.iter().any(|w| w.bodies.len() != w.count) {
            let what = "an event that waits for its place is not on record";
            return Err(EvidenceError::Contradiction { origin: self.head.origin.clone(), what });
        }
        let rows: Vec<i64> = waiting.iter().map(|w| w.first_ord).collect();
        tx.place(&self.head, first, &rows).await?;
        waiting.iter().flat_map(|w| &w.bodies).for_each(|body| self.edge.append(leaf_hash(body)));
        let growths: Vec<TileGrowth> = self.edge.take_growth().into_iter().map(growth).collect();
        tx.grow(&self.head, &growths).await?;
        let (size, root) = (self.edge.size(), self.edge.root());
        let note = archive.signer(&self.head.origin)?.sign_checkpoint(size, root);
        tx.sign(&self.head, i64_of(size), &root, &note).await?;
        Ok(())
    }
}

fn growth(growth: Growth) -> TileGrowth {
    TileGrowth {
        level: i32::from(growth.level),
        tile_no: i64_of(growth.tile),
        offset: i32::try_from(growth.offset).unwrap_or(i32::MAX),
        hashes: growth.hashes,
    }
}

/// The partial tiles of the newest checkpoint are all that is needed to go on; their root must be the signed one.
pub(super) async fn load_edge(tx: &mut Sequencing, head: &LogHead) -> Result<Appender, EvidenceError> {
    let contradiction = |what| EvidenceError::Contradiction { origin: head.origin.clone(), what };
    let size = u64_of(head.size);
    let mut partial = Vec::new();
    for tile in Appender::edge(size) {
        // The row may have grown past this checkpoint only by a hand that is not ours; the root below shows it.
        let hashes = tx.tile(head.log_no, head.generation, tile).await?;
        partial.push(hashes.ok_or_else(|| contradiction("a tile is missing"))?);
    }
    let edge = Appender::from_edge(size, &partial).map_err(|_| contradiction("a tile is too short"))?;
    if size > 0 && edge.root().as_slice() != head.root {
        return Err(contradiction("the tiles' root is not the signed one"));
    }
    Ok(edge)
}

/// What was published is never signed again: a database that knows less than the world has been restored.
async fn refuse_older_database(archive: &Archive, head: &LogHead) -> Result<(), EvidenceError> {
    let next = archive.origin(head.log_id, head.generation + 1);
    let ours = u64_of(head.size);
    for (origin, ours) in [(head.origin.as_str(), ours), (next.as_str(), 0)] {
        let Some(theirs) = archive.checkpoint_outside(origin).await? else { continue };
        if theirs.size > ours {
            return Err(EvidenceError::Behind { origin: origin.to_owned(), ours, theirs: theirs.size });
        }
        if theirs.size == ours && theirs.root.as_slice() != head.root {
            return Err(EvidenceError::Contradiction {
                origin: origin.to_owned(),
                what: "another tree of this size was published",
            });
        }
    }
    Ok(())
}
