//! Messages of which Duly does not know enough: unknown calls, open questions, news that never came.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::{Channel, MessageState, Route};
use time::OffsetDateTime;
use uuid::Uuid;

/// A message that is unknown, asked or overdue.
#[derive(Debug, Clone)]
pub struct Question {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// State.
    pub state: MessageState,
    /// Lane of the last call.
    pub lane: Option<String>,
    /// Calls so far.
    pub attempts: i32,
    /// When the last call was claimed.
    pub since: Option<OffsetDateTime>,
    /// Route of the notice.
    pub route: Route,
    /// Whether our deadline for sending it is over.
    pub is_expired: bool,
    /// Whether the next step of the route exists already.
    pub has_successor: bool,
}

impl Store {
    /// Lists unknown, asked and overdue messages, oldest call first; at most `limit`.
    pub async fn list_questions(&self, incident: IncidentKey, limit: i64) -> Result<Vec<Question>, StoreError> {
        self.questions(incident, None, limit).await
    }

    /// One message of an incident in whatever state it is.
    pub async fn load_question(&self, incident: IncidentKey, message_id: Uuid) -> Result<Question, StoreError> {
        let found = self.questions(incident, Some(message_id), 1).await?;
        found.into_iter().next().ok_or_else(|| StoreError::missing("message of this incident", &message_id.to_string()))
    }

    async fn questions(&self, incident: IncidentKey, only: Option<Uuid>, limit: i64) -> Result<Vec<Question>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.message_id, m.person_id, m.channel, m.state, m.lane, m.attempt, o.route, a.claimed_at as "claimed_at?",
                      m.expires_at <= duly_now() as "is_expired!",
                      exists (select from message s where s.controller_id = m.controller_id and s.incident_no = m.incident_no
                          and s.person_id = m.person_id and s.phase = m.phase and s.reason = 'escalation' and s.message_id <> m.message_id) as "has_successor!"
                 from message m
                 join notice o on o.controller_id = m.controller_id and o.incident_no = m.incident_no and o.person_id = m.person_id and o.phase = m.phase
                 left join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no and a.message_id = m.message_id
                      and a.attempt = m.attempt
                where m.controller_id = $1 and m.incident_no = $2
                  and (m.message_id = $3 or ($3::uuid is null and m.state in ('unknown', 'asked', 'overdue')))
                order by a.claimed_at, m.message_id limit $4"#,
            incident.controller_id,
            incident.incident_no,
            only,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Question {
                    message_id: row.message_id,
                    person_id: row.person_id,
                    channel: word(&row.channel)?,
                    state: word(&row.state)?,
                    lane: row.lane,
                    attempts: row.attempt,
                    since: row.claimed_at,
                    route: word(&row.route)?,
                    is_expired: row.is_expired,
                    has_successor: row.has_successor,
                })
            })
            .collect()
    }
}
