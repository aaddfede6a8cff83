//! Whatever follows another message of a person has its cause, by whatever name it goes.

use super::case::*;
use super::story::*;
use serde_json::json;

type Of = (&'static str, &'static str, u64);

/// The story with a further call at its end, which the provider takes.
fn further(number: u8, of: Of) -> Case {
    changed(|case| {
        case.intent(number, of, false);
        let_go(case.tell(number, "message.accepted", of, json!({"code": "201", "to": "accepted"})));
    })
}

const LAST: usize = LATE_1 + 1;

#[test]
fn no_cause_a_message_sent_again_that_had_not_failed_on_its_channel() {
    for of in [("sms", "resend", 1), ("sms", "escalation", 1)] {
        assert_eq!(further(1, of).found(), [("no_cause", leaf(LAST))], "the text has arrived: {of:?}");
    }
    assert_eq!(further(2, ("letter", "first", 1)).found(), [("no_cause", leaf(LAST))], "the letter was posted");
    assert_eq!(
        further(2, ("sms", "resend", 1)).found(),
        [("no_cause", leaf(LAST))],
        "the text had failed, and the letter notified"
    );
    let failed = changed(|case| {
        case.events.truncate(FAILED_2 + 1);
        let_go(case.intent(2, ("sms", "resend", 1), false));
    });
    assert_eq!(failed.found(), [], "the text had failed");
    assert_eq!(further(3, ("letter", "resend", 1)).found(), [("no_cause", leaf(LAST))], "no letter was sent before");
    let while_open = changed(|case| {
        case.events.truncate(INTENT_1 + 1);
        let_go(case.intent(1, ("sms", "resend", 1), false));
    });
    assert_eq!(while_open.found(), [("no_cause", leaf(INTENT_1 + 1))]);
}

#[test]
fn no_cause_a_correction_or_further_phase_under_the_plan_that_has_told_already() {
    assert_eq!(further(1, ("sms", "correction", 1)).found(), [("no_cause", leaf(LAST))]);
    let phase_2 = changed(|case| {
        case.intent(1, ("sms", "first", 1), false);
        case.set(LAST, "phase", json!(2));
        case.set(LAST, "attempt", json!(1));
    });
    assert_eq!(phase_2.found(), [("no_cause", leaf(LAST))]);
}

#[test]
fn approval_fewer_than_the_plan_asks_for() {
    let asks_for = |needed: u64| changed(|case| rewrite_plan(case, |body| body["approvals"] = json!(needed)));
    assert_eq!(asks_for(1).found(), []);
    assert_eq!(asks_for(2).found(), [("approval", leaf(STARTED))]);
    let carol = "019355a0-0000-7000-8000-0000000000ca";
    for (user, is_bobs_key) in [(BOB, true), (carol, true), (carol, false)] {
        let twice = changed(|case| {
            rewrite_plan(case, |body| body["approvals"] = json!(2));
            let mut file: serde_json::Value = serde_json::from_slice(&case.files["approvals/1-1.json"]).unwrap();
            file["user"] = json!(user);
            if !is_bobs_key {
                signed_by_another(&mut file);
            }
            case.files.insert("approvals/1-2.json".into(), file.to_string().into_bytes());
            let mut again = case.events[APPROVED].clone();
            again.id = "019355a0-0000-7000-8000-0000000000cb".into();
            again.detail.insert("user".into(), json!(user));
            case.events.insert(APPROVED + 1, again);
        });
        let expected = if is_bobs_key { vec![("approval", leaf(STARTED + 1))] } else { vec![] };
        assert_eq!(twice.found(), expected, "{user}: {is_bobs_key}");
    }
}

fn signed_by_another(file: &mut serde_json::Value) {
    use ed25519_dalek::{Signer as _, SigningKey};
    let key = SigningKey::from_bytes(&[77; 32]);
    let signature = key.sign(file["statement"].as_str().unwrap().as_bytes());
    file["key"] = json!(duly_ledger::to_hex(key.verifying_key().as_bytes()));
    file["signature"] = json!(duly_ledger::to_hex(&signature.to_bytes()));
}

#[test]
fn notice_and_contents_a_plan_that_says_nothing_allows_nothing() {
    let no_table = changed(|case| rewrite_plan(case, |body| body["profiles"]["uk-gdpr"] = json!({})));
    assert!(no_table.found().iter().all(|(code, _)| *code == "notice") && !no_table.found().is_empty(), "{:?}", no_table.found());
    let nobody = changed(|case| {
        rewrite_plan(case, |body| body["contents"] = json!({"people": 0, "root": "00".repeat(32)}));
        case.files.remove("contents.1.jsonl");
    });
    assert_eq!(nobody.found(), [("contents", leaf(PREPARED))]);
}
