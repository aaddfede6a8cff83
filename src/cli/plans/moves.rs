//! Moves of plans by somebody's click: go, pause, resume. A second click changes nothing, also at the same moment.

use super::{Context, Failure, Refusal};
use crate::cli::sign::Key;
use crate::store::incident::Incident;
use crate::store::plan::{Moved, Plan, PlanMove};
use serde_json::{Value, json};

/// Moves each plan that is not there already; what became of each.
pub async fn move_plans(
    context: &Context,
    incident: &Incident,
    plans: &[Plan],
    to: &PlanMove,
    key: &mut Key<'_>,
) -> Result<Vec<Value>, Failure> {
    plans.iter().try_for_each(|plan| check_can_move(plan.plan_no, &plan.state, to))?;
    let (mut done, mut rest) = (Vec::new(), Vec::new());
    for plan in plans {
        match is_there_already(plan.plan_no, &plan.state, to) {
            true => done.push(outcome(plan, to, false)),
            false => rest.push(plan),
        }
    }
    if rest.is_empty() {
        return Ok(done);
    }
    let (store, signer) = (context.store().await?, key.open().await?);
    for plan in rest {
        let moved = store.move_plan(incident.key, plan, to, signer).await?;
        if let Moved::Found(state) = &moved {
            check_can_move(plan.plan_no, state, to)?;
            is_there_already(plan.plan_no, state, to);
        } else {
            eprintln!("Plan {} is {}.", plan.plan_no, to.to);
        }
        done.push(outcome(plan, to, moved == Moved::Done));
    }
    Ok(done)
}

/// Refuses a move from a state that is neither its beginning nor its end.
fn check_can_move(plan_no: i32, state: &str, to: &PlanMove) -> Result<(), Failure> {
    check_not_withdrawn(plan_no, state)?;
    if state == to.from || state == to.to {
        return Ok(());
    }
    let remedy = if state == "prepared" { "approve it first: `duly plan approve`" } else { "look at `duly plan show`" };
    Err(Refusal::of(format!("plan {plan_no} is {state}, not {}", to.from), remedy))
}

fn outcome(plan: &Plan, to: &PlanMove, is_changed: bool) -> Value {
    json!({"plan": plan.plan_no, "state": to.to, "changed": is_changed})
}

/// Refuses what is to become of a plan that was given up.
pub fn check_not_withdrawn(plan_no: i32, state: &str) -> Result<(), Failure> {
    match state {
        "withdrawn" => Err(Refusal::of(
            format!("plan {plan_no} is withdrawn"),
            "make another one with `duly plan prepare`: it takes the people of this one",
        )),
        _ => Ok(()),
    }
}

/// Two clicks on "go", also at one moment: the second changes nothing and says so.
fn is_there_already(plan_no: i32, state: &str, to: &PlanMove) -> bool {
    let is_there = state == to.to;
    if is_there {
        say_already(plan_no, state);
    }
    is_there
}

/// Says that a click found the plan as it wanted it.
pub fn say_already(plan_no: i32, state: &str) {
    eprintln!("Plan {plan_no} is {state} already; nothing was changed.");
}
