//! Emails: whoever gave an address is told by it, and by a letter where it does not arrive.

use crate::intake_world::IntakeWorld;
use crate::packs::{incident_pack, person_pack};
use crate::support::{Capability, Lane, NOTIFY_KEY, Setup, Stage, eventually};
use crate::told::{check, file, files, sequence};
use duly::model::state::Route;
use duly::report::pack::Audience;
use duly_ledger::verify::Verdict;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use sha2::{Digest, Sha256};

/// A lane of emails whose provider tells at once how each ends.
fn emails(face: Face, faults: Vec<Fault>) -> Lane {
    let provider = ProviderConfig {
        face,
        channel: "email".into(),
        api_key: (face == Face::Notify).then(|| NOTIFY_KEY.to_owned()),
        receipts: true,
        receipt_delay_ms: 0,
        receipt_retry_ms: Some(200),
        faults,
        ..Capability::StrongLookup.provider()
    };
    Lane { provider, ..Lane::named("mail") }
}

fn letters() -> Lane {
    let provider =
        ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..Capability::StrongLookup.provider() };
    Lane { provider, ..Lane::named("letters") }
}

async fn stage(people: u32, route: Route, lanes: Vec<Lane>) -> Stage {
    Stage::new(Setup { people, routes: vec![route], lanes, ..Setup::default() }).await
}

/// Whoever does not trust us can check it, and reads in one person's pack what was sent where.
async fn check_packs(stage: &Stage) {
    sequence(stage).await;
    let pack = incident_pack(stage, Audience::Regulator, false).await;
    let report = check(stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);

    let who = "select person_id from message where channel = 'email' and state = 'carrier_delivered' limit 1";
    let id: uuid::Uuid = sqlx::query_scalar(who).fetch_one(&stage.owner).await.unwrap();
    let opened = person_pack(stage, id, &["email"], true).await.unwrap();
    let report = check(stage, &opened);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    let keys: serde_json::Value = serde_json::from_slice(&file(&opened, "keys.json")).unwrap();
    assert!(keys["values"]["email"].as_str().unwrap().ends_with("@mail.example"), "{keys}");
    let (_, mail) = files(&opened).into_iter().find(|(name, _)| name.starts_with("messages/")).unwrap();
    assert!(mail.starts_with(b"Your personal data: what happened and what you can do\n\nDear Price,"));
}

#[tokio::test]
async fn an_email_that_the_recipients_server_took_ends_the_notice() {
    for face in [Face::Plain, Face::Notify] {
        let stage = stage(3, Route::Email, vec![emails(face, Vec::new())]).await;
        stage.serve_receipts().await;
        let _process = stage.start(&["scheduler", "worker"]);

        stage.drain_to_the_end().await;

        assert_eq!(stage.states().await, ["carrier_delivered"; 3], "{face:?}");
        assert_eq!(stage.words("select state from notice").await, ["notified"; 3], "{face:?}");
        let record = stage.sandbox.state.record();
        let mut to: Vec<&str> = record.iter().map(|mail| mail.destination.as_str()).collect();
        to.sort_unstable();
        assert_eq!(to, ["price.1@mail.example", "price.2@mail.example", "price.3@mail.example"], "{face:?}");
        assert!(record.iter().all(|mail| mail.channel == "email"), "{face:?}");
        stage.audit().await;
        check_packs(&stage).await;
    }
}

#[tokio::test]
async fn an_email_that_bounces_is_followed_by_a_letter() {
    for face in [Face::Plain, Face::Notify] {
        let bounces = vec![Fault::once(FaultKind::Undelivered)];
        let stage = stage(2, Route::EmailThenLetter, vec![emails(face, bounces), letters()]).await;
        stage.serve_receipts().await;
        let _process = stage.start(&["scheduler", "worker"]);

        stage.drain_to_the_end().await;

        let ways = "select n.state || ' ' || string_agg(m.channel || ' ' || m.state, ', ' order by m.channel)
            from notice n join message m using (controller_id, incident_no, person_id, phase) group by person_id, n.state order by 1";
        assert_eq!(
            stage.words(ways).await,
            ["notified email carrier_delivered", "notified email returned, letter handed_to_carrier"],
            "{face:?}"
        );
        stage.audit().await;
        check_packs(&stage).await;
    }
}

#[tokio::test]
async fn a_bounce_after_the_good_word_takes_it_back_and_a_letter_follows() {
    let lane = emails(Face::Plain, vec![Fault::always(FaultKind::ReceiptContradict)]);
    let stage = stage(1, Route::EmailThenLetter, vec![lane, letters()]).await;
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("the bounce is applied", async || stage.states().await.first().is_some_and(|state| state == "returned")).await;
    stage.drain_to_the_end().await;

    assert_eq!(stage.states().await, ["returned", "handed_to_carrier"]);
    let taken_back = "select count(*) from event where notice_from = 'notified' and notice_to = 'open'";
    assert_eq!(stage.count(taken_back).await, 1);
    assert_eq!(stage.words("select state from notice").await, ["notified"]);
    stage.audit().await;
}

#[tokio::test]
async fn what_leaves_is_the_approved_subject_and_text() {
    let stage = stage(1, Route::Email, vec![emails(Face::Plain, Vec::new())]).await;
    let _process = stage.start(&["scheduler", "worker"]);
    eventually("it is sent", async || stage.produced() == 1).await;

    let draft = stage.office.store.list_drafts(&[stage.message().await]).await.unwrap().remove(0);
    let approved = duly::dispatch::draft::approved_bytes(&stage.office, &draft).unwrap();
    let (subject, text) = duly::model::email::part(&approved).unwrap();

    assert_eq!(subject, "Your personal data: what happened and what you can do");
    assert!(text.starts_with("Dear Price,\n\nWe are writing because") && !text.contains(subject));
    assert_eq!(stage.sandbox.state.record()[0].content_sha256, hex::encode(Sha256::digest(&approved)));
}

#[tokio::test]
async fn somebody_with_an_email_address_alone_can_be_told_and_a_broken_one_waits() {
    let world = IntakeWorld::start("emails").await;
    let file = "reference,name,email\nPN1,Ann Price,Ann.Price@Mail.Example\nPN2,Bo Hill,bo\nPN3,Cy Dale,\n";

    world.try_import(file).await.unwrap();

    assert_eq!(world.waiting().await, ["1/2 invalid_email", "1/3 no_way_to_reach"]);
    let (contact, wrapped): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("select contact, wrapped from person join person_key using (controller_id, incident_no, person_id)")
            .fetch_one(&world.owner)
            .await
            .unwrap();
    let opened = world.key.unwrap_key(&wrapped, "person").unwrap().open("contact", &contact).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&opened).unwrap();
    assert_eq!(record["email"], "Ann.Price@mail.example");
    world.audit().await;
}
