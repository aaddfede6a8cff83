//! One damage for each code, done by somebody who signs the log: the story is told wrongly, and the leaf is named.

use super::case::*;
use super::story::*;
use duly_ledger::verify::{Options, Word, verify};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Cursor;

/// The story with one field of one leaf changed.
fn with(at: usize, field: &str, value: Value) -> Case {
    changed(|case| case.set(at, field, value))
}

fn raw(at: usize, from: &str, to: &str) -> Case {
    changed(|case| {
        let text = String::from_utf8(case.leaves()[at].clone()).unwrap();
        assert!(text.contains(from));
        case.raw.insert(at, text.replace(from, to).into_bytes());
    })
}

#[test]
fn canonical_a_leaf_in_another_spelling() {
    assert_eq!(raw(LATE_1, "\"attempt\":1", "\"attempt\": 1").found(), [("canonical", leaf(LATE_1))]);
    assert_eq!(raw(LATE_1, "\"attempt\":1", "\"attempt\":1,\"attempt\":1").found(), [("canonical", leaf(LATE_1))]);
}

/// What a damage brings with it is counted, and told only to who asks: the reader sees the cause.
#[test]
fn a_damage_is_told_once_and_what_may_follow_from_it_on_request() {
    let mut files = story().pack_files();
    let name = files.keys().find(|name| name.starts_with("tile/entries/")).unwrap().clone();
    let at = files[&name].windows(14).position(|w| w == b"message.intent").unwrap();
    files.get_mut(&name).unwrap()[at] ^= 1;
    let report = check(&files);
    assert_eq!(found(&report), [("root", None), ("tile", leaf(INTENT_1))]);
    let follow: Vec<&str> = report.findings.follow.keys().map(|code| code.as_str()).collect();
    assert!(follow.contains(&"kind") && follow.contains(&"chain") && report.to_string().contains("`--all`"), "{report}");
    let all = verify(Cursor::new(zipped(&files)), &trust(), &Options { tells_all: true, ..Options::default() });
    let told: BTreeSet<&str> = all.findings.kept.iter().map(|f| f.code.as_str()).collect();
    assert!(follow.iter().all(|code| told.contains(code)) && all.findings.follow.is_empty(), "{told:?}");

    // Without the tile's witness the chain is what names the place.
    let mut leaves = story().leaves();
    leaves[ACCEPTED_1] = String::from_utf8(leaves[ACCEPTED_1].clone()).unwrap().replace("201", "202").into_bytes();
    let mut files = story().pack_files();
    let signed = files["checkpoint"].clone();
    files.extend(log_files("", &origin(), &leaves));
    files.insert("checkpoint".into(), signed);
    assert_eq!(found(&check(&files)), [("root", None), ("chain", leaf(DELIVERED_1))]);

    // Another person's second send follows from nothing of this one's.
    let two = changed(|c| {
        let_go(c.push("receipt.lost", Some(1), json!({})));
        c.events[LETTER_2 + 1].kind = "receipt.lost".into();
        c.set(INTENT_3, "attempt", json!(2));
    });
    let codes: Vec<_> = two.found().into_iter().filter(|(code, _)| *code == "move").collect();
    assert!(codes.contains(&("move", leaf(INTENT_3))), "{:?}", two.found());
}

#[test]
fn kind_inc_and_fields_a_leaf_that_this_format_does_not_know() {
    assert_eq!(changed(|c| c.events[LATE_1].kind = "receipt.lost".into()).found(), [("kind", leaf(LATE_1))]);
    let other = "019355a0-0000-7000-8000-000000000003";
    assert_eq!(changed(|c| c.events[LATE_1].inc = other.into()).found(), [("inc", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "status", Value::Null).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "name", json!("Smith")).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "status", json!("read")).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "status", json!({"a": [1]})).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "status", json!("ready")).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "phase", json!(0)).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(changed(|c| c.events[LATE_1].id = "x".into()).found(), [("fields", leaf(LATE_1))]);
    assert_eq!(raw(LATE_1, "2026-11-24", "2026-11-31").found(), [("fields", leaf(LATE_1))]);
    let of_system = changed(|c| let_go(c.push("lane.stopped", None, json!({"code": "401", "lane": "a"}))));
    assert_eq!(of_system.found(), [("kind", leaf(28))]);
    let nobody = changed(|c| (c.events[LATE_1].n, c.events[LATE_1].person) = (None, None));
    assert_eq!(nobody.found(), [("fields", leaf(LATE_1))]);
}

