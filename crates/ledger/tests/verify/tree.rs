//! Attacks on what was signed: changed, cut, rolled back, forked; and what others have seen of it.

use super::case::*;
use super::story::*;
use duly_ledger::verify::{Options, Trust, verify};
use duly_ledger::{Note, Policy, Signer};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Cursor;

const BUNDLE: &str = "tile/entries/000.p/28";
const TILE: &str = "tile/0/000.p/28";

fn damaged(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<(&'static str, Option<u64>)> {
    let mut files = story().pack_files();
    change(files.get_mut(name).unwrap());
    found(&check(&files))
}

#[test]
fn a_changed_entry_names_its_leaf() {
    let leaves = story().leaves();
    let at: usize = leaves[..INTENT_2].iter().map(|leaf| leaf.len() + 2).sum();
    let found = damaged(BUNDLE, |bytes| bytes[at + 20] ^= 1);
    assert!(found.contains(&("tile", Some(INTENT_2 as u64))), "{found:?}");
    assert!(found.contains(&("root", None)));
}

#[test]
fn a_changed_tile_names_its_leaf_and_the_root_still_holds() {
    assert_eq!(damaged(TILE, |bytes| bytes[32 * 5] ^= 1), [("tile", Some(5))]);
    assert_eq!(damaged(TILE, |bytes| bytes.truncate(32 * 27)), [("tile", None)]);
    let mut files = story().pack_files();
    files.remove(TILE);
    assert_eq!(found(&check(&files)), [("tile", None)]);
    files.insert("tile/0/000.p/27".into(), vec![0; 32 * 27]);
    assert_eq!(found(&check(&files)), [("tile", None), ("tile", None)]);
}

#[test]
fn a_bundle_that_is_cut_missing_or_longer_is_refused() {
    assert_eq!(damaged(BUNDLE, |bytes| bytes.truncate(bytes.len() - 1))[0].0, "size");
    assert_eq!(damaged(BUNDLE, |bytes| bytes.truncate(0))[0].0, "size");
    assert_eq!(damaged(BUNDLE, |bytes| bytes.extend([0, 1, b'x'])).last().map(|f| f.0), Some("size"));
    assert_eq!(damaged(BUNDLE, |bytes| bytes.push(0)).last().map(|f| f.0), Some("size"));
    let mut files = story().pack_files();
    files.remove(BUNDLE);
    assert!(found(&check(&files)).contains(&("size", Some(0))));
}

#[test]
fn signature_of_nobody_of_another_key_or_of_another_log() {
    assert_eq!(damaged("checkpoint", |bytes| bytes[60] ^= 1)[0].0, "signature");
    let files = story().pack_files();
    let by = |trust: Trust| verify(Cursor::new(zipped(&files)), &trust, &Options::default());
    let other = Signer::new(&origin(), &[1; 32]).unwrap();
    assert_eq!(found(&by(Trust::Vkeys(vec![other.vkey().clone()]))), [("signature", None)]);
    let raw: [u8; 32] = signer("x").vkey().key().try_into().unwrap();
    assert_eq!(by(Trust::Key(raw)).exit_code(), 0);
    assert_eq!(found(&by(Trust::Key([9; 32]))), [("signature", None)]);
    let elsewhere = signer("duly.test/elsewhere").vkey().clone();
    assert_eq!(found(&by(Trust::Vkeys(vec![elsewhere]))), [("signature", None)]);
    let mut unsigned = files.clone();
    unsigned.remove("checkpoint");
    assert_eq!(found(&check(&unsigned)), [("pack", None)]);
}

pub fn cut(size: usize) -> BTreeMap<String, Vec<u8>> {
    let mut case = story();
    case.events.truncate(size);
    case.pack_files()
}

#[test]
fn rollback_an_older_genuine_checkpoint_is_accepted_alone_and_refused_by_who_kept_a_newer() {
    let older = cut(ACCEPTED_1);
    assert_eq!(check(&older).exit_code(), 0);
    let known = |files: &BTreeMap<String, Vec<u8>>| Options {
        known_checkpoints: vec![files["checkpoint"].clone()],
        ..Options::default()
    };
    let newer = story().pack_files();
    assert_eq!(found(&check_with(&older, &known(&newer))), [("rollback", None)]);
    assert_eq!(check_with(&newer, &known(&older)).exit_code(), 0);
    assert_eq!(check_with(&newer, &known(&newer)).exit_code(), 0);

    // A tail that was rewritten and signed again: what somebody kept is not the beginning of it.
    let mut other = story();
    other.events.truncate(ACCEPTED_1);
    other.push("hold.set", None, json!({"command": COMMAND, "hold": ALICE, "user": ALICE}));
    other.push("hold.lifted", None, json!({"command": COMMAND, "hold": ALICE, "user": ALICE}));
    let kept = cut(ACCEPTED_1 + 1);
    assert_eq!(found(&check_with(&other.pack_files(), &known(&kept))), [("rollback", None)]);
    for unknown in [b"x".to_vec(), signer("duly.test/elsewhere").sign_checkpoint(3, [1; 32]).into_bytes()] {
        let report = check_with(&newer, &Options { known_checkpoints: vec![unknown], ..Options::default() });
        assert_eq!((report.exit_code(), found(&report)), (2, vec![]));
    }
}

#[test]
fn witness_cosignatures_count_by_the_policy_and_only_over_this_checkpoint() {
    let mut files = story().pack_files();
    let (w1, w2) = (Signer::new("w1.example", &[1; 32]).unwrap(), Signer::new("w2.example", &[2; 32]).unwrap());
    let policy = format!(
        "log {}\nwitness A {}\nwitness B {}\ngroup both all A B\nquorum both\n",
        signer(&origin()).vkey(),
        w1.witness_vkey(),
        w2.witness_vkey()
    );
    let trust = Trust::Policy(Policy::parse(&policy).unwrap());
    let by = |files: &BTreeMap<String, Vec<u8>>| verify(Cursor::new(zipped(files)), &trust, &Options::default());
    assert_eq!(found(&by(&files)), [("witness", None)]);
    let text = Note::parse(&files["checkpoint"]).unwrap().text().to_owned();
    let line = w1.cosign(&text, 1_795_600_000).to_string();
    files.get_mut("checkpoint").unwrap().extend(line.bytes());
    assert_eq!(found(&by(&files)), [("witness", None)]);
    files.insert("anchors/28.cosig".into(), w2.cosign(&text, 1_795_600_001).to_string().into_bytes());
    let good = by(&files);
    assert_eq!(found(&good), []);
    assert_eq!(good.anchors.iter().map(|a| a.by.as_str()).collect::<Vec<_>>(), ["w1.example", "w2.example"]);
    files.insert("anchors/28.cosig".into(), w2.cosign("other\n1\nx\n", 1).to_string().into_bytes());
    assert!(found(&by(&files)).contains(&("witness", None)));
    // Beside a person's events there are no cosignatures: what the policy asks for is not checked, and said to be so.
    let person = by(&super::person::pack(&story(), 1));
    assert_eq!((person.exit_code(), found(&person)), (2, vec![]));
    assert!(person.to_string().contains("your policy asks for witnesses"), "{person}");
}

#[test]
fn an_anchored_checkpoint_must_be_one_that_this_log_had() {
    let mut files = story().pack_files();
    files.insert("anchors/7.checkpoint".into(), cut(ACCEPTED_1)["checkpoint"].clone());
    assert_eq!(found(&check(&files)), []);
    let mut other = story();
    other.events.truncate(ACCEPTED_1 - 1);
    other.push("hold.set", None, json!({"command": COMMAND, "hold": ALICE, "user": ALICE}));
    files.insert("anchors/7.checkpoint".into(), other.pack_files()["checkpoint"].clone());
    assert_eq!(found(&check(&files)), [("anchor", None)]);
}

fn two_generations(from_size: u64) -> BTreeMap<String, Vec<u8>> {
    let case = story();
    let (first, second) = (&case.leaves()[..INTENT_3], &case.leaves()[INTENT_3..]);
    let mut files = case.files.clone();
    files.extend(log_files("generation/1/", &origin(), first));
    let next = format!("{}/2", origin());
    let mut opening = Case::default();
    let root = Trust::Vkeys(vec![signer(&origin()).vkey().clone()]).open(&files["generation/1/checkpoint"]).unwrap().root;
    opening.push(
        "log.opened",
        None,
        json!({
            "format": 1, "from_root": duly_ledger::to_hex(&root), "from_size": from_size, "generation": 2, "kind": "incident",
            "origin": next, "reason": "restored",
        }),
    );
    opening.events[0].id = "019355a0-0000-7000-8000-0000000000dd".into();
    opening.events[0].at_micros += 20_000_000;
    let leaves: Vec<Vec<u8>> = opening.leaves().into_iter().chain(second.iter().cloned()).collect();
    files.extend(log_files("", &next, &leaves));
    files
}

#[test]
fn a_later_generation_goes_on_where_the_one_before_ended() {
    let report = check(&two_generations(INTENT_3 as u64));
    assert_eq!(found(&report), []);
    assert_eq!((report.generations, report.equation.open), (2, 1));
    assert_eq!(found(&check(&two_generations(25))), [("opened", Some(0))]);
    let mut files = two_generations(INTENT_3 as u64);
    files.retain(|name, _| !name.starts_with("generation/"));
    assert!(check(&files).exit_code() == 1);
}
