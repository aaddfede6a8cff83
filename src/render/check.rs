//! The content check: reads every person's rendered message before anybody approves it. A hard gate.
//!
//! A notice without the content that the law demands is treated as no notice. Each rule is one small function with its
//! statute or source; profiles say which parts are demanded. Nothing here guesses: no language model, no network.

mod abroad;
mod asks;
mod columns;
mod conditional;
mod known;
mod contact;
mod content;
mod coverage;
mod form;
mod outside;
mod phone;
mod privacy;
pub mod readability;
mod reading;
mod report;
mod sms;
mod subject;
mod wording;

pub use columns::{Holdings, Used, lacking};
pub use coverage::{Coverage, Wish};
pub use outside::{refused, return_address};
pub use report::{Concerned, Line, Place, Report, is_reason, reason_for};
pub use subject::{Rules, Subject};
pub use wording::is_sample;

use crate::model::profile::Profile;
use known::PartText;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Whether a finding stops the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is sent before it is mended.
    Error,
    /// Somebody has to write why it is sent all the same.
    Warning,
}

/// One rule of the check.
pub struct Rule {
    /// Stable id, such as `C001`.
    pub id: &'static str,
    /// What follows.
    pub severity: Severity,
    /// What is wrong where it finds something.
    pub says: &'static str,
    /// Statute, guidance or reason.
    pub source: &'static str,
    /// Whether the source's own text was read; the profile knows better where it names the part.
    pub is_confirmed: bool,
    /// What to do.
    pub remedy: &'static str,
    check: Check,
}

/// What a rule looks at.
enum Check {
    /// The whole message, with what is the person's own in it: judged for every person.
    Message(fn(&Subject<'_>, &mut Vec<Found>)),
    /// The words of one part and nothing else: the same words are judged once for everybody.
    Part(fn(&PartText<'_>) -> Option<String>),
    /// No rendered text: the laid-out page, everybody's wishes together, or the list's columns.
    Elsewhere,
}

/// What a rule found: never a value of the person's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What follows.
    pub severity: Severity,
    /// Rule id.
    pub rule: &'static str,
    /// Part of the message, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// Line of the rendered text, from 1; 0: the whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// Statute, guidance or reason.
    pub source: String,
    /// Whether the source's own text was read.
    pub is_confirmed: bool,
    /// What to do.
    pub remedy: &'static str,
}

/// What a rule's function notes; the rule adds the rest.
struct Found {
    element: Option<String>,
    line: usize,
    what: String,
    source: Option<(String, bool)>,
}

impl Found {
    /// Something wrong with the whole message.
    fn whole(what: impl Into<String>) -> Self {
        Self { element: None, line: 0, what: what.into(), source: None }
    }

    /// Something wrong with a part that the profile names.
    fn element(id: &str, line: usize, what: impl Into<String>) -> Self {
        Self { element: Some(id.to_owned()), line, what: what.into(), source: None }
    }

    /// Where in the plain text it stands, and in which part.
    fn at(subject: &Subject<'_>, at: usize, what: impl Into<String>) -> Self {
        let at = subject.reading.place(at);
        let inner = subject.message.parts.iter().rev().find(|part| part.range.contains(&at));
        Self { element: inner.map(|part| part.id.clone()), line: subject.message.line(at), what: what.into(), source: None }
    }

    fn by(mut self, profile: &Profile) -> Self {
        let rule = self.element.as_deref().and_then(|id| profile.element(id));
        self.source = rule.map(|rule| (rule.source.clone(), rule.confirmed));
        self
    }
}

impl Rule {
    /// What it found elsewhere than in a rendered text.
    fn finding(&self, what: String) -> Finding {
        let Self { id: rule, severity, source, is_confirmed, remedy, .. } = *self;
        Finding { severity, rule, element: None, line: 0, what, source: source.to_owned(), is_confirmed, remedy }
    }
}

/// All rules: those of a message, then those of what is no rendered text.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let all = [
        content::RULES,
        conditional::RULES,
        form::RULES,
        wording::RULES,
        readability::RULES,
        sms::RULES,
        privacy::RULES,
        contact::RULES,
        outside::RULES,
        coverage::RULES,
        columns::RULES,
    ];
    all.into_iter().flatten()
}

/// SHA-256 over the table of rules: what a plan says that its messages were read by.
pub fn digest() -> [u8; 32] {
    let mut table = Sha256::new();
    for Rule { id, severity, says, source, is_confirmed, remedy, .. } in rules() {
        table.update(format!("{id}\0{severity:?}\0{says}\0{source}\0{is_confirmed}\0{remedy}\n"));
    }
    table.finalize().into()
}

/// Checks one message by every rule.
pub fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = Vec::new();
    let said = subject.known.judge(subject);
    for (place, rule) in rules().enumerate() {
        match rule.check {
            Check::Message(check) => check(subject, &mut found),
            Check::Elsewhere => {}
            Check::Part(_) => found.extend(said.iter().flat_map(|(part, said)| of_part(subject, *part, place, said))),
        }
        findings.extend(found.drain(..).map(|f| {
            let (source, is_confirmed) = f.source.unwrap_or((rule.source.to_owned(), rule.is_confirmed));
            let what = if f.what.is_empty() { rule.says.to_owned() } else { f.what };
            let Found { element, line, .. } = Found { what: String::new(), source: None, ..f };
            Finding { rule: rule.id, severity: rule.severity, element, line, what, source, is_confirmed, remedy: rule.remedy }
        }));
    }
    findings.sort_by_key(|f| f.severity);
    findings
}

/// What the rule at a place says of a part.
fn of_part<'a>(
    subject: &'a Subject<'_>,
    part: usize,
    rule: usize,
    said: &'a [(usize, String)],
) -> impl Iterator<Item = Found> + 'a {
    let part = subject.message.parts.get(part);
    let said = said.iter().filter(move |(place, _)| *place == rule);
    said.filter_map(move |(_, what)| {
        part.map(|part| Found::element(&part.id, subject.message.line(part.range.start), what.as_str()))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
