//! A person's story: every fact on record, in order, each in a sentence that claims no more than the fact.

mod by_log;
mod calls;

pub use by_log::{Told, by_log, text};

use super::figures::{count, people};
use super::{ReportError, words};
use crate::model::person::{Facts, ShownState, printed_id, shown_state};
use crate::model::state::{Channel, MessageState, NoticeState};
use crate::store::incident::Incident;
use crate::store::story::{CorrectedRow, EventRow, HoldRow, NoticeRow, PersonCard, RowMark};
use crate::store::unit::word;
use crate::store::{Store, StoreError};
use calls::OpenCalls;
use duly_ledger::Event;
use serde_json::{Map, Value};
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// One fact of the story.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Entry {
    /// When it was recorded, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Kind of fact; those of docs/evidence-format.md, and `row.…`, `hold.…`.
    pub kind: String,
    /// The sentence.
    pub text: String,
    /// What the fact did to the notice, where it did something.
    pub notice: Option<&'static str>,
}

/// A notice as the story shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct NoticeView {
    /// Phase.
    pub phase: i32,
    /// Plan.
    pub plan: i32,
    /// Route word.
    pub route: String,
    /// State word.
    pub state: String,
    /// First text that the network reported delivered.
    #[serde(with = "time::serde::rfc3339::option")]
    pub alerted_at: Option<OffsetDateTime>,
    /// Messages in words.
    pub messages: Vec<String>,
    /// Code of why no message could be prepared.
    pub problem: Option<String>,
    /// Code of why a message cannot leave; it is tried again.
    pub misfit: Option<String>,
}

/// Everything on record of one person, without anything personal.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Story {
    /// `p_…`.
    pub person: String,
    /// The word of summaries.
    pub state: &'static str,
    /// `controller/incident`.
    pub incident: String,
    /// Printed in messages; lets their reader ask whether they are genuine.
    pub reference_code: String,
    /// BCP 47.
    pub language: String,
    /// Format preference.
    pub format: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// Whether everything personal is destroyed.
    pub is_erased: bool,
    /// Notices by phase.
    pub notices: Vec<NoticeView>,
    /// The story, oldest first.
    pub events: Vec<Entry>,
}

/// Names of users by the id that stands in events.
pub type Names = HashMap<String, String>;

/// Tells a person's story.
pub async fn story(store: &Store, incident: &Incident, person_id: Uuid) -> Result<Story, ReportError> {
    let key = incident.key;
    let card = store.load_person_card(key, person_id).await?;
    let notices = store.list_notices_of(key, person_id).await?;
    let names: Names = store.list_users().await?.into_iter().map(|u| (u.user_id.to_string(), u.name)).collect();
    let covers = |h: &HoldRow| h.person.is_none_or(|id| id == person_id);
    let holds: Vec<HoldRow> = store.list_hold_history(key).await?.into_iter().filter(covers).collect();

    let mut events: Vec<Entry> = store.list_rows_of(key, person_id).await?.iter().map(row_entry).collect();
    events.extend(store.list_corrected_rows(key, person_id).await?.iter().flat_map(corrected_entries));
    for row in store.list_incident_events(key).await? {
        events.extend(incident_entry(&row, &card, &notices, &names)?);
    }
    events.extend(holds.iter().flat_map(hold_entries));
    let mut calls = OpenCalls::default();
    for row in store.list_events_of(key, person_id).await? {
        // A hold's reason is no part of its event: holds were told above, from their own table.
        if !row.kind.starts_with("hold.") {
            events.push(person_entry(&row, &names, &mut calls)?);
        }
    }
    // A stable sort: facts of one moment keep the order in which they were read, the chain's own among them.
    events.sort_by_key(|e| e.at);
    let is_held = holds.iter().any(|h| h.lifted_at.is_none());
    Ok(Story {
        person: printed_id(person_id),
        state: shown(notices.first(), is_held)?.as_str(),
        incident: format!("{}/{}", incident.controller_slug, incident.slug),
        reference_code: card.reference_code,
        language: card.language,
        format: card.format,
        jurisdiction: card.jurisdiction,
        is_erased: card.is_erased,
        notices: notices.into_iter().map(|notice| notice_view(notice, &calls)).collect::<Result<_, _>>()?,
        events,
    })
}

fn messages_of(notice: &NoticeRow) -> Result<Vec<(Channel, MessageState)>, StoreError> {
    notice.messages.iter().map(|(channel, state)| Ok((word(channel)?, word(state)?))).collect()
}

