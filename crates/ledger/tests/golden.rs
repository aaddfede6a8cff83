//! Bytes and vectors that must never change; the figures were computed in Python, not by this crate.

#![expect(clippy::panic, reason = "tests")]

use duly_ledger::{
    Event, EventError, Frontier, KEY_CHANGED, KeyChange, KeyChangeError, PersonKey, commit, leaf_hash, to_hex, verify,
};

const GOLDEN: &str = concat!(
    r#"{"d":{"phase":1},"id":"019355a0-0000-7000-8000-000000000001","#,
    r#""inc":"019355a0-0000-7000-8000-000000000002","k":"message.intent","n":1,"#,
    r#""p":"abababababababababababababababab","prev":null,"t":"2025-11-24T22:40:05.000001Z","v":1}"#
);

#[test]
fn a_golden_event_keeps_its_bytes() {
    let event = Event::parse(GOLDEN.as_bytes());
    assert_eq!(event.and_then(|e| e.to_bytes()), Ok(GOLDEN.as_bytes().to_vec()));
}

#[test]
fn a_contradictory_place_in_the_chain_is_refused() {
    let later = GOLDEN.replace(r#""n":1"#, r#""n":2"#);
    assert_eq!(Event::parse(later.as_bytes()), Err(EventError::Chain));
    let nobody = GOLDEN.replace(r#""p":"abababababababababababababababab","#, "");
    assert_eq!(Event::parse(nobody.as_bytes()), Err(EventError::Chain));
}

#[test]
fn a_commitment_equals_that_of_another_implementation() {
    let key = PersonKey::new(std::array::from_fn(|i| i as u8));
    let sealed = commit(&key, "phone", b"+447700900123");
    assert_eq!(to_hex(&sealed), "9b13f02841baa7d1addeadb0610eb2d8ce2fdea565aefe4f3aacddae2f6b9aa5");
    assert!(verify(&key, "phone", b"+447700900123", &sealed));
    assert_eq!(format!("{key:?}"), "PersonKey(…)");
}

#[test]
fn roots_at_tile_edges_equal_those_of_another_implementation() {
    let mut tree = Frontier::new();
    for i in 0..65537 {
        tree.append(leaf_hash(format!("{{\"i\":{i}}}").as_bytes()));
        let expected = match tree.size() {
            255 => "f87f4c856274911fc8fdeef2e774a5d5332ac80b75b076fb110667115c3b9b05",
            256 => "7ef0de1496341fac3fe8bdfa1cb4f4d63c91f142744b35376e9265b6af758610",
            257 => "0e8fc2091cbee27032d5518617b3598799129470d5a620b39ac1af4f9c867464",
            65535 => "6cb6565a08a262a46423a6a3991404312d32bf8ef684b04b6f9231f46052555c",
            65536 => "aa1d71dbd31ad4da83db0a038fd1261b5ea1a4abdac4952a9bbff65f6e1fba4b",
            65537 => "b18500d853f144f2a2a5a2ab9362bfd33ffccbe1d790f26c2ea3a1ab57047715",
            _ => continue,
        };
        assert_eq!(to_hex(&tree.root()), expected);
    }
}

/// One event of each kind; written, hashed and chained in Python.
const KINDS: &str = include_str!("kinds.jsonl");
const FORMAT: &str = include_str!("../../../docs/evidence-format.md");

#[test]
fn each_kind_keeps_its_bytes_and_its_leaf() {
    let mut tree = Frontier::new();
    for line in KINDS.lines() {
        assert_eq!(Event::parse(line.as_bytes()).and_then(|e| e.to_bytes()), Ok(line.as_bytes().to_vec()), "{line}");
        tree.append(leaf_hash(line.as_bytes()));
    }
    assert_eq!(to_hex(&tree.root()), "0c2725aef38cd423b5ecba4d632d7c75737f72a412dafcb74ccebd2b5a4cc3a1");
}

#[test]
fn a_change_of_the_logs_key_that_was_signed_elsewhere_holds_at_its_place() {
    let mut events = KINDS.lines().filter_map(|line| Event::parse(line.as_bytes()).ok());
    let origin = events.next().and_then(|opened| opened.detail["origin"].as_str().map(str::to_owned)).unwrap_or_default();
    let Some((index, event)) = (1..).zip(events).find(|(_, event)| event.kind == KEY_CHANGED) else { panic!("no change") };
    assert_eq!(KeyChange::sign(&origin, index, &[0x0b; 32], &[0x0c; 32]), event.detail);
    let change = KeyChange::read(&event, &origin, index);
    assert_eq!(
        change.map(|change| (change.size, to_hex(&change.old), to_hex(&change.new))),
        Ok((
            56,
            "66be7e332c7a453332bd9d0a7f7db055f5c5ef1a06ada66d98b39fb6810c473a".to_owned(),
            "0b513ad9b4924015ca0902ed079044d3ac5dbec2306f06948c10da8eb6e39f2d".to_owned()
        ))
    );
    assert_eq!(KeyChange::read(&event, &origin, 57), Err(KeyChangeError::Size));
}

#[test]
fn the_published_format_names_each_kind_and_each_of_its_fields() {
    let kinds = FORMAT.split("\n## Kinds\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let rows: Vec<&str> = kinds.lines().filter(|line| line.starts_with("| `")).collect();
    let of_messages =
        FORMAT.split("### Events of a message").nth(1).and_then(|rest| rest.split("| kind |").next()).unwrap_or_default();
    let mut golden = Vec::new();
    for event in KINDS.lines().filter_map(|line| Event::parse(line.as_bytes()).ok()) {
        let row = rows.iter().position(|row| row.starts_with(&format!("| `{}` |", event.kind)));
        let Some(row) = row else { panic!("{} is not in the published format", event.kind) };
        // "as above" and "as `receipt`" point to a row before.
        let above = rows[..=row].join("\n");
        for field in event.detail.keys() {
            let is_named = [&above, of_messages]
                .iter()
                .any(|text| text.contains(&format!("`{field}`")) || text.contains(&format!("`{field}?`")));
            assert!(is_named, "{} has a field `{field}` that the published format does not name", event.kind);
        }
        golden.push(event.kind);
    }
    let published = rows.iter().filter_map(|row| row.split('`').nth(1)).filter(|word| word.contains('.') || *word == "receipt");
    for kind in published {
        assert!(golden.iter().any(|k| k == kind), "{kind} has no golden event");
    }
}
