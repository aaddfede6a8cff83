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

#[test]
fn plan_one_that_has_not_gone_may_be_withdrawn_and_nothing_goes_under_it() {
    let withdrawn = changed(|c| {
        let mut event = c.events[STARTED].clone();
        event.kind = "plan.withdrawn".into();
        c.events.truncate(STARTED);
        c.events.push(event);
    });
    assert_eq!(withdrawn.found(), []);
    let running = changed(|c| {
        let detail = Value::Object(c.events[STARTED].detail.clone());
        let_go(c.push("plan.withdrawn", None, detail));
    });
    assert_eq!(running.found(), [("plan", leaf(28))]);
    let sent = changed(|c| {
        c.events[STARTED].kind = "plan.withdrawn".into();
        c.events.truncate(INTENT_1 + 2);
    });
    assert_eq!(sent.found(), [("no_plan", leaf(INTENT_1))]);
}

#[test]
fn notice_a_decision_that_is_taken_back_lets_the_message_go_and_no_other_notice_comes_back() {
    let exempt = || json!({"command": COMMAND, "notice": "exempt", "phase": 1, "user": ALICE});
    let reopened = |notice: &str| json!({"command": COMMAND, "notice": notice, "phase": 1, "user": ALICE});
    // Person 3 is unreachable, of 4 a call had no news.
    let good = changed(|c| {
        for (person, back) in [(3, "unreachable"), (4, "open")] {
            let_go(c.push("notice.exempt", Some(person), exempt()));
            let_go(c.push("notice.reopened", Some(person), reopened(back)));
        }
    });
    assert_eq!(good.found(), []);
    let e = good.report().equation;
    assert_eq!((e.notified, e.unreachable, e.exempt, e.withdrawn, e.open), (2, 1, 0, 0, 1));
    let nobody = changed(|c| let_go(c.push("notice.reopened", Some(4), reopened("open"))));
    assert_eq!(nobody.found(), [("notice", leaf(28))]);
    let not_told = changed(|c| {
        let_go(c.push("notice.exempt", Some(4), exempt()));
        let_go(c.push("notice.reopened", Some(4), reopened("notified")));
    });
    assert_eq!(not_told.found(), [("notice", leaf(29))]);
    let to_another_end = changed(|c| {
        let_go(c.push("notice.exempt", Some(4), exempt()));
        let_go(c.push("notice.reopened", Some(4), reopened("withdrawn")));
    });
    assert_eq!(to_another_end.found(), [("fields", leaf(29))]);
    let sent_after = changed(|c| {
        c.events.truncate(INTENT_1);
        c.push("notice.exempt", Some(1), exempt());
        c.push("notice.reopened", Some(1), reopened("open"));
        let_go(c.intent(1, ("sms", "first", 1), false));
    });
    assert_eq!(sent_after.found(), []);
}

#[test]
fn notice_a_decision_ends_what_nobody_was_told_and_nothing_is_sent_after_it() {
    let exempt = || json!({"command": COMMAND, "notice": "exempt", "phase": 1, "user": ALICE});
    let told = || json!({"command": COMMAND, "ground": "by_phone", "notice": "withdrawn", "phase": 1, "user": ALICE});
    // Person 1 is notified, 3 unreachable, of 4 a call had no news.
    let good = changed(|c| {
        let_go(c.push("notice.withdrawn", Some(3), told()));
        let_go(c.push("notice.exempt", Some(4), exempt()));
    });
    assert_eq!(good.found(), []);
    let e = good.report().equation;
    assert_eq!((e.notified, e.unreachable, e.exempt, e.withdrawn, e.open), (2, 0, 1, 1, 0));
    assert_eq!(changed(|c| let_go(c.push("notice.exempt", Some(1), exempt()))).found(), [("notice", leaf(28))]);
    let twice = changed(|c| (0..2).for_each(|_| let_go(c.push("notice.exempt", Some(4), exempt()))));
    assert_eq!(twice.found(), [("notice", leaf(29))]);
    let leaving = changed(|c| {
        c.events.truncate(INTENT_1 + 1);
        let_go(c.push("notice.exempt", Some(1), exempt()));
    });
    assert_eq!(leaving.found(), [("notice", leaf(INTENT_1 + 1))]);
    let sent = changed(|c| {
        c.events.truncate(INTENT_1);
        c.push("notice.withdrawn", Some(1), told());
        let_go(c.intent(1, ("sms", "first", 1), false));
    });
    assert_eq!(sent.found(), [("no_cause", leaf(INTENT_1 + 1))]);
    let without_how = changed(|c| let_go(c.push("notice.withdrawn", Some(4), exempt())));
    assert_eq!(without_how.found(), [("fields", leaf(28))]);
}
