//! The parts that several reports share: who is told, by which channel, when, and what stood in the way.

use super::document::{Block, Section, Tone, figure};
use super::replay::Replay;
use super::tally::{Tally, Traffic};
use super::words::{message, noun};
use crate::model::state::{Channel, MessageState};
use time::OffsetDateTime;

/// `Wed 11 Nov 2026, 14:06:12 UTC`, from microseconds since 1970.
pub fn when(micros: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).map(said).unwrap_or_default()
}

/// The same of a moment.
pub fn said(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (hour, minute, second) = at.to_hms();
    format!("{} {}, {hour:02}:{minute:02}:{second:02} UTC", head(&at.weekday().to_string()), day(at))
}

fn day(at: OffsetDateTime) -> String {
    format!("{} {} {}", at.day(), head(&at.month().to_string()), at.year())
}

fn head(text: &str) -> &str {
    text.get(..3).unwrap_or(text)
}

fn day_of(days: i64) -> String {
    OffsetDateTime::from_unix_timestamp(days * 86_400)
        .map(|at| format!("{} {}", at.day(), head(&at.month().to_string())))
        .unwrap_or_default()
}

/// `2 days 3 h`, `4 h 12 min`, `4 min`, `12 s`, from microseconds.
pub fn span(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// `12 people`, `1 person`.
pub fn people(n: u64) -> String {
    format!("{} {}", figure(n), if n == 1 { "person" } else { "people" })
}

/// Year, month, day of a moment.
pub fn date(at: OffsetDateTime) -> (i32, u8, u8) {
    let at = at.to_offset(time::UtcOffset::UTC);
    (at.year(), u8::from(at.month()), at.day())
}

/// What every report rests on, so that a reader can find the same evidence.
pub fn ground(replay: &Replay) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair("As of", said(replay.as_of)),
        pair("Log", replay.standing.origin.clone()),
        pair("Events", figure(replay.tally.events)),
        pair("Root", format!("{} of {} leaves", hex::encode(replay.standing.root), figure(replay.standing.size))),
    ]
}

/// The answer in one sentence.
pub fn answer(tally: &Tally) -> String {
    let people_of = &tally.people;
    match (people_of.people, people_of.notified) {
        (0, _) => "No list of affected people is frozen yet, and nobody has been told.".to_owned(),
        (all, 0) => format!("None of the {} on the frozen lists has been notified yet.", people(all)),
        (all, told) if all == told => format!("All {} on the frozen lists have been notified.", people(all)),
        (all, told) => format!("{} of {} on the frozen lists have been notified.", figure(told), people(all)),
    }
}

/// People by how they stand, drawn, and the equation.
pub fn standing(tally: &Tally) -> Section {
    let p = &tally.people;
    let part = |word: &str, n: u64, tone| (word.to_owned(), n, tone);
    let parts = vec![
        part("notified", p.notified, Tone::Told),
        part("open", p.open, Tone::Way),
        part("unreachable", p.unreachable, Tone::Fail),
        part("exempt or withdrawn", p.exempt + p.withdrawn, Tone::Wait),
    ];
    let equation = format!(
        "{} = {} notified + {} unreachable + {} exempt + {} withdrawn + {} open. {}",
        people(p.people),
        figure(p.notified),
        figure(p.unreachable),
        figure(p.exempt),
        figure(p.withdrawn),
        figure(p.open),
        if p.holds() { "Nobody is missing and nobody is counted twice." } else { "THE EQUATION DOES NOT HOLD." }
    );
    Section::new("Where everybody stands")
        .block(Block::Bar { caption: format!("{}, by how their notice stands", people(p.people)), parts })
        .text(equation)
}

/// Messages by channel, in words that say only what is known.
pub fn channels(tally: &Tally) -> Section {
    let mut section = Section::new("Messages");
    for (channel, traffic) in &tally.traffic {
        section = section.table(&plural(*channel), &["what is known", "messages"], rows(*channel, traffic), &[1]);
    }
    if tally.traffic.is_empty() {
        return section.text("Nothing has been sent.");
    }
    section.text(
        "A message is counted in each line that it ever reached. What a network or a carrier reported is their report: it proves neither that a message was opened nor who saw it.",
    )
}

fn plural(channel: Channel) -> String {
    let noun = noun(channel);
    format!("{}{}s", noun.get(..1).unwrap_or_default().to_uppercase(), noun.get(1..).unwrap_or_default())
}

