//! The incident is the one that somebody signed for, and its plans need as many approvals as were signed.

use super::{Finding, Snapshot, finding};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::Event;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// What the controller's log tells of an incident.
struct Added {
    approvals: Option<i64>,
    is_brought_back: bool,
}

impl Snapshot {
    /// Each incident of the controller against the log that no incident can leave; signatures are looked at with all others.
    pub(super) async fn audit_incident(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select incident_no, incident_id, approvals_required from incident where controller_id = $1",
            incident.controller_id
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut told = self.read_added(incident.controller_id).await?;
        let mut findings = Vec::new();
        for row in rows {
            let added = told.remove(&row.incident_id).unwrap_or_default();
            // Another incident has its own audit.
            if row.incident_no != incident.incident_no {
                continue;
            }
            let [added] = added.as_slice() else {
                findings.push(finding("incident_not_added", row.incident_id.to_string()));
                continue;
            };
            if added.approvals != Some(row.approvals_required.into()) {
                findings.push(finding("approvals_differ", row.incident_id.to_string()));
            }
        }
        // One that was added in the time that a restore lost is not here any more, as docs/restore.md says.
        let missing = told.into_iter().filter(|(_, added)| !added.iter().all(|a| a.is_brought_back));
        findings.extend(missing.map(|(id, _)| finding("incident_missing", id.to_string())));
        Ok(findings)
    }

    /// By incident. An event that names none counts for the nil id, which no row has.
    async fn read_added(&mut self, controller_id: Uuid) -> Result<HashMap<Uuid, Vec<Added>>, StoreError> {
        let rows = sqlx::query!(
            r#"select body, restored_id is not null as "is_brought_back!" from event
                where controller_id = $1 and incident_no is null and kind = 'incident.added' order by ord"#,
            controller_id
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut told: HashMap<Uuid, Vec<Added>> = HashMap::new();
        for row in rows {
            let event = Event::parse(&row.body).ok();
            let field = |name: &str| event.as_ref().and_then(|event| event.detail.get(name));
            let id = field("incident").and_then(Value::as_str).and_then(|id| id.parse().ok()).unwrap_or(Uuid::nil());
            let approvals = field("approvals").and_then(Value::as_i64);
            told.entry(id).or_default().push(Added { approvals, is_brought_back: row.is_brought_back });
        }
        Ok(told)
    }
}
