//! The auditor's own list: nobody missing, nobody else.

use super::case::*;
use super::story::story;
use duly_ledger::verify::{Options, OwnList, Report, Verdict};
use duly_ledger::{field_key, to_hex};
use serde_json::json;
use std::fmt::Write;

fn by(own: OwnList, with_keys: bool) -> Report {
    with(own, with_keys, "quarantined")
}

/// `last` is what became of the last row.
fn with(own: OwnList, with_keys: bool, last: &str) -> Report {
    let mut case = story();
    if with_keys {
        let (mut openings, mut rows) = (String::new(), String::new());
        for id in 1..=4 {
            let k = to_hex(&field_key(&key(id), "external_reference"));
            writeln!(openings, "{}", json!({"k": {"external_reference": k}, "p": to_hex(&person(id))})).unwrap();
            writeln!(rows, "{}", json!({"fate": "person", "list": 1, "p": to_hex(&person(id)), "row": id})).unwrap();
        }
        writeln!(rows, "{}", json!({"fate": "duplicate_of", "list": 1, "p": to_hex(&person(1)), "row": 5})).unwrap();
        writeln!(rows, "{}", json!({"fate": last, "list": 1, "p": null, "row": "6"})).unwrap();
        case.files.insert("keys/openings.jsonl".into(), openings.into_bytes());
        case.files.insert("keys/rows.jsonl".into(), rows.into_bytes());
    }
    check_with(&case.pack_files(), &Options { own_list: Some(own), ..Options::default() })
}

fn csv(text: &str) -> Report {
    by(OwnList::Rows(text.as_bytes().to_vec()), true)
}

#[test]
fn a_manifest_of_the_auditor_s_own_is_compared_line_by_line() {
    let manifest = |ids: &[u8]| OwnList::Manifest(lines(ids.iter().map(|id| manifest_line(*id))).0);
    let good = by(manifest(&[1, 2, 3, 4]), false);
    assert_eq!(found(&good), []);
    assert_eq!(
        good.own_list,
        [
            "your list of 4 people is list 1 of the pack, line by line".to_owned(),
            format!("p_{} has no end state", "04".repeat(16))
        ]
    );
    assert_eq!(found(&by(manifest(&[1, 2, 3]), false)), [("own_list", None)]);
    assert_eq!(found(&by(OwnList::Manifest(b"nobody\n".to_vec()), false)), [("own_list", None)]);
}

#[test]
fn rows_of_the_controller_s_own_file_are_named_where_the_person_is_open_missing_or_somebody_else() {
    let good = csv(
        "\u{feff}Name;External Reference\nA; PAY   0001\nB;PAY 0002\n\n;\"\"\nC;PAY 0003\nD;'PAY 0004\n;PAY 0001\nx;nonsense\n",
    );
    assert_eq!(found(&good), [("own_list", None)], "a guard against formulas is taken off only where there is a formula");
    let good =
        csv("external_reference,name\nPAY 0001,A\nPAY 0002,B\n\nPAY 0003,C\n PAY\t0004 ,D\nPAY 0001,A again\nnonsense,E\n");
    assert_eq!(found(&good), []);
    assert_eq!(
        good.own_list,
        [
            "your 6 rows were compared with list 1 of the pack by their references; names, numbers and addresses were not",
            "row 4: the person has no end state",
            "row 6 is nobody: quarantined"
        ]
    );

    // A list whose numbers were altered before the import is the same one here, and nothing says that they were compared.
    let altered = csv("external_reference,mobile\nPAY 0001,+447700900199\nPAY 0002,\nPAY 0003,\nPAY 0004,\nPAY 0001,\nx,\n");
    assert_eq!(found(&altered), []);
    assert!(altered.own_list[0].ends_with("names, numbers and addresses were not"), "{:?}", altered.own_list);

    let swapped = csv("external_reference\nPAY 0002\nPAY 0001\nPAY 0003\nPAY 0004\nPAY 0001\nx\n");
    assert_eq!(swapped.findings.kept.len(), 2);
    assert!(swapped.findings.kept[0].text.contains("row 1"));
    let longer = csv("external_reference\nPAY 0001\nPAY 0002\nPAY 0003\nPAY 0004\nPAY 0001\nx\nPAY 0007\n");
    assert_eq!(longer.findings.kept[0].text, "row 7 of your list is unknown to the pack");
    let shorter = csv("external_reference\nPAY 0001\nPAY 0002\nPAY 0003\n");
    assert!(shorter.findings.kept[0].text.contains("3 more rows"));
    assert_eq!(found(&csv("name\nA\n")), [("own_list", None)]);
}

#[test]
fn a_pack_that_opens_no_references_is_not_called_bad_but_not_compared() {
    let report = by(OwnList::Rows(b"external_reference\nPAY 0001\n".to_vec()), false);
    assert_eq!(found(&report), []);
    assert!(
        matches!(&report.verdict, Verdict::Unchecked(why) if why.contains("--open external_reference")),
        "{:?}",
        report.verdict
    );
}

#[test]
fn a_fate_that_there_is_not_is_found_and_moves_no_cursor() {
    let list = "external_reference\nPAY 0001\nPAY 0002\nPAY 0003\nPAY 0004\nPAY 0001\nx\n";
    let of = |last: &str| with(OwnList::Rows(list.as_bytes().to_vec()), true, last);
    for fate in ["superseded", "discarded"] {
        assert_eq!(found(&of(fate)), [], "{fate}");
    }
    for fate in ["forgotten", "x\u{1b}[2J\u{1b}[1;1HGOOD: everything that was checked holds.", "\u{202e}dlot", ""] {
        let report = of(fate);
        assert_eq!(found(&report), [("own_list", None)]);
        let said = format!("{report}{}", report.to_json());
        assert!(!said.contains("GOOD") && !said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
}
