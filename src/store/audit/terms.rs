//! What waits comes to somebody's eyes in time: nothing was put off beyond its state's term, no true receipt laid aside.

use super::{Finding, Snapshot, found};
use crate::store::unit::IncidentKey;
use crate::store::{Deadlines, StoreError};

/// How much later than its state's term a message or receipt may be due, ms: some are looked at again each day.
const SLACK_MS: i64 = 86_400_000;

impl Snapshot {
    pub(super) async fn audit_terms(&mut self, incident: IncidentKey, terms: Deadlines) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'due_too_late' as code, m.message_id::text as place from message m
                where m.controller_id = $1 and m.incident_no = $2 and m.due_at is not null
                  and greatest(m.due_at, m.lease_until) > case when m.state = 'ready' then greatest(m.expires_at, duly_now()) else duly_now() end
                    + interval '1 millisecond' * ($3::bigint + case m.state when 'ready' then $4::bigint when 'sending' then $5::bigint
                        when 'unknown' then $6::bigint when 'asked' then $7::bigint when 'overdue' then $8::bigint else $9::bigint end)
               union all
               select 'receipt_put_aside' as code, r.receipt_id::text from receipt r
                 join attempt a on a.controller_id = $1 and a.incident_no = $2 and a.reference = r.reference and a.lane = r.provider
                where r.controller_id = $1 and r.verdict = 'verified'
                group by r.receipt_id
               having r.result = 'refused'
                   or (r.result = 'unmatched' and not exists (select from outcome p where p.provider_id = r.provider_id and p.message_id <> all(array_agg(a.message_id))))
                   or (r.result <> 'unmatched' and not coalesce(r.message_id = any(array_agg(a.message_id)), false))
                   or (r.result is null and (r.due_at is null or r.due_at > duly_now() + interval '1 millisecond' * $3::bigint))
                   or (r.result = 'replay' and not exists (select from receipt e where e.controller_id = r.controller_id
                        and e.provider = r.provider and e.event_name = r.event_name and e.reference is not distinct from r.reference and e.verdict = 'verified' and e.receipt_id < r.receipt_id))
               ) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no,
            SLACK_MS,
            terms.queue_lease_ms,
            terms.lease_ms,
            terms.unknown_ms,
            terms.asked_ms,
            terms.overdue_ms,
            terms.no_news_ms
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
