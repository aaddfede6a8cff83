//! Who counts as told, and by what: nothing that was never called is reported, nobody is called once notified, no notice
//! ends but by what ends it, and what nobody can be certain of is counted.

use super::case::*;
use super::person::pack;
use super::story::*;
use duly_ledger::verify::Counted;
use serde_json::{Value, json};

const SMS: (&str, &str, u64) = ("sms", "first", 1);
const NEVER: (&str, &str, u64) = ("sms", "first", 0);
const LETTER: (&str, &str, u64) = ("letter", "first", 1);

fn delivered() -> Value {
    json!({"notice": "notified", "status": "delivered_to_handset", "to": "delivered_to_handset"})
}

fn reconciled(case: &mut Case) -> usize {
    case.push("restore.reconciled", None, json!({"command": COMMAND, "held": 0, "imported": 0, "unknown": 1, "user": ALICE}))
}

fn forgotten(case: &mut Case, id: u8) -> usize {
    case.tell(id, "message.unknown", NEVER, json!({"ground": "restored", "to": "unknown"}))
}

#[test]
fn nobody_is_notified_by_a_report_of_a_message_that_was_never_called() {
    let reported = changed(|c| {
        c.events.truncate(INTENT_1);
        c.tell(1, "receipt", NEVER, delivered());
    });
    assert_eq!(reported.found(), [("move", leaf(INTENT_1))]);
    assert_eq!(found(&check(&pack(&reported, 1))).first(), Some(&("move", leaf(INTENT_1))), "nor in their own pack");
    let accepted =
        changed(|c| let_go(c.tell(4, "message.accepted", ("letter", "first", 0), json!({"code": "201", "to": "accepted"}))));
    assert_eq!(accepted.found(), [("move", leaf(28))]);
    let late = changed(|c| let_go(c.tell(4, "receipt.late", ("letter", "first", 0), json!({"status": "sent"}))));
    assert_eq!(late.found().first(), Some(&("move", leaf(28))));
}

#[test]
fn what_a_restore_forgot_is_found_after_it_and_counted_and_not_before() {
    let after = |steps: &dyn Fn(&mut Case)| {
        changed(|c| {
            c.events.truncate(INTENT_1);
            steps(c);
            c.tell(1, "message.resolved", NEVER, json!({"ground": "found", "to": "accepted"}));
            c.tell(1, "receipt", NEVER, delivered());
        })
    };
    let good = after(&|c| {
        forgotten(c, 1);
        reconciled(c);
    });
    assert_eq!(good.found(), []);
    assert_eq!(good.report().counted, Counted { without_call: 1, ..Counted::default() });
    assert_eq!(
        found(&check(&pack(&good, 1))),
        [("opening", None)],
        "of the person's pack only the message without a call is missing"
    );
    // Nothing is found while nobody has reconciled, or where it was before this message was forgotten.
    for (never, at) in [
        (after(&|c| let_go(forgotten(c, 1))), INTENT_1 + 1),
        (after(&|c| let_go((reconciled(c), forgotten(c, 1)).1)), INTENT_1 + 2),
    ] {
        assert_eq!(never.found(), [("move", leaf(at)), ("move", leaf(at + 1))]);
    }
}

#[test]
fn whoever_was_notified_is_called_no_more_but_for_a_correction_and_an_alert_beside_the_letter() {
    let letter_after = changed(|c| let_go(c.intent(1, LETTER, false)));
    assert_eq!(letter_after.found(), [("no_cause", leaf(28))]);
    assert_eq!(found(&check(&pack(&letter_after, 1))), [("no_cause", leaf(28))]);
    // A letter that notified, and a text in the morning: an alert, where the plan has people who get both.
    let text_after = |routes: Value| {
        changed(|c| {
            rewrite_plan(c, |body| body["routes"] = routes);
            c.events.truncate(INTENT_1);
            c.intent(1, LETTER, false);
            c.tell(1, "receipt", LETTER, json!({"notice": "notified", "status": "handed_to_carrier", "to": "handed_to_carrier"}));
            c.intent(1, SMS, false);
        })
    };
    assert_eq!(text_after(json!({"sms-and-letter": 1})).found(), []);
    assert_eq!(text_after(json!({"letter": 1, "sms": 1})).found(), [("no_cause", leaf(INTENT_1 + 2))]);
}

#[test]
fn a_plan_tells_the_people_of_its_own_lists_once_they_are_frozen() {
    let second_list = |names: &[u64], at: usize| {
        changed(|c| {
            let (one, two) = (lines((1..=3).map(manifest_line)), lines([manifest_line(4)]));
            c.files.insert("manifest.jsonl".into(), one.0);
            c.files.insert("manifest.2.jsonl".into(), two.0);
            let frozen = |list: u64, of: (u64, &str)| json!({"count": of.0, "duplicates": 0, "list": list, "quarantined": 0, "root": of.1, "rows": of.0});
            c.events[FROZEN].detail = frozen(1, (one.1, &one.2)).as_object().unwrap().clone();
            let named = [json!({"list": 1, "people": one.1, "root": one.2}), json!({"list": 2, "people": two.1, "root": two.2})];
            rewrite_plan(c, |body| body["lists"] = names.iter().map(|n| named[*n as usize - 1].clone()).collect());
            c.push("list.frozen", None, frozen(2, (two.1, &two.2)));
            let event = c.events.pop().unwrap();
            // In the place of the controller's signature under the one list.
            drop(c.events.remove(SIGNED));
            c.events.insert(at, event);
        })
    };
    assert_eq!(second_list(&[1, 2], SIGNED).found(), []);
    let unnamed = second_list(&[1], SIGNED).found();
    assert_eq!(unnamed, [("contents", leaf(PREPARED)), ("no_plan", leaf(22)), ("no_plan", leaf(REPEAT_4))]);
    let later = second_list(&[1], LATE_1 - 1).found();
    assert_eq!(later, [("contents", leaf(PREPARED - 1)), ("no_plan", leaf(21)), ("no_plan", leaf(REPEAT_4 - 1))]);
}