fn rows(channel: Channel, traffic: &Traffic) -> Vec<Vec<String>> {
    use MessageState::*;
    let row = |word: String, n: u64| vec![word, figure(n)];
    let reached = |state| traffic.reached.get(&state).copied().unwrap_or_default();
    let mut rows = vec![
        row("Handed to a provider at least once".to_owned(), traffic.messages),
        row(format!("Accepted by {}", super::words::provider(channel)), traffic.taken),
    ];
    let later = [
        Sent,
        Printed,
        HandedToCarrier,
        DeliveredToHandset,
        CarrierDelivered,
        Returned,
        Rejected,
        Overdue,
        Exhausted,
        Superseded,
        Cancelled,
    ];
    rows.extend(later.into_iter().filter(|s| reached(*s) > 0).map(|s| row(message(channel, s, None), reached(s))));
    let failed = reached(Failed) + reached(Expired);
    if failed > 0 {
        rows.push(row(message(channel, Failed, None), failed));
    }
    let open: u64 = [Unknown, Asked].iter().filter_map(|s| traffic.standing.get(s)).sum();
    if open > 0 {
        rows.push(row("Not known at this moment".to_owned(), open));
    }
    rows
}

/// People notified by day, and how long it took.
pub fn times(tally: &Tally) -> Section {
    let mut section = Section::new("When");
    if !tally.notified_days.is_empty() {
        let days = tally.notified_days.iter().map(|(day, n)| (day_of(*day), *n)).collect();
        section = section.block(Block::Days { caption: "People notified, by day (UTC)".to_owned(), days });
    }
    let mut marks: Vec<(String, i64)> = tally.frozen_at().into_iter().map(|at| ("First list frozen".to_owned(), at)).collect();
    for (number, plan) in &tally.plans {
        for what in ["prepared", "approved", "started"] {
            marks.extend(plan.first(what).map(|at| (format!("Plan {number} {what}"), at)));
        }
    }
    for (name, percent) in [
        ("First person notified", 0),
        ("Half of those notified", 50),
        ("95 % of those notified", 95),
        ("Last person notified so far", 100),
    ] {
        marks.extend(tally.notified_by(percent).map(|at| (name.to_owned(), at)));
    }
    marks.sort_by_key(|(_, at)| *at);
    let since = tally.frozen_at().unwrap_or_default();
    let rows = marks.into_iter().map(|(name, at)| vec![name, when(at), span(at - since)]).collect();
    section.table("What happened when", &["what", "time", "since the freeze"], rows, &[2])
}

/// What stopped or slowed the notification, from the log alone.
pub fn obstacles(tally: &Tally) -> Section {
    let mut facts = Vec::new();
    for hold in tally.holds.values() {
        let scope = if hold.person.is_some() { "one person" } else { "the whole incident" };
        let end = hold
            .lifted_at
            .map_or("not lifted yet".to_owned(), |at| format!("lifted {}, after {}", when(at), span(at - hold.set_at)));
        facts.push((hold.set_at, format!("A hold on {scope} was set {}; {end}.", when(hold.set_at))));
    }
    for (number, plan) in &tally.plans {
        for (at, what, _) in plan.moves.iter().filter(|(_, what, _)| what == "paused" || what == "resumed") {
            facts.push((*at, format!("Plan {number} was {what} {}.", when(*at))));
        }
    }
    facts.sort();
    let mut items: Vec<String> = facts.into_iter().map(|(_, text)| text).collect();
    let u = &tally.unknowns;
    if u.made > 0 {
        items.push(format!(
            "{} calls ended without an answer that proves anything. {} were found at the provider, {} were proven absent and sent again, {} went on by the plan's rule, {} were put to a person, who decided {} times; {} are not known at this moment.",
            figure(u.made), figure(u.found), figure(u.absent), figure(u.rule), figure(u.asked), figure(u.send_again + u.next_step), figure(u.open)
        ));
    }
    items.extend(
        tally
            .refusals
            .iter()
            .map(|(code, n)| format!("{} answers of providers did not take a message (code {code}).", figure(*n))),
    );
    if tally.possible_duplicates > 0 {
        items.push(format!("{} times the alarm of a possible duplicate was raised.", figure(tally.possible_duplicates)));
    }
    let waiting: u64 = tally.lists.iter().map(|l| l.quarantined).sum();
    if waiting > 0 {
        items.push(format!(
            "{} rows of the lists could not become people when their list was frozen and waited for a correction.",
            figure(waiting)
        ));
    }
    let section = Section::new("Holds, pauses and what was not known");
    if items.is_empty() {
        return section.text("The log has no hold, no pause and no call of which it was not known how it ended.");
    }
    section
        .list(items)
        .text("Why a hold was set is kept outside the log, because a reason may name somebody; the controller has it.")
}

/// The lists as they were frozen.
pub fn lists(tally: &Tally) -> Section {
    let rows = tally.lists.iter().map(|l| {
        let signed = if l.is_signed { "yes" } else { "no" };
        vec![
            l.list.to_string(),
            when(l.at),
            figure(l.rows),
            figure(l.people),
            figure(l.duplicates),
            figure(l.quarantined),
            signed.to_owned(),
        ]
    });
    Section::new("Affected lists").table(
        "Frozen lists: rows = people + duplicates + quarantined",
        &["list", "frozen", "rows", "people", "duplicates", "quarantined", "signed"],
        rows.collect(),
        &[0, 2, 3, 4, 5],
    )
}
