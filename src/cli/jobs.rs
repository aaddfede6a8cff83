//! Jobs on `duly.intake`.

use super::sign::signed;
use super::{Context, Failure, pair};
use crate::broker::BrokerError;
use crate::broker::intake::declare;
use crate::intake::csv::count;
use crate::intake::job::{Target, check_file, publish_file, remedy};
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use time::format_description::well_known::Rfc3339;

/// `duly job`.
#[derive(Subcommand)]
pub enum JobCommand {
    /// Publish people as jobs, one each, sealed to the incident's intake key; the same file again changes nothing
    #[command(
        after_help = "Examples:\n  duly job publish people.jsonl --incident northmere-2026\n  duly job publish affected.csv --incident northmere-2026 --map phone='Mobile no'"
    )]
    Publish {
        /// JSON lines of `{"job_id": …, "person": {…}}`, or a CSV as for `duly list import`
        file: PathBuf,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// For a CSV: column of Duly = header of the list; repeat for more
        #[arg(long = "map", value_name = "COLUMN=HEADER", value_parser = pair)]
        map: Vec<(String, String)>,
        /// Leave the jobs unsealed: personal data lies readable on the broker, and intake refuses it by default
        #[arg(long)]
        plain: bool,
    },
    /// List jobs that could not be read: time, id, code, remedy, never values
    #[command(after_help = "Example:\n  duly job rejected --json")]
    Rejected {
        /// At most so many, newest first
        #[arg(long, default_value_t = 1000)]
        limit: i64,
    },
    /// Print the public key that jobs of an incident are sealed to, 64 hexadecimal digits
    #[command(after_help = "Example:\n  duly job key --incident northmere-2026")]
    Key {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
    },
}

/// Runs a job command.
pub async fn run(context: &Context, command: JobCommand) -> Result<(), Failure> {
    match command {
        JobCommand::Publish { file, incident, map, plain } => publish(context, &file, &incident, &map, plain).await,
        JobCommand::Rejected { limit } => rejected(context, limit).await,
        JobCommand::Key { incident } => key(context, &incident).await,
    }
}

async fn publish(context: &Context, file: &Path, slug: &str, map: &[(String, String)], is_plain: bool) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    let public_key = if is_plain { None } else { Some(office.store.load_intake_key(incident.key).await?) };
    let name = slug.rsplit_once('/').map_or(slug, |(_, name)| name);
    let target = Target { controller: incident.controller_slug, incident: name.to_owned(), public_key };
    check_file(file, map)?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    // As for a list: the plain hash of a short file could be guessed.
    let hash = hex::encode(key.search_hash("file", &count(std::fs::File::open(file)?)?.hash));
    signed(context, &json!({"command": "job publish", "incident": incident.incident_id, "file": hash, "plain": is_plain}))
        .await?;
    let (connection, channel) = crate::broker::connect(office.settings.broker.url.expose_secret()).await?;
    declare(&channel).await?;
    let published = publish_file(&channel, file, map, &target).await?;
    connection.close(200, "published".into()).await.map_err(BrokerError::from)?;
    context.print(&json!({"published": published}), &format!("{published} jobs published, each confirmed by the broker"));
    Ok(())
}

async fn rejected(context: &Context, limit: i64) -> Result<(), Failure> {
    let store = &context.office().await?.store;
    let (total, jobs) = (store.count_rejected().await?, store.list_rejected(limit).await?);
    let mut lines = Vec::new();
    for job in &jobs {
        lines.push(format!("{}  {}  {}: {}", job.at.format(&Rfc3339)?, job.id, job.code, remedy(&job.code)));
    }
    match usize::try_from(total)?.saturating_sub(jobs.len()) {
        0 => lines.push(format!("{total} jobs were rejected")),
        more => lines.push(format!("… and {more} more: raise --limit")),
    }
    let data: Vec<Value> = jobs
        .iter()
        .map(|job| Ok(json!({"id": job.id, "code": job.code, "at": job.at.format(&Rfc3339)?, "hash": hex::encode(&job.hash), "remedy": remedy(&job.code)})))
        .collect::<Result<_, time::error::Format>>()?;
    context.print(&json!({"rejected": total, "jobs": data}), &lines.join("\n"));
    Ok(())
}

async fn key(context: &Context, slug: &str) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    let key = hex::encode(office.store.load_intake_key(incident.key).await?);
    context.print(&json!({"public_key": key}), &key);
    Ok(())
}
