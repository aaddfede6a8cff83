//! What nobody knows: messages whose call ended without an answer that proves anything. A person decides, and signs.

use super::output::{Paint, count, mind, when};
use super::sign::signer;
use super::{Context, Failure, Refusal, id};
use crate::config::Settings;
use crate::dispatch::accounts;
use crate::model::person::printed_id;
use crate::model::state::{Channel, MessageState};
use crate::model::step::{Cause, Decision};
use crate::provider::Account;
use crate::report::question::{CHOICES, Known};
use crate::report::{rehearsal, words};
use crate::store::quarantine::Decider;
use crate::store::unit::Note;
use crate::store::unknown::Question;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use uuid::Uuid;

/// Messages listed at most.
const LIST_MAX: i64 = 1000;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// `duly unknown`.
#[derive(Subcommand)]
pub enum UnknownCommand {
    /// List messages that nobody knows enough about, and what each choice risks
    #[command(after_help = "Example:\n  duly unknown list --incident cards-2026")]
    List {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
    },
    /// Decide about one message; the decision is signed and cannot be undone
    Decide(Decide),
}

/// `duly unknown decide`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly unknown decide 0193f3a2-… --incident cards-2026 --choice next-step --reason 'printer confirmed by phone: not on its docket'"
)]
pub struct Decide {
    /// Message, as `duly unknown list` shows it
    #[arg(value_parser = |text: &str| id(text, "duly unknown list"))]
    message: Uuid,
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// What to do
    #[arg(long)]
    choice: Choice,
    /// Why; no personal data
    #[arg(long)]
    reason: String,
    /// With send-again: give it so many hours from now; needed where its deadline is over
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(i64).range(1..=8760))]
    hours: Option<i64>,
}

/// What a person may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Hand the same message over once more
    SendAgain,
    /// Go on with the next step of the route
    NextStep,
}

impl Choice {
    fn as_str(self) -> &'static str {
        match self {
            Self::SendAgain => "send-again",
            Self::NextStep => "next-step",
        }
    }

    fn decision(self) -> Decision {
        match self {
            Self::SendAgain => Decision::SendAgain,
            Self::NextStep => Decision::NextStep,
        }
    }
}

/// Runs an unknown command.
pub async fn run(context: &Context, command: UnknownCommand) -> Result<(), Failure> {
    match command {
        UnknownCommand::List { incident } => list(context, &incident).await,
        UnknownCommand::Decide(args) => decide(context, args).await,
    }
}

/// Overdue messages belong here only where no step of the route is left: elsewhere the next step is on its way.
fn is_open_question(question: &Question) -> bool {
    question.state != MessageState::Overdue || question.route.next_after(question.channel).is_none()
}

/// The lanes' accounts; who only looks may lack their secrets, and is shown what is on record.
struct Desk {
    settings: Settings,
    accounts: BTreeMap<String, Arc<Account>>,
}

impl Desk {
    fn open(context: &Context) -> Result<Self, Failure> {
        let settings = context.settings()?;
        Ok(Self { accounts: accounts(&settings).unwrap_or_default(), settings })
    }

    /// A question with the account that its call went to: another one knows nothing of it.
    fn known<'a>(&'a self, question: &'a Question, plan: &Value) -> Known<'a> {
        let account = question.lane.as_ref().and_then(|lane| self.accounts.get(lane));
        let account = account.filter(|account| account.ground().is_approved(plan, &account.name));
        Known { question, account: account.map(Arc::as_ref), dispatch: &self.settings.dispatch }
    }
}

async fn list(context: &Context, name: &str) -> Result<(), Failure> {
    let (store, desk) = (context.store().await?, Desk::open(context)?);
    let incident = store.load_incident(name).await?;
    let mut questions = store.list_questions(incident.key, LIST_MAX).await?;
    questions.retain(is_open_question);
    let mut plans = BTreeMap::new();
    for question in &questions {
        if let Entry::Vacant(place) = plans.entry(question.plan_no) {
            place.insert(store.load_plan_of(incident.key, question.message_id).await?);
        }
    }
    let no_plan = Value::Null;
    let known: Vec<Known<'_>> =
        questions.iter().map(|question| desk.known(question, plans.get(&question.plan_no).unwrap_or(&no_plan))).collect();
    let rehearsal = rehearsal::of_plans(store, incident.key, plans.keys().copied().collect()).await?;
    let data: Vec<Value> = known.iter().map(|known| with_rehearsal(known.to_json(), &rehearsal)).collect();
    let mut lines: Vec<String> = Vec::new();
    for state in [MessageState::Asked, MessageState::Overdue, MessageState::Unknown] {
        let of_state: Vec<&Known<'_>> = known.iter().filter(|known| known.question.state == state).collect();
        if !of_state.is_empty() {
            lines.push(heading(state, of_state.len()));
            lines.extend(of_state.iter().map(|known| lines_of(known)));
        }
    }
    if lines.is_empty() {
        lines.push("Nothing is unknown: every call has an answer that proves something.".to_owned());
    }
    context.print(&json!(data), &lines.join("\n"));
    mind(&rehearsal);
    Ok(())
}

