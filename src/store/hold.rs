//! Holds: a stop set by someone who may. Setting one takes the lock that the claim shares.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use uuid::Uuid;

impl Store {
    /// Sets a hold on the incident, or on one person of it.
    pub async fn set_hold(&self, incident: IncidentKey, person_id: Option<Uuid>, reason: &str, user_id: Uuid) -> Result<Uuid, StoreError> {
        let hold_id = Uuid::now_v7();
        let mut tx = self.pool.begin().await?;
        // Exclusive: every claim of this incident is either committed before, or sees the hold.
        sqlx::query!("update incident set hold_version = hold_version + 1 where incident_no = $1", incident.incident_no).execute(&mut *tx).await?;
        sqlx::query!(
            "insert into hold (hold_id, controller_id, incident_no, person_id, reason, set_by) values ($1, $2, $3, $4, $5, $6)",
            hold_id,
            incident.controller_id,
            incident.incident_no,
            person_id,
            reason,
            user_id
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(hold_id)
    }

    /// Lifts a hold.
    pub async fn lift_hold(&self, hold_id: Uuid, user_id: Uuid) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!("select incident_no from hold where hold_id = $1", hold_id).fetch_optional(&mut *tx).await?;
        let row = row.ok_or_else(|| StoreError::missing("hold", &hold_id.to_string()))?;
        sqlx::query!("update incident set hold_version = hold_version + 1 where incident_no = $1", row.incident_no).execute(&mut *tx).await?;
        sqlx::query!("update hold set lifted_by = $2, lifted_at = duly_now() where hold_id = $1 and lifted_at is null", hold_id, user_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sum of all hold versions: workers compare it just before a call, at most half a second old.
    pub async fn hold_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query!(
            r#"select (coalesce(sum(i.hold_version), 0) + (select count(*) from plan where state = 'paused'))::bigint as "version!" from incident i"#
        )
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
