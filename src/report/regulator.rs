//! What a supervisory authority asks of a notification: informed or not, when, how many, how, in which words, and why
//! not sooner. Everything is read from the log up to a moment, and from what the log names by hash.

use super::document::{Document, Section, figure};
use super::figures::{answer, channels, count, date, ground, lists, people, said, span, standing, times, uncalled, when};
use super::obstacles::obstacles;
use super::promised::{Promised, laws};
use super::reasons::{self, reasons};
use super::rehearsal::{self, with_rehearsal};
use super::replay::Replay;
use super::tally::Tally;
use super::words::{noun, otherwise};
use super::{ReportError, copies};
use crate::model::person::printed_id;
use crate::model::state::Channel;
use crate::store::incident::Incident;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Whether the affected people were informed, in the words of the authorities' forms.
fn informed(tally: &Tally) -> &'static str {
    let p = &tally.people;
    // Whoever waits in quarantine or on a list that is not frozen is affected, too.
    match (p.notified, p.open + p.unreachable + tally.quarantine.waiting + tally.unfrozen) {
        (0, _) if tally.plans.values().any(|plan| plan.first("approved").is_some() && plan.first("withdrawn").is_none()) => {
            "planned"
        }
        (0, _) => "no",
        (_, 0) => "yes",
        _ => "in part",
    }
}

/// Whom Duly told nothing more, because somebody said that they were told in another way; never among those informed.
fn told_otherwise(tally: &Tally) -> String {
    let parts: Vec<String> = tally.told_otherwise.iter().map(|(how, n)| format!("{} {}", figure(*n), otherwise(*how))).collect();
    match parts.is_empty() {
        true => figure(tally.people.withdrawn),
        false => format!("{} ({})", figure(tally.people.withdrawn), parts.join(", ")),
    }
}

/// A count of people for whom somebody decided, with where the reasons are.
fn where_told(n: u64, said: String) -> String {
    if n == 0 { said } else { format!("{said}; for the reasons see the signed commands below") }
}

/// Channels whose messages ended somebody's notice, with how many; and those that were tried and ended none.
fn by(tally: &Tally) -> (String, Option<String>) {
    let ended = |(channel, n): (&Channel, &u64)| format!("{} ({})", noun(*channel), people(*n));
    let ended: Vec<String> = tally.notified_by_channel.iter().map(ended).collect();
    let tried = tally.traffic.iter().filter(|(channel, t)| t.messages > 0 && !tally.notified_by_channel.contains_key(channel));
    let tried: Vec<&str> = tried.map(|(channel, _)| noun(*channel)).collect();
    let ended = if ended.is_empty() { "none yet".to_owned() } else { ended.join(", ") };
    (ended, (!tried.is_empty()).then(|| tried.join(", ")))
}

/// The report; `profile` must be one that a plan of the incident was made under.
pub fn regulator(incident: &Incident, replay: &Replay, plans: &[Promised], profile: &str) -> Result<Document, ReportError> {
    let tally = &replay.tally;
    // Its counts are of all plans, whatever the law.
    let lead = with_rehearsal(answer(tally), tally, plans);
    let is_rehearsal = !rehearsal::rehearsal(tally, plans).not_live.is_empty();
    let plans: Vec<&Promised> = plans.iter().filter(|p| p.is_under(profile)).collect();
    if plans.is_empty() && !tally.plans.is_empty() {
        return Err(ReportError::OtherProfile { profile: profile.to_owned() });
    }
    let mut about = vec![
        ("Controller".to_owned(), incident.controller_name.clone()),
        ("Incident".to_owned(), format!("{}/{}", incident.controller_slug, incident.slug)),
    ];
    about.extend(laws(&plans));
    about.extend(ground(replay));
    let sections = vec![
        questions(replay, &plans, is_rehearsal),
        reasons(tally),
        standing(tally),
        times(tally),
        channels(tally),
        obstacles(tally),
        lists(tally),
        copies::copies(incident, &plans, true),
    ];
    Ok(Document {
        title: "Notification of the affected people: report to the supervisory authority".to_owned(),
        lead,
        date: date(replay.as_of),
        about,
        sections,
        foot: format!(
            "Made by Duly from the log, as it stood on {}; only people on lists that were not frozen, and the last anchor, come from tables. The pack of the incident proves all that the log says: check it with duly-verify or verify.html and a key from elsewhere.",
            said(replay.as_of)
        ),
    })
}

/// What the controller says of it in the texts that were approved, where a form asks for that; nothing is made up.
const STATED: &[(&str, &str)] =
    &[("Found out", "discovery_date"), ("What was done about it", "measures"), ("Delayed for an authority", "delayed_by_le")];

/// The same of the newest plan.
fn stated(plans: &[&Promised]) -> Vec<(String, String)> {
    let texts = plans.last().and_then(|plan| plan.wordings.iter().find(|wording| wording.name == "texts.json"));
    let texts: Value = texts.and_then(|wording| serde_json::from_str(&wording.text).ok()).unwrap_or_default();
    let said = |name: &str| texts.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    STATED.iter().map(|(what, name)| ((*what).to_owned(), said(name).unwrap_or("none was stated").to_owned())).collect()
}

