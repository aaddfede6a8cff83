//! Messages of which Duly does not know enough: unknown calls, open questions, news that never came.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::{Channel, MessageState, Route};
use time::OffsetDateTime;
use uuid::Uuid;

/// A message that is unknown, asked or overdue, and what is on record of its newest call.
#[derive(Debug, Clone)]
pub struct Question {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Plan that it goes out under.
    pub plan_no: i32,
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
    /// When the first one was; `None`: that was in a time of which nothing is known here.
    pub first_since: Option<OffsetDateTime>,
    /// Until when the last call could begin.
    pub begins_until: Option<OffsetDateTime>,
    /// How the last call ended: the word of its outcome, its code, and when it was recorded.
    pub outcome: Option<(String, String, OffsetDateTime)>,
    /// What it is called at its provider.
    pub reference: Option<String>,
    /// Whether its frozen bytes are on record.
    pub has_request: bool,
    /// What its provider was asked about the last call.
    pub looks: Looks,
    /// Why it stands as it does, as its event says.
    pub ground: Option<String>,
    /// Route of the notice.
    pub route: Route,
    /// Whether our deadline for sending it is over.
    pub is_expired: bool,
    /// Whether the next step of the route exists already.
    pub has_successor: bool,
    /// The moment of all that.
    pub now: OffsetDateTime,
}

/// The look-ups of one call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Looks {
    /// How many were made.
    pub count: i64,
    /// When the last one left, and what it told.
    pub last: Option<(OffsetDateTime, Told)>,
}

/// What a look-up told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The message.
    Found,
    /// That nothing is there under our reference.
    Nothing,
    /// Nothing that means anything, or it is on its way.
    NoAnswer,
}

impl Told {
    /// What a row says: ids, no ids, or no answer.
    fn of(found: Option<&[String]>) -> Self {
        match found {
            None => Self::NoAnswer,
            Some([]) => Self::Nothing,
            Some(_) => Self::Found,
        }
    }
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
            r#"select m.message_id, m.person_id, m.plan_no, m.channel, m.state, m.lane, m.attempt, o.route, a.claimed_at as "claimed_at?",
                      greatest(a.send_by, r.at) as begins_until, coalesce(r.reference, a.reference) as reference,
                      coalesce(octet_length(a.request), 0) > 0 as "has_request!",
                      (select min(b.claimed_at) from attempt b where b.controller_id = m.controller_id and b.incident_no = m.incident_no
                          and b.message_id = m.message_id having min(b.claimed_at) <= coalesce(r.at, min(b.claimed_at))) as first_claimed_at,
                      u.kind as "kind?", u.code as "code?", u.at as "answered_at?",
                      l.n as "looks?", l.sent_at as "looked_at?", l.found as "found?",
                      (select convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'ground' from event e where e.controller_id = m.controller_id
                          and e.incident_no = m.incident_no and e.person_id = m.person_id and e.message_id = m.message_id
                          and e.message_to = m.state order by e.n desc limit 1) as ground,
                      m.expires_at <= duly_now() as "is_expired!", duly_now() as "now!",
                      exists (select from message s where s.controller_id = m.controller_id and s.incident_no = m.incident_no
                          and s.person_id = m.person_id and s.phase = m.phase and s.reason = 'escalation' and s.message_id <> m.message_id) as "has_successor!"
                 from message m
                 join notice o on o.controller_id = m.controller_id and o.incident_no = m.incident_no and o.person_id = m.person_id and o.phase = m.phase
                 left join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no and a.message_id = m.message_id
                      and a.attempt = m.attempt
                 left join outcome u on u.controller_id = m.controller_id and u.incident_no = m.incident_no and u.message_id = m.message_id
                      and u.attempt = m.attempt
                 left join restored_call r on r.controller_id = m.controller_id and r.incident_no = m.incident_no and r.message_id = m.message_id
                 left join lateral (select l.sent_at, l.found, count(*) over () as n from lookup l
                      where l.message_id = m.message_id and l.attempt = m.attempt order by l.sent_at desc limit 1) l on true
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
                let outcome = row.kind.zip(row.code).zip(row.answered_at).map(|((kind, code), at)| (kind, code, at));
                let last = row.looked_at.map(|at| (at, Told::of(row.found.as_deref())));
                Ok(Question {
                    message_id: row.message_id,
                    person_id: row.person_id,
                    plan_no: row.plan_no,
                    channel: word(&row.channel)?,
                    state: word(&row.state)?,
                    lane: row.lane,
                    attempts: row.attempt,
                    since: row.claimed_at,
                    first_since: row.first_claimed_at,
                    begins_until: row.begins_until,
                    outcome,
                    reference: row.reference,
                    has_request: row.has_request,
                    looks: Looks { count: row.looks.unwrap_or(0), last },
                    ground: row.ground,
                    route: word(&row.route)?,
                    is_expired: row.is_expired,
                    has_successor: row.has_successor,
                    now: row.now,
                })
            })
            .collect()
    }
}
