//! The parts that several reports share: who is told, by which channel, when, and what stood in the way.

use super::document::{Block, Section, Tone, figure};
use super::replay::Replay;
use super::tally::{List, Tally, Traffic};
use super::words::{TAKEN_BACK, message, noun};
use crate::model::state::{Channel, MessageState};
use crate::store::anchor::Outside;
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

/// `12 calls`, `1 call`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", figure(n), if n == 1 { one } else { many })
}

/// `12 people`, `1 person`.
pub fn people(n: u64) -> String {
    count(n, "person", "people")
}

/// `1 row waits for a correction`, and people whom no log knows yet; `None` where there are none.
pub fn untold(tally: &Tally) -> Option<String> {
    let (rows, unfrozen) = (tally.quarantine.waiting, tally.unfrozen);
    let rows = (rows > 0).then(|| count(rows, "row waits for a correction", "rows wait for a correction"));
    let unfrozen =
        (unfrozen > 0).then(|| format!("{} on a list that was not frozen", count(unfrozen, "person stands", "people stand")));
    let parts: Vec<String> = rows.into_iter().chain(unfrozen).collect();
    (!parts.is_empty()).then(|| format!("{}: nobody of them is told.", parts.join(", and ")))
}

/// `1 person is called notified …`; `None` where the log has a call for everybody whom it calls so.
pub fn uncalled(tally: &Tally) -> Option<String> {
    let n = tally.uncalled.len() as u64;
    let called = count(
        n,
        "person is called notified by the log, which has no call to them",
        "people are called notified by the log, which has no call to them",
    );
    (n > 0).then(|| format!("{called}: they are counted as not notified, and the record needs an explanation."))
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
        pair("Root", format!("{} of {}", hex::encode(replay.standing.root), count(replay.standing.size, "leaf", "leaves"))),
        pair("Last anchor", anchor(replay.outside.as_ref())),
    ]
}

/// Who outside held which checkpoint: without one the log proves that it is consistent, and not that it is honest.
pub(super) fn anchor(outside: Option<&Outside>) -> String {
    let Some(newest) = outside else {
        return "none: no checkpoint was stamped, witnessed or handed over".to_owned();
    };
    let how = match newest.kind.as_str() {
        "tsa" => format!("stamped by {}", newest.name),
        "witness" => format!("witnessed by {}", newest.name),
        way => format!("handed over ({way})"),
    };
    let leaves = count(newest.size.unsigned_abs(), "leaf", "leaves");
    format!("{}: checkpoint of {leaves}, {how}", said(newest.at))
}

/// The answer in one sentence, and in a second one who is not even among those counted.
pub fn answer(tally: &Tally) -> String {
    let people_of = &tally.people;
    let told = match (people_of.people, people_of.notified) {
        (0, _) => "No list of affected people is frozen yet, and nobody has been told.".to_owned(),
        (all, 0) => format!("None of the {} on the frozen lists has been notified yet.", people(all)),
        (1, _) => "The one person on the frozen lists has been notified.".to_owned(),
        (all, told) if all == told => format!("All {} on the frozen lists have been notified.", people(all)),
        (all, told) => format!("{} of {} on the frozen lists have been notified.", figure(told), people(all)),
    };
    uncalled(tally).into_iter().chain(untold(tally)).fold(told, |told, more| format!("{told} {more}"))
}

