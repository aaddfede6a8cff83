//! One person: the story, decisions about the notice, and the erasure. The external reference is personal data: it is read from a prompt or standard input.

mod ending;
mod reopening;

use super::failure::read_stored;
use super::output::{Paint, count, mind, when};
use super::sign::signed;
use super::{Context, Failure, Refusal};
use crate::intake::copies::Seeker;
use crate::model::contact::PersonRecord;
use crate::model::person::printed_id;
use crate::model::seal::Key;
use crate::model::state::{Channel, MessageState, NoticeState};
use crate::report::rehearsal;
use crate::report::story::{Story, story};
use crate::report::words;
use crate::store::Store;
use crate::store::erase::{SealedPerson, Tombstone, already_erased};
use crate::store::incident::Incident;
use crate::store::quarantine::Decider;
use crate::store::story::NoticeRow;
use crate::store::unit::word;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use time::Duration;
use uuid::Uuid;

/// `duly person`.
#[derive(Subcommand)]
pub enum PersonCommand {
    /// Tell everything on record of one person, oldest first
    Show(Show),
    /// Decide that no notice is owed to a person: nothing more is sent to them
    Exempt(ending::Exempt),
    /// Record that a person was told in another way: nothing more is sent to them
    Told(ending::Told),
    /// Take back such a decision: what it had cancelled waits to be sent again
    Reopen(reopening::Reopen),
    /// Destroy a person's key: nothing personal of them can be read again, and every proof still holds
    ///
    /// Only after the person's notices have ended. Who was erased is not taken in again.
    Erase(Erase),
}

/// `duly person erase`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly person erase --incident cards-2026              asks for the external reference\n  duly person erase --incident cards-2026 --person p_0f6c…\n  duly person erase --incident cards-2026 --yes < reference.txt\n\nIt cannot be undone. Backups keep the person until they expire: the command prints that date."
)]
pub struct Erase {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// Person (p_…); without one the external reference is asked for
    #[arg(long, value_name = "P_…")]
    person: Option<String>,
    /// Erase without asking; needed where there is no terminal
    #[arg(long)]
    yes: bool,
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
    match command {
        PersonCommand::Show(args) => show(context, &args).await,
        PersonCommand::Exempt(args) => ending::exempt(context, &args).await,
        PersonCommand::Told(args) => ending::told(context, &args).await,
        PersonCommand::Reopen(args) => reopening::reopen(context, &args).await,
        PersonCommand::Erase(args) => erase(context, &args).await,
    }
}

async fn show(context: &Context, args: &Show) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    let person_id = match &args.person {
        Some(text) => person_id(text)?,
        None => find(context, store, &incident).await?,
    };
    let told = story(store, &incident, person_id).await?;
    let plans = told.notices.iter().map(|notice| notice.plan).collect();
    let rehearsal = rehearsal::of_plans(store, incident.key, plans).await?;
    let mut data = json!(told);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("rehearsal".into(), json!(rehearsal));
    }
    context.print(&data, &lines(&told, Paint::stdout()));
    mind(&rehearsal);
    Ok(())
}

async fn erase(context: &Context, args: &Erase) -> Result<(), Failure> {
    let (store, settings) = (context.store().await?, context.settings()?);
    let incident = store.load_incident(&args.incident).await?;
    let master = settings.master_key()?;
    let person_id = match &args.person {
        Some(text) => person_id(text)?,
        None => find(context, store, &incident).await?,
    };
    let (seeker, tombstone) = seek(store, &master, &incident, person_id).await?.ok_or_else(already_erased)?;
    let shown = printed_id(person_id);
    let notices = store.list_notices_of(incident.key, person_id).await?;
    refuse_open(&shown, &notices)?;
    if !args.yes {
        confirm(&shown, &notices)?;
    }
    let command = json!({"command": "person erase", "incident": incident.incident_id, "person": shown});
    let (user_id, command_id) = signed(context, &command).await?;
    let is_theirs = |copy: crate::store::erase::SealedCopy<'_>| seeker.is_theirs(copy);
    let by = Decider { user_id, command_id };
    let erased_at = store.erase_person(incident.key, person_id, &tombstone, by, &is_theirs).await?;
    let days = i64::from(settings.backups.retention_days);
    let gone_at = erased_at + Duration::days(days);
    context.print(&json!({"person": shown, "erased_at": rfc3339(erased_at), "gone_from_backups_at": rfc3339(gone_at)}), "");
    eprintln!("{shown} is erased: contact, messages, receipts and rows cannot be read any more, here and now.");
    eprintln!("The true date of erasure is {}.", when(gone_at));
    eprintln!(
        "  Until then a backup from before holds the key: yours are kept {}, says backups.retention_days.",
        count(days, "day", "days")
    );
    eprintln!("  What providers, the controller and whoever was given opened fields hold is theirs to erase: docs/keys.md.");
    Ok(())
}

