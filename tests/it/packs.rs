//! Packs: whoever has the key can check them, they hold nobody's data unless it was opened, and one checkpoint gives
//! the same bytes.

mod foreign;
mod readers;

use crate::support::{Stage, skipped};
use crate::told::{PEOPLE, check, file, files, personal, sequence, told};
use duly::model::state::Channel;
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
    assert!(
        story.contains("Letter: call to print provider begins") && story.contains("Posted first class. Notified."),
        "{story}"
    );

    let opened = person_pack(&stage, id, &["letter"], true).await.unwrap();
    let report = check(&stage, &opened);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert!(report.checked.iter().any(|line| line.contains("`letter`")), "{:?}", report.checked);
    assert!(report.checked.iter().any(|line| line.contains("messages/1.pdf")), "{:?}", report.checked);
    let keys: Value = serde_json::from_slice(&file(&opened, "keys.json")).unwrap();
    assert_eq!(keys["values"].as_object().unwrap().keys().collect::<Vec<_>>(), ["letter"]);
    assert!(matches!(person_pack(&stage, id, &["sms_backup"], false).await, Err(PackError::NoField { .. })));
}

/// The text of a PDF, where somebody can read it; `None` is said aloud.
pub fn pdf_text(stage: &Stage, pdf: &[u8]) -> Option<String> {
    let path = stage.folder.path().join("read.pdf");
    std::fs::write(&path, pdf).unwrap();
    match std::process::Command::new("pdftotext").arg("-raw").args([path.as_os_str(), "-".as_ref()]).output() {
        Ok(out) => Some(String::from_utf8(out.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")),
        Err(_) => {
            skipped("pdftotext is not installed, and nobody reads the certificate's words");
            None
        }
    }
}

async fn pack_for(stage: &Stage, audience: Audience, fields: &[&str]) -> Vec<u8> {
    let key = stage.office.master.unwrap_key(&stage.incident.wrapped_key, "incident").unwrap();
    let fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
    let key = (!fields.is_empty()).then_some(&key);
    let wanted = person::Wanted { audience, person_id: somebody(stage).await, fields: &fields, messages: false, key };
    let mut out = Cursor::new(Vec::new());
    person::write(&stage.office.store, &stage.incident, &wanted, &mut out).await.unwrap();
    out.into_inner()
}

#[tokio::test]
async fn a_persons_certificate_says_how_when_and_by_whose_approval_and_names_nobody_who_was_not_opened() {
    let stage = told().await;
    let id = format!("p_{}", somebody(&stage).await.simple());

    let pack = pack_for(&stage, Audience::Court, &[]).await;
    assert!(pack_for(&stage, Audience::Court, &[]).await == pack, "not the same bytes of the same checkpoint");
    assert_eq!(check(&stage, &pack).verdict, Verdict::Good);
    let story = String::from_utf8(file(&pack, "story.txt")).unwrap();
    assert!(story.contains("Posted first class") && story.contains("bob approved plan 1"), "{story}");
    let Some(court) = pdf_text(&stage, &file(&pack, "certificate.pdf")) else { return };
    for said in [
        &id,
        "For the court. This person was notified on",
        "by letter: posted first class",
        "bob approved plan 1",
        "uk-gdpr/letter.en.hbs",
        "Signature",
    ] {
        assert!(court.contains(said), "{said}: {court}");
    }
    assert_eq!(personal(court.as_bytes()), Vec::<&str>::new());

    let opened =
        pdf_text(&stage, &file(&pack_for(&stage, Audience::Court, &["name", "letter"]).await, "certificate.pdf")).unwrap();
    assert!(opened.contains("High Street") && opened.contains("Price"), "{opened}");
    // An affected person is not told who worked on it.
    let own = pack_for(&stage, Audience::Person, &[]).await;
    let text = pdf_text(&stage, &file(&own, "certificate.pdf")).unwrap();
    let story = String::from_utf8(file(&own, "story.txt")).unwrap();
    assert!(text.contains("A user approved plan 1") && !text.contains("bob") && !story.contains("bob"), "{text}");
}

#[tokio::test]
async fn an_incidents_certificate_names_who_approved_and_what_each_hash_stands_for() {
    let stage = told().await;
    let Some(court) = pdf_text(&stage, &file(&incident_pack(&stage, Audience::Court, false).await, "certificate.pdf")) else {
        return;
    };
    let hash = stage.words("select encode(hash, 'hex') from approved_text where name like '%letter%'").await;
    let tight: String = court.split_whitespace().collect();
    for said in ["1 approved", "bob", "uk-gdpr/letter.en.hbs", "texts.json", "uk-gdpr.toml, version", "list 1", "plan 1"] {
        assert!(court.contains(said), "{said}: {court}");
    }
    assert!(tight.contains(&hash[0]), "{court}");
    let page = String::from_utf8(file(&incident_pack(&stage, Audience::Regulator, false).await, "summary.html")).unwrap();
    assert!(page.contains("Dear Alex Example,") && page.contains("made up"), "{page}");
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
    let told = stage.users.compare(&stage.office.store, &stage.incident, ("letters", Channel::Letter), PEOPLE.into()).await;
    sequence(&stage).await;

    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!((report.events["contact.viewed"], report.events["export.made"]), (1, 1));
    assert_eq!(report.events["statement.compared"], 1);
    let summary = String::from_utf8(file(&pack, "summary.html")).unwrap();
    assert!(summary.contains(&told.hash) && summary.contains("lane letters"), "{summary}");
}
