//! A plan that has not gone is given up: its people are in no plan, and another one may take them.

use super::moves::say_already;
use super::{Which, choose};
use crate::cli::output::count;
use crate::cli::sign::signer;
use crate::cli::{Context, Failure, Refusal};
use crate::store::plan::{Moved, Plan};
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
    let signer = signer(context).await?;
    // It may have been approved, have gone, or been withdrawn by somebody else while the passphrase was typed.
    if let Moved::Found(state) = store.withdraw_plan(incident.key, &plan, &signer).await? {
        let plan = Plan { state, ..plan };
        return if is_withdrawn(&plan) { Ok(()) } else { check_not_gone(&plan) };
    }
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
        say_already(plan.plan_no, "withdrawn");
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
