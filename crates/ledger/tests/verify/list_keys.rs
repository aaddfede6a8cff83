//! The controller's signature under a list: whose key it is, only the reader knows.

use super::case::*;
use super::person::pack;
use super::story::*;
use duly_ledger::verify::{Options, Report};
use std::collections::BTreeMap;

fn by(files: &BTreeMap<String, Vec<u8>>, keys: &[[u8; 32]]) -> Report {
    check_with(files, &Options { list_keys: keys.to_vec(), ..Options::default() })
}

fn packs() -> [BTreeMap<String, Vec<u8>>; 2] {
    [story().pack_files(), pack(&story(), 1)]
}

#[test]
fn where_the_reader_names_the_controllers_list_key_no_other_key_signs_a_list() {
    let key = controller().verifying_key().to_bytes();
    let signed = format!("list 1 is signed by the key {}", duly_ledger::to_hex(&key));
    for files in packs() {
        let good = by(&files, &[[9; 32], key]);
        assert_eq!((good.exit_code(), found(&good)), (0, vec![]));
        assert!(good.checked.contains(&format!("{signed}, which you named")), "{good}");
        assert_eq!(found(&by(&files, &[[9; 32]])), [("list_signature", leaf(SIGNED))]);
        // Named by nobody: whoever makes the pack can have made the key, and nothing calls it the controller's.
        let unnamed = by(&files, &[]);
        assert!(
            unnamed.checked.contains(&format!("{signed}; compare it with the one that the controller gave you")),
            "{unnamed}"
        );
        assert!(!unnamed.to_string().contains("controller's key"), "{unnamed}");
    }
}

#[test]
fn a_list_that_nobody_signed_is_not_checked_by_the_key_that_the_reader_named() {
    let key = controller().verifying_key().to_bytes();
    let unsigned = changed(|case| case.events.retain(|event| event.kind != "list.signed")).pack_files();
    assert_eq!(check(&unsigned).exit_code(), 0);
    let report = by(&unsigned, &[key]);
    assert_eq!((report.exit_code(), found(&report)), (2, vec![]));
    assert!(report.to_string().contains("no list is signed, so the list keys that you named checked nothing"), "{report}");

    // One list more, which is empty: its signature is missed by its number.
    let one_of_two = changed(|case| {
        let mut frozen = case.events[FROZEN].clone();
        frozen.id = "019355a0-0000-7000-8000-0000000000cd".into();
        let root = duly_ledger::to_hex(&duly_ledger::Appender::new().root());
        let detail = serde_json::json!({"count": 0, "duplicates": 0, "list": 2, "quarantined": 0, "root": root, "rows": 0});
        frozen.detail = detail.as_object().unwrap().clone();
        case.events.insert(SIGNED + 1, frozen);
        case.files.insert("manifest.2.jsonl".into(), Vec::new());
    });
    let report = by(&one_of_two.pack_files(), &[key]);
    assert_eq!((report.exit_code(), found(&report)), (2, vec![]));
    assert!(report.to_string().contains("nobody signed list 2: of it"), "{report}");
}
