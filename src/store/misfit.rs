//! Messages that cannot leave as they are: shown at once, until their next attempt.

use super::unit::{IncidentKey, Note, Wait};
use super::{Store, StoreError};
use crate::model::state::{MessageState, Misfit};
use crate::model::step::Cause;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// A message that a worker found unfit.
#[derive(Debug, Clone, Copy)]
pub struct NewMisfit {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// What is wrong with it.
    pub misfit: Misfit,
}

impl Store {
    /// Puts on record what cannot leave, with its event; once for each message until it is tried again.
    pub async fn record_misfits(&self, incident: IncidentKey, found: &[NewMisfit]) -> Result<(), StoreError> {
        let people: Vec<Uuid> = found.iter().map(|f| f.person_id).collect();
        let messages: Vec<Uuid> = found.iter().map(|f| f.message_id).collect();
        let mut unit = self.unit(incident, &people, Wait::Wait).await?;
        let known = sqlx::query!(
            "select message_id, attempt from misfit where controller_id = $1 and incident_no = $2 and message_id = any($3)",
            incident.controller_id,
            incident.incident_no,
            &messages
        )
        .fetch_all(&mut *unit.tx)
        .await?;
        let mut known: HashSet<(Uuid, u32)> =
            known.into_iter().map(|row| (row.message_id, u32::try_from(row.attempt).unwrap_or(0))).collect();
        for NewMisfit { message_id, misfit, .. } in found {
            let Some(model) = unit.messages.get(message_id).map(|row| &row.model) else { continue };
            // Another worker may have sent it meanwhile: whoever found it unfit had other templates.
            if model.state == MessageState::Ready && known.insert((*message_id, model.attempt)) {
                unit.apply(*message_id, Cause::Unfit(*misfit), Note::default())?;
            }
        }
        unit.commit().await
    }

    /// Messages of an incident that cannot leave, by what is wrong with them.
    pub async fn count_misfits(&self, incident: IncidentKey) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = sqlx::query!(
            r#"select x.code, count(*) as "n!" from misfit x join message m using (controller_id, incident_no, message_id, attempt)
                where x.controller_id = $1 and x.incident_no = $2 and m.state = 'ready' group by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.code, row.n)).collect())
    }
}
