//! Rows that wait for a correction or a decision.

use super::lists::faults_lines;
use super::output::{count, figure};
use super::report::Export;
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::intake::correction::{Correction, export};
use crate::intake::list::{Report, Target};
use crate::model::contact::Fault;
use crate::store::quarantine::RowName;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Rows fetched at a time.
const PAGE: i64 = 1000;

/// `duly quarantine`.
#[derive(Subcommand)]
pub enum QuarantineCommand {
    /// List quarantined rows with their codes and remedies, never with values
    #[command(after_help = "Example:\n  duly quarantine list --incident northmere-2026")]
    List {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// At most so many rows
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
    },
    /// Write the quarantined rows to a CSV, readable by you alone, to be corrected
    #[command(after_help = "Example:\n  duly quarantine export --incident northmere-2026 --file waiting.csv")]
    Export {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// New file; personal data, mode 0600
        #[arg(long)]
        file: PathBuf,
    },
    /// Import corrected rows; each takes the place of the row that it names by its columns `list` and `row`
    #[command(
        after_help = "Examples:\n  duly quarantine correct --incident northmere-2026 --file waiting.csv\n  duly quarantine correct 1/37 --incident northmere-2026 --file row.csv"
    )]
    Correct {
        /// The one row that FILE corrects, as LIST/ROW
        row: Option<RowName>,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// CSV with the corrected rows
        #[arg(long)]
        file: PathBuf,
    },
    /// Discard rows for a reason that stays on record
    #[command(
        after_help = "Example:\n  duly quarantine discard 1/37 1/38 --incident northmere-2026 --reason 'test entries of the payroll system'"
    )]
    Discard {
        /// Rows, as LIST/ROW
        #[arg(required = true)]
        rows: Vec<RowName>,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Why, without personal data
        #[arg(long)]
        reason: String,
    },
}

/// Runs a quarantine command.
pub async fn run(context: &Context, command: QuarantineCommand) -> Result<(), Failure> {
    match command {
        QuarantineCommand::List { incident, limit } => list(context, &incident, limit).await,
        QuarantineCommand::Export { incident, file } => write(context, &incident, &file).await,
        QuarantineCommand::Correct { row, incident, file } => correct(context, &incident, row.as_ref(), &file).await,
        QuarantineCommand::Discard { rows, incident, reason } => discard(context, &incident, &rows, &reason).await,
    }
}

async fn list(context: &Context, slug: &str, limit: usize) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    let total = office.store.count_quarantined(incident.key).await?;
    let mut rows = Vec::new();
    let mut after = None;
    while rows.len() < limit {
        let page = office.store.list_quarantined(incident.key, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        rows.extend(page);
    }
    rows.truncate(limit);
    let mut text = Vec::new();
    for row in &rows {
        for (column, code) in faults(&row.faults) {
            text.push(format!("{}, column {column}: {code}: {}", row.name, Fault::remedy(code)));
        }
    }
    text.push(match usize::try_from(total)?.saturating_sub(rows.len()) {
        0 if total == 1 => "1 row waits for a correction".to_owned(),
        0 => format!("{total} rows wait for a correction"),
        more => format!("… and {more} more: raise --limit"),
    });
    let data: Vec<Value> =
        rows.iter().map(|row| json!({"list": row.name.list_no, "row": row.name.row(), "faults": row.faults})).collect();
    context.print(&json!({"waiting": total, "rows": data}), &text.join("\n"));
    Ok(())
}

fn faults(faults: &Value) -> impl Iterator<Item = (&str, &str)> {
    faults.as_array().into_iter().flatten().filter_map(|f| Some((f.get("column")?.as_str()?, f.get("code")?.as_str()?)))
}

async fn write(context: &Context, slug: &str, file: &Path) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    let target = Target { store: &office.store, incident: &incident, incident_key: &key };
    // Whoever reads contacts leaves a signature, and the file leaves a trace in the log.
    let command = json!({"command": "quarantine export", "incident": incident.incident_id});
    let out = Export::begin(context, file, &command).await?;
    let written = export(&target, out.file()?).await?;
    out.keep_hashed(&office.store, &incident, ("quarantine", "controller"), |hash| key.search_hash("export", &hash)).await?;
    context.print(
        &json!({"rows": written, "file": file}),
        &format!(
            "{} written to {}: correct what is wrong, then `duly quarantine correct`",
            count(i64::try_from(written)?, "row", "rows"),
            file.display()
        ),
    );
    Ok(())
}

async fn correct(context: &Context, slug: &str, row: Option<&RowName>, file: &Path) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    incident.check_open()?;
    let target = Target { store: &office.store, incident: &incident, incident_key: &key };
    let signer = signer(context).await?;
    let correction = Correction::read(target, file, row).await?;
    let statement = json!({
        "command": "quarantine correct", "incident": incident.incident_id, "file": hex::encode(correction.file_hash),
        "row": row.map(RowName::to_string),
    });
    let by = signer.sign(&office.store, &statement).await?;
    let report = correction.take(by).await?;
    let waiting = office.store.count_quarantined(incident.key).await?;
    let mut lines = vec![corrected(&report, waiting)];
    lines.extend(faults_lines(&report, slug));
    context.print(&json!(report), &lines.join("\n"));
    if report.quarantined > 0 {
        eprintln!("hint: what still waits has a new place; `duly quarantine export` again gives you those rows to go on with.");
    }
    Ok(())
}

/// How many rows are people now, and how many wait on.
fn corrected(report: &Report, waiting: i64) -> String {
    let corrected = report.people + report.duplicates;
    let mut text = format!("{corrected} corrected, {} still wrong", report.quarantined);
    if report.known > 0 {
        text.push_str(&format!(", {} known before", report.known));
    }
    format!(
        "{text}; {} of this incident for a correction",
        match waiting {
            1 => "1 row waits".to_owned(),
            n => format!("{} rows wait", figure(n)),
        }
    )
}

async fn discard(context: &Context, slug: &str, rows: &[RowName], reason: &str) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(slug).await?;
    if reason.trim().is_empty() {
        return Err(Refusal::of("the reason is empty", "say why, for example --reason 'test entry of the payroll system'"));
    }
    let mut rows = rows.to_vec();
    rows.sort();
    rows.dedup();
    let names: Vec<String> = rows.iter().map(RowName::to_string).collect();
    let statement = json!({"command": "quarantine discard", "incident": incident.incident_id, "rows": names, "reason": reason});
    let signer = signer(context).await?;
    refuse_decided(&office.store.list_not_quarantined(incident.key, &rows).await?)?;
    let by = signer.sign(&office.store, &statement).await?;
    refuse_decided(&office.store.discard_rows(incident.key, &rows, reason, by).await?)?;
    context.print(&json!({"discarded": names}), &format!("discarded: {}", names.join(", ")));
    Ok(())
}

fn refuse_decided(wrong: &[RowName]) -> Result<(), Failure> {
    if wrong.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = wrong.iter().map(RowName::to_string).collect();
    let what = format!("not quarantined, or decided already: {}; nothing was discarded", names.join(", "));
    Err(Refusal::of(what, "name rows that `duly quarantine list` prints"))
}
