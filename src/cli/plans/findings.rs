//! What the content check found, for people.

use crate::cli::output::count;
use crate::render::check::{Report, Severity};

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
        let examples: Vec<String> = line.concerned.examples.iter().map(|id| format!("p_{}", id.simple())).collect();
        let who = match (&line.concerned.examples[..], examples.is_empty()) {
            // A preview's reader does not exist.
            ([id], _) if id.is_nil() => String::new(),
            (_, true) => format!("\n  {people}"),
            _ => format!("\n  {people}, such as {}", examples.join(", ")),
        };
        let unread = if found.is_confirmed { "" } else { " (unconfirmed: its own text was not read)" };
        format!("{word} {}{place}: {}{who}\n  source: {}{unread}\n  hint: {}", found.rule, found.what, found.source, found.remedy)
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}