fn with_rehearsal(mut question: Value, rehearsal: &[String]) -> Value {
    if let Some(fields) = question.as_object_mut() {
        fields.insert("rehearsal".to_owned(), json!(rehearsal));
    }
    question
}

fn heading(state: MessageState, n: usize) -> String {
    let paint = Paint::stdout();
    let n = count(i64::try_from(n).unwrap_or(i64::MAX), "message", "messages");
    match state {
        MessageState::Asked => paint.asks(&format!("{n} not known: a person must decide. None was sent again.")),
        MessageState::Overdue => paint.asks(&format!(
            "{n} without news when news was due, and no step left: ask the provider. A late receipt settles it by itself."
        )),
        _ => paint.strong(&format!("{n} not known yet: Duly is finding out by itself. None was sent again.")),
    }
}

fn lines_of(known: &Known<'_>) -> String {
    let question = known.question;
    let (lane, person) = (question.lane.as_deref().unwrap_or("no lane"), printed_id(question.person_id));
    let mut text = format!("\n  {}  {} to {person} on {lane}", question.message_id, words::noun(question.channel));
    for (what, fact) in known.facts() {
        text.push_str(&format!("\n      {what:<13} {fact}"));
    }
    if question.state == MessageState::Asked {
        for (choice, word) in CHOICES {
            text.push_str(&format!("\n      {word:<13} {}", known.risk(choice)));
        }
    }
    text
}

fn refuse_settled(question: &Question) -> Result<(), Failure> {
    if question.state == MessageState::Asked {
        return Ok(());
    }
    let noun = if question.channel == Channel::Letter { "letter" } else { "message" };
    let now = words::message(question.channel, question.state, None).to_lowercase();
    let remedy = match question.state {
        MessageState::Unknown => "wait: Duly is still finding out by itself, and asks you if it cannot",
        _ => "nothing needs to be decided; `duly unknown list` shows what does",
    };
    Err(Refusal::of(format!("the {noun} is not asked about: {now}"), remedy))
}

/// What is decided must happen: a message that is sent again has its attempts anew, and must have the time for them.
fn refuse_without_effect(known: &Known<'_>, args: &Decide) -> Result<(), Failure> {
    match (args.choice, args.hours) {
        (Choice::NextStep, Some(_)) => {
            Err(Refusal::of("only a message that is sent again gets a new deadline", "leave `--hours` away"))
        }
        (Choice::SendAgain, None) if known.question.is_expired => Err(Refusal::of(
            "the deadline for sending this message is over: it would be given up without a call",
            "give it a new one, such as `--hours 48`, or choose next-step",
        )),
        (Choice::SendAgain, _) => match known.wait_until() {
            Some(at) => Err(Refusal::of(
                "the last call may still be on its way to the provider: a second one could cross it",
                format!("wait until {}, look again, then decide", when(at)),
            )),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

async fn decide(context: &Context, args: Decide) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    incident.check_open()?;
    if args.reason.trim().is_empty() {
        return Err(Refusal::of("the reason is empty", "say why, for example --reason 'printer confirmed: not on its docket'"));
    }
    let question = store.load_question(incident.key, args.message).await?;
    refuse_settled(&question)?;
    let desk = Desk::open(context)?;
    let known = desk.known(&question, &store.load_plan_of(incident.key, args.message).await?);
    refuse_without_effect(&known, &args)?;
    eprintln!("{}: {}.", args.choice.as_str(), known.risk(args.choice.decision()));
    let deadline_ms = args.hours.map(|hours| hours * HOUR_MS);
    let command = json!({
        "command": "unknown decide", "incident": incident.incident_id, "message": args.message, "choice": args.choice.as_str(), "reason": args.reason,
        "deadline_ms": deadline_ms,
    });
    let signer = signer(context).await?;
    // A receipt or an answer may have come while the passphrase was typed.
    refuse_settled(&store.load_question(incident.key, args.message).await?)?;
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    let Decider { user_id, command_id } = signer.sign(store, &command).await?;
    // The reason stays in the signed command: free text may name somebody, and a leaf lasts for ever.
    let mut note = Note::default();
    note.detail.insert("command".into(), json!(command_id.to_string()));
    note.detail.insert("user".into(), json!(user_id.to_string()));
    note.detail.extend(deadline_ms.map(|ms| ("deadline_ms".to_owned(), json!(ms))));
    let decided =
        store.apply_one(incident.key, question.person_id, args.message, Cause::Decided(args.choice.decision()), note).await?;
    match decided.message {
        Some(to) => {
            let data = json!({"message": args.message, "state": to.as_str(), "command": command_id});
            context.print_minding(data, "", &rehearsal);
            eprintln!("Decided and signed. The message is now: {}.", words::message(question.channel, to, None).to_lowercase());
            Ok(())
        }
        // It came at this very moment.
        None => refuse_settled(&store.load_question(incident.key, args.message).await?),
    }
}
