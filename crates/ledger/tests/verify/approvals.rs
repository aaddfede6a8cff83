//! Signatures under a plan: of somebody else, over exactly that, for this installation.

use super::case::*;
use super::story::*;
use duly_ledger::verify::{Options, Report};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The story with one field of one leaf changed.
fn with(at: usize, field: &str, value: Value) -> Case {
    changed(|case| case.set(at, field, value))
}

#[test]
fn approval_by_nobody_by_the_same_or_of_another_plan() {
    let own = with(APPROVED, "user", json!(ALICE));
    assert_eq!(own.found(), [("approval", leaf(APPROVED))]);
    // Also where the signature itself is good.
    assert_eq!(with(PREPARED, "user", json!(BOB)).found(), [("approval", leaf(APPROVED))]);
    let gone = changed(|case| drop(case.files.remove("approvals/1-1.json")));
    assert_eq!(gone.found(), [("approval", leaf(APPROVED))]);
    for (from, to) in [("plan approve", "plan go"), ("\\\"plan\\\":1", "\\\"plan\\\":2")] {
        let forged = changed(|case| {
            let text = String::from_utf8(case.files["approvals/1-1.json"].clone()).unwrap();
            assert!(text.contains(from));
            case.files.insert("approvals/1-1.json".into(), text.replace(from, to).into_bytes());
        });
        assert_eq!(forged.found(), [("approval", leaf(APPROVED))]);
    }
    // Signed well, for something else, or for no installation.
    for (field, value) in
        [("command", json!("plan go")), ("hash", json!("00")), ("incident", json!(BOB)), ("installation", json!("staging"))]
    {
        let elsewhere = changed(|case| {
            let hash = duly_ledger::to_hex(&Sha256::digest(&case.files["plans/1.json"]));
            let mut words = statement(&hash);
            words[field] = value.clone();
            case.files.insert("approvals/1-1.json".into(), approval(&words));
        });
        assert_eq!(elsewhere.found(), [("approval", leaf(APPROVED))], "{field}");
    }
}

#[test]
fn two_approvals_for_two_installations_are_not_both_of_this_log() {
    let carol = "019355a0-0000-7000-8000-0000000000ca";
    let twice = |installation: &str| {
        changed(|case| {
            let hash = duly_ledger::to_hex(&Sha256::digest(&case.files["plans/1.json"]));
            let mut words = statement(&hash);
            words["installation"] = json!(installation);
            words["nonce"] = json!("08".repeat(16));
            let mut file: Value = serde_json::from_slice(&approval(&words)).unwrap();
            file["user"] = json!(carol);
            case.files.insert("approvals/1-2.json".into(), file.to_string().into_bytes());
            let mut again = case.events[APPROVED].clone();
            again.id = "019355a0-0000-7000-8000-0000000000cb".into();
            again.detail.insert("user".into(), json!(carol));
            case.events.insert(APPROVED + 1, again);
        })
    };
    let here = statement("")["installation"].as_str().unwrap().to_owned();
    assert!(twice(&here).found().is_empty());
    assert_eq!(twice("019355a0-0000-7000-8000-0000000000aa").found(), [("approval", leaf(APPROVED + 1))]);
}

#[test]
fn where_the_reader_names_the_approvers_keys_no_other_key_approves() {
    let by = |keys: &[[u8; 32]]| check_with(&story().pack_files(), &Options { approvers: keys.to_vec(), ..Options::default() });
    let limit = |report: &Report| report.limits().iter().any(|limit| limit.contains("keys of approvers"));
    let key = approver().verifying_key().to_bytes();
    let good = by(&[[9; 32], key]);
    assert_eq!((found(&good), limit(&good)), (vec![], false));
    assert!(good.checked.iter().any(|line| line == "each approval by a key that you named"));
    assert_eq!(found(&by(&[[9; 32]])), [("approval", leaf(APPROVED))]);
    // Named by nobody: whoever makes the pack can have made the key, and the report says so.
    assert!(limit(&by(&[])));
}
