//! What events and rows name is there, and as it was signed for: the controller and its incident, lists, what was published, and
//! the rows by which a lead and a restore are known.

use super::decisions::read_decider;
use super::{Finding, Snapshot, finding, found};
use crate::model::statement::{controller_add, incident_words};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::Event;
use serde_json::{Value, json};
use uuid::Uuid;

impl Snapshot {
    pub(super) async fn audit_named(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_missing(incident).await?;
        findings.extend(self.audit_controller(incident).await?);
        findings.extend(self.audit_incident_words(incident).await?);
        Ok(findings)
    }

    /// Rows that others name. Nothing but a restore takes one of them away, and what a restore brought back names what it lost.
    async fn audit_missing(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with noted as materialized (
                 select b.d ->> 'origin' as origin, (b.d ->> 'size')::bigint as size
                   from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d offset 0) b
                  where e.controller_id is null and e.incident_no is null and e.kind = 'checkpoint.noted' and e.restored_id is null),
               ours as (
                 select g.*, l.log_id from log l join log_generation g using (log_no)
                  where (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)),
               outside as (
                 select o.log_no, o.generation, o.origin, n.size from noted n join ours o using (origin)
                 union select o.log_no, o.generation, o.origin, a.size from anchor a join ours o using (log_id, generation)
                 union select o.log_no, o.generation, o.origin, h.size from hand_over h join ours o using (log_id, generation)),
               lists as (
                 select list_no from person where controller_id = $1 and incident_no = $2
                 union select list_no from source_row where controller_id = $1 and incident_no = $2
                 union select list_no from list_freeze where controller_id = $1 and incident_no = $2
                 union select (convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'list')::int from event e
                  where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null and e.kind = 'list.frozen' and e.restored_id is null)
               select code as "code!", place as "place!" from (
               select 'list_missing' as code, n.list_no::text as place from lists n
                where not exists (select from affected_list l where l.controller_id = $1 and l.incident_no = $2 and l.list_no = n.list_no)
               union all
               select 'publication_missing' as code, o.origin || ' at ' || o.size from outside o
                where not exists (select from publication p where p.log_no = o.log_no and p.generation = o.generation and p.size = o.size)
               union all
               select 'epoch_differs' as code, 'sequencer' where exists (select from checkpoint)
                  and not exists (select from leadership where role = 'sequencer')
               union all
               select 'pulse_missing' as code, 'pulse' where not exists (select from pulse)) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }

    /// The controller's name, sender and address are those that somebody signed for.
    async fn audit_controller(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let row = sqlx::query!(
            "select slug, name, sms_sender, address from controller where controller_id = $1",
            incident.controller_id
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some(row) = row else {
            return Ok(vec![finding("controller_missing", incident.controller_id.to_string())]);
        };
        let words = controller_add(&row.slug, &row.name, &row.sms_sender, &row.address);
        let signed = self.signed_for(incident.controller_id, "controller.added").await?;
        let differs = signed.iter().any(|signed| *signed != words);
        Ok(differs.then(|| finding("controller_differs", row.slug)).into_iter().collect())
    }

    /// The incident's short name, profile and texts are those that somebody signed for.
    async fn audit_incident_words(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let row = sqlx::query!(
            "select incident_id, slug, profile, texts from incident where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let columns = incident_words((&row.slug, &row.profile, &row.texts));
        let signed = self.signed_for(incident.controller_id, "incident.added").await?;
        // What an older program did not have signed says nothing.
        let says_otherwise = |words: &Value| columns.iter().any(|(name, is)| words.get(*name).is_some_and(|said| said != is));
        let own = json!(row.incident_id);
        let differs = signed.iter().any(|words| words.get("incident") == Some(&own) && says_otherwise(words));
        Ok(differs.then(|| finding("incident_differs", row.incident_id.to_string())).into_iter().collect())
    }

    /// What was signed for the events of a kind in a controller's log; those without a signature that holds are found with all others.
    async fn signed_for(&mut self, controller_id: Uuid, kind: &str) -> Result<Vec<Value>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select body from event where controller_id = $1 and incident_no is null and kind = $2 and restored_id is null order by ord",
            controller_id,
            kind
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let deciders: Vec<(Uuid, Uuid)> =
            rows.iter().filter_map(|body| Event::parse(body).ok()).filter_map(|event| read_decider(&event)).collect();
        let ids: Vec<Uuid> = deciders.iter().map(|(_, command)| *command).collect();
        let commands = self.read_commands(&ids).await?;
        let words = deciders.iter().filter_map(|(user, command)| commands.get(command)?.words_of(*user).cloned());
        Ok(words.collect())
    }
}
