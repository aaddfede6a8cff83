//! Packs made by somebody who wishes the reader ill: refused in bounded time and memory, and never a panic.

use super::case::*;
use super::story::*;
use duly_ledger::verify::{Options, Verdict, verify};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

/// An event of each kind.
const KINDS: &str = include_str!("../kinds.jsonl");

fn of_bytes(bytes: &[u8]) -> duly_ledger::verify::Report {
    verify(Cursor::new(bytes), &trust(), &Options::default())
}

#[test]
fn what_is_no_zip_is_not_checked() {
    for bytes in [&b""[..], b"PK\x03\x04", b"not a zip at all", &zipped(&story().pack_files())[..400]] {
        let report = of_bytes(bytes);
        assert!(matches!(report.verdict, Verdict::Unchecked(_)));
        assert_eq!(report.exit_code(), 2);
        assert!(report.to_string().starts_with("NOT CHECKED"));
    }
}

#[test]
fn a_zip_that_is_no_pack_is_not_checked() {
    let report = check(&BTreeMap::from([("letter.txt".to_owned(), b"Dear".to_vec())]));
    assert_eq!((report.exit_code(), found(&report)), (2, vec![]));
}

#[test]
fn names_that_are_no_plain_paths_are_refused() {
    for name in [
        "../checkpoint",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "C:\\x",
        "a b",
        "./x",
        "Ł",
        "texts/",
        "checkpoint.",
        "a./b",
        "a..b",
        "CHECKPOINT",
    ] {
        let mut files = story().pack_files();
        files.insert(name.to_owned(), Vec::new());
        assert_eq!(found(&check(&files)), [("pack", None)], "{name}");
    }
    let mut files = story().pack_files();
    files.insert("a".repeat(201), Vec::new());
    assert_eq!(found(&check(&files)), [("pack", None)]);
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let mut files = story().pack_files();
    files.insert("checkpoinu".into(), b"x".to_vec());
    let mut bytes = zipped(&files);
    let wanted = b"checkpoinu";
    while let Some(at) = bytes.windows(wanted.len()).position(|w| w == wanted) {
        bytes[at + 9] = b't';
    }
    assert_eq!(found(&of_bytes(&bytes)), [("pack", None)]);
}

#[test]
fn what_stands_before_or_behind_a_zip_or_as_its_comment_is_refused() {
    let good = zipped(&story().pack_files());
    assert_eq!(of_bytes(&good).exit_code(), 0);
    let mut commented = good.clone();
    let at = commented.len() - 2;
    commented[at] = 4;
    commented.extend(b"good");
    // The directory's own places moved too, as other programs do it: then only the first entry shows it.
    let (end, before) = (good.len() - 22, 9_u32);
    let place = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut moved = good.clone();
    let mut at = place(&good, end + 16) as usize;
    while at < end {
        moved[at + 42..at + 46].copy_from_slice(&(place(&good, at + 42) + before).to_le_bytes());
        let long = |o: usize| usize::from(u16::from_le_bytes([good[at + o], good[at + o + 1]]));
        at += 46 + long(28) + long(30) + long(32);
    }
    moved[end + 16..end + 20].copy_from_slice(&(place(&good, end + 16) + before).to_le_bytes());
    for (what, bytes) in [
        ("before", [b"Dear all,", good.as_slice()].concat()),
        ("before, and known", [b"Dear all,", moved.as_slice()].concat()),
        ("behind", [good.as_slice(), b"Yours"].concat()),
        ("a second directory", [good.as_slice(), &good[good.len() - 22..]].concat()),
        ("a comment", commented),
    ] {
        assert_eq!(found(&of_bytes(&bytes)), [("pack", None)], "{what}");
    }
}

