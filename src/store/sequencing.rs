//! The sequencer's transaction: events leave the inbox, take their places, and a checkpoint is signed over them.
//!
//! Whoever holds the lead does this, and the lead is locked for as long as the transaction is open: a deposed
//! sequencer that wakes up finds another epoch and writes nothing.

use super::log::read_tile;
use super::log_key::{PlacedChange, list_unchanged, read_key_changes};
use super::{Store, StoreError};
use duly_ledger::Tile;
use sqlx::{Postgres, Transaction};
use std::collections::HashMap;
use uuid::Uuid;

/// A sequencer that stands still in its transaction is thrown out after so long: it holds the lead's row.
const IDLE_SECONDS_MAX: u32 = 5;

/// Whose events a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogScope {
    /// The installation's.
    System,
    /// A controller's.
    Controller(Uuid),
    /// An incident's, by its number.
    Incident(Uuid, i64),
}

impl LogScope {
    pub(crate) fn from_columns(controller_id: Option<Uuid>, incident_no: Option<i64>) -> Self {
        match (controller_id, incident_no) {
            (Some(controller), Some(incident)) => Self::Incident(controller, incident),
            (Some(controller), None) => Self::Controller(controller),
            _ => Self::System,
        }
    }

    pub(crate) fn columns(self) -> (Option<Uuid>, Option<i64>) {
        match self {
            Self::System => (None, None),
            Self::Controller(controller) => (Some(controller), None),
            Self::Incident(controller, incident) => (Some(controller), Some(incident)),
        }
    }

    /// The word of `log.opened`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Controller(_) => "controller",
            Self::Incident(..) => "incident",
        }
    }
}

/// Events of one log, at most 256, that wait for their places together.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Number of the first, by which the row is known.
    pub first_ord: i64,
    /// Their log.
    pub scope: LogScope,
    /// How many they are.
    pub count: usize,
    /// Their bytes, in order; fewer than they are, if an event was taken away.
    pub bodies: Vec<Vec<u8>>,
}

/// A generation of a log, and how far it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Number inside this database.
    pub log_no: i32,
    /// Name in evidence (`inc`).
    pub log_id: Uuid,
    /// Newest generation; 0: none was opened yet.
    pub generation: i32,
    /// Its origin; empty where there is none.
    pub origin: String,
    /// Leaves under its newest checkpoint; 0: none was signed yet.
    pub size: i64,
    /// Root of that checkpoint; empty where there is none.
    pub root: Vec<u8>,
    /// That checkpoint as it was signed; empty where there is none.
    pub note: String,
}

/// Hashes that a tile gains.
#[derive(Debug, Clone)]
pub struct TileGrowth {
    /// Level, 0: leaf hashes.
    pub level: i32,
    /// Number within the level.
    pub tile_no: i64,
    /// Bytes that it has already.
    pub offset: i32,
    /// Further hashes, 32 bytes each.
    pub hashes: Vec<u8>,
}

/// The open transaction.
pub struct Sequencing {
    tx: Transaction<'static, Postgres>,
    epoch: i64,
    /// The database's time, microseconds since 1970, for the events that the sequencer itself writes.
    pub now_micros: i64,
}

impl Store {
    /// Opens it, if `holder` leads at `epoch`; the lead cannot change before it ends.
    pub async fn begin_sequencing(&self, holder: &str, epoch: i64) -> Result<Option<Sequencing>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let limit = format!("{IDLE_SECONDS_MAX}s");
        sqlx::query!("select set_config('idle_in_transaction_session_timeout', $1, true)", limit).fetch_one(&mut *tx).await?;
        let row = sqlx::query!(
            r#"select (extract(epoch from duly_now()) * 1000000)::bigint as "now_micros!" from leadership
                where role = 'sequencer' and holder = $1 and epoch = $2 and expires_at > duly_now() for share"#,
            holder,
            epoch
        )
        .fetch_optional(&mut *tx)
        .await?;
        Ok(row.map(|row| Sequencing { tx, epoch, now_micros: row.now_micros }))
    }
}

