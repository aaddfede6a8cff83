//! What the report says: of a bad pack nothing that it found broken, and each failed audit by its codes.

use super::case::*;
use super::story::*;
use serde_json::json;

#[test]
fn of_a_bad_pack_nothing_is_said_to_be_checked_that_was_found_broken() {
    let good = story().report().to_string();
    for said in
        ["\nChecked\n", "each person's chain of events, without gap", "no call of a message while one was open", "1 plan(s)"]
    {
        assert!(good.contains(said), "{said}: {good}");
    }
    let gap = changed(|case| {
        let text = String::from_utf8(case.leaves()[DELIVERED_1].clone()).unwrap();
        case.raw.insert(DELIVERED_1, text.replace("\"n\":3", "\"n\":4").into_bytes());
    });
    let report = gap.report();
    let text = report.to_string();
    assert_eq!(found(&report)[0].0, "chain", "{text}");
    assert!(text.contains("\nLooked at, without a finding\n") && text.contains("1 plan(s)"), "{text}");
    for said in ["\nChecked\n", "each person's chain of events"] {
        assert!(!text.contains(said), "{said}: {text}");
    }
    let mut files = story().pack_files();
    files.get_mut("tile/0/000.p/28").unwrap()[0] ^= 1;
    assert_eq!(check(&files).checked, ["the checkpoint's signature, by the key that you gave"]);
}

#[test]
fn a_failed_audit_is_told_with_its_codes() {
    let failed = changed(|case| {
        case.push("audit.failed", None, json!({"codes": "state_differs,chain", "findings": 3}));
    });
    let (report, leaf) = (failed.report(), failed.events.len() - 1);
    assert_eq!(found(&report), []);
    let text = report.to_string();
    let line = format!("leaf {leaf}, {}: 3 difference(s), state_differs,chain", report.newest_event.clone().unwrap());
    assert!(text.contains("Failed audits of the sender's own tables\n") && text.contains(&line), "{text}");
    let told = &report.to_json()["failed_audits"][0];
    assert_eq!((&told["leaf"], &told["findings"], &told["codes"]), (&leaf.into(), &3.into(), &"state_differs,chain".into()));
    assert!(!story().report().to_string().contains("Failed audits"));
}

#[test]
fn a_forged_page_for_people_in_a_good_pack_is_never_vouched_for() {
    let mut person = super::person::pack(&story(), 1);
    person.insert("certificate.pdf".into(), b"%PDF-1.7 forged".to_vec());
    person.insert("story.txt".into(), b"Nobody was ever written to.\n".to_vec());
    let mut incident = story().pack_files();
    incident.insert("certificate.pdf".into(), b"%PDF-1.7 forged".to_vec());
    for (files, pages) in [(person, "certificate.pdf and story.txt"), (incident, "summary.html and certificate.pdf")] {
        let report = check(&files);
        let said = format!("What {pages} say: they are for people, and were not compared with the log.");
        assert_eq!((report.exit_code(), found(&report)), (0, vec![]), "nobody can tell");
        assert!(report.to_string().contains(&said), "{report}");
        assert_eq!(report.limits().iter().filter(|line| line.contains("certificate.pdf")).collect::<Vec<_>>(), [&said]);
    }
}

#[test]
fn whose_decisions_a_pack_tells_of_is_never_called_checked() {
    let user = json!({"command": COMMAND, "user": ALICE, "notice": "exempt", "phase": 1});
    let decided = changed(|case| let_go(case.push("notice.exempt", Some(4), user)));
    for (files, said) in [
        (decided.pack_files(), "the command and its signature are not in a pack"),
        (super::person::pack(&story(), 3), "neither the command nor its signature is in a person's pack"),
    ] {
        let mut files = files;
        files.retain(|name, _| !name.starts_with("messages/"));
        let report = check(&files);
        assert_eq!((report.exit_code(), found(&report)), (0, vec![]));
        let lines: Vec<String> = report.limits().into_iter().filter(|line| line.starts_with("Who decided")).collect();
        assert!(lines.len() == 1 && lines[0].contains(said), "{lines:?}");
    }
}
