//! Packs: evidence as a file, for somebody who does not trust us. Every pack leaves a signed trace in the log.

use super::output::{count, figure, mind};
use super::person::{find, person_id};
use super::report::Export;
use super::restore::refuse_while_open;
use super::{Context, Failure, Refusal};
use crate::evidence::{Archive, sequencer};
use crate::model::person::printed_id;
use crate::report::pack::{Audience, Lack, incident, person};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;

/// `duly pack`.
#[derive(Subcommand)]
pub enum PackCommand {
    /// Write the whole log of an incident and everything that it names by hash
    #[command(
        after_help = "Examples:\n  duly pack incident --incident cards-2026 --for regulator --out cards-2026.zip\n  duly pack incident --incident cards-2026 --for court --open external_reference --out cards-2026.zip\n\n`--open external_reference` adds keys with which the controller can compare its own list, row by row. Whoever has such a pack can test guesses of references: give it to nobody else."
    )]
    Incident(Incident),
    /// Write one person's events, each with its proof, and a certificate of how they were told
    #[command(
        after_help = "Examples:\n  duly pack person --incident cards-2026 --person p_0f6c… --for court --out person.zip\n  duly pack person --incident cards-2026 --open name,letter --messages --for person --out person.zip < reference.txt\n\nWithout --person the external reference is asked for; it is personal data and is never taken from the command line."
    )]
    Person(Person),
}

/// `duly pack incident`.
#[derive(Args)]
pub struct Incident {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// For whom: regulator, court or person
    #[arg(long = "for", value_name = "READER", default_value = "regulator", value_parser = audience)]
    reader: Audience,
    /// Field to be opened for everybody
    #[arg(long, value_name = "FIELD", value_parser = ["external_reference"])]
    open: Option<String>,
    /// New file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `duly pack person`.
#[derive(Args)]
pub struct Person {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// Person (p_…); without one the external reference is asked for
    #[arg(long, value_name = "P_…")]
    person: Option<String>,
    /// Fields to be opened: external_reference, name, sms, email, letter
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', value_parser = ["external_reference", "name", "sms", "email", "letter"])]
    open: Vec<String>,
    /// Add what was sent, byte for byte
    #[arg(long)]
    messages: bool,
    /// For whom: regulator, court or person
    #[arg(long = "for", value_name = "READER", default_value = "person", value_parser = audience)]
    reader: Audience,
    /// New file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn audience(text: &str) -> Result<Audience, String> {
    text.parse()
}

/// Runs a pack command.
pub async fn run(context: &Context, command: PackCommand) -> Result<(), Failure> {
    match command {
        PackCommand::Incident(args) => of_incident(context, args).await,
        PackCommand::Person(args) => of_person(context, args).await,
    }
}

async fn of_incident(context: &Context, args: Incident) -> Result<(), Failure> {
    let store = context.store().await?;
    let of = store.load_incident(&args.incident).await?;
    let archive = Arc::new(Archive::open(&context.settings()?, store)?);
    refuse_while_open(&archive).await?;
    let key = match &args.open {
        Some(_) => Some(context.settings()?.master_key()?.unwrap_key(&of.wrapped_key, "incident")?),
        None => None,
    };
    let command = json!({"command": "pack incident", "for": args.reader.as_str(), "incident": of.incident_id, "open": args.open});
    let export = Export::begin(context, &args.out, &command).await?;
    // Everything that has happened is in the pack; that it was made comes after it.
    sequencer::run_once(archive.clone()).await?;
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} events").unwrap_or_else(|_| ProgressStyle::default_bar()));
    let progress = |done: i64, all: i64| {
        bar.set_length(u64::try_from(all).unwrap_or_default());
        bar.set_position(u64::try_from(done).unwrap_or_default());
    };
    let (waiting, unfrozen) =
        (store.count_quarantined(of.key).await?, store.count_unfrozen(of.incident_id, store.now().await?).await?);
    if waiting + unfrozen > 0 {
        let (rows, people) = (count(waiting, "row", "rows"), count(unfrozen, "person", "people"));
        eprintln!("Mind: {rows} in quarantine and {people} on lists that are not frozen: nobody of them is told.");
    }
    let wanted = incident::Wanted { audience: args.reader, openings: key.as_ref(), progress: &progress };
    let packed = incident::write_wanted(store, &of, &wanted, BufWriter::new(export.file()?)).await?;
    bar.finish_and_clear();
    let hash = export.keep(store, &of, "pack", args.reader.as_str()).await?;
    sequencer::run_once(archive).await?;
    context.print(
        &json!({"file": args.out, "sha256": hash, "origin": packed.origin, "events": packed.events, "lists": packed.lists,
            "plans": packed.plans, "missing": packed.missing, "rehearsal": packed.rehearsal}),
        &format!("{}: {} events of {}\nSHA-256 {hash}", args.out.display(), figure(packed.events), packed.origin),
    );
    mind(&packed.rehearsal);
    eprintln!(
        "Verify it with `duly-verify {} --key LOG.vkey`; `duly log key --incident {}` prints the key.",
        args.out.display(),
        args.incident
    );
    complete(&packed.missing)
}

/// A pack without all its pages is kept and signed for, as the log in it is whole; whoever hands it on must know.
fn complete(missing: &[Lack]) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    let lacks: Vec<String> = missing.iter().map(|lack| format!("{} ({})", lack.files, lack.why)).collect();
    Err(Refusal::found(
        format!("the pack was written with the whole log, and without {}", lacks.join("; ")),
        "run `duly audit`: it names what cannot be read; the pack itself shows it to whoever verifies it",
    ))
}

async fn of_person(context: &Context, args: Person) -> Result<(), Failure> {
    let store = context.store().await?;
    let of = store.load_incident(&args.incident).await?;
    let archive = Arc::new(Archive::open(&context.settings()?, store)?);
    refuse_while_open(&archive).await?;
    let id = match &args.person {
        Some(text) => person_id(text)?,
        None => find(context, store, &of).await?,
    };
    let opens = !args.open.is_empty() || args.messages;
    let key = match opens {
        true => Some(context.settings()?.master_key()?.unwrap_key(&of.wrapped_key, "incident")?),
        false => None,
    };
    let command = json!({"command": "pack person", "for": args.reader.as_str(), "incident": of.incident_id, "messages": args.messages,
        "open": args.open, "person": printed_id(id)});
    let export = Export::begin(context, &args.out, &command).await?;
    if opens {
        // Before anything is opened: a look that fails was tried all the same.
        store.record_view(of.key, id, "pack", export.by).await?;
    }
    sequencer::run_once(archive.clone()).await?;
    let wanted =
        person::Wanted { audience: args.reader, person_id: id, fields: &args.open, messages: args.messages, key: key.as_ref() };
    let packed = person::write(store, &of, &wanted, BufWriter::new(export.file()?)).await?;
    let hash = export.keep(store, &of, "pack", args.reader.as_str()).await?;
    sequencer::run_once(archive).await?;
    let said = format!(
        "{}: {} of {}, each with its proof\nSHA-256 {hash}",
        args.out.display(),
        count(i64::try_from(packed.events).unwrap_or(i64::MAX), "event", "events"),
        printed_id(id)
    );
    context.print(&json!({"file": args.out, "sha256": hash, "person": printed_id(id), "events": packed.events, "missing": packed.missing, "rehearsal": packed.rehearsal}), &said);
    mind(&packed.rehearsal);
    if opens {
        eprintln!("The file holds personal data: keep it as you would keep the letter itself.");
    }
    complete(&packed.missing)
}
