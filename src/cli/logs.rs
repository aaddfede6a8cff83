//! The logs: what is signed and published, and the key that others verify it with.

use super::output::{figure, table, when};
use super::{Context, Failure, Refusal};
use crate::evidence::Archive;
use crate::store::log::LogStanding;
use clap::Subcommand;
use serde_json::json;

/// `duly log`.
#[derive(Subcommand)]
pub enum LogCommand {
    /// List the logs: how far they are signed and published
    #[command(after_help = "Examples:\n  duly log list\n  duly log list --json")]
    List,
    /// Print the key that verifies a log; hand it over on another way than the evidence
    #[command(
        after_help = "Examples:\n  duly log key --incident cards-2026 > cards-2026.vkey\n  duly log key --system\n\nIt is public. Who verifies must have it from you or from your published list, never from the pack itself."
    )]
    Key {
        /// Incident, or controller/incident
        #[arg(long, required_unless_present = "system")]
        incident: Option<String>,
        /// The installation's own log
        #[arg(long, conflicts_with = "incident")]
        system: bool,
    },
}

/// Runs a log command.
pub async fn run(context: &Context, command: LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::List => list(context).await,
        LogCommand::Key { incident, .. } => key(context, incident.as_deref()).await,
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let store = context.store().await?;
    let logs = store.list_logs().await?;
    let lag = store.sequencing_lag().await?;
    let mut rows = vec![["log", "events", "published", "signed"].map(str::to_owned).to_vec()];
    rows.extend(logs.iter().map(row));
    context.print(&json!({"logs": logs, "waiting": lag.events}), &table(&rows, &[1, 2]));
    if lag.events > 0 {
        eprintln!("{} events wait for their place; `duly serve scheduler` gives it to them.", figure(lag.events));
    }
    Ok(())
}

fn row(log: &LogStanding) -> Vec<String> {
    let signed = log.signed_at.map_or_else(String::new, when);
    vec![log.origin.clone(), figure(log.size), figure(log.published), signed]
}

async fn key(context: &Context, incident: Option<&str>) -> Result<(), Failure> {
    let store = context.store().await?;
    let log_id = match incident {
        Some(slug) => store.load_incident(slug).await?.incident_id,
        None => store.installation().await?,
    };
    let archive = Archive::open(&context.settings()?, store)?;
    let origins: Vec<String> = store.list_logs().await?.into_iter().filter(|l| l.log_id == log_id).map(|l| l.origin).collect();
    if origins.is_empty() {
        return Err(Refusal::of(
            "nothing of this log is signed yet",
            "start `duly serve scheduler`: it opens the log with its first event",
        ));
    }
    let keys = origins.iter().map(|origin| Ok(archive.signer(origin)?.vkey().to_string()));
    let keys: Vec<String> = keys.collect::<Result<_, duly_ledger::NoteError>>().map_err(crate::evidence::EvidenceError::from)?;
    context.print(&json!({"keys": keys}), &keys.join("\n"));
    Ok(())
}
