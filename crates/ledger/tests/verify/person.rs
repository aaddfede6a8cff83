//! The pack of one person: what it proves, and each damage.

use super::case::*;
use super::story::*;
use super::tree::cut;
use duly_ledger::verify::{Options, OwnList, Report};
use duly_ledger::{Appender, Event, Layer, ProofFile, Prover, Tile, field_key, leaf_hash, tile_at, to_hex};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;

type Files = BTreeMap<String, Vec<u8>>;

fn proof_in(hashes: &[[u8; 32]], index: u64) -> Vec<[u8; 32]> {
    let (mut log, mut tiles) = (Appender::new(), BTreeMap::new());
    hashes.iter().for_each(|hash| log.append(*hash));
    let size = log.size();
    for growth in log.take_growth() {
        tiles.insert(tile_at(Layer::Hashes(growth.level), growth.tile, size).unwrap(), growth.hashes);
    }
    Prover::new(size, |tile: Tile| Ok::<_, Infallible>(tiles[&tile].clone())).inclusion(index).unwrap()
}

/// The pack of person `id` of a case.
pub fn pack(case: &Case, id: u8) -> Files {
    let leaves = case.leaves();
    let hashes: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let checkpoint = case.pack_files()["checkpoint"].clone();
    let mut files = Files::from([("checkpoint".to_owned(), checkpoint.clone())]);
    for (i, bytes) in leaves.iter().enumerate() {
        let event = Event::parse(bytes).unwrap();
        let stem = match (event.person, event.n) {
            (Some(of), Some(n)) if of == person(id) => format!("events/{n}"),
            (None, _) if ["list.", "plan.", "log.key_changed"].iter().any(|of| event.kind.starts_with(of)) => format!("log/{i}"),
            _ => continue,
        };
        let path = proof_in(&hashes, i as u64);
        let proof = ProofFile { extra: None, index: i as u64, path, checkpoint: String::from_utf8(checkpoint.clone()).unwrap() };
        files.insert(format!("{stem}.json"), bytes.clone());
        files.insert(format!("{stem}.tlog-proof"), proof.to_string().into_bytes());
    }
    let lines: Vec<Vec<u8>> = (1..=4).map(|id| manifest_line(id).to_bytes().unwrap()).collect();
    let line_hashes: Vec<[u8; 32]> = lines.iter().map(|line| leaf_hash(line)).collect();
    let path = proof_in(&line_hashes, u64::from(id) - 1);
    let mut proof = format!("list 1\nindex {}\nsize 4\n", id - 1);
    path.iter()
        .for_each(|hash| proof.push_str(&format!("{}\n", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash))));
    files.insert("manifest-line.json".into(), lines[usize::from(id) - 1].clone());
    files.insert("manifest-line.proof".into(), proof.into_bytes());
    files.insert("pack.json".into(), json!({"format": 1, "kind": "person", "p": to_hex(&person(id))}).to_string().into_bytes());
    let k = |field: &str| to_hex(&field_key(&key(id), field));
    let keys = json!({"k": {"content": k("content"), "sms": k("sms")}, "p": to_hex(&person(id)), "values": {"sms": phone(id)}});
    files.insert("keys.json".into(), keys.to_string().into_bytes());
    files.insert("messages/1.txt".into(), format!("Dear {id}, by sms").into_bytes());
    files
}

fn damaged(change: impl FnOnce(&mut Files)) -> Report {
    let mut files = pack(&story(), 1);
    change(&mut files);
    check(&files)
}

#[test]
fn a_good_pack_of_a_person_proves_the_chain_and_says_what_it_cannot() {
    let report = damaged(|_| ());
    assert_eq!(found(&report), []);
    assert_eq!((report.kind, report.exit_code(), report.equation.notified), ("person", 0, 1));
    let text = report.to_string();
    for said in [
        "4 events of the person, each proved to be in the log; the chain has no gap from 1 to 4",
        "the opened field `sms` is the one of the frozen list",
        "messages/1.txt holds the bytes that the intent 1 commits to",
        "That nothing more follows, and that nothing was sent twice",
    ] {
        assert!(text.contains(said), "{text}");
    }
    for id in 2..=4 {
        let mut files = pack(&story(), id);
        files.retain(|name, _| !name.starts_with("messages/"));
        assert_eq!(found(&check(&files)), [], "{id}");
    }
}

