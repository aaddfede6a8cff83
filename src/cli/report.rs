//! Reports from the log alone, as it stood at a moment. One that leaves as a file leaves a signed trace in the log.

use super::output::mind;
use super::restore::refuse_while_open;
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::evidence::{Archive, moment};
use crate::model::causes::with_causes;
use crate::report::document::{self, Document};
use crate::report::promised::Promised;
use crate::report::replay::{Replay, micros, replay};
use crate::report::{figures, promised, regulator, rehearsal, witness};
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::quarantine::Decider;
use crate::store::sequencing::LogScope;
use clap::{Args, Subcommand};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// `duly report`.
#[derive(Subcommand)]
pub enum ReportCommand {
    /// Say what a supervisory authority asks: informed or not, when, how many, how, in which words, why not sooner
    #[command(
        after_help = "Examples:\n  duly report regulator --incident cards-2026 --profile uk-gdpr\n  duly report regulator --incident cards-2026 --profile uk-gdpr --as-of 2026-11-14T09:00:00Z --out report.html"
    )]
    Regulator {
        /// Legal profile whose fields are asked for
        #[arg(long)]
        profile: String,
        #[command(flatten)]
        of: Of,
    },
    /// Draft a statement for whoever vouches for the record
    #[command(
        after_help = "Example:\n  duly report witness --incident cards-2026 --out statement.pdf\n\nIt names the providers' statements that were compared before: `duly provider statement`."
    )]
    Witness(Of),
}

/// Which incident, at which moment, and where the report goes.
#[derive(Args)]
pub struct Of {
    /// Incident, or controller/incident
    #[arg(long)]
    pub incident: String,
    /// Moment, RFC 3339; the same moment gives the same report. Now without one
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub as_of: Option<OffsetDateTime>,
    /// New file, by its ending .html, .pdf, .txt or .json; the terminal without one
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Parses a moment.
pub fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "write a time as 2026-11-14T09:00:00Z".to_owned())
}

impl Of {
    /// Replays the log up to the moment, with all that has happened in its place.
    pub async fn replay(&self, context: &Context) -> Result<(Incident, Replay), Failure> {
        let (incident, replay) = replay_at(context, &self.incident, self.as_of).await?;
        for more in figures::uncalled(&replay.tally).into_iter().chain(figures::untold(&replay.tally)) {
            eprintln!("Mind: {more}");
        }
        Ok((incident, replay))
    }

    /// Prints the report, or writes it to its file and says so in the log.
    pub async fn give(
        &self,
        context: &Context,
        incident: &Incident,
        (command, reader): (&Value, &str),
        report: &Document,
        data: &Value,
    ) -> Result<(), Failure> {
        let Some(out) = &self.out else {
            context.print(data, &document::text(report));
            return Ok(());
        };
        let ending = out.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let bytes = match ending {
            "html" => document::html(report).into_bytes(),
            "txt" => format!("{}\n", document::text(report)).into_bytes(),
            "json" => format!("{data}\n").into_bytes(),
            "pdf" => document::pdf(report, &format!("{} {}", report.title, incident.incident_id)).map_err(|cause| {
                Refusal::because("the report cannot be typeset", "write it as .html and report this as a fault of Duly", cause)
            })?,
            _ => return Err(Refusal::of("the file's name must end in .html, .pdf, .txt or .json", "give such a name to --out")),
        };
        let store = context.store().await?;
        let export = Export::begin(context, out, command).await?;
        std::io::Write::write_all(&mut export.file()?, &bytes)?;
        let hash = export.keep(store, incident, "report", reader).await?;
        context.print(&serde_json::json!({"file": out, "sha256": hash}), &format!("{}\nSHA-256 {hash}", out.display()));
        Ok(())
    }
}

/// Replays an incident's log up to a moment, now without one, with all that has happened in its place.
pub async fn replay_at(context: &Context, incident: &str, as_of: Option<OffsetDateTime>) -> Result<(Incident, Replay), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(incident).await?;
    refuse_while_open(&Archive::open(&context.settings()?, store)?).await?;
    let now = store.now().await?;
    let as_of = as_of.unwrap_or(now);
    if as_of > now {
        return Err(Refusal::of(
            "that moment has not come yet: what will have happened is not known",
            "give a time that has passed",
        ));
    }
    let scope = LogScope::Incident(incident.key.controller_id, incident.key.incident_no);
    end(context, scope, incident.incident_id, as_of).await?;
    let replay = replay(store, incident.incident_id, as_of).await?;
    Ok((incident, replay))
}

