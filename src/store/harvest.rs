//! Messages of which no last word has come: what their providers are asked about.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::MessageState;
use std::time::Duration;
use uuid::Uuid;

/// Which messages are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Lane.
    pub lane: &'a str,
    /// Not those that were asked about within this time; what is old is asked about less often.
    pub every: Duration,
    /// Not those that the provider has forgotten.
    pub retention: Option<Duration>,
    /// Messages at most.
    pub limit: i64,
}

/// A message of which news may have come.
#[derive(Debug, Clone)]
pub struct Untold {
    /// Place in every key.
    pub incident: IncidentKey,
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Present state.
    pub state: MessageState,
    /// Newest attempt.
    pub attempt: i32,
    /// Our reference at the provider.
    pub reference: String,
    /// The provider's id, once known.
    pub provider_id: Option<String>,
    /// Whether it is known that the letter was posted; the same again is no news.
    pub was_posted: bool,
}

impl Store {
    /// Messages that a provider took and said no last word about, least lately asked about first.
    pub async fn list_untold_news(&self, asking: &Asking<'_>) -> Result<Vec<Untold>, StoreError> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let rows = sqlx::query!(
            r#"select m.controller_id, m.incident_no, m.message_id, m.person_id, m.state, m.attempt, a.reference,
                      (select o.provider_id from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.provider_id is not null limit 1) as provider_id,
                      m.state = 'overdue' and exists (select from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no
                          and e.person_id = m.person_id and e.message_id = m.message_id and e.message_to = 'handed_to_carrier') as "was_posted!"
                 from message m
                 join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id and a.attempt = m.attempt
                 left join lateral (select max(l.sent_at) as at from lookup l where l.message_id = m.message_id) l on true
                where m.lane = $1 and m.state in ('accepted', 'sent', 'printed', 'overdue', 'handed_to_carrier')
                  and a.claimed_at > duly_now() - $3::bigint * interval '1 second'
                  and coalesce(l.at, a.claimed_at) < duly_now() - greatest($2::bigint * interval '1 second', least((duly_now() - a.claimed_at) / 8, interval '1 day'))
                order by l.at nulls first limit $4"#,
            asking.lane,
            seconds(asking.every),
            asking.retention.map_or(10 * 365 * 86_400, seconds),
            asking.limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Untold {
                    incident: IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no },
                    message_id: row.message_id,
                    person_id: row.person_id,
                    state: word(&row.state)?,
                    attempt: row.attempt,
                    reference: row.reference,
                    provider_id: row.provider_id,
                    was_posted: row.was_posted,
                })
            })
            .collect()
    }
}
