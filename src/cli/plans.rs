//! Plans: prepared by one, approved by another, and only then sent.

mod choose;
mod findings;
mod moves;
mod show;
mod withdraw;

pub use choose::waits;
pub use findings::findings;

use super::messages::recall_plan;
use super::output::{Paint, count, figure, mind};
use super::sign::{Key, signed, signer};
use super::{Context, Failure, Refusal, pair};
use crate::dispatch::plan::{self, PlanError, PlanRequest};
use crate::model::state::Route;
use crate::model::statement::plan_command;
use crate::render::check::is_reason;
use crate::report::rehearsal;
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::plan::{Approved, GO, Moved, PAUSE, Plan, PlanMove, RESUME};
use crate::store::quarantine::Decider;
use crate::store::user::Signer;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use show::{body, check_accounts, describe, people_written_to, show, vouched_words};
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use time::Date;
use time::macros::format_description;
use uuid::Uuid;

/// A plan of an incident.
#[derive(Args)]
pub struct Which {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// Plan number; without it the one that the command can be meant for, or the newest
    #[arg(long)]
    plan: Option<i32>,
}

/// `duly plan`.
#[derive(Subcommand)]
pub enum PlanCommand {
    /// Freeze the open lists, render and check every message, make a plan
    #[command(
        after_help = "Examples:\n  duly plan prepare --incident cards-2026 --route sms-then-letter,letter,sms\n  duly plan prepare --incident cards-2026 --route letter --profile uk-gdpr,us-ca --under FR=uk-gdpr\n\nEach person gets the first route that can reach them and ends their notice under their profile. Nothing is sent."
    )]
    Prepare {
        /// Incident, or controller/incident
        #[arg(long)]
        incident: String,
        /// Routes in order of preference
        #[arg(long, value_delimiter = ',', required = true, value_parser = routes())]
        route: Vec<Route>,
        /// Legal profiles, each for the people of its jurisdictions; without it the incident's
        #[arg(long, value_delimiter = ',')]
        profile: Vec<String>,
        /// The profile that a lawyer chose for people of a jurisdiction whom no profile governs, such as FR=uk-gdpr; repeat for
        /// more
        #[arg(long, value_name = "JURISDICTION=PROFILE", value_parser = pair)]
        under: Vec<(String, String)>,
        /// Its messages go before those of other plans
        #[arg(long)]
        urgent: bool,
        /// Its text messages may leave at night, by the clock where each person is: only for what cannot wait
        #[arg(long, requires = "urgent")]
        at_night: bool,
        /// By which day (UTC) everybody shall be written to, such as 2026-12-01; without it within the hours of the settings
        #[arg(long, value_name = "DATE", value_parser = day)]
        told_by: Option<Date>,
        /// Freeze a list of which not every row was taken in: the rest is left to a later plan
        #[arg(long)]
        incomplete: bool,
        /// Why a warning of the content check is accepted, by the key that its report names, such as
        /// C004/dates/uk-gdpr/en='the day is not known yet'; once for each; two words at least, no personal data
        #[arg(long, value_name = "KEY=REASON", value_parser = reason)]
        accept: Vec<(String, String)>,
    },
    /// Show what exactly goes to whom, and who approved it
    #[command(after_help = "Example:\n  duly plan show --incident cards-2026")]
    Show(Which),
    /// Approve a plan with your signature over its hash; never by who prepared it
    #[command(
        after_help = "Examples:\n  duly plan approve --incident cards-2026\n  duly plan approve --incident cards-2026 --people 4812      states the count instead of typing it"
    )]
    Approve {
        #[command(flatten)]
        which: Which,
        /// How many people will be written to, as you read it in `duly plan show`; asked for on a terminal, and compared
        /// with nothing where a program approves without it
        #[arg(long)]
        people: Option<i64>,
    },
    /// Start sending an approved plan
    #[command(after_help = "Example:\n  duly plan go --incident cards-2026")]
    Go(Which),
    /// Stop sending, of one plan or of all that run; a call that had begun may still end
    #[command(
        after_help = "Examples:\n  duly plan pause --incident cards-2026               pauses every running plan\n  duly plan pause --incident cards-2026 --plan 2\n  duly plan pause --incident cards-2026 --recall      takes back what providers still hold, and reports each message"
    )]
    Pause {
        #[command(flatten)]
        which: Which,
        /// Take back, too, what providers hold and have not let go; signed for by itself, and your passphrase is asked for once
        #[arg(long)]
        recall: bool,
    },
    /// Give up a plan that has not gone, so that another one may take its people
    #[command(after_help = "Example:\n  duly plan withdraw --incident cards-2026 --plan 1")]
    Withdraw(Which),
    /// Go on after a pause
    #[command(after_help = "Example:\n  duly plan resume --incident cards-2026")]
    Resume(Which),
}

