//! Affected lists: rows become people, repeats or quarantined rows, each exactly once.

mod insert;

use super::unit::IncidentKey;
use super::{Store, StoreError};
use duly_ledger::ManifestLine;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

pub(super) use insert::insert_into;

/// A list to be found, or opened where there is none.
#[derive(Debug, Clone, Copy)]
pub struct NewList<'a> {
    /// `file`, `jobs` or `corrections`.
    pub source: &'a str,
    /// Keyed hash of the file; `None` for jobs.
    pub file_hash: Option<&'a [u8]>,
    /// Data rows by the separate reader; `None` for jobs.
    pub row_count: Option<i64>,
    /// A fresh intake key under the incident key.
    pub wrapped_key: &'a [u8],
    /// Columns beside Duly's own: `{name: {type, sensitive}}`.
    pub columns: &'a Value,
}

/// A list that rows go into.
#[derive(Debug, Clone)]
pub struct OpenList {
    /// Number within the incident.
    pub list_no: i32,
    /// Its intake key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Whether it takes no more people.
    pub is_frozen: bool,
    /// Columns beside Duly's own: `{name: {type, sensitive}}`.
    pub columns: Value,
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

/// How a job is told from another one with the same `job_id`.
#[derive(Debug, Clone)]
pub struct JobIdentity {
    /// Keyed hash of what the job says.
    pub content: [u8; 32],
    /// Its identity where another job has taken that of its `job_id`.
    pub if_reused: Vec<u8>,
}

/// One row of a batch.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// Permanent identity within the list.
    pub identity: Vec<u8>,
    /// Row number of a file, 1..; `None` for a job.
    pub row_no: Option<i64>,
    /// What a job is known by; `None` for a row of a file, whose number tells one from the other.
    pub job: Option<JobIdentity>,
    /// By which the row is refused if its person was erased; `None` without a reference.
    pub tombstone: Option<[u8; 32]>,
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

/// The end of an insert.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    /// Every row has its fate.
    Taken {
        /// Counts.
        tally: Tally,
        /// Row number and faults of each newly quarantined row.
        quarantined: Vec<(i64, Value)>,
    },
    /// The list is frozen and the batch has rows that it does not know: nothing was written.
    Frozen,
}

/// A person's line for the manifest.
#[derive(Debug, Clone)]
pub struct ManifestRow {
    /// Person.
    pub person_id: Uuid,
    /// Field to hex commitment.
    pub commitments: Value,
}

impl ManifestRow {
    /// The line of the manifest.
    pub fn line(&self) -> Result<ManifestLine, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "commitment" };
        let fields = self.commitments.as_object().ok_or_else(corrupt)?;
        let commitment = |(field, value): (&String, &Value)| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(value.as_str().unwrap_or_default(), &mut bytes).map_err(|_| corrupt())?;
            Ok((field.clone(), bytes))
        };
        let commitments = fields.iter().map(commitment).collect::<Result<_, StoreError>>()?;
        Ok(ManifestLine { person: *self.person_id.as_bytes(), commitments })
    }
}

/// The fault of a reference that stands elsewhere with other fields.
pub fn duplicate_reference() -> Value {
    json!([{"column": "external_reference", "code": "duplicate_reference"}])
}

/// The fault of a job whose `job_id` came before with other content.
pub fn job_id_reused() -> Value {
    json!([{"column": "job_id", "code": "job_id_reused"}])
}

/// The fault of a row that brings an erased person again.
pub fn erased() -> Value {
    json!([{"column": "external_reference", "code": "erased"}])
}

impl Store {
    /// Opens the list of this file, or finds it again: the same file is the same list.
    pub async fn open_list(
        &self,
        incident: IncidentKey,
        source: &str,
        file_hash: Option<&[u8]>,
        wrapped_key: &[u8],
    ) -> Result<OpenList, StoreError> {
        self.find_or_open_list(incident, &NewList { source, file_hash, row_count: None, wrapped_key, columns: &json!({}) }).await
    }

