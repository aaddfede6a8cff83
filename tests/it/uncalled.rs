//! Somebody whom the log calls notified, and whom nobody called: no report and no certificate says that they were.

use crate::packs::{incident_pack, pdf_text, person_pack};
use crate::support::{Lane, Setup, Stage};
use crate::told::{file, sequence};
use duly::model::state::{Channel, NoticeState, Route};
use duly::report::pack::Audience;
use duly::report::replay::replay;
use duly::report::{certificate, document, promised, regulator, witness};
use duly_ledger::{Event, leaf_hash};
use duly_sandbox::ProviderConfig;
use serde_json::{Value, json};
use uuid::Uuid;

/// Two people to whom nothing was sent. Past every guard, as the owner of the database may, the log says of one of them that
/// a letter was handed to the carrier.
async fn stage() -> (Stage, Uuid) {
    let provider = ProviderConfig { channel: "letter".into(), ..ProviderConfig::default() };
    let lanes = vec![Lane { provider, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { people: 2, routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    let person: Uuid =
        sqlx::query_scalar("select person_id from person order by 1 limit 1").fetch_one(&stage.owner).await.unwrap();
    let told = json!({"attempt": 0, "channel": "letter", "notice": "notified", "ordinal": 1, "phase": 1, "reason": "first",
        "status": "handed_to_carrier", "to": "handed_to_carrier"});
    let forged = Event {
        id: Uuid::now_v7().to_string(),
        inc: stage.incident.incident_id.to_string(),
        kind: "receipt".into(),
        n: Some(1),
        person: Some(*person.as_bytes()),
        prev: None,
        at_micros: duly::report::replay::micros(stage.office.store.now().await.unwrap()),
        detail: told.as_object().unwrap().clone(),
    };
    let body = forged.to_bytes().unwrap();
    let mut tx = stage.owner.begin().await.unwrap();
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query(
        "with forged as (insert into event (controller_id, incident_no, person_id, n, kind, body, leaf)
                         values ($1, $2, $3, 1, 'receipt', $4, $5) returning ord)
         insert into event_inbox (first_ord, controller_id, incident_no, ords, since) select ord, $1, $2, array[ord], now() from forged",
    )
    .bind(stage.incident.key.controller_id)
    .bind(stage.incident.key.incident_no)
    .bind(person)
    .bind(&body)
    .bind(leaf_hash(&body).as_slice())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    sequence(&stage).await;
    (stage, person)
}

const SAID: &str = "1 person is called notified by the log, which has no call to them: they are counted as not notified";

#[tokio::test]
async fn reports_and_the_certificate_count_nobody_as_notified_whom_nobody_called() {
    let (stage, person) = stage().await;
    let store = &stage.office.store;

    let replayed = replay(store, stage.incident.incident_id, store.now().await.unwrap()).await.unwrap();
    let tally = &replayed.tally;
    assert_eq!((tally.people.people, tally.people.notified, tally.people.open), (2, 0, 2));
    assert!(tally.people.holds() && tally.notified_at.is_empty() && tally.notified_by_channel.is_empty());
    assert_eq!(tally.notice_of(person.as_bytes()), (NoticeState::Open, None));
    let letters = &tally.traffic[&Channel::Letter];
    assert_eq!((letters.messages, letters.taken, letters.uncalled), (0, 0, 1));

    let plans = promised::load(store, stage.incident.key, tally).await.unwrap();
    let report = document::text(&regulator::regulator(&stage.incident, &replayed, &plans, "uk-gdpr").unwrap());
    let programs = witness::Programs::load(store, replayed.as_of).await.unwrap();
    let statement = document::text(&witness::witness(&stage.incident, &replayed, &plans, &programs));
    let names = duly::report::story::Names::new();
    let certificate = document::text(&certificate::of_incident(&stage.incident, Audience::Court, &replayed, &plans, &names));
    for page in [&report, &statement, &certificate] {
        assert!(
            page.contains("None of the 2 people on the frozen lists has been notified yet.") && page.contains(SAID),
            "{page}"
        );
        assert!(page.contains("Said to be taken, and the log has no call of it"), "{page}");
    }
    assert!(statement.contains("letter: said to be accepted") && statement.contains("DIFFERS"), "{statement}");
    let data = regulator::data(&stage.incident, &replayed, &plans, "uk-gdpr");
    assert_eq!(data["informed"], json!("planned"));
    assert_eq!(data["notified_without_call"], json!([format!("p_{}", person.simple())]));
    assert_eq!(data["channels"]["letter"]["taken_without_call"], json!(1));
    let page = String::from_utf8(file(&incident_pack(&stage, Audience::Regulator, false).await, "summary.html")).unwrap();
    assert!(page.contains(SAID), "{page}");
}

#[tokio::test]
async fn a_persons_certificate_does_not_say_notified_and_promises_no_message_that_was_never_sent() {
    let (stage, person) = stage().await;

    let pack = person_pack(&stage, person, &[], true).await.unwrap();
    let story = String::from_utf8(file(&pack, "story.txt")).unwrap();
    assert!(
        story.contains("The log calls this a notice, and has no call to this person.") && !story.contains("Notified"),
        "{story}"
    );
    let about: Value = serde_json::from_slice(&file(&pack, "pack.json")).unwrap();
    assert_eq!(about["kind"], json!("person"));
    let Some(certificate) = pdf_text(&stage, &file(&pack, "certificate.pdf")) else { return };
    assert!(certificate.contains("has no call to them: they do not count as notified"), "{certificate}");
    assert!(!certificate.contains("was notified on") && !certificate.contains("stands in “messages/”"), "{certificate}");
    assert!(certificate.contains("No call to this person stands in the log"), "{certificate}");
}
