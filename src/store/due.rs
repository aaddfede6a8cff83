//! What is due: messages to queue, and open states whose deadline passed.

use super::unit::{IncidentKey, Note, Wait, word};
use super::{Store, StoreError};
use crate::model::state::{Channel, MessageState};
use crate::model::step::{Cause, Limit, Step, UNCOUNTED};
use serde_json::Value;
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
    /// Milliseconds since the first call can have begun, reckoned from the oldest moment that is possible; `None`: nothing is
    /// known of that, and its provider may have forgotten it.
    pub since_first_claim_ms: Option<i64>,
    /// Whether our own deadline for sending passed.
    pub is_expired: bool,
    /// Whether the newest attempt's frozen bytes are on record; those of the time before a restore may be lost.
    pub has_request: bool,
    /// Whether it is known that the letter was posted; the same again is no news.
    pub was_posted: bool,
}

/// How many messages may be queued now, and which of them.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Messages at once.
    pub limit: i64,
    /// Messages that may be queued or in a call.
    pub outstanding_max: i64,
    /// Attempts of one message that count.
    pub attempts_max: u32,
    /// Whether also those for which no lane was chosen yet.
    pub takes_new: bool,
}

/// The codes as the database takes them.
fn uncounted() -> Vec<String> {
    UNCOUNTED.iter().map(|code| (*code).to_owned()).collect()
}

impl Store {
    // The moment is asked for once in each statement, as `(select duly_now())`: a clock that is read for every row is none
    // that an index could be searched with, and each look would walk over all open messages.

    /// Queues due messages on a lane, urgent plans first, then by turns between incidents, and by lot where a turn is
    /// larger than the quota: a lease, no evidence. The lane's first choice stays. After a rest a single message goes first.
    /// A message that somebody has locked is left for the next time: who holds some never waits here for others.
    pub async fn queue_due(&self, lane: &str, channel: Channel, quota: Quota) -> Result<Vec<Uuid>, StoreError> {
        let queued = sqlx::query_scalar!(
            "with running as (
                select q.controller_id, q.incident_no, q.plan_no, q.is_urgent,
                       array(select z from unnest(q.zones) z where night_ends(z, q.quiet_from, q.quiet_until) is not null) as night from plan q
                  join incident i on i.controller_id = q.controller_id and i.incident_no = q.incident_no and i.closed_at is null
                 where q.state = 'running' and $1 = any(q.lanes)
                   and not exists (select from restored r where r.reconciled_at is null)
                   and not exists (select from lane_pause l where l.lane = $1 and l.until > duly_now())),
             due as (
                select m.controller_id, m.incident_no, m.message_id, m.due_at, r.is_urgent,
                       row_number() over (partition by m.incident_no order by m.due_at) as turn
                  from running r cross join lateral (
                    select m.* from message m
                     where m.controller_id = r.controller_id and m.incident_no = r.incident_no and m.plan_no = r.plan_no and m.state = 'ready'
                       and m.due_at <= (select duly_now()) and m.expires_at > (select duly_now()) and m.channel = $2 and (m.lane is null and $8 or m.lane = $1)
                       and (m.channel <> 'sms' or not coalesce(m.zones && r.night, false))
                       and (m.attempt - m.counted_from < $6 or m.attempt - m.counted_from - (select count(*) from outcome o where o.controller_id = m.controller_id
                            and o.incident_no = m.incident_no and o.message_id = m.message_id and o.attempt > m.counted_from
                            and (o.kind = 'lane_stopped' or o.kind = 'not_taken' and o.code = any($7))) < $6)
                       and not exists (select from hold h where h.controller_id = m.controller_id and h.incident_no = m.incident_no
                            and h.lifted_at is null and (h.person_id is null or h.person_id = m.person_id))
                     order by m.due_at limit $3) m),
             chosen as (
                select * from due order by is_urgent desc, turn, random()
                 limit greatest(0, least($3, case when exists (select from lane_pause l where l.lane = $1) then least(1, $5::bigint) else $5::bigint end - (select count(*) from message o where o.lane = $1 and o.lease_until > (select duly_now()))))),
             free as (
                select m.controller_id, m.incident_no, m.message_id
                  from chosen c join message m on m.controller_id = c.controller_id and m.incident_no = c.incident_no and m.message_id = c.message_id
                   for no key update of m skip locked)
             update message m set lane = $1, due_at = duly_now() + $4::bigint * interval '1 millisecond',
                    lease_until = duly_now() + $4::bigint * interval '1 millisecond'
               from free c where m.controller_id = c.controller_id and m.incident_no = c.incident_no and m.message_id = c.message_id
                and m.state = 'ready' and m.due_at <= (select duly_now())
             returning m.message_id",
            lane,
            channel.as_str(),
            quota.limit,
            self.deadlines.queue_lease_ms,
            quota.outstanding_max,
            i32::try_from(quota.attempts_max).unwrap_or(i32::MAX),
            &uncounted(),
            quota.takes_new
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(queued)
    }

