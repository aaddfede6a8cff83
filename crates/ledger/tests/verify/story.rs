//! The story of which every damage is a variation: four people, one plan, every kind of way that a message goes.

use super::case::*;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Leaves of the story.
pub const FROZEN: usize = 1;
pub const SIGNED: usize = 2;
pub const PREPARED: usize = 3;
pub const APPROVED: usize = 4;
pub const STARTED: usize = 5;
/// Person 1: an SMS that arrives.
pub const INTENT_1: usize = 6;
pub const ACCEPTED_1: usize = 7;
pub const DELIVERED_1: usize = 8;
/// Person 2: an unknown call, absent, sent again, failed; a letter.
pub const INTENT_2: usize = 9;
pub const UNKNOWN_2: usize = 10;
pub const AGAIN_2: usize = 12;
pub const FAILED_2: usize = 14;
pub const LETTER_2: usize = 15;
/// Person 3: a hold that is lifted, a rejection.
pub const HOLD_3: usize = 18;
pub const LIFTED_3: usize = 19;
pub const INTENT_3: usize = 20;
/// Person 4: a repeat under the provider's guarantee, no news; open at the end.
pub const REPEAT_4: usize = 24;
pub const LATE_1: usize = 27;

const SMS: (&str, &str, u64) = ("sms", "first", 1);
const SMS_2: (&str, &str, u64) = ("sms", "first", 2);
const LETTER: (&str, &str, u64) = ("letter", "escalation", 1);

pub fn controller() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

pub fn approver() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

pub fn story() -> Case {
    let mut case = Case { keeps_chain: true, ..Case::default() };
    case.push("log.opened", None, json!({"format": 1, "generation": 1, "kind": "incident", "origin": origin()}));
    lists(&mut case);
    plan(&mut case);
    case.intent(1, SMS, false);
    case.tell(1, "message.accepted", SMS, json!({"code": "201", "to": "accepted"}));
    case.tell(1, "receipt", SMS, json!({"notice": "notified", "status": "delivered_to_handset", "to": "delivered_to_handset"}));

    case.intent(2, SMS, false);
    case.tell(2, "message.unknown", SMS, json!({"code": "cut", "ground": "answer", "to": "unknown"}));
    case.tell(2, "message.resolved", SMS, json!({"ground": "absent", "to": "ready"}));
    case.intent(2, SMS_2, false);
    case.tell(2, "message.accepted", SMS_2, json!({"code": "201", "to": "accepted"}));
    case.tell(2, "receipt", SMS_2, json!({"status": "failed", "to": "failed"}));
    case.intent(2, LETTER, false);
    case.tell(2, "message.accepted", LETTER, json!({"code": "201", "to": "accepted"}));
    case.tell(2, "receipt", LETTER, json!({"notice": "notified", "status": "handed_to_carrier", "to": "handed_to_carrier"}));

    let hold = json!({"command": COMMAND, "hold": "019355a0-0000-7000-8000-0000000000cc", "user": ALICE});
    case.push("hold.set", Some(3), hold.clone());
    case.push("hold.lifted", Some(3), hold);
    case.intent(3, SMS, false);
    case.tell(3, "message.rejected", SMS, json!({"code": "422", "notice": "unreachable", "to": "rejected"}));

    case.intent(4, SMS, false);
    case.tell(4, "message.unknown", SMS, json!({"ground": "lease", "to": "unknown"}));
    case.intent(4, SMS_2, true);
    case.tell(4, "message.accepted", SMS_2, json!({"code": "201", "to": "accepted"}));
    case.tell(4, "message.overdue", SMS_2, json!({"ground": "no_news", "to": "overdue"}));
    case.tell(1, "receipt.late", SMS, json!({"status": "sent"}));
    case
}

fn lists(case: &mut Case) {
    let (manifest, count, root) = lines((1..=4).map(manifest_line));
    case.files.insert("manifest.jsonl".into(), manifest);
    let frozen = json!({"count": count, "duplicates": 1, "list": 1, "quarantined": 1, "root": root, "rows": 6});
    case.push("list.frozen", None, frozen);
    let text = format!("duly/list/v1\n{INC}\n1\n{count}\n{root}\n");
    let signature = duly_ledger::to_hex(&controller().sign(text.as_bytes()).to_bytes());
    let key = duly_ledger::to_hex(controller().verifying_key().as_bytes());
    case.push("list.signed", None, json!({"count": count, "key": key, "list": 1, "root": root, "signature": signature}));
}