fn questions(replay: &Replay, plans: &[&Promised], is_rehearsal: bool) -> Section {
    let tally = &replay.tally;
    let p = &tally.people;
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let (channels, tried) = by(tally);
    let first = tally.notified_by(0).map_or("nobody yet".to_owned(), when);
    let last = tally.notified_by(100).map_or("nobody yet".to_owned(), when);
    let delay = tally.frozen_at().zip(tally.notified_by(0)).zip(tally.notified_by(100));
    let not_live = if is_rehearsal { " (lanes were not live: see above)" } else { "" };
    let mut facts = vec![
        pair("Informed", format!("{}{not_live}", informed(tally))),
        pair("First informed", first),
        pair("Last informed so far", last),
        pair("Number informed", format!("{} of {}", figure(p.notified), people(p.people))),
        pair("Not informed yet", figure(p.open)),
        pair("Cannot be reached", figure(p.unreachable)),
        pair("Exempt: no notice is owed", where_told(p.exempt, figure(p.exempt))),
        pair("Withdrawn: told in another way, as the controller says", where_told(p.withdrawn, told_otherwise(tally))),
        pair("Waiting for a correction", count(tally.quarantine.waiting, "row", "rows")),
        pair("On no frozen list", figure(tally.unfrozen)),
        pair("Informed by", channels),
    ];
    facts.extend(uncalled(tally).map(|uncalled| pair("Called notified without a call", uncalled)));
    facts.extend(tried.map(|tried| pair("Tried, and nobody informed by it", tried)));
    if let Some(((frozen, first), last)) = delay {
        facts.push(pair(
            "From freeze to notice",
            format!("{} for the first, {} for the last", span(first - frozen), span(last - frozen)),
        ));
    }
    facts.extend(stated(plans));
    Section::new("What the form asks").facts(facts)
}

/// The same for programs.
pub fn data(incident: &Incident, replay: &Replay, plans: &[Promised], profile: &str) -> Value {
    let tally = &replay.tally;
    let channel = |(channel, t): (&Channel, &super::tally::Traffic)| {
        let reached: serde_json::Map<String, Value> = t.reached.iter().map(|(s, n)| (s.as_str().to_owned(), json!(n))).collect();
        (
            channel.as_str().to_owned(),
            json!({"messages": t.messages, "calls": t.calls, "accepted": t.taken, "taken_without_call": t.uncalled, "taken_back": t.taken_back, "reached": reached}),
        )
    };
    let time = |at: Option<i64>| at.map(when_rfc3339);
    let own: Vec<&Promised> = plans.iter().filter(|p| p.is_under(profile)).collect();
    json!({
        "controller": incident.controller_name, "incident": format!("{}/{}", incident.controller_slug, incident.slug),
        "profile": profile, "as_of": when_rfc3339(super::replay::micros(replay.as_of)), "log": replay.standing,
        "informed": informed(tally), "rehearsal": rehearsal::lines(tally, plans), "people": tally.people.to_json(), "equation_holds": tally.people.holds(),
        "first_informed_at": time(tally.notified_by(0)), "last_informed_at": time(tally.notified_by(100)),
        "channels": tally.traffic.iter().map(channel).collect::<serde_json::Map<_, _>>(),
        "quarantine": tally.quarantine, "people_not_on_a_frozen_list": tally.unfrozen,
        "notified_without_call": people_ids(&tally.uncalled),
        "notified_by_channel": tally.notified_by_channel.iter().map(|(c, n)| (c.as_str().to_owned(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "last_anchor": replay.outside.as_ref().map(|o| json!({"kind": o.kind, "leaves": o.size, "at": when_rfc3339(super::replay::micros(o.at))})),
        "closed_at": time(tally.closes.last().filter(|(_, is_close)| *is_close).map(|(at, _)| *at)),
        "frozen_at": time(tally.frozen_at()), "unknown": tally.unknowns, "possible_duplicates": tally.possible_duplicates,
        "decisions": reasons::data(tally),
        "holds": tally.holds.values().map(|h| json!({
            "covers": if h.person.is_some() { "person" } else { "incident" }, "set_at": when_rfc3339(h.set_at), "lifted_at": time(h.lifted_at)
        })).collect::<Vec<_>>(),
        "lists": tally.lists.iter().map(|l| json!({
            "list": l.list, "frozen_at": when_rfc3339(l.at), "people": l.people, "rows": l.rows, "duplicates": l.duplicates,
            "quarantined": l.quarantined, "root": l.root, "signed": l.is_signed
        })).collect::<Vec<_>>(),
        "texts": copies::data(incident, &own),
    })
}

/// `p_…` of each.
pub(super) fn people_ids(people: &BTreeSet<[u8; 16]>) -> Vec<String> {
    people.iter().map(|person| printed_id(Uuid::from_bytes(*person))).collect()
}

/// RFC 3339 with microseconds, from microseconds since 1970.
pub fn when_rfc3339(micros: i64) -> String {
    use time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000);
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
