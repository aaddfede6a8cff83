//! One log in the sequencer's memory: its right edge, from which it goes on.

use super::keys::{Known, PublicKey, refuse_retired};
use super::restore::Part;
use super::{Archive, EvidenceError, Outer};
use crate::store::log::{i64_of, u64_of};
use crate::store::sequencing::{LogHead, LogScope, Sequencing, TileGrowth, Waiting};
use duly_ledger::{Appender, Checkpoint, Event, Growth, leaf_hash};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A log and its right edge.
pub struct Tree {
    head: LogHead,
    edge: Appender,
    known: Known,
    /// The key that signs the next checkpoint.
    key: PublicKey,
    /// Leaves under the newest checkpoint.
    signed: u64,
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
        let changes = tx.key_changes(head.log_no).await?;
        let known = Known::new(&changes, archive.keys(), head.generation, head.size);
        let key = known.in_force(&head, archive.keys());
        let unknown = || EvidenceError::KeyUnknown { origin: head.origin.clone() };
        match refuse_older_database(archive, &known, &head).await {
            // Not even our own checkpoint is told from another's.
            Err(EvidenceError::Contradiction { .. }) if key.is_none() => return Err(unknown()),
            other => other?,
        }
        let key = key.ok_or_else(unknown)?;
        let edge = load_edge(tx, &head).await?;
        let mut tree = Self { signed: edge.size(), edge, key, known, head };
        if is_new {
            tree.refuse_retired(tx).await?;
            tree.open(tx, scope, Map::new()).await?;
        }
        Ok(tree)
    }

    /// Nothing begins under a key that the installation's log has left: somebody else may hold it by now.
    async fn refuse_retired(&self, tx: &mut Sequencing) -> Result<(), EvidenceError> {
        let system = tx.head(LogScope::System).await?;
        refuse_retired(&tx.key_changes(system.log_no).await?, &self.head.origin, &self.key)
    }

    /// Number and generation of the log, and how many leaves it has.
    pub fn extent(&self) -> (i32, i32, u64) {
        (self.head.log_no, self.head.generation, self.edge.size())
    }

    /// Writes an event of the log itself into the next place.
    async fn write(
        &mut self,
        tx: &mut Sequencing,
        (scope, kind): (LogScope, &'static str),
        detail: Map<String, Value>,
    ) -> Result<(), EvidenceError> {
        let event = Event {
            id: Uuid::now_v7().to_string(),
            inc: self.head.log_id.to_string(),
            kind: kind.to_owned(),
            n: None,
            person: None,
            prev: None,
            at_micros: tx.now_micros,
            detail,
        };
        let body = event.to_bytes()?;
        let leaf = leaf_hash(&body);
        let ord = tx.insert_of_log(scope, kind, (&body, &leaf)).await?;
        tx.place(&self.head, i64_of(self.edge.size()), &[ord]).await?;
        self.edge.append(leaf);
        Ok(())
    }

    /// Goes on under the next key of the settings, if there is one and it is due, from the leaf on that says so.
    async fn change_key(&mut self, archive: &Archive, tx: &mut Sequencing, scope: LogScope) -> Result<(), EvidenceError> {
        let size = self.edge.size();
        if let Some(detail) = archive.keys().change(&self.known.line, &self.head.origin, size, &self.key) {
            self.write(tx, (scope, "log.key_changed"), detail).await?;
            self.key = archive.keys().newest();
        }
        Ok(())
    }

    /// The first leaf says what the log is.
    async fn open(&mut self, tx: &mut Sequencing, scope: LogScope, mut detail: Map<String, Value>) -> Result<(), EvidenceError> {
        detail.insert("format".into(), json!(1));
        detail.insert("generation".into(), json!(self.head.generation));
        detail.insert("kind".into(), json!(scope.kind()));
        detail.insert("origin".into(), json!(self.head.origin));
        tx.insert_generation(self.head.log_no, self.head.generation, &self.head.origin).await?;
        self.write(tx, (scope, "log.opened"), detail).await
    }

    /// Gives events that a restored database forgot the places in which they were published, under the checkpoint that
    /// was signed then: nothing is signed here.
    pub async fn put_back(tx: &mut Sequencing, scope: LogScope, part: &Part) -> Result<(), EvidenceError> {
        let contradiction = |what| EvidenceError::Contradiction { origin: part.checkpoint.origin.clone(), what };
        let known = tx.head(scope).await?;
        let (head, mut edge) = if part.from > 0 {
            let edge = load_edge(tx, &known).await?;
            (known, edge)
        } else {
            let (generation, origin) = (part.generation, part.checkpoint.origin.clone());
            let head = LogHead { generation, origin, size: 0, root: Vec::new(), note: String::new(), ..known };
            tx.insert_generation(head.log_no, head.generation, &head.origin).await?;
            (head, Appender::new())
        };
        let leaves: Vec<[u8; 32]> = part.leaves.iter().flatten().map(|leaf| leaf_hash(&leaf.body)).collect();
        let ords = tx.part(scope, &leaves).await?;
        if ords.len() != leaves.len() || edge.size() != part.from {
            return Err(contradiction("an event that was published is not on record"));
        }
        tx.place(&head, i64_of(part.from), &ords).await?;
        leaves.iter().for_each(|leaf| edge.append(*leaf));
        let growths: Vec<TileGrowth> = edge.take_growth().into_iter().map(growth).collect();
        tx.grow(&head, &growths).await?;
        if (edge.size(), edge.root()) != (part.checkpoint.size, part.checkpoint.root) {
            return Err(contradiction("this database's events before the restore are not those that were published"));
        }
        tx.sign(&head, i64_of(part.checkpoint.size), &part.checkpoint.root, &part.note).await?;
        Ok(tx.insert_published(&head, i64_of(part.checkpoint.size)).await?)
    }

    /// Opens another generation where what was published cannot be read any more; its first leaf says which checkpoint that was.
    pub async fn open_next(
        archive: &Archive,
        tx: &mut Sequencing,
        (scope, log): (LogScope, &LogHead),
        (generation, from): (i32, &Checkpoint),
    ) -> Result<(), EvidenceError> {
        let origin = archive.origin(log.log_id, generation);
        let changes = tx.key_changes(log.log_no).await?;
        let known = Known::new(&changes, archive.keys(), log.generation, log.size);
        // Where the key in force is lost with the copy, whoever reads both generations is told so by their signatures.
        let ours = known.in_force(log, archive.keys()).filter(|key| archive.keys().public().contains(key));
        let key = ours.unwrap_or_else(|| archive.keys().newest());
        let head = LogHead { generation, origin, size: 0, root: Vec::new(), note: String::new(), ..log.clone() };
        let mut tree = Self { head, edge: Appender::new(), known, key, signed: 0 };
        // Nor under one that this log itself has left. One that is left by its next leaf links the generations.
        refuse_retired(&changes, &tree.head.origin, &tree.key)?;
        if archive.keys().change(&tree.known.line, &tree.head.origin, 0, &tree.key).is_none() {
            tree.refuse_retired(tx).await?;
        }
        let mut detail = Map::new();
        detail.insert("from_root".into(), json!(hex::encode(from.root)));
        detail.insert("from_size".into(), json!(from.size));
        detail.insert("reason".into(), json!("restored"));
        tree.open(tx, scope, detail).await?;
        tree.append(archive, tx, scope, &[]).await
    }

    /// Gives events their places and signs the new size, inside the transaction; nobody sees it before the commit.
    pub async fn append(
        &mut self,
        archive: &Archive,
        tx: &mut Sequencing,
        scope: LogScope,
        waiting: &[Waiting],
    ) -> Result<(), EvidenceError> {
        self.change_key(archive, tx, scope).await?;
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
        // Nothing waited, and the key is the newest already.
        if size == self.signed {
            return Ok(());
        }
        let note = archive.keys().signer(&self.head.origin, &self.key)?.sign_checkpoint(size, root);
        tx.sign(&self.head, i64_of(size), &root, &note).await?;
        self.signed = size;
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
async fn refuse_older_database(archive: &Archive, known: &Known, head: &LogHead) -> Result<(), EvidenceError> {
    let next = archive.origin(head.log_id, head.generation + 1);
    let of_next = (next.as_str(), head.generation + 1, 0);
    for (origin, generation, ours) in [(head.origin.as_str(), head.generation, u64_of(head.size)), of_next] {
        let Some(Outer { checkpoint: theirs, .. }) = archive.outside_of(known, origin, generation).await? else { continue };
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