/// Sees to it that nothing can come before the moment any more in a log.
async fn end(context: &Context, scope: LogScope, log_id: Uuid, as_of: OffsetDateTime) -> Result<(), Failure> {
    let archive = Arc::new(Archive::open(&context.settings()?, context.store().await?)?);
    Ok(moment::end(&archive, scope, log_id, micros(as_of)).await?)
}

/// A file in the making: under another name until it is whole, and never over a file that is there.
pub struct Export {
    /// Who signed for it.
    pub by: Decider,
    part: PathBuf,
    out: PathBuf,
}

impl Export {
    /// Looks at the place first: what cannot be written is not signed for.
    pub async fn begin(context: &Context, out: &Path, command: &Value) -> Result<Self, Failure> {
        if out.exists() {
            return Err(Refusal::of(
                format!("`{}` is there already; nothing was written", out.display()),
                "give another name, or move the old file away",
            ));
        }
        let mut part = out.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        // It may hold opened data: nobody but its maker reads it.
        File::options().write(true).create_new(true).mode(0o600).open(&part).map_err(|cause| {
            Refusal::because(
                format!("`{}` cannot be made", part.display()),
                "check the folder; if an earlier try was killed, remove that file",
                cause,
            )
        })?;
        let mut export = Self { by: Decider { user_id: Uuid::nil(), command_id: Uuid::nil() }, part, out: out.to_owned() };
        export.by = signer(context).await?.sign(context.store().await?, command).await?;
        Ok(export)
    }

    /// Where it is written.
    pub fn file(&self) -> Result<File, Failure> {
        Ok(File::options().read(true).write(true).open(&self.part)?)
    }

    /// Gives it its name, then says in the log what left; returns the hash of its bytes.
    pub async fn keep(self, store: &Store, incident: &Incident, what: &str, reader: &str) -> Result<String, Failure> {
        self.keep_hashed(store, incident, (what, reader), |hash| hash).await
    }

    /// The same with a hash of the hash, where the bytes themselves could be guessed.
    pub async fn keep_hashed(
        self,
        store: &Store,
        incident: &Incident,
        (what, reader): (&str, &str),
        stands_for: impl Fn([u8; 32]) -> [u8; 32],
    ) -> Result<String, Failure> {
        let mut hasher = Sha256::new();
        let mut file = self.file()?;
        std::io::copy(&mut file, &mut Hashing(&mut hasher))?;
        let hash = stands_for(hasher.finalize().into());
        file.sync_all()?;
        store.record_export(incident.key, what, reader, &hash, self.by).await?;
        // A link is refused where the name has been taken meanwhile; the part goes when this is dropped.
        std::fs::hard_link(&self.part, &self.out)?;
        Ok(hex::encode(hash))
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.part) {
            tracing::warn!(error = with_causes(&error), "the unfinished file stays where it is");
        }
    }
}

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The plans that the log names; what they say of lanes that tell nobody is said at once.
pub(super) async fn plans(store: &Store, incident: &Incident, replay: &Replay) -> Result<Vec<Promised>, Failure> {
    let plans = promised::load(store, incident.key, &replay.tally).await?;
    mind(&rehearsal::lines(&replay.tally, &plans));
    Ok(plans)
}

/// Runs a report command.
pub async fn run(context: &Context, command: ReportCommand) -> Result<(), Failure> {
    let store = context.store().await?;
    match command {
        ReportCommand::Regulator { profile, of } => {
            let (incident, replay) = of.replay(context).await?;
            let plans = plans(store, &incident, &replay).await?;
            let report = regulator::regulator(&incident, &replay, &plans, &profile)?;
            let data = regulator::data(&incident, &replay, &plans, &profile);
            let words = serde_json::json!({"command": "report regulator", "incident": incident.incident_id, "profile": profile});
            of.give(context, &incident, (&words, "regulator"), &report, &data).await
        }
        ReportCommand::Witness(of) => {
            let (incident, replay) = of.replay(context).await?;
            let plans = plans(store, &incident, &replay).await?;
            end(context, LogScope::System, store.installation().await?, replay.as_of).await?;
            let programs = witness::Programs::load(store, replay.as_of).await?;
            let report = witness::witness(&incident, &replay, &plans, &programs);
            let data = witness::data(&incident, &replay, &plans, &programs);
            let words = serde_json::json!({"command": "report witness", "incident": incident.incident_id});
            of.give(context, &incident, (&words, "court"), &report, &data).await
        }
    }
}
