//! What the content check found, for people.

use crate::cli::output::{count, figure};
use crate::model::person::printed_id;
use crate::render::check::{Report, Severity};

/// People named beside a finding; `--json` has all of them.
const NAMED: usize = 3;

/// The content check for people: errors first, each with its place, its people and what to do.
pub fn findings(report: &Report) -> String {
    let blocks = report.lines().map(|line| {
        let found = line.finding;
        let word = if found.severity == Severity::Error { "error" } else { "warning" };
        let place = match (&found.element, found.line) {
            (Some(element), 0) => format!(" in `{element}`"),
            (Some(element), line) => format!(" in `{element}`, line {line}"),
            (None, 0) => String::new(),
            (None, line) => format!(" in line {line}"),
        };
        let under = match (line.place.profile.as_str(), line.place.language.as_str()) {
            ("", _) => String::new(),
            (profile, language) => format!(" ({profile}, {language})"),
        };
        let accept = match (&line.accept, line.concerned.people) {
            (None, _) | (_, 0) => String::new(),
            (Some(key), _) => format!("\n  or say why it is sent all the same: --accept {key}='…'"),
        };
        let people = count(i64::try_from(line.concerned.people).unwrap_or(i64::MAX), "person", "people");
        let ids = &line.concerned.person_ids;
        let named: Vec<String> = ids.iter().take(NAMED).map(|id| printed_id(*id)).collect();
        let who = match (line.concerned.people, ids.len()) {
            // A preview's reader does not exist.
            (0, _) => String::new(),
            (_, 0) => format!("\n  {people}"),
            (_, all) if all <= NAMED => format!("\n  {people}: {}", named.join(", ")),
            (_, all) => {
                let more = figure(i64::try_from(all - NAMED).unwrap_or(i64::MAX));
                format!("\n  {people}: {} and {more} more, see --json", named.join(", "))
            }
        };
        let unread = if found.is_confirmed { "" } else { " (unconfirmed: its own text was not read)" };
        let (rule, what, source, remedy) = (found.rule, &found.what, &found.source, found.remedy);
        format!("{word} {rule}{place}{under}: {what}{who}\n  source: {source}{unread}\n  hint: {remedy}{accept}")
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}