#[test]
fn opened_a_log_that_is_opened_wrongly_or_twice() {
    let other = with(0, "origin", json!("duly.test/other"));
    assert_eq!(other.found(), [("opened", leaf(0))]);
    assert_eq!(with(0, "kind", json!("system")).found(), [("opened", leaf(0))]);
    let again = json!({"format": 1, "generation": 1, "kind": "incident", "origin": origin()});
    assert_eq!(changed(|c| let_go(c.push("log.opened", None, again))).found(), [("opened", leaf(28))]);
    let never = changed(|c| drop(c.events.remove(0)));
    assert_eq!(never.found()[0], ("opened", leaf(0)));
}

#[test]
fn a_later_format_is_not_judged_but_a_broken_tree_is() {
    let later = with(0, "format", json!(2));
    assert_eq!((later.report().exit_code(), later.found()), (2, vec![]));
    assert!(later.report().to_string().contains("too old"));
    let mut files = later.pack_files();
    let bundle = files.get_mut("tile/entries/000.p/28").unwrap();
    *bundle.last_mut().unwrap() ^= 1;
    assert_eq!(check(&files).exit_code(), 1);
}

#[test]
fn chain_an_event_of_a_person_that_was_dropped_moved_or_cut_off() {
    let frozen = |case: Case| {
        let leaves = case.leaves();
        Case { raw: leaves.into_iter().enumerate().collect(), ..case }
    };
    let drop_leaf = |at: usize| {
        let mut case = frozen(story());
        case.events.remove(at);
        case.raw = case.raw.into_iter().filter(|(i, _)| *i != at).map(|(i, b)| (i - usize::from(i > at), b)).collect();
        case
    };
    assert_eq!(drop_leaf(UNKNOWN_2).found()[0], ("chain", leaf(UNKNOWN_2)));
    assert_eq!(drop_leaf(INTENT_1).found()[0], ("chain", leaf(INTENT_1)));
    let mut swapped = frozen(story());
    let (a, b) = (swapped.raw[&13].clone(), swapped.raw[&14].clone());
    swapped.raw.extend([(13, b), (14, a)]);
    assert_eq!(swapped.found()[0], ("chain", leaf(13)));
    let mut forged = frozen(story());
    let text = String::from_utf8(forged.raw[&LATE_1].clone()).unwrap();
    let at = text.find("\"prev\":\"").unwrap() + 8;
    forged.raw.insert(LATE_1, format!("{}{}{}", &text[..at], "0".repeat(8), &text[at + 8..]).into_bytes());
    assert_eq!(forged.found(), [("chain", leaf(LATE_1))]);
}

#[test]
fn stranger_somebody_whom_no_manifest_has_but_a_hold_may_come_early() {
    let found = changed(|c| {
        let_go(c.tell(9, "message.exhausted", ("sms", "first", 0), json!({"ground": "deadline", "to": "exhausted"})))
    })
    .found();
    assert_eq!(found, [("stranger", leaf(28))]);
    let hold = json!({"command": COMMAND, "hold": "019355a0-0000-7000-8000-0000000000cd", "user": ALICE});
    assert_eq!(changed(|c| let_go(c.push("hold.set", Some(9), hold))).found(), []);
}

#[test]
fn repeated_id_an_event_that_stands_twice() {
    assert_eq!(changed(|c| c.events[LATE_1].id = c.events[FROZEN].id.clone()).found(), [("repeated_id", leaf(LATE_1))]);
}

#[test]
fn manifest_somebody_taken_out_put_in_or_listed_twice() {
    let manifest = |ids: &[u8]| {
        let bytes = lines(ids.iter().map(|id| manifest_line(*id))).0;
        changed(|case| drop(case.files.insert("manifest.jsonl".into(), bytes)))
    };
    assert_eq!(manifest(&[1, 2, 3]).found()[0], ("manifest", leaf(FROZEN)));
    assert_eq!(manifest(&[1, 2, 3, 4, 5]).found()[0], ("manifest", leaf(FROZEN)));
    let gone = changed(|case| drop(case.files.remove("manifest.jsonl")));
    assert!(gone.found().contains(&("manifest", leaf(FROZEN))));
    let twice = changed(|case| {
        let (bytes, count, root) = lines([manifest_line(4)]);
        case.files.insert("manifest.2.jsonl".into(), bytes);
        let frozen = json!({"count": count, "duplicates": 0, "list": 2, "quarantined": 0, "root": root, "rows": 1});
        case.push("list.frozen", None, frozen);
    });
    assert_eq!(twice.found(), [("manifest", None)]);
    let never = changed(|case| drop(case.files.insert("manifest.2.jsonl".into(), lines([manifest_line(5)]).0)));
    assert_eq!(never.found(), [("manifest", None)]);
    let again = changed(|case| case.events.push(case.events[FROZEN].clone()));
    assert!(again.found().contains(&("manifest", leaf(28))));
}

