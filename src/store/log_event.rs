//! Facts of a controller's or the system's log: they concern no person and move nothing.

use super::sequencing::LogScope;
use super::{Store, StoreError};
use duly_ledger::{Event, leaf_hash};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

/// Writes the event of a fact in the transaction that makes it true.
pub(crate) async fn insert_log_event(
    connection: &mut PgConnection,
    scope: LogScope,
    kind: &'static str,
    detail: Map<String, Value>,
) -> Result<(), StoreError> {
    let (controller_id, incident_no) = scope.columns();
    let row = sqlx::query!(
        r#"select coalesce((select incident_id from incident where incident_no = $2), $1::uuid, (select installation_id from installation)) as "log_id!",
                  (extract(epoch from duly_now()) * 1000000)::bigint as "now_micros!""#,
        controller_id,
        incident_no
    )
    .fetch_one(&mut *connection)
    .await?;
    let event = Event {
        id: Uuid::now_v7().to_string(),
        inc: row.log_id.to_string(),
        kind: kind.to_owned(),
        n: None,
        person: None,
        prev: None,
        at_micros: row.now_micros,
        detail,
    };
    let body = event.to_bytes()?;
    let leaf = leaf_hash(&body);
    sqlx::query!(
        "insert into event (controller_id, incident_no, kind, body, leaf) values ($1, $2, $3, $4, $5)",
        controller_id,
        incident_no,
        kind,
        body,
        leaf.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Writes an event that stands alone: what happened left no other trace in the database.
    pub async fn insert_event(&self, scope: LogScope, kind: &'static str, detail: Map<String, Value>) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        insert_log_event(&mut tx, scope, kind, detail).await?;
        Ok(tx.commit().await?)
    }
}
