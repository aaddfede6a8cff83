//! The statements that give rows their fates, inside a transaction that holds the incident.

use super::{Inserted, JobIdentity, NewPerson, NewRow, Tally, Tx, duplicate_reference, erased, job_id_reused};
use crate::model::contact::draw_reference_code;
use crate::store::StoreError;
use crate::store::log_event::{Fact, insert_log_events};
use crate::store::sequencing::LogScope;
use crate::store::unit::IncidentKey;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Draws of a reference code before giving up; one in a million people meets a code that is taken.
const DRAWS_MAX: usize = 8;

type Existing = HashMap<Vec<u8>, (Uuid, Vec<u8>)>;
/// Rows that were taken before: identity to what the job said. `None` for a row of a file, and once nothing is kept of it.
type Known = HashMap<Vec<u8>, Option<Vec<u8>>>;

struct Fate {
    word: &'static str,
    person_id: Option<Uuid>,
    faults: Option<Value>,
}

impl Fate {
    fn of(row: &NewRow, inserted: &HashSet<Uuid>, existing: &Existing, gone: &HashSet<Vec<u8>>) -> Self {
        if is_gone(row, gone) {
            return Self { word: "quarantined", person_id: None, faults: Some(erased()) };
        }
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
            _ => Self { word: "quarantined", person_id: None, faults: Some(duplicate_reference()) },
        }
    }
}

fn is_gone(row: &NewRow, gone: &HashSet<Vec<u8>>) -> bool {
    row.tombstone.is_some_and(|t| gone.contains(t.as_slice()))
}

/// Under which names a row may be known.
fn identities(row: &NewRow) -> impl Iterator<Item = Vec<u8>> {
    std::iter::once(row.identity.clone()).chain(row.job.as_ref().map(|job| job.if_reused.clone()))
}

/// Rows that were not taken before. A job whose `job_id` came before with other content is not the same job: it gets an
/// identity of its own and waits, so that nobody is lost behind a number that was given twice.
fn find_fresh<'a>(rows: &'a [NewRow], mut known: Known, gone: &HashSet<Vec<u8>>) -> Vec<Cow<'a, NewRow>> {
    let mut fresh = Vec::new();
    for row in rows {
        let content = row.job.as_ref().map(|job| job.content.to_vec());
        let Some(before) = known.get(&row.identity) else {
            // The same job may stand in one batch twice.
            known.insert(row.identity.clone(), content);
            fresh.push(Cow::Borrowed(row));
            continue;
        };
        if let Some(job) = &row.job
            && is_another(job, before.as_deref(), is_gone(row, gone))
            && !known.contains_key(&job.if_reused)
        {
            known.insert(job.if_reused.clone(), content);
            let identity = job.if_reused.clone();
            fresh.push(Cow::Owned(NewRow { identity, person: None, faults: job_id_reused(), ..row.clone() }));
        }
    }
    fresh
}

/// Whether a job says something else than the one before it; of an erased person nothing is left but that it was erased.
fn is_another(job: &JobIdentity, before: Option<&[u8]>, is_gone: bool) -> bool {
    before.map_or(!is_gone, |before| before != job.content)
}

/// Gives each row its fate. The caller holds the incident, commits or rolls back.
pub async fn insert_into(tx: &mut Tx, incident: IncidentKey, list_no: i32, rows: &[NewRow]) -> Result<Inserted, StoreError> {
    let is_frozen = lock_list(tx, incident, list_no).await?;
    let identities: Vec<Vec<u8>> = rows.iter().flat_map(identities).collect();
    let known = known(tx, incident, list_no, &identities).await?;
    let tombstones: Vec<Vec<u8>> = rows.iter().filter_map(|r| r.tombstone).map(|t| t.to_vec()).collect();
    let gone = find_erased(tx, incident, &tombstones).await?;
    let fresh = find_fresh(rows, known, &gone);
    if is_frozen && !fresh.is_empty() {
        return Ok(Inserted::Frozen);
    }
    let mut people: Vec<&NewPerson> = fresh.iter().filter(|r| !is_gone(r, &gone)).filter_map(|r| r.person.as_ref()).collect();
    // One order for all transactions: two that bring the same people wait for each other instead of dying.
    people.sort_by_key(|p| p.reference_hash);
    let (inserted, existing) = insert_people(tx, incident, list_no, &people).await?;
    insert_keys(tx, incident, people.iter().filter(|p| inserted.contains(&p.person_id)).copied()).await?;
    let fates: Vec<Fate> = fresh.iter().map(|row| Fate::of(row, &inserted, &existing, &gone)).collect();
    insert_source_rows(tx, incident, list_no, &fresh, &fates).await?;
    let count = |word: &str| fates.iter().filter(|f| f.word == word).count() as u64;
    let tally = Tally {
        rows: rows.len() as u64,
        people: count("person"),
        duplicates: count("duplicate_of"),
        quarantined: count("quarantined"),
        known: (rows.len() - fresh.len()) as u64,
    };
    let waits = fresh.iter().zip(&fates).filter_map(|(row, fate)| Some(quarantined_event(list_no, row, fate.faults.as_ref()?)));
    let waits: Vec<Fact> = waits.collect();
    if !waits.is_empty() {
        insert_log_events(tx, LogScope::Incident(incident.controller_id, incident.incident_no), waits).await?;
    }
    let quarantined = fresh.iter().zip(fates).filter_map(|(row, fate)| Some((row.row_no.unwrap_or(0), fate.faults?))).collect();
    Ok(Inserted::Taken { tally, quarantined })
}

