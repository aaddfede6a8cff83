//! A read row becomes one that can be stored: everything personal is sealed or hashed under a key.

use super::csv::ParsedRow;
use super::job::Job;
use crate::model::contact::{Checked, Fault, PersonRecord, draw_reference_code};
use crate::model::seal::Key;
use crate::store::list::{JobIdentity, NewPerson, NewRow};
use duly_ledger::{PersonKey, commit, to_hex};
use rand::RngExt;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The keys that rows of one list are sealed under.
#[derive(Clone)]
pub struct RowKeys {
    /// The incident's.
    pub incident: Key,
    /// The list's.
    pub list: Key,
}

impl RowKeys {
    /// A row of a file; its number is its identity.
    pub fn file_row(&self, parsed: ParsedRow) -> NewRow {
        let raw = serde_json::to_vec(&parsed.cells).unwrap_or_default();
        let reference = parsed.cell("external_reference").to_owned();
        NewRow {
            identity: parsed.row.to_be_bytes().to_vec(),
            row_no: i64::try_from(parsed.row).ok(),
            ..self.row(&reference, parsed.result, &raw)
        }
    }

    /// A job; the keyed hash of its `job_id` is its identity.
    pub fn job_row(&self, job: &Job) -> NewRow {
        let raw = serde_json::to_vec(&job.person).unwrap_or_default();
        let result = PersonRecord::check(&job.person);
        let row = self.row(&job.person.external_reference, result, &raw);
        // Equal normalised fields are one person, as in a file; what could not be read is compared as it came.
        let content = row.person.as_ref().map_or_else(|| self.incident.search_hash("row", &raw), |person| person.fields_hash);
        let id = self.incident.search_hash("job", job.job_id.as_bytes());
        let reused = self.incident.search_hash("job reused", &[id, content].concat());
        NewRow { identity: id[..16].to_vec(), job: Some(JobIdentity { content, if_reused: reused[..16].to_vec() }), ..row }
    }

    fn reference_hash(&self, normal: &str) -> [u8; 32] {
        self.incident.search_hash("external_reference", normal.as_bytes())
    }

    fn row(&self, reference: &str, result: Result<Checked, Vec<Fault>>, raw: &[u8]) -> NewRow {
        let faults: Vec<Value> =
            result.as_ref().err().into_iter().flatten().map(|f| json!({"column": f.column, "code": f.code})).collect();
        let reference = PersonRecord::normal_reference(reference);
        let tombstone = || self.incident.tombstone(&self.reference_hash(&reference));
        NewRow {
            identity: Vec::new(),
            row_no: None,
            job: None,
            tombstone: (!reference.is_empty()).then(tombstone),
            person: result.ok().map(|checked| self.person(&checked)),
            faults: Value::Array(faults),
            sealed: self.list.seal("row", raw),
        }
    }

    fn person(&self, checked: &Checked) -> NewPerson {
        let record = &checked.record;
        let key = Key::generate();
        let plain = serde_json::to_vec(record).unwrap_or_default();
        let reference_code = draw_reference_code();
        NewPerson {
            person_id: Uuid::from_bytes(rand::rng().random()),
            wrapped_key: self.incident.wrap(&key, "person"),
            contact: key.seal("contact", &plain),
            reference_hash: self.reference_hash(&record.external_reference),
            fields_hash: self.incident.search_hash("fields", &plain),
            commitments: commitments(record, &reference_code, &key),
            reference_code,
            language: record.language.clone(),
            format: record.format.clone(),
            jurisdiction: record.jurisdiction.clone(),
            has_phone: checked.takes_texts,
            has_address: record.address.is_some(),
            has_email: record.email.is_some(),
        }
    }
}

fn commitments(record: &PersonRecord, reference_code: &str, key: &Key) -> Value {
    let key = PersonKey::new(*key.bytes());
    let mut fields = Map::new();
    let mut add =
        |field: &str, value: &str| fields.insert(field.to_owned(), json!(to_hex(&commit(&key, field, value.as_bytes()))));
    add("external_reference", &record.external_reference);
    add("name", &record.name);
    add("reference_code", reference_code);
    if let Some(phone) = &record.phone {
        add("sms", phone);
    }
    if let Some(email) = &record.email {
        add("email", email);
    }
    if record.address.is_some() {
        add("letter", &record.address_block().join("\n"));
    }
    Value::Object(fields)
}
