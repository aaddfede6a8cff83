//! Attempts, outcomes, receipts and provider ids: what was done is what was announced, and all of it.

use super::{Finding, Snapshot, finding, found};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

impl Snapshot {
    pub(super) async fn audit_sends(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_attempts(incident).await?;
        findings.extend(self.audit_proofs(incident).await?);
        findings.extend(self.audit_profiles(incident).await?);
        Ok(findings)
    }

    async fn audit_attempts(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'outcome_without_attempt' as code, o.message_id::text as place from outcome o
                where o.controller_id = $1 and o.incident_no = $2 and not exists (select from attempt a
                  where a.controller_id = $1 and a.incident_no = $2 and a.message_id = o.message_id and a.attempt = o.attempt)
                  and not exists (select from message m join event e on e.controller_id = $1 and e.incident_no = $2 and e.person_id = m.person_id
                      and e.message_id = m.message_id and e.kind = 'message.intent' and e.attempt = o.attempt and e.restored_id is not null
                  where m.controller_id = $1 and m.incident_no = $2 and m.message_id = o.message_id)
               union all
               select 'attempt_without_intent' as code, a.message_id || '/' || a.attempt from attempt a
                 left join event e on e.controller_id = $1 and e.incident_no = $2 and e.person_id = a.person_id
                      and e.message_id = a.message_id and e.kind = 'message.intent' and e.attempt = a.attempt
                where a.controller_id = $1 and a.incident_no = $2
                group by a.message_id, a.attempt having count(e.ord) <> 1
               union all
               select 'intent_without_attempt' as code, e.message_id || '/' || e.attempt from event e
                where e.controller_id = $1 and e.incident_no = $2 and e.kind = 'message.intent' and e.restored_id is null and not exists (select from attempt a
                  where a.controller_id = $1 and a.incident_no = $2 and a.message_id = e.message_id and a.attempt = e.attempt
                    and a.person_id = e.person_id)
               union all
               select 'reference_shared' as code, min(a.message_id::text) from attempt a
                where a.controller_id = $1 and a.incident_no = $2
                group by a.lane, a.reference having count(distinct a.message_id) > 1) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }

    /// What is said of a message, held against what providers said.
    async fn audit_proofs(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with said as (
                 select message_id, provider_id from outcome
                  where controller_id = $1 and incident_no = $2 and kind = 'accepted'
                 union
                 select r.message_id, r.provider_id from receipt r join message m on m.message_id = r.message_id
                  where m.controller_id = $1 and m.incident_no = $2 and r.verdict = 'verified' and r.status is not null
                    and r.result in ('applied', 'no_change')
                 union
                 select message_id, unnest(found) from lookup where controller_id = $1 and incident_no = $2),
               taken as (
                 select m.message_id, m.person_id, m.due_at, m.state, m.state in ('accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset',
                        'carrier_delivered', 'returned', 'failed', 'expired', 'overdue') as is_taken
                   from message m where m.controller_id = $1 and m.incident_no = $2),
               rules as (
                 select q.plan_no, p.key as profile, k.channel, k.content, k.state
                   from plan q cross join lateral jsonb_each(convert_from(q.body, 'UTF8')::jsonb -> 'profiles') p
                  cross join lateral jsonb_to_recordset(p.value -> 'closing') as k (channel text, content text, state text)
                  where q.controller_id = $1 and q.incident_no = $2)
               select code as "code!", place as "place!" from (
               select 'accepted_but_not_said' as code, t.message_id::text as place from taken t
                where not t.is_taken and exists (select from said s where s.message_id = t.message_id)
               union all
               select 'said_without_proof' as code, t.message_id::text from taken t
                where t.is_taken and not exists (select from said s where s.message_id = t.message_id)
                  and not exists (select from event e where e.controller_id = $1 and e.incident_no = $2 and e.person_id = t.person_id
                      and e.message_id = t.message_id and e.restored_id is not null)
               union all
               select 'duplicate_without_alarm' as code, s.message_id::text from said s
                where not exists (select from alarm a where a.controller_id = $1 and a.incident_no = $2 and a.message_id = s.message_id
                  and a.code = 'possible_duplicate')
                group by s.message_id having count(distinct s.provider_id) > 1
               union all
               select 'receipt_differs' as code, e.message_id::text from event e
                 join person p on p.controller_id = $1 and p.incident_no = $2 and p.person_id = e.person_id and p.erased_at is null
                cross join lateral (select d ->> 'body' as hash, d ->> 'claimed_by' as claimed_by from (select convert_from(e.body, 'utf8')::jsonb -> 'd' as d) d) b
                where e.controller_id = $1 and e.incident_no = $2 and e.kind in ('receipt', 'receipt.late') and b.hash is not null and e.restored_id is null
                  -- Where its provider was asked, that answer's own word counts.
                  and not exists (select from receipt r where r.message_id = e.message_id and encode(sha256(r.sealed), 'hex') = b.hash
                      and (r.claimed is not null or r.claimed_by is not distinct from b.claimed_by))
               union all
               -- A receipt names its message by a call's reference, on its lane or another of the account. A restore loses calls.
               select 'receipt_differs' as code, r.receipt_id::text from receipt r join message m on m.message_id = r.message_id
                where m.controller_id = $1 and m.incident_no = $2 and r.result in ('applied', 'no_change')
                  and not exists (select from attempt a where a.controller_id = $1 and a.incident_no = $2 and a.message_id = r.message_id
                      and coalesce(r.reference = a.reference, a.lane = r.provider or exists (select from outcome o where o.controller_id = $1
                          and o.incident_no = $2 and o.message_id = r.message_id and o.provider_id = r.provider_id)))
                  and not exists (select from restored_call c where c.controller_id = $1 and c.incident_no = $2 and c.message_id = r.message_id)
                  and not exists (select from event e where e.controller_id = $1 and e.incident_no = $2 and e.person_id = m.person_id
                      and e.message_id = m.message_id and e.kind = 'message.intent' and e.restored_id is not null)
               union all
               select 'posted_without_deadline' as code, m.message_id::text from message m
                 join prepared_content c on c.controller_id = $1 and c.incident_no = $2 and c.person_id = m.person_id and c.phase = m.phase
                      and c.channel = m.channel
                 join notice n on n.controller_id = $1 and n.incident_no = $2 and n.person_id = m.person_id and n.phase = m.phase
                 join rules k on k.plan_no = n.plan_no and k.profile = n.profile and k.channel = m.channel and k.content = c.content
                      and k.state in ('delivered_to_handset', 'carrier_delivered', 'returned')
                where m.controller_id = $1 and m.incident_no = $2 and m.state = 'handed_to_carrier' and m.due_at is null
               union all
               select 'open_without_deadline' as code, t.message_id::text from taken t
                where t.due_at is null and t.state in ('ready', 'sending', 'unknown', 'asked', 'accepted', 'sent', 'printed', 'overdue')
               ) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }

    /// Everybody is told under the profile that their plan has for their jurisdiction, and each call says so.
    async fn audit_profiles(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with told as (
                 select q.plan_no, p.key as profile, jsonb_object_keys(p.value -> 'jurisdictions') as jurisdiction
                   from plan q cross join lateral jsonb_each(convert_from(q.body, 'UTF8')::jsonb -> 'profiles') p
                  where q.controller_id = $1 and q.incident_no = $2)
               select place as "place!" from (
               select 'p_' || replace(n.person_id::text, '-', '') as place from notice n
                 join person p on p.controller_id = $1 and p.incident_no = $2 and p.person_id = n.person_id
                where n.controller_id = $1 and n.incident_no = $2 and not exists (select from told t
                      where t.plan_no = n.plan_no and t.profile = n.profile and t.jurisdiction = p.jurisdiction)
               union all
               select e.message_id || '/' || e.attempt from event e
                 join notice n on n.controller_id = $1 and n.incident_no = $2 and n.person_id = e.person_id and n.phase = e.notice_phase
                where e.controller_id = $1 and e.incident_no = $2 and e.kind = 'message.intent'
                  and convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'profile' is distinct from n.profile) as found (place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|r| finding("profile_differs", r.place)).collect())
    }
}
