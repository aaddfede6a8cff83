//! A content check that refuses: nothing is frozen, and the log tells that the gate held, by which rules and for what.

use super::laws::Laws;
use super::{ContentsRoot, PlanError, PlanSummary};
use crate::model::profile::Profile;
use crate::render::check::{self, Report};
use crate::store::plan::PlanDraft;
use crate::store::quarantine::Decider;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Gives up the plan in the making, and writes the refusal as an event of its own. If we die in between, nothing was prepared
/// and nothing is told of it.
pub async fn refuse(
    draft: PlanDraft,
    (laws, root, summary): (&Laws, &ContentsRoot, &PlanSummary),
    report: Report,
    unexplained: Vec<String>,
    by: Decider,
) -> Result<PlanError, PlanError> {
    let detail = detail(laws, root, summary, &report, &unexplained);
    draft.refuse(detail, by).await?;
    Ok(PlanError::Content { report, unexplained })
}

/// Rules and counts, never anything of a person's: what a plan says under `checked` and `check`, where one was made.
fn detail(
    laws: &Laws,
    root: &ContentsRoot,
    summary: &PlanSummary,
    report: &Report,
    unexplained: &[String],
) -> Map<String, Value> {
    let errors = report.times(|line| line.accept.is_none());
    let warnings = report.times(|line| line.accept.as_ref().is_some_and(|key| unexplained.contains(key)));
    let profiles: Vec<String> = laws.all().map(|law| plain(&law.rules.profile)).collect();
    let facts = [
        ("contents", json!(hex::encode(root.root()))),
        ("messages", json!(summary.checked)),
        ("plan", json!(summary.plan)),
        ("profiles", json!(profiles.join(","))),
        ("report", json!(hex::encode(report.digest()))),
        ("rules", json!(hex::encode(check::digest()))),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
    ];
    let counted = [("errors", errors), ("warnings", warnings)].into_iter().filter(|(_, rules)| !rules.is_empty());
    let counted = counted.map(|(name, rules)| (name, json!(words(&rules))));
    facts.into_iter().chain(counted).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `C055:3,C070:1`.
fn words(rules: &BTreeMap<&str, u64>) -> String {
    rules.iter().map(|(rule, times)| format!("{rule}:{times}")).collect::<Vec<_>>().join(",")
}

/// A profile with its version, in the characters that an event may have and a list of them needs.
fn plain(Profile { id, version, .. }: &Profile) -> String {
    format!("{id} {version}").chars().filter(|c| c.is_ascii_alphanumeric() || " .-_".contains(*c)).collect()
}