impl Sequencing {
    /// The oldest events of the inbox, `limit` or few more, in the order in which they were written, but none of the logs
    /// `aside`. They wait until they are placed.
    pub async fn read(&mut self, limit: i64, aside: &[LogScope]) -> Result<Vec<Waiting>, StoreError> {
        let (controllers, incidents): (Vec<_>, Vec<_>) = aside.iter().map(|scope| scope.columns()).unzip();
        let rows = sqlx::query!(
            r#"select i.first_ord as "first_ord!", i.controller_id, i.incident_no, cardinality(i.ords) as "count!",
                      (select array_agg(e.body) from (select e.body from event e where e.ord between i.first_ord and i.last_ord
                          and (i.last_ord - i.first_ord = cardinality(i.ords) - 1 or e.ord = any(i.ords)) order by e.ord) e) as bodies
                 from (select w.*, w.ords[cardinality(w.ords)] as last_ord, sum(cardinality(w.ords)) over (order by w.first_ord) - cardinality(w.ords) as before
                         from (select * from event_inbox w
                                where not exists (select from unnest($2::uuid[], $3::bigint[]) as a (controller_id, incident_no)
                                  where a.controller_id is not distinct from w.controller_id and a.incident_no is not distinct from w.incident_no)
                                order by w.first_ord limit $1) w) i
                where i.before < $1 order by i.first_ord"#,
            limit,
            &controllers as &[Option<Uuid>],
            &incidents as &[Option<i64>]
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let waiting = rows.into_iter().map(|row| Waiting {
            first_ord: row.first_ord,
            scope: LogScope::from_columns(row.controller_id, row.incident_no),
            count: usize::try_from(row.count).unwrap_or_default(),
            bodies: row.bodies.unwrap_or_default(),
        });
        Ok(waiting.collect())
    }

    /// The log of a scope with its newest generation; made where there is none yet.
    pub async fn head(&mut self, scope: LogScope) -> Result<LogHead, StoreError> {
        let (controller_id, incident_no) = scope.columns();
        sqlx::query!(
            "insert into log (kind, controller_id, incident_no, log_id)
             select $1, $2::uuid, $3::bigint, coalesce((select incident_id from incident where incident_no = $3), $2, (select installation_id from installation))
              where not exists (select from log where controller_id is not distinct from $2 and incident_no is not distinct from $3)",
            scope.kind(),
            controller_id,
            incident_no
        )
        .execute(&mut *self.tx)
        .await?;
        let row = sqlx::query_as!(
            LogHead,
            r#"select l.log_no, l.log_id, coalesce(g.generation, 0) as "generation!", coalesce(g.origin, '') as "origin!",
                      coalesce(c.size, 0) as "size!", coalesce(c.root, '') as "root!", coalesce(c.note, '') as "note!"
                 from log l
                 left join lateral (select generation, origin from log_generation where log_no = l.log_no order by generation desc limit 1) g on true
                 left join lateral (select size, root, note from checkpoint where log_no = l.log_no and generation = g.generation order by size desc limit 1) c on true
                where l.controller_id is not distinct from $1 and l.incident_no is not distinct from $2"#,
            controller_id,
            incident_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(row)
    }

    /// Writes an event of the log itself, which waits for its place; returns its row.
    pub async fn insert_of_log(
        &mut self,
        scope: LogScope,
        kind: &'static str,
        (body, leaf): (&[u8], &[u8; 32]),
    ) -> Result<i64, StoreError> {
        let (controller_id, incident_no) = scope.columns();
        let row = sqlx::query!(
            "insert into event (controller_id, incident_no, kind, body, leaf) values ($1, $2, $3, $4, $5) returning ord",
            controller_id,
            incident_no,
            kind,
            body,
            leaf.as_slice()
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(row.ord)
    }

    /// Notes that there is a generation.
    pub async fn insert_generation(&mut self, log_no: i32, generation: i32, origin: &str) -> Result<(), StoreError> {
        sqlx::query!("insert into log_generation (log_no, generation, origin) values ($1, $2, $3)", log_no, generation, origin)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Lets exactly these leaves of a log wait each for itself; returns their rows in the leaves' order, without those
    /// that do not wait.
    pub async fn part(&mut self, scope: LogScope, leaves: &[[u8; 32]]) -> Result<Vec<i64>, StoreError> {
        let (controller_id, incident_no) = scope.columns();
        sqlx::query!(r#"select part_waiting($1, $2)::text as "done?""#, controller_id, incident_no)
            .fetch_one(&mut *self.tx)
            .await?;
        let rows = sqlx::query!(
            "select e.ord, e.leaf from event_inbox i join event e on e.ord = i.first_ord and e.leaf = any($3)
              where i.controller_id is not distinct from $1 and i.incident_no is not distinct from $2",
            controller_id,
            incident_no,
            &leaves.iter().map(|leaf| leaf.to_vec()).collect::<Vec<_>>()
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ords: HashMap<Vec<u8>, i64> = rows.into_iter().map(|row| (row.leaf, row.ord)).collect();
        Ok(leaves.iter().filter_map(|leaf| ords.get(leaf.as_slice()).copied()).collect())
    }

    /// Notes a checkpoint that is outside already.
    pub async fn insert_published(&mut self, head: &LogHead, size: i64) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into publication (log_no, generation, size) values ($1, $2, $3)",
            head.log_no,
            head.generation,
            size
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Changes of a log's key, oldest first.
    pub async fn key_changes(&mut self, log_no: i32) -> Result<Vec<PlacedChange>, StoreError> {
        read_key_changes(&mut *self.tx, log_no).await
    }

    /// Logs that no event leads to this key.
    pub async fn unchanged(&mut self, key: &[u8; 32]) -> Result<Vec<LogScope>, StoreError> {
        list_unchanged(&mut *self.tx, &hex::encode(key)).await
    }

    /// A tile of hashes exactly as wide as asked for; `None` where it has not grown so far.
    pub async fn tile(&mut self, log_no: i32, generation: i32, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        read_tile(&mut *self.tx, log_no, generation, tile).await
    }

    /// Gives events that wait their places, from `first` on: whole rows of the inbox, by the first event of each.
    pub async fn place(&mut self, head: &LogHead, first: i64, waiting: &[i64]) -> Result<(), StoreError> {
        sqlx::query!(r#"select place_events($1, $2, $3, $4)::text as "done?""#, head.log_no, head.generation, first, waiting)
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Lets tiles grow; one that is not as long as the growth supposes fails the whole transaction.
    pub async fn grow(&mut self, head: &LogHead, growths: &[TileGrowth]) -> Result<(), StoreError> {
        for growth in growths {
            let done = sqlx::query!(
                "with grown as (update log_tile set hashes = hashes || $5 where log_no = $1 and generation = $2 and level = $3 and tile_no = $4
                        and octet_length(hashes) = $6 returning 1),
                      made as (insert into log_tile (log_no, generation, level, tile_no, hashes) select $1, $2, $3, $4, $5 where $6 = 0 returning 1)
                 select 1 as one from grown union all select 1 from made",
                head.log_no,
                head.generation,
                growth.level,
                growth.tile_no,
                growth.hashes,
                growth.offset
            )
            .fetch_all(&mut *self.tx)
            .await?;
            if done.len() != 1 {
                return Err(StoreError::Corrupt { what: "tile" });
            }
        }
        Ok(())
    }

    /// Keeps the checkpoint; the database refuses a size that is not the largest so far.
    pub async fn sign(&mut self, head: &LogHead, size: i64, root: &[u8; 32], note: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into checkpoint (log_no, generation, size, root, note, epoch) values ($1, $2, $3, $4, $5, $6)",
            head.log_no,
            head.generation,
            size,
            root.as_slice(),
            note,
            self.epoch
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Commits: from now on the checkpoint may be published.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}
