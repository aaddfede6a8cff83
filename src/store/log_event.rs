//! Facts that concern no person: of an incident as a whole, of a controller, or of the system. They move nothing.

use super::sequencing::LogScope;
use super::unit::IncidentKey;
use super::{Store, StoreError};
use duly_ledger::{Event, leaf_hash};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

/// A kind and what it adds.
pub(crate) type Fact = (&'static str, Map<String, Value>);

/// Writes the events of facts in the transaction that makes them true.
pub(crate) async fn insert_log_events(
    connection: &mut PgConnection,
    scope: LogScope,
    facts: impl IntoIterator<Item = Fact>,
) -> Result<(), StoreError> {
    let mut facts = facts.into_iter().peekable();
    if facts.peek().is_none() {
        return Ok(());
    }
    let (controller_id, incident_no) = scope.columns();
    let row = sqlx::query!(
        r#"select coalesce((select incident_id from incident where incident_no = $2), $1::uuid, (select installation_id from installation)) as "log_id!",
                  (extract(epoch from duly_now()) * 1000000)::bigint as "now_micros!""#,
        controller_id,
        incident_no
    )
    .fetch_one(&mut *connection)
    .await?;
    let (mut kinds, mut bodies, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, detail) in facts {
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
        kinds.push(kind.to_owned());
        leaves.push(leaf_hash(&body).to_vec());
        bodies.push(body);
    }
    sqlx::query!(
        "insert into event (controller_id, incident_no, kind, body, leaf) select $1, $2, j.* from unnest($3::text[], $4::bytea[], $5::bytea[]) as j",
        controller_id,
        incident_no,
        &kinds,
        &bodies,
        &leaves
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Writes what an audit found, by the role that does nothing else: the application's may not say that nothing was found.
    pub async fn insert_audit(
        &self,
        incident: IncidentKey,
        kind: &'static str,
        detail: Map<String, Value>,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        if sqlx::raw_sql("set local role duly_audit").execute(&mut *tx).await.is_err() {
            return Err(StoreError::Forbidden {
                what: "this database login may not take the role `duly_audit`, which alone says what an audit found",
                remedy: "as an owner of the database `grant duly_audit to` the login of `duly serve scheduler`",
            });
        }
        insert_log_events(&mut tx, LogScope::Incident(incident.controller_id, incident.incident_no), [(kind, detail)]).await?;
        Ok(tx.commit().await?)
    }

    /// Writes an event that stands alone: what happened left no other trace in the database.
    pub async fn insert_event(&self, scope: LogScope, kind: &'static str, detail: Map<String, Value>) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        insert_log_events(&mut tx, scope, [(kind, detail)]).await?;
        Ok(tx.commit().await?)
    }
}