    /// The body of the plan that a message goes out under; `Null` where there is none.
    pub async fn load_plan_of(&self, incident: IncidentKey, message_id: Uuid) -> Result<Value, StoreError> {
        let body = sqlx::query_scalar!(
            "select q.body from message m join plan q on q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no
              where m.controller_id = $1 and m.incident_no = $2 and m.message_id = $3",
            incident.controller_id,
            incident.incident_no,
            message_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default())
    }

    /// Lists open messages whose deadline passed or whose attempts are used up, oldest first; nothing is given up while a
    /// hold or a pause keeps it. A queued message whose lease ran out is simply due again. Where a restore lost the row of the
    /// first call, that one began when its event says; without an event, not before its plan was started.
    pub async fn list_due(&self, limit: i64, attempts_max: u32) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.controller_id as "controller_id!", m.incident_no as "incident_no!", m.message_id as "message_id!", m.person_id as "person_id!",
                      m.state as "state!", m.attempt as "attempt!", m.lane,
                      m.expires_at <= (select duly_now()) as "is_expired!",
                      m.state = 'overdue' and exists (select from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no
                          and e.person_id = m.person_id and e.message_id = m.message_id and e.message_to = 'handed_to_carrier') as "was_posted!",
                      coalesce(r.reference, a.reference) as reference, coalesce(octet_length(a.request), 0) > 0 as "has_request!",
                      (extract(epoch from duly_now() - greatest(a.send_by, r.at)) * 1000)::bigint as since_send_by_ms,
                      (extract(epoch from duly_now() - case when f.claimed_at <= coalesce(r.at, f.claimed_at) then f.claimed_at else least(
                          (select min(b.claimed_at) from attempt b where b.controller_id = m.controller_id and b.incident_no = m.incident_no and b.message_id = m.message_id),
                          (select min((convert_from(e.body, 'UTF8')::jsonb ->> 't')::timestamptz) from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no and e.person_id = m.person_id and e.message_id = m.message_id and e.kind = 'message.intent'),
                          case when r.message_id is not null then coalesce(
                              (select min((convert_from(e.body, 'UTF8')::jsonb ->> 't')::timestamptz) from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no and e.person_id is null and e.plan_no = m.plan_no and e.plan_to = 'running'),
                              (select q.prepared_at from plan q where q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no)) end) end) * 1000)::bigint as since_first_claim_ms,
                      coalesce((select o.provider_id from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.provider_id is not null
                          and not exists (select from outcome p join message n on n.controller_id = p.controller_id and n.incident_no = p.incident_no and n.message_id = p.message_id
                              where p.provider_id = o.provider_id and p.message_id <> o.message_id and n.lane = m.lane) limit 1),
                          (select l.found[1] from lookup l where l.message_id = m.message_id and l.found[1] is not null limit 1)) as provider_id
                 from ((select m.* from incident i cross join lateral (
                           select * from message m where m.incident_no = i.incident_no and m.state <> 'ready'
                              and m.due_at is not null and m.due_at <= (select duly_now()) order by m.due_at limit $1) m)
                       union all
                       (select m.* from incident i
                          join plan q on q.controller_id = i.controller_id and q.incident_no = i.incident_no and q.state = 'running'
                         cross join lateral (
                           (select * from message m where m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready'
                               and m.expires_at <= (select duly_now()))
                           union all
                           (select * from message m where m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready'
                               and m.expires_at > (select duly_now()) and m.attempt > m.counted_from and m.attempt - m.counted_from >= $2
                               and m.attempt - m.counted_from - (select count(*) from outcome o where o.controller_id = m.controller_id
                                   and o.incident_no = m.incident_no and o.message_id = m.message_id and o.attempt > m.counted_from
                                   and (o.kind = 'lane_stopped' or o.kind = 'not_taken' and o.code = any($3))) >= $2)) m
                         where i.closed_at is null and m.due_at <= (select duly_now())
                           and not exists (select from hold h where h.controller_id = i.controller_id and h.incident_no = i.incident_no
                                and h.lifted_at is null and (h.person_id is null or h.person_id = m.person_id))
                         order by m.due_at limit $1)) m
                 left join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id and a.attempt = m.attempt
                 left join restored_call r on r.controller_id = m.controller_id and r.incident_no = m.incident_no and r.message_id = m.message_id
                 left join attempt f on f.controller_id = m.controller_id and f.incident_no = m.incident_no and f.message_id = m.message_id and f.attempt = 1
                order by m.due_at limit $1"#,
            limit,
            i32::try_from(attempts_max).unwrap_or(i32::MAX),
            &uncounted()
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
                    since_first_claim_ms: row.since_first_claim_ms,
                    is_expired: row.is_expired,
                    has_request: row.has_request,
                    was_posted: row.was_posted,
                })
            })
            .collect()
    }

    /// Gives a message up whose attempts are used up, counted under its lock: a late answer may have taken one off.
    pub async fn give_up(&self, row: &Due, attempts_max: u32) -> Result<Step, StoreError> {
        let mut unit = self.unit(row.incident, &[row.person_id], Wait::Wait).await?;
        let spent = sqlx::query!(
            r#"select m.counted_from, (select count(*) from outcome o where o.controller_id = $1 and o.incident_no = $2 and o.message_id = $3
                  and o.attempt > m.counted_from and (o.kind = 'lane_stopped' or o.kind = 'not_taken' and o.code = any($4))) as "uncounted!"
                 from message m where m.controller_id = $1 and m.incident_no = $2 and m.message_id = $3"#,
            row.incident.controller_id,
            row.incident.incident_no,
            row.message_id,
            &uncounted()
        )
        .fetch_one(&mut *unit.tx)
        .await?;
        let attempts = unit.messages.get(&row.message_id).map_or(0, |m| m.model.attempt);
        let uncounted = i64::from(spent.counted_from) + spent.uncounted;
        let tries = attempts.saturating_sub(u32::try_from(uncounted).unwrap_or(u32::MAX));
        let cause = Cause::GaveUp(Limit::Attempts { tries, limit: attempts_max });
        let decided = unit.apply(row.message_id, cause, Note::default())?;
        unit.commit().await?;
        Ok(decided)
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
        self.insert_question(incident, message_id, attempt, false).await
    }

    /// The same of a question that may be for the price alone.
    pub async fn insert_question(
        &self,
        incident: IncidentKey,
        message_id: Uuid,
        attempt: i32,
        asks_price: bool,
    ) -> Result<Uuid, StoreError> {
        let lookup_id = Uuid::now_v7();
        sqlx::query!(
            "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt, asks_price) values ($1, $2, $3, $4, $5, $6)",
            lookup_id,
            incident.controller_id,
            incident.incident_no,
            message_id,
            attempt,
            asks_price
        )
        .execute(&self.pool)
        .await?;
        Ok(lookup_id)
    }

    /// Puts on record that a provider answered a look-up, and knew nothing of our reference. Found ids come with the event
    /// that they cause; a look-up without either had no answer that means anything.
    pub async fn record_absent(&self, lookup_id: Uuid) -> Result<(), StoreError> {
        sqlx::query!("update lookup set found = '{}' where lookup_id = $1 and found is null", lookup_id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
