//! Fields that go together, and one event of each kind.

use super::*;
use crate::event::Event;
use crate::verify::scan::scan;
use crate::verify::states::Word;
use std::collections::BTreeSet;

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

/// The table of the published format, read as it is printed there, against every field of every golden event.
#[test]
fn the_values_of_fields_are_those_of_the_published_format() {
    let format = include_str!("../../../../../docs/evidence-format.md");
    let table = format.split("\n## Values of fields\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let spans = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let golden = || include_str!("../../../tests/kinds.jsonl").lines().filter_map(|line| Event::parse(line.as_bytes()).ok());
    let (mut named, mut tried) = (BTreeSet::new(), 0);
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').skip(1).collect();
        let cell = |i: usize| cells.get(i).copied().unwrap_or_default();
        let examples: Vec<(String, bool)> = [(2, true), (3, false)]
            .into_iter()
            .flat_map(|(i, fits)| spans(cell(i)).into_iter().map(move |e| (e, fits)))
            .collect();
        for name in spans(cell(0)) {
            for event in golden().filter(|event| event.detail.contains_key(&name)) {
                for (example, fits) in &examples {
                    let mut event = event.clone();
                    event.detail.insert(name.clone(), serde_json::from_str(example).unwrap_or_default());
                    let bytes = event.to_bytes().unwrap_or_default();
                    let fault = scan(&bytes).and_then(|fact| Kind::of(fact.kind).and_then(|kind| kind.fault(&fact)));
                    let is_refused = fault == Some(format!("its field `{name}` holds something else than it may"));
                    assert!(!bytes.is_empty() && is_refused != *fits, "{} {name} {example}: {fault:?}", event.kind);
                    tried += 1;
                }
            }
            named.insert(name);
        }
    }
    assert!(tried > 500, "{tried}");
    for event in golden() {
        let unnamed: Vec<&String> = event.detail.keys().filter(|name| !named.contains(*name)).collect();
        assert!(unnamed.is_empty(), "{}: {unnamed:?}", event.kind);
    }
}
