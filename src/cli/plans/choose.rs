//! Which of an incident's plans a command means, and what must be whole before one is made. Plans run side by side: a
//! command that took the newest for the only one would let another go on.

use super::Which;
use crate::cli::output::{count, figure};
use crate::cli::{Failure, Refusal};
use crate::dispatch::plan::PlanError;
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::plan::Plan;
use crate::store::untold::PlanStanding;

/// The plan that is named, or the newest.
pub async fn newest(store: &Store, which: &Which) -> Result<(Incident, Plan), Failure> {
    let incident = store.load_incident(&which.incident).await?;
    let last = store.find_last_plan(incident.key).await?;
    let plan_no =
        which.plan.or(last).ok_or_else(|| Refusal::of("the incident has no plan", "make one with `duly plan prepare`"))?;
    let plan = store.load_plan(incident.key, plan_no).await?;
    Ok((incident, plan))
}

/// The plan that is named, or the only one in this state; the newest where none is.
pub async fn only(store: &Store, which: &Which, state: &str) -> Result<(Incident, Plan), Failure> {
    only_of(store, which, &[state], state).await
}

/// The plan that is named, or the only one that has not gone; the newest where none is.
pub async fn not_gone(store: &Store, which: &Which) -> Result<(Incident, Plan), Failure> {
    only_of(store, which, &["prepared", "approved"], "not gone yet").await
}

async fn only_of(store: &Store, which: &Which, states: &[&str], words: &str) -> Result<(Incident, Plan), Failure> {
    let (incident, plan) = newest(store, which).await?;
    let plans = store.list_plan_standings(incident.key).await?;
    let found: Vec<&PlanStanding> = plans.iter().filter(|p| states.contains(&p.state.as_str())).collect();
    match (which.plan, found.as_slice()) {
        (Some(_), _) | (None, []) => Ok((incident, plan)),
        (None, [one]) => {
            let plan = store.load_plan(incident.key, one.plan).await?;
            Ok((incident, plan))
        }
        (None, [.., last]) => Err(Refusal::of(
            format!("{} plans are {words}: {}", found.len(), names(&found)),
            format!("say which one, such as `--plan {}`", last.plan),
        )),
    }
}

/// The plan that is named, or all that are running; the newest where none is.
pub async fn running(store: &Store, which: &Which) -> Result<(Incident, Vec<Plan>), Failure> {
    let (incident, plan) = newest(store, which).await?;
    let mut plans = Vec::new();
    if which.plan.is_none() {
        for standing in store.list_plan_standings(incident.key).await?.iter().filter(|p| p.state == "running") {
            plans.push(store.load_plan(incident.key, standing.plan).await?);
        }
    }
    if plans.is_empty() {
        plans.push(plan);
    }
    Ok((incident, plans))
}

fn names(plans: &[&PlanStanding]) -> String {
    plans.iter().map(|p| p.plan.to_string()).collect::<Vec<_>>().join(", ")
}

/// Every plan that runs.
pub async fn still_running(store: &Store, incident: &Incident) -> Result<Vec<PlanStanding>, Failure> {
    let plans = store.list_plan_standings(incident.key).await?;
    Ok(plans.into_iter().filter(|p| p.state == "running").collect())
}

/// What a plan waits for, where it does: `plan 1 waits for approval: 2 people`.
pub fn waits(plan: &PlanStanding) -> Option<String> {
    let (for_what, n) = match plan.state.as_str() {
        "prepared" => ("waits for approval", plan.people),
        "approved" => ("waits for go", plan.people),
        "paused" if plan.open > 0 => ("is paused", plan.open),
        _ => return None,
    };
    Some(format!("plan {} {for_what}: {}", plan.plan, count(n, "person", "people")))
}

/// Refuses to freeze a list of which rows are missing, and to plan for nobody.
pub async fn check_lists(store: &Store, incident: &Incident, takes_incomplete: bool) -> Result<(), Failure> {
    let has_open = !store.list_open_lists(incident.key).await?.is_empty();
    if !has_open && store.count_unplanned(incident.key).await? == 0 {
        return Err(nobody(store, incident).await?);
    }
    match store.list_cut_lists(incident.key).await?.first() {
        Some(cut) if !takes_incomplete => Err(Refusal::of(
            format!("list {} is not whole: {} of {} rows were taken in", cut.list_no, figure(cut.taken), figure(cut.counted)),
            "run its import again, it goes on where it was cut; with `--incomplete` the rest is left to a later plan",
        )),
        _ => Ok(()),
    }
}

/// Why there is nobody to plan for: where everybody is.
pub async fn nobody(store: &Store, incident: &Incident) -> Result<Failure, Failure> {
    let plans = store.list_plan_standings(incident.key).await?;
    let held: Vec<String> = plans.iter().filter_map(waits).collect();
    let last = plans.iter().rev().find(|p| waits(p).is_some());
    Ok(match last {
        None => PlanError::Nobody.into(),
        Some(last) => {
            let may = match last.state.as_str() {
                "paused" => "resume it, or add people",
                _ => "approve it, give it up with `duly plan withdraw`, or add people",
            };
            Refusal::of(
                format!("{}; {}", PlanError::Nobody, held.join("; ")),
                format!("look at it with `duly plan show --plan {}`: {may}", last.plan),
            )
        }
    })
}
