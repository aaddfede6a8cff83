//! Findings of all people together, each told once with the people whom it concerns.

use super::{Finding, Severity};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// People named beside a finding.
const EXAMPLES: usize = 3;

/// What the check of a plan found.
#[derive(Debug, Clone, Default)]
pub struct Report(BTreeMap<Finding, Concerned>);

/// The people whom a finding concerns.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Concerned {
    /// How many.
    pub people: u64,
    /// Some of their person ids.
    pub examples: Vec<Uuid>,
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
    /// Adds what one person's message showed.
    pub fn add(&mut self, person: Uuid, findings: Vec<Finding>) {
        for finding in findings {
            let concerned = self.0.entry(finding).or_default();
            concerned.people += 1;
            if concerned.examples.len() < EXAMPLES {
                concerned.examples.push(person);
            }
        }
    }

    /// Adds a gap that already counts its people.
    pub fn add_gap(&mut self, finding: Finding, people: u64) {
        self.0.entry(finding).or_default().people += people;
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
