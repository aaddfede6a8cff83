//! Plans: approvals, go and pause. Plan states move by events only.

mod draft;
mod moves;

pub(super) use draft::lock_people;
pub use draft::{FrozenList, PlanDraft, PreparedContent, PreparedNotice, Terms};
pub use moves::{Approved, GO, Moved, PAUSE, PlanMove, RESUME};

use super::list::ManifestRow;
use super::unit::IncidentKey;
use super::{Store, StoreError};
use uuid::Uuid;

/// A person to be rendered for a plan.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Person.
    pub person_id: Uuid,
    /// Version of the person.
    pub version: i32,
    /// Sealed record.
    pub contact: Vec<u8>,
    /// Person's key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Code printed in messages.
    pub reference_code: String,
    /// An SMS is possible.
    pub has_phone: bool,
    /// A letter is possible.
    pub has_address: bool,
    /// An email is possible.
    pub has_email: bool,
    /// ISO country or subdivision.
    pub jurisdiction: String,
}

/// A plan as commands see it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number.
    pub plan_no: i32,
    /// State word.
    pub state: String,
    /// Canonical body.
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub hash: Vec<u8>,
    /// Who prepared it.
    pub prepared_by: Uuid,
    /// How many approved it.
    pub approvals: i64,
}

impl Store {
    /// Numbers of lists that are not frozen, oldest first.
    pub async fn list_open_lists(&self, incident: IncidentKey) -> Result<Vec<i32>, StoreError> {
        let rows = sqlx::query!(
            "select l.list_no from affected_list l left join list_freeze f using (controller_id, incident_no, list_no)
              where l.controller_id = $1 and l.incident_no = $2 and f.list_no is null order by l.list_no",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.list_no).collect())
    }

    /// Lists that are frozen and have people whom no plan covers in `phase`: the one that did was withdrawn.
    pub async fn list_released_lists(&self, incident: IncidentKey, phase: i32) -> Result<Vec<FrozenList>, StoreError> {
        let rows = sqlx::query!(
            "select f.list_no, f.people, f.manifest_root from list_freeze f
              where f.controller_id = $1 and f.incident_no = $2 and exists (select from person p
                 where p.controller_id = $1 and p.incident_no = $2 and p.list_no = f.list_no
                   and not exists (select from notice n where n.controller_id = $1 and n.incident_no = $2
                        and n.person_id = p.person_id and n.phase = $3))
              order by f.list_no",
            incident.controller_id,
            incident.incident_no,
            phase
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| Ok(FrozenList { list_no: row.list_no, people: row.people, root: super::unit::hash(&row.manifest_root)? }))
            .collect()
    }

    /// Lines of a list's manifest after `after`, ascending by person id.
    pub async fn list_manifest(
        &self,
        incident: IncidentKey,
        list_no: i32,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<ManifestRow>, StoreError> {
        let rows = sqlx::query_as!(
            ManifestRow,
            "select person_id, commitments from person where controller_id = $1 and incident_no = $2 and list_no = $3 and person_id > $4
              order by person_id limit $5",
            incident.controller_id,
            incident.incident_no,
            list_no,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// People without a notice in `phase`, after `after`, ascending by id.
    pub async fn list_recipients(
        &self,
        incident: IncidentKey,
        lists: &[i32],
        phase: i32,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<Recipient>, StoreError> {
        let rows = sqlx::query_as!(
            Recipient,
            "select p.person_id, p.version, p.contact, k.wrapped as wrapped_key, p.reference_code, p.has_phone, p.has_address, p.has_email,
                    p.jurisdiction
               from person p join person_key k using (controller_id, incident_no, person_id)
              where p.controller_id = $1 and p.incident_no = $2 and p.list_no = any($3) and p.person_id > $5
                and not exists (select from notice n where n.controller_id = p.controller_id and n.incident_no = p.incident_no
                     and n.person_id = p.person_id and n.phase = $4)
              order by p.person_id limit $6",
            incident.controller_id,
            incident.incident_no,
            lists,
            phase,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Jurisdictions of people without a notice in `phase`, each with how many they are.
    pub async fn count_jurisdictions(
        &self,
        incident: IncidentKey,
        lists: &[i32],
        phase: i32,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query!(
            r#"select p.jurisdiction, count(*) as "people!" from person p join person_key k using (controller_id, incident_no, person_id)
              where p.controller_id = $1 and p.incident_no = $2 and p.list_no = any($3)
                and not exists (select from notice n where n.controller_id = p.controller_id and n.incident_no = p.incident_no
                     and n.person_id = p.person_id and n.phase = $4)
              group by p.jurisdiction order by p.jurisdiction"#,
            incident.controller_id,
            incident.incident_no,
            lists,
            phase
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.jurisdiction, row.people)).collect())
    }

    /// The profile that a person is told under in the newest phase; `None` before their first plan.
    pub async fn find_profile_of(&self, incident: IncidentKey, person_id: Uuid) -> Result<Option<String>, StoreError> {
        let profile = sqlx::query_scalar!(
            "select profile from notice where controller_id = $1 and incident_no = $2 and person_id = $3 order by phase desc limit 1",
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(profile)
    }

    /// A plan of an incident.
    pub async fn load_plan(&self, incident: IncidentKey, plan_no: i32) -> Result<Plan, StoreError> {
        let row = sqlx::query_as!(
            Plan,
            r#"select plan_no, state, body, hash, prepared_by,
                      (select count(*) from plan_approval a where a.controller_id = q.controller_id and a.incident_no = q.incident_no
                          and a.plan_no = q.plan_no) as "approvals!"
                 from plan q where controller_id = $1 and incident_no = $2 and plan_no = $3"#,
            incident.controller_id,
            incident.incident_no,
            plan_no
        )
        .fetch_optional(&self.pool)
        .await?;
        row.ok_or_else(|| StoreError::missing("plan", &plan_no.to_string()))
    }

    /// The newest plan of an incident.
    pub async fn find_last_plan(&self, incident: IncidentKey) -> Result<Option<i32>, StoreError> {
        let row = sqlx::query!(
            "select max(plan_no) as plan_no from plan where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.plan_no)
    }
}
