//! What stops everything without a word of anybody's: leads that nobody can take, lanes that never wake, a restore that
//! nobody noticed.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;

impl Snapshot {
    pub(super) async fn audit_standstill(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with told as materialized (
                 select e.ord, e.kind, e.restored_id is not null as is_brought_back, b.body -> 'd' ->> 'lane' as lane, b.body -> 'd' ->> 'code' as code, (b.body ->> 't')::timestamptz as at
                   from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body offset 0) b
                  where e.controller_id is null and e.incident_no is null and e.kind in ('lane.stopped', 'lane.resumed')),
               newest as (select distinct on (lane) * from told order by lane, ord desc)
               select code as "code!", place as "place!" from (
               select 'lead_without_end' as code, l.role as place from leadership l where l.expires_at > duly_now() + interval '1 minute'
               union all
               -- A lead changes hands at most once a second, or with a program that starts.
               select 'epoch_differs' as code, l.role from leadership l
                where l.epoch > (select coalesce(max(e.ord), 0) + 60 from event e) + (select greatest(0, coalesce(
                        extract(epoch from duly_now() - (convert_from(e.body, 'UTF8')::jsonb ->> 't')::timestamptz), 0)) from event e order by e.ord limit 1)
                   or (l.role = 'sequencer' and l.epoch < (select max(c.epoch) from checkpoint c))
               union all
               select 'pause_differs' as code, p.lane from lane_pause p left join newest t on t.lane = p.lane
                -- What a restore brought back may be newer than the row.
                where t.is_brought_back is not true
                  and (t.kind is distinct from 'lane.stopped' or t.code <> p.code or p.until > t.at + interval '25 hours')
               union all
               select 'restore_open' as code, r.ground from restored r where r.reconciled_at is null) as found (code, place) order by 1, 2"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
