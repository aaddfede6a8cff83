//! Changes of the logs' keys: events at their places, from which alone it is known which key was in force when.

use super::sequencing::LogScope;
use super::{Store, StoreError};
use sqlx::PgExecutor;

/// An event that says that a log goes on under another key.
#[derive(Debug, Clone)]
pub struct PlacedChange {
    /// Generation.
    pub generation: i32,
    /// Its origin.
    pub origin: String,
    /// Index of the leaf.
    pub seq: i64,
    /// The event's bytes.
    pub body: Vec<u8>,
}

/// All of a log that have their places, oldest first.
pub(crate) async fn read_key_changes(from: impl PgExecutor<'_>, log_no: i32) -> Result<Vec<PlacedChange>, StoreError> {
    let rows = sqlx::query_as!(
        PlacedChange,
        r#"select g.generation, g.origin, p.seq as "seq!", e.body from log l
             join event e on e.kind = 'log.key_changed' and e.controller_id is not distinct from l.controller_id
                  and e.incident_no is not distinct from l.incident_no
             join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords) and s.log_no = l.log_no
             join log_generation g on g.log_no = s.log_no and g.generation = s.generation
            cross join lateral (select s.first_seq + array_position(s.ords, e.ord) - 1 as seq) p
            where l.log_no = $1 order by g.generation, p.seq"#,
        log_no
    )
    .fetch_all(from)
    .await?;
    Ok(rows)
}

/// Logs that no event leads to this key, in order.
pub(crate) async fn list_unchanged(from: impl PgExecutor<'_>, key: &str) -> Result<Vec<LogScope>, StoreError> {
    let rows = sqlx::query!(
        "select l.controller_id, l.incident_no from log l
          where not exists (select from event e where e.kind = 'log.key_changed' and e.controller_id is not distinct from l.controller_id
                and e.incident_no is not distinct from l.incident_no and convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'new' = $1)
          order by l.log_no",
        key
    )
    .fetch_all(from)
    .await?;
    Ok(rows.into_iter().map(|row| LogScope::from_columns(row.controller_id, row.incident_no)).collect())
}

impl Store {
    /// All changes of a log's key that have their places, oldest first.
    pub async fn list_key_changes(&self, log_no: i32) -> Result<Vec<PlacedChange>, StoreError> {
        read_key_changes(&self.pool, log_no).await
    }
}