/// A row that waits is a fact; its event names the place and the codes, never a value.
fn quarantined_event(list_no: i32, row: &NewRow, faults: &Value) -> Fact {
    let codes = faults.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(|fault| fault.get("code")?.as_str());
    let place = row.row_no.map_or_else(|| json!(hex::encode(&row.identity)), |n| json!(n));
    let detail = [("codes", json!(codes.collect::<Vec<_>>().join(","))), ("list", json!(list_no)), ("row", place)];
    ("row.quarantined", detail.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Tombstones of people who were erased: they are not taken in again.
pub async fn find_erased(tx: &mut Tx, incident: IncidentKey, tombstones: &[Vec<u8>]) -> Result<HashSet<Vec<u8>>, StoreError> {
    let rows = sqlx::query_scalar!(
        "select tombstone from erasure where controller_id = $1 and incident_no = $2 and tombstone = any($3)",
        incident.controller_id,
        incident.incident_no,
        tombstones
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Locks the list, so that two imports of one file take turns; answers whether it is frozen.
async fn lock_list(tx: &mut Tx, incident: IncidentKey, list_no: i32) -> Result<bool, StoreError> {
    let row = sqlx::query!(
        r#"select exists (select from list_freeze f where f.controller_id = l.controller_id and f.incident_no = l.incident_no
                  and f.list_no = l.list_no) as "is_frozen!"
             from affected_list l where l.controller_id = $1 and l.incident_no = $2 and l.list_no = $3 for no key update"#,
        incident.controller_id,
        incident.incident_no,
        list_no
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.is_frozen)
}

/// Identities that any list of the same origin has already.
pub async fn known(tx: &mut Tx, incident: IncidentKey, list_no: i32, identities: &[Vec<u8>]) -> Result<Known, StoreError> {
    let origin = sqlx::query_scalar!(
        "select l.list_no from affected_list this
           join affected_list l on l.controller_id = this.controller_id and l.incident_no = this.incident_no
                and l.source = this.source and l.file_hash is not distinct from this.file_hash
          where this.controller_id = $1 and this.incident_no = $2 and this.list_no = $3",
        incident.controller_id,
        incident.incident_no,
        list_no
    )
    .fetch_all(&mut **tx)
    .await?;
    // The fence makes one look-up of each: without it the planner, that knows nothing of a growing table, reads the whole
    // list for every batch.
    let rows = sqlx::query!(
        r#"select i.identity as "identity!", s.content_hash from unnest($3::int[]) as l (list_no) cross join unnest($4::bytea[]) as i (identity)
            cross join lateral (select s.content_hash from source_row s where s.controller_id = $1 and s.incident_no = $2
                and s.list_no = l.list_no and s.identity = i.identity offset 0) as s"#,
        incident.controller_id,
        incident.incident_no,
        &origin,
        identities
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.identity, row.content_hash)).collect())
}

/// Inserts who is new, drawing reference codes again where one is taken; answers who was inserted and who was there.
async fn insert_people(
    tx: &mut Tx,
    incident: IncidentKey,
    list_no: i32,
    people: &[&NewPerson],
) -> Result<(HashSet<Uuid>, Existing), StoreError> {
    let mut inserted = HashSet::new();
    let mut existing = Existing::new();
    let mut waiting: Vec<(&NewPerson, String)> = people.iter().map(|p| (*p, p.reference_code.clone())).collect();
    for _ in 0..DRAWS_MAX {
        if waiting.is_empty() {
            return Ok((inserted, existing));
        }
        inserted.extend(insert_new(tx, incident, list_no, &waiting).await?);
        waiting.retain(|(p, _)| !inserted.contains(&p.person_id));
        if waiting.is_empty() {
            return Ok((inserted, existing));
        }
        let references: Vec<Vec<u8>> = waiting.iter().map(|(p, _)| p.reference_hash.to_vec()).collect();
        existing.extend(find_by_reference(tx, incident, &references).await?);
        // Neither inserted nor there before: its code is taken.
        waiting.retain(|(p, _)| !existing.contains_key(p.reference_hash.as_slice()));
        waiting.iter_mut().for_each(|(_, code)| *code = draw_reference_code());
    }
    if waiting.is_empty() { Ok((inserted, existing)) } else { Err(StoreError::Corrupt { what: "reference code" }) }
}

async fn insert_new(
    tx: &mut Tx,
    incident: IncidentKey,
    list_no: i32,
    people: &[(&NewPerson, String)],
) -> Result<Vec<Uuid>, StoreError> {
    fn column<T>(people: &[(&NewPerson, String)], f: impl Fn(&NewPerson) -> T) -> Vec<T> {
        people.iter().map(|(p, _)| f(p)).collect()
    }
    let codes: Vec<String> = people.iter().map(|(_, code)| code.clone()).collect();
    let inserted = sqlx::query_scalar!(
        "insert into person (controller_id, incident_no, list_no, person_id, contact, reference_hash, fields_hash, reference_code,
                language, format, jurisdiction, has_phone, has_address, has_email, commitments)
         select $1, $2, $3, j.* from unnest($4::uuid[], $5::bytea[], $6::bytea[], $7::bytea[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::bool[], $13::bool[], $14::bool[], $15::jsonb[]) as j
         on conflict do nothing returning person_id",
        incident.controller_id,
        incident.incident_no,
        list_no,
        &column(people, |p| p.person_id),
        &column(people, |p| p.contact.clone()),
        &column(people, |p| p.reference_hash.to_vec()),
        &column(people, |p| p.fields_hash.to_vec()),
        &codes,
        &column(people, |p| p.language.clone()),
        &column(people, |p| p.format.clone()),
        &column(people, |p| p.jurisdiction.clone()),
        &column(people, |p| p.has_phone),
        &column(people, |p| p.has_address),
        &column(people, |p| p.has_email),
        &column(people, |p| p.commitments.clone())
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(inserted)
}

async fn insert_keys<'a>(
    tx: &mut Tx,
    incident: IncidentKey,
    people: impl Iterator<Item = &'a NewPerson>,
) -> Result<(), StoreError> {
    let (ids, wrapped): (Vec<Uuid>, Vec<Vec<u8>>) = people.map(|p| (p.person_id, p.wrapped_key.clone())).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into person_key (controller_id, incident_no, person_id, wrapped) select $1, $2, j.* from unnest($3::uuid[], $4::bytea[]) as j",
        incident.controller_id,
        incident.incident_no,
        &ids,
        &wrapped
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// People by the keyed hashes of their references; fenced as in `known`. Only the hash is left to search by: a plan that was
/// made for an empty table would else walk over everybody of the incident for each row.
pub async fn find_by_reference(tx: &mut Tx, incident: IncidentKey, references: &[Vec<u8>]) -> Result<Existing, StoreError> {
    let rows = sqlx::query!(
        r#"select i.hash as "hash!", p.person_id, p.fields_hash from unnest($3::bytea[]) as i (hash)
            cross join lateral (select q.person_id, q.fields_hash from person q
                where q.reference_hash = i.hash and q.controller_id is not distinct from $1 and q.incident_no is not distinct from $2
                offset 0) as p"#,
        incident.controller_id,
        incident.incident_no,
        references
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|r| (r.hash, (r.person_id, r.fields_hash))).collect())
}

async fn insert_source_rows(
    tx: &mut Tx,
    incident: IncidentKey,
    list_no: i32,
    rows: &[Cow<'_, NewRow>],
    fates: &[Fate],
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let identities: Vec<Vec<u8>> = rows.iter().map(|r| r.identity.clone()).collect();
    let numbers: Vec<Option<i64>> = rows.iter().map(|r| r.row_no).collect();
    let words: Vec<String> = fates.iter().map(|f| f.word.to_owned()).collect();
    let people: Vec<Option<Uuid>> = fates.iter().map(|f| f.person_id).collect();
    let faults: Vec<Option<Value>> = fates.iter().map(|f| f.faults.clone()).collect();
    // Nothing is kept of who was erased: the row waits to be discarded, without a copy.
    let copy = |r: &NewRow, faults: &Value| if *faults == erased() { Vec::new() } else { r.sealed.clone() };
    let sealed: Vec<Option<Vec<u8>>> =
        rows.iter().zip(fates).map(|(r, f)| f.faults.as_ref().map(|faults| copy(r, faults))).collect();
    let is_kept = |f: &Fate| f.faults.as_ref() != Some(&erased());
    let contents: Vec<Option<Vec<u8>>> =
        rows.iter().zip(fates).map(|(r, f)| r.job.as_ref().filter(|_| is_kept(f)).map(|job| job.content.to_vec())).collect();
    sqlx::query!(
        "insert into source_row (controller_id, incident_no, list_no, identity, row_no, fate, person_id, faults, sealed, content_hash)
         select $1, $2, $3, j.* from unnest($4::bytea[], $5::bigint[], $6::text[], $7::uuid[], $8::jsonb[], $9::bytea[], $10::bytea[]) as j",
        incident.controller_id,
        incident.incident_no,
        list_no,
        &identities,
        &numbers as &[Option<i64>],
        &words,
        &people as &[Option<Uuid>],
        &faults as &[Option<Value>],
        &sealed as &[Option<Vec<u8>>],
        &contents as &[Option<Vec<u8>>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
