//! Plans and holds: prepared by one, approved by another, and only then sent.

use super::setup::signed;
use super::{Context, Failure, Refusal};
use crate::dispatch::plan::PlanRequest;
use crate::dispatch::{Office, plan};
use crate::model::state::Route;
use crate::store::incident::Incident;
use clap::{Args, Subcommand};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// A plan of an incident.
#[derive(Args)]
pub struct Which {
    /// Incident
    #[arg(long)]
    incident: String,
    /// Plan number; the newest by default
    #[arg(long)]
    plan: Option<i32>,
}

/// `duly plan`.
#[derive(Subcommand)]
pub enum PlanCommand {
    /// Freeze the open lists, render and hash every message, make a plan
    Prepare {
        /// Incident
        #[arg(long)]
        incident: String,
        /// Routes in order of preference; each person gets the first that can reach them
        #[arg(long, value_delimiter = ',', required = true)]
        route: Vec<Route>,
    },
    /// Approve a plan; never by who prepared it
    Approve(Which),
    /// Start sending an approved plan
    Go(Which),
    /// Stop sending; what was claimed before may still leave
    Pause(Which),
    /// Go on after a pause
    Resume(Which),
}

/// `duly hold`.
#[derive(Subcommand)]
pub enum HoldCommand {
    /// Stop sending to an incident, or to one person of it
    Set {
        /// Incident
        #[arg(long)]
        incident: String,
        /// Person (p_…)
        #[arg(long)]
        person: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Lift a hold
    Lift {
        /// Hold
        hold: Uuid,
    },
}

/// Runs a plan command.
pub async fn run(context: &Context, command: PlanCommand) -> Result<(), Failure> {
    let office = context.office().await?;
    match command {
        PlanCommand::Prepare { incident, route } => {
            let (user_id, _) = signed(context, &json!({"command": "plan prepare", "incident": incident})).await?;
            let incident = office.store.load_incident(&incident).await?;
            let now = time::OffsetDateTime::now_utc();
            let date = (now.year(), u8::from(now.month()), now.day());
            let summary = plan::prepare(&office, &incident, &PlanRequest { routes: route, date, user_id }, |n| eprint!("\r{n} people rendered")).await?;
            eprintln!();
            context.print(&json!(summary), &format!("plan {} prepared: {:?}, not prepared: {:?}\nhash {}", summary.plan, summary.routes, summary.problems, summary.hash));
            Ok(())
        }
        PlanCommand::Approve(which) => {
            let (incident, plan) = find(&office, &which).await?;
            let statement = json!({"command": "plan approve", "plan": plan.plan_no, "hash": hex::encode(&plan.hash)});
            let (user_id, command_id) = signed(context, &statement).await?;
            approve(&office, &incident, &plan, user_id, command_id).await
        }
        PlanCommand::Go(which) => move_plan(context, &office, &which, "plan.started", "approved", "running").await,
        PlanCommand::Pause(which) => move_plan(context, &office, &which, "plan.paused", "running", "paused").await,
        PlanCommand::Resume(which) => move_plan(context, &office, &which, "plan.resumed", "paused", "running").await,
    }
}

/// Approves, unless the approver prepared the plan.
pub async fn approve(office: &Office, incident: &Incident, plan: &crate::store::plan::Plan, user_id: Uuid, command_id: Uuid) -> Result<(), Failure> {
    if plan.prepared_by == user_id {
        return Err(Refusal::of("who prepared a plan cannot approve it", "ask somebody else who has a key to approve it"));
    }
    let done = office.store.approve_plan(incident.key, plan, user_id, command_id, i64::from(incident.approvals_required)).await?;
    eprintln!("{}", if done { "approved: `duly plan go` starts sending" } else { "approved by one; one more is needed" });
    Ok(())
}

async fn find(office: &Office, which: &Which) -> Result<(Incident, crate::store::plan::Plan), Failure> {
    let incident = office.store.load_incident(&which.incident).await?;
    let last = office.store.find_last_plan(incident.key).await?;
    let plan_no = which.plan.or(last).ok_or_else(|| Refusal::of("the incident has no plan", "make one with `duly plan prepare`"))?;
    let plan = office.store.load_plan(incident.key, plan_no).await?;
    Ok((incident, plan))
}

async fn move_plan(context: &Context, office: &Arc<Office>, which: &Which, kind: &'static str, from: &'static str, to: &'static str) -> Result<(), Failure> {
    let (incident, plan) = find(office, which).await?;
    // Two clicks on "go": the second finds the plan running and changes nothing.
    if plan.state == to {
        eprintln!("plan {} is {to} already; nothing was changed", plan.plan_no);
        return Ok(());
    }
    if plan.state != from {
        return Err(Refusal::of(format!("plan {} is {}, not {from}", plan.plan_no, plan.state), "approve it first, or look at `duly status`"));
    }
    let (user_id, _) = signed(context, &json!({"command": kind, "plan": plan.plan_no, "hash": hex::encode(&plan.hash)})).await?;
    Ok(office.store.move_plan(incident.key, &plan, kind, from, to, user_id).await?)
}

/// Runs a hold command.
pub async fn hold(context: &Context, command: HoldCommand) -> Result<(), Failure> {
    let office = context.office().await?;
    match command {
        HoldCommand::Set { incident, person, reason } => {
            let person = person.map(|p| Uuid::parse_str(p.trim_start_matches("p_"))).transpose()?;
            let (user_id, _) = signed(context, &json!({"command": "hold set", "incident": incident})).await?;
            let incident = office.store.load_incident(&incident).await?;
            let hold = office.store.set_hold(incident.key, person, &reason, user_id).await?;
            context.print(&json!({"hold": hold}), &format!("hold {hold} set"));
            Ok(())
        }
        HoldCommand::Lift { hold } => {
            let (user_id, _) = signed(context, &json!({"command": "hold lift", "hold": hold.to_string()})).await?;
            Ok(office.store.lift_hold(hold, user_id).await?)
        }
    }
}