/// Runs a plan command.
pub async fn run(context: &Context, command: PlanCommand) -> Result<(), Failure> {
    match command {
        PlanCommand::Prepare { incident, route, profile, under, urgent, at_night, told_by, incomplete, accept } => {
            let wanted = Wanted {
                profiles: profile,
                under: under.into_iter().map(|(place, profile)| (place.to_uppercase(), profile)).collect(),
                is_urgent: urgent,
                at_night,
                told_by,
                takes_incomplete: incomplete,
                accepted: accept.into_iter().collect(),
            };
            prepare(context, &incident, &route, wanted).await
        }
        PlanCommand::Show(which) => show(context, &which).await,
        PlanCommand::Approve { which, people } => approve_signed(context, &which, people).await,
        PlanCommand::Go(which) => move_plan(context, &which, &GO).await,
        PlanCommand::Withdraw(which) => withdraw::withdraw(context, &which).await,
        PlanCommand::Pause { which, recall } => pause(context, &which, recall).await,
        PlanCommand::Resume(which) => move_plan(context, &which, &RESUME).await,
    }
}

fn routes() -> impl TypedValueParser<Value = Route> {
    PossibleValuesParser::new(Route::ALL.iter().map(|route| route.as_str())).try_map(|word| word.parse::<Route>())
}

fn reason(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, reason)) if is_reason(reason) => Ok((key.trim().to_owned(), reason.trim().to_owned())),
        Some(_) => Err("a reason has at least two words and ten characters, and no sample wording".to_owned()),
        None => Err("write the key as the report names it, `=` and the reason".to_owned()),
    }
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| "write a day as 2026-12-01".to_owned())
}

/// How a plan is prepared.
struct Wanted {
    profiles: Vec<String>,
    under: BTreeMap<String, String>,
    is_urgent: bool,
    at_night: bool,
    told_by: Option<Date>,
    takes_incomplete: bool,
    accepted: BTreeMap<String, String>,
}

async fn prepare(context: &Context, name: &str, routes: &[Route], wanted: Wanted) -> Result<(), Failure> {
    let Wanted { profiles, under, is_urgent, at_night, told_by, takes_incomplete, accepted } = wanted;
    let office = context.office().await?;
    let incident = office.store.load_incident(name).await?;
    incident.check_open()?;
    let now = office.store.now().await?;
    let date = (now.year(), u8::from(now.month()), now.day());
    let words: Vec<&str> = routes.iter().map(|r| r.as_str()).collect();
    let command = json!({"command": "plan prepare", "incident": incident.incident_id, "routes": words, "profiles": profiles, "under": under,
        "urgent": is_urgent, "at_night": at_night, "told_by": told_by.map(|day| day.to_string()), "accepted": accepted, "date": [date.0, date.1, date.2]});
    choose::check_lists(&office.store, &incident, takes_incomplete).await?;
    let (user_id, command_id) = signed(context, &command).await?;
    let by = Decider { user_id, command_id };
    let is_terminal = std::io::stderr().is_terminal();
    let request = PlanRequest { routes: routes.to_vec(), profiles, under, date, is_urgent, at_night, told_by, accepted, by };
    let figure = |n: u64| figure(i64::try_from(n).unwrap_or(i64::MAX));
    let made = plan::prepare(&office, &incident, &request, |done, all| {
        if is_terminal {
            eprint!("\r{} of {} people rendered and checked", figure(done), figure(all));
        }
    })
    .await;
    if is_terminal {
        eprintln!();
    }
    if let Err(PlanError::Content { report, .. }) = &made {
        context.print(&report.to_json(), &findings(report));
    }
    let summary = match made {
        Err(PlanError::Nobody) => return Err(choose::nobody(&office.store, &incident).await?),
        made => made?,
    };
    let plan = office.store.load_plan(incident.key, summary.plan).await?;
    context.print(&json!(summary), &describe(context, &incident, &plan).await?);
    eprintln!("Nothing was sent. Somebody else approves it: duly plan approve --incident {name}");
    Ok(())
}