    /// The newest list of this origin, or a new one.
    pub async fn find_or_open_list(&self, incident: IncidentKey, new: &NewList<'_>) -> Result<OpenList, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Exclusive: two imports of one file must not open two lists.
        lock_incident(&mut tx, incident).await?;
        if let Some(list) = find(&mut tx, incident, new.source, new.file_hash).await? {
            return Ok(list);
        }
        let row = sqlx::query!(
            "insert into affected_list (controller_id, incident_no, list_no, source, file_hash, row_count, wrapped_key, columns)
             select $1, $2, coalesce(max(list_no), 0) + 1, $3, $4, $5, $6, $7 from affected_list where controller_id = $1 and incident_no = $2
             returning list_no",
            incident.controller_id,
            incident.incident_no,
            new.source,
            new.file_hash,
            new.row_count,
            new.wrapped_key,
            new.columns
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let wrapped_key = new.wrapped_key.to_vec();
        Ok(OpenList { list_no: row.list_no, wrapped_key, is_frozen: false, columns: new.columns.clone() })
    }

    /// The newest list of this origin.
    pub async fn find_list(
        &self,
        incident: IncidentKey,
        source: &str,
        file_hash: Option<&[u8]>,
    ) -> Result<Option<OpenList>, StoreError> {
        let mut tx = self.pool.begin().await?;
        find(&mut tx, incident, source, file_hash).await
    }

    /// The own columns of all lists of an incident, one list after the other.
    pub async fn list_columns(&self, incident: IncidentKey) -> Result<Vec<Value>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select columns from affected_list where controller_id = $1 and incident_no = $2 order by list_no",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// An open list that goes on where a frozen one of the same origin ended, under the same key.
    pub async fn open_supplement(&self, incident: IncidentKey, list_no: i32) -> Result<OpenList, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_incident(&mut tx, incident).await?;
        let of = sqlx::query!(
            "select source, file_hash from affected_list where controller_id = $1 and incident_no = $2 and list_no = $3",
            incident.controller_id,
            incident.incident_no,
            list_no
        )
        .fetch_one(&mut *tx)
        .await?;
        if let Some(list) = find(&mut tx, incident, &of.source, of.file_hash.as_deref()).await?.filter(|l| !l.is_frozen) {
            return Ok(list);
        }
        let row = sqlx::query!(
            "insert into affected_list (controller_id, incident_no, list_no, source, file_hash, row_count, wrapped_key, columns)
             select controller_id, incident_no, (select max(list_no) + 1 from affected_list where controller_id = $1 and incident_no = $2),
                    source, file_hash, row_count, wrapped_key, columns
               from affected_list where controller_id = $1 and incident_no = $2 and list_no = $3
             returning list_no, wrapped_key, columns",
            incident.controller_id,
            incident.incident_no,
            list_no
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(OpenList { list_no: row.list_no, wrapped_key: row.wrapped_key, is_frozen: false, columns: row.columns })
    }

    /// Takes a batch of rows in one transaction. A row that is known already changes nothing.
    pub async fn insert_rows(&self, incident: IncidentKey, list_no: i32, rows: &[NewRow]) -> Result<Inserted, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Shared with `begin_plan`, which takes it exclusively: no row can slip behind a manifest.
        sqlx::query!(
            r#"select pg_advisory_xact_lock_shared(hashtextextended('duly people of ' || $1::bigint, 0)) as locked"#,
            incident.incident_no
        )
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query!("select 1 as one from incident where incident_no = $1 for share", incident.incident_no)
            .fetch_one(&mut *tx)
            .await?;
        let inserted = insert_into(&mut tx, incident, list_no, rows).await?;
        // If we die before this, none of the batch is taken; after it, the same import finds all of it known.
        tx.commit().await?;
        Ok(inserted)
    }

    /// Which of these rows the origin of a list knows already.
    pub async fn list_known(
        &self,
        incident: IncidentKey,
        list_no: i32,
        identities: &[Vec<u8>],
    ) -> Result<HashSet<Vec<u8>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        Ok(insert::known(&mut tx, incident, list_no, identities).await?.into_keys().collect())
    }

    /// Which of these tombstones are of erased people.
    pub async fn list_erased(&self, incident: IncidentKey, tombstones: &[Vec<u8>]) -> Result<HashSet<Vec<u8>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        insert::find_erased(&mut tx, incident, tombstones).await
    }

    /// Keyed hashes of the fields of people with these references.
    pub async fn list_fields(
        &self,
        incident: IncidentKey,
        references: &[Vec<u8>],
    ) -> Result<HashMap<Vec<u8>, Vec<u8>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let found = insert::find_by_reference(&mut tx, incident, references).await?;
        Ok(found.into_iter().map(|(reference, (_, fields))| (reference, fields)).collect())
    }
}

type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

pub(super) async fn lock_incident(tx: &mut Tx, incident: IncidentKey) -> Result<(), StoreError> {
    sqlx::query!("select 1 as one from incident where incident_no = $1 for update", incident.incident_no)
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

async fn find(
    tx: &mut Tx,
    incident: IncidentKey,
    source: &str,
    file_hash: Option<&[u8]>,
) -> Result<Option<OpenList>, StoreError> {
    let row = sqlx::query_as!(
        OpenList,
        r#"select l.list_no, l.wrapped_key, f.list_no is not null as "is_frozen!", l.columns from affected_list l
             left join list_freeze f using (controller_id, incident_no, list_no)
            where l.controller_id = $1 and l.incident_no = $2 and l.source = $3 and l.file_hash is not distinct from $4
            order by l.list_no desc limit 1"#,
        incident.controller_id,
        incident.incident_no,
        source,
        file_hash
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row)
}
