//! The report for programs: keys that stay.

use super::report::{Anchor, Code, Equation, FailedAudit, Finding, Report, Verdict};
use super::states::Word;
use crate::hash::to_hex;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Equation {
    /// The counts by their words.
    pub fn to_json(&self) -> Value {
        json!({
            "people": self.people, "notified": self.notified, "unreachable": self.unreachable, "exempt": self.exempt,
            "withdrawn": self.withdrawn, "open": self.open,
        })
    }
}

impl Report {
    /// The same content as the text.
    pub fn to_json(&self) -> Value {
        let (verdict, reason) = match &self.verdict {
            Verdict::Good => ("good", None),
            Verdict::Bad => ("bad", None),
            Verdict::TooOld => ("too_old", Some("this verifier is too old".to_owned())),
            Verdict::Unchecked(why) => ("unchecked", Some(why.clone())),
        };
        let people: Vec<String> = self.open_people.iter().map(|id| format!("p_{}", to_hex(id))).collect();
        let by_code = |counts: &BTreeMap<Code, u64>| -> serde_json::Map<String, Value> {
            counts.iter().map(|(code, n)| (code.as_str().to_owned(), json!(n))).collect()
        };
        json!({
            "verdict": verdict,
            "reason": reason,
            "kind": self.kind,
            "origin": self.origin,
            "size": self.size,
            "root": to_hex(&self.root),
            "generations": self.generations,
            "checked": self.checked,
            "equation": self.equation.to_json(),
            "channels": self.channels,
            "not_certain": {
                "possible_duplicates": self.counted.possible_duplicates, "repeats": self.counted.repeats,
                "without_call": self.counted.without_call,
            },
            "not_live": self.rehearsal.not_live.iter().map(|(plan, lanes)| (plan.to_string(), json!(lanes))).collect::<serde_json::Map<_, _>>(),
            "lanes_unsaid": self.rehearsal.unsaid,
            "rehearsal": self.rehearsal.lines(),
            "events": self.events,
            "newest_event": self.newest_event,
            "anchors": self.anchors.iter().map(anchor).collect::<Vec<_>>(),
            "open_people": people,
            "own_list": self.own_list,
            "approvers": self.approvers,
            "failed_audits": self.failed_audits.iter().map(failed_audit).collect::<Vec<_>>(),
            "finding_counts": by_code(&self.findings.counts),
            "follow_counts": by_code(&self.findings.follow),
            "findings": self.findings.kept.iter().map(finding).collect::<Vec<_>>(),
            "not_looked_at": self.not_looked_at,
            "limits": self.limits(),
        })
    }
}

fn anchor(anchor: &Anchor) -> Value {
    json!({"size": anchor.size, "by": anchor.by, "at": anchor.at, "verified": anchor.is_verified, "command": anchor.command})
}

fn failed_audit(audit: &FailedAudit) -> Value {
    json!({
        "generation": audit.generation, "leaf": audit.leaf, "at": audit.at, "findings": audit.findings, "codes": audit.codes,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "generation": finding.generation,
        "leaf": finding.leaf,
        "person": finding.person.map(|id| format!("p_{}", to_hex(&id))),
        "file": finding.file,
        "text": finding.text,
    })
}
