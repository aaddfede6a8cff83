//! Lists.

use super::list_signatures::{self, Attach, ReplaceKey, Sign, Statement};
use super::output::{count, figure};
use super::serve::terminated;
use super::{Context, Failure, Refusal, pair, setup};
use crate::intake::csv::Mapping;
use crate::intake::dry_run::dry_run;
use crate::intake::list::{Progress, Report, Target, check_list, count_list, import_counted};
use crate::model::contact::Fault;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::cell::Cell;
use std::io::IsTerminal;
use std::path::PathBuf;

/// `duly list`.
#[derive(Subcommand)]
pub enum ListCommand {
    /// Import a CSV; the same file again changes nothing
    ///
    /// Good rows become people, bad ones wait in quarantine with row, column, code and remedy.
    #[command(
        after_help = "Examples:\n  duly list import affected.csv --incident northmere-2026 --dry-run\n  duly list import affected.csv --incident northmere-2026 --map phone='Mobile no'\n  duly list import affected.csv --incident northmere-2026 --map pay_number_type='Kind of pay number' --sensitive pay_grade"
    )]
    Import {
        /// UTF-8 CSV with comma, semicolon or tab
        file: PathBuf,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Column = header of the list; repeat for more. A column that is none of Duly's is one of the list's own, which
        /// templates may print as `person.column`: text, or `COLUMN:number=HEADER`, `COLUMN:date=HEADER`
        #[arg(long = "map", value_name = "COLUMN=HEADER", value_parser = pair)]
        map: Vec<(String, String)>,
        /// A column of the list's own whose values may stand in no message; repeat for more
        #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
        sensitive: Vec<String>,
        /// Say what would happen and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print or write what the controller signs of a frozen list: its count and root
    Statement(Statement),
    /// Sign a frozen list with the controller's list key, here or away from the server
    Sign(Sign),
    /// Take a signature that was made away from the server
    Attach(Attach),
    /// Put another list key in the place of a controller's pinned one
    ReplaceKey(ReplaceKey),
}

/// Runs a list command.
pub async fn run(context: &Context, command: ListCommand) -> Result<(), Failure> {
    match command {
        ListCommand::Import { file, incident, map, sensitive, dry_run } => {
            import(context, file, incident, &Mapping::of(&map, &sensitive)?, dry_run).await
        }
        ListCommand::Statement(args) => list_signatures::statement(context, args).await,
        ListCommand::Sign(args) => list_signatures::sign(context, args).await,
        ListCommand::Attach(args) => list_signatures::attach(context, args).await,
        ListCommand::ReplaceKey(args) => list_signatures::replace_key(context, args).await,
    }
}

async fn import(context: &Context, file: PathBuf, slug: String, mapping: &Mapping, is_dry: bool) -> Result<(), Failure> {
    let office = context.office().await?;
    let incident = office.store.load_incident(&slug).await?;
    incident.check_open()?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    let target = Target { store: &office.store, incident: &incident, incident_key: &key };
    let bar = bar();
    let report = if is_dry {
        dry_run(&target, &file, mapping, |p| show(bar.as_ref(), p)).await?
    } else {
        let counted = count_list(&file).await?;
        check_list(&file, mapping, &counted)?;
        let statement = json!({
            "command": "list import", "incident": incident.incident_id, "file": hex::encode(target.file_hash(&counted)), "rows": counted.rows, "columns": mapping.own(),
        });
        setup::signed(context, &statement).await?;
        let taken = Cell::new(0);
        let progress = |p: Progress| {
            taken.set(p.rows);
            show(bar.as_ref(), p);
        };
        tokio::select! {
            report = import_counted(&target, &file, mapping, &counted, progress) => report?,
            () = terminated() => return Err(cut(taken.get(), counted.rows)),
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let lines = lines(&report, &slug, if is_dry { "nothing was changed: " } else { "" });
    context.print(&json!(report), &lines.join("\n"));
    Ok(())
}

/// What was taken in stays: no row is lost, and none is taken in twice.
fn cut(taken: u64, rows: u64) -> Failure {
    let number = |n: u64| figure(i64::try_from(n).unwrap_or(i64::MAX));
    Refusal::of(
        format!("the import was stopped at row {} of {}", number(taken), number(rows)),
        "run the same command again: it goes on from there. Until then the list is not whole, and no plan is made of it",
    )
}

/// What became of the rows: one line of counts, then faults, at most twenty of them.
pub fn lines(report: &Report, slug: &str, prefix: &str) -> Vec<String> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let counts = format!(
        "{prefix}{} = {} + {} + {} quarantined + {} known before",
        count(number(report.rows), "row", "rows"),
        count(number(report.people), "person", "people"),
        count(number(report.duplicates), "duplicate", "duplicates"),
        figure(number(report.quarantined)),
        figure(number(report.known))
    );
    let mut lines = vec![counts];
    lines.extend(faults_lines(report, slug));
    lines
}

/// The first faults, each with its remedy.
pub fn faults_lines(report: &Report, slug: &str) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        report.faults.iter().map(|f| format!("  row {}, column {}: {}: {}", f.row, f.column, f.code, Fault::remedy(&f.code))),
    );
    let more = report.by_code.values().sum::<u64>().saturating_sub(report.faults.len() as u64);
    if more > 0 {
        lines.push(format!("  … and {more} more: `duly quarantine list --incident {slug}`"));
    }
    if !report.unmapped.is_empty() {
        lines.push(format!("  columns not read: {}", report.unmapped.join(", ")));
    }
    lines
}

/// A bar for a terminal; elsewhere nobody watches.
fn bar() -> Option<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}, {eta} left").ok()?;
    std::io::stderr().is_terminal().then(|| ProgressBar::new(0).with_style(style))
}

fn show(bar: Option<&ProgressBar>, progress: Progress) {
    let Some(bar) = bar else { return };
    let rate = u128::from(progress.rows) * 1000 / bar.elapsed().as_millis().max(1);
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes);
    bar.set_message(format!("{} rows, {rate} a second", progress.rows));
}
