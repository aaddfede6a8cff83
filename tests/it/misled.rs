//! Answers that are true and mislead: another message's, one whose head drips, the return of what was delivered. What is not
//! known of this very message stays not known, and nothing is sent twice because of it.

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane, skipped};
use crate::vendors::{LOB_UNASKED, american_letters, lob, read_window};
use duly::model::state::Route;
use duly::report::story::story;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use std::process::Command;
use std::sync::Arc;

/// The number of the second person.
const SECOND: &str = "+447400000002";
/// Twilio must be told an address, because it holds our reference; nobody is there.
const NOWHERE: (&str, &str) = ("DULY_RECEIPTS__URL", "http://127.0.0.1:9");
/// An account at Stannp that is told by receipts alone.
const STANNP_UNASKED: &str =
    "provider = \"stannp\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"sandbox-secret\"\npoll_seconds = 3600\n";
const CALLS: &str = "select count(*) from attempt";

#[tokio::test]
async fn a_look_up_that_shows_another_message_says_nothing_of_ours_and_not_that_it_is_not_there() {
    let mut lane = lane(Capability::StrongLookup);
    // For longer than an absence would need to count.
    let looks = Fault { times: Some(8), ..Fault::always(FaultKind::LookUpOther) };
    lane.provider.faults = vec![Fault::once(FaultKind::CutAfter).of(SECOND), looks.of(SECOND)];
    let stage = Stage::new(Setup { people: 2, lanes: vec![lane], ..Setup::default() }).await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("both are known", async || stage.states().await == ["accepted"; 2]).await;

    assert_eq!(stage.sandbox.state.fired_of(FaultKind::LookUpOther, SECOND), 8);
    assert_eq!((stage.produced(), stage.count(CALLS).await), (2, 2), "an answer about another one is none about ours");
    let absent = "select count(*) from event where convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'ground' = 'absent'";
    assert_eq!((stage.count(absent).await, stage.alarms().await), (0, vec![]));
    stage.audit().await;
}

/// Twilio shows no reference of ours. What it shows under an id that it gave to another message is that other one.
#[tokio::test]
async fn what_is_found_under_another_messages_id_is_not_ours_and_a_person_is_asked() {
    let provider = ProviderConfig {
        face: Face::Twilio,
        receipts: false,
        receipt_delay_ms: 3_600_000,
        faults: vec![Fault::once(FaultKind::IdTwice).of(SECOND), Fault::once(FaultKind::CutAfter).of(SECOND)],
        ..ProviderConfig::default()
    };
    let stage = Stage::new(Setup { lanes: vec![Lane { provider, ..Lane::named("twilio") }], ..Setup::default() }).await;
    let _process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);
    eventually("the first is accepted", async || stage.states().await == ["accepted"]).await;
    stage.add_people(2..=2, &[Route::Sms]).await;
    let alarms = "select code || ' ' || count(*) from alarm where message_id is not null group by code";
    eventually("it was found", async || stage.words(alarms).await == ["provider_id_of_two_messages 1"]).await;
    assert_eq!(stage.states().await[1], "unknown");

    // An hour of looking.
    stage.shift_clock(3_700).await;
    eventually("a person is asked", async || stage.states().await[1] == "asked").await;

    assert_eq!((stage.produced(), stage.count(CALLS).await), (2, 2));
    assert_eq!(stage.words(alarms).await, ["provider_id_of_two_messages 1"], "once, however often it was looked up");
    assert_eq!(stage.count("select count(*) from lookup where found is not null and cardinality(found) > 0").await, 0);
}

#[tokio::test]
async fn an_answer_whose_head_drips_is_waited_for_no_longer_than_any_and_its_message_is_found() {
    let mut lane = lane(Capability::StrongLookup);
    lane.provider.faults = vec![Fault::once(FaultKind::HeadDrip).lasting(200)];
    let stage = Stage::new(Setup { people: 3, lanes: vec![lane], ..Setup::default() }).await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("all are known", async || stage.states().await == ["accepted"; 3]).await;

    assert_eq!(stage.sandbox.state.fired(FaultKind::HeadDrip), 1);
    assert_eq!(stage.words("select code from outcome where kind = 'unknown'").await, ["timeout"]);
    assert_eq!((stage.produced(), stage.count(CALLS).await), (3, 3));
    stage.audit().await;
}

/// What its events say of a letter, in their order, with whose word that is.
const SAID: &str =
    "select concat_ws(' ', message_to, convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'claimed_by', notice_to) from event
    where message_to in ('handed_to_carrier', 'carrier_delivered', 'returned') order by n";

/// Its person's story, as one text.
async fn told(stage: &Stage) -> (&'static str, String) {
    let person = sqlx::query_scalar("select person_id from message").fetch_one(&stage.owner).await.unwrap();
    let story = story(&stage.office.store, &stage.incident, person).await.unwrap();
    (story.state, story.events.iter().map(|entry| format!("{}\n", entry.text)).collect())
}

#[tokio::test]
async fn a_letter_that_comes_back_after_it_was_delivered_is_told_as_both_and_notified_nobody() {
    let stage = american_letters(1, Lane { extra: LOB_UNASKED, ..lob(vec![Fault::always(FaultKind::LetterReturnedLate)]) }).await;
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("it came back", async || stage.states().await == ["returned"]).await;

    let said = stage.words(SAID).await;
    let begins = ["handed_to_carrier carrier", "carrier_delivered carrier", "returned carrier unreachable"];
    assert!(said.len() == 3 && said.iter().zip(begins).all(|(said, begin)| said.starts_with(begin)), "{said:?}");
    assert_eq!(said.iter().filter(|said| said.ends_with("notified")).count(), 1, "{said:?}");
    assert_eq!(stage.words("select state from notice").await, ["unreachable"]);
    let (state, story) = told(&stage).await;
    assert!(story.contains("Carrier reported delivered") && story.contains("Returned"), "{story}");
    assert_ne!(state, "notified", "{story}");
    assert_eq!((stage.produced(), stage.count(CALLS).await), (1, 1));
    stage.audit().await;
}

#[tokio::test]
async fn of_a_letter_that_came_back_no_delivery_is_claimed_that_its_printer_only_reckoned() {
    if Command::new("pdftotext").arg("-v").output().is_err() {
        skipped("pdftotext is not installed, and nobody can read the windows of the letters");
        return;
    }
    let provider = ProviderConfig {
        face: Face::Stannp,
        channel: "letter".into(),
        idempotent: true,
        receipt_delay_ms: 100,
        receipt_retry_ms: Some(100),
        faults: vec![Fault::always(FaultKind::LetterReturnedLate)],
        ..ProviderConfig::default()
    };
    let lanes = vec![Lane { provider, extra: STANNP_UNASKED, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    stage.sandbox.state.set_window_reader(Arc::new(read_window));
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("it came back", async || stage.states().await == ["returned"]).await;

    let said = stage.words(SAID).await;
    assert!(said.iter().all(|said| !said.starts_with("carrier_delivered")), "{said:?}");
    assert!(said.first().is_some_and(|said| said.starts_with("handed_to_carrier")), "{said:?}");
    assert_eq!(said.last().map(String::as_str), Some("returned carrier unreachable"));
    let (_, story) = told(&stage).await;
    assert!(story.contains("Returned") && !story.contains("reported delivered"), "{story}");
    stage.audit().await;
}
