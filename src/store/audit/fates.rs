//! What became of rows: the counts that were frozen, and the last fates that somebody decided.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

impl Snapshot {
    pub(super) async fn audit_fates(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'row_decision_differs' as code, row_name(d.list_no, d.identity) as place from row_decision d
                where d.controller_id = $1 and d.incident_no = $2 and not is_told(d)
               union all
               select 'row_decision_differs' as code, (e.d ->> 'list') || '/' || (e.d ->> 'row')
                 from (select kind, convert_from(body, 'UTF8')::jsonb -> 'd' as d from event
                        where controller_id = $1 and incident_no = $2 and person_id is null and restored_id is null
                          and kind in ('row.corrected', 'row.discarded')) e
                where not exists (select from row_decision d where d.controller_id = $1 and d.incident_no = $2
                  and row_name(d.list_no, d.identity) = (e.d ->> 'list') || '/' || (e.d ->> 'row')
                  and d.fate = case e.kind when 'row.discarded' then 'discarded' else 'superseded' end)
               union all
               select 'frozen_rows_differ' as code, e.d ->> 'list'
                 from (select convert_from(body, 'UTF8')::jsonb -> 'd' as d from event
                        where controller_id = $1 and incident_no = $2 and person_id is null and kind = 'list.amended') e
                where not exists (select from list_freeze f where f.controller_id = $1 and f.incident_no = $2 and f.list_no = (e.d ->> 'list')::int
                  and (e.d ->> 'count')::bigint - (e.d ->> 'count_before')::bigint = f.people)
               union all
               select 'frozen_rows_differ' as code, coalesce(f.list_no::text, e.d ->> 'list')
                 from (select * from list_freeze where controller_id = $1 and incident_no = $2) f
                 full join (select convert_from(body, 'UTF8')::jsonb -> 'd' as d from event
                      where controller_id = $1 and incident_no = $2 and person_id is null and kind = 'list.frozen') e on (e.d ->> 'list')::int = f.list_no
                where f.list_no is null or e.d is null
                   or e.d ->> 'src' <> (select coalesce(encode(l.file_hash, 'hex'), '') from affected_list l
                         where l.controller_id = $1 and l.incident_no = $2 and l.list_no = f.list_no)
                   or (e.d ->> 'count')::bigint <> f.people or e.d ->> 'root' <> encode(f.manifest_root, 'hex')
                   or ((e.d ->> 'rows')::bigint, (e.d ->> 'duplicates')::bigint, (e.d ->> 'quarantined')::bigint) is distinct from
                      (select (count(*), count(*) filter (where fate = 'duplicate_of'), count(*) filter (where fate = 'quarantined'))
                         from source_row s where s.controller_id = $1 and s.incident_no = $2 and s.list_no = f.list_no)) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
