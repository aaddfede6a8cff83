//! What is due: messages to queue, and open states whose deadline passed.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::{Channel, MessageState};
use uuid::Uuid;

/// An open message whose deadline passed.
#[derive(Debug, Clone)]
pub struct Due {
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
    /// Lane, once chosen.
    pub lane: Option<String>,
    /// Reference given to the provider, once there was an attempt.
    pub reference: Option<String>,
    /// The provider's id, once known.
    pub provider_id: Option<String>,
    /// Milliseconds since the newest attempt's `send_by`; negative before it.
    pub since_send_by_ms: i64,
    /// Milliseconds since the first claim.
    pub since_first_claim_ms: i64,
    /// Whether our own deadline for sending passed.
    pub is_expired: bool,
}

impl Store {
    /// Queues up to `limit` due messages on a lane, urgent plans first, then by turns between incidents, while fewer than `outstanding_max` are
    /// queued or in a call: a lease, no evidence. The lane's first choice stays.
    pub async fn queue_due(
        &self,
        lane: &str,
        channel: Channel,
        limit: i64,
        outstanding_max: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        let queued = sqlx::query_scalar!(
            "with running as (
                select q.controller_id, q.incident_no, q.plan_no, q.is_urgent from plan q where q.state = 'running' and $1 = any(q.lanes)
                   and not exists (select from lane_pause l where l.lane = $1 and l.until > duly_now())),
             due as (
                select m.controller_id, m.incident_no, m.message_id, m.due_at, r.is_urgent,
                       row_number() over (partition by m.incident_no order by m.due_at) as turn
                  from running r cross join lateral (
                    select m.* from message m
                     where m.controller_id = r.controller_id and m.incident_no = r.incident_no and m.plan_no = r.plan_no and m.state = 'ready'
                       and m.due_at <= duly_now() and m.expires_at > duly_now() and m.channel = $2 and (m.lane is null or m.lane = $1)
                       and not exists (select from hold h where h.controller_id = m.controller_id and h.incident_no = m.incident_no
                            and h.lifted_at is null and (h.person_id is null or h.person_id = m.person_id))
                     order by m.due_at limit $3) m),
             chosen as (
                select * from due order by is_urgent desc, turn, due_at
                 limit greatest(0, least($3, $5 - (select count(*) from message o where o.lane = $1 and o.lease_until > duly_now()))))
             update message m set lane = $1, due_at = duly_now() + $4::bigint * interval '1 millisecond',
                    lease_until = duly_now() + $4::bigint * interval '1 millisecond'
               from chosen c where m.controller_id = c.controller_id and m.incident_no = c.incident_no and m.message_id = c.message_id
                and m.state = 'ready' and m.due_at <= duly_now()
             returning m.message_id",
            lane,
            channel.as_str(),
            limit,
            self.deadlines.queue_lease_ms,
            outstanding_max
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(queued)
    }

    /// Lists open messages whose deadline passed, oldest first; nothing is given up while a hold or a pause keeps it. A queued message whose lease ran out is simply due again.
    pub async fn list_due(&self, limit: i64) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.controller_id, m.incident_no, m.message_id, m.person_id, m.state, m.attempt, m.lane,
                      m.expires_at <= duly_now() as "is_expired!",
                      a.reference as "reference?",
                      (extract(epoch from duly_now() - a.send_by) * 1000)::bigint as since_send_by_ms,
                      (extract(epoch from duly_now() - f.claimed_at) * 1000)::bigint as since_first_claim_ms,
                      (select o.provider_id from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.provider_id is not null limit 1) as provider_id
                 from incident i cross join lateral (
                    select * from message m where m.incident_no = i.incident_no and m.due_at <= duly_now()
                       and (m.state <> 'ready' or m.expires_at <= duly_now()
                            and exists (select from plan q where q.controller_id = m.controller_id and q.incident_no = m.incident_no
                                 and q.plan_no = m.plan_no and q.state = 'running')
                            and not exists (select from hold h where h.controller_id = m.controller_id and h.incident_no = m.incident_no
                                 and h.lifted_at is null and (h.person_id is null or h.person_id = m.person_id)))
                     order by m.due_at limit $1) m
                 left join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id and a.attempt = m.attempt
                 left join attempt f on f.controller_id = m.controller_id and f.incident_no = m.incident_no
                      and f.message_id = m.message_id and f.attempt = 1
                order by m.due_at limit $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Due {
                    incident: IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no },
                    message_id: row.message_id,
                    person_id: row.person_id,
                    state: word(&row.state)?,
                    attempt: row.attempt,
                    lane: row.lane,
                    reference: row.reference,
                    provider_id: row.provider_id,
                    since_send_by_ms: row.since_send_by_ms.unwrap_or(0),
                    since_first_claim_ms: row.since_first_claim_ms.unwrap_or(0),
                    is_expired: row.is_expired,
                })
            })
            .collect()
    }

    /// Looks again later; nothing is known that was not known before, so no event.
    pub async fn postpone(
        &self,
        incident: IncidentKey,
        message_id: Uuid,
        state: MessageState,
        ms: i64,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update message set due_at = duly_now() + $5::bigint * interval '1 millisecond'
              where controller_id = $1 and incident_no = $2 and message_id = $3 and state = $4",
            incident.controller_id,
            incident.incident_no,
            message_id,
            state.as_str(),
            ms
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts on record that a look-up is about to leave.
    pub async fn insert_lookup(&self, incident: IncidentKey, message_id: Uuid, attempt: i32) -> Result<Uuid, StoreError> {
        let lookup_id = Uuid::now_v7();
        sqlx::query!(
            "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt) values ($1, $2, $3, $4, $5)",
            lookup_id,
            incident.controller_id,
            incident.incident_no,
            message_id,
            attempt
        )
        .execute(&self.pool)
        .await?;
        Ok(lookup_id)
    }
}
