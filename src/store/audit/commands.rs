//! Every event that names a signed command: the signature holds, asks for what the event tells, and serves once.

use super::decisions::SignedCommand;
use super::{Finding, Snapshot, finding};
use crate::model::person::printed_id;
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::Event;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

struct EventRow {
    ord: i64,
    usage: Option<String>,
    kind: String,
    person_id: Option<Uuid>,
    message_id: Option<Uuid>,
    incident_id: Option<Uuid>,
    body: Vec<u8>,
}

impl Snapshot {
    /// Events of the incident, of its controller's log and of the system's; signatures of the time that a restore lost are
    /// gone, and what it brought back rests on the published log.
    pub(super) async fn audit_commands(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query_as!(
            EventRow,
            r#"select e.ord, command_use(e.kind, e.incident_no, e.body) as usage, e.kind, e.person_id, e.message_id,
                      i.incident_id as "incident_id?", e.body
                 from event e left join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no
                where (e.controller_id is null or e.controller_id = $1) and (e.incident_no is null or e.incident_no = $2)
                  and (command_use(e.kind, e.incident_no, e.body) is not null or e.kind in ('message.recall', 'message.recalled')
                       or (e.kind in ('receipt', 'receipt.late') and strpos(convert_from(e.body, 'UTF8'), '"ground":"declared"') > 0))
                  and e.restored_id is null order by e.ord"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let events: Vec<Option<Event>> = rows.iter().map(|row| Event::parse(&row.body).ok()).collect();
        let ids: Vec<Uuid> = events.iter().flatten().filter_map(|event| id(&event.detail, "command")).collect();
        let commands = self.read_commands(&ids).await?;
        let (mut findings, mut used) = (Vec::new(), HashSet::new());
        for (row, event) in rows.iter().zip(&events) {
            // What is declared of many messages, or taken back of a plan, is one command's.
            if row.usage.is_some() && !used.insert(&row.usage) {
                findings.push(finding("command_used_twice", row.ord.to_string()));
            }
            // Bytes that cannot be read are a finding of their chain's.
            if event.as_ref().is_some_and(|event| !row.is_signed(event, &commands)) {
                findings.push(finding("event_not_signed", row.ord.to_string()));
            }
        }
        Ok(findings)
    }
}

impl EventRow {
    fn is_signed(&self, event: &Event, commands: &HashMap<Uuid, SignedCommand>) -> bool {
        let detail = &event.detail;
        let decider = id(detail, "by").or_else(|| id(detail, "user"));
        let signed = id(detail, "command").and_then(|command| commands.get(&command));
        let Some(words) = decider.zip(signed).and_then(|(user, signed)| signed.words_of(user)) else { return false };
        let is_of_here = match (self.incident_id, words.get("incident")) {
            (Some(id), Some(told)) => *told == json!(id),
            // A restore is one of all incidents, a hold is named by its own id, and a batch may carry several incidents'.
            (Some(_), None) => {
                matches!(self.kind.as_str(), "hold.lifted" | "restore.reconciled" | "receipt" | "receipt.late")
            }
            // The controller's log names the incident that was added.
            (None, told) => told == detail.get("incident"),
        };
        is_of_here && self.is_asked(detail, words)
    }

    /// Whether the words ask for what the event tells, field by field. What is not listed here has rules of its own.
    fn is_asked(&self, detail: &Map<String, Value>, words: &Value) -> bool {
        let told = |field: &str| detail.get(field).unwrap_or(&Value::Null);
        let asks = |field: &str, value: Value| *words.get(field).unwrap_or(&Value::Null) == value;
        let command = words.get("command").and_then(Value::as_str).unwrap_or_default();
        let person = json!(self.person_id.map(printed_id));
        match self.kind.as_str() {
            "message.decided" => {
                let ground = told("ground").as_str().unwrap_or_default();
                command == "unknown decide"
                    && asks("message", json!(self.message_id))
                    && asks("choice", json!(ground.replace('_', "-")))
                    && asks("deadline_ms", told("deadline_ms").clone())
            }
            "notice.exempt" => command == "person exempt" && asks("person", person) && asks("phase", told("phase").clone()),
            "notice.reopened" => command == "person reopen" && asks("person", person) && asks("phase", told("phase").clone()),
            "notice.withdrawn" => {
                let how = told("ground").as_str().unwrap_or_default().replace('_', "-");
                command == "person told"
                    && asks("person", person)
                    && asks("phase", told("phase").clone())
                    && asks("how", json!(how))
            }
            "receipt" | "receipt.late" => matches!(command, "batch handed-over" | "batch result"),
            "message.recall" | "message.recalled" => match command {
                "message cancel" => asks("message", json!(self.message_id)),
                // Of which plan the message is, the database looked at when the event was written.
                other => other == "plan recall",
            },
            "key.destroyed" => command == "person erase" && asks("person", person),
            "contact.viewed" if self.person_id.is_none() => {
                let opens = match told("purpose").as_str() {
                    Some("check") => "template check",
                    _ => "audit",
                };
                command == opens
            }
            "contact.viewed" => asks("person", person),
            "row.discarded" => {
                let row = told("row").as_str().map_or_else(|| told("row").to_string(), str::to_owned);
                let name = json!(format!("{}/{row}", told("list")));
                let rows = words.get("rows").and_then(Value::as_array);
                command == "quarantine discard" && rows.is_some_and(|rows| rows.contains(&name))
            }
            "row.corrected" => command == "quarantine correct",
            "export.made" => ["pack ", "report ", "audit ", "quarantine export"].iter().any(|group| command.starts_with(group)),
            "check.refused" => command == "plan prepare",
            "statement.compared" => {
                let said = ["as_of", "channel", "hash", "lane", "ours", "theirs"];
                command == "provider statement" && said.iter().all(|field| asks(field, told(field).clone()))
            }
            "restore.reconciled" => command == "restore reconcile",
            "user.added" => command == "user add" && asks("public", told("key").clone()),
            "user.revoked" => command == "user revoke",
            "incident.added" => command == "incident add" && asks("approvals_required", told("approvals").clone()),
            "controller.added" => command == "controller add",
            "controller.letterhead_set" => command == "controller set" && asks("letterhead", told("letterhead").clone()),
            "controller.list_key_set" => {
                let named_by = match command {
                    "list replace-key" => "public",
                    "list sign" | "list attach" => "key",
                    _ => return false,
                };
                asks(named_by, told("key").clone())
            }
            "template.reviewed" => command == "template review" && asks("hash", told("hash").clone()),
            _ => true,
        }
    }
}

fn id(detail: &Map<String, Value>, field: &str) -> Option<Uuid> {
    detail.get(field)?.as_str()?.parse().ok()
}
