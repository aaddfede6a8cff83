//! Faults of single calls.

use crate::support::{faulty, town};
use duly_sandbox::{Fault, FaultKind, ProviderConfig, Requests};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn an_accepted_sms_is_named_and_recorded_with_its_destination_and_hash() {
    let town = town(ProviderConfig::default()).await;

    let answer = town.send("a").await.unwrap();

    assert_eq!(answer.status(), 201);
    let body: Value = answer.json().await.unwrap();
    assert!(body["id"].as_str().unwrap().starts_with("sb_"));
    let record = town.state.record();
    assert_eq!((record.len(), record[0].destination.as_str()), (1, "+447400123456"));
    assert_eq!(record[0].content_sha256, "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969");
}

#[tokio::test]
async fn a_letter_is_recorded_by_its_address_and_its_bytes() {
    let town = town(ProviderConfig { channel: "letter".into(), ..ProviderConfig::default() }).await;
    let letter = json!({ "channel": "letter", "reference": "a", "address": ["Siân", "1 Heol y Bont"], "pages": 1, "pdf": "SGVsbG8=", "postage_class": "second" });

    assert_eq!(town.request("a").json(&letter).send().await.unwrap().status(), 201);
    assert_eq!(town.request("b").json(&json!({ "reference": "b" })).send().await.unwrap().status(), 400);

    let record = town.state.record();
    assert_eq!((record.len(), record[0].destination.as_str()), (1, "Siân\n1 Heol y Bont"));
    assert_eq!(record[0].content_sha256, "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969");
}

#[tokio::test]
async fn faults_that_produce_nothing_answer_by_their_status() {
    for (kind, status) in [
        (FaultKind::Reject, 422),
        (FaultKind::TooMany, 429),
        (FaultKind::ErrorBefore, 500),
        (FaultKind::Redirect, 307),
        (FaultKind::Unauthorised, 401),
    ] {
        let town = faulty(Fault::once(kind)).await;

        assert_eq!(town.send("a").await.unwrap().status(), status, "{kind:?}");
        assert_eq!((town.state.record().len(), town.state.fired(kind)), (0, 1), "{kind:?}");
        assert_eq!(town.send("a").await.unwrap().status(), 201, "{kind:?}");
    }
}

#[tokio::test]
async fn too_many_says_when_to_come_back() {
    let town = faulty(Fault::always(FaultKind::TooMany).lasting(2500)).await;

    assert_eq!(town.send("a").await.unwrap().headers()["Retry-After"], "3");
}

