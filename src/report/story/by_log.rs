//! The story as a person's pack tells it: from its events alone, oldest first, without the reasons of holds and decisions.

use super::calls::OpenCalls;
use super::{Entry, EventRow, Names, incident_entry, person_entry, read};
use crate::model::person::printed_id;
use crate::report::ReportError;
use crate::report::figures::said;
use crate::store::pack::Placed;
use crate::store::story::{NoticeRow, PersonCard};
use duly_ledger::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a pack tells of a person, and what is known beside it.
pub struct Told<'a> {
    /// Who.
    pub card: &'a PersonCard,
    /// Notices by phase.
    pub notices: &'a [NoticeRow],
    /// The person's events.
    pub of_person: &'a [Placed],
    /// Events of the lists, plans and holds.
    pub of_incident: &'a [Placed],
    /// Names of users, where its reader is told them.
    pub names: &'a Names,
    /// Class of postage of each plan, by the plan's text.
    pub postage: &'a BTreeMap<i32, String>,
}

/// The facts, oldest first.
pub fn by_log(told: &Told<'_>) -> Result<Vec<Entry>, ReportError> {
    let mut entries = Vec::new();
    for placed in told.of_incident {
        let row = told.row(placed)?;
        match row.kind.as_str() {
            "hold.set" | "hold.lifted" => entries.push(hold_entry(&row, "the whole incident")?),
            _ => entries.extend(incident_entry(&row, told.card, told.notices, told.names)?),
        }
    }
    let mut calls = OpenCalls::default();
    for placed in told.of_person {
        let row = told.row(placed)?;
        entries.push(match row.kind.as_str() {
            "hold.set" | "hold.lifted" => hold_entry(&row, "this person")?,
            _ => person_entry(&row, told.names, &mut calls)?,
        });
    }
    // A stable sort: facts of one moment keep the order in which they were read.
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

/// `story.txt`.
pub fn text(told: &Told<'_>, entries: &[Entry]) -> String {
    let person = printed_id(told.card.person_id);
    let mut lines = vec![format!("What was recorded of the notification of the person {person}, oldest first\n")];
    for entry in entries {
        let notice = entry.notice.map_or_else(String::new, |n| format!(". {n}"));
        lines.push(format!("{}  {}{notice}", said(entry.at), entry.text));
    }
    if told.of_person.is_empty() {
        lines.push("\nUp to the checkpoint of this pack nothing was sent to this person.".to_owned());
    }
    lines.join("\n") + "\n"
}

impl Told<'_> {
    fn row(&self, placed: &Placed) -> Result<EventRow, ReportError> {
        let event = Event::parse(&placed.body)?;
        let is_letter = event.detail.get("channel").and_then(Value::as_str) == Some("letter");
        let phase = event.detail.get("phase").and_then(Value::as_i64).filter(|_| is_letter);
        let notice = phase.and_then(|phase| self.notices.iter().find(|notice| i64::from(notice.phase) == phase));
        let postage_class = notice.and_then(|notice| self.postage.get(&notice.plan_no)).cloned();
        Ok(EventRow { kind: event.kind, body: placed.body.clone(), lane: None, postage_class, reason: None })
    }
}

fn hold_entry(row: &EventRow, scope: &str) -> Result<Entry, ReportError> {
    let what = if row.kind == "hold.set" { "set on" } else { "lifted from" };
    Ok(Entry { at: read(row)?.0, kind: row.kind.clone(), text: format!("A hold was {what} {scope}"), notice: None })
}
