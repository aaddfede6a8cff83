//! What an operator looks at: are we on course, and does anyone need me.

mod fit;
pub mod waiting;

use super::incidents::lines as incident_lines;
use super::output::{Paint, count, data, figure, span, table, when};
use super::plans::waits;
use super::{Context, Failure};
use crate::dispatch::accounts;
use crate::model::person::ShownState;
use crate::model::state::Misfit;
use crate::report::progress::{LaneStatus, Progress, progress};
use crate::report::words;
use crate::store::metrics::LaneLoad;
use crate::store::status::Rejected;
use clap::Args;
use fit::fit;
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;
use terminal_size::terminal_size;
use waiting::{resting, uncarried, waiting, without_lane};

/// `duly status`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly status --incident cards-2026 --watch\n  duly status --incident cards-2026 --json\n  duly status                                  lists incidents where there are several"
)]
pub struct Status {
    /// Incident, or controller/incident; may be left out where there is one only
    #[arg(long)]
    incident: Option<String>,
    /// Show it live on a terminal, until nobody is open any more, or Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Between two looks of `--watch`.
const INTERVAL: Duration = Duration::from_secs(2);

/// Shows one incident, or lists them.
pub async fn run(context: &Context, args: Status) -> Result<(), Failure> {
    let store = context.store().await?;
    if let Some(restored) = store.open_restore().await? {
        let at = when(restored.found_at);
        eprintln!("This database was restored or moved (noticed {at}): nothing is sent.\nhint: run `duly restore reconcile`.");
    }
    let name = match args.incident {
        Some(name) => name,
        None => {
            let summaries = store.list_incident_summaries().await?;
            match summaries.as_slice() {
                [only] => only.name.clone(),
                _ => {
                    context.print(&json!(summaries), &incident_lines(&summaries));
                    return Ok(());
                }
            }
        }
    };
    let incident = store.load_incident(&name).await?;
    let settings = context.settings()?;
    // Who only looks may lack the lanes' secrets: the page is shown without an outlook.
    let (lanes, accounts) = (&settings.lanes, accounts(&settings).unwrap_or_default());
    let is_live = args.watch && !context.json && std::io::stdout().is_terminal();
    loop {
        let now = progress(store, lanes, &accounts, &incident).await?;
        if !is_live {
            context.print(&json!(now), &lines(&now, Paint::stdout()));
            return Ok(());
        }
        // Home, the page, clear what an earlier and longer page left: no flicker and no scrolling away.
        let page = fit(&lines(&now, Paint::stdout()), terminal_size()).replace('\n', "\x1b[K\n");
        data(&format!("\x1b[H{page}\x1b[K\x1b[J"));
        if is_over(&now) {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Whether nothing moves any more: everybody's notice has ended, or the incident is closed.
fn is_over(progress: &Progress) -> bool {
    let open = [ShownState::Waiting, ShownState::UnderWay, ShownState::NeedsDecision, ShownState::Held];
    progress.closed_at.is_some() || progress.equation.people > 0 && open.iter().all(|&state| states(progress, state) == 0)
}

fn states(progress: &Progress, state: ShownState) -> i64 {
    progress.equation.person_states.get(state.as_str()).copied().unwrap_or(0)
}

/// The whole page for people, its answer first.
pub fn lines(progress: &Progress, paint: Paint) -> String {
    let told = states(progress, ShownState::Notified);
    let mut lines = vec![
        paint.strong(&format!("{} of {} notified", figure(told), count(progress.equation.people, "person", "people"))),
        format!("{}, {}. As of {}", progress.incident, plan_words(progress), when(progress.pulse.at)),
        String::new(),
    ];
    lines.push(people(progress));
    lines.push(String::new());
    lines.extend(equation(progress, paint));
    let needs = needs(progress, paint);
    if !needs.is_empty() {
        lines.push(format!("\n{}", paint.strong("Needs a person now")));
        lines.extend(needs);
    }
    lines.push(format!("\n{}", paint.strong("Sending")));
    lines.extend(sending(progress));
    lines.push(format!("\n{}", paint.strong("Lanes (all incidents)")));
    lines.push(lane_table(&progress.lanes));
    if !progress.messages.is_empty() {
        lines.push(format!("\n{}", paint.strong("Messages")));
        lines.push(message_table(progress));
    }
    lines.join("\n")
}

fn plan_words(progress: &Progress) -> String {
    if let Some(at) = progress.closed_at {
        return format!("closed {}: nothing is sent", when(at));
    }
    match (&progress.plan, progress.plans.as_slice()) {
        (None, _) => "no plan yet: nothing was sent".to_owned(),
        (Some(plan), [_]) if plan.state == "prepared" => {
            format!("plan {} has {} of {} approvals: nothing was sent", plan.plan, plan.approvals, plan.approvals_required)
        }
        (_, plans) => {
            let named: Vec<String> = plans.iter().map(|p| format!("plan {} {}", p.plan, p.state)).collect();
            named.join(", ")
        }
    }
}

/// Everybody by state, with exact counts beside every share.
fn people(progress: &Progress) -> String {
    let all = progress.equation.people.max(1);
    let rows: Vec<Vec<String>> = ShownState::ALL
        .iter()
        .map(|&state| (state, states(progress, state)))
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| vec![String::new(), figure(n), share(n, all), words::person(state).to_owned()])
        .collect();
    table(&rows, &[1, 2])
}

/// `39.7 %`; never `0.0 %` for somebody who is there, nor `100.0 %` while somebody is missing.
fn share(n: i64, all: i64) -> String {
    let thousandths = n.saturating_mul(1000) / all;
    match thousandths {
        0 => "< 0.1 %".to_owned(),
        _ => format!("{}.{} %", thousandths / 10, thousandths % 10),
    }
}

fn equation(progress: &Progress, paint: Paint) -> Vec<String> {
    let e = &progress.equation;
    let verdict = |holds: bool| if holds { paint.good("balances") } else { paint.bad("DOES NOT BALANCE: run `duly audit`") };
    let files = match e.files_hold() {
        true => verdict(true),
        false => paint.asks("not all of them yet: let the import end, or run it again"),
    };
    let shown: Vec<String> = ShownState::ALL
        .iter()
        .map(|&state| (state, states(progress, state)))
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{} {}", figure(n), state.as_str().replace('_', " ")))
        .collect();
    let sum = if shown.is_empty() { "0".to_owned() } else { shown.join(" + ") };
    let rows = count(e.rows, "row", "rows");
    let people = count(e.people, "person", "people");
    let duplicates = count(e.duplicates, "duplicate", "duplicates");
    let (quarantined, decided) = (figure(e.quarantined), figure(e.decided));
    let mut lines = vec![
        paint.strong("The equation"),
        format!("  {} in the lists = {rows} taken in   {files}", count(e.rows_counted, "row", "rows")),
        format!(
            "  {rows} = {people} + {duplicates} + {quarantined} quarantined + {decided} replaced or discarded   {}",
            verdict(e.rows_hold())
        ),
        format!("  {people} = {sum}   {}", verdict(e.people_hold())),
    ];
    if e.rejected.jobs > 0 {
        let Rejected { jobs, taken, discarded, waiting } = e.rejected;
        let jobs = count(jobs, "unreadable job", "unreadable jobs");
        let (taken, discarded, waiting) = (figure(taken), figure(discarded), figure(waiting));
        lines.push(format!(
            "  {jobs} of all incidents = {taken} read later + {discarded} discarded + {waiting} waiting   {}",
            verdict(e.jobs_hold())
        ));
    }
    lines.push(
        "  Each side has a source of its own: the lists read by a second reader, the rows, the people, the events.".to_owned(),
    );
    if e.erased > 0 {
        lines.push(format!(
            "  {} erased: they count on, and nothing personal of them is left.",
            count(e.erased, "person was", "people were")
        ));
    }
    lines
}

/// Whoever is told by nothing that runs.
fn unsent(progress: &Progress, paint: Paint) -> Vec<String> {
    let name = &progress.incident;
    let mut lines = Vec::new();
    for plan in &progress.plans {
        let command = match plan.state.as_str() {
            "prepared" => "approve",
            "approved" => "go",
            _ => "resume",
        };
        let what = waits(plan).map(|what| paint.asks(&format!("{what}:")));
        lines.extend(what.map(|what| format!("  {what} duly plan {command} --incident {name} --plan {}", plan.plan)));
    }
    for list in &progress.cut_lists {
        let what = paint.asks(&format!("list {list} is not whole, its import was cut or goes on:"));
        lines.push(format!("  {what} run it again"));
    }
    if progress.unplanned > 0 {
        let what = format!("{} in no plan:", count(progress.unplanned, "person is", "people are"));
        lines.push(format!("  {} duly plan prepare --incident {name}", paint.asks(&what)));
    }
    lines
}

fn needs(progress: &Progress, paint: Paint) -> Vec<String> {
    let (pulse, name) = (&progress.pulse, &progress.incident);
    let mut needs = Vec::new();
    let ends = [ShownState::Notified, ShownState::Unreachable, ShownState::Exempt, ShownState::Withdrawn];
    let open = progress.equation.people - ends.iter().map(|&state| states(progress, state)).sum::<i64>();
    if progress.closed_at.is_some() && open > 0 {
        let what = format!("closed, and {} without an end state:", count(open, "person", "people"));
        needs.push(format!("  {} duly incident reopen {name}, or leave it as it was signed", paint.asks(&what)));
    }
    if !progress.equation.rows_hold() || !progress.equation.people_hold() {
        needs.push(format!(
            "  {} duly plan pause --incident {name}, then duly audit",
            paint.bad("the equation does not balance:")
        ));
    }
    needs.extend(unsent(progress, paint));
    needs.extend(uncarried(progress, paint));
    needs.extend(without_lane(progress, paint));
    for (code, n) in &pulse.alarms {
        needs.push(format!(
            "  {} duly audit --incident {name}",
            paint.bad(&format!("{}: {}:", count(*n, "alarm", "alarms"), code.replace('_', " ")))
        ));
    }
    for (code, n) in &pulse.misfits {
        let Ok(misfit) = code.parse::<Misfit>() else { continue };
        let what = format!("{} cannot leave, {}:", count(*n, "message", "messages"), words::misfit(misfit));
        needs.push(format!("  {} {}", paint.bad(&what), words::misfit_remedy(misfit)));
    }
    if pulse.asked > 0 {
        let what = format!("{} not known, none sent again:", count(pulse.asked, "message", "messages"));
        needs.push(format!("  {} duly unknown list --incident {name}", paint.asks(&what)));
    }
    let undecided = states(progress, ShownState::NeedsDecision);
    if undecided > pulse.asked + pulse.misfits.values().sum::<i64>() {
        let what = format!("{} for whom nothing happens by itself any more:", count(undecided, "person", "people"));
        needs.push(format!("  {} duly plan show --incident {name}", paint.asks(&what)));
    }
    if progress.equation.rejected.waiting > 0 {
        let jobs = count(progress.equation.rejected.waiting, "job", "jobs");
        let what = format!("{jobs} that could not be read, of whatever incident, nobody of them is told:");
        needs.push(format!("  {} duly job rejected", paint.asks(&what)));
    }
    if progress.equation.quarantined > 0 {
        let what = format!("{} in quarantine, nobody of them is told:", count(progress.equation.quarantined, "row", "rows"));
        needs.push(format!("  {} duly quarantine list --incident {name}", paint.asks(&what)));
    }
    let unreachable = states(progress, ShownState::Unreachable);
    if unreachable > 0 {
        needs.push(format!(
            "  {} a substitute or public notice is due, or they are told by hand: duly task list --incident {name}",
            paint.asks(&format!("{} unreachable:", count(unreachable, "person", "people")))
        ));
    }
    if pulse.holds > 0 {
        needs.push(format!(
            "  {} duly hold list --incident {name}",
            paint.asks(&format!("{} in force:", count(pulse.holds, "hold", "holds")))
        ));
    }
    needs.extend(resting(progress, paint));
    needs
}

fn sending(progress: &Progress) -> Vec<String> {
    let pulse = &progress.pulse;
    let left = match (progress.seconds_left, pulse.to_hand_over) {
        (_, 0) => "Nothing waits to be handed over".to_owned(),
        (Some(seconds), n) => format!("{} still to hand over: about {} at this rate", figure(n), span(seconds)),
        (None, n) => format!("{} still to hand over: time left not known while nothing moves", figure(n)),
    };
    let notified = count(pulse.notified_last_minute, "person", "people");
    let mut lines = vec![
        format!("  {} accepted by providers and {notified} notified within the last minute", figure(pulse.accepted_last_minute)),
        format!("  {left}"),
    ];
    lines.extend(waiting(progress));
    if let Some(since) = pulse.oldest_open_since {
        lines.push(format!("  Oldest message without an end: made {} ago", span((pulse.at - since).whole_seconds())));
    }
    lines.push(format!(
        "  Unknown calls: {} made, {} being looked into, {} for a person to decide",
        figure(pulse.unknown_made),
        figure(pulse.unknown),
        figure(pulse.asked)
    ));
    lines
}

/// Lanes carry every incident, so their load is that of all. One that has nothing to do is only named.
fn lane_table(lanes: &[LaneStatus]) -> String {
    if lanes.is_empty() {
        return "  No lane is configured here: set [lanes.NAME] in the settings.".to_owned();
    }
    let (idle, busy): (Vec<&LaneStatus>, Vec<&LaneStatus>) = lanes.iter().partition(|lane| is_idle(lane));
    let mut lines = Vec::new();
    if !busy.is_empty() {
        let head = ["", "lane", "pace", "last min", "queued", "in call", "due", "later", "stopped", "state"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(busy.into_iter().map(lane_row));
        lines.push(table(&rows, &[2, 3, 4, 5, 6, 7, 8]));
    }
    if !idle.is_empty() {
        let names: Vec<&str> = idle.iter().filter_map(|lane| lane.lane.as_deref()).collect();
        lines.push(format!("  Nothing to do: {}", names.join(", ")));
    }
    let tried = lanes.iter().filter(|lane| lane.is_live == Some(false)).filter_map(|lane| lane.lane.as_deref());
    let tried: Vec<&str> = tried.collect();
    if !tried.is_empty() {
        lines.push(format!("  Not live, nobody is reached: {}", tried.join(", ")));
    }
    lines.join("\n")
}

fn is_idle(lane: &LaneStatus) -> bool {
    let LaneLoad { queued, sending, due, later, stopped } = lane.load;
    lane.lane.is_some() && lane.pause.is_none() && queued + sending + due + later + stopped + lane.accepted_last_minute == 0
}

fn lane_row(lane: &LaneStatus) -> Vec<String> {
    let LaneLoad { queued, sending, due, later, stopped } = lane.load;
    let state = match (&lane.lane, &lane.pause, lane.per_second) {
        // Messages that were never queued: of plans that do not run, or of people on hold, or new ones.
        (None, ..) if due + later == 0 => "no go, or held",
        (None, ..) => "to be queued",
        (_, Some(_), _) => "paused",
        (_, None, Some(_)) => "open",
        (_, None, None) => "not set here",
    };
    vec![
        String::new(),
        lane.lane.clone().unwrap_or_else(|| format!("({})", lane.channel)),
        lane.per_second.map_or_else(String::new, |n| format!("{n}/s")),
        figure(lane.accepted_last_minute),
        figure(queued),
        figure(sending),
        figure(due),
        figure(later),
        figure(stopped),
        state.to_owned(),
    ]
}

/// Messages in words; states that people call the same stand in one line.
fn message_table(progress: &Progress) -> String {
    let mut merged: Vec<(&'static str, String, i64)> = Vec::new();
    for (key, n) in &progress.messages {
        let Some((channel, state)) = key.split_once(' ') else { continue };
        let (Ok(channel), Ok(state)) = (channel.parse(), state.parse()) else { continue };
        let again = progress.sent_again.get(key).copied().unwrap_or(0);
        let (noun, once, twice) =
            (words::noun(channel), words::message(channel, state, None), words::after_unknown(channel, state));
        for (said, n) in [(once, n - again), (twice, again)].into_iter().filter(|(_, n)| *n > 0) {
            match merged.iter_mut().find(|(of, what, _)| *of == noun && *what == said) {
                Some((_, _, sum)) => *sum += n,
                None => merged.push((noun, said, n)),
            }
        }
    }
    let rows: Vec<Vec<String>> =
        merged.into_iter().map(|(noun, said, n)| vec![String::new(), figure(n), noun.to_owned(), said]).collect();
    table(&rows, &[1])
}