#[test]
fn list_signature_and_rows_what_the_controller_signed_and_how_many_rows() {
    assert_eq!(with(SIGNED, "count", json!(5)).found(), [("list_signature", leaf(SIGNED))]);
    assert_eq!(with(SIGNED, "signature", json!("00".repeat(64))).found(), [("list_signature", leaf(SIGNED))]);
    let before = changed(|c| c.events.swap(FROZEN, SIGNED));
    assert_eq!(before.found(), [("list_signature", leaf(FROZEN))]);
    assert_eq!(with(FROZEN, "rows", json!(7)).found(), [("rows", leaf(FROZEN))]);
}

#[test]
fn plan_its_text_its_order_and_the_lists_that_it_names() {
    let bytes = |change: &dyn Fn(&mut Vec<u8>)| changed(|case| change(case.files.get_mut("plans/1.json").unwrap()));
    assert_eq!(bytes(&|b| *b = b.iter().map(|c| if *c == b'6' { b'7' } else { *c }).collect()).found()[0].0, "plan");
    assert_eq!(bytes(&|b| b.push(b' ')).found()[0].0, "plan");
    assert!(changed(|case| drop(case.files.remove("plans/1.json"))).found().contains(&("plan", leaf(PREPARED))));
    assert_eq!(with(STARTED, "hash", json!("cc".repeat(32))).found(), [("plan", leaf(STARTED))]);
    let at_once = changed(|c| drop(c.events.remove(APPROVED)));
    assert_eq!(at_once.found(), [("plan", leaf(APPROVED))]);
    assert!(changed(|c| c.events[LATE_1] = c.events[STARTED].clone()).found().contains(&("plan", leaf(LATE_1))));
    assert_eq!(changed(|c| rewrite_plan(c, |body| body["lists"][0]["people"] = json!(3))).found(), [("plan", leaf(PREPARED))]);
    assert_eq!(changed(|c| rewrite_plan(c, |body| body["incident"] = json!(ALICE))).found(), [("plan", leaf(PREPARED))]);
    let never = changed(|case| drop(case.files.insert("plans/2.json".into(), b"{}".to_vec())));
    assert_eq!(never.found(), [("plan", None)]);
}

#[test]
fn contents_other_than_the_plan_says() {
    let other = lines([1, 2, 3].map(contents_line)).0;
    let found = changed(|case| drop(case.files.insert("contents.1.jsonl".into(), other))).found();
    assert!(found.contains(&("contents", leaf(PREPARED))));
    assert!(changed(|case| drop(case.files.remove("contents.1.jsonl"))).found().contains(&("contents", leaf(PREPARED))));
}

#[test]
fn move_where_a_message_cannot_go() {
    let sms = ("sms", "first", 1);
    let to_ready = changed(|c| let_go(c.tell(1, "message.reopened", sms, json!({"to": "ready"}))));
    assert_eq!(to_ready.found(), [("move", leaf(28))]);
    // A kind leads only where it leads, and what moves a message says so.
    assert_eq!(with(ACCEPTED_1, "to", json!("sent")).found()[0], ("move", leaf(ACCEPTED_1)));
    assert_eq!(with(ACCEPTED_1, "to", Value::Null).found()[0], ("move", leaf(ACCEPTED_1)));
    assert_eq!(with(DELIVERED_1, "status", json!("sent")).found()[0], ("move", leaf(DELIVERED_1)));
    assert_eq!(with(LATE_1, "status", json!("returned")).found(), [("move", leaf(LATE_1))]);
    assert_eq!(with(LATE_1, "attempt", json!(2)).found(), [("move", leaf(LATE_1))]);
    assert_eq!(with(INTENT_1, "attempt", json!(2)).found(), [("move", leaf(INTENT_1))]);
    assert_eq!(with(INTENT_1, "repeat", json!(true)).found(), [("move", leaf(INTENT_1))]);
}

