//! Single messages: taken back as long as their provider holds them. Who takes one back signs.

use super::failure::check_visible;
use super::output::{Paint, count, mind, table};
use super::person::person_id;
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::dispatch::accounts;
use crate::dispatch::recall::{Recalled, foresee, recall};
use crate::model::person::printed_id;
use crate::report::{rehearsal, words};
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::quarantine::Decider;
use crate::store::recall::Recallable;
use clap::Subcommand;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// `duly message`.
#[derive(Subcommand)]
pub enum MessageCommand {
    /// List the messages to a person, or one, with our reference at their provider, and which can be taken back
    #[command(
        after_help = "Examples:\n  duly message list --incident cards-2026 --person p_0f6c…\n  duly message list --incident cards-2026 --message 0193f3a2-…      one that an audit named"
    )]
    List {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Person, as `duly person show` names them
        #[arg(long, value_name = "P_…", required_unless_present = "message", conflicts_with = "message")]
        person: Option<String>,
        /// Message
        #[arg(long)]
        message: Option<Uuid>,
    },
    /// Take a message back that its provider holds and has not let go; what is not confirmed is not taken back
    #[command(
        after_help = "Example:\n  duly message cancel 0193f3a2-… --incident cards-2026 --reason 'wrong enclosure'\n\nIt ends as cancelled, too_late or unknown. A message that was taken back told nobody: the next step of its route is due, and without\none the person counts as unreachable. `duly message list` has the ids of messages. Exit codes: 0 cancelled; 1 not."
    )]
    Cancel {
        /// Message
        message: Uuid,
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Why; no personal data
        #[arg(long)]
        reason: String,
    },
}

/// Runs a message command.
pub async fn run(context: &Context, command: MessageCommand) -> Result<(), Failure> {
    match command {
        MessageCommand::List { incident, person, message } => list(context, &incident, person.as_deref(), message).await,
        MessageCommand::Cancel { message, incident, reason } => cancel(context, message, &incident, &reason).await,
    }
}

async fn list(context: &Context, incident: &str, person: Option<&str>, message: Option<Uuid>) -> Result<(), Failure> {
    let accounts = accounts(&context.settings()?)?;
    let store = context.store().await?;
    let incident = store.load_incident(incident).await?;
    let messages = match message {
        Some(message) => vec![store.load_recallable(incident.key, message).await?],
        None => {
            let person = person_id(person.unwrap_or_default())?;
            store.load_person_card(incident.key, person).await?;
            store.list_messages_of(incident.key, person).await?
        }
    };
    let back = |message: &Recallable| {
        foresee(&accounts, message).map_or("can be taken back", |known| match known {
            Recalled::Unsupported => "its provider takes nothing back",
            Recalled::NotThere => "no provider is known to hold it",
            _ if message.was_taken_back => "",
            _ => "too late to be taken back",
        })
    };
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    let data: Vec<Value> = messages
        .iter()
        .map(|m| json!({ "message": m.message_id, "person": printed_id(m.person_id), "reference": m.reference, "channel": m.channel.as_str(), "state": m.state.as_str(), "lane": m.lane, "taken_back": m.was_taken_back, "back": back(m), "rehearsal": rehearsal }))
        .collect();
    let mut rows = vec![["message", "", "lane", "stands", "", "our reference there"].map(str::to_owned).to_vec()];
    rows.extend(messages.iter().map(|m| {
        let stands = if m.was_taken_back { words::TAKEN_BACK.to_owned() } else { words::message(m.channel, m.state, None) };
        vec![
            m.message_id.to_string(),
            words::noun(m.channel).to_owned(),
            m.lane.clone().unwrap_or_default(),
            stands,
            back(m).to_owned(),
            m.reference.clone().unwrap_or_default(),
        ]
    }));
    // Who names a message learns whose it is.
    if let (Some(_), [one]) = (message, messages.as_slice()) {
        let person = printed_id(one.person_id);
        eprintln!("It is of {person}: duly person show --incident {} --person {person}", incident.slug);
    }
    context.print(
        &json!(data),
        &if messages.is_empty() { "No message was made for this person.".to_owned() } else { table(&rows, &[]) },
    );
    mind(&rehearsal);
    Ok(())
}