#[test]
fn a_file_where_evidence_stands_under_a_name_that_the_format_does_not_have_is_found() {
    for (name, code) in [
        ("manifest.1.jsonl", "manifest"),
        ("manifest.02.jsonl", "manifest"),
        ("manifest.jsonl.1", "manifest"),
        ("contents.jsonl", "contents"),
        ("contents.01.jsonl", "contents"),
        ("contents.2.jsonl", "plan"),
        ("plans/01.json", "plan"),
        ("plans/1.txt", "plan"),
        ("approvals/1.json", "approval"),
        ("approvals/2-1.json", "plan"),
        ("anchors/latest.cosig", "anchor"),
        ("anchors/07.cosig", "anchor"),
        ("texts/readme.txt", "text"),
        ("generation/7/checkpoint", "size"),
    ] {
        let mut files = story().pack_files();
        let like =
            if code == "plan" && name.starts_with("approvals/") { files["approvals/1-1.json"].clone() } else { Vec::new() };
        files.insert(name.to_owned(), like);
        assert_eq!(found(&check(&files)), [(code, None)], "{name}");
    }
}

#[test]
fn more_than_100_000_entries_are_refused() {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for i in 0..100_001 {
        zip.start_file(format!("x/{i}"), options).unwrap();
    }
    let report = of_bytes(&zip.finish().unwrap().into_inner());
    assert_eq!(found(&report), [("pack", None)]);
}

#[test]
fn a_bomb_is_stopped_while_it_unpacks_whatever_it_says_of_itself() {
    let zeros = vec![b'0'; 80 << 20];
    for name in ["tile/0/000.p/28", "tile/entries/000.p/28", "checkpoint", "plans/1.json", "manifest.jsonl", "contents.1.jsonl"] {
        let mut files = story().pack_files();
        files.insert(name.to_owned(), zeros.clone());
        let bytes = zipped(&files);
        assert!(bytes.len() < 1 << 20);
        assert_eq!(of_bytes(&bytes).exit_code(), 1, "{name}");

        // The same with a declared size of 1 byte, in both headers.
        let mut lying = bytes.clone();
        let size = u32::try_from(zeros.len()).unwrap().to_le_bytes();
        while let Some(at) = lying.windows(4).position(|w| w == size) {
            lying[at..at + 4].copy_from_slice(&[1, 0, 0, 0]);
        }
        assert_ne!(of_bytes(&lying).exit_code(), 0, "{name}");
    }
}

#[test]
fn lines_that_unpack_to_far_more_than_commitments_can_are_refused() {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in story().pack_files().iter().filter(|(name, _)| *name != "manifest.jsonl") {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.start_file("manifest.jsonl", options).unwrap();
    // Valid lines, strictly ascending, that pack very well.
    let zeros = "0".repeat(64);
    for i in 0..500_000u128 {
        let line = format!("{{\"c\":{{\"letter\":\"{zeros}\",\"sms\":\"{zeros}\"}},\"p\":\"{i:032x}\"}}\n");
        zip.write_all(line.as_bytes()).unwrap();
    }
    let report = of_bytes(&zip.finish().unwrap().into_inner());
    assert!(report.findings.kept.iter().any(|f| f.text.contains("unpacks to more than")), "{report}");
}

#[test]
fn json_with_a_key_twice_huge_numbers_or_deep_nesting_is_no_plan_and_no_leaf() {
    for text in
        ["{\"plan\":1,\"plan\":1}".to_owned(), "1e999".into(), "9".repeat(5000), "[".repeat(100_000), "{\"a\":".repeat(5000)]
    {
        let mut files = story().pack_files();
        files.insert("plans/1.json".into(), text.clone().into_bytes());
        assert_eq!(check(&files).exit_code(), 1);
        let mut case = story();
        case.raw.insert(LATE_1, text.into_bytes().into_iter().take(4000).collect());
        assert_eq!(case.found(), [("canonical", Some(LATE_1 as u64))]);
    }
}

#[test]
fn a_checkpoint_of_any_size_is_answered_at_once() {
    for size in [0, 1, 27, 29, 1 << 20, u64::MAX >> 1, u64::MAX] {
        let mut files = story().pack_files();
        files.insert("checkpoint".into(), signer(&origin()).sign_checkpoint(size, [1; 32]).into_bytes());
        assert_eq!(check(&files).exit_code(), 1, "{size}");
    }
}

/// Files of which each byte is evidence.
fn is_evidence(name: &str) -> bool {
    name != "pack.json" && name != "README.txt"
}

fn good_files() -> BTreeMap<String, Vec<u8>> {
    let mut files = story().pack_files();
    files.insert("README.txt".into(), b"nothing in me is evidence".to_vec());
    files
}

/// 256, or as many as `CASES` says for a long run.
fn cases() -> u32 {
    std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256)
}

