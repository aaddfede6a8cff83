//! Packs: whoever has the key can check them, they hold nobody's data unless it was opened, and one checkpoint gives
//! the same bytes.

use crate::support::Stage;
use crate::told::{check, file, files, personal, sequence, told};
use duly::report::pack::{Audience, PackError, incident, person};
use duly_ledger::verify::Verdict;
use serde_json::Value;
use std::io::Cursor;
use uuid::Uuid;

/// The pack of the stage's incident.
pub async fn incident_pack(stage: &Stage, audience: Audience, opens: bool) -> Vec<u8> {
    let key = stage.office.master.unwrap_key(&stage.incident.wrapped_key, "incident").unwrap();
    let wanted = incident::Wanted { audience, openings: opens.then_some(&key), progress: &|_, _| {} };
    let mut out = Cursor::new(Vec::new());
    incident::write_wanted(&stage.office.store, &stage.incident, &wanted, &mut out).await.unwrap();
    out.into_inner()
}

pub async fn person_pack(stage: &Stage, person_id: Uuid, fields: &[&str], messages: bool) -> Result<Vec<u8>, PackError> {
    let key = stage.office.master.unwrap_key(&stage.incident.wrapped_key, "incident").unwrap();
    let fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
    let opens = messages || !fields.is_empty();
    let wanted = person::Wanted { audience: Audience::Person, person_id, fields: &fields, messages, key: opens.then_some(&key) };
    let mut out = Cursor::new(Vec::new());
    person::write(&stage.office.store, &stage.incident, &wanted, &mut out).await?;
    Ok(out.into_inner())
}

async fn somebody(stage: &Stage) -> Uuid {
    sqlx::query_scalar("select person_id from person order by person_id offset 2 limit 1").fetch_one(&stage.owner).await.unwrap()
}

#[tokio::test]
async fn an_incidents_pack_verifies_holds_nobodys_data_and_has_the_same_bytes_again() {
    let stage = told().await;

    let pack = incident_pack(&stage, Audience::Regulator, false).await;

    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert!(incident_pack(&stage, Audience::Regulator, false).await == pack, "not the same bytes of the same checkpoint");
    for (name, bytes) in files(&pack) {
        assert_eq!(personal(&bytes), Vec::<&str>::new(), "{name}");
    }
    let page = String::from_utf8(file(&pack, "summary.html")).unwrap();
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    assert!(file(&pack, "certificate.pdf").starts_with(b"%PDF-"));
    assert!(file(&pack, "policy.example").starts_with(b"# UNTRUSTED"));
    let court = String::from_utf8(file(&incident_pack(&stage, Audience::Court, false).await, "summary.html")).unwrap();
    assert!(court.contains("for the court") && page.contains("for the supervisory authority"));
}

#[tokio::test]
async fn openings_for_the_controllers_own_list_verify_and_open_nothing_else() {
    let stage = told().await;

    let pack = incident_pack(&stage, Audience::Regulator, true).await;

    assert_eq!(check(&stage, &pack).verdict, Verdict::Good);
    let people = stage.count("select count(*) from person").await;
    let lines = |name: &str| String::from_utf8(file(&pack, name)).unwrap().lines().count();
    assert_eq!(i64::try_from(lines("keys/openings.jsonl")).unwrap(), people);
    assert_eq!(i64::try_from(lines("keys/rows.jsonl")).unwrap(), stage.count("select count(*) from source_row").await);
    let opening: Value =
        serde_json::from_slice(file(&pack, "keys/openings.jsonl").split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!(opening["k"].as_object().unwrap().keys().collect::<Vec<_>>(), ["external_reference"]);
}

#[tokio::test]
async fn a_persons_pack_verifies_and_opens_exactly_what_was_asked_for() {
    let stage = told().await;
    let id = somebody(&stage).await;

    let closed = person_pack(&stage, id, &[], false).await.unwrap();
    assert_eq!(check(&stage, &closed).verdict, Verdict::Good, "{:?}", check(&stage, &closed).findings.kept);
    for (name, bytes) in files(&closed) {
        assert_eq!(personal(&bytes), Vec::<&str>::new(), "{name}");
    }

    let story = String::from_utf8(file(&closed, "story.txt")).unwrap();
    assert!(story.contains("Letter: call to print provider begins") && story.contains("Posted. Notified."), "{story}");

    let opened = person_pack(&stage, id, &["letter"], true).await.unwrap();
    let report = check(&stage, &opened);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert!(report.checked.iter().any(|line| line.contains("`letter`")), "{:?}", report.checked);
    assert!(report.checked.iter().any(|line| line.contains("messages/1.pdf")), "{:?}", report.checked);
    let keys: Value = serde_json::from_slice(&file(&opened, "keys.json")).unwrap();
    assert_eq!(keys["values"].as_object().unwrap().keys().collect::<Vec<_>>(), ["letter"]);
    assert!(matches!(person_pack(&stage, id, &["sms_backup"], false).await, Err(PackError::NoField { .. })));
}

#[tokio::test]
async fn a_persons_pack_with_one_digit_changed_is_refused() {
    let stage = told().await;
    let pack = person_pack(&stage, somebody(&stage).await, &["letter"], false).await.unwrap();

    for name in ["events/1.json", "manifest-line.json", "keys.json", "manifest-line.proof"] {
        let mut copy = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (file, mut bytes) in files(&pack) {
            if file == name {
                let digit = bytes.iter().rposition(u8::is_ascii_digit).unwrap();
                bytes[digit] = if bytes[digit] == b'1' { b'2' } else { b'1' };
            }
            copy.start_file(file, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut copy, &bytes).unwrap();
        }
        let altered = copy.finish().unwrap().into_inner();
        assert_ne!(check(&stage, &altered).verdict, Verdict::Good, "{name}");
    }
}

#[tokio::test]
async fn looking_at_a_person_and_exporting_are_facts_of_the_log() {
    let stage = told().await;
    let id = somebody(&stage).await;
    let by = stage.users.prepare(&stage.office.store, &stage.incident).await;

    stage.office.store.record_view(stage.incident.key, id, "pack", by).await.unwrap();
    stage.office.store.record_export(stage.incident.key, "pack", "person", &[7; 32], by).await.unwrap();
    sequence(&stage).await;

    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!((report.events["contact.viewed"], report.events["export.made"]), (1, 1));
}
