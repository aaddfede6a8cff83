//! Affected lists: rows become people, repeats or quarantined rows, each exactly once.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// A list that rows go into.
#[derive(Debug, Clone)]
pub struct OpenList {
    /// Number within the incident.
    pub list_no: i32,
    /// Its intake key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Whether it takes no more people.
    pub is_frozen: bool,
}

/// A row that may become a person; everything personal is sealed or hashed under a key.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Random id.
    pub person_id: Uuid,
    /// Person's key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Sealed record.
    pub contact: Vec<u8>,
    /// Keyed hash of the external reference.
    pub reference_hash: [u8; 32],
    /// Keyed hash of the normalised fields.
    pub fields_hash: [u8; 32],
    /// Code printed in messages.
    pub reference_code: String,
    /// BCP 47.
    pub language: String,
    /// Format preference.
    pub format: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// An SMS is possible.
    pub has_phone: bool,
    /// A letter is possible.
    pub has_address: bool,
    /// Field to hex commitment.
    pub commitments: Value,
}

/// One row of a batch.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// Permanent identity within the list.
    pub identity: Vec<u8>,
    /// Row number of a file, 1..; `None` for a job.
    pub row_no: Option<i64>,
    /// The person, if the row is valid.
    pub person: Option<NewPerson>,
    /// Faults of an invalid row: `[{column, code}]`.
    pub faults: Value,
    /// The row as read, sealed under the list's key.
    pub sealed: Vec<u8>,
}

/// What became of the rows of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Rows looked at.
    pub rows: u64,
    /// New people.
    pub people: u64,
    /// Repeats of a person with equal fields.
    pub duplicates: u64,
    /// Rows that wait for a correction.
    pub quarantined: u64,
    /// Rows that were known before.
    pub known: u64,
}

impl Tally {
    /// Adds another batch.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.people += other.people;
        self.duplicates += other.duplicates;
        self.quarantined += other.quarantined;
        self.known += other.known;
    }
}

/// A quarantined row as it is listed: place and codes, never values.
#[derive(Debug, Clone, serde::Serialize)]
pub struct QuarantinedRow {
    /// List.
    pub list_no: i32,
    /// Row number of a file.
    pub row: Option<i64>,
    /// `[{column, code}]`.
    pub faults: Value,
}

/// A person's line for the manifest.
#[derive(Debug, Clone)]
pub struct ManifestRow {
    /// Person.
    pub person_id: Uuid,
    /// Field to hex commitment.
    pub commitments: Value,
}

impl Store {
    /// Opens the list of this file, or finds it again: the same file is the same list.
    pub async fn open_list(&self, incident: IncidentKey, source: &str, file_hash: Option<&[u8]>, wrapped_key: &[u8]) -> Result<OpenList, StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("select 1 as one from incident where incident_no = $1 for update", incident.incident_no).fetch_one(&mut *tx).await?;
        let found = sqlx::query!(
            r#"select l.list_no, l.wrapped_key, f.list_no is not null as "is_frozen!" from affected_list l
                 left join list_freeze f using (controller_id, incident_no, list_no)
                where l.controller_id = $1 and l.incident_no = $2 and l.source = $3
                  and (l.file_hash = $4 or ($4::bytea is null and l.file_hash is null and f.list_no is null))"#,
            incident.controller_id,
            incident.incident_no,
            source,
            file_hash
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = found {
            return Ok(OpenList { list_no: row.list_no, wrapped_key: row.wrapped_key, is_frozen: row.is_frozen });
        }
        let row = sqlx::query!(
            "insert into affected_list (controller_id, incident_no, list_no, source, file_hash, wrapped_key)
             select $1, $2, coalesce(max(list_no), 0) + 1, $3, $4, $5 from affected_list where controller_id = $1 and incident_no = $2
             returning list_no",
            incident.controller_id,
            incident.incident_no,
            source,
            file_hash,
            wrapped_key
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(OpenList { list_no: row.list_no, wrapped_key: wrapped_key.to_vec(), is_frozen: false })
    }

    /// Takes a batch of rows in one transaction. A row that is known already changes nothing.
    pub async fn insert_rows(&self, incident: IncidentKey, list_no: i32, rows: &[NewRow]) -> Result<Tally, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Shared with freezing, which takes it exclusively: no row can slip behind a manifest.
        sqlx::query!("select 1 as one from incident where incident_no = $1 for share", incident.incident_no).fetch_one(&mut *tx).await?;
        let identities: Vec<Vec<u8>> = rows.iter().map(|r| r.identity.clone()).collect();
        let known = sqlx::query_scalar!(
            "select identity from source_row where controller_id = $1 and incident_no = $2 and list_no = $3 and identity = any($4)",
            incident.controller_id,
            incident.incident_no,
            list_no,
            &identities
        )
        .fetch_all(&mut *tx)
        .await?;
        let known: std::collections::HashSet<Vec<u8>> = known.into_iter().collect();
        let fresh: Vec<&NewRow> = rows.iter().filter(|r| !known.contains(&r.identity)).collect();
        let people: Vec<&NewPerson> = fresh.iter().filter_map(|r| r.person.as_ref()).collect();
        let inserted = insert_people(&mut tx, incident, list_no, &people).await?;
        let existing = find_by_reference(&mut tx, incident, &people).await?;
        let fates: Vec<Fate> = fresh.iter().map(|row| Fate::of(row, &inserted, &existing)).collect();
        insert_source_rows(&mut tx, incident, list_no, &fresh, &fates).await?;
        tx.commit().await?;
        let count = |word: &str| fates.iter().filter(|f| f.word == word).count() as u64;
        Ok(Tally {
            rows: rows.len() as u64,
            people: count("person"),
            duplicates: count("duplicate_of"),
            quarantined: count("quarantined"),
            known: known.len() as u64,
        })
    }

