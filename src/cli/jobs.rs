//! Jobs on `duly.intake`.

use super::output::count;
use super::sign::{signed, signer};
use super::{Context, Failure, Refusal, id, pair};
use crate::broker::BrokerError;
use crate::broker::intake::declare;
use crate::intake::csv::{Mapping, count as count_file, file as open_file};
use crate::intake::job::{Retry, Target, check_file, publish_file, remedy};
use crate::store::quarantine::Decider;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// `duly job`.
#[derive(Subcommand)]
pub enum JobCommand {
    /// Publish people as jobs, one each, sealed to the incident's intake key; the same file again changes nothing
    #[command(
        after_help = "Examples:\n  duly job publish people.jsonl --incident northmere-2026\n  duly job publish affected.csv --incident northmere-2026 --map phone='Mobile no'\n  duly job publish affected.csv --incident northmere-2026 --map pay_number_type='Kind of pay number' --sensitive pay_grade"
    )]
    Publish {
        /// JSON lines of `{"job_id": …, "person": {…}}`, or a CSV as for `duly list import`
        file: PathBuf,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// For a CSV: column = header of the list; repeat for more. A column that is none of Duly's goes into the job's
        /// `columns`: text, or `COLUMN:number=HEADER`, `COLUMN:date=HEADER`
        #[arg(long = "map", value_name = "COLUMN=HEADER", value_parser = pair)]
        map: Vec<(String, String)>,
        /// For a CSV: a column of its own whose values may stand in no message; repeat for more
        #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
        sensitive: Vec<String>,
        /// Leave the jobs unsealed: personal data lies readable on the broker, and intake refuses it by default
        #[arg(long)]
        plain: bool,
    },
    /// List jobs that could not be read and wait: time, id, code, remedy, never values
    #[command(after_help = "Example:\n  duly job rejected --json")]
    Rejected {
        /// At most so many, newest first
        #[arg(long, default_value_t = 1000)]
        limit: i64,
    },
    /// Read jobs again that could not be read, once a key, a name or a setting is mended; all that wait, or those named
    #[command(
        after_help = "Examples:\n  duly job retry\n  duly job retry 0193f2b4-…\n\nWhat cannot be read still waits; what is read becomes a person, a duplicate, or waits in quarantine."
    )]
    Retry {
        /// Jobs, as `duly job rejected` prints them
        #[arg(value_parser = |text: &str| id(text, "duly job rejected"))]
        jobs: Vec<Uuid>,
    },
    /// Discard jobs that could not be read, for a reason that stays on record
    #[command(after_help = "Example:\n  duly job discard 0193f2b4-… --reason 'test message of the payroll system'")]
    Discard {
        /// Jobs, as `duly job rejected` prints them
        #[arg(required = true, value_parser = |text: &str| id(text, "duly job rejected"))]
        jobs: Vec<Uuid>,
        /// Why, without personal data
        #[arg(long)]
        reason: String,
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
        JobCommand::Publish { file, incident, map, sensitive, plain } => {
            publish(context, &file, &incident, &Mapping::of(&map, &sensitive)?, plain).await
        }
        JobCommand::Rejected { limit } => rejected(context, limit).await,
        JobCommand::Retry { jobs } => retry(context, &jobs).await,
        JobCommand::Discard { jobs, reason } => discard(context, jobs, &reason).await,
        JobCommand::Key { incident } => key(context, &incident).await,
    }
}

async fn publish(context: &Context, file: &Path, slug: &str, mapping: &Mapping, is_plain: bool) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    incident.check_open()?;
    let public_key = if is_plain { None } else { Some(office.store.load_intake_key(incident.key).await?) };
    let name = slug.rsplit_once('/').map_or(slug, |(_, name)| name);
    let target = Target { controller: incident.controller_slug, incident: name.to_owned(), public_key };
    check_file(file, mapping)?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    // As for a list: the plain hash of a short file could be guessed.
    let hash = hex::encode(key.search_hash("file", &count_file(open_file(file)?)?.hash));
    signed(context, &json!({"command": "job publish", "incident": incident.incident_id, "file": hash, "plain": is_plain}))
        .await?;
    let (connection, channel) = crate::broker::connect(office.settings.broker.url.expose_secret()).await?;
    declare(&channel).await?;
    let published = publish_file(&channel, file, mapping, &target).await?;
    connection.close(200, "published".into()).await.map_err(BrokerError::from)?;
    let jobs = count(i64::try_from(published)?, "job", "jobs");
    context.print(&json!({"published": published}), &format!("{jobs} published, confirmed by the broker"));
    Ok(())
}

