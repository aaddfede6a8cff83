//! What people do with a plan: approve, go, pause, resume, withdraw. Two may do it at one moment, so each looks at the plan
//! again under the incident's lock, and signs only what is still to be done: a click that comes second leaves no signature.

use super::{Plan, draft};
use crate::model::statement::plan_command;
use crate::store::list::lock_incident;
use crate::store::quarantine::Decider;
use crate::store::unit::{IncidentKey, Unit, Wait};
use crate::store::user::Signer;
use crate::store::{Fault, Store, StoreError};
use serde_json::{Map, Value, json};

/// A move of a plan that a command makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanMove {
    /// Kind of its event.
    pub kind: &'static str,
    /// Words that are typed, and signed.
    pub command: &'static str,
    /// State that it starts from.
    pub from: &'static str,
    /// State that it ends in.
    pub to: &'static str,
}

/// `duly plan go`.
pub const GO: PlanMove = PlanMove { kind: "plan.started", command: "plan go", from: "approved", to: "running" };
/// `duly plan pause`.
pub const PAUSE: PlanMove = PlanMove { kind: "plan.paused", command: "plan pause", from: "running", to: "paused" };
/// `duly plan resume`.
pub const RESUME: PlanMove = PlanMove { kind: "plan.resumed", command: "plan resume", from: "paused", to: "running" };

/// What became of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Moved {
    /// Done by this command, and signed.
    Done,
    /// The plan stands in this other state by now, and nothing was signed.
    Found(String),
}

/// What became of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Approved {
    /// It was the last that the plan needed.
    Last,
    /// It counts, and the plan needs another one.
    NotYet,
    /// The same user approved it before, and nothing was signed; how the plan stands.
    Before(String),
    /// The plan stands in this other state by now, and nothing was signed.
    Found(String),
}

impl Store {
    /// Signs and records an approval; with the last one of the `required` the plan becomes `approved`.
    pub async fn approve_plan(
        &self,
        incident: IncidentKey,
        plan: &Plan,
        signer: &Signer,
        required: i64,
    ) -> Result<Approved, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Exclusive before it is shared: two that share it and then both want it alone would wait for each other.
        lock_incident(&mut tx, incident).await?;
        let mut unit = self.unit_in(tx, incident, &[], Wait::Wait).await?;
        let stands = sqlx::query!(
            r#"select q.state, count(a.user_id) as "approvals!", coalesce(bool_or(a.user_id = $4), false) as "is_theirs!"
                 from plan q left join plan_approval a using (controller_id, incident_no, plan_no)
                where q.controller_id = $1 and q.incident_no = $2 and q.plan_no = $3 group by q.state"#,
            incident.controller_id,
            incident.incident_no,
            plan.plan_no,
            signer.user_id
        )
        .fetch_one(&mut *unit.tx)
        .await?;
        if stands.is_theirs {
            return Ok(Approved::Before(stands.state));
        }
        if stands.state != "prepared" {
            return Ok(Approved::Found(stands.state));
        }
        let by = sign(&mut unit, signer, "plan approve", plan).await?;
        sqlx::query!(
            "insert into plan_approval (controller_id, incident_no, plan_no, user_id, command_id) values ($1, $2, $3, $4, $5)",
            incident.controller_id,
            incident.incident_no,
            plan.plan_no,
            by.user_id,
            by.command_id
        )
        .execute(&mut *unit.tx)
        .await?;
        let is_last = stands.approvals + 1 >= required;
        let moves = is_last.then_some((plan.plan_no, "prepared", "approved"));
        unit.incident_event("plan.approved", plan_detail(plan.plan_no, &plan.hash, by), moves)?;
        unit.commit().await?;
        Ok(if is_last { Approved::Last } else { Approved::NotYet })
    }

    /// Signs a move of a plan and makes it by its event: go, pause, resume.
    pub async fn move_plan(
        &self,
        incident: IncidentKey,
        plan: &Plan,
        to: &PlanMove,
        signer: &Signer,
    ) -> Result<Moved, StoreError> {
        // As for a hold: no claim is between its check and its commit while the plan pauses. Calls that are claimed and not yet
        // started are refused by the version that they saw.
        let mut unit = self.hold_unit(incident, None).await?;
        let state = state(&mut unit, plan).await?;
        if state != to.from {
            return Ok(Moved::Found(state));
        }
        let by = sign(&mut unit, signer, to.command, plan).await?;
        unit.incident_event(to.kind, plan_detail(plan.plan_no, &plan.hash, by), Some((plan.plan_no, to.from, to.to)))?;
        unit.commit().await?;
        Ok(Moved::Done)
    }

    /// Signs that a plan that has not gone is withdrawn: whom it covered is in no plan again.
    pub async fn withdraw_plan(&self, incident: IncidentKey, plan: &Plan, signer: &Signer) -> Result<Moved, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Not while another plan is made: it has counted the people whom no plan covers.
        draft::lock_people(&mut tx, incident).await?;
        lock_incident(&mut tx, incident).await?;
        let mut unit = self.unit_in(tx, incident, &[], Wait::Wait).await?;
        let from = match state(&mut unit, plan).await? {
            state if state == "prepared" => "prepared",
            state if state == "approved" => "approved",
            state => return Ok(Moved::Found(state)),
        };
        let by = sign(&mut unit, signer, "plan withdraw", plan).await?;
        let moves = Some((plan.plan_no, from, "withdrawn"));
        unit.incident_event("plan.withdrawn", plan_detail(plan.plan_no, &plan.hash, by), moves)?;
        // If we die before this nobody was let go; after it another plan may take them.
        unit.commit().await.map_err(refusal)?;
        Ok(Moved::Done)
    }
}

/// How a plan stands under the incident's lock.
async fn state(unit: &mut Unit, plan: &Plan) -> Result<String, StoreError> {
    let row = sqlx::query!(
        "select state from plan where controller_id = $1 and incident_no = $2 and plan_no = $3",
        unit.incident.controller_id,
        unit.incident.incident_no,
        plan.plan_no
    )
    .fetch_one(&mut *unit.tx)
    .await?;
    Ok(row.state)
}

/// Signs in the transaction that does it: the signature is kept with what it says, or not at all.
async fn sign(unit: &mut Unit, signer: &Signer, command: &str, plan: &Plan) -> Result<Decider, StoreError> {
    let words = plan_command(command, unit.incident_id, plan.plan_no, &plan.hash);
    signer.sign_in(&mut unit.tx, &words).await
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
pub(super) fn plan_detail(plan_no: i32, hash: &[u8], by: Decider) -> Map<String, Value> {
    let fields = [
        ("command", json!(by.command_id.to_string())),
        ("hash", json!(hex::encode(hash))),
        ("plan", json!(plan_no)),
        ("user", json!(by.user_id.to_string())),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
