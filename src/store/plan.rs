//! Plans: approvals, go and pause. Plan states move by events only.

mod draft;

pub use draft::{FrozenList, PlanDraft, PreparedContent, PreparedNotice, Terms};

use super::list::ManifestRow;
use super::quarantine::Decider;
use super::unit::{IncidentKey, Wait};
use super::{Fault, Store, StoreError};
use serde_json::{Map, Value, json};
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

    /// Records an approval; with the last one that is required the plan becomes `approved`.
    pub async fn approve_plan(
        &self,
        incident: IncidentKey,
        plan: &Plan,
        user_id: Uuid,
        command_id: Uuid,
        required: i64,
    ) -> Result<bool, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        sqlx::query!("select 1 as one from incident where incident_no = $1 for update", incident.incident_no)
            .fetch_one(&mut *unit.tx)
            .await?;
        sqlx::query!(
            "insert into plan_approval (controller_id, incident_no, plan_no, user_id, command_id) values ($1, $2, $3, $4, $5)",
            incident.controller_id,
            incident.incident_no,
            plan.plan_no,
            user_id,
            command_id
        )
        .execute(&mut *unit.tx)
        .await?;
        let row = sqlx::query!(
            r#"select count(*) as "n!" from plan_approval where controller_id = $1 and incident_no = $2 and plan_no = $3"#,
            incident.controller_id,
            incident.incident_no,
            plan.plan_no
        )
        .fetch_one(&mut *unit.tx)
        .await?;
        let is_approved = row.n >= required;
        let moves = is_approved.then_some((plan.plan_no, "prepared", "approved"));
        unit.incident_event("plan.approved", plan_detail(plan.plan_no, &plan.hash, Decider { user_id, command_id }), moves)?;
        unit.commit().await?;
        Ok(is_approved)
    }

    /// Moves a plan by an event: go, pause, resume.
    pub async fn move_plan(
        &self,
        incident: IncidentKey,
        plan: &Plan,
        kind: &'static str,
        from: &'static str,
        to: &'static str,
        by: Decider,
    ) -> Result<(), StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        // Exclusive, as for a hold: no claim is between its check and its commit while the plan pauses. Calls that are claimed and not yet started are refused by the version that they saw.
        sqlx::query!("update incident set hold_version = hold_version + 1 where incident_no = $1", incident.incident_no)
            .execute(&mut *unit.tx)
            .await?;
        unit.incident_event(kind, plan_detail(plan.plan_no, &plan.hash, by), Some((plan.plan_no, from, to)))?;
        unit.commit().await
    }

    /// Withdraws a plan that has not gone: whom it covered is in no plan again.
    pub async fn withdraw_plan(&self, incident: IncidentKey, plan: &Plan, by: Decider) -> Result<(), StoreError> {
        let from = match plan.state.as_str() {
            "prepared" => "prepared",
            _ => "approved",
        };
        let mut tx = self.pool.begin().await?;
        // Not while another plan is made: it has counted the people whom no plan covers.
        draft::lock_people(&mut tx, incident).await?;
        let mut unit = self.unit_in(tx, incident, &[], Wait::Wait).await?;
        let moves = Some((plan.plan_no, from, "withdrawn"));
        unit.incident_event("plan.withdrawn", plan_detail(plan.plan_no, &plan.hash, by), moves)?;
        // If we die before this nobody was let go; after it another plan may take them.
        unit.commit().await.map_err(refusal)
    }
}

/// The refusal that a restore alone can bring about: the command looked at the plan's state before.
fn refusal(error: StoreError) -> StoreError {
    let StoreError::Database(Fault(sqlx::Error::Database(refused))) = &error else { return error };
    match refused.code().as_deref() {
        Some("DU033") => StoreError::Forbidden {
            what: "a message of this plan may have left: the database came back older than it was",
            remedy: "pause whatever runs, look at `duly unknown list`, and let this plan go as it is; nothing was changed",
        },
        _ => error,
    }
}

/// What each event of a plan says.
fn plan_detail(plan_no: i32, hash: &[u8], by: Decider) -> Map<String, Value> {
    let fields = [
        ("command", json!(by.command_id.to_string())),
        ("hash", json!(hex::encode(hash))),
        ("plan", json!(plan_no)),
        ("user", json!(by.user_id.to_string())),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
