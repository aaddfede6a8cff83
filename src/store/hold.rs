//! Holds: a stop set by someone who may. Setting one takes the lock that the claim shares.

use super::quarantine::Decider;
use super::unit::{IncidentKey, Unit, Wait};
use super::{Store, StoreError};
use crate::model::person::printed_id;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The reason stays in the table: free text may name somebody, and a leaf lasts for ever.
fn detail(hold_id: Uuid, by: Decider) -> Map<String, Value> {
    let ids = [("command", by.command_id), ("hold", hold_id), ("user", by.user_id)];
    ids.into_iter().map(|(name, id)| (name.to_owned(), json!(id.to_string()))).collect()
}

impl Store {
    /// Sets a hold on the incident, or on one person of it.
    pub async fn set_hold(
        &self,
        incident: IncidentKey,
        person_id: Option<Uuid>,
        reason: &str,
        by: Decider,
    ) -> Result<Uuid, StoreError> {
        let hold_id = Uuid::now_v7();
        let mut unit = self.hold_unit(incident, person_id).await?;
        sqlx::query!(
            "insert into hold (hold_id, controller_id, incident_no, person_id, reason, set_by, command_id) values ($1, $2, $3, $4, $5, $6, $7)",
            hold_id,
            incident.controller_id,
            incident.incident_no,
            person_id,
            reason,
            by.user_id,
            by.command_id
        )
        .execute(&mut *unit.tx)
        .await?;
        unit.plain_event(person_id, "hold.set", detail(hold_id, by))?;
        unit.commit().await?;
        Ok(hold_id)
    }

    /// Lifts a hold; one that is lifted already stays as it is.
    pub async fn lift_hold(&self, hold_id: Uuid, by: Decider) -> Result<(), StoreError> {
        let row = sqlx::query!("select controller_id, incident_no, person_id from hold where hold_id = $1", hold_id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| StoreError::missing("hold", &hold_id.to_string()))?;
        let incident = IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no };
        let mut unit = self.hold_unit(incident, row.person_id).await?;
        let lifted = sqlx::query!(
            "update hold set lifted_by = $2, lifted_command_id = $3, lifted_at = duly_now() where hold_id = $1 and lifted_at is null",
            hold_id,
            by.user_id,
            by.command_id
        )
        .execute(&mut *unit.tx)
        .await?;
        if lifted.rows_affected() == 1 {
            unit.plain_event(row.person_id, "hold.lifted", detail(hold_id, by))?;
        }
        unit.commit().await
    }

    /// Whether a hold still stands.
    pub async fn is_open_hold(&self, hold_id: Uuid) -> Result<bool, StoreError> {
        let row = sqlx::query!(r#"select lifted_at is null as "is_open!" from hold where hold_id = $1"#, hold_id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| row.is_open).ok_or_else(|| StoreError::missing("hold", &hold_id.to_string()))
    }

    /// Holds that still stand where this one stood: of the whole incident, and of single people.
    pub async fn count_holds_beside(&self, hold_id: Uuid) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query!(
            r#"select count(*) filter (where h.person_id is null) as "whole!", count(h.person_id) as "single!"
                 from hold this join hold h using (controller_id, incident_no)
                where this.hold_id = $1 and h.lifted_at is null
                  and (this.person_id is null or h.person_id is null or h.person_id = this.person_id)"#,
            hold_id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.whole, row.single))
    }

    /// Takes the incident exclusively: every claim is either committed before, or sees what this unit writes.
    pub(super) async fn hold_unit(&self, incident: IncidentKey, person_id: Option<Uuid>) -> Result<Unit, StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("update incident set hold_version = hold_version + 1 where incident_no = $1", incident.incident_no)
            .execute(&mut *tx)
            .await?;
        let unit = self.unit_in(tx, incident, person_id.as_slice(), Wait::Wait).await?;
        match person_id {
            Some(id) if !unit.people.contains_key(&id) => Err(StoreError::missing("person", &printed_id(id))),
            _ => Ok(unit),
        }
    }

    /// Sum of all hold versions: workers compare it just before a call, at most half a second old.
    pub async fn hold_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query!(r#"select coalesce(sum(hold_version), 0)::bigint as "version!" from incident"#)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.version)
    }

    /// Lists open holds: id, person, reason.
    pub async fn list_holds(&self, incident: IncidentKey) -> Result<Vec<(Uuid, Option<Uuid>, String)>, StoreError> {
        let rows = sqlx::query!(
            "select hold_id, person_id, reason from hold where controller_id = $1 and incident_no = $2 and lifted_at is null order by hold_id",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.hold_id, row.person_id, row.reason)).collect())
    }
}