async fn rejected(context: &Context, limit: i64) -> Result<(), Failure> {
    let store = &context.office().await?.store;
    let ((total, waiting), jobs) = (store.count_rejected().await?, store.list_rejected(limit).await?);
    let mut lines = Vec::new();
    for job in &jobs {
        lines.push(format!("{}  {}  {}: {}", job.at.format(&Rfc3339)?, job.id, job.code, remedy(&job.code)));
    }
    match usize::try_from(waiting)?.saturating_sub(jobs.len()) {
        0 => lines.push(format!(
            "{} could not be read; waiting: {waiting} (duly job retry, or duly job discard)",
            count(total, "job", "jobs")
        )),
        more => lines.push(format!("… and {more} more: raise --limit")),
    }
    let data: Vec<Value> = jobs
        .iter()
        .map(|job| Ok(json!({"id": job.id, "code": job.code, "at": job.at.format(&Rfc3339)?, "hash": hex::encode(&job.hash), "remedy": remedy(&job.code)})))
        .collect::<Result<_, time::error::Format>>()?;
    context.print(&json!({"rejected": total, "waiting": waiting, "jobs": data}), &lines.join("\n"));
    Ok(())
}

async fn retry(context: &Context, jobs: &[Uuid]) -> Result<(), Failure> {
    let office = context.office().await?;
    let names: Vec<String> = jobs.iter().map(Uuid::to_string).collect();
    let (user_id, command_id) = signed(context, &json!({"command": "job retry", "jobs": names})).await?;
    let retry = Retry {
        store: &office.store,
        master: &office.master,
        accept_plain: office.settings.intake.accept_plain,
        by: Decider { user_id, command_id },
    };
    let retried = retry.run((!jobs.is_empty()).then_some(jobs)).await?;
    let mut lines: Vec<String> =
        retried.rejected.iter().map(|(id, code)| format!("{id}  still {code}: {}", remedy(code))).collect();
    lines.push(format!("{} read and taken in", count(i64::try_from(retried.taken.len())?, "job", "jobs")));
    let rejected: Vec<Value> =
        retried.rejected.iter().map(|(id, code)| json!({"id": id, "code": code, "remedy": remedy(code)})).collect();
    context.print(&json!({"taken": retried.taken, "rejected": rejected}), &lines.join("\n"));
    Ok(())
}

async fn discard(context: &Context, mut jobs: Vec<Uuid>, reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Refusal::of("the reason is empty", "say why, for example --reason 'test message of the payroll system'"));
    }
    jobs.sort();
    jobs.dedup();
    let names: Vec<String> = jobs.iter().map(Uuid::to_string).collect();
    let command = json!({"command": "job discard", "jobs": names, "reason": reason});
    let store = context.store().await?;
    let signer = signer(context).await?;
    refuse_decided(&store.list_not_waiting(&jobs).await?)?;
    let by = signer.sign(store, &command).await?;
    refuse_decided(&store.discard_rejected(&jobs, reason, by).await?)?;
    context.print(&json!({"discarded": names}), &format!("discarded: {}", names.join(", ")));
    Ok(())
}

fn refuse_decided(wrong: &[Uuid]) -> Result<(), Failure> {
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong: Vec<String> = wrong.iter().map(Uuid::to_string).collect();
    let what = format!("not rejected, or decided already: {}; nothing was discarded", wrong.join(", "));
    Err(Refusal::of(what, "name jobs that `duly job rejected` prints"))
}

async fn key(context: &Context, slug: &str) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    let key = hex::encode(office.store.load_intake_key(incident.key).await?);
    context.print(&json!({"public_key": key}), &key);
    Ok(())
}
