//! Receipts that were laid aside: the controller's log tells of as many as there are, day by day, for as long as they are kept;
//! of a flood only the first are kept, and all of it is told.

use super::{Finding, Snapshot, found};
use crate::config::LAID_ASIDE_LEAST;
use crate::store::unit::IncidentKey;
use crate::store::{Deadlines, StoreError};

impl Snapshot {
    /// By lane, ground and day: fewer rows than were told are gone before their time, more were laid aside without a word.
    pub(super) async fn audit_refusals(&mut self, incident: IncidentKey, terms: Deadlines) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with told as (select b.d ->> 'lane' as lane, b.d ->> 'ground' as ground, (b.d ->> 'since')::bigint / 86400 as day, sum((b.d ->> 'count')::bigint)::bigint as n
                  from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d) b
                 where e.controller_id = $1 and e.incident_no is null and e.kind = 'receipt.refused' and e.restored_id is null group by 1, 2, 3),
               kept as (select r.provider as lane, case r.result when 'refused' then r.verdict else r.result end as ground,
                       floor(extract(epoch from r.received_at) / 86400)::bigint as day, count(*) as n
                  from receipt r where r.controller_id = $1 and r.result in ('refused', 'unmatched', 'replay') group by 1, 2, 3)
               select code as "code!", place as "place!" from (
               select case when coalesce(k.n, 0) > coalesce(t.n, 0) then 'refusal_not_told' else 'refusal_missing' end as code,
                      coalesce(t.lane, k.lane) || ' ' || coalesce(t.ground, k.ground) || ': ' || coalesce(k.n, 0) || ' of ' || coalesce(t.n, 0) as place
                 from told t full join kept k on k.lane = t.lane and k.ground = t.ground and k.day = t.day
                where coalesce(k.n, 0) > coalesce(t.n, 0)
                   or (coalesce(k.n, 0) < least(t.n, $3) and to_timestamp((t.day + 1) * 86400.0) > duly_now() - $2::bigint * interval '1 millisecond')
               ) as found (code, place)"#,
            incident.controller_id,
            terms.laid_aside_ms,
            LAID_ASIDE_LEAST
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
