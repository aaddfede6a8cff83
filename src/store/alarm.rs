//! Alarms: what somebody must look at, apart from any message's state.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use uuid::Uuid;

impl Store {
    /// Raises an alarm of an incident as a whole.
    pub async fn raise_alarm(&self, incident: IncidentKey, code: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into alarm (alarm_id, controller_id, incident_no, code) values ($1, $2, $3, $4)",
            Uuid::now_v7(),
            incident.controller_id,
            incident.incident_no,
            code
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
