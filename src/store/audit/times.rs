//! Times in rows, and the words of calls and answers, against the events that tell of them.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

/// How far the time of a row may lie from its event's, seconds: both are the database's, of one transaction.
const APART_SECONDS_MAX: i32 = 300;
/// The same for what somebody did: a plan for a million people is prepared in one transaction, and takes its time.
const DEED_SECONDS_MAX: i32 = 1800;

impl Snapshot {
    pub(super) async fn audit_times(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_times_of_calls(incident).await?;
        findings.extend(self.audit_times_of_notices(incident).await?);
        findings.extend(self.audit_times_of_deeds(incident).await?);
        Ok(findings)
    }

    /// Calls were claimed when their intents say, repeat where they say so, and may start for no longer than their lease; answers
    /// came when and as their events say, and an acceptance has its provider's id. Rows that a restore lost are told by events alone.
    async fn audit_times_of_calls(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with told as materialized (
                 select e.kind, e.message_id, e.attempt, e.lease_in_ms, (b.body ->> 't')::timestamptz as at, b.body -> 'd' as d
                   from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body offset 0) b
                  where e.controller_id = $1 and e.incident_no = $2 and e.person_id is not null and e.restored_id is null
                    and e.kind in ('message.intent', 'message.accepted', 'message.rejected', 'message.not_taken', 'message.lane_stopped', 'message.unknown')),
               answers as (
                 select o.*, t.at as told_at, t.d ->> 'code' as told_code from outcome o
                   join told t on t.message_id = o.message_id and t.kind = 'message.' || o.kind and (t.d ->> 'attempt')::int = o.attempt
                        and coalesce(t.d ->> 'ground', '') not in ('lease', 'restored')
                  where o.controller_id = $1 and o.incident_no = $2)
               select code as "code!", place as "place!" from (
               select 'attempt_differs' as code, a.message_id || '/' || a.attempt as place from attempt a
                 join told t on t.kind = 'message.intent' and t.message_id = a.message_id and t.attempt = a.attempt
                where a.controller_id = $1 and a.incident_no = $2
                  and (abs(extract(epoch from a.claimed_at - t.at)) > $3::int or to_jsonb(a.is_repeat) is distinct from t.d -> 'repeat'
                    or a.send_by <= a.claimed_at or a.send_by > a.claimed_at + t.lease_in_ms * interval '1 millisecond')
               union all
               select 'outcome_differs' as code, a.message_id || '/' || a.attempt from answers a
                where abs(extract(epoch from a.at - a.told_at)) > $3::int or a.code <> a.told_code or (a.kind = 'accepted' and a.provider_id is null)
               ) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no,
            APART_SECONDS_MAX
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }

    /// Notices ended, and people were alerted, when the newest of their events says so; one that was brought back comes later.
    async fn audit_times_of_notices(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"select 'p_' || replace(n.person_id::text, '-', '') as "place!" from notice n
                 left join lateral (select e.notice_to, e.restored_id, (convert_from(e.body, 'UTF8')::jsonb ->> 't')::timestamptz as at from event e
                        where e.controller_id = $1 and e.incident_no = $2 and e.person_id = n.person_id and e.notice_phase = n.phase
                          and e.notice_to is not null order by e.n desc limit 1) m on true
                 left join lateral (select e.restored_id, (convert_from(e.body, 'UTF8')::jsonb ->> 't')::timestamptz as at from event e
                        where e.controller_id = $1 and e.incident_no = $2 and e.person_id = n.person_id and e.notice_phase = n.phase
                          and e.alerted order by e.n limit 1) a on true
                where n.controller_id = $1 and n.incident_no = $2
                  and ((m.restored_id is null and ((n.ended_at is null) <> (coalesce(m.notice_to, 'open') = 'open')
                         or abs(extract(epoch from n.ended_at - m.at)) > $3::int))
                    or (a.restored_id is null and ((n.alerted_at is null) <> (a.at is null) or abs(extract(epoch from n.alerted_at - a.at)) > $3::int)))
                order by 1"#,
            incident.controller_id,
            incident.incident_no,
            APART_SECONDS_MAX
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|place| found("time_differs", place)).collect()
    }

    /// What somebody did was done when its event says.
    async fn audit_times_of_deeds(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"with told as materialized (
                 select e.kind, e.person_id, (b.body ->> 't')::timestamptz as at, b.body -> 'd' as d
                   from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body offset 0) b
                  where (e.controller_id is null or e.controller_id = $1) and (e.incident_no is null or e.incident_no = $2) and e.restored_id is null
                    and e.kind in ('plan.prepared', 'list.frozen', 'controller.added', 'incident.added', 'user.added', 'user.revoked', 'log.opened',
                        'key.destroyed', 'row.discarded', 'row.corrected', 'controller.list_key_set', 'controller.letterhead_set', 'template.reviewed')),
               pairs as (
                 select 'plan ' || q.plan_no as place, q.prepared_at as at, t.at as told from plan q
                   join told t on t.kind = 'plan.prepared' and (t.d ->> 'plan')::int = q.plan_no where q.controller_id = $1 and q.incident_no = $2
                 union all
                 select 'list ' || f.list_no, f.frozen_at, t.at from list_freeze f
                   join told t on t.kind = 'list.frozen' and (t.d ->> 'list')::int = f.list_no where f.controller_id = $1 and f.incident_no = $2
                 union all
                 select 'controller ' || c.slug, c.created_at, t.at from controller c join told t on t.kind = 'controller.added' where c.controller_id = $1
                 union all
                 select 'incident ' || i.slug, i.created_at, t.at from incident i
                   join told t on t.kind = 'incident.added' and t.d ->> 'incident' = i.incident_id::text where i.controller_id = $1 and i.incident_no = $2
                 union all
                 select 'user ' || u.user_id, case t.kind when 'user.added' then u.created_at else u.revoked_at end, t.at from app_user u
                   join told t on t.kind in ('user.added', 'user.revoked') and t.d ->> 'user' = u.user_id::text
                 union all
                 select 'log ' || g.origin, g.opened_at, t.at from log_generation g join told t on t.kind = 'log.opened' and t.d ->> 'origin' = g.origin
                 union all
                 -- Erased without an event of it, own or brought back, is erased in silence.
                 select 'person ' || p.person_id, p.erased_at, coalesce(t.at, (select p.erased_at from event e where e.controller_id = $1
                        and e.incident_no = $2 and e.person_id = p.person_id and e.kind = 'key.destroyed' limit 1)) from person p
                   left join told t on t.kind = 'key.destroyed' and t.person_id = p.person_id
                  where p.controller_id = $1 and p.incident_no = $2 and (p.erased_at is not null or t.at is not null)
                 union all
                 select 'row ' || row_name(r.list_no, r.identity), r.decided_at, t.at from row_decision r
                   join told t on t.kind in ('row.discarded', 'row.corrected') and (t.d ->> 'list') || '/' || (t.d ->> 'row') = row_name(r.list_no, r.identity)
                  where r.controller_id = $1 and r.incident_no = $2
                 union all
                 select 'key ' || k.key_no, k.pinned_at, t.at from controller_list_key k
                   join told t on t.kind = 'controller.list_key_set' and t.d ->> 'command' = k.command_id::text where k.controller_id = $1
                 union all
                 select 'letterhead ' || h.letterhead_no, h.set_at, t.at from letterhead h
                   join told t on t.kind = 'controller.letterhead_set' and t.d ->> 'command' = h.command_id::text where h.controller_id = $1
                 union all
                 select 'review of ' || v.template, v.reviewed_at, t.at from template_review v
                   join told t on t.kind = 'template.reviewed' and t.d ->> 'command' = v.command_id::text)
               select place as "place!" from pairs where coalesce(abs(extract(epoch from at - told)) > $3::int, true) order by 1"#,
            incident.controller_id,
            incident.incident_no,
            DEED_SECONDS_MAX
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|place| found("time_differs", place)).collect()
    }
}