#[test]
fn a_message_that_only_alerts_ends_no_notice() {
    let by = |first_lines: &[&str]| {
        changed(|c| {
            use sha2::Digest;
            let text = |line: &&str| format!("{line}\nDear reader");
            let hash = |text: &String| duly_ledger::to_hex(&sha2::Sha256::digest(text));
            let mut hashes: Vec<String> = first_lines.iter().map(text).map(|text| hash(&text)).collect();
            hashes.sort();
            rewrite_plan(c, |body| body["templates"] = json!(hashes));
            for text in first_lines.iter().map(text) {
                c.files.insert(format!("texts/{}.hbs", hash(&text)), text.into_bytes());
            }
        })
        .found()
    };
    const LETTERS: &str = "{{!-- content = full; title = What happened --}}";
    assert_eq!(by(&["{{!-- content = full --}}", LETTERS]), []);
    assert_eq!(by(&["{{!-- content = alert --}}", LETTERS]), [("notice", leaf(DELIVERED_1))]);
    assert_eq!(by(&["{{!-- content = alert --}}", "{{!-- content = full --}}", LETTERS]), [], "some texts say everything");
    assert_eq!(by(&["Dear all", "{{!-- content = alert --}}"]), [], "nobody knows what the first one is");
}

#[test]
fn a_letter_that_comes_back_takes_its_notice_with_it() {
    let returned = |more: Value| {
        changed(|c| {
            let mut detail = json!({"status": "returned", "to": "returned"});
            detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            c.tell(2, "receipt", ("letter", "escalation", 1), detail);
        })
    };
    assert_eq!(returned(json!({"notice": "unreachable"})).found(), []);
    assert_eq!(returned(json!({})).found(), [("notice", leaf(28))]);
    // The text arrived after all: it stays notified by that.
    let both = changed(|c| {
        let text = json!({"status": "delivered_to_handset", "to": "delivered_to_handset"});
        c.tell(2, "receipt", ("sms", "first", 2), text);
        c.tell(2, "receipt", ("letter", "escalation", 1), json!({"status": "returned", "to": "returned"}));
    });
    assert_eq!(both.found(), []);
}

#[test]
fn unreachable_is_whom_every_message_failed() {
    let at = INTENT_1;
    let end = |steps: &dyn Fn(&mut Case)| {
        changed(|c| {
            rewrite_plan(c, |body| body["routes"] = json!({"sms-and-letter": 1}));
            c.events.truncate(at);
            steps(c);
        })
        .found()
    };
    let cancelled = json!({"notice": "unreachable", "to": "cancelled"});
    assert_eq!(end(&|c| let_go(c.tell(1, "message.cancelled", NEVER, cancelled.clone()))), [("notice", leaf(at))]);
    let given_up = json!({"ground": "deadline", "notice": "unreachable", "to": "exhausted"});
    let letter = ("letter", "first", 0);
    assert_eq!(end(&|c| let_go(c.tell(1, "message.exhausted", NEVER, given_up.clone()))), []);
    // Beside a letter the text only alerts; a text that is under way and tells everything is a hope.
    let text_is = |reason: &'static str| {
        end(&move |c| {
            c.intent(1, SMS, false);
            c.tell(1, "message.accepted", SMS, json!({"code": "201", "to": "accepted"}));
            c.tell(
                1,
                "message.exhausted",
                ("letter", reason, 0),
                json!({"ground": "deadline", "notice": "unreachable", "to": "exhausted"}),
            );
        })
    };
    assert_eq!(text_is(letter.1), []);
    assert_eq!(text_is("escalation"), [("notice", leaf(at + 2))]);
}

#[test]
fn what_nobody_can_be_certain_of_is_counted_and_printed() {
    let report = story().report();
    assert_eq!(report.counted, Counted { repeats: 1, ..Counted::default() });
    assert!(report.to_string().contains("1 call(s) were repeated under the provider's own promise"), "{report}");
    let alarm = changed(|c| c.set(LATE_1, "possible_duplicate", json!(true))).report();
    assert_eq!((found(&alarm), alarm.counted.possible_duplicates), (vec![], 1));
    assert!(alarm.to_string().contains("1 alarm(s) of a possible duplicate"), "{alarm}");
    assert_eq!(alarm.to_json()["not_certain"]["possible_duplicates"], 1);
}

#[test]
fn a_person_with_more_messages_than_anybody_is_sent_costs_a_reader_nothing() {
    let began = std::time::Instant::now();
    let many = changed(|c| {
        for ordinal in 2..20_000 {
            let leaf = c.tell(1, "message.unfit", ("sms", "correction", 0), json!({"ground": "does_not_open"}));
            c.set(leaf, "ordinal", json!(ordinal));
        }
    });
    let report = many.report();
    assert_eq!(found(&report).first(), Some(&("pack", leaf(28 + 99))));
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
}
