//! Providers' statements: what the log says that it counted of a lane is what its messages and events add up to.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

impl Snapshot {
    /// Taken by the leaves before the first one that is later than the moment, in a lane by its messages' rows. What a restore
    /// brought back rests on the published log.
    pub(super) async fn audit_statements_compared(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with told as materialized (
                 select e.ord, d ->> 'lane' as lane, d ->> 'channel' as channel, (d ->> 'ours')::bigint as ours, (d ->> 'as_of')::timestamptz as as_of
                   from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d offset 0) b
                  where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null and e.kind = 'statement.compared' and e.restored_id is null),
               placed as materialized (
                 select p.generation, p.seq, e.message_id, (b.body ->> 't')::timestamptz as at,
                        e.message_to in ('accepted', 'sent', 'printed', 'expired', 'failed', 'handed_to_carrier', 'delivered_to_handset',
                          'carrier_delivered', 'returned') as is_taken,
                        e.kind = 'message.intent' or b.body -> 'd' ->> 'ground' in ('restored', 'declared') as is_called
                   from log l join place p using (log_no) join event e using (ord)
                  cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body offset 0) b
                  where l.controller_id = $1 and l.incident_no = $2 and exists (select from told))
               select code as "code!", place as "place!" from (
               select 'statement_differs' as code, 'event ' || t.ord as place from told t
                 left join lateral (select p.generation, p.seq from placed p where p.at > t.as_of order by 1, 2 limit 1) later on true
                where t.ours is distinct from (select count(*) from (
                    select p.message_id from placed p join message m on m.controller_id = $1 and m.incident_no = $2 and m.message_id = p.message_id
                     where m.lane = t.lane and (later.seq is null or (p.generation, p.seq) < (later.generation, later.seq))
                     group by 1 having bool_or(p.is_taken) and bool_or(p.is_called)) taken)
                   or exists (select from message m where m.controller_id = $1 and m.incident_no = $2 and m.lane = t.lane and m.channel <> t.channel)
               ) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
