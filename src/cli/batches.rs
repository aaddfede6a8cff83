//! Batches that somebody carries: which there are, that one was handed over, and what became of its messages. Whoever
//! declares it signs.

use super::failure::{check_visible, read_bytes};
use super::output::{Paint, count, figure, table, when};
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::cli::status::waiting::lacks_words;
use crate::dispatch::accounts;
use crate::dispatch::batches::{Lost, lost};
use crate::model::state::MessageState;
use crate::provider::{Account, BatchList, Batches, ClosedBatch};
use crate::store::Store;
use crate::store::declared::{Declared, Named};
use crate::store::quarantine::Decider;
use crate::store::unit::IncidentKey;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Messages in one transaction.
const CHUNK: usize = 200;
/// Seconds by which a clock may be ahead.
const AHEAD_MAX: i64 = 300;

/// `duly batch`.
#[derive(Subcommand)]
pub enum BatchCommand {
    /// List the batches of lanes that write to a folder, and which of them nobody has signed for yet
    #[command(after_help = "Examples:\n  duly batch list\n  duly batch list --lane printer --json")]
    List {
        /// Lane; without it all
        #[arg(long)]
        lane: Option<String>,
    },
    /// Declare that a batch was handed over: the docket, signed by you
    HandedOver(HandedOver),
    /// Declare what became of messages, from a CSV file with the columns `reference` and `status`; signed by you
    #[command(
        after_help = "Example:\n  duly batch result printed.csv --lane printer\n\nWords of a letter: printed, handed_to_carrier, returned, failed. Of a text: sent, delivered, expired, failed. Of an email: sent,\ndelivered, returned, failed. A row that names no message of the lane, or another word, refuses the whole file."
    )]
    Result {
        /// CSV file
        file: PathBuf,
        /// Lane
        #[arg(long)]
        lane: String,
    },
}

/// `duly batch handed-over`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly batch handed-over 000001-3f2a9c10 --lane printer --count 100 --to carrier --carried-by 'post room, J. Holt' --place 'Leeds Mail Centre' --when 2026-11-26T16:30:00Z\n\nLetters that were handed to the carrier count as that, as what you declare. What was handed to a printer or a gateway waits for a\nresult: `duly batch result`. The words stay in your signed command; the evidence names the command."
)]
pub struct HandedOver {
    /// Batch, as `duly batch list` shows it
    batch: String,
    /// Lane
    #[arg(long)]
    lane: String,
    /// Messages of it, as you counted them
    #[arg(long)]
    count: usize,
    /// To whom
    #[arg(long)]
    to: To,
    /// Who carried it
    #[arg(long)]
    carried_by: String,
    /// Where
    #[arg(long)]
    place: String,
    /// When, such as 2026-11-26T16:30:00Z
    #[arg(long, value_parser = moment)]
    when: OffsetDateTime,
}

/// Who takes a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// The postal carrier: letters are posted
    Carrier,
    /// A printer, who posts them later
    Printer,
    /// A gateway, which sends them later
    Gateway,
}

fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "write a time as 2026-11-26T16:30:00Z".to_owned())
}

/// Runs a batch command.
pub async fn run(context: &Context, command: BatchCommand) -> Result<(), Failure> {
    match command {
        BatchCommand::List { lane } => list(context, lane.as_deref()).await,
        BatchCommand::HandedOver(args) => handed_over(context, args).await,
        BatchCommand::Result { file, lane } => result(context, &file, &lane).await,
    }
}

/// The account of a lane that writes batches.
fn account(context: &Context, lane: &str) -> Result<Arc<Account>, Failure> {
    let accounts = accounts(&context.settings()?)?;
    let found = accounts.get(lane).filter(|account| account.provider.batches().is_some());
    found.cloned().ok_or_else(|| {
        Refusal::of(format!("there is no lane `{lane}` that writes batches"), "`duly batch list` shows the lanes that do")
    })
}

/// Its batches.
fn batches(account: &Account) -> Result<&dyn Batches, Failure> {
    account
        .provider
        .batches()
        .ok_or_else(|| Refusal::of("the lane writes no batches", "`duly batch list` shows the lanes that do"))
}

