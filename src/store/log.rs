//! Reading the logs: what is signed, what is published, and the bytes behind it.

use super::log_event::insert_log_events;
use super::sequencing::LogScope;
use super::unit::IncidentKey;
use super::{Store, StoreError};
use duly_ledger::{HASH_BYTES, Tile};
use serde_json::{Map, json};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// A checkpoint that waits for its copy outside.
#[derive(Debug, Clone)]
pub struct Unpublished {
    /// Log.
    pub log_no: i32,
    /// Generation.
    pub generation: i32,
    /// Origin.
    pub origin: String,
    /// `incident`, `controller` or `system`.
    pub kind: String,
    /// Leaves.
    pub size: i64,
    /// RFC 6962 root.
    pub root: Vec<u8>,
    /// The signed note.
    pub note: String,
    /// Size of the newest checkpoint that is outside already; 0: none.
    pub published: i64,
}

/// A published checkpoint.
#[derive(Debug, Clone)]
pub struct Published {
    /// Log.
    pub log_no: i32,
    /// Name in evidence (`inc`).
    pub log_id: Uuid,
    /// Generation.
    pub generation: i32,
    /// Origin.
    pub origin: String,
    /// Leaves.
    pub size: i64,
    /// The signed note.
    pub note: String,
}

/// How far a log is.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LogStanding {
    /// Name of checkpoints.
    pub origin: String,
    /// Name in evidence (`inc`).
    pub log_id: Uuid,
    /// `incident`, `controller` or `system`.
    pub kind: String,
    /// Leaves under the newest checkpoint.
    pub size: i64,
    /// Leaves under the newest one that is published.
    pub published: i64,
    /// Published leaves up to the newest that is more than an audit of ours that found nothing.
    pub news: i64,
    /// When the newest was signed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub signed_at: Option<OffsetDateTime>,
}

/// What waits for its place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    /// Events.
    pub events: i64,
    /// How long the oldest of them has waited, seconds.
    pub oldest_seconds: f64,
}

/// A partial tile is a prefix of its row, which may have grown since.
pub(crate) async fn read_tile(
    from: impl PgExecutor<'_>,
    log_no: i32,
    generation: i32,
    tile: Tile,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query!(
        "select hashes from log_tile where log_no = $1 and generation = $2 and level = $3 and tile_no = $4",
        log_no,
        generation,
        i32::from(tile.level()),
        i64_of(tile.number())
    )
    .fetch_optional(from)
    .await?;
    Ok(row.and_then(|row| narrow(row.hashes, tile)))
}

/// A tile as it was when it was so wide; `None` where it has not grown so far.
fn narrow(mut hashes: Vec<u8>, tile: Tile) -> Option<Vec<u8>> {
    let bytes = usize::from(tile.width()) * HASH_BYTES;
    (hashes.len() >= bytes).then(|| {
        hashes.truncate(bytes);
        hashes
    })
}

