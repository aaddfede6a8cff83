//! Findings of all people together, each told once with the people whom it concerns.

use super::{Finding, Severity};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What the check of a plan found.
#[derive(Debug, Clone, Default)]
pub struct Report(BTreeMap<Finding, Concerned>);

/// The people whom a finding concerns.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Concerned {
    /// How many; 0 where nobody in particular reads it, as a preview's reader.
    pub people: u64,
    /// Their person ids, all of them: whoever mends a list needs each.
    #[serde(serialize_with = "person_ids")]
    pub person_ids: Vec<Uuid>,
}

fn person_ids<S: Serializer>(ids: &[Uuid], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(|id| format!("p_{}", id.simple())))
}

impl Concerned {
    /// Counts a person once, whichever of their messages it is found in.
    fn add(&mut self, person: Uuid) {
        if !person.is_nil() && self.person_ids.last() != Some(&person) {
            self.people += 1;
            self.person_ids.push(person);
        }
    }
}

/// A finding with its people, as printed.
#[derive(Debug, Clone, Serialize)]
pub struct Line<'a> {
    /// The finding.
    #[serde(flatten)]
    pub finding: &'a Finding,
    /// Its people.
    #[serde(flatten)]
    pub concerned: &'a Concerned,
}

impl Report {
    /// Adds what one person's messages showed; nil: a reader who does not exist.
    pub fn add(&mut self, person: Uuid, findings: Vec<Finding>) {
        findings.into_iter().for_each(|finding| self.0.entry(finding).or_default().add(person));
    }

    /// Adds what concerns messages by their number, and nobody in particular.
    pub fn add_count(&mut self, finding: Finding, messages: u64) {
        self.0.entry(finding).or_default().people += messages;
    }

    /// The findings, errors first, then by rule.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.0.iter().map(|(finding, concerned)| Line { finding, concerned })
    }

    /// Whether something has to be mended before anybody may approve.
    pub fn has_errors(&self) -> bool {
        self.0.keys().any(|finding| finding.severity == Severity::Error)
    }

    /// Rules of warnings for which nobody has given a reason.
    pub fn unexplained(&self, reasons: &BTreeMap<String, String>) -> Vec<&'static str> {
        let mut rules: Vec<_> = self.0.keys().filter(|f| f.severity == Severity::Warning).map(|f| f.rule).collect();
        rules.retain(|rule| reasons.get(*rule).is_none_or(|reason| reason.trim().is_empty()));
        rules.dedup();
        rules
    }
}
