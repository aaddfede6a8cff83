//! `keys/`: everybody's external reference opened, and where each row of the lists ended, so that a controller can
//! compare its own list with the pack.

use super::PackError;
use super::archive::Archive;
use crate::model::seal::Key;
use crate::store::Store;
use crate::store::quarantine::RowName;
use crate::store::unit::IncidentKey;
use duly_ledger::{PersonKey, field_key};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{Seek, Write};
use uuid::Uuid;

/// Rows read at once.
const PAGE: i64 = 5000;
/// The only field that is opened for everybody.
const FIELD: &str = "external_reference";

/// Adds `keys/openings.jsonl` and `keys/rows.jsonl`.
pub async fn write<W: Write + Seek>(
    store: &Store,
    incident: IncidentKey,
    incident_key: &Key,
    lists: &BTreeSet<i32>,
    zip: &mut Archive<W>,
) -> Result<(), PackError> {
    zip.begin("keys/openings.jsonl")?;
    let mut after = Uuid::nil();
    loop {
        let keys = store.list_person_keys(incident, after, PAGE).await?;
        let Some((last, _)) = keys.last() else { break };
        after = *last;
        for (person, wrapped) in &keys {
            let key = PersonKey::new(*incident_key.unwrap_key(wrapped, "person")?.bytes());
            let line = json!({"k": {FIELD: hex::encode(field_key(&key, FIELD))}, "p": person.simple().to_string()});
            zip.append(format!("{line}\n").as_bytes())?;
        }
    }
    zip.begin("keys/rows.jsonl")?;
    for list in lists {
        let mut after = Vec::new();
        loop {
            let rows = store.list_row_fates(incident, *list, &after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.identity);
            for row in rows {
                let name = RowName { list_no: row.list_no, identity: row.identity }.row();
                let number = name.parse::<u64>().map_or_else(|_| json!(name), |n| json!(n));
                let person = row.person_id.map(|id| id.simple().to_string());
                let line = json!({"fate": row.fate, "list": row.list_no, "p": person, "row": number});
                zip.append(format!("{line}\n").as_bytes())?;
            }
        }
    }
    Ok(())
}