/// A tree counts leaves without a sign, the database with one.
pub fn u64_of(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// The way back.
pub fn i64_of(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Store {
    /// Newest checkpoints that nobody outside has yet.
    pub async fn list_unpublished(&self) -> Result<Vec<Unpublished>, StoreError> {
        self.list_newest(false).await
    }

    /// Newest checkpoints of every generation of a log.
    pub async fn list_signed(&self) -> Result<Vec<Unpublished>, StoreError> {
        self.list_newest(true).await
    }

    /// Whether anything was ever copied outside.
    pub async fn has_published(&self) -> Result<bool, StoreError> {
        let row = sqlx::query!(r#"select exists (select from publication) as "is!""#).fetch_one(&self.pool).await?;
        Ok(row.is)
    }

    async fn list_newest(&self, with_published: bool) -> Result<Vec<Unpublished>, StoreError> {
        let rows = sqlx::query_as!(
            Unpublished,
            r#"select g.log_no, g.generation, g.origin, l.kind, c.size as "size!", c.root as "root!", c.note as "note!", coalesce(p.size, 0) as "published!"
                 from log_generation g join log l using (log_no)
                 join lateral (select size, root, note from checkpoint where log_no = g.log_no and generation = g.generation order by size desc limit 1) c on true
                 left join lateral (select size from publication where log_no = g.log_no and generation = g.generation order by size desc limit 1) p on true
                where c.size > coalesce(p.size, 0) or $1 order by g.log_no, g.generation"#,
            with_published
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// All logs by origin.
    pub async fn list_logs(&self) -> Result<Vec<LogStanding>, StoreError> {
        let rows = sqlx::query_as!(
            LogStanding,
            r#"select g.origin, l.log_id, l.kind, coalesce(c.size, 0) as "size!", coalesce(p.size, 0) as "published!", coalesce(n.size, 0) as "news!", c.signed_at as "signed_at?"
                 from log_generation g join log l using (log_no)
                 left join lateral (select size, signed_at from checkpoint where log_no = g.log_no and generation = g.generation order by size desc limit 1) c on true
                 left join lateral (select size from publication where log_no = g.log_no and generation = g.generation order by size desc limit 1) p on true
                 left join lateral (select s.first_seq + m.at as size from sequenced s
                       cross join lateral (select max(o.at) as at from unnest(s.ords) with ordinality as o (ord, at) join event e on e.ord = o.ord
                             where e.kind <> 'audit.passed' and s.first_seq + o.at <= p.size) m
                      where s.log_no = g.log_no and s.generation = g.generation and m.at is not null order by s.first_seq desc limit 1) n on true
                order by g.origin"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Notes that the copy outside is complete; a second time changes nothing.
    pub async fn insert_publication(&self, log_no: i32, generation: i32, size: i64) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into publication (log_no, generation, size) values ($1, $2, $3) on conflict do nothing",
            log_no,
            generation,
            size
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The newest published checkpoint of an origin.
    pub async fn find_published(&self, origin: &str) -> Result<Option<Published>, StoreError> {
        let row = sqlx::query_as!(
            Published,
            "select g.log_no, l.log_id, g.generation, g.origin, p.size, c.note from log_generation g join log l using (log_no)
               join publication p using (log_no, generation) join checkpoint c using (log_no, generation, size)
              where g.origin = $1 order by p.size desc limit 1",
            origin
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// The newest published checkpoint of each generation of a log, oldest generation first.
    pub async fn list_published(&self, log_id: Uuid) -> Result<Vec<Published>, StoreError> {
        let rows = sqlx::query_as!(
            Published,
            r#"select g.log_no, l.log_id, g.generation, g.origin, c.size as "size!", c.note as "note!" from log_generation g join log l using (log_no)
                 join lateral (select c.size, c.note from publication p join checkpoint c using (log_no, generation, size)
                       where p.log_no = g.log_no and p.generation = g.generation order by p.size desc limit 1) c on true
                where l.log_id = $1 order by g.generation"#,
            log_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The smallest checkpoint of a generation over at least so many leaves: the same one for ever, once it is signed.
    pub async fn find_checkpoint(&self, log_no: i32, generation: i32, leaves: u64) -> Result<Option<Published>, StoreError> {
        let row = sqlx::query_as!(
            Published,
            "select g.log_no, l.log_id, g.generation, g.origin, c.size, c.note from checkpoint c
               join log_generation g using (log_no, generation) join log l using (log_no)
              where c.log_no = $1 and c.generation = $2 and c.size >= $3 order by c.size limit 1",
            log_no,
            generation,
            i64_of(leaves)
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// A tile of hashes exactly as wide as asked for; `None` where it has not grown so far.
    pub async fn load_tile(&self, log_no: i32, generation: i32, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        read_tile(&self.pool, log_no, generation, tile).await
    }

    /// As `load_tile`, of several at once, in their order.
    pub async fn load_tiles(&self, log_no: i32, generation: i32, tiles: &[Tile]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let levels: Vec<i32> = tiles.iter().map(|tile| i32::from(tile.level())).collect();
        let numbers: Vec<i64> = tiles.iter().map(|tile| i64_of(tile.number())).collect();
        let rows = sqlx::query!(
            r#"select t.hashes as "hashes?" from unnest($3::int[], $4::bigint[]) with ordinality as j (level, tile_no, n)
                 left join log_tile t on t.log_no = $1 and t.generation = $2 and t.level = j.level and t.tile_no = j.tile_no
                order by j.n"#,
            log_no,
            generation,
            &levels,
            &numbers
        )
        .fetch_all(&self.pool)
        .await?;
        let narrowed = rows.into_iter().zip(tiles).map(|(row, tile)| narrow(row.hashes?, *tile));
        Ok(narrowed.collect())
    }

    /// Leaves `first..end` of a generation, in order.
    pub async fn list_entries(&self, log_no: i32, generation: i32, first: i64, end: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = sqlx::query!(
            "select e.body from sequenced s cross join lateral unnest(s.ords) with ordinality as o (ord, at) join event e on e.ord = o.ord
              where s.log_no = $1 and s.generation = $2 and s.first_seq > $3::bigint - 256 and s.first_seq < $4
                and s.first_seq + o.at > $3 and s.first_seq + o.at <= $4 order by s.first_seq + o.at",
            log_no,
            generation,
            first,
            end
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.body).collect())
    }

    /// Whether the places from `from` on, up to `end`, tell of more than audits of ours that found nothing.
    pub async fn has_news(&self, log_no: i32, generation: i32, from: i64, end: i64) -> Result<bool, StoreError> {
        let row = sqlx::query!(
            r#"select exists (select from sequenced s cross join lateral unnest(s.ords) with ordinality as o (ord, at) join event e on e.ord = o.ord
                where s.log_no = $1 and s.generation = $2 and s.first_seq > $3::bigint - 256 and s.first_seq < $4
                  and s.first_seq + o.at > $3 and s.first_seq + o.at <= $4 and e.kind <> 'audit.passed') as "is!""#,
            log_no,
            generation,
            from,
            end
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.is)
    }

    /// Bytes of the events in a generation that freeze a list or make a plan, up to its checkpoint.
    pub async fn list_frozen_and_prepared(&self, incident: IncidentKey, log: &Published) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = sqlx::query!(
            "select e.body from event e join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords)
              where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null and e.kind in ('list.frozen', 'plan.prepared')
                and s.log_no = $3 and s.generation = $4 and s.first_seq + array_position(s.ords, e.ord) <= $5
              order by s.first_seq + array_position(s.ords, e.ord)",
            incident.controller_id,
            incident.incident_no,
            log.log_no,
            log.generation,
            log.size
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.body).collect())
    }

    /// How many events wait for their place, and for how long.
    pub async fn sequencing_lag(&self) -> Result<Lag, StoreError> {
        let row = sqlx::query!(
            r#"select coalesce(sum(cardinality(ords)), 0)::bigint as "events!",
                      coalesce(extract(epoch from duly_now() - min(since)), 0)::float8 as "oldest_seconds!" from event_inbox"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Lag { events: row.events, oldest_seconds: row.oldest_seconds })
    }

    /// Logs of which something has waited longer than this: an event for its place, since there was somebody to give it one (before
    /// a sequencer of this installation led for the first time nothing is late), or one in its place for the copy outside. How
    /// many wait, and for how long.
    pub async fn list_late_logs(&self, seconds: f64) -> Result<Vec<(LogScope, Lag)>, StoreError> {
        let rows = sqlx::query!(
            r#"select w.controller_id, w.incident_no, sum(w.events)::bigint as "events!",
                      extract(epoch from duly_now() - min(w.since))::float8 as "oldest_seconds!"
                 from (select i.controller_id, i.incident_no, cardinality(i.ords)::bigint as events, greatest(i.since, led.since) as since
                         from event_inbox i cross join (select min(opened_at) as since from log_generation) led where led.since is not null
                       union all
                       select l.controller_id, l.incident_no, max(c.size) - coalesce(p.size, 0), min(c.signed_at)
                         from log_generation g join log l using (log_no)
                         left join lateral (select size from publication where log_no = g.log_no and generation = g.generation order by size desc limit 1) p on true
                         join lateral (select size, signed_at from checkpoint where log_no = g.log_no and generation = g.generation and size > coalesce(p.size, 0)) c on true
                        group by l.controller_id, l.incident_no, g.log_no, g.generation, p.size) as w (controller_id, incident_no, events, since)
                group by 1, 2 having min(w.since) < duly_now() - $1::float8 * interval '1 second' order by 1, 2"#,
            seconds
        )
        .fetch_all(&self.pool)
        .await?;
        let late = rows.into_iter().map(|row| {
            let scope = LogScope::from_columns(row.controller_id, row.incident_no);
            (scope, Lag { events: row.events, oldest_seconds: row.oldest_seconds })
        });
        Ok(late.collect())
    }

    /// Writes that evidence was late: the event into its log, and an alarm where the log is an incident's.
    pub async fn record_delay(&self, scope: LogScope, lag: &Lag) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let (controller_id, incident_no) = scope.columns();
        if let (Some(controller_id), Some(incident_no)) = (controller_id, incident_no) {
            sqlx::query!(
                "insert into alarm (alarm_id, controller_id, incident_no, code) values ($1, $2, $3, 'evidence_late')",
                Uuid::now_v7(),
                controller_id,
                incident_no
            )
            .execute(&mut *tx)
            .await?;
        }
        let detail =
            Map::from_iter([("seconds".to_owned(), json!(lag.oldest_seconds as i64)), ("waiting".to_owned(), json!(lag.events))]);
        insert_log_events(&mut tx, scope, [("log.delayed", detail)]).await?;
        Ok(tx.commit().await?)
    }

    /// This installation's name in evidence.
    pub async fn installation(&self) -> Result<Uuid, StoreError> {
        let row = sqlx::query!("select installation_id from installation").fetch_one(&self.pool).await?;
        Ok(row.installation_id)
    }
}
