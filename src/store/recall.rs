//! Messages that somebody may take back: what their provider holds and, as far as is known, has not let go.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::{Channel, MessageState};
use uuid::Uuid;

/// A message that is with its provider, or was.
#[derive(Debug, Clone)]
pub struct Recallable {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// State.
    pub state: MessageState,
    /// Lane of the last call; `None`: there was none.
    pub lane: Option<String>,
    /// The provider's name for it, by its answer to a call, or by what a look-up found.
    pub provider_id: Option<String>,
    /// Our name for it at its provider, of the last call.
    pub reference: Option<String>,
    /// Seconds since the last call was claimed.
    pub age_seconds: i64,
    /// Whether it failed because its provider gave it back.
    pub was_taken_back: bool,
}

impl Store {
    /// One message of an incident, in whatever state it is.
    pub async fn load_recallable(&self, incident: IncidentKey, message_id: Uuid) -> Result<Recallable, StoreError> {
        let found = self.recallables(incident, Some(message_id), None, None).await?;
        found.into_iter().next().ok_or_else(|| StoreError::missing("message of this incident", &message_id.to_string()))
    }

    /// Messages of a plan that a provider took and that are not known to have left, newest first.
    pub async fn list_recallable(&self, incident: IncidentKey, plan_no: i32) -> Result<Vec<Recallable>, StoreError> {
        self.recallables(incident, None, Some(plan_no), None).await
    }

    /// Every message of a person, newest call first.
    pub async fn list_messages_of(&self, incident: IncidentKey, person_id: Uuid) -> Result<Vec<Recallable>, StoreError> {
        self.recallables(incident, None, None, Some(person_id)).await
    }

    async fn recallables(
        &self,
        incident: IncidentKey,
        message_id: Option<Uuid>,
        plan_no: Option<i32>,
        person_id: Option<Uuid>,
    ) -> Result<Vec<Recallable>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.message_id, m.person_id, m.channel, m.state, m.lane,
                      coalesce((select o.provider_id from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.provider_id is not null order by o.attempt desc limit 1),
                          (select l.found[1] from lookup l where l.message_id = m.message_id and l.found[1] is not null limit 1)) as provider_id,
                      (select a.reference from attempt a where a.controller_id = m.controller_id and a.incident_no = m.incident_no
                          and a.message_id = m.message_id order by a.attempt desc limit 1) as reference,
                      coalesce(extract(epoch from duly_now() - (select max(a.claimed_at) from attempt a where a.controller_id = m.controller_id
                          and a.incident_no = m.incident_no and a.message_id = m.message_id)), 0)::bigint as "age_seconds!",
                      m.state = 'failed' and exists (select from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no
                          and e.person_id = m.person_id and e.message_id = m.message_id and e.kind = 'message.recalled' and e.message_to = 'failed') as "was_taken_back!"
                 from message m
                where m.controller_id = $1 and m.incident_no = $2
                  and (m.message_id = $3 or m.person_id = $5 or (m.plan_no = $4 and m.state in ('accepted', 'sent', 'printed', 'overdue')))
                order by 8"#,
            incident.controller_id,
            incident.incident_no,
            message_id,
            plan_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Recallable {
                    message_id: row.message_id,
                    person_id: row.person_id,
                    channel: word(&row.channel)?,
                    state: word(&row.state)?,
                    lane: row.lane,
                    provider_id: row.provider_id,
                    reference: row.reference,
                    age_seconds: row.age_seconds,
                    was_taken_back: row.was_taken_back,
                })
            })
            .collect()
    }
}
