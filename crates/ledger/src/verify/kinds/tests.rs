//! Fields that go together, and one event of each kind.

use super::*;
use crate::verify::scan::scan;
use crate::verify::states::Word;

#[test]
fn what_somebody_declared_names_their_signature_and_nothing_else_does() {
    let line =
        include_str!("../../../tests/kinds.jsonl").lines().find(|line| line.contains("\"k\":\"receipt\"")).unwrap_or_default();
    let fault = |change: &dyn Fn(&str) -> String| {
        let line = change(line);
        scan(line.as_bytes()).and_then(|fact| Kind::of(fact.kind).and_then(|kind| kind.fault(&fact)))
    };
    let without = |line: &str| {
        let (before, rest) = line.split_once("\"body\":\"").unwrap_or_default();
        let after = rest.split_once("\",").unwrap_or_default().1;
        format!("{before}{after}").replace("\"scheme\":\"hmac-sha256\",", "").replace("\"claimed_by\":\"network\",", "")
    };
    let command = "\"command\":\"019355a0-0000-7000-8000-000000000002\",";
    let signed = |line: &str| {
        let user = "\"status\":\"delivered_to_handset\",\"to\":\"delivered_to_handset\",\"user\":\"019355a0-0000-7000-8000-000000000002\"";
        let line = line.replace("\"notice\"", &format!("{command}\"ground\":\"declared\",\"notice\""));
        line.replace("\"status\":\"delivered_to_handset\",\"to\":\"delivered_to_handset\"", user)
    };
    assert_eq!(fault(&|line| signed(&without(line))), None);
    assert!(fault(&|line| signed(line)).is_some(), "a signature and a receipt's body");
    assert!(fault(&|line| signed(&without(line)).replace(command, "")).is_some(), "nobody's word");
    let network = |line: &str| signed(&without(line)).replace(command, &format!("\"claimed_by\":\"network\",{command}"));
    assert!(fault(&network).is_some(), "a named person's word, and a network's");
    assert!(fault(&|line| signed(&without(line)).replace("declared", "polled")).is_some(), "a provider's word, signed");
}

#[test]
fn every_golden_event_has_the_fields_of_its_kind() {
    let mut kinds = Vec::new();
    for line in include_str!("../../../tests/kinds.jsonl").lines() {
        let fact = scan(line.as_bytes());
        assert!(fact.is_some(), "{line}");
        let Some(fact) = fact else { continue };
        let kind = Kind::of(fact.kind);
        assert_eq!(kind.map(|kind| kind.fault(&fact)), Some(None), "{line}");
        kinds.extend(kind);
    }
    kinds.sort();
    assert_eq!(kinds, Kind::ALL);
}