#[test]
fn second_send_while_open_unknown_asked_or_accepted() {
    let after_accepted = changed(|c| let_go(c.intent(1, ("sms", "first", 2), false)));
    assert_eq!(after_accepted.found(), [("second_send", leaf(28))]);
    let while_open = changed(|c| c.events.insert(ACCEPTED_1, c.events[INTENT_1].clone()));
    assert!(while_open.found().contains(&("second_send", leaf(ACCEPTED_1))));
    assert_eq!(with(REPEAT_4, "repeat", json!(false)).found(), [("second_send", leaf(REPEAT_4))]);
    let without_look_up = changed(|c| drop(c.events.remove(UNKNOWN_2 + 1)));
    assert_eq!(without_look_up.found(), [("second_send", leaf(AGAIN_2 - 1))]);
    // Hidden by a false `not_taken`: that it was accepted is remembered.
    let hidden = changed(|c| {
        c.set(DELIVERED_1, "to", Value::Null);
        c.events[DELIVERED_1].kind = "receipt.late".into();
        c.set(DELIVERED_1, "notice", Value::Null);
        c.intent(1, ("sms", "first", 2), false);
    });
    assert!(hidden.found().contains(&("second_send", leaf(28))));
}

#[test]
fn no_plan_held_and_no_cause_a_call_that_was_not_allowed() {
    assert_eq!(with(INTENT_1, "plan", json!(2)).found(), [("no_plan", leaf(INTENT_1))]);
    let paused = changed(|c| {
        let mut pause = c.events[STARTED].clone();
        (pause.kind, pause.id) = ("plan.paused".into(), "019355a0-0000-7000-8000-0000000000ee".into());
        c.events.insert(INTENT_3, pause);
    });
    let found = paused.found();
    assert_eq!(found, [("no_plan", leaf(INTENT_3 + 1)), ("no_plan", leaf(23)), ("no_plan", leaf(25))]);

    let held = changed(|c| drop(c.events.remove(LIFTED_3)));
    assert_eq!(held.found(), [("held", leaf(INTENT_3 - 1))]);
    let all_held = changed(|c| {
        for leaf in [HOLD_3, LIFTED_3] {
            (c.events[leaf].n, c.events[leaf].person) = (None, None);
        }
        let lift = c.events.remove(LIFTED_3);
        c.events.insert(INTENT_3, lift);
    });
    assert_eq!(all_held.found(), [("held", leaf(LIFTED_3))]);
    assert_eq!(changed(|c| drop(c.events.remove(HOLD_3))).found(), [("held", leaf(HOLD_3))]);

    let early = changed(|c| drop(c.events.remove(FAILED_2)));
    assert_eq!(early.found(), [("no_cause", leaf(LETTER_2 - 1))]);
    let second = changed(|c| {
        let intent = c.intent(1, ("sms", "first", 1), false);
        c.set(intent, "ordinal", json!(2));
    });
    assert_eq!(second.found(), [("no_cause", leaf(28))]);
}

#[test]
fn everybody_is_told_under_one_profile_of_their_plan_and_its_table_ends_their_notice() {
    assert_eq!(with(INTENT_1, "profile", json!("us-ca")).found(), [("no_plan", leaf(INTENT_1))]);
    let two = |change: &dyn Fn(&mut Case)| {
        changed(|c| {
            rewrite_plan(c, |plan| {
                plan["profiles"]["us-ca"] =
                    json!({"closing": [{"channel": "letter", "content": "full", "state": "handed_to_carrier"}]});
            });
            change(c);
        })
    };
    assert_eq!(two(&|_| {}).found(), []);
    // A Californian is not told by text message, whatever the other profile's table says.
    let by_text = two(&|c| c.set(INTENT_1, "profile", json!("us-ca")));
    assert_eq!(by_text.found(), [("notice", leaf(DELIVERED_1))]);
    let changes_sides = two(&|c| c.set(LETTER_2, "profile", json!("us-ca")));
    assert_eq!(changes_sides.found(), [("no_plan", leaf(LETTER_2))]);
}

#[test]
fn wrong_content_and_wrong_destination_what_was_sent_and_where() {
    let other = committed(2, "content", &content(2, "sms"));
    assert_eq!(with(INTENT_1, "content", json!(other)).found(), [("wrong_content", leaf(INTENT_1))]);
    let elsewhere = committed(1, "sms", b"+447700900199");
    assert_eq!(with(INTENT_1, "destination", json!(elsewhere)).found(), [("wrong_destination", leaf(INTENT_1))]);
}

