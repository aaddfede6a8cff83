//! Whether an incident is closed, as its row says, as its events tell and as somebody signed; and nothing was sent meanwhile.

use super::decisions::read_decider;
use super::{Finding, Snapshot, finding, found};
use crate::model::statement::{incident_close, incident_reopen};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::Event;
use serde_json::Value;
use uuid::Uuid;

impl Snapshot {
    pub(super) async fn audit_close(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let row = sqlx::query!(
            r#"select incident_id, closed_at is not null as "is_closed!" from incident where controller_id = $1 and incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let told = sqlx::query!(
            r#"select ord, kind, body, restored_id is not null as "is_brought_back!" from event
                where controller_id = $1 and incident_no = $2 and person_id is null
                  and kind in ('incident.closed', 'incident.reopened') order by ord"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let events: Vec<Option<Event>> = told.iter().map(|row| Event::parse(&row.body).ok()).collect();
        let ids: Vec<Uuid> = events.iter().flatten().filter_map(read_decider).map(|(_, command)| command).collect();
        let commands = self.read_commands(&ids).await?;
        let (mut findings, mut is_closed) = (Vec::new(), false);
        for (told, event) in told.iter().zip(&events) {
            let closes = told.kind == "incident.closed";
            if closes == is_closed {
                findings.push(finding("move_not_allowed", told.ord.to_string()));
            }
            is_closed = closes;
            let reason = event.as_ref().and_then(|e| e.detail.get("reason")).and_then(Value::as_str);
            let words = match closes {
                true => incident_close(row.incident_id, reason),
                false => incident_reopen(row.incident_id, reason.unwrap_or_default()),
            };
            let by = event.as_ref().and_then(read_decider);
            // The signature behind one that was brought back after a restore is lost.
            if !told.is_brought_back
                && !by.is_some_and(|(user, command)| commands.get(&command).is_some_and(|c| c.says(user, &words)))
            {
                findings.push(finding("event_not_signed", told.ord.to_string()));
            }
        }
        if is_closed != row.is_closed {
            findings.push(finding("close_differs_from_events", row.incident_id.to_string()));
        }
        findings.extend(self.audit_sends_while_closed(incident).await?);
        Ok(findings)
    }

    async fn audit_sends_while_closed(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select 'intent_while_closed' as "code!", e.message_id || '/' || e.attempt as "place!" from event e
                where e.controller_id = $1 and e.incident_no = $2 and e.kind = 'message.intent' and e.restored_id is null
                  and exists (select from event c where c.controller_id = $1 and c.incident_no = $2 and c.person_id is null
                      and c.kind = 'incident.closed' and c.ord < e.ord
                      and not exists (select from event r where r.controller_id = $1 and r.incident_no = $2 and r.person_id is null
                          and r.kind = 'incident.reopened' and r.ord > c.ord and r.ord < e.ord))"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