fn shown(notice: Option<&NoticeRow>, is_held: bool) -> Result<ShownState, StoreError> {
    Ok(shown_state(&Facts {
        notice: notice.map_or(Ok(NoticeState::Open), |n| word(&n.state))?,
        route: notice.map(|n| word(&n.route)).transpose()?,
        messages: notice.map(messages_of).transpose()?.unwrap_or_default(),
        has_problem: notice.is_some_and(|n| n.problem.is_some() || n.misfit.is_some()),
        was_sent: notice.is_some_and(|n| n.was_sent),
        is_held,
    }))
}

fn notice_view(notice: NoticeRow, calls: &OpenCalls) -> Result<NoticeView, StoreError> {
    let messages = messages_of(&notice)?;
    let in_words = |(channel, state): &(Channel, MessageState)| {
        let said = match calls.is_open(notice.phase, channel.as_str()) {
            true => words::after_unknown(*channel, *state),
            false => words::message(*channel, *state, None),
        };
        format!("{}: {said}", words::noun(*channel))
    };
    Ok(NoticeView {
        messages: messages.iter().map(in_words).collect(),
        phase: notice.phase,
        plan: notice.plan_no,
        route: notice.route,
        state: notice.state,
        alerted_at: notice.alerted_at,
        problem: notice.problem,
        misfit: notice.misfit,
    })
}

fn place(list_no: i32, row_no: Option<i64>) -> String {
    row_no.map_or_else(|| format!("a job of list {list_no}"), |row_no| format!("list {list_no}, row {row_no}"))
}

/// A row that waited, and whose place was taken by one that could become this person.
fn corrected_entries(row: &CorrectedRow) -> [Entry; 2] {
    let old = place(row.list_no, row.row_no);
    let codes = row.faults.as_array().into_iter().flatten().filter_map(|fault| fault.get("code")?.as_str());
    let codes = codes.collect::<Vec<_>>().join(", ");
    let waited = format!("Could not be taken in from {old} ({codes}): the row waited in quarantine");
    let corrected = format!("{} corrected {old}: {} took its place", row.by, place(row.new_list_no, row.new_row_no));
    [(row.taken_at, "row.quarantined", waited), (row.decided_at, "row.corrected", corrected)].map(|(at, kind, text)| Entry {
        at,
        kind: kind.to_owned(),
        text,
        notice: None,
    })
}

fn row_entry(row: &RowMark) -> Entry {
    let place = place(row.list_no, row.row_no);
    let text = match row.fate.as_str() {
        "person" => format!("Taken in from {place}"),
        _ => format!("The same person stands again in {place}: counted as a duplicate, told once"),
    };
    Entry { at: row.taken_at, kind: format!("row.{}", row.fate), text, notice: None }
}

fn hold_entries(hold: &HoldRow) -> Vec<Entry> {
    let scope = if hold.person.is_some() { "this person" } else { "the whole incident" };
    let text = format!("{} set a hold on {scope}: {}", hold.set_by, hold.reason);
    let mut entries = vec![Entry { at: hold.set_at, kind: "hold.set".to_owned(), text, notice: None }];
    if let (Some(at), Some(by)) = (hold.lifted_at, &hold.lifted_by) {
        entries.push(Entry { at, kind: "hold.lifted".to_owned(), text: format!("{by} lifted the hold"), notice: None });
    }
    entries
}

fn read(row: &EventRow) -> Result<(OffsetDateTime, Map<String, Value>), ReportError> {
    let event = Event::parse(&row.body)?;
    let nanos = i128::from(event.at_micros) * 1000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| StoreError::Corrupt { what: "time" })?;
    Ok((at, event.detail))
}