/// Writes plan 1 anew after `change`, with its approval and its hash in all its events.
pub fn rewrite_plan(case: &mut Case, change: impl FnOnce(&mut serde_json::Value)) {
    let mut body: serde_json::Value = serde_json::from_slice(&case.files["plans/1.json"]).unwrap();
    change(&mut body);
    let hash = sign_plan(case, &body);
    for event in case.events.iter_mut().filter(|event| event.kind.starts_with("plan.")) {
        event.detail.insert("hash".into(), json!(hash));
    }
}

fn sign_plan(case: &mut Case, body: &serde_json::Value) -> String {
    let body = body.to_string();
    let hash = duly_ledger::to_hex(&Sha256::digest(&body));
    case.files.insert("plans/1.json".into(), body.into_bytes());
    case.files.insert("approvals/1-1.json".into(), approval(&statement(&hash)));
    hash
}

/// What Bob signs to approve the plan.
pub fn statement(hash: &str) -> serde_json::Value {
    json!({
        "at": "2026-11-24T08:00:00Z", "command": "plan approve", "hash": hash, "incident": INC,
        "installation": "019355a0-0000-7000-8000-000000000003", "nonce": "07".repeat(16), "plan": 1, "v": 1,
    })
}

/// A file of Bob's signature over a statement.
pub fn approval(statement: &serde_json::Value) -> Vec<u8> {
    let statement = statement.to_string();
    let approval = json!({
        "key": duly_ledger::to_hex(approver().verifying_key().as_bytes()),
        "signature": duly_ledger::to_hex(&approver().sign(statement.as_bytes()).to_bytes()),
        "statement": statement,
        "user": BOB,
    });
    approval.to_string().into_bytes()
}

fn plan(case: &mut Case) {
    let (contents, people, contents_root) = lines((1..=4).map(contents_line));
    let (_, count, root) = lines((1..=4).map(manifest_line));
    case.files.insert("contents.1.jsonl".into(), contents);
    let closing = json!([
        {"channel": "letter", "content": "full", "state": "handed_to_carrier"},
        {"channel": "sms", "content": "full", "state": "delivered_to_handset"},
    ]);
    let body = json!({
        "contents": {"people": people, "root": contents_root}, "incident": INC,
        "lists": [{"list": 1, "people": count, "root": root}], "plan": 1, "profiles": {"uk-gdpr": {"closing": closing}},
        "sender": "Łódź \"A\"", "v": 1,
    });
    prepare(case, &body);
}

/// A plan over one large list.
pub fn large_plan(case: &mut Case, people: u32, root: &str, contents_root: &str) {
    let body = json!({
        "contents": {"people": people, "root": contents_root}, "incident": INC,
        "lists": [{"list": 1, "people": people, "root": root}], "plan": 1,
        "profiles": {"uk-gdpr": {"closing": [{"channel": "sms", "content": "full", "state": "delivered_to_handset"}]}}, "v": 1,
    });
    prepare(case, &body);
}

fn prepare(case: &mut Case, body: &serde_json::Value) {
    let hash = sign_plan(case, body);
    for (kind, user) in [("plan.prepared", ALICE), ("plan.approved", BOB), ("plan.started", ALICE)] {
        case.push(kind, None, json!({"command": COMMAND, "hash": hash, "plan": 1, "user": user}));
    }
}

#[test]
fn a_good_pack_is_good_and_says_what_became_of_everybody() {
    let report = story().report();
    assert_eq!(found(&report), []);
    assert_eq!(report.exit_code(), 0);
    let e = &report.equation;
    assert_eq!((e.people, e.notified, e.unreachable, e.open), (4, 2, 1, 1));
    assert_eq!(report.open_people, [person(4)]);
    assert_eq!(report.channels["sms"], [("claimed", 6), ("accepted", 3)].into());
    assert_eq!(report.channels["letter"], [("claimed", 1), ("accepted", 1)].into());
    assert_eq!(report.newest_event.as_deref(), Some("2026-11-24T08:45:04.000000Z"));
    assert_eq!(report.not_looked_at, 0);
    let text = report.to_string();
    assert!(text.starts_with("GOOD"));
    assert!(text.contains("4 = 2 notified + 1 unreachable + 0 exempt + 0 withdrawn + 1 open"), "{text}");
    assert!(text.contains("no time stamp and no witness"));
    assert_eq!(report.to_json()["verdict"], "good");
}

/// A leaf's index, as findings name it.
pub fn leaf(i: usize) -> Option<u64> {
    Some(i as u64)
}

/// The new leaf's index, where nobody needs it.
pub fn let_go(_: usize) {}

/// The story with one change.
pub fn changed(change: impl FnOnce(&mut Case)) -> Case {
    let mut case = story();
    change(&mut case);
    case
}
