//! Imports an affected list in batches: each row gets its one fate in the transaction that takes it.

use super::csv::{ListError, ParsedRow, open};
use crate::model::contact::PersonRecord;
use crate::model::seal::{Key, SealError};
use crate::store::incident::Incident;
use crate::store::list::{NewPerson, NewRow, Tally};
use crate::store::{Store, StoreError};
use duly_ledger::{PersonKey, commit, to_hex};
use rand::RngExt;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use uuid::Uuid;

/// Rows in one transaction.
const BATCH: usize = 500;
/// Letters and digits that cannot be mistaken for one another.
const CODE_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Why an import stopped; what was taken before stays taken, and the same import goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The list was frozen by a plan, and this file has rows that were not taken.
    #[error("list {list_no} is frozen")]
    Frozen {
        /// List.
        list_no: i32,
    },
}

impl ImportError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::List(error) => error.remedy(),
            Self::Store(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::Frozen { .. } => "import the new rows from a file of their own: they form a supplement",
        }
    }
}

/// Imports a file. With `dry_run` nothing is written and only form is checked.
pub async fn import(
    store: &Store,
    incident: &Incident,
    incident_key: &Key,
    path: &Path,
    overrides: &[(String, String)],
    progress: impl Fn(&Tally),
) -> Result<Tally, ImportError> {
    let file_hash = incident_key.search_hash("file", &hash_file(path)?);
    let list_key = Key::generate();
    let list = store.open_list(incident.key, "file", Some(&file_hash), &incident_key.wrap(&list_key, "list")).await?;
    let list_key = incident_key.unwrap_key(&list.wrapped_key, "list")?;
    let mut tally = Tally::default();
    let mut batch = Vec::with_capacity(BATCH);
    for parsed in open(File::open(path).map_err(ListError::from)?, overrides)? {
        batch.push(new_row(parsed?, incident_key, &list_key));
        if batch.len() == BATCH {
            tally.add(store.insert_rows(incident.key, list.list_no, &batch).await?);
            batch.clear();
            progress(&tally);
        }
    }
    tally.add(store.insert_rows(incident.key, list.list_no, &batch).await?);
    if list.is_frozen && tally.known < tally.rows {
        return Err(ImportError::Frozen { list_no: list.list_no });
    }
    Ok(tally)
}

/// Says what `import` would say of form, and changes nothing.
pub fn dry_run(path: &Path, overrides: &[(String, String)], mut each: impl FnMut(&ParsedRow)) -> Result<Tally, ListError> {
    let mut tally = Tally::default();
    let mut seen = std::collections::HashMap::new();
    for parsed in open(File::open(path)?, overrides)? {
        let parsed = parsed?;
        tally.rows += 1;
        match &parsed.result {
            Err(_) => tally.quarantined += 1,
            Ok(person) => {
                let fields = Sha256::digest(serde_json::to_vec(person).unwrap_or_default());
                match seen.insert(Sha256::digest(&person.external_reference), fields) {
                    None => tally.people += 1,
                    Some(before) if before == fields => tally.duplicates += 1,
                    Some(_) => tally.quarantined += 1,
                }
            }
        }
        each(&parsed);
    }
    Ok(tally)
}

fn hash_file(path: &Path) -> Result<[u8; 32], ListError> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn new_row(parsed: ParsedRow, incident_key: &Key, list_key: &Key) -> NewRow {
    let faults: Vec<Value> = parsed.result.as_ref().err().into_iter().flatten().map(|f| json!({"column": f.column, "code": f.code})).collect();
    NewRow {
        identity: parsed.row.to_be_bytes().to_vec(),
        row_no: i64::try_from(parsed.row).ok(),
        person: parsed.result.ok().map(|record| new_person(&record, incident_key)),
        faults: Value::Array(faults),
        sealed: list_key.seal("row", &parsed.raw),
    }
}

fn new_person(record: &PersonRecord, incident_key: &Key) -> NewPerson {
    let key = Key::generate();
    let plain = serde_json::to_vec(record).unwrap_or_default();
    NewPerson {
        person_id: Uuid::from_bytes(rand::rng().random()),
        wrapped_key: incident_key.wrap(&key, "person"),
        contact: key.seal("contact", &plain),
        reference_hash: incident_key.search_hash("external_reference", record.external_reference.as_bytes()),
        fields_hash: incident_key.search_hash("fields", &plain),
        reference_code: reference_code(),
        language: record.language.clone(),
        format: record.format.clone(),
        jurisdiction: record.jurisdiction.clone(),
        has_phone: record.phone.is_some(),
        has_address: record.address.is_some(),
        commitments: commitments(record, &key),
    }
}

fn commitments(record: &PersonRecord, key: &Key) -> Value {
    let key = PersonKey::new(*key.bytes());
    let mut fields = Map::new();
    let mut add = |field: &str, value: &str| fields.insert(field.to_owned(), json!(to_hex(&commit(&key, field, value.as_bytes()))));
    add("external_reference", &record.external_reference);
    add("name", &record.name);
    if let Some(phone) = &record.phone {
        add("sms", phone);
    }
    if record.address.is_some() {
        add("letter", &record.address_block().join("\n"));
    }
    Value::Object(fields)
}

/// `ABCD-EFGH`: 40 random bits, drawn again by the database's uniqueness if ever taken.
fn reference_code() -> String {
    let mut rng = rand::rng();
    let mut code: String = (0..8).map(|_| char::from(CODE_ALPHABET[rng.random_range(0..CODE_ALPHABET.len())])).collect();
    code.insert(4, '-');
    code
}
