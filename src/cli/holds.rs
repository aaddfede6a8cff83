//! Holds: a stop set by someone who may. The person still counts.

use super::failure::check_visible;
use super::output::{count, table, when};
use super::person::person_id;
use super::sign::signer;
use super::{Context, Failure, Refusal, id};
use crate::model::person::printed_id;
use crate::model::statement::{hold_lift, hold_set};
use crate::store::story::HoldRow;
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

/// `duly hold`.
#[derive(Subcommand)]
pub enum HoldCommand {
    /// Stop sending to an incident, or to one person of it
    #[command(
        after_help = "Examples:\n  duly hold set --incident cards-2026 --reason 'police request 412 until Friday'\n  duly hold set --incident cards-2026 --person p_0f6c… --reason safety\n\nWrite no name and no contact into the reason: it is shown wherever the hold is."
    )]
    Set {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Person (p_…); without one the whole incident is held
        #[arg(long, value_name = "P_…")]
        person: Option<String>,
        /// Why; no personal data
        #[arg(long)]
        reason: String,
    },
    /// Lift a hold: sending goes on
    #[command(after_help = "Example:\n  duly hold lift 0193f3a2-…")]
    Lift {
        /// Hold, as `duly hold list` shows it
        #[arg(value_parser = |text: &str| id(text, "duly hold list"))]
        hold: Uuid,
    },
    /// List holds of an incident, lifted ones among them
    #[command(after_help = "Example:\n  duly hold list --incident cards-2026")]
    List {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
    },
}

/// Runs a hold command.
pub async fn run(context: &Context, command: HoldCommand) -> Result<(), Failure> {
    let store = context.store().await?;
    match command {
        HoldCommand::Set { incident, person, reason } => {
            let incident = store.load_incident(&incident).await?;
            let person = person.as_deref().map(person_id).transpose()?;
            if let Some(person) = person {
                store.load_person_card(incident.key, person).await?;
            }
            check_visible("reason", &reason)?;
            if reason.trim().is_empty() {
                return Err(Refusal::of("the reason is empty", "say why, for example --reason 'police request 412'"));
            }
            let shown = person.map(printed_id);
            let by = signer(context).await?.sign(store, &hold_set(incident.incident_id, person, &reason)).await?;
            let hold = store.set_hold(incident.key, person, &reason, by).await?;
            context.print(&json!({"hold": hold, "person": shown}), &hold.to_string());
            eprintln!("On hold. No new call begins; a call that had begun within the last half second may still end.");
            Ok(())
        }
        HoldCommand::Lift { hold } => {
            if !store.is_open_hold(hold).await? {
                eprintln!("It was lifted before; nothing was changed.");
                context.print(&json!({"hold": hold, "changed": false}), "");
                return Ok(());
            }
            let by = signer(context).await?.sign(store, &hold_lift(hold)).await?;
            store.lift_hold(hold, by).await?;
            let (whole, single) = store.count_holds_beside(hold).await?;
            context.print(&json!({"hold": hold, "changed": true, "incident_holds": whole, "person_holds": single}), "");
            eprintln!("{}", lifted((whole, single)));
            Ok(())
        }
        HoldCommand::List { incident } => {
            let incident = store.load_incident(&incident).await?;
            let holds = store.list_hold_history(incident.key).await?;
            context.print(&json!(holds), &lines(&holds));
            Ok(())
        }
    }
}

/// What lifting did, beside the holds that still stand: of the whole incident, and of single people.
fn lifted(beside: (i64, i64)) -> String {
    match beside {
        (0, 0) => "Lifted. What waited for this hold may go.".to_owned(),
        (0, single) => {
            let stand = count(single, "person is", "people are");
            format!("Lifted. What waited for this hold may go; {stand} still held by a hold of their own.")
        }
        (whole, _) => {
            let stand = count(whole, "hold on the whole incident still stands", "holds on the whole incident still stand");
            format!("Lifted. {stand}: nothing is sent.")
        }
    }
}

fn lines(holds: &[HoldRow]) -> String {
    if holds.is_empty() {
        return "No holds.".to_owned();
    }
    let mut rows = vec![["hold", "covers", "set", "by", "lifted", "reason"].map(str::to_owned).to_vec()];
    rows.extend(holds.iter().map(|h| {
        let covers = h.person.map_or_else(|| "whole incident".to_owned(), printed_id);
        let lifted = match (&h.lifted_by, h.lifted_at) {
            (Some(by), Some(at)) => format!("{} by {by}", when(at)),
            _ => "holds".to_owned(),
        };
        vec![h.hold_id.to_string(), covers, when(h.set_at), h.set_by.clone(), lifted, h.reason.clone()]
    }));
    table(&rows, &[])
}