async fn list(context: &Context, lane: Option<&str>) -> Result<(), Failure> {
    let mut lanes = Vec::new();
    for account in accounts(&context.settings()?)?.into_values() {
        if account.provider.batches().is_some() && lane.is_none_or(|lane| lane == account.name) {
            let (store, folder) = (context.store().await?, batches(&account)?);
            let (found, lacks) = (folder.list().await?, lost(store, &account.name, folder, true).await?);
            lanes.push((account, found, lacks));
        }
    }
    if let (Some(lane), []) = (lane, lanes.as_slice()) {
        account(context, lane)?;
    }
    let data: Vec<Value> = lanes.iter().map(|(account, found, lacks)| as_json(account, found, *lacks)).collect();
    let text = match lanes.as_slice() {
        [] => "No lane writes batches: set `provider = \"file\"` and `folder` of a lane.".to_owned(),
        lanes => lanes.iter().map(|(account, found, lacks)| lines(account, found, *lacks)).collect::<Vec<_>>().join("\n\n"),
    };
    context.print(&json!(data), &text);
    Ok(())
}

fn messages(n: usize) -> String {
    count(i64::try_from(n).unwrap_or(i64::MAX), "message", "messages")
}

fn lines(account: &Account, found: &BatchList, lacks: Lost) -> String {
    let live = if account.is_live { "" } else { ", not live: must not be carried" };
    let mut text = format!("{}{live}: {} in no batch yet", account.name, messages(found.waiting));
    if lacks.is_any() {
        let older = format!("ALARM: the folder is an older copy, {}; put its newest copy back", lacks_words(lacks));
        text.push_str(&format!("\n{}", Paint::stdout().bad(&older)));
    }
    let mut rows = vec![["", "batch", "messages", "closed", "handed over", "file"].map(str::to_owned).to_vec()];
    for batch in &found.closed {
        rows.push(vec![
            String::new(),
            batch.name.clone(),
            figure(i64::try_from(batch.references.len()).unwrap_or(i64::MAX)),
            when(batch.closed_at),
            standing(batch, Paint::stdout()),
            batch.file.clone(),
        ]);
    }
    if !found.closed.is_empty() {
        text.push_str(&format!("\n{}", table(&rows, &[2])));
    }
    text
}

fn standing(batch: &ClosedBatch, paint: Paint) -> String {
    match (batch.is_handed_over, OffsetDateTime::now_utc() >= batch.due_at) {
        _ if !batch.is_live => "never: a rehearsal".to_owned(),
        (true, _) => "yes".to_owned(),
        (false, true) => paint.bad(&format!("no, was due {}", when(batch.due_at))),
        (false, false) => format!("no, due {}", when(batch.due_at)),
    }
}

fn as_json(account: &Account, found: &BatchList, lacks: Lost) -> Value {
    let time = |at: OffsetDateTime| at.format(&Rfc3339).ok();
    let closed: Vec<Value> = found
        .closed
        .iter()
        .map(|batch| {
            json!({
                "batch": batch.name, "messages": batch.references.len(), "closed_at": time(batch.closed_at), "due_at": time(batch.due_at),
                "handed_over": batch.is_handed_over, "live": batch.is_live, "manifest": batch.manifest_sha256, "file": batch.file,
            })
        })
        .collect();
    json!({ "lane": account.name, "live": account.is_live, "waiting": found.waiting, "lacks": lacks, "batches": closed })
}