async fn approve_signed(context: &Context, which: &Which, people: Option<i64>) -> Result<(), Failure> {
    let store = context.store().await?;
    let (incident, plan) = choose::only(store, which, "prepared").await?;
    incident.check_open()?;
    moves::check_not_withdrawn(plan.plan_no, &plan.state)?;
    let rehearsal = rehearsal::of_plans(store, incident.key, [plan.plan_no].into()).await?;
    let say = |state: &str, is_changed: bool| {
        context.print(&json!({"plan": plan.plan_no, "state": state, "changed": is_changed, "rehearsal": rehearsal}), "");
        mind(&rehearsal);
    };
    if plan.state != "prepared" {
        moves::say_already(plan.plan_no, &plan.state);
        say(&plan.state, false);
        return Ok(());
    }
    // Who may not approve is told so before being asked for anything but the key.
    let signer = signer(context).await?;
    check_approver(&plan, signer.user_id)?;
    if store.list_approvals(incident.key, plan.plan_no).await?.iter().any(|a| a.user_id == signer.user_id) {
        eprintln!("You approved plan {} before; nothing was changed.", plan.plan_no);
        say(&plan.state, false);
        return Ok(());
    }
    eprintln!("{}", describe(context, &incident, &plan).await?);
    eprintln!("{}", Paint::stderr().strong("What was handed to a network or a carrier cannot be taken back."));
    let wanted = people_written_to(&body(&plan)?);
    if stated_people(people)?.is_some_and(|stated| stated != wanted) {
        return Err(Refusal::of(
            format!("the plan writes to {}, not to the number you gave", figure(wanted)),
            "look at `duly plan show` again",
        ));
    }
    if let Some(how) = store.find_vouched(signer.user_id, plan.prepared_by).await? {
        eprintln!("Your key was {}: the approval will say so.", vouched_words(how));
    }
    let done = approve(store, &incident, &plan, &signer).await?;
    let (state, is_changed) = match &done {
        Approved::Last => ("approved", true),
        Approved::NotYet => ("prepared", true),
        Approved::Before(state) | Approved::Found(state) => (state.as_str(), false),
    };
    say(state, is_changed);
    Ok(())
}

/// The count typed by a person: it keeps a tired hand from pressing on. Programs may leave it out.
fn stated_people(given: Option<i64>) -> Result<Option<i64>, Failure> {
    if given.is_some() || !std::io::stdin().is_terminal() {
        return Ok(given);
    }
    eprint!("How many people will be written to? Type the number: ");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    let number =
        digits.parse().map_err(|_| Refusal::of("that is no number", "run the command again and type the number of people"))?;
    Ok(Some(number))
}

/// Approves a plan and starts it, as `duly plan approve` and `duly plan go` would.
pub async fn start(store: &Store, incident: &Incident, plan: &Plan, signer: &Signer) -> Result<(), Failure> {
    match (approve(store, incident, plan, signer).await?, store.move_plan(incident.key, plan, &GO, signer).await?) {
        (Approved::Last, Moved::Done) => Ok(()),
        _ => Err(Refusal::of(format!("plan {} did not start", plan.plan_no), "look at `duly plan show`")),
    }
}

