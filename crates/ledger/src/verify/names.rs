//! Names of files: what stands where evidence stands, under a name that the format does not have, nobody would look at.

use super::report::{Code, Finding, Findings};
use crate::proof::parse_decimal;

/// Notes each such file of an incident's pack.
pub fn check(names: &[String], findings: &mut Findings) {
    for (name, code) in names.iter().filter_map(|name| Some((name, misnamed(name)?))) {
        findings.push(Finding::new(code, "the format has no file of this name").file(name));
    }
}

/// By which code a name is wrong, if it is.
fn misnamed(name: &str) -> Option<Code> {
    let from = |least: u64, text: &str| parse_decimal(text).is_some_and(|number| number >= least);
    let between = |start: &str, end: &str| Some(name.strip_prefix(start)?.strip_suffix(end).unwrap_or_default());
    let (code, is_right) = if let Some(list) = between("manifest.", ".jsonl") {
        (Code::Manifest, name == "manifest.jsonl" || from(2, list))
    } else if let Some(plan) = between("contents.", ".jsonl") {
        (Code::Contents, from(1, plan))
    } else if let Some(plan) = between("plans/", ".json") {
        (Code::Plan, from(1, plan))
    } else if let Some(of) = between("approvals/", ".json") {
        (Code::Approval, of.split_once('-').is_some_and(|(plan, i)| from(1, plan) && from(1, i)))
    } else if let Some(of) = name.strip_prefix("anchors/") {
        let kinds = ["tsr", "checkpoint", "cosig"];
        (Code::Anchor, of.split_once('.').is_some_and(|(size, kind)| from(0, size) && kinds.contains(&kind)))
    } else {
        return None;
    };
    (!is_right).then_some(code)
}