    /// Lists quarantined rows that nobody has decided about.
    pub async fn list_quarantined(&self, incident: IncidentKey, limit: i64) -> Result<Vec<QuarantinedRow>, StoreError> {
        let rows = sqlx::query_as!(
            QuarantinedRow,
            r#"select s.list_no, s.row_no as row, s.faults as "faults!" from source_row s
                left join row_decision d using (controller_id, incident_no, list_no, identity)
               where s.controller_id = $1 and s.incident_no = $2 and s.fate = 'quarantined' and d.identity is null
               order by s.list_no, s.row_no limit $3"#,
            incident.controller_id,
            incident.incident_no,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}

struct Fate {
    word: &'static str,
    person_id: Option<Uuid>,
    faults: Option<Value>,
}

impl Fate {
    fn of(row: &NewRow, inserted: &std::collections::HashSet<Uuid>, existing: &HashMap<Vec<u8>, (Uuid, Vec<u8>)>) -> Self {
        let Some(person) = &row.person else {
            return Self { word: "quarantined", person_id: None, faults: Some(row.faults.clone()) };
        };
        if inserted.contains(&person.person_id) {
            return Self { word: "person", person_id: Some(person.person_id), faults: None };
        }
        match existing.get(person.reference_hash.as_slice()) {
            Some((id, fields)) if fields.as_slice() == person.fields_hash => {
                Self { word: "duplicate_of", person_id: Some(*id), faults: None }
            }
            _ => Self {
                word: "quarantined",
                person_id: None,
                faults: Some(serde_json::json!([{"column": "external_reference", "code": "duplicate_reference"}])),
            },
        }
    }
}

type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

async fn insert_people(tx: &mut Tx, incident: IncidentKey, list_no: i32, people: &[&NewPerson]) -> Result<std::collections::HashSet<Uuid>, StoreError> {
    fn column<T>(people: &[&NewPerson], f: impl Fn(&NewPerson) -> T) -> Vec<T> {
        people.iter().map(|p| f(p)).collect()
    }
    let ids = column(people, |p| p.person_id);
    let inserted = sqlx::query_scalar!(
        "insert into person (controller_id, incident_no, list_no, person_id, contact, reference_hash, fields_hash, reference_code,
                language, format, jurisdiction, has_phone, has_address, commitments)
         select $1, $2, $3, j.* from unnest($4::uuid[], $5::bytea[], $6::bytea[], $7::bytea[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::bool[], $13::bool[], $14::jsonb[]) as j
         on conflict (controller_id, incident_no, reference_hash) do nothing returning person_id",
        incident.controller_id,
        incident.incident_no,
        list_no,
        &ids,
        &column(people, |p| p.contact.clone()),
        &column(people, |p| p.reference_hash.to_vec()),
        &column(people, |p| p.fields_hash.to_vec()),
        &column(people, |p| p.reference_code.clone()),
        &column(people, |p| p.language.clone()),
        &column(people, |p| p.format.clone()),
        &column(people, |p| p.jurisdiction.clone()),
        &column(people, |p| p.has_phone),
        &column(people, |p| p.has_address),
        &column(people, |p| p.commitments.clone())
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into person_key (controller_id, incident_no, person_id, wrapped)
         select $1, $2, j.id, j.wrapped from unnest($3::uuid[], $4::bytea[]) as j (id, wrapped) where j.id = any($5)",
        incident.controller_id,
        incident.incident_no,
        &ids,
        &column(people, |p| p.wrapped_key.clone()),
        &inserted
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.into_iter().collect())
}

async fn find_by_reference(tx: &mut Tx, incident: IncidentKey, people: &[&NewPerson]) -> Result<HashMap<Vec<u8>, (Uuid, Vec<u8>)>, StoreError> {
    let hashes: Vec<Vec<u8>> = people.iter().map(|p| p.reference_hash.to_vec()).collect();
    let rows = sqlx::query!(
        "select reference_hash, person_id, fields_hash from person where controller_id = $1 and incident_no = $2 and reference_hash = any($3)",
        incident.controller_id,
        incident.incident_no,
        &hashes
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|r| (r.reference_hash, (r.person_id, r.fields_hash))).collect())
}

async fn insert_source_rows(tx: &mut Tx, incident: IncidentKey, list_no: i32, rows: &[&NewRow], fates: &[Fate]) -> Result<(), StoreError> {
    let identities: Vec<Vec<u8>> = rows.iter().map(|r| r.identity.clone()).collect();
    let numbers: Vec<Option<i64>> = rows.iter().map(|r| r.row_no).collect();
    let words: Vec<String> = fates.iter().map(|f| f.word.to_owned()).collect();
    let people: Vec<Option<Uuid>> = fates.iter().map(|f| f.person_id).collect();
    let faults: Vec<Option<Value>> = fates.iter().map(|f| f.faults.clone()).collect();
    let sealed: Vec<Option<Vec<u8>>> =
        rows.iter().zip(fates).map(|(r, f)| f.faults.is_some().then(|| r.sealed.clone())).collect();
    sqlx::query!(
        "insert into source_row (controller_id, incident_no, list_no, identity, row_no, fate, person_id, faults, sealed)
         select $1, $2, $3, j.* from unnest($4::bytea[], $5::bigint[], $6::text[], $7::uuid[], $8::jsonb[], $9::bytea[]) as j",
        incident.controller_id,
        incident.incident_no,
        list_no,
        &identities,
        &numbers as &[Option<i64>],
        &words,
        &people as &[Option<Uuid>],
        &faults as &[Option<Value>],
        &sealed as &[Option<Vec<u8>>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
