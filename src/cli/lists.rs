//! Lists and quarantine.

use super::{Context, Failure, Refusal, pair};
use crate::intake::list;
use crate::model::contact::Fault;
use crate::store::list::Tally;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// `duly list`.
#[derive(Subcommand)]
pub enum ListCommand {
    /// Import a CSV; the same file again changes nothing
    Import {
        /// UTF-8 CSV with comma, semicolon or tab
        file: PathBuf,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Column of Duly = header of the list; repeat for more
        #[arg(long = "map", value_parser = pair)]
        map: Vec<(String, String)>,
        /// Say what would happen and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// `duly quarantine`.
#[derive(Args)]
pub struct Quarantine {
    /// Incident
    #[arg(long)]
    pub incident: String,
}

/// Runs a list command.
pub async fn run(context: &Context, command: ListCommand) -> Result<(), Failure> {
    let ListCommand::Import { file, incident, map, dry_run } = command;
    if dry_run {
        let tally = list::dry_run(&file, &map, |row| {
            for fault in row.result.as_ref().err().into_iter().flatten() {
                println!("row {}, column {}: {}: {}", row.row, fault.column, fault.code, Fault::remedy(fault.code));
            }
        })?;
        report(context, &tally, "nothing was changed: ");
        return Ok(());
    }
    let office = context.office().await?;
    let incident = office.store.load_incident(&incident).await?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    let started = std::time::Instant::now();
    let bar = std::io::stderr().is_terminal().then(indicatif::ProgressBar::new_spinner);
    let tally = list::import(&office.store, &incident, &key, &file, &map, |tally| {
        if let Some(bar) = &bar {
            let rate = u128::from(tally.rows) * 1000 / started.elapsed().as_millis().max(1);
            bar.set_message(format!("{} rows, {rate} a second", tally.rows));
            bar.tick();
        }
    })
    .await?;
    let counted = crate::intake::csv::count_rows(std::fs::File::open(&file)?)?;
    if counted != tally.rows {
        return Err(Refusal::of(
            format!("two readers count differently: {counted} and {} rows", tally.rows),
            "look for a stray quote in the list; `--dry-run` names the rows",
        ));
    }
    report(context, &tally, "");
    Ok(())
}

fn report(context: &Context, tally: &Tally, prefix: &str) {
    let line = format!(
        "{prefix}{} rows = {} people + {} duplicates + {} quarantined + {} known before",
        tally.rows, tally.people, tally.duplicates, tally.quarantined, tally.known
    );
    context.print(&json!(tally), &line);
}

/// Lists quarantined rows.
pub async fn quarantine(context: &Context, args: Quarantine) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(&args.incident).await?;
    let rows = office.store.list_quarantined(incident.key, 1000).await?;
    let mut lines = Vec::new();
    for row in &rows {
        for fault in row.faults.as_array().into_iter().flatten() {
            let text = |key: &str| fault.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            let (column, code) = (text("column"), text("code"));
            lines.push(format!("list {} row {}, column {column}: {code}: {}", row.list_no, row.row.unwrap_or(0), Fault::remedy(&code)));
        }
    }
    context.print(&json!(rows), &lines.join("\n"));
    Ok(())
}