/// Entries that are read wherever they are.
const READ: [&str; 8] = [
    "checkpoint",
    "plans/1.json",
    "approvals/1-1.json",
    "contents.1.jsonl",
    "manifest.jsonl",
    "anchors/7.checkpoint",
    "generation/1/checkpoint",
    "tile/entries/000.p/28",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_byte_of_the_evidence_leaves_a_pack_good(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut files = good_files();
        let names: Vec<String> = files.keys().filter(|name| is_evidence(name)).cloned().collect();
        let name = file.get(&names).clone();
        let bytes = files.get_mut(&name).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let report = check(&files);
        prop_assert_eq!(report.exit_code(), 1, "{} byte {}: {}", name, at, report);
        prop_assert!(!report.findings.kept.is_empty());
    }

    #[test]
    fn no_cut_lengthened_or_removed_file_leaves_a_pack_good(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), how in 0..3) {
        let mut files = good_files();
        let names: Vec<String> = files.keys().filter(|name| is_evidence(name)).cloned().collect();
        let name = file.get(&names).clone();
        let bytes = files.get_mut(&name).unwrap();
        match how {
            0 => bytes.truncate(at.index(bytes.len())),
            1 => bytes.insert(at.index(bytes.len()), b'0'),
            _ => drop(files.remove(&name)),
        }
        prop_assert_ne!(check(&files).exit_code(), 0, "{}", name);
    }

    #[test]
    fn no_damage_to_the_zip_makes_a_panic_or_another_good_pack(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..20)) {
        let mut zip = zipped(&good_files());
        let at = at.index(zip.len());
        let end = (at + bytes.len()).min(zip.len());
        zip[at..end].copy_from_slice(&bytes[..end - at]);
        let report = of_bytes(&zip);
        if report.exit_code() == 0 {
            prop_assert_eq!(report.root, story().report().root);
            prop_assert_eq!(report.equation.notified, 2);
        }
    }

    #[test]
    fn no_bytes_make_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), name in prop::sample::select(READ.to_vec())) {
        let mut files = good_files();
        files.insert(name.to_owned(), bytes.clone());
        prop_assert_ne!(check(&files).exit_code(), 0);
        prop_assert_ne!(of_bytes(&bytes).exit_code(), 0);
    }

    #[test]
    fn a_leaf_of_random_fields_makes_no_panic(kind in 0..KINDS.lines().count(), fields in prop::collection::btree_map("(attempt|channel|to|notice|plan|phase|ordinal|reason|status|ground|list|count|root|rows|hold|user|repeat)", "(1|2|4611686018427387904|\"sms\"|\"letter\"|\"first\"|\"escalation\"|\"sending\"|\"ready\"|\"accepted\"|\"open\"|\"notified\"|true|false|null)", 0..12), id in 1u8..6) {
        let kinds: Vec<&str> = KINDS.lines().filter_map(|l| l.split("\"k\":\"").nth(1)?.split('"').next()).collect();
        let mut case = story();
        let kind = kinds[kind];
        let detail = fields.iter().map(|(name, value)| (name.clone(), serde_json::from_str(value).unwrap())).collect();
        let of_message = kind.starts_with("message.") || kind.starts_with("receipt");
        case.push(kind, of_message.then_some(id), serde_json::Value::Object(detail));
        let leaf = case.events.pop().unwrap();
        if leaf.to_bytes().is_ok() {
            case.events.push(leaf);
        }
        prop_assert!(case.report().exit_code() < 3);
    }
}
