//! Rows, people, frozen lists: nobody was lost between the list and the notices.

use super::{Finding, Snapshot, finding, found};
use crate::model::person::printed_id;
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::{ManifestBuilder, ManifestLine};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// People in one query.
const PAGE: i64 = 2000;

impl Snapshot {
    pub(super) async fn audit_rows(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'person_without_row' as code, p.person_id::text as place from person p
                where p.controller_id = $1 and p.incident_no = $2 and not exists (select from source_row s
                  where s.controller_id = $1 and s.incident_no = $2 and s.person_id = p.person_id and s.fate = 'person')
               union all
               select 'row_without_person' as code, s.list_no || '/' || coalesce(s.row_no, 0) from source_row s
                where s.controller_id = $1 and s.incident_no = $2 and s.person_id is not null and not exists (select from person p
                  where p.controller_id = $1 and p.incident_no = $2 and p.person_id = s.person_id)
               union all
               select 'row_missing' as code, min(l.list_no) || ' has ' || count(s.identity) || ' rows of ' || coalesce(max(l.row_count), max(s.row_no))
                 from affected_list l
                 left join source_row s on s.controller_id = $1 and s.incident_no = $2 and s.list_no = l.list_no
                 left join list_freeze f on f.controller_id = $1 and f.incident_no = $2 and f.list_no = l.list_no
                where l.controller_id = $1 and l.incident_no = $2 and l.source = 'file'
                group by l.file_hash having count(s.identity) <> max(s.row_no) - min(s.row_no) + 1 or min(s.row_no) > 1
                    or (bool_and(f.list_no is not null) and count(s.identity) <> max(l.row_count))
               union all
               select 'row_missing' as code, s.list_no || '/' || s.row_no from source_row s join affected_list l using (controller_id, incident_no, list_no)
                where s.controller_id = $1 and s.incident_no = $2 and l.source = 'file' and s.identity is distinct from int8send(s.row_no)
               union all
               select 'frozen_count_differs' as code, f.list_no::text from list_freeze f
                where f.controller_id = $1 and f.incident_no = $2 and f.people <> (select count(*) from person p
                  where p.controller_id = $1 and p.incident_no = $2 and p.list_no = f.list_no)
               union all
               select 'person_without_notice' as code, p.person_id::text from person p
                 join list_freeze f on f.controller_id = $1 and f.incident_no = $2 and f.list_no = p.list_no
                where p.controller_id = $1 and p.incident_no = $2 and (select count(*) from notice n
                  where n.controller_id = $1 and n.incident_no = $2 and n.person_id = p.person_id and n.phase = 1) <> 1
                  -- Whom a withdrawn plan let go, another one takes.
                  and not exists (select from plan q where q.controller_id = $1 and q.incident_no = $2 and q.state = 'withdrawn'
                    and convert_from(q.body, 'UTF8')::jsonb -> 'lists' @> jsonb_build_array(jsonb_build_object('list', p.list_no)))
               union all
               select 'key_missing' as code, p.person_id::text from person p
                where p.controller_id = $1 and p.incident_no = $2
                  and not exists (select from person_key k
                  where k.controller_id = $1 and k.incident_no = $2 and k.person_id = p.person_id)
                  and not exists (select from event e
                  where e.controller_id = $1 and e.incident_no = $2 and e.person_id = p.person_id and e.kind = 'key.destroyed')) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }

    /// Recomputes the manifest of every frozen list from its people.
    pub(super) async fn audit_lists(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let frozen = sqlx::query!(
            "select list_no, manifest_root from list_freeze where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut findings = Vec::new();
        for list in frozen {
            if self.recompute_root(incident, list.list_no, &mut findings).await?.as_slice() != list.manifest_root {
                findings.push(finding("manifest_differs", list.list_no.to_string()));
            }
        }
        Ok(findings)
    }

    async fn recompute_root(
        &mut self,
        incident: IncidentKey,
        list_no: i32,
        findings: &mut Vec<Finding>,
    ) -> Result<[u8; 32], StoreError> {
        let mut manifest = ManifestBuilder::default();
        let mut after = Uuid::nil();
        loop {
            let people = sqlx::query!(
                "select person_id, commitments from person
                  where controller_id = $1 and incident_no = $2 and list_no = $3 and person_id > $4 order by person_id limit $5",
                incident.controller_id,
                incident.incident_no,
                list_no,
                after,
                PAGE
            )
            .fetch_all(&mut *self.tx)
            .await?;
            let Some(last) = people.last() else { return Ok(manifest.root()) };
            after = last.person_id;
            for row in people {
                let line = read_commitments(&row.commitments)
                    .map(|commitments| ManifestLine { person: *row.person_id.as_bytes(), commitments });
                if line.is_none_or(|line| manifest.push(&line).is_err()) {
                    findings.push(finding("manifest_differs", printed_id(row.person_id)));
                }
            }
        }
    }
}

/// Field to commitment, as the manifest has them.
pub(super) fn read_commitments(stored: &Value) -> Option<BTreeMap<String, [u8; 32]>> {
    let fields = stored.as_object()?;
    fields
        .iter()
        .map(|(field, value)| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(value.as_str()?, &mut bytes).ok()?;
            Some((field.clone(), bytes))
        })
        .collect()
}
