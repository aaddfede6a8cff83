//! What was proven before an erasure is proven after it: the incident's pack, everybody else's, and the erased person's own,
//! which opens nothing any more.

use super::{Told, tells};
use crate::packs::{incident_pack, person_pack};
use crate::support::Stage;
use crate::told::{check, file, files, sequence};
use duly::report::pack::{Audience, PackError};
use duly_ledger::verify::{Report, Verdict};
use uuid::Uuid;

fn good(stage: &Stage, pack: &[u8]) -> Report {
    let report = check(stage, pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    report
}

fn text(pack: &[u8], name: &str) -> String {
    String::from_utf8(file(pack, name)).unwrap()
}

async fn another(stage: &Stage, person: Uuid) -> Uuid {
    sqlx::query_scalar("select person_id from person where person_id <> $1 order by person_id limit 1")
        .bind(person)
        .fetch_one(&stage.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_incidents_pack_and_everybody_elses_verify_as_before_and_count_the_erased_person() {
    let told = Told::new().await;
    told.tell().await;
    let (stage, person) = (&told.stage, told.person().await);
    let other = another(stage, person).await;
    sequence(stage).await;
    let before = incident_pack(stage, Audience::Regulator, true).await;
    let others_before = person_pack(stage, other, &["external_reference", "letter"], true).await.unwrap();
    assert!(text(&before, "keys/openings.jsonl").contains(&person.simple().to_string()), "it was opened before");

    told.erase("PN0\n").fine();
    sequence(stage).await;

    let after = incident_pack(stage, Audience::Regulator, true).await;
    let report = good(stage, &after);
    assert_eq!(report.events["key.destroyed"], 1);
    assert_eq!(report.equation, good(stage, &before).equation, "everybody counts as before");
    let openings = text(&after, "keys/openings.jsonl");
    assert_eq!(openings.lines().count(), 2);
    assert!(!openings.contains(&person.simple().to_string()), "a key that is gone opens nothing");
    let rows = text(&after, "keys/rows.jsonl");
    assert_eq!(rows, text(&before, "keys/rows.jsonl"), "and the row stays a person's");
    assert!(rows.contains(&person.simple().to_string()));

    let others = person_pack(stage, other, &["external_reference", "letter"], true).await.unwrap();
    let opened = good(stage, &others);
    assert!(opened.checked.iter().any(|line| line.contains("`letter`")), "{:?}", opened.checked);
    assert_eq!(file(&others, "messages/1.pdf"), file(&others_before, "messages/1.pdf"));
    for (name, bytes) in files(&after).into_iter().chain(files(&others)) {
        assert!(!tells(&bytes), "{name}");
    }
    // What somebody has had in hand since before still verifies.
    good(stage, &others_before);
}

#[tokio::test]
async fn the_erased_persons_own_pack_verifies_tells_that_they_were_told_and_opens_nothing() {
    let told = Told::new().await;
    told.tell().await;
    let (stage, person) = (&told.stage, told.person().await);
    sequence(stage).await;
    let disclosed = person_pack(stage, person, &["external_reference", "letter"], true).await.unwrap();
    assert!(files(&disclosed).iter().any(|(_, bytes)| tells(bytes)), "the search itself finds");

    told.erase("PN0\n").fine();
    sequence(stage).await;

    let own = person_pack(stage, person, &[], false).await.unwrap();
    let report = good(stage, &own);
    assert_eq!((report.kind, report.events["key.destroyed"]), ("person", 1));
    for (name, bytes) in files(&own) {
        assert!(!tells(&bytes), "{name}");
    }
    let names: Vec<String> = files(&own).into_iter().map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name == "keys.json" || name.starts_with("messages/")), "{names:?}");
    let story = text(&own, "story.txt");
    assert!(story.contains("Notified.") && story.contains("erased this person: the key was destroyed"), "{story}");
    if let Some(certificate) = crate::packs::pdf_text(stage, &file(&own, "certificate.pdf")) {
        assert!(certificate.contains("Everything personal of this person was destroyed. The proof stands"), "{certificate}");
        assert!(certificate.contains("This person was notified on") && !tells(certificate.as_bytes()), "{certificate}");
    }

    for (fields, messages) in [(&["external_reference"][..], false), (&["name", "letter"], false), (&[], true)] {
        let refused = person_pack(stage, person, fields, messages).await;
        assert!(matches!(refused, Err(PackError::Erased)), "{fields:?} {messages}");
    }
    let id = format!("p_{}", person.simple());
    let pack = |more: &[&str]| {
        let args = ["pack", "person", "--incident", "test", "--person", &id, "--out", "own.zip"];
        told.duly(&[&args, more].concat(), "")
    };
    pack(&["--open", "letter", "--messages"])
        .refused("the person's key is destroyed", "make the pack without `--open` and `--messages`");
    assert!(!stage.folder.path().join("own.zip").exists(), "nothing was left behind");
    pack(&[]).fine();
    good(stage, &std::fs::read(stage.folder.path().join("own.zip")).unwrap());

    // The keys that were given away are in that pack, and stay where they are: docs/keys.md says so.
    let kept = good(stage, &disclosed);
    assert!(kept.checked.iter().any(|line| line.contains("`letter`")), "{:?}", kept.checked);
}
