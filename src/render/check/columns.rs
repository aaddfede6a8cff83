//! Columns that templates name, held against what people's lists have.

use super::{Check, Finding, Rule, Severity};
use crate::model::contact::PersonRecord;
use crate::render::Template;
use std::collections::BTreeMap;

/// C020 for each column that a template prints without asking and the person does not have.
pub fn lacking(template: &Template, person: &PersonRecord) -> Vec<Finding> {
    let columns = template.columns();
    let missing = columns.iter().filter(|(name, (is_guarded, _))| !is_guarded && !person.columns.contains_key(**name));
    missing.map(|(name, (_, line))| finding(name, *line)).collect()
}

pub(super) const RULES: &[Rule] = &[LACKING];

const LACKING: Rule = Rule {
    id: "C020",
    severity: Severity::Error,
    says: "a column of the list is printed, and somebody has none",
    source: "Duly: what is not known is not printed as if it were",
    is_confirmed: true,
    remedy: "guard it in the template with `{{#if person.…}}…{{/if}}`, or import the list with a column of that name (`--map`)",
    check: Check::Elsewhere,
};

fn finding(name: &str, line: usize) -> Finding {
    Finding { line, ..LACKING.finding(format!("`person.{name}` is used, and there are people who have none")) }
}

/// How many people have a value in each column of their list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// People.
    pub people: u64,
    with: BTreeMap<String, u64>,
}

/// A column that a template names, and who has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Used {
    /// Its name.
    pub column: String,
    /// Line of the template, from 1.
    pub line: usize,
    /// Printed only where there is a value.
    pub guarded: bool,
    /// People who have a value.
    pub with: u64,
    /// People who have none.
    pub without: u64,
}

impl Holdings {
    /// Counts a person.
    pub fn add(&mut self, person: &PersonRecord) {
        self.people += 1;
        for name in person.columns.keys() {
            *self.with.entry(name.clone()).or_insert(0) += 1;
        }
    }

    /// What a template names, against these people.
    pub fn used(&self, template: &Template) -> Vec<Used> {
        let columns = template.columns().into_iter();
        let used = columns.map(|(name, (guarded, line))| {
            let with = self.with.get(name).copied().unwrap_or(0);
            Used { column: name.to_owned(), line, guarded, with, without: self.people - with }
        });
        used.collect()
    }
}

impl Used {
    /// Whether somebody would read an empty place.
    pub fn is_gap(&self) -> bool {
        !self.guarded && self.without > 0
    }
}
