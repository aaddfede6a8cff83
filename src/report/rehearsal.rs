//! Lanes that were not live: states and counts show what would be, and every page that counts people says that it is a rehearsal.

use super::promised::Promised;
use super::tally::Tally;
use crate::store::unit::IncidentKey;
use crate::store::{Store, StoreError};
use duly_ledger::verify::Rehearsal;
use serde_json::Value;
use std::collections::BTreeSet;

/// What the plans that somebody approved, and nobody gave up, say of their lanes.
pub fn rehearsal(tally: &Tally, plans: &[Promised]) -> Rehearsal {
    let may_send = |plan: &&Promised| {
        let moves = tally.plans.get(&plan.plan);
        moves.is_some_and(|plan| plan.first("approved").is_some() && plan.first("withdrawn").is_none())
    };
    let mut said = Rehearsal::default();
    plans.iter().filter(may_send).for_each(|plan| said.take(plan.plan, &plan.body));
    said
}

/// What must be known with each count of people, in sentences.
pub fn lines(tally: &Tally, plans: &[Promised]) -> Vec<String> {
    let said = rehearsal(tally, plans);
    said.lines().into_iter().chain(said.unsaid_line()).collect()
}

/// The same of a person's plans, as the tables have them.
pub async fn of_plans(store: &Store, incident: IncidentKey, plans: BTreeSet<i32>) -> Result<Vec<String>, StoreError> {
    let mut said = Rehearsal::default();
    for number in plans {
        let plan = store.load_plan(incident, number).await?;
        let body: Value = serde_json::from_slice(&plan.body).unwrap_or_default();
        said.take(u64::try_from(number).unwrap_or_default(), &body);
    }
    Ok(said.lines().into_iter().chain(said.unsaid_line()).collect())
}

/// The same of every plan of an incident that somebody approved, and nobody gave up.
pub async fn of_incident(store: &Store, incident: IncidentKey) -> Result<Vec<String>, StoreError> {
    let plans = store.list_plan_standings(incident).await?;
    let may_send = plans.into_iter().filter(|plan| !matches!(plan.state.as_str(), "prepared" | "withdrawn"));
    of_plans(store, incident, may_send.map(|plan| plan.plan).collect()).await
}

/// The same below a page of plain text.
pub fn below(page: String, lines: &[String]) -> String {
    lines.iter().fold(page, |page, line| format!("{page}\n{line}\n"))
}

/// The same behind a sentence that counts people.
pub(super) fn with_rehearsal(said: String, tally: &Tally, plans: &[Promised]) -> String {
    lines(tally, plans).into_iter().fold(said, |said, line| format!("{said} {line}"))
}
