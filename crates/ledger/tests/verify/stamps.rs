//! Time stamps: what is one, and what a pack with one still does not prove.

use super::case::*;
use super::story::*;
use super::tree::cut;
use duly_ledger::verify::{Options, Report, Trust, verify};
use duly_ledger::{Note, Policy, Signer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;

const SHA_256: &str = "0609608648016503040201";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A value of DER.
fn der(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let length = match u8::try_from(content.len()).unwrap() {
        short @ 0..128 => vec![short],
        long => vec![0x81, long],
    };
    [vec![tag], length, content].concat()
}

/// A response of RFC 3161 over a hash; of no authority, as nobody signed it.
fn stamp(imprint: &[u8], status: u8, signers: usize) -> Vec<u8> {
    let sha_256 = der(0x30, &[hex(SHA_256)]);
    let imprint = der(0x30, &[sha_256.clone(), der(0x04, &[imprint.to_vec()])]);
    let time = der(0x18, &[b"20261125180000Z".to_vec()]);
    let info = der(0x30, &[hex("020101"), hex("06032a0304"), imprint, hex("020107"), time]);
    let content = der(0x30, &[hex("060b2a864886f70d0109100104"), der(0xa0, &[der(0x04, &[info])])]);
    let signer = der(0x30, &[hex("020101"), hex("8000"), sha_256.clone(), sha_256.clone(), hex("04020000")]);
    let signers = der(0x31, &vec![signer; signers]);
    let data = der(0x30, &[hex("020103"), der(0x31, &[sha_256]), content, signers]);
    let token = der(0x30, &[hex("06092a864886f70d010702"), der(0xa0, &[data])]);
    der(0x30, &[der(0x30, &[vec![0x02, 0x01, status]]), token])
}

/// The story with a checkpoint of seven leaves, and this beside it.
fn stamped(token: impl FnOnce(&[u8]) -> Vec<u8>) -> Report {
    let mut files = story().pack_files();
    let older = cut(ACCEPTED_1)["checkpoint"].clone();
    files.insert("anchors/7.tsr".into(), token(&Sha256::digest(&older)));
    files.insert("anchors/7.checkpoint".into(), older);
    check(&files)
}

#[test]
fn a_time_stamp_says_a_time_and_proves_no_version_of_the_log_until_somebody_checks_its_signature() {
    let report = stamped(|hash| stamp(hash, 0, 1));
    assert_eq!(found(&report), []);
    let text = report.to_string();
    for said in [
        "size 7: a token names 2026-11-25T18:00:00Z",
        "token signature NOT checked here",
        "openssl ts -verify -data anchors/7.checkpoint -in anchors/7.tsr",
        "That this is the only version of the log: no signature of a time stamp or witness was verified here",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn bytes_that_only_look_like_a_time_stamp_are_none() {
    let look = |hash: &[u8]| [b"\x04\x20", hash, b"\x02\x01\x07", b"\x18\x0f20200101000000Z"].concat();
    let of = |change: &dyn Fn(Vec<u8>) -> Vec<u8>| stamped(|hash| change(stamp(hash, 0, 1)));
    for (what, report) in [
        ("no frame", stamped(look)),
        ("the inner part alone", of(&|bytes| bytes[40..].to_vec())),
        ("bytes behind", of(&|bytes| [bytes, vec![0]].concat())),
        ("refused", stamped(|hash| stamp(hash, 2, 1))),
        ("signed by nobody", stamped(|hash| stamp(hash, 0, 0))),
        ("over other bytes", stamped(|_| stamp(&[0; 32], 0, 1))),
        ("over less than a hash", stamped(|hash| stamp(&hash[..10], 0, 1))),
        ("nothing", stamped(|_| Vec::new())),
    ] {
        assert_eq!(found(&report), [("anchor", None)], "{what}");
    }
}

#[test]
fn a_time_stamp_without_its_checkpoint_or_under_another_size_is_found() {
    let mut files = story().pack_files();
    let older = cut(ACCEPTED_1)["checkpoint"].clone();
    files.insert("anchors/7.tsr".into(), stamp(&Sha256::digest(&older), 0, 1));
    assert_eq!(found(&check(&files)), [("anchor", None)]);
    files.remove("anchors/7.tsr");
    files.insert("anchors/8.checkpoint".into(), older);
    assert_eq!(found(&check(&files)), [("anchor", None)]);
}

#[test]
fn a_witness_rules_out_other_versions_up_to_what_it_has_seen_and_no_further() {
    let witness = Signer::new("w.example", &[1; 32]).unwrap();
    let policy = format!("log {}\nwitness w {}\nquorum none\n", signer(&origin()).vkey(), witness.witness_vkey());
    let trust = Trust::Policy(Policy::parse(&policy).unwrap());
    let cosigned = |files: &BTreeMap<String, Vec<u8>>, checkpoint: &[u8]| {
        let text = Note::parse(checkpoint).unwrap().text().to_owned();
        let size = text.split('\n').nth(1).unwrap().to_owned();
        let mut files = files.clone();
        files.insert(format!("anchors/{size}.checkpoint"), checkpoint.to_vec());
        files.insert(format!("anchors/{size}.cosig"), witness.cosign(&text, 1_795_600_000).to_string().into_bytes());
        let report = verify(Cursor::new(zipped(&files)), &trust, &Options::default());
        assert_eq!(found(&report), []);
        report.limits().into_iter().filter(|limit| limit.contains("only version")).collect::<Vec<_>>()
    };
    let files = story().pack_files();
    let early = cosigned(&files, &cut(ACCEPTED_1)["checkpoint"]);
    assert!(
        early[0].contains(&format!("of the last {} events nobody outside speaks", story().events.len() - ACCEPTED_1)),
        "{early:?}"
    );
    assert_eq!(cosigned(&files, &files["checkpoint"]), [""; 0]);
}

/// The story's pack, cosigned by a witness of the policy at these seconds, and at this size.
fn cosigned(case: &Case, size: usize, seconds: i64) -> Report {
    let witness = Signer::new("w.example", &[1; 32]).unwrap();
    let policy = format!("log {}\nwitness w {}\nquorum none\n", signer(&origin()).vkey(), witness.witness_vkey());
    let mut files = case.pack_files();
    let checkpoint = cut(size)["checkpoint"].clone();
    let text = Note::parse(&checkpoint).unwrap().text().to_owned();
    files.insert(format!("anchors/{size}.cosig"), witness.cosign(&text, seconds.try_into().unwrap()).to_string().into_bytes());
    files.insert(format!("anchors/{size}.checkpoint"), checkpoint);
    verify(Cursor::new(zipped(&files)), &Trust::Policy(Policy::parse(&policy).unwrap()), &Options::default())
}

#[test]
fn no_event_happened_after_a_witness_had_seen_it() {
    let case = story();
    let newest = case.events[..ACCEPTED_1].iter().map(|event| event.at_micros).max().unwrap() / 1_000_000;
    let newest_leaf = leaf(ACCEPTED_1 - 1);
    assert_eq!(found(&cosigned(&case, ACCEPTED_1, newest - 599)), []);
    assert_eq!(found(&cosigned(&case, ACCEPTED_1, newest - 602)), [("time", newest_leaf)]);
    // What came after its size the witness had not seen, and where the log never had its checkpoint it saw nothing of it.
    assert_eq!(found(&cosigned(&case, 0, 1)), []);
    let forked = changed(|case| {
        case.set(FROZEN, "quarantined", serde_json::json!(2));
        case.set(FROZEN, "rows", serde_json::json!(7));
    });
    assert_eq!(found(&cosigned(&forked, ACCEPTED_1, 1)), [("anchor", None)]);
    // The whole pack's own checkpoint bounds all of it.
    let last = story().events.len();
    assert_eq!(found(&cosigned(&case, last, newest - 602)), [("time", leaf(last - 1))]);
}

#[test]
fn a_time_stamp_bounds_times_once_its_signature_was_verified() {
    // Its time is the evening of the day after the story: here it tells of events that come a day later.
    let late = changed(|case| case.events.iter_mut().for_each(|event| event.at_micros += 3 * 86_400_000_000));
    let mut files = late.pack_files();
    let older = log_files("", &origin(), &late.leaves()[..ACCEPTED_1])["checkpoint"].clone();
    files.insert("anchors/7.tsr".into(), stamp(&Sha256::digest(&older), 0, 1));
    files.insert("anchors/7.checkpoint".into(), older);
    let mut report = check(&files);
    // Anybody can write a stamp, so one proves nothing yet.
    report.check_times();
    assert_eq!(found(&report), []);
    (report.anchors[0].is_verified, report.anchors[0].command) = (true, None);
    report.check_times();
    report.check_times();
    assert_eq!(found(&report), [("time", leaf(ACCEPTED_1 - 1))]);
    assert!(report.to_string().contains("size 7: time-stamped at 2026-11-25T18:00:00Z (RFC 3161)"), "{report}");
}