/// Shows whom it is about and has a part of the id typed: what a wrong key press destroys nobody brings back.
fn confirm(shown: &str, notices: &[NoticeRow]) -> Result<(), Failure> {
    let (_, last) = shown.split_at(shown.len().saturating_sub(4));
    if !std::io::stdin().is_terminal() {
        return Err(Refusal::of(
            format!("{shown} would be erased for ever, and there is no terminal to ask"),
            "give `--yes` if that is meant; look before with `duly person show`",
        ));
    }
    eprintln!("{shown}");
    for notice in notices {
        eprintln!("  phase {}, plan {}: {}", notice.phase, notice.plan_no, notice.state);
    }
    eprintln!("Everything personal of this person is destroyed and cannot be brought back. Nobody can then open what proves");
    eprintln!("which words this person got: wait for the limitation period to end, or hand over their pack first.");
    eprint!("To erase, type the last four digits of the id: ");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    match line.trim() == last {
        true => Ok(()),
        false => {
            Err(Refusal::of("nothing was erased: these are not the last four digits", "run the command again and type them"))
        }
    }
}

fn rfc3339(at: time::OffsetDateTime) -> Option<String> {
    at.format(&time::format_description::well_known::Rfc3339).ok()
}

/// What finds a person's copies, and the tombstone that stays; `None` for one who is erased already.
pub(super) async fn seek(
    store: &Store,
    master: &Key,
    incident: &Incident,
    person_id: Uuid,
) -> Result<Option<(Seeker, Tombstone)>, Failure> {
    let Some(person) = store.load_sealed_person(incident.key, person_id).await? else { return Ok(None) };
    let incident_key = master.unwrap_key(&incident.wrapped_key, "incident")?;
    let seeker = Seeker::new(master, incident, &incident_key, &reference_of(&person, &incident_key)?)?;
    Ok(Some((seeker, incident_key.tombstone(&person.reference_hash))))
}

/// Opens the record one last time: copies elsewhere are known by its reference.
fn reference_of(person: &SealedPerson, incident_key: &Key) -> Result<String, Failure> {
    let key = incident_key.unwrap_key(&person.wrapped_key, "person")?;
    let record: PersonRecord = read_stored("contact", &key.open("contact", &person.contact)?)?;
    Ok(record.external_reference)
}

/// Refuses while something of the person is open, and says what.
fn refuse_open(shown: &str, notices: &[NoticeRow]) -> Result<(), Failure> {
    let mut open = Vec::new();
    for notice in notices {
        if word::<NoticeState>(&notice.state)? == NoticeState::Open {
            open.push(format!("the notice of phase {}", notice.phase));
        }
        for (channel, state) in &notice.messages {
            let (channel, state): (Channel, MessageState) = (word(channel)?, word(state)?);
            if state.is_in_hand() {
                open.push(format!("{}: {}", words::noun(channel), words::message(channel, state, None).to_lowercase()));
            }
        }
    }
    if notices.is_empty() {
        open.push("no plan covers this person yet".to_owned());
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(Refusal::of(
            format!("{shown} cannot be erased before being told; open: {}", open.join(", ")),
            "let the notice end first; `duly person show` tells how far it is, `duly hold set` stops sending meanwhile",
        )),
    }
}

/// Finds a person by the external reference, which is asked for.
pub async fn find(context: &Context, store: &Store, incident: &Incident) -> Result<Uuid, Failure> {
    let key = context.settings()?.master_key()?.unwrap_key(&incident.wrapped_key, "incident")?;
    let reference = PersonRecord::normal_reference(&ask()?);
    let hash = key.search_hash("external_reference", reference.as_bytes());
    let found = match store.find_person_by_reference(incident.key, &hash).await? {
        // Who was erased stands there by the tombstone.
        None => store.find_person_by_reference(incident.key, &key.tombstone(&hash)).await?,
        found => found,
    };
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
    let mut lines = vec![format!("{}  {}", paint.strong(&told.person), paint.strong(&told.state.replace('_', " ")))];
    lines.push(match told.is_erased {
        true => format!(
            "{}, reference code {}\nErased: everything personal is destroyed; the proof stands.",
            told.incident, told.reference_code
        ),
        false => format!(
            "{}, reference code {}, {}, {}, {}",
            told.incident, told.reference_code, told.language, told.format, told.jurisdiction
        ),
    });
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