/// People by how they stand, drawn, and the equation.
pub fn standing(tally: &Tally) -> Section {
    let p = &tally.people;
    let part = |word: &str, n: u64, tone| (word.to_owned(), n, tone);
    let parts = vec![
        part("notified", p.notified, Tone::Told),
        part("open", p.open, Tone::Way),
        part("unreachable", p.unreachable, Tone::Fail),
        part("exempt", p.exempt, Tone::Wait),
        part("told otherwise", p.withdrawn, Tone::Wait),
    ];
    let equation = format!(
        "{} on the frozen lists = {} notified + {} unreachable + {} exempt + {} withdrawn + {} open.{}",
        people(p.people),
        figure(p.notified),
        figure(p.unreachable),
        figure(p.exempt),
        figure(p.withdrawn),
        figure(p.open),
        if p.holds() { "" } else { " THE EQUATION DOES NOT HOLD." }
    );
    let section = Section::new("Where everybody stands")
        .block(Block::Bar { caption: format!("{}, by how their notice stands", people(p.people)), parts })
        .text(equation);
    let section = uncalled(tally).into_iter().fold(section, Section::text);
    untold(tally).into_iter().fold(section, |section, untold| section.text(format!("Not in this sum: {untold}")))
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
    let failed = (reached(Failed) + reached(Expired)).saturating_sub(traffic.taken_back);
    let failed = [(message(channel, Failed, None), failed), (TAKEN_BACK.to_owned(), traffic.taken_back)];
    rows.extend(failed.into_iter().filter(|(_, n)| *n > 0).map(|(word, n)| row(word, n)));
    if traffic.uncalled > 0 {
        rows.push(row("Said to be taken, and the log has no call of it".to_owned(), traffic.uncalled));
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
    for (at, is_close) in &tally.closes {
        marks.push((if *is_close { "Incident closed" } else { "Incident reopened" }.to_owned(), *at));
    }
    marks.sort_by_key(|(_, at)| *at);
    let since = tally.frozen_at().unwrap_or_default();
    let rows = marks.into_iter().map(|(name, at)| vec![name, when(at), span(at - since)]).collect();
    section.table("What happened when", &["what", "time", "since the freeze"], rows, &[2])
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
    let section = Section::new("Affected lists").table(
        "Frozen lists: rows = people + duplicates + quarantined",
        &["list", "frozen", "rows", "people", "duplicates", "quarantined", "signed"],
        rows.collect(),
        &[0, 2, 3, 4, 5],
    );
    let amended: Vec<String> = tally.lists.iter().filter_map(|list| amendment(tally, list)).collect();
    if amended.is_empty() { section } else { section.list(amended) }
}

/// What a later list changed, and whether that was after the controller had signed.
fn amendment(tally: &Tally, list: &List) -> Option<String> {
    let (before, corrected) = list.amends?;
    let signed = match tally.lists.iter().any(|l| l.is_signed && l.list != list.list && l.at <= list.at) {
        true => ", which the controller had signed in part or whole",
        false => "",
    };
    let rows = count(corrected, "row of them was corrected by it", "rows of them were corrected by it");
    Some(format!("List {} came after lists of {}{signed}: {} more; {rows}.", list.list, people(before), people(list.people)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use duly_ledger::Event;
    use serde_json::{Value, json};

    fn tally(facts: &[(&str, Value)]) -> Tally {
        let mut tally = Tally::default();
        for (kind, detail) in facts {
            let Value::Object(detail) = detail.clone() else { continue };
            let is_of_person = kind.starts_with("message.") || *kind == "receipt";
            tally.take(&Event {
                id: String::new(),
                inc: String::new(),
                kind: (*kind).to_owned(),
                n: None,
                person: is_of_person.then_some([7; 16]),
                prev: None,
                at_micros: 0,
                detail,
            });
        }
        tally.finish();
        tally
    }

    #[test]
    fn every_call_that_was_not_known_stands_in_one_class() {
        let of = |ordinal: u64, to: &str, ground: &str| json!({"channel": "sms", "reason": "first", "phase": 1, "ordinal": ordinal, "to": to, "ground": ground});
        let all = tally(&[
            ("message.unknown", of(1, "unknown", "answer")),
            ("message.resolved", of(1, "accepted", "found")),
            ("message.unknown", of(2, "unknown", "lease")),
            ("receipt", of(2, "delivered_to_handset", "")),
            ("message.unknown", of(3, "unknown", "lease")),
            ("message.intent", of(3, "sending", "")),
            ("message.unknown", of(3, "unknown", "lease")),
            ("message.asked", of(3, "asked", "no_answer")),
            ("message.accepted", of(3, "accepted", "")),
            ("message.unknown", of(4, "unknown", "lease")),
            ("message.asked", of(4, "asked", "no_lookup")),
            ("message.decided", of(4, "ready", "send_again")),
            ("receipt", of(5, "sent", "")),
            ("message.unknown", of(5, "", "answer")),
            ("message.unknown", of(6, "unknown", "answer")),
        ]);

        let u = &all.unknowns;
        assert_eq!((u.made, u.found, u.repeated, u.settled, u.send_again, u.open), (7, 1, 1, 3, 1, 1));
        assert_eq!(u.made, u.found + u.absent + u.repeated + u.settled + u.rule + u.send_again + u.next_step + u.open);
        let sentence = crate::report::obstacles::unknown(u).unwrap_or_default();
        assert!(
            sentence.contains("7 calls") && sentence.contains("3 were settled") && sentence.contains("1 is not known"),
            "{sentence}"
        );
    }

    #[test]
    fn a_row_whose_correction_waits_too_is_one_row() {
        let row = |list: u64, row: u64| json!({"list": list, "row": row});
        let corrected = |row: u64, new: u64| json!({"list": 1, "row": row, "new_list": 2, "new_row": new});
        let all = tally(&[
            ("row.quarantined", row(1, 1)),
            ("row.quarantined", row(1, 2)),
            ("row.quarantined", row(1, 3)),
            ("row.quarantined", row(2, 1)),
            ("row.corrected", corrected(1, 1)),
            ("row.corrected", corrected(2, 2)),
            ("row.discarded", row(1, 3)),
        ]);

        let q = &all.quarantine;
        assert_eq!((q.rows, q.corrected(), q.discarded, q.waiting), (3, 1, 1, 1));
        assert!(answer(&all).ends_with("1 row waits for a correction: nobody of them is told."), "{}", answer(&all));
    }
}
