//! One person's story. The external reference is personal data: it is read from a prompt or standard input.

use super::output::{Paint, when};
use super::{Context, Failure, Refusal};
use crate::model::contact::PersonRecord;
use crate::report::story::{Story, story};
use crate::report::words;
use crate::store::Store;
use crate::store::incident::Incident;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use uuid::Uuid;

/// `duly person`.
#[derive(Subcommand)]
pub enum PersonCommand {
    /// Tell everything on record of one person, oldest first
    Show(Show),
}

/// `duly person show`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly person show --incident cards-2026              asks for the external reference\n  duly person show --incident cards-2026 < reference.txt\n  duly person show --incident cards-2026 --person p_0f6c…\n\nA reference such as a pay number is personal data and is never taken from the command line."
)]
pub struct Show {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// Person (p_…); without one the external reference is asked for
    #[arg(long, value_name = "P_…")]
    person: Option<String>,
}

/// Reads `p_` and 32 digits. What was typed instead could be a reference, so it is not repeated.
pub fn person_id(text: &str) -> Result<Uuid, Failure> {
    let digits = text.strip_prefix("p_").unwrap_or_default();
    Uuid::try_parse(digits).map_err(|_| {
        Refusal::of(
            "a person id is p_ and 32 digits",
            "copy it from where Duly printed it; a pay number or the like goes to the prompt of `duly person show`",
        )
    })
}

/// Runs a person command.
pub async fn run(context: &Context, command: PersonCommand) -> Result<(), Failure> {
    let PersonCommand::Show(args) = command;
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    let person_id = match &args.person {
        Some(text) => person_id(text)?,
        None => find(context, store, &incident).await?,
    };
    let told = story(store, &incident, person_id).await?;
    context.print(&json!(told), &lines(&told, Paint::stdout()));
    Ok(())
}

async fn find(context: &Context, store: &Store, incident: &Incident) -> Result<Uuid, Failure> {
    let key = context.settings()?.master_key()?.unwrap_key(&incident.wrapped_key, "incident")?;
    let reference = PersonRecord::normal_reference(&ask()?);
    let found =
        store.find_person_by_reference(incident.key, &key.search_hash("external_reference", reference.as_bytes())).await?;
    found.ok_or_else(|| {
        Refusal::of(
            "no person of this incident has that external reference",
            "check it against the list; a row in quarantine is no person yet: `duly quarantine list`",
        )
    })
}

fn ask() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("External reference: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    match line.trim().is_empty() {
        true => Err(Refusal::of(
            "no external reference was given",
            "type it at the prompt or send it to standard input, or use --person",
        )),
        false => Ok(line),
    }
}

/// A story for people.
pub fn lines(told: &Story, paint: Paint) -> String {
    let mut lines = vec![
        format!("{}  {}", paint.strong(&told.person), paint.strong(&told.state.replace('_', " "))),
        format!(
            "{}, reference code {}, {}, {}, {}",
            told.incident, told.reference_code, told.language, told.format, told.jurisdiction
        ),
    ];
    if told.is_erased {
        lines.push("Everything personal is erased; the proof stands.".to_owned());
    }
    for notice in &told.notices {
        let problem = notice.problem.as_ref().map_or_else(String::new, |code| format!("; no message could be made: {code}"));
        lines.push(format!(
            "Notice, phase {}: {}, route {}, plan {}{problem}",
            notice.phase, notice.state, notice.route, notice.plan
        ));
        if let Some(misfit) = notice.misfit.as_ref().and_then(|code| code.parse().ok()) {
            lines.push(format!("  A message cannot leave: {}; {}", words::misfit(misfit), words::misfit_remedy(misfit)));
        }
        lines.extend(notice.messages.iter().map(|m| format!("  {m}")));
    }
    if told.notices.is_empty() {
        lines.push("No plan covers this person yet: nothing was sent.".to_owned());
    }
    lines.push("\nStory, oldest first".to_owned());
    for entry in &told.events {
        let notice = entry.notice.map_or_else(String::new, |n| format!(". {}", paint.strong(n)));
        lines.push(format!("  {}  {}{notice}", when(entry.at), entry.text));
    }
    lines.join("\n")
}