#[test]
fn proof_an_event_that_is_not_in_the_log_or_not_proved() {
    let other = |name: &str, from: &str, to: &str| {
        damaged(|files| {
            let text = String::from_utf8(files[name].clone()).unwrap();
            assert!(text.contains(from));
            files.insert(name.to_owned(), text.replace(from, to).into_bytes());
        })
    };
    let codes = |report: &Report| found(report).iter().map(|(code, _)| *code).collect::<Vec<_>>();
    assert_eq!(codes(&other("events/3.json", "delivered_to_handset", "carrier_delivered"))[0], "proof");
    assert_eq!(codes(&other("events/3.tlog-proof", "index 8", "index 9"))[0], "proof");
    assert_eq!(codes(&other("events/3.tlog-proof", "duly.test", "duly.tset"))[0], "proof");
    assert_eq!(codes(&damaged(|files| drop(files.remove("events/3.tlog-proof"))))[0], "proof");
    assert_eq!(codes(&other("checkpoint", "28", "29"))[0], "signature");
}

#[test]
fn chain_a_gap_or_an_event_of_somebody_else() {
    let gap = damaged(|files| files.retain(|name, _| !name.starts_with("events/2.")));
    assert!(found(&gap).contains(&("chain", Some(DELIVERED_1 as u64))));
    let mixed = damaged(|files| files.extend(pack(&story(), 2).into_iter().filter(|(name, _)| name.starts_with("events/7."))));
    assert!(found(&mixed).iter().any(|(code, _)| *code == "stranger"));
}

#[test]
fn manifest_a_line_that_is_not_in_the_frozen_list() {
    let other = damaged(|files| drop(files.insert("manifest-line.proof".into(), b"list 1\nindex 0\nsize 4\n".to_vec())));
    assert_eq!(found(&other), [("manifest", None)]);
    let not_frozen = damaged(|files| files.retain(|name, _| !name.starts_with("log/1.")));
    assert!(found(&not_frozen).contains(&("manifest", None)));
}

#[test]
fn opening_a_value_or_message_that_is_not_what_was_committed_to() {
    let keys = |change: &dyn Fn(&mut Value)| {
        damaged(|files| {
            let mut keys: Value = serde_json::from_slice(&files["keys.json"]).unwrap();
            change(&mut keys);
            files.insert("keys.json".into(), keys.to_string().into_bytes());
        })
    };
    assert_eq!(found(&keys(&|keys| keys["values"]["sms"] = json!("+447700900199"))), [("opening", None)]);
    assert_eq!(found(&keys(&|keys| keys["values"]["letter"] = json!("1 High St\nLondon"))), [("opening", None)]);
    assert_eq!(found(&keys(&|keys| keys["p"] = json!("02".repeat(16)))), [("opening", None)]);
    assert_eq!(found(&damaged(|files| files.get_mut("messages/1.txt").unwrap()[0] = b'd')), [("opening", None)]);
    let misplaced = damaged(|files| {
        let bytes = files.remove("messages/1.txt").unwrap();
        files.insert("messages/2.txt".into(), bytes);
    });
    assert_eq!(found(&misplaced), [("opening", None)]);
}

#[test]
fn what_a_person_s_pack_cannot_be_compared_with_is_not_checked_and_no_fault_of_the_pack() {
    let (case, files) = (story(), pack(&story(), 1));
    let by = |options: Options| check_with(&files, &options);
    let known = |checkpoint: &[u8]| by(Options { known_checkpoints: vec![checkpoint.to_vec()], ..Options::default() });
    let own = known(&files["checkpoint"]);
    assert_eq!((own.exit_code(), found(&own)), (0, vec![]));
    assert!(own.to_string().contains("that this pack is of the checkpoint that you know"));

    let list = OwnList::Manifest(case.pack_files()["manifest.jsonl"].clone());
    let elsewhere = signer("duly.test/elsewhere").sign_checkpoint(3, [1; 32]).into_bytes();
    for report in [
        known(&cut(ACCEPTED_1)["checkpoint"]),
        known(&elsewhere),
        known(b"no checkpoint"),
        by(Options { own_list: Some(list), ..Options::default() }),
        by(Options { approvers: vec![[1; 32]], ..Options::default() }),
    ] {
        assert_eq!((report.exit_code(), found(&report)), (2, vec![]), "{report}");
    }

    let size = case.events.len() as u64;
    for other in [size, size + 1] {
        let kept = signer(&origin()).sign_checkpoint(other, [1; 32]).into_bytes();
        assert_eq!(found(&known(&kept)), [("rollback", None)], "{other}");
    }
}
