//! A plan that has not gone is given up: its people are in no plan, and another one may take them.

use super::{Which, choose};
use crate::cli::output::count;
use crate::cli::sign::signer;
use crate::cli::{Context, Failure, Refusal};
use crate::model::statement::plan_command;
use crate::store::plan::Plan;
use serde_json::json;

/// Withdraws a prepared or approved plan; one that has gone is stopped, and in another way.
pub async fn withdraw(context: &Context, which: &Which) -> Result<(), Failure> {
    let store = context.store().await?;
    let (incident, plan) = choose::not_gone(store, which).await?;
    incident.check_open()?;
    if is_withdrawn(&plan) {
        return Ok(());
    }
    check_not_gone(&plan)?;
    let by = signer(context)
        .await?
        .sign(store, &plan_command("plan withdraw", incident.incident_id, plan.plan_no, &plan.hash))
        .await?;
    // It may have been approved, or have gone, while the passphrase was typed.
    let plan = store.load_plan(incident.key, plan.plan_no).await?;
    if is_withdrawn(&plan) {
        return Ok(());
    }
    check_not_gone(&plan)?;
    store.withdraw_plan(incident.key, &plan, by).await?;
    let unplanned = store.count_unplanned(incident.key).await?;
    context.print(&json!({"plan": plan.plan_no, "state": "withdrawn", "unplanned": unplanned}), "");
    let people = count(unplanned, "person is", "people are");
    eprintln!("Plan {} is withdrawn, and stays so. {people} in no plan now.", plan.plan_no);
    eprintln!("To undo that, prepare again: a new plan takes these people. duly plan prepare --incident {}", incident.slug);
    Ok(())
}

fn is_withdrawn(plan: &Plan) -> bool {
    let is_withdrawn = plan.state == "withdrawn";
    if is_withdrawn {
        eprintln!("Plan {} is withdrawn already; nothing was changed.", plan.plan_no);
    }
    is_withdrawn
}

fn check_not_gone(plan: &Plan) -> Result<(), Failure> {
    match plan.state.as_str() {
        "prepared" | "approved" => Ok(()),
        state => Err(Refusal::of(
            format!("plan {} has gone and is {state}: what was sent under it cannot be undone", plan.plan_no),
            "stop it with `duly plan pause`, or stop it for one person with `duly hold set`",
        )),
    }
}