/// An event of the incident, where it concerns this person's list or plan.
fn incident_entry(row: &EventRow, card: &PersonCard, notices: &[NoticeRow], names: &Names) -> Result<Option<Entry>, ReportError> {
    let (at, detail) = read(row)?;
    let number = |key: &str| detail.get(key).and_then(Value::as_i64);
    let is_mine = match row.kind.as_str() {
        "list.frozen" | "list.signed" => number("list") == Some(i64::from(card.list_no)),
        "incident.closed" | "incident.reopened" => true,
        kind if kind.starts_with("plan.") => notices.iter().any(|n| number("plan") == Some(i64::from(n.plan_no))),
        _ => false,
    };
    if !is_mine {
        return Ok(None);
    }
    let who = user_name(&detail, names);
    let plan = number("plan").unwrap_or(0);
    let text = match row.kind.as_str() {
        "list.frozen" => {
            format!("List {} frozen with {}", card.list_no, people(number("count").unwrap_or(0).unsigned_abs()))
        }
        "list.signed" => {
            format!("The controller signed list {} with {}", card.list_no, people(number("count").unwrap_or(0).unsigned_abs()))
        }
        "plan.prepared" => format!("{who} prepared plan {plan}: every message rendered and checked"),
        "plan.approved" => format!("{who} approved plan {plan}"),
        "plan.started" => format!("{who} started plan {plan}"),
        "plan.paused" => format!("{who} paused plan {plan}"),
        "plan.withdrawn" => format!("{who} withdrew plan {plan}"),
        "plan.resumed" => format!("{who} resumed plan {plan}"),
        "incident.closed" => format!("{who} closed the incident{}", because(detail.get("reason").and_then(Value::as_str))),
        "incident.reopened" => format!("{who} reopened the incident{}", because(detail.get("reason").and_then(Value::as_str))),
        other => format!("Recorded: {other}"),
    };
    Ok(Some(Entry { at, kind: row.kind.clone(), text, notice: None }))
}

/// The reason that was signed, where there is one: a pack, which has only the log, has none of a decision about a person.
fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

fn user_name(detail: &Map<String, Value>, names: &Names) -> String {
    let id = detail.get("user").and_then(Value::as_str).unwrap_or_default();
    names.get(id).cloned().unwrap_or_else(|| "A user".to_owned())
}

fn person_entry(row: &EventRow, names: &Names, calls: &mut OpenCalls) -> Result<Entry, ReportError> {
    let (at, detail) = read(row)?;
    let is_open = calls.take(&row.kind, &detail);
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let notice = text("notice").parse::<NoticeState>().ok().map(words::notice);
    let mut sentence = match text("channel").parse::<Channel>() {
        Ok(channel) if is_open => {
            after_unknown_sentence(row, &detail, channel).unwrap_or_else(|| message_sentence(row, &detail, channel, names))
        }
        Ok(channel) => message_sentence(row, &detail, channel, names),
        Err(_) if row.kind == "key.destroyed" => {
            format!("{} erased this person: the key was destroyed, and with it everything personal", user_name(&detail, names))
        }
        Err(_) if row.kind == "notice.exempt" => {
            format!("{} decided that no notice is owed{}", user_name(&detail, names), because(row.reason.as_deref()))
        }
        Err(_) if row.kind == "notice.withdrawn" => {
            let how = text("ground").parse().map_or("in another way", words::otherwise);
            format!("{} said that this person was told {how}{}", user_name(&detail, names), because(row.reason.as_deref()))
        }
        Err(_) if row.kind == "notice.reopened" => {
            format!("{} took back the decision about this notice{}", user_name(&detail, names), because(row.reason.as_deref()))
        }
        Err(_) if row.kind == "contact.viewed" => {
            format!("{} opened contact data or messages of this person for a {}", user_name(&detail, names), text("purpose"))
        }
        Err(_) => format!("Recorded: {}", row.kind),
    };
    if detail.contains_key("possible_duplicate") {
        sentence.push_str(". Alarm: possible duplicate");
    }
    Ok(Entry { at, kind: row.kind.clone(), text: sentence, notice })
}