#[tokio::test]
async fn a_redirect_leads_to_a_place_where_following_it_would_show() {
    let town = faulty(Fault::once(FaultKind::Redirect)).await;

    let answer = town.send("a").await.unwrap();

    assert_eq!(answer.headers()["Location"], "/p/v1/messages");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_counted_as_a_request() {
    let town = town(ProviderConfig::default()).await;
    let body = json!({ "reference": "a", "text": "Hello", "to": "+447400123456" });

    assert_eq!(
        town.client.post(format!("{}/p/v1/messages", town.url)).bearer_auth("other").json(&body).send().await.unwrap().status(),
        401
    );

    assert_eq!((town.state.record().len(), town.state.requests().get("p a")), (0, Some(&1)));
}

#[tokio::test]
async fn an_error_after_acceptance_has_produced_the_message() {
    let town = faulty(Fault::always(FaultKind::ErrorAfter)).await;

    assert_eq!(town.send("a").await.unwrap().status(), 500);
    assert_eq!(town.state.record().len(), 1);
}

#[tokio::test]
async fn a_cut_connection_gives_no_answer_before_or_after_production() {
    for (kind, produced) in [(FaultKind::CutBefore, 0), (FaultKind::CutAfter, 1)] {
        let town = faulty(Fault::once(kind)).await;

        let error = town.send("a").await.unwrap_err();

        assert!(!error.is_connect() && !error.is_timeout() && error.status().is_none(), "{error:?}");
        assert_eq!(town.state.record().len(), produced, "{kind:?}");
        assert_eq!(town.send("b").await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn a_hanging_call_is_produced_and_never_answered() {
    let town = faulty(Fault::always(FaultKind::Hang)).await;

    let error = town
        .request("a")
        .timeout(Duration::from_millis(200))
        .json(&json!({ "reference": "a", "text": "x", "to": "+1" }))
        .send()
        .await;

    assert!(error.unwrap_err().is_timeout());
    assert_eq!(town.state.record().len(), 1);
}

#[tokio::test]
async fn a_late_call_is_produced_after_its_client_has_left() {
    let town = faulty(Fault::always(FaultKind::Late).lasting(400)).await;

    let error = town
        .request("a")
        .timeout(Duration::from_millis(100))
        .json(&json!({ "reference": "a", "text": "x", "to": "+1" }))
        .send()
        .await;

    assert!(error.unwrap_err().is_timeout());
    assert_eq!(town.state.record().len(), 0);
    town.wait_for_record(1).await;
}

#[tokio::test]
async fn an_answer_that_drips_is_cut_by_who_waits_no_longer_and_whole_for_who_does() {
    let town = faulty(Fault::always(FaultKind::Drip).lasting(100)).await;
    let body = json!({ "reference": "a", "text": "x", "to": "+1" });

    let head = town.request("a").timeout(Duration::from_secs(2)).json(&body).send().await.unwrap();
    assert_eq!(head.status(), 201, "its head is there at once");
    assert!(head.text().await.unwrap_err().is_timeout());
    let whole: Value = town.send("b").await.unwrap().json().await.unwrap();

    assert_eq!((whole["status"].as_str(), town.state.record().len()), (Some("queued"), 2));
}

#[tokio::test]
async fn an_answer_whose_head_drips_shows_no_status_until_it_is_there_and_spoils_no_other() {
    let town = faulty(Fault { times: Some(2), ..Fault::always(FaultKind::HeadDrip) }.lasting(2)).await;
    let body = json!({ "reference": "a", "text": "x", "to": "+1" });

    let error = town.request("a").timeout(Duration::from_millis(100)).json(&body).send().await.unwrap_err();
    let started = Instant::now();
    let whole: Value = town.send("b").await.unwrap().json().await.unwrap();
    let dripped = started.elapsed();
    let started = Instant::now();

    assert!(error.is_timeout(), "no head is there: {error:?}");
    assert!(whole["status"] == "queued" && dripped >= Duration::from_millis(200), "{dripped:?}");
    assert_eq!(town.send("c").await.unwrap().status(), 201);
    assert!(started.elapsed() < dripped, "on the same connection, and at once");
    assert_eq!(town.state.record().len(), 3);
}

#[tokio::test]
async fn a_machine_before_the_provider_is_out_of_service_and_says_for_how_long_or_does_not() {
    for (ms, wait) in [(0, None), (2500, Some("3"))] {
        let town = faulty(Fault::once(FaultKind::Unavailable).lasting(ms)).await;

        let answer = town.send("a").await.unwrap();

        let told = answer.headers().get("Retry-After").map(|wait| wait.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), told, town.state.record().len()), (503, wait, 0));
        assert_eq!(town.send("a").await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn an_answer_is_compressed_unasked_or_does_not_end_and_its_message_is_made() {
    let packed = faulty(Fault::always(FaultKind::Gzip)).await;
    let answer = packed.send("a").await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-encoding"].to_str().unwrap()), (201, "gzip"));
    assert!(answer.json::<Value>().await.is_err());

    let huge = faulty(Fault::always(FaultKind::HugeBody)).await;
    assert!(huge.send("a").await.unwrap().bytes().await.unwrap().len() > 4 << 20);
    assert_eq!((packed.state.record().len(), huge.state.record().len()), (1, 1));
}

#[tokio::test]
async fn a_slow_call_is_answered_after_its_time() {
    let town = faulty(Fault::always(FaultKind::Slow).lasting(150)).await;
    let started = Instant::now();

    assert_eq!(town.send("a").await.unwrap().status(), 201);

    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_conflict_answers_only_what_was_produced_before() {
    let town = faulty(Fault::always(FaultKind::Conflict)).await;

    assert_eq!(town.send("a").await.unwrap().status(), 201);
    assert_eq!(town.send("a").await.unwrap().status(), 409);
    assert_eq!(town.state.record().len(), 1);
}

#[tokio::test]
async fn a_fault_of_repeats_lets_the_first_request_pass() {
    let town = faulty(Fault::always(FaultKind::TooMany).on(Requests::Repeat)).await;

    assert_eq!(town.send("a").await.unwrap().status(), 201);
    assert_eq!(town.send("a").await.unwrap().status(), 429);
    assert_eq!(town.send("b").await.unwrap().status(), 201);
}
