//! A closed incident: what may still be told of it, and what may not.

use super::case::*;
use super::story::*;
use serde_json::{Value, json};

#[test]
fn closed_a_call_a_list_or_a_plan_while_the_incident_is_closed() {
    let close = |open: u64, more: Value| {
        let mut detail =
            json!({"asked": 0, "command": COMMAND, "missing": 0, "open": open, "quarantined": 0, "unknown": 0, "user": ALICE});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        detail
    };
    let reopened = json!({"command": COMMAND, "reason": "more people", "user": ALICE});
    let late = changed(|c| {
        let_go(c.push("incident.closed", None, close(2, json!({"reason": "abroad"}))));
        let_go(c.tell(1, "receipt.late", ("sms", "first", 1), json!({"status": "sent"})));
        let_go(c.push("incident.reopened", None, reopened.clone()));
        let_go(c.push("incident.closed", None, close(0, json!({}))));
    });
    assert_eq!(late.found(), []);
    assert_eq!(changed(|c| let_go(c.push("incident.closed", None, close(1, json!({}))))).found(), [("fields", leaf(28))]);
    assert_eq!(changed(|c| let_go(c.push("incident.reopened", None, reopened.clone()))).found(), [("closed", leaf(28))]);
    let twice = changed(|c| (0..2).for_each(|_| let_go(c.push("incident.closed", None, close(0, json!({}))))));
    assert_eq!(twice.found(), [("closed", leaf(29))]);
    let sent = changed(|c| {
        c.events.truncate(INTENT_1);
        c.push("incident.closed", None, close(4, json!({"reason": "enough"})));
        let_go(c.intent(1, ("sms", "first", 1), false));
    });
    assert_eq!(sent.found(), [("closed", leaf(INTENT_1 + 1))]);
}