fn message_sentence(row: &EventRow, detail: &Map<String, Value>, channel: Channel, names: &Names) -> String {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let (noun, provider) = (words::noun(channel), words::provider(channel));
    let name = match text("reason") {
        "first" => capital(noun),
        reason => format!("{} ({reason})", capital(noun)),
    };
    let lane = row.lane.as_deref().map_or_else(|| provider.to_owned(), |lane| format!("{provider} {lane}"));
    let attempt = detail.get("attempt").and_then(Value::as_i64).unwrap_or(0);
    let because = match text("code") {
        "" => String::new(),
        code => format!(" ({code})"),
    };
    match row.kind.as_str() {
        "message.intent" if detail.get("repeat").and_then(Value::as_bool) == Some(true) => {
            format!("{name}: the same request to {lane} again, under the key by which it makes one of both (call {attempt})")
        }
        "message.intent" => format!("{name}: call to {lane} begins (call {attempt})"),
        "message.accepted" => format!("{name}: accepted by {lane}"),
        "message.rejected" => format!("{name}: {lane} will never take it{because}. Not delivered"),
        "message.not_taken" => format!("{name}: not taken{because}. Nothing left; it is tried again"),
        "message.lane_stopped" => {
            format!("{name}: {lane} refused us{because}. Nothing left, no attempt was spent; the lane pauses")
        }
        "message.unknown" => format!("Not known whether {lane} took the {noun}{because}. It was not sent again"),
        "message.resolved" => resolved_sentence(text("ground"), text("to"), &name, &lane),
        "message.asked" => format!("{name}: still not known. A person must decide; it was not sent again"),
        "message.decided" if text("to") == "ready" => format!("{} decided: send the {noun} again", user_name(detail, names)),
        "message.decided" => format!("{} decided: go on with the next step", user_name(detail, names)),
        "message.overdue" => format!("{name}: no news from {lane} when news was due"),
        "message.exhausted" if text("ground") == "attempts" => {
            format!("{name}: given up after {}. Not delivered", tries(detail))
        }
        "message.exhausted" => format!("{name}: our time for sending it ended. Not delivered"),
        "message.unfit" => {
            let why = text("ground").parse().map_or("cannot leave as it is", words::misfit);
            format!("{name}: {why}. It was not sent and is tried again")
        }
        "message.recall" => format!("{name}: {} takes it back; {lane} is asked", user_name(detail, names)),
        "message.recalled" => match text("ground") {
            "cancelled" => format!("{name}: taken back; {lane} says that it will not leave. It told nobody"),
            "too_late" => format!("{name}: not taken back; {lane} says that it left, or is being made"),
            _ => format!("{name}: not known whether it was taken back; {lane} did not say. It may leave"),
        },
        "message.shown" => format!("{name}: {}", words::shown(detail, &lane)),
        "message.cancelled" => format!("{name}: cancelled before it left"),
        "message.reopened" => format!("{name}: due again"),
        "receipt" | "receipt.late" if text("ground") == "declared" => {
            let status = status_words(channel, text("status"), row.postage_class.as_deref());
            format!("{name}: {} declared and signed: {status}", user_name(detail, names))
        }
        "receipt" => format!("{name}: {}", status_words(channel, text("status"), row.postage_class.as_deref())),
        "receipt.late" => {
            let status = status_words(channel, text("status"), row.postage_class.as_deref());
            format!("{name}: a receipt said \"{status}\"; more was known already, nothing changed")
        }
        other => format!("{name}: recorded: {other}"),
    }
}

/// `3 calls that nobody took`.
fn tries(detail: &Map<String, Value>) -> String {
    let tries = detail.get("tries").and_then(Value::as_u64).unwrap_or(0);
    count(tries, "call that nobody took", "calls that nobody took")
}

/// What is said instead where nobody knows of an earlier call: nothing of that one is claimed.
fn after_unknown_sentence(row: &EventRow, detail: &Map<String, Value>, channel: Channel) -> Option<String> {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let (noun, code) = (capital(words::noun(channel)), text("code"));
    let what = match row.kind.as_str() {
        "message.rejected" => format!("{} will never take this call ({code})", words::provider(channel)),
        "message.not_taken" => format!("this call was not taken ({code})"),
        "message.lane_stopped" => format!("this call was refused ({code}), and no attempt was spent; the lane pauses"),
        "message.exhausted" if text("ground") == "attempts" => format!("given up after {}", tries(detail)),
        "message.exhausted" => "our time for sending it ended".to_owned(),
        "message.cancelled" => "cancelled, no call follows".to_owned(),
        _ => return None,
    };
    Some(format!("{noun}: {what}. {}", words::EARLIER_UNKNOWN))
}

fn resolved_sentence(ground: &str, to: &str, name: &str, lane: &str) -> String {
    match (ground, to) {
        ("absent", _) => format!("{name}: {lane} does not know our reference. It was not taken and may be sent"),
        (_, "superseded") => format!("{name}: still not known. The next step of the route takes its place"),
        _ => format!("{name}: accepted by {lane}: it answered to our reference"),
    }
}

fn status_words(channel: Channel, status: &str, postage_class: Option<&str>) -> String {
    match status.parse::<MessageState>() {
        Ok(state) => words::message(channel, state, postage_class),
        Err(_) => "a status that Duly does not know".to_owned(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
