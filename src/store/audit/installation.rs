//! What stands beside the incidents: the controller's log and the system's, restores, anchors.

use super::{Finding, Snapshot, finding, found};
use crate::model::statement::{AGE_SECONDS_MAX, made_at, meant_for};
use crate::model::user_key;
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::{Event, leaf_hash};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

impl Snapshot {
    pub(super) async fn audit_installation(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_log_events(incident).await?;
        findings.extend(self.audit_restores().await?);
        findings.extend(self.audit_marks(incident).await?);
        Ok(findings)
    }

    /// Signatures of commands that do not hold, or were made for another installation or at another time than they came, whatever
    /// rests on them.
    pub(super) async fn audit_statements(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select s.command_id, s.statement, s.signature, s.at, u.public_key as "public_key?", i.installation_id
                 from signed_command s left join app_user u using (user_id) cross join installation i order by 1"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut findings = Vec::new();
        for row in rows {
            if meant_for(&row.statement) != Some(row.installation_id) {
                findings.push(finding("signed_elsewhere", row.command_id.to_string()));
            }
            let key = row.public_key.and_then(|key| <[u8; 32]>::try_from(key).ok());
            let signature = <[u8; 64]>::try_from(row.signature).ok();
            if !key.zip(signature).is_some_and(|(key, signature)| user_key::verify(&key, &row.statement, &signature)) {
                findings.push(finding("signature_differs", row.command_id.to_string()));
            }
            let is_late = |made: OffsetDateTime| (row.at - made).abs() > Duration::seconds(2 * AGE_SECONDS_MAX);
            if made_at(&row.statement).is_some_and(is_late) {
                findings.push(finding("time_differs", row.command_id.to_string()));
            }
        }
        Ok(findings)
    }

    /// Events of no incident: their bytes and their log. Where they stand is looked at with the logs.
    async fn audit_log_events(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select ord, kind, body, leaf, coalesce(controller_id, (select installation_id from installation)) as "log_id!"
                 from event where incident_no is null and (controller_id is null or controller_id = $1) order by ord"#,
            incident.controller_id
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut findings = Vec::new();
        for row in rows {
            let mut bad = |code| findings.push(finding(code, row.ord.to_string()));
            match Event::parse(&row.body) {
                Err(_) => bad("event_not_canonical"),
                Ok(event) if event.kind != row.kind || event.inc != row.log_id.to_string() => bad("event_of_another"),
                Ok(_) => {}
            }
            if leaf_hash(&row.body).as_slice() != row.leaf {
                bad("leaf_differs");
            }
        }
        Ok(findings)
    }

    /// Restores that count as reconciled were reconciled by the signed command for them.
    async fn audit_restores(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select r.restored_id, c.user_id as "user_id?", r.command_id from restored r left join signed_command c using (command_id)
                where r.reconciled_at is not null order by r.found_at"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.command_id).collect();
        let commands = self.read_commands(&ids).await?;
        let mut findings = Vec::new();
        for row in rows {
            let signed = row.command_id.and_then(|id| commands.get(&id)).zip(row.user_id);
            let words = json!({"command": "restore reconcile", "restored": row.restored_id});
            if !signed.is_some_and(|(signed, user)| signed.says(user, &words)) {
                findings.push(finding("restore_not_signed", row.restored_id.to_string()));
            }
        }
        Ok(findings)
    }

    /// Anchors, hand-overs and copies are of checkpoints that were signed here.
    async fn audit_marks(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'anchor_without_checkpoint' as code, a.kind || ' ' || a.name || ' at ' || a.size as place from anchor a
                 join log l on l.log_id = a.log_id and (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)
                where not exists (select from checkpoint c where c.log_no = l.log_no and c.generation = a.generation and c.size = a.size
                  and convert_to(split_part(c.note, E'\n\n', 1), 'UTF8') = substr(a.checkpoint, 1, octet_length(split_part(c.note, E'\n\n', 1))))
               union all
               select 'anchor_without_checkpoint' as code, 'copied at ' || p.size from publication p left join log l using (log_no)
                where not exists (select from checkpoint c where c.log_no = p.log_no and c.generation = p.generation and c.size = p.size)
                  and (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)
               union all
               select 'anchor_without_checkpoint' as code, h.way || ' ' || h.to_name || ' at ' || h.size from hand_over h
                 join log l on l.log_id = h.log_id and (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)
                where not exists (select from checkpoint c where c.log_no = l.log_no and c.generation = h.generation and c.size = h.size)) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