async fn handed_over(context: &Context, args: HandedOver) -> Result<(), Failure> {
    let account = account(context, &args.lane)?;
    let batches = batches(&account)?;
    let found = batches.list().await?.closed.into_iter().find(|batch| batch.name == args.batch);
    let batch = found.ok_or_else(|| {
        Refusal::of(format!("lane {} has no batch `{}`", args.lane, args.batch), "copy its name from `duly batch list`")
    })?;
    check_live(&batch, &args.lane)?;
    check_docket(&args, &batch)?;
    let is_there = check_file(&batch)?;
    let store = context.store().await?;
    let named = named(store, &args.lane, &batch.references).await?;
    let docket = json!({
        "command": "batch handed-over", "lane": args.lane, "batch": batch.name, "manifest": batch.manifest_sha256, "count": args.count,
        "file": batch.file_sha256, "file_is_there": is_there,
        "to": args.to.to_possible_value().map(|value| value.get_name().to_owned()), "carried_by": args.carried_by, "place": args.place,
        "when": args.when.format(&Rfc3339).unwrap_or_default(),
    });
    let by = signer(context).await?.sign(store, &docket).await?;
    // Only of a letter the hand-over is news: what a printer or a gateway has is still with somebody.
    let word = if args.to == To::Carrier { batches.meaning("handed_to_carrier") } else { None };
    let report = word.and_then(|word| word.state).unwrap_or(MessageState::Accepted);
    let moved = declare(store, named.values().map(|one| (one, report)), by).await?;
    let mut kept = docket;
    if let Some(fields) = kept.as_object_mut() {
        fields.insert("signed_command".into(), json!(by.command_id));
        fields.insert("user".into(), json!(by.user_id));
    }
    batches.keep_docket(&batch.name, format!("{kept}\n").into_bytes()).await?;
    context.print(&json!({ "batch": batch.name, "messages": named.len(), "moved": moved, "command": by.command_id }), "");
    let next = match report {
        MessageState::Accepted => "What becomes of them: duly batch result.",
        _ => "They count as handed to the carrier, as you declared it.",
    };
    eprintln!("Signed for {}. {next}", messages(named.len()));
    Ok(())
}

/// Nobody can sign for what was handed to nobody.
fn check_live(batch: &ClosedBatch, lane: &str) -> Result<(), Failure> {
    if batch.is_live {
        return Ok(());
    }
    Err(Refusal::of(
        format!("batch {} is a rehearsal: lane {lane} was not live, and nothing of it was handed to anybody", batch.name),
        "sign for nothing of it; people are told by a plan that was prepared while the lane is `live = true`",
    ))
}

fn check_docket(args: &HandedOver, batch: &ClosedBatch) -> Result<(), Failure> {
    if batch.is_handed_over {
        return Err(Refusal::of("somebody signed for this batch already", "`duly batch list` shows which ones wait"));
    }
    if args.count != batch.references.len() {
        return Err(Refusal::of(
            format!("the batch has {}, and the docket says {}", messages(batch.references.len()), args.count),
            "count again; of single messages that were spoilt or kept back declare `failed` by `duly batch result`, after the docket",
        ));
    }
    for (what, text) in [("name of who carried it", &args.carried_by), ("place", &args.place)] {
        check_visible(what, text)?;
        if text.trim().is_empty() {
            return Err(Refusal::of(
                format!("the {what} is empty"),
                "say who carried it and where: somebody may be asked about it",
            ));
        }
    }
    let now = OffsetDateTime::now_utc();
    if args.when < batch.closed_at.replace_nanosecond(0).unwrap_or(batch.closed_at)
        || (args.when - now).whole_seconds() > AHEAD_MAX
    {
        return Err(Refusal::of(
            "the batch was not handed over at that time: it was not closed yet, or the time is still to come",
            format!("it was closed {}; write the time with its zone, such as 2026-11-26T16:30:00Z", when(batch.closed_at)),
        ));
    }
    Ok(())
}

