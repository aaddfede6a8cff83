//! Erasure: the event `key.destroyed` destroys a person's key, and its trigger takes away all that the key sealed.

use super::quarantine::{Decider, RowName};
use super::unit::{IncidentKey, Unit, Wait};
use super::{Fault, Store, StoreError};
use crate::model::person::printed_id;
use serde_json::{Map, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// Quarantined rows in one query.
const ROWS: i64 = 1000;
/// Rejected jobs in one query; each may have 1 MiB.
const JOBS: i64 = 50;

/// What stands sealed of a person, to be opened once more.
#[derive(Debug, Clone)]
pub struct SealedPerson {
    /// Person's key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Record under the person's key.
    pub contact: Vec<u8>,
    /// Keyed hash of the external reference.
    pub reference_hash: [u8; 32],
}

/// Something sealed under another key than a person's, that may hold a person all the same.
#[derive(Debug, Clone, Copy)]
pub enum SealedCopy<'a> {
    /// A quarantined row, under its list's key.
    Row {
        /// The list's key under the incident key.
        wrapped_key: &'a [u8],
        /// The row as read.
        sealed: &'a [u8],
    },
    /// A job that could not be read, under the master key.
    Job {
        /// The bytes as they came.
        sealed: &'a [u8],
    },
}

/// Whether a copy is the person's; `None` where it does not open.
pub type IsTheirs<'a> = &'a (dyn Fn(SealedCopy<'_>) -> Option<bool> + Sync);

/// Keyed hash by which a re-import of an erased person is refused.
pub type Tombstone = [u8; 32];

#[derive(Default)]
struct Copies {
    lists: Vec<i32>,
    identities: Vec<Vec<u8>>,
    jobs: Vec<Uuid>,
}

impl Store {
    /// What is sealed of a person; `None` once it is erased.
    pub async fn load_sealed_person(&self, incident: IncidentKey, person_id: Uuid) -> Result<Option<SealedPerson>, StoreError> {
        let row = sqlx::query!(
            r#"select k.wrapped as "wrapped?", p.contact, p.reference_hash from person p left join person_key k using (controller_id, incident_no, person_id)
                where p.controller_id = $1 and p.incident_no = $2 and p.person_id = $3"#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| StoreError::missing("person of this incident", &printed_id(person_id)))?;
        let Some(wrapped_key) = row.wrapped else { return Ok(None) };
        let reference_hash = super::unit::hash(&row.reference_hash)?;
        Ok(Some(SealedPerson { wrapped_key, contact: row.contact, reference_hash }))
    }

    /// Destroys a person's key with its event, and what `is_theirs` finds under other keys; answers when.
    pub async fn erase_person(
        &self,
        incident: IncidentKey,
        person_id: Uuid,
        tombstone: &Tombstone,
        by: Decider,
        is_theirs: IsTheirs<'_>,
    ) -> Result<OffsetDateTime, StoreError> {
        let (mut unit, erased_at) = self.begin_erasure(incident, person_id, tombstone, by, is_theirs).await?;
        let detail = Map::from_iter([
            ("command".to_owned(), json!(by.command_id.to_string())),
            ("user".to_owned(), json!(by.user_id.to_string())),
        ]);
        unit.plain_event(Some(person_id), "key.destroyed", detail)?;
        // If we die before this, the person is as before; after it nothing of them can be read again.
        unit.commit().await.map_err(refusal)?;
        Ok(erased_at)
    }

    /// Says what an erasure reaches; the event must follow in the same unit.
    pub(crate) async fn begin_erasure(
        &self,
        incident: IncidentKey,
        person_id: Uuid,
        tombstone: &Tombstone,
        by: Decider,
        is_theirs: IsTheirs<'_>,
    ) -> Result<(Unit, OffsetDateTime), StoreError> {
        let mut tx = self.pool.begin().await?;
        // Exclusive: rows of this person that come in are either there before and found, or see the tombstone.
        super::list::lock_incident(&mut tx, incident).await?;
        let mut unit = self.unit_in(tx, incident, &[person_id], Wait::Wait).await?;
        let copies = unit.find_copies(is_theirs).await?;
        let erased_at = unit.insert_erasure(person_id, tombstone, by, &copies).await?;
        Ok((unit, erased_at))
    }
}

/// The trigger's refusals, which a race alone can meet: the command looked before.
fn refusal(error: StoreError) -> StoreError {
    let StoreError::Database(Fault(sqlx::Error::Database(refused))) = &error else { return error };
    match refused.code().as_deref() {
        Some("DU062") => StoreError::Forbidden {
            what: "the person's notices have not ended",
            remedy: "wait until `duly person show` tells the end, then erase; nothing was changed",
        },
        Some("DU063") => already_erased(),
        _ => error,
    }
}

/// The refusal of a second erasure.
pub fn already_erased() -> StoreError {
    StoreError::Forbidden {
        what: "this person is erased already",
        remedy: "nothing is left to do; `duly person show` tells when",
    }
}

impl Unit {
    async fn find_copies(&mut self, is_theirs: IsTheirs<'_>) -> Result<Copies, StoreError> {
        let mut copies = Copies::default();
        self.find_rows(is_theirs, &mut copies).await?;
        self.find_jobs(is_theirs, &mut copies).await?;
        Ok(copies)
    }

    async fn find_rows(&mut self, is_theirs: IsTheirs<'_>, copies: &mut Copies) -> Result<(), StoreError> {
        let mut after = RowName { list_no: 0, identity: Vec::new() };
        loop {
            let rows = sqlx::query!(
                r#"select s.list_no, s.identity, s.sealed as "sealed!", l.wrapped_key
                     from source_row s join affected_list l using (controller_id, incident_no, list_no)
                    where s.controller_id = $1 and s.incident_no = $2 and s.fate = 'quarantined' and (s.list_no, s.identity) > ($3, $4)
                    order by s.list_no, s.identity limit $5"#,
                self.incident.controller_id,
                self.incident.incident_no,
                after.list_no,
                after.identity,
                ROWS
            )
            .fetch_all(&mut *self.tx)
            .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = RowName { list_no: last.list_no, identity: last.identity.clone() };
            for row in rows.into_iter().filter(|row| !row.sealed.is_empty()) {
                let copy = SealedCopy::Row { wrapped_key: &row.wrapped_key, sealed: &row.sealed };
                if is_theirs(copy).ok_or(StoreError::Corrupt { what: "quarantined row" })? {
                    copies.lists.push(row.list_no);
                    copies.identities.push(row.identity);
                }
            }
        }
    }

    async fn find_jobs(&mut self, is_theirs: IsTheirs<'_>, copies: &mut Copies) -> Result<(), StoreError> {
        let mut after = Uuid::nil();
        loop {
            let rows = sqlx::query!(
                "select rejected_id, sealed from rejected_job where rejected_id > $1 and sealed <> '' order by rejected_id limit $2",
                after,
                JOBS
            )
            .fetch_all(&mut *self.tx)
            .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.rejected_id;
            for row in &rows {
                if is_theirs(SealedCopy::Job { sealed: &row.sealed }).ok_or(StoreError::Corrupt { what: "rejected job" })? {
                    copies.jobs.push(row.rejected_id);
                }
            }
        }
    }

    async fn insert_erasure(
        &mut self,
        person_id: Uuid,
        tombstone: &Tombstone,
        by: Decider,
        copies: &Copies,
    ) -> Result<OffsetDateTime, StoreError> {
        let row = sqlx::query!(
            "insert into erasure (controller_id, incident_no, person_id, tombstone, copy_lists, copy_identities, copy_jobs, command_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8) returning erased_at",
            self.incident.controller_id,
            self.incident.incident_no,
            person_id,
            tombstone.as_slice(),
            &copies.lists,
            &copies.identities,
            &copies.jobs,
            by.command_id
        )
        .fetch_one(&mut *self.tx)
        .await
        .map_err(|error| match error.as_database_error() {
            Some(refused) if refused.is_unique_violation() => already_erased(),
            _ => error.into(),
        })?;
        Ok(row.erased_at)
    }
}
