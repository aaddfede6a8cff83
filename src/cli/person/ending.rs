//! Somebody decides about a person's notice: none is owed, or the person was told in another way.

use super::{find, person_id};
use crate::cli::failure::check_visible;
use crate::cli::sign::signer;
use crate::cli::{Context, Failure, Refusal};
use crate::model::ending::{Ending, Hindrance};
use crate::model::person::printed_id;
use crate::model::state::{MessageState, TellsOtherwise};
use crate::model::statement::{person_exempt, person_told};
use crate::report::words;
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::unit::NotEnded;
use clap::{Args, ValueEnum};
use serde_json::json;
use uuid::Uuid;

/// The phase of which a decision speaks; plans make no other yet.
pub(super) const PHASE: i32 = 1;

/// Whose notice, and why.
#[derive(Args)]
pub struct Whose {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// Person (p_…); without one the external reference is asked for
    #[arg(long, value_name = "P_…")]
    person: Option<String>,
    /// Why; stays on record under your signature
    #[arg(long)]
    pub(super) reason: String,
}

impl Whose {
    /// Where and about whom somebody decides: the incident is open, the reason can be read, and the person is known.
    pub(super) async fn look_up<'a>(&self, context: &'a Context) -> Result<(&'a Store, Incident, Uuid), Failure> {
        if self.reason.trim().is_empty() {
            return Err(Refusal::of("a decision needs a reason", "give `--reason`; it stays on record under your signature"));
        }
        check_visible("reason", &self.reason)?;
        let store = context.store().await?;
        let incident = store.load_incident(&self.incident).await?;
        incident.check_open()?;
        let person = match &self.person {
            Some(text) => person_id(text)?,
            None => find(context, store, &incident).await?,
        };
        Ok((store, incident, person))
    }
}

/// `duly person exempt`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly person exempt --incident cards-2026 --person p_0f6c… --reason 'the card was never issued'\n\nWhat waited is cancelled, nothing more is sent; `duly person reopen` takes the decision back. While a message of theirs may be leaving it is refused."
)]
pub struct Exempt {
    #[command(flatten)]
    whose: Whose,
}

/// `duly person told`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly person told --incident cards-2026 --how by-phone --reason 'called on 3 May, PC 118' < reference.txt\n  duly person told --incident cards-2026 --person p_0f6c… --how in-person --reason 'home visit'\n\nThey count as withdrawn, never as notified. What waited is cancelled and nothing more is sent; `duly person reopen` takes it back. Whom no message reaches any more stands in `duly task list` until then."
)]
pub struct Told {
    #[command(flatten)]
    whose: Whose,
    /// How they were told
    #[arg(long, value_enum)]
    how: How,
}

/// How somebody was told outside of Duly.
#[derive(Clone, Copy, ValueEnum)]
enum How {
    /// Face to face
    InPerson,
    /// On the telephone
    ByPhone,
    /// By another organisation, or by a letter of its own
    ByOthers,
}

impl How {
    fn tells(self) -> TellsOtherwise {
        match self {
            Self::InPerson => TellsOtherwise::InPerson,
            Self::ByPhone => TellsOtherwise::ByPhone,
            Self::ByOthers => TellsOtherwise::ByOthers,
        }
    }
}

/// No notice is owed to the person.
pub async fn exempt(context: &Context, args: &Exempt) -> Result<(), Failure> {
    end(context, &args.whose, Ending::Exempt).await
}

/// The person was told in another way.
pub async fn told(context: &Context, args: &Told) -> Result<(), Failure> {
    end(context, &args.whose, Ending::Told(args.how.tells())).await
}

async fn end(context: &Context, whose: &Whose, ending: Ending) -> Result<(), Failure> {
    let (store, incident, person) = whose.look_up(context).await?;
    let of = (person, PHASE);
    if is_so_already(store.check_ending(incident.key, of, ending).await?, ending, person)? {
        return Ok(());
    }
    let command = match ending {
        Ending::Exempt => person_exempt(incident.incident_id, of, &whose.reason),
        Ending::Told(how) => person_told(incident.incident_id, of, how, &whose.reason),
    };
    let by = signer(context).await?.sign(store, &command).await?;
    // A call may have been claimed while the passphrase was typed.
    if is_so_already(store.end_notice(incident.key, of, ending, by).await?, ending, person)? {
        return Ok(());
    }
    let shown = printed_id(person);
    context.print(&json!({"person": shown, "notice": ending.state().as_str(), "command": by.command_id}), "");
    eprintln!("{shown}: {}", words::notice(ending.state()));
    Ok(())
}

/// Whether nothing is left to do; else why it cannot be done.
fn is_so_already(done: Result<(), NotEnded>, ending: Ending, person: Uuid) -> Result<bool, Failure> {
    let shown = printed_id(person);
    let (what, remedy) = match done {
        Ok(()) => return Ok(false),
        Err(NotEnded::Hindered(Hindrance::Ended(state))) if state == ending.state() => {
            eprintln!("{shown} is {state} already; nothing was changed.");
            return Ok(true);
        }
        Err(NotEnded::Hindered(Hindrance::Ended(state))) => (
            format!("the notice of {shown} has ended as {state}"),
            "look at `duly person show`: it needs no decision; one that was wrong is taken back with `duly person reopen`",
        ),
        Err(NotEnded::NoNotice) => (
            format!("no plan covers {shown} yet"),
            "make one with `duly plan prepare`: nothing is sent before it goes, and until then the decision can be made",
        ),
        Err(NotEnded::Hindered(Hindrance::OnTheRoad(MessageState::Asked))) => (
            format!("nobody knows whether a message left for {shown}"),
            "decide about it first: `duly unknown list`, then `duly unknown decide`",
        ),
        Err(NotEnded::Hindered(Hindrance::OnTheRoad(_))) => (
            format!("a message to {shown} may be leaving at this moment"),
            "stop sending with `duly hold set --person`, and decide once `duly person show` tells how the call ended",
        ),
        Err(NotEnded::Hindered(Hindrance::AwaitsNews(_))) => (
            format!("a provider has a message to {shown}, and its report is due"),
            "wait for that: `duly person show` tells of it; the report may end the notice as notified",
        ),
    };
    Err(Refusal::of(what, remedy))
}
