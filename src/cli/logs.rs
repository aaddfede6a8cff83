//! The logs: what is signed and published, the keys that others verify them with, and another key for all of them.

use super::output::{count, figure, table, when};
use super::setup::write_secret;
use super::{Context, Failure, Refusal};
use crate::evidence::keys::{Known, Signing};
use crate::evidence::{Archive, EvidenceError};
use crate::model::seal::Key;
use crate::store::log::LogStanding;
use crate::store::sequencing::LogHead;
use clap::Subcommand;
use duly_ledger::public_key;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `duly log`.
#[derive(Subcommand)]
pub enum LogCommand {
    /// List the logs: how far they are signed and published
    #[command(after_help = "Examples:\n  duly log list\n  duly log list --json")]
    List,
    /// Print the key that verifies a log; hand it over on another way than the evidence
    #[command(
        after_help = "Examples:\n  duly log key --incident cards-2026 > cards-2026.vkey\n  duly log key --incident cards-2026 --older > of-then.vkey\n  duly log key --system\n  duly log key --all              which log is under which key, and what a change of the key waits for\n\nIt is public. Who verifies must have it from you or from your published list, never from the pack itself.\nWhere the key was changed, --older adds those of before, one a line, for packs from then: whoever has such a key by now can make such a pack."
    )]
    Key {
        /// Incident, or controller/incident
        #[arg(long, required_unless_present_any = ["system", "all"])]
        incident: Option<String>,
        /// The installation's own log
        #[arg(long, conflicts_with = "incident")]
        system: bool,
        /// With the keys from before a change, for packs that were made then
        #[arg(long, conflicts_with = "all")]
        older: bool,
        /// Every log, and which of the keys of the settings signs it
        #[arg(long, conflicts_with_all = ["incident", "system"])]
        all: bool,
    },
    /// Make another key for the logs; nothing is signed with it before the settings name it
    #[command(after_help = "Example:\n  duly log new-key --out .local/keys/log-2027.key")]
    NewKey {
        /// New file for the key, mode 0600
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Runs a log command.
pub async fn run(context: &Context, command: LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::List => list(context).await,
        LogCommand::Key { all: true, .. } => all_keys(context).await,
        LogCommand::Key { incident, older, .. } => key(context, incident.as_deref(), older).await,
        LogCommand::NewKey { out } => new_key(context, &out),
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

async fn key(context: &Context, incident: Option<&str>, with_older: bool) -> Result<(), Failure> {
    let store = context.store().await?;
    let log_id = match incident {
        Some(slug) => store.load_incident(slug).await?.incident_id,
        None => store.installation().await?,
    };
    let archive = Archive::open(&context.settings()?, store)?;
    let heads = store.list_log_heads().await?;
    let Some((_, head)) = heads.into_iter().find(|(_, head)| head.log_id == log_id && head.size > 0) else {
        return Err(Refusal::of(
            "nothing of this log is signed yet",
            "start `duly serve scheduler`: it opens the log with its first event",
        ));
    };
    let line = keys_of(&archive, &head).await?;
    let is_newest = |at: usize| at == 0 || line[at - 1].generation != line[at].generation;
    let shown = (0..line.len()).filter(|at| with_older || is_newest(*at));
    let keys: Vec<String> = shown.map(|at| line[at].vkey.to_string()).collect();
    context.print(&json!({"keys": keys, "line": line.iter().map(line_json).collect::<Vec<_>>()}), &keys.join("\n"));
    if line.iter().any(|signing| signing.key != line[0].key) {
        eprintln!("The log's key was changed. Each key signs from a size of the log on, until the one above it:");
        for signing in &line {
            eprintln!("  {}+{:08x}  from size {}", signing.vkey.name(), signing.vkey.id(), signing.from_size);
        }
        eprintln!("For a pack of today the newest is enough. `--older` prints the others too, for packs from before the change:");
        eprintln!("whoever has such a key by now can make such a pack (docs/evidence.md).");
    }
    Ok(())
}

/// The keys of a log: generation by generation, of each the newest first.
async fn keys_of(archive: &Archive, head: &LogHead) -> Result<Vec<Signing>, EvidenceError> {
    let mut line = Vec::new();
    for of in archive.store.list_published(head.log_id).await? {
        line.extend(archive.signing(head, (of.generation, &of.origin)).await?);
    }
    if line.is_empty() {
        line = archive.signing(head, (head.generation, &head.origin)).await?;
    }
    Ok(line)
}

fn line_json(signing: &Signing) -> serde_json::Value {
    json!({"vkey": signing.vkey.to_string(), "generation": signing.generation, "from_size": signing.from_size})
}

/// How a log's key stands to the settings.
fn standing(archive: &Archive, known: &Known, key: &[u8; 32]) -> &'static str {
    match archive.keys().next() {
        Some(next) if next == *key => "next",
        _ if !archive.keys().public().contains(key) => "not in the settings",
        Some(next) if known.line.keys().any(|old| old == next) => "past the next key",
        Some(_) => "to be changed",
        None => "current",
    }
}

async fn all_keys(context: &Context) -> Result<(), Failure> {
    let store = context.store().await?;
    let archive = Archive::open(&context.settings()?, store)?;
    let mut rows = vec![["log", "key", "from size", "is"].map(str::to_owned).to_vec()];
    let (mut logs, mut missing, mut left, mut past) = (Vec::new(), 0, 0, 0);
    for (_, head) in store.list_log_heads().await?.into_iter().filter(|(_, head)| head.size > 0) {
        let known = archive.known(&head).await?;
        let key = known.in_force(&head, archive.keys());
        let is = key.map_or("not in the settings", |key| standing(&archive, &known, &key));
        past += i64::from(is == "past the next key");
        left += i64::from(is == "to be changed");
        missing += i64::from(is == "not in the settings");
        let line = if key.is_some() { keys_of(&archive, &head).await? } else { Vec::new() };
        let row = |of: &str, by: String, from: String, is: &str| vec![of.to_owned(), by, from, is.to_owned()];
        if line.is_empty() {
            rows.push(row(&head.origin, String::new(), String::new(), is));
        }
        for signing in &line {
            let is = if Some(signing.key) == key { is } else { "old" };
            rows.push(row(signing.vkey.name(), hex::encode(signing.key), signing.from_size.to_string(), is));
        }
        let changes = known.line.changes().len();
        let line: Vec<_> = line.iter().map(line_json).collect();
        logs.push(json!({"log": head.origin, "key": key.map(hex::encode), "changes": changes, "is": is, "line": line}));
    }
    let is_done = left + missing + past == 0;
    context.print(&json!({"logs": logs, "done": is_done}), &table(&rows, &[2]));
    if missing > 0 {
        eprintln!("{} cannot go on: name that key by keys.log_file again.", count(missing, "log", "logs"));
    } else if past > 0 {
        eprintln!(
            "keys.log_next_file names an old key of {}: name the newer one by keys.log_file, and take",
            count(past, "log", "logs")
        );
        eprintln!("keys.log_next_file out.");
    } else if left > 0 {
        eprintln!(
            "{} to be changed; `duly serve scheduler` does it. Until then keep both keys.",
            count(left, "log is", "logs are")
        );
    } else if archive.keys().next().is_some() {
        eprintln!(
            "Every log is under the next key. Now name its file by keys.log_file, take keys.log_next_file out, restart, and"
        );
        eprintln!(
            "destroy the old key. Hand out the new one: duly log key --incident … prints it first, and below it the old ones,"
        );
        eprintln!("which packs from before the change go on needing.");
    }
    Ok(())
}

fn new_key(context: &Context, out: &Path) -> Result<(), Failure> {
    let key = Key::generate();
    write_secret(out, key.to_hex().as_bytes())?;
    let public = hex::encode(public_key(key.bytes()));
    context.print(&json!({"key": public, "file": out}), &public);
    eprintln!("The key is in `{}`, readable by you alone. Now:", out.display());
    eprintln!("  1. Keep a copy in a safe. Tell the line above to whoever verifies, by another way than this server.");
    eprintln!(
        "  2. Set keys.log_next_file to it wherever `duly serve scheduler` runs, beside the old keys.log_file; restart these."
    );
    eprintln!("  3. duly log key --all      says when every log has changed, and what comes then.");
    Ok(())
}
