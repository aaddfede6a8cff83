//! The keys by which a controller signs its lists, as rows, as events and as signatures; and what they signed.

use super::{Finding, Snapshot, finding};
use crate::model::list_key::ListStatement;
use crate::model::user_key::verify;
use crate::store::StoreError;
use crate::store::unit::{IncidentKey, hash};
use duly_ledger::Event;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A pinned key: its public half, who brought it, and by which command.
#[derive(PartialEq, Eq)]
struct Pinned {
    key: String,
    user: String,
    command: String,
}

impl Snapshot {
    /// Each key is told by its event, in the order in which they took each other's place, and every signature is by one of them.
    pub(super) async fn audit_list_keys(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = Vec::new();
        let (keys, pinned) = self.pinned_list_keys(incident, &mut findings).await?;
        findings.extend(self.untold_list_keys(incident, &pinned).await?);
        findings.extend(self.audit_list_signatures(incident, &keys).await?);
        Ok(findings)
    }

    /// What the controller's log tells of its keys against the rows. A row that a restore lost is told by an event that was
    /// brought back, as docs/restore.md says.
    async fn untold_list_keys(&mut self, incident: IncidentKey, pinned: &[Pinned]) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select ord, body from event where controller_id = $1 and incident_no is null and kind = 'controller.list_key_set'
                and restored_id is null order by ord",
            incident.controller_id
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |body: &[u8]| Event::parse(body).ok().and_then(|event| Pinned::told(&event.detail));
        let told: Vec<(i64, Option<Pinned>)> = rows.into_iter().map(|row| (row.ord, read(&row.body))).collect();
        let untold = (1..).zip(pinned).filter(|(no, key)| told.get(no - 1).and_then(|(_, told)| told.as_ref()) != Some(*key));
        let unpinned = told.iter().skip(pinned.len()).map(|(ord, _)| format!("event {ord}"));
        let places = untold.map(|(no, _)| format!("key {no}")).chain(unpinned);
        Ok(places.map(|place| finding("list_key_differs_from_events", place)).collect())
    }

    /// The keys, each brought by a signed command that names it.
    async fn pinned_list_keys(
        &mut self,
        incident: IncidentKey,
        findings: &mut Vec<Finding>,
    ) -> Result<(Vec<[u8; 32]>, Vec<Pinned>), StoreError> {
        let rows = sqlx::query!(
            "select key_no, public_key, user_id, command_id from controller_list_key where controller_id = $1 order by key_no",
            incident.controller_id
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.command_id).collect();
        let commands = self.read_commands(&ids).await?;
        let (mut keys, mut pinned) = (Vec::new(), Vec::new());
        for row in rows {
            let words = commands.get(&row.command_id).and_then(|signed| signed.words_of(row.user_id));
            let key = json!(hex::encode(&row.public_key));
            let names = |words: &Value| match words.get("command").and_then(Value::as_str) {
                Some("list replace-key") => words.get("public") == Some(&key),
                Some("list sign" | "list attach") => row.key_no == 1 && words.get("key") == Some(&key),
                _ => false,
            };
            if !words.is_some_and(names) {
                findings.push(finding("list_key_not_signed", row.key_no.to_string()));
            }
            keys.push(hash(&row.public_key)?);
            let (user, command) = (row.user_id.to_string(), row.command_id.to_string());
            pinned.push(Pinned { key: hex::encode(&row.public_key), user, command });
        }
        Ok((keys, pinned))
    }

    /// What a controller signed of this incident's lists, by a key that was pinned.
    async fn audit_list_signatures(&mut self, incident: IncidentKey, keys: &[[u8; 32]]) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select e.ord, e.body, i.incident_id from event e join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no
              where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null and e.kind = 'list.signed'
                and e.restored_id is null order by e.ord",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let holds =
            |id: Uuid, body: &[u8]| Event::parse(body).is_ok_and(|event| is_list_signed(id, &event.detail, keys) == Some(true));
        let bad = rows.into_iter().filter(|row| !holds(row.incident_id, &row.body));
        Ok(bad.map(|row| finding("event_not_signed", row.ord.to_string())).collect())
    }
}

impl Pinned {
    fn told(detail: &Map<String, Value>) -> Option<Self> {
        let text = |field: &str| detail.get(field)?.as_str().map(str::to_owned);
        Some(Self { key: text("key")?, user: text("user")?, command: text("command")? })
    }
}

/// Whether a pinned key signed the list, count and root that an event tells; `None` where a field is not there.
fn is_list_signed(incident_id: Uuid, detail: &Map<String, Value>, keys: &[[u8; 32]]) -> Option<bool> {
    let text = |field: &str| detail.get(field)?.as_str();
    let number = |field: &str| detail.get(field)?.as_i64();
    let (mut key, mut root, mut signature) = ([0; 32], [0; 32], [0; 64]);
    hex::decode_to_slice(text("key")?, &mut key).ok()?;
    hex::decode_to_slice(text("root")?, &mut root).ok()?;
    hex::decode_to_slice(text("signature")?, &mut signature).ok()?;
    let list_no = i32::try_from(number("list")?).ok()?;
    let statement = ListStatement { incident_id, list_no, people: number("count")?, root };
    Some(keys.contains(&key) && verify(&key, statement.text().as_bytes(), &signature))
}