fn check_approver(plan: &Plan, user_id: Uuid) -> Result<(), Failure> {
    match plan.prepared_by == user_id {
        true => Err(Refusal::of("who prepared a plan cannot approve it", "ask somebody else who has a key to approve it")),
        false => Ok(()),
    }
}

/// Approves, unless the approver prepared the plan, and says what came of it.
pub async fn approve(store: &Store, incident: &Incident, plan: &Plan, signer: &Signer) -> Result<Approved, Failure> {
    check_approver(plan, signer.user_id)?;
    let done = store.approve_plan(incident.key, plan, signer, i64::from(incident.approvals_required)).await?;
    match &done {
        Approved::Last => eprintln!("Approved. Nothing is sent before: duly plan go --incident {}", incident.slug),
        Approved::NotYet => eprintln!("Approved by you. One more approval is needed, by somebody else."),
        Approved::Before(_) => eprintln!("You approved plan {} before; nothing was changed.", plan.plan_no),
        Approved::Found(state) => {
            moves::check_not_withdrawn(plan.plan_no, state)?;
            moves::say_already(plan.plan_no, state);
        }
    }
    Ok(done)
}

async fn move_plan(context: &Context, which: &Which, to: &PlanMove) -> Result<(), Failure> {
    let store = context.store().await?;
    let (incident, plan) = choose::only(store, which, to.from).await?;
    incident.check_open()?;
    if to != &PAUSE {
        check_accounts(context, &plan)?;
    }
    let rehearsal = rehearsal::of_plans(store, incident.key, [plan.plan_no].into()).await?;
    let moved = moves::move_plans(context, &incident, &[plan], to, &mut Key::new(context)).await?;
    let holds = i64::try_from(store.list_holds(incident.key).await?.len()).unwrap_or(i64::MAX);
    context.print(&json!({"plans": moved, "holds": holds, "rehearsal": rehearsal}), "");
    mind(&rehearsal);
    if holds > 0 {
        let stand = count(holds, "hold stands", "holds stand");
        eprintln!("{stand}: whoever is held is not sent to. duly hold list --incident {}", incident.slug);
    }
    Ok(())
}

/// Stops one plan, or all that run; says which others go on.
async fn pause(context: &Context, which: &Which, recall: bool) -> Result<(), Failure> {
    let store = context.store().await?;
    let (incident, plans) = choose::running(store, which).await?;
    incident.check_open()?;
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    let mut key = Key::new(context);
    let moved = moves::move_plans(context, &incident, &plans, &PAUSE, &mut key).await?;
    let running = choose::still_running(store, &incident).await?;
    let still: Vec<Value> = running.iter().map(|p| json!({"plan": p.plan, "open": p.open})).collect();
    let mut told = json!({"plans": moved, "still_running": still});
    for plan in running {
        eprintln!("Plan {} goes on sending: {} not told yet.", plan.plan, count(plan.open, "person", "people"));
    }
    if recall {
        told["recalled"] = json!(take_back(context, &incident, &plans, &mut key).await?);
    }
    context.print_minding(told, "", &rehearsal);
    Ok(())
}

/// Takes back what providers hold of paused plans, so that nothing new is handed over meanwhile.
async fn take_back(context: &Context, incident: &Incident, plans: &[Plan], key: &mut Key<'_>) -> Result<Vec<Value>, Failure> {
    let (store, signer, mut reports) = (context.store().await?, key.open().await?, Vec::new());
    for plan in plans {
        let by = signer.sign(store, &plan_command("plan recall", incident.incident_id, plan.plan_no, &plan.hash)).await?;
        reports.push(json!({ "plan": plan.plan_no, "messages": recall_plan(context, store, incident, plan.plan_no, by).await? }));
    }
    Ok(reports)
}
