//! Tasks: people who have to be told by hand. What ends one is a decision about the person, `duly person told`.

use super::output::{count, mind, table, when};
use super::{Context, Failure};
use crate::model::person::printed_id;
use crate::model::state::{Channel, MessageState};
use crate::report::{rehearsal, words};
use crate::store::StoreError;
use crate::store::task::OpenTask;
use crate::store::unit::word;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

/// `duly task`.
#[derive(Subcommand)]
pub enum TaskCommand {
    /// List who has still to be told by hand, and what was tried
    #[command(
        after_help = "Example:\n  duly task list --incident cards-2026\n\nIt names people by their ids only. Whoever calls or visits one opens their data under a signature:\n  duly pack person --incident cards-2026 --person p_0f6c… --open name,sms,letter --out task.zip\nand then says how they were told, which ends the task:\n  duly person told --incident cards-2026 --person p_0f6c… --how by-phone --reason 'called on 3 May, PC 118'"
    )]
    List(List),
}

/// `duly task list`.
#[derive(Args)]
pub struct List {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
}

/// Runs a task command.
pub async fn run(context: &Context, command: TaskCommand) -> Result<(), Failure> {
    match command {
        TaskCommand::List(args) => list(context, &args).await,
    }
}

async fn list(context: &Context, args: &List) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    let tasks = store.list_open_tasks(incident.key).await?;
    let told = store.equation(incident.key).await?.person_states.get("withdrawn").copied().unwrap_or_default();
    let open = tasks.iter().map(data).collect::<Result<Vec<_>, _>>()?;
    let mut rows = vec![["person", "since", "what was tried"].map(str::to_owned).to_vec()];
    for task in &tasks {
        let since = task.since.map_or_else(|| "the plan".to_owned(), when);
        rows.push(vec![printed_id(task.person_id), since, tried(task)?]);
    }
    let done = format!("{} told in another way so far.", count(told, "person was", "people were"));
    let text = match tasks.is_empty() {
        true => format!("Nobody has to be told by hand. {done}"),
        false => table(&rows, &[]),
    };
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    context.print(&json!({"open": open, "told_otherwise": told, "rehearsal": rehearsal}), &text);
    if !tasks.is_empty() {
        let open = count(i64::try_from(tasks.len()).unwrap_or(i64::MAX), "person has", "people have");
        eprintln!("{open} to be told by hand; {done}");
        eprintln!("Record it: duly person told --incident {} --person p_… --how by-phone --reason …", incident.slug);
    }
    mind(&rehearsal);
    Ok(())
}

fn messages(task: &OpenTask) -> Result<Vec<String>, StoreError> {
    let said = task.tried.iter().map(|(channel, state)| {
        let (channel, state): (Channel, MessageState) = (word(channel)?, word(state)?);
        Ok(format!("{}: {}", words::noun(channel), words::message(channel, state, None)))
    });
    said.collect()
}

fn tried(task: &OpenTask) -> Result<String, StoreError> {
    let mut parts = messages(task)?;
    parts.extend(task.problem.as_ref().map(|code| format!("no message could be made: {code}")));
    parts.extend(task.is_erased.then(|| "erased: nothing here says any more who it was".to_owned()));
    Ok(if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") })
}

fn data(task: &OpenTask) -> Result<Value, StoreError> {
    let since = task.since.and_then(|at| at.format(&Rfc3339).ok());
    Ok(
        json!({"person": printed_id(task.person_id), "phase": task.phase, "since": since, "tried": messages(task)?, "problem": task.problem,
        "erased": task.is_erased}),
    )
}