async fn cancel(context: &Context, message: Uuid, incident: &str, reason: &str) -> Result<(), Failure> {
    check_visible("reason", reason)?;
    if reason.trim().is_empty() {
        return Err(Refusal::of("the reason is empty", "say why, for example --reason 'wrong enclosure'"));
    }
    let accounts = accounts(&context.settings()?)?;
    let store = context.store().await?;
    let incident = store.load_incident(incident).await?;
    let found = store.load_recallable(incident.key, message).await?;
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    if found.was_taken_back {
        eprintln!("The {} was taken back before; nothing was changed.", words::noun(found.channel));
        context.print_minding(as_json(&found, Recalled::Cancelled), "", &rehearsal);
        return Ok(());
    }
    // What can be said without asking needs no signature.
    if let Some(known) = foresee(&accounts, &found) {
        mind(&rehearsal);
        return Err(refused(&found, known));
    }
    let command = json!({ "command": "message cancel", "incident": incident.incident_id, "message": message, "reason": reason });
    let by = signer(context).await?.sign(store, &command).await?;
    let done = recall(store, &accounts, incident.key, vec![found], by).await?;
    let Some((found, recalled)) = done.into_iter().next() else { return Ok(()) };
    context.print_minding(as_json(&found, recalled), "", &rehearsal);
    match recalled {
        Recalled::Cancelled => {
            eprintln!("Cancelled: its provider says that it will not leave. It told nobody.");
            Ok(())
        }
        other => Err(refused(&found, other)),
    }
}

fn refused(message: &Recallable, recalled: Recalled) -> Failure {
    let noun = words::noun(message.channel);
    let now = words::message(message.channel, message.state, None).to_lowercase();
    match recalled {
        Recalled::Unknown => Refusal::found(
            format!("unknown: whether the {noun} was taken back its provider did not say; it may leave, and counts as it did"),
            "ask the provider; its own word, when it comes, settles it by itself",
        ),
        Recalled::Unsupported => Refusal::found(
            format!("the {noun} cannot be taken back by request: its provider offers no way"),
            "docs/providers.md says what can be done at each provider",
        ),
        Recalled::NotThere => Refusal::found(
            format!("no provider is known to hold the {noun}: {now}"),
            "`duly hold set --person` keeps what has not left from leaving; `duly unknown list` shows what nobody knows",
        ),
        Recalled::TooLate | Recalled::Cancelled => Refusal::found(
            format!("too late: the {noun} left, or is being made"),
            "tell the person what was wrong in another way: it counts as it did",
        ),
    }
}

fn as_json(message: &Recallable, recalled: Recalled) -> Value {
    json!({ "message": message.message_id, "person": printed_id(message.person_id), "recalled": recalled.as_str() })
}

/// Takes back what a plan's providers hold, and reports each message: for `duly plan pause --recall`.
pub async fn recall_plan(
    context: &Context,
    store: &Store,
    incident: &Incident,
    plan: i32,
    by: Decider,
) -> Result<Value, Failure> {
    let accounts = accounts(&context.settings()?)?;
    let messages = store.list_recallable(incident.key, plan).await?;
    let all = recall(store, &accounts, incident.key, messages, by).await?;
    let mut sums: BTreeMap<Recalled, i64> = BTreeMap::new();
    for (message, recalled) in &all {
        *sums.entry(*recalled).or_default() += 1;
        eprintln!("  {}  {}", message.message_id, recalled.as_str());
    }
    let paint = Paint::stderr();
    if sums.is_empty() {
        eprintln!("Plan {plan}: no provider holds anything that could be taken back.");
    }
    for (recalled, n) in sums {
        let n = count(n, "message", "messages");
        eprintln!(
            "{}",
            match recalled {
                Recalled::Cancelled => format!("{n} cancelled: they told nobody."),
                Recalled::TooLate => paint.asks(&format!("{n} too late: they left, or are being made.")),
                Recalled::Unknown => paint.bad(&format!("{n} unknown: they may leave; their providers did not say.")),
                Recalled::Unsupported => paint.asks(&format!("{n} with providers that take nothing back.")),
                Recalled::NotThere => paint.asks(&format!("{n} of which no provider is known.")),
            }
        );
    }
    Ok(all.iter().map(|(message, recalled)| as_json(message, *recalled)).collect())
}