/// Whether the file still lies where it is carried from; refused where it is not the one that was closed. What was carried
/// away nobody can compare, and the docket says so.
fn check_file(batch: &ClosedBatch) -> Result<bool, Failure> {
    match std::fs::read(&batch.file) {
        Ok(bytes) if hex::encode(Sha256::digest(&bytes)) == batch.file_sha256 => Ok(true),
        Ok(_) => Err(Refusal::of(
            format!("the file {} is not as it was when the batch was closed", batch.file),
            "find out who changed it and what was carried: what is in it now is not what was approved; bring the file of the backup back, then sign",
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Refusal::of(
            format!("the file {} cannot be read: {error}", batch.file),
            "look at its rights, as the user that runs this command",
        )),
    }
}

/// The messages of references, none of which may be missing.
async fn named(store: &Store, lane: &str, references: &[String]) -> Result<BTreeMap<String, Named>, Failure> {
    let mut named = BTreeMap::new();
    for chunk in references.chunks(CHUNK) {
        named.extend(store.list_named(lane, chunk).await?.into_iter().map(|one| (one.reference.clone(), one)));
    }
    match references.iter().find(|reference| !named.contains_key(*reference)) {
        None => Ok(named),
        Some(reference) => Err(Refusal::of(
            format!("no message of lane {lane} has the reference {reference}"),
            "take the settings of the installation that the batch is of; after a restore run `duly restore reconcile` first",
        )),
    }
}

/// Puts on record what is declared of each, but for what is known already: a command that was cut is run again.
async fn declare(store: &Store, all: impl Iterator<Item = (&Named, MessageState)>, by: Decider) -> Result<usize, Failure> {
    let mut of_incident: BTreeMap<IncidentKey, Vec<Declared>> = BTreeMap::new();
    for (one, report) in all.filter(|(one, report)| *report == MessageState::Accepted || one.state != *report) {
        let declared = Declared { message_id: one.message_id, person_id: one.person_id, report };
        of_incident.entry(one.incident).or_default().push(declared);
    }
    let mut moved = 0;
    for (incident, declared) in of_incident {
        for chunk in declared.chunks(CHUNK) {
            moved += store.declare(incident, chunk, by).await?;
        }
    }
    Ok(moved)
}

async fn result(context: &Context, file: &std::path::Path, lane: &str) -> Result<(), Failure> {
    let account = account(context, lane)?;
    let batches = batches(&account)?;
    let bytes = read_bytes(file)?;
    let rows = read_result(&bytes, batches)?;
    let store = context.store().await?;
    let closed = batches.list().await?.closed;
    let batch_of: HashMap<&String, &ClosedBatch> =
        closed.iter().flat_map(|batch| batch.references.iter().map(move |reference| (reference, batch))).collect();
    for (row, (reference, _)) in (2..).zip(&rows) {
        let Some(batch) = batch_of.get(reference) else {
            return Err(Refusal::of(
                format!("row {row} names no message of a batch of lane {lane}"),
                "correct the reference, which stands in the batch's file and in its manifest; nothing was taken",
            ));
        };
        check_live(batch, lane)?;
    }
    let references: Vec<String> = rows.iter().map(|(reference, _)| reference.clone()).collect();
    let named = named(store, lane, &references).await?;
    let command =
        json!({ "command": "batch result", "lane": lane, "file": hex::encode(Sha256::digest(&bytes)), "rows": rows.len() });
    let by = signer(context).await?.sign(store, &command).await?;
    let declared = rows.iter().filter_map(|(reference, report)| Some((named.get(reference)?, *report)));
    let moved = declare(store, declared, by).await?;
    context.print(&json!({ "rows": rows.len(), "moved": moved, "command": by.command_id }), "");
    eprintln!(
        "Signed for {}; {} not known before.",
        messages(rows.len()),
        count(i64::try_from(moved).unwrap_or(i64::MAX), "is", "are")
    );
    Ok(())
}

/// Rows of a result file: reference and state.
fn read_result(bytes: &[u8], batches: &dyn Batches) -> Result<Vec<(String, MessageState)>, Failure> {
    let unreadable = |row: usize, what: &str| {
        let remedy =
            format!("one row for each message, with `reference` and `status`; the words are: {}", batches.words().join(", "));
        Refusal::of(format!("row {row} of the result file {what}; nothing was taken"), remedy)
    };
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let head = table.headers().map_err(|_| unreadable(1, "cannot be read"))?.clone();
    let column = |name: &str| head.iter().position(|column| column.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name));
    let (Some(reference_at), Some(status_at)) = (column("reference"), column("status")) else {
        return Err(unreadable(1, "has no columns `reference` and `status`"));
    };
    let (mut rows, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for (record, row) in table.records().zip(2..) {
        let record = record.map_err(|_| unreadable(row, "cannot be read"))?;
        let reference = record.get(reference_at).unwrap_or_default().to_owned();
        let word = record.get(status_at).unwrap_or_default();
        let Some(report) = batches.meaning(word).and_then(|word| word.state) else {
            return Err(unreadable(row, "has another word than a result may have"));
        };
        if !seen.insert(reference.clone()) {
            return Err(unreadable(row, "names a message again"));
        }
        rows.push((reference, report));
    }
    Ok(rows)
}
