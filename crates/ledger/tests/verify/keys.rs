//! A log whose key was changed: whoever has one key of its line can follow it to the others, and an old key signs nothing more.

use super::case::*;
use super::person;
use super::story::*;
use duly_ledger::verify::{Options, Report, Trust, verify};
use duly_ledger::{KEY_CHANGED, KeyChange, KeyKind, Note, Policy, Signer, Vkey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Cursor;

type Files = BTreeMap<String, Vec<u8>>;

/// The key that signs all other stories.
const FIRST: u8 = 7;
/// Keys that follow it, and one of nobody's.
const SECOND: u8 = 21;
const THIRD: u8 = 22;
const STRANGER: u8 = 23;
/// The leaf of the first change: the story has so many before it.
const CHANGED: usize = 28;

fn raw(seed: u8) -> [u8; 32] {
    Signer::new("any", &[seed; 32]).unwrap().vkey().key().try_into().unwrap()
}

fn by(files: &Files, trust: &Trust, options: &Options) -> Report {
    verify(Cursor::new(zipped(files)), trust, options)
}

fn by_key(files: &Files, seed: u8) -> Vec<(&'static str, Option<u64>)> {
    found(&by(files, &Trust::Key(raw(seed)), &Options::default()))
}

/// Changes the key at the next leaf.
fn change(case: &mut Case, old: u8, new: u8) -> usize {
    let detail = KeyChange::sign(&origin(), case.events.len() as u64, &[old; 32], &[new; 32]);
    case.seed = new;
    case.push(KEY_CHANGED, None, Value::Object(detail))
}

/// Something that happens afterwards.
fn later(case: &mut Case) {
    case.push("log.marked", None, json!({}));
}

fn rotated() -> Case {
    changed(|case| {
        assert_eq!(change(case, FIRST, SECOND), CHANGED);
        later(case);
    })
}

fn twice() -> Case {
    let mut case = rotated();
    change(&mut case, SECOND, THIRD);
    later(&mut case);
    case
}

/// The pack as it was at a size, signed by this key.
fn cut(case: &Case, size: usize, seed: u8) -> Files {
    let mut case = Case { seed, ..case.clone() };
    case.events.truncate(size);
    case.pack_files()
}

#[test]
fn a_changed_key_is_followed_from_any_key_of_its_line_and_from_no_other() {
    for (case, keys) in [(rotated(), vec![FIRST, SECOND]), (twice(), vec![FIRST, SECOND, THIRD])] {
        let files = case.pack_files();
        for seed in keys {
            assert_eq!(by_key(&files, seed), [], "{seed}");
            let vkey = Vkey::new(&origin(), KeyKind::Note, &raw(seed)).unwrap();
            let policy = Policy::parse(&format!("log {vkey}\nquorum none\n")).unwrap();
            for trust in [Trust::Vkeys(vec![vkey.clone()]), Trust::Policy(policy)] {
                assert_eq!(found(&by(&files, &trust, &Options::default())), [], "{seed}");
            }
        }
        assert_eq!(by_key(&files, STRANGER), [("signature", None)]);
        let elsewhere = Vkey::new("duly.test/elsewhere", KeyKind::Note, &raw(FIRST)).unwrap();
        assert_eq!(found(&by(&files, &Trust::Vkeys(vec![elsewhere]), &Options::default())), [("signature", None)]);
    }
    let said = by(&twice().pack_files(), &Trust::Key(raw(FIRST)), &Options::default()).to_string();
    assert!(said.contains("by a key of the line of 3 to which the one that you gave belongs"), "{said}");
    let said = by(&twice().pack_files(), &Trust::Key(raw(THIRD)), &Options::default()).to_string();
    assert!(said.contains("the checkpoint's signature, by the key that you gave"), "{said}");
}

#[test]
fn an_old_key_that_signs_after_the_change_is_found_whichever_key_the_reader_has() {
    for signs in [FIRST, SECOND] {
        let files = Case { seed: signs, ..twice() }.pack_files();
        for given in [FIRST, SECOND, THIRD] {
            assert_eq!(by_key(&files, given), [("signature", None)], "{signs} signs, {given} is given");
        }
    }
    // The first checkpoint with the leaf is the new key's, the last one without it the old one's.
    assert_eq!(by_key(&cut(&rotated(), CHANGED + 1, FIRST), FIRST), [("signature", None)]);
    assert_eq!(by_key(&cut(&rotated(), CHANGED + 1, SECOND), FIRST), []);
    assert_eq!(by_key(&cut(&rotated(), CHANGED, FIRST), FIRST), []);
    assert_eq!(by_key(&cut(&rotated(), CHANGED, SECOND), FIRST), [("signature", None)]);
}

#[test]
fn a_made_up_change_leads_nowhere_and_its_leaf_is_named() {
    let at = Some(CHANGED as u64);
    let made_up = |spoil: &dyn Fn(&mut Case)| {
        let mut case = rotated();
        spoil(&mut case);
        let by_old = Case { seed: FIRST, ..case.clone() }.pack_files();
        (by_key(&by_old, FIRST), by_key(&case.pack_files(), FIRST))
    };
    let other = |size: usize, origin: &str, old: u8, new: u8| KeyChange::sign(origin, size as u64, &[old; 32], &[new; 32]);
    let named = (vec![("log_key", at)], vec![("signature", None)]);
    for field in ["old_signature", "new_signature"] {
        let one_only = |case: &mut Case| case.set(CHANGED, field, other(CHANGED, &origin(), STRANGER, STRANGER)[field].clone());
        assert_eq!(made_up(&one_only), named, "{field}");
    }
    let to = |detail: serde_json::Map<String, Value>| move |case: &mut Case| case.events[CHANGED].detail.clone_from(&detail);
    assert_eq!(made_up(&to(other(CHANGED - 1, &origin(), FIRST, SECOND))), named, "another place");
    assert_eq!(made_up(&to(other(CHANGED, "duly.test/other", FIRST, SECOND))), named, "another log");
    assert_eq!(made_up(&to(other(CHANGED, &origin(), FIRST, FIRST))), named, "no change");

    // Before the log's own: whoever has a key of the log is not led away.
    let mut strangers = changed(|case| {
        change(case, STRANGER, THIRD);
        change(case, FIRST, SECOND);
    });
    for given in [FIRST, SECOND] {
        assert_eq!(by_key(&strangers.pack_files(), given), [("log_key", at)], "{given}");
    }
    strangers.events.truncate(CHANGED + 1);
    strangers.seed = FIRST;
    assert_eq!(by_key(&strangers.pack_files(), FIRST), [("log_key", at)]);

    let mut gap = twice();
    let last = gap.events.len() - 2;
    gap.events[last].detail = other(last, &origin(), STRANGER, THIRD);
    assert_eq!(by_key(&Case { seed: SECOND, ..gap.clone() }.pack_files(), FIRST), [("log_key", Some(last as u64))]);
    assert_eq!(by_key(&gap.pack_files(), FIRST), [("signature", None)]);
    let mut back = twice();
    back.events[last].detail = other(last, &origin(), SECOND, FIRST);
    assert_eq!(by_key(&Case { seed: SECOND, ..back }.pack_files(), SECOND), [("log_key", Some(last as u64))]);
}

#[test]
fn a_checkpoint_from_before_the_change_counts_under_the_key_of_its_time() {
    let files = twice().pack_files();
    let known = |checkpoint: &[u8], given: u8| {
        let options = Options { known_checkpoints: vec![checkpoint.to_vec()], ..Options::default() };
        let report = by(&files, &Trust::Key(raw(given)), &options);
        (report.exit_code(), found(&report))
    };
    let anchored = |checkpoint: &[u8], size: usize, given: u8| {
        let mut files = files.clone();
        files.insert(format!("anchors/{size}.checkpoint"), checkpoint.to_vec());
        by_key(&files, given)
    };
    for (size, seed) in
        [(ACCEPTED_1, FIRST), (CHANGED, FIRST), (CHANGED + 1, SECOND), (CHANGED + 2, SECOND), (CHANGED + 3, THIRD)]
    {
        let kept = cut(&twice(), size, seed)["checkpoint"].clone();
        for given in [FIRST, SECOND, THIRD] {
            assert_eq!(known(&kept, given), (0, vec![]), "{size} {given}");
            assert_eq!(anchored(&kept, size, given), [], "{size} {given}");
        }
    }
    for (size, seed) in [(CHANGED + 1, FIRST), (CHANGED, SECOND), (CHANGED + 3, SECOND)] {
        let kept = cut(&twice(), size, seed)["checkpoint"].clone();
        assert_eq!(known(&kept, THIRD), (1, vec![("signature", None)]), "{size}");
        assert_eq!(anchored(&kept, size, THIRD), [("signature", None)], "{size}");
    }
    // A fork that whoever has the first key made of the time after it, and one of the time before.
    let mut fork = story();
    fork.events.truncate(ACCEPTED_1 - 1);
    later(&mut fork);
    assert_eq!(known(&fork.pack_files()["checkpoint"], THIRD), (1, vec![("rollback", None)]));
    let mut fork = story();
    (0..9).for_each(|_| later(&mut fork));
    assert_eq!(known(&fork.pack_files()["checkpoint"], THIRD), (1, vec![("signature", None)]));
}

#[test]
fn the_pack_of_a_person_carries_the_changes_of_the_key() {
    let files = person::pack(&twice(), 1);
    for given in [FIRST, SECOND, THIRD] {
        assert_eq!(by_key(&files, given), [], "{given}");
    }
    assert_eq!(by_key(&files, STRANGER), [("signature", None)]);
    assert_eq!(by_key(&person::pack(&Case { seed: FIRST, ..twice() }, 1), FIRST), [("signature", None)]);
    let mut without = files;
    without.retain(|name, _| !name.starts_with(&format!("log/{CHANGED}.")));
    assert_eq!(by_key(&without, FIRST), [("signature", None)]);
}

/// A log that was restored after its key had been changed: `seed` signs its second generation.
fn two_generations(seed: u8) -> Files {
    let first = rotated();
    let mut files = first.pack_files();
    files.retain(|name, _| name != "checkpoint" && !name.starts_with("tile/"));
    files.extend(log_files("generation/1/", &origin(), &first.leaves()));
    sign_again(&mut files, "generation/1/checkpoint", SECOND);
    let of = Note::parse(&files["generation/1/checkpoint"]).unwrap().text().parse::<duly_ledger::Checkpoint>().unwrap();
    let (mut opening, next) = (Case::default(), format!("{}/2", origin()));
    let opened = json!({
        "format": 1, "from_root": duly_ledger::to_hex(&of.root), "from_size": of.size, "generation": 2, "kind": "incident",
        "origin": next, "reason": "restored",
    });
    opening.push("log.opened", None, opened);
    opening.events[0].id = "019355a0-0000-7000-8000-0000000000dd".into();
    opening.events[0].at_micros += 40_000_000;
    files.extend(log_files("", &next, &opening.leaves()));
    sign_again(&mut files, "checkpoint", seed);
    files
}

#[test]
fn a_later_generation_goes_on_under_the_key_that_was_in_force() {
    for given in [FIRST, SECOND] {
        assert_eq!(by_key(&two_generations(SECOND), given), [], "{given}");
        assert_eq!(by_key(&two_generations(FIRST), given), [("signature", None)], "{given}");
    }
}
