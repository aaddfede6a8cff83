//! What the content check found, for people.

use crate::cli::output::{count, figure};
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
        let people = count(i64::try_from(line.concerned.people).unwrap_or(i64::MAX), "person", "people");
        let ids = &line.concerned.person_ids;
        let named: Vec<String> = ids.iter().take(NAMED).map(|id| format!("p_{}", id.simple())).collect();
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
        format!("{word} {}{place}: {}{who}\n  source: {}{unread}\n  hint: {}", found.rule, found.what, found.source, found.remedy)
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}
