//! The end of an incident: refused while anything is open, unless somebody signs why it is closed all the same.

use super::output::{count, figure, table, when};
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::model::person::ShownState;
use crate::report::{rehearsal, words};
use crate::store::Store;
use crate::store::close::Unfinished;
use crate::store::incident::Incident;
use clap::Args;
use serde_json::{Value, json};

/// Characters of a reason, at most: it stands in an event.
const REASON_MAX: usize = 500;

/// `duly incident close`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly incident close cards-2026 --dry-run\n  duly incident close cards-2026\n  duly incident close cards-2026 --unfinished 'two people abroad, public notice of 3 May covers them'\n\nThe reason stands in the log for ever: plain ASCII, and no personal data."
)]
pub struct Close {
    /// Incident, or controller/incident
    incident: String,
    /// Why it is closed although something is open; no personal data
    #[arg(long, value_name = "REASON")]
    unfinished: Option<String>,
    /// Say what is still open and change nothing; ends with 1 where anything is
    #[arg(long)]
    dry_run: bool,
}

/// `duly incident reopen`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly incident reopen cards-2026 --reason 'second batch of the payroll system found'\n\nThe reason stands in the log for ever: plain ASCII, and no personal data."
)]
pub struct Reopen {
    /// Incident, or controller/incident
    incident: String,
    /// Why; no personal data
    #[arg(long)]
    reason: String,
}

/// One thing that is still open: how many, what, and the command that sees to it.
struct Open {
    n: i64,
    what: String,
    command: String,
}

/// Closes an incident, or says what is still open.
pub async fn close(context: &Context, args: Close) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    if let Some(at) = incident.closed_at {
        eprintln!("It was closed {} already; nothing was changed.", when(at));
        context.print_minding(json!({"closed": true, "changed": false}), "", &rehearsal);
        return Ok(());
    }
    let reason = args.unfinished.as_deref().map(leaf_text).transpose()?;
    let left = store.unfinished(incident.key).await?;
    let open = list_open(store, &incident, left).await?;
    let (_, waiting) = store.count_rejected().await?;
    if waiting > 0 {
        let jobs = count(waiting, "job", "jobs");
        eprintln!("{jobs} of whatever incident could not be read, nobody of them is told: duly job rejected");
    }
    if args.dry_run || (!left.is_nothing() && reason.is_none()) {
        let lines = if open.is_empty() { "Nothing is open.".to_owned() } else { lines(&open) };
        context.print_minding(json!({"closed": false, "open": as_json(&open)}), &lines, &rehearsal);
        return refuse(&incident, &open, args.dry_run);
    }
    if left.is_nothing() && reason.is_some() {
        return Err(Refusal::of("nothing of the incident is unfinished", "leave `--unfinished` away"));
    }
    let Some((left, by)) = store.close_incident(incident.key, reason, &signer(context).await?).await? else {
        eprintln!("Somebody else closed it at this moment; nothing was changed.");
        context.print_minding(json!({"closed": true, "changed": false}), "", &rehearsal);
        return Ok(());
    };
    context.print_minding(json!({"closed": true, "changed": true, "left": left, "command": by.command_id}), "", &rehearsal);
    eprintln!("Closed and signed. Nothing more is sent; receipts still come in.");
    Ok(())
}

fn refuse(incident: &Incident, open: &[Open], is_dry: bool) -> Result<(), Failure> {
    if open.is_empty() {
        eprintln!("It can be closed: duly incident close {}", incident.slug);
        return Ok(());
    }
    let what =
        format!("the incident is not finished: {}", count(open.iter().map(|o| o.n).sum(), "thing is open", "things are open"));
    let remedy = format!(
        "see to each of them, or say why it is closed all the same: duly incident close {} --unfinished '…'",
        incident.slug
    );
    Err(if is_dry { Refusal::found(what, remedy) } else { Refusal::of(what, remedy) })
}

/// Reopens an incident.
pub async fn reopen(context: &Context, args: Reopen) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    if incident.closed_at.is_none() {
        eprintln!("It is open; nothing was changed.");
        context.print_minding(json!({"closed": false, "changed": false}), "", &rehearsal);
        return Ok(());
    }
    let reason = leaf_text(&args.reason)?;
    let Some(by) = store.reopen_incident(incident.key, reason, &signer(context).await?).await? else {
        eprintln!("Somebody else reopened it at this moment; nothing was changed.");
        context.print_minding(json!({"closed": false, "changed": false}), "", &rehearsal);
        return Ok(());
    };
    context.print_minding(json!({"closed": false, "changed": true, "command": by.command_id}), "", &rehearsal);
    eprintln!("Reopened and signed. Plans go on as they stood: a running one sends what is due.");
    Ok(())
}

/// A reason as it can stand in an event.
fn leaf_text(reason: &str) -> Result<&str, Failure> {
    let reason = reason.trim();
    let fits = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    match reason.chars().all(fits) && !reason.is_empty() && reason.len() <= REASON_MAX {
        true => Ok(reason),
        false => Err(Refusal::of(
            "the reason cannot stand in an event",
            format!("write 1 to {REASON_MAX} plain ASCII characters without double quotes and backslashes"),
        )),
    }
}

async fn list_open(store: &Store, incident: &Incident, left: Unfinished) -> Result<Vec<Open>, Failure> {
    let name = &incident.slug;
    let mut open = Vec::new();
    let mut add = |n: i64, what: &str, command: String| {
        if n > 0 {
            open.push(Open { n, what: what.to_owned(), command });
        }
    };
    if left.open > 0 {
        let states = store.equation(incident.key).await?.person_states;
        for (state, command) in [
            (ShownState::Waiting, format!("duly plan show --incident {name}")),
            (ShownState::UnderWay, format!("duly status --incident {name} --watch")),
            (ShownState::NeedsDecision, format!("duly unknown list --incident {name}")),
            (ShownState::Held, format!("duly hold list --incident {name}")),
        ] {
            let n = states.get(state.as_str()).copied().unwrap_or(0);
            add(n, &format!("without an end state: {}", words::person(state)), command);
        }
    }
    let unknown = || format!("duly unknown list --incident {name}");
    add(left.unknown, "calls of which nobody knows yet how they ended", unknown());
    add(left.asked, "messages about which a person must decide", unknown());
    add(left.quarantined, "rows in quarantine, nobody of them is told", format!("duly quarantine list --incident {name}"));
    add(left.missing, "rows of a file that were never taken in", format!("duly list import FILE --incident {name}"));
    Ok(open)
}

fn lines(open: &[Open]) -> String {
    let rows: Vec<Vec<String>> = open.iter().map(|o| vec![figure(o.n), o.what.clone(), o.command.clone()]).collect();
    table(&rows, &[0])
}

fn as_json(open: &[Open]) -> Value {
    open.iter().map(|o| json!({"count": o.n, "what": o.what, "command": o.command})).collect()
}