#[test]
fn notice_an_end_that_the_law_s_table_does_not_give() {
    let too_early = changed(|c| {
        c.set(ACCEPTED_1, "notice", json!("notified"));
        c.set(DELIVERED_1, "notice", Value::Null);
    });
    assert_eq!(too_early.found(), [("notice", leaf(ACCEPTED_1))]);
    assert_eq!(with(ACCEPTED_1, "notice", json!("open")).found(), [("notice", leaf(ACCEPTED_1))]);
    let by_failure = with(INTENT_3 + 1, "notice", json!("notified"));
    assert_eq!(by_failure.found(), [("notice", leaf(INTENT_3 + 1))]);
}

#[test]
fn open_call_and_time_a_call_without_end_and_a_clock_that_runs_back() {
    let open = changed(|c| {
        c.events.truncate(INTENT_2 + 1);
        c.push("hold.set", None, json!({"command": COMMAND, "hold": ALICE, "user": ALICE}));
        c.events[INTENT_2 + 1].at_micros += 3_700_000_000;
    });
    assert_eq!(open.found(), [("open_call", leaf(INTENT_2))]);
    assert_eq!(changed(|c| c.events[LATE_1].at_micros -= 700_000_000).found(), [("time", leaf(LATE_1))]);
    assert_eq!(changed(|c| c.events[LATE_1].at_micros -= 500_000_000).found(), []);
}

#[test]
fn a_person_without_an_end_state_is_listed_and_a_finding_only_where_completeness_is_demanded() {
    let without_end = changed(|c| c.set(DELIVERED_1, "notice", Value::Null));
    assert_eq!(without_end.report().open_people, [person(1), person(4)]);
    let options = Options { is_complete: true, ..Options::default() };
    let report = check_with(&without_end.pack_files(), &options);
    assert_eq!(found(&report), [("incomplete", None), ("incomplete", None)]);
    assert_eq!(report.findings.kept[0].person, Some(person(1)));
}

#[test]
fn after_a_key_is_destroyed_every_event_says_so_and_none_is_an_intent() {
    let erased = |more: Value| {
        changed(|case| {
            let_go(case.push("key.destroyed", Some(1), json!({"command": COMMAND, "user": ALICE})));
            let mut late = json!({"status": "sent"});
            late.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let_go(case.tell(1, "receipt.late", ("sms", "first", 1), late));
        })
    };
    assert_eq!(erased(json!({"erased": true})).found(), []);
    assert_eq!(erased(json!({})).found(), [("fields", leaf(29))]);
    assert_eq!(with(LATE_1, "erased", json!(true)).found(), [("fields", leaf(LATE_1))]);
    let sent = changed(|case| {
        case.events.truncate(INTENT_1);
        let_go(case.push("key.destroyed", Some(1), json!({"command": COMMAND, "user": ALICE})));
        let_go(case.intent(1, ("sms", "first", 1), false));
    });
    assert_eq!(sent.found(), [("move", leaf(INTENT_1 + 1))]);
}

#[test]
fn what_an_audit_said_and_which_rows_wait_is_part_of_the_story() {
    let told = changed(|case| {
        let_go(case.push("row.quarantined", None, json!({"codes": "phone_invalid", "list": 1, "row": "6"})));
        let_go(case.push("audit.passed", None, json!({"findings": 0})));
        let_go(case.push("audit.failed", None, json!({"codes": "tile_differs", "findings": 2})));
        let_go(case.tell(4, "message.unfit", ("sms", "first", 2), json!({"ground": "does_not_open"})));
    });
    assert_eq!(told.found(), []);
}

#[test]
fn text_a_template_that_is_not_what_its_name_says() {
    use sha2::Digest;
    let name = |bytes: &[u8]| format!("texts/{}.hbs", duly_ledger::to_hex(&sha2::Sha256::digest(bytes)));
    let put = |name: String, bytes: &[u8]| changed(|case| drop(case.files.insert(name, bytes.to_vec())));
    assert_eq!(put(name(b"Dear"), b"Dear").found(), [("text", None)], "no plan names it");
    let of_plan = |texts: &[&[u8]]| {
        changed(|c| {
            let hash = duly_ledger::to_hex(&sha2::Sha256::digest(b"Dear"));
            rewrite_plan(c, |body| body["templates"] = json!([hash]));
            texts.iter().for_each(|bytes| drop(c.files.insert(name(b"Dear"), bytes.to_vec())));
        })
    };
    assert_eq!(of_plan(&[b"Dear"]).found(), []);
    assert_eq!(of_plan(&[b"dear"]).found(), [("text", None), ("text", None)], "another, and so the named one is not there");
    assert_eq!(of_plan(&[]).found(), [("text", None)], "it is not there");
}
