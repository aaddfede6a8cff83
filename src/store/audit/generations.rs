//! Logs are the ones that were opened: each generation begins with the leaf that says which log it is and what it goes on
//! from, under its own name, and a later one only where somebody signed for a restore.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

impl Snapshot {
    /// Generations and first leaves of the incident's log, its controller's and the system's.
    pub(super) async fn audit_generations(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with ours as (select l.*, coalesce((select incident_id from incident i where i.controller_id = l.controller_id and i.incident_no = l.incident_no),
                       l.controller_id, (select installation_id from installation)) as true_id
                  from log l where (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)),
               opened as (select l.log_no, l.log_id, l.true_id, l.kind, g.generation, g.origin, g.opened_at,
                       lag(g.generation) over (partition by l.log_no order by g.generation) as before, convert_from(e.body, 'UTF8')::jsonb as body
                  from ours l join log_generation g using (log_no)
                  left join sequenced s on s.log_no = g.log_no and s.generation = g.generation and s.first_seq = 0
                  left join event e on e.ord = s.ords[1] and e.kind = 'log.opened')
               select code as "code!", place as "place!" from (
               select 'log_not_opened' as code, o.origin as place from opened o
                cross join lateral (select '/' || o.log_id || case when o.generation > 1 then '/' || o.generation else '' end as name) n
                where o.log_id <> o.true_id or o.body is null
                   or (o.body ->> 'inc', o.body -> 'd' ->> 'kind', o.body -> 'd' ->> 'origin', o.body -> 'd' -> 'generation', o.body -> 'd' -> 'format')
                      is distinct from (o.log_id::text, o.kind, o.origin, to_jsonb(o.generation), to_jsonb(1))
                   or right(o.origin, length(n.name)) <> n.name
               union all
               select 'log_not_continued' as code, o.origin from opened o
                 left join lateral (select size, root from checkpoint c where c.log_no = o.log_no and c.generation = o.before order by size desc limit 1) c on true
                where o.generation > 1 and o.body is not null
                  and (coalesce((o.body -> 'd' ->> 'from_size')::bigint < c.size, o.body -> 'd' -> 'from_size' is null)
                    or exists (select from checkpoint k where k.log_no = o.log_no and k.generation = o.before
                         and k.size = (o.body -> 'd' ->> 'from_size')::bigint and encode(k.root, 'hex') <> o.body -> 'd' ->> 'from_root')
                    or not exists (select from restored r where o.opened_at >= r.found_at and o.opened_at <= coalesce(r.reconciled_at, o.opened_at)))
               union all
               select 'log_opened_twice' as code, 'event ' || e.ord from event e
                where (e.controller_id is null or e.controller_id = $1) and (e.incident_no is null or e.incident_no = $2) and e.kind = 'log.opened'
                  and not exists (select from sequenced s where s.first_seq = 0 and s.ords[1] = e.ord)
                  and (e.restored_id is null or not exists (select from event_inbox i where e.ord = any(i.ords)))
               ) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
