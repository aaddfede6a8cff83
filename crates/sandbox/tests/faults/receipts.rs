//! Receipts and their faults.

use crate::support::{Arrived, receipts, told};
use duly_sandbox::{Fault, FaultKind, ProviderConfig};
use std::time::{Duration, Instant};

fn sms(faults: Vec<Fault>) -> ProviderConfig {
    ProviderConfig { receipt_delay_ms: 0, faults, ..ProviderConfig::default() }
}

fn statuses(arrived: &[Arrived]) -> Vec<&str> {
    arrived.iter().map(Arrived::status).collect()
}

#[tokio::test]
async fn an_sms_is_sent_and_delivered_and_both_are_told_and_signed() {
    let (town, mut receiver) = told(sms(vec![])).await;
    town.send("a").await.unwrap();

    let arrived = receipts(&mut receiver, 2).await;

    assert_eq!(statuses(&arrived), ["sent", "delivered"]);
    assert!(arrived.iter().all(|r| r.is_signed && r.body["reference"] == "a"));
    assert_eq!(town.look_up("a").await.unwrap()[0], arrived[0].body["id"].as_str().unwrap());
}

#[tokio::test]
async fn lives_end_otherwise_where_the_plan_says_so() {
    for (channel, kind, expected) in [
        ("sms", FaultKind::Undelivered, &["sent", "undelivered"][..]),
        ("sms", FaultKind::Expired, &["sent", "expired"]),
        ("sms", FaultKind::ReceiptReorder, &["delivered", "sent"]),
        ("sms", FaultKind::ReceiptDouble, &["sent", "sent", "delivered", "delivered"]),
        ("sms", FaultKind::ReceiptContradict, &["sent", "delivered", "undelivered"]),
        ("letter", FaultKind::LetterReturned, &["printed", "dispatched", "returned"]),
        ("letter", FaultKind::LetterReturnedLate, &["printed", "dispatched", "delivered", "returned"]),
        ("letter", FaultKind::ReceiptContradict, &["printed", "dispatched", "failed"]),
    ] {
        let (town, mut receiver) = told(ProviderConfig { channel: channel.into(), ..sms(vec![Fault::always(kind)]) }).await;
        let letter = serde_json::json!({ "reference": "a", "address": ["x"], "pdf": "SGVsbG8=", "postage_class": "second" });
        let sent = if channel == "sms" { town.send("a").await } else { town.request("a").json(&letter).send().await };
        assert_eq!(sent.unwrap().status(), 201);

        let arrived = receipts(&mut receiver, expected.len()).await;

        assert_eq!(statuses(&arrived), expected, "{kind:?}");
        assert!(arrived.iter().all(|r| r.is_signed), "{kind:?}");
        assert_eq!(town.state.fired(kind), 1);
    }
}

#[tokio::test]
async fn the_same_receipt_twice_has_one_name_and_a_contradiction_another() {
    let (town, mut receiver) =
        told(sms(vec![Fault::always(FaultKind::ReceiptDouble), Fault::always(FaultKind::ReceiptContradict)])).await;
    town.send("a").await.unwrap();

    let arrived = receipts(&mut receiver, 5).await;

    assert_eq!(arrived[0].body["event"], arrived[1].body["event"]);
    assert_ne!(arrived[3].body["event"], arrived[4].body["event"]);
}

#[tokio::test]
async fn a_lost_receipt_never_comes_though_the_message_lives_on() {
    let (town, mut receiver) = told(sms(vec![Fault::once(FaultKind::ReceiptLost)])).await;
    town.send("a").await.unwrap();
    town.send("b").await.unwrap();

    let arrived = receipts(&mut receiver, 2).await;

    assert!(arrived.iter().all(|r| r.body["reference"] == "b"));
    assert_eq!(town.state.fired(FaultKind::ReceiptLost), 1);
}

#[tokio::test]
async fn a_forged_receipt_comes_beside_the_true_ones_and_its_signature_is_wrong() {
    let (town, mut receiver) = told(sms(vec![Fault::always(FaultKind::ReceiptForged)])).await;
    town.send("a").await.unwrap();

    let arrived = receipts(&mut receiver, 3).await;

    assert_eq!(arrived.iter().map(|r| r.is_signed).collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn a_mistimed_receipt_dates_what_it_tells_of_in_another_decade() {
    let (town, mut receiver) = told(sms(vec![Fault::always(FaultKind::ReceiptMistimed)])).await;
    town.send("a").await.unwrap();

    let arrived = receipts(&mut receiver, 2).await;

    let years: Vec<&str> = arrived.iter().map(|r| &r.body["at"].as_str().unwrap()[..4]).collect();
    assert_eq!((years, arrived.iter().all(|r| r.is_signed)), (vec!["2016", "2036"], true));
}

#[tokio::test]
async fn a_receipt_with_another_messages_id_comes_before_the_true_ones_and_only_where_there_is_one() {
    let (town, mut receiver) = told(sms(vec![Fault::always(FaultKind::ReceiptOtherId)])).await;
    town.send("a").await.unwrap();
    let first = receipts(&mut receiver, 2).await;
    town.send("b").await.unwrap();

    let arrived = receipts(&mut receiver, 3).await;

    let names = |r: &Arrived| (r.body["reference"].clone(), r.body["id"].clone());
    assert!(first.iter().all(|r| names(r) == names(&first[0])));
    assert_eq!(names(&arrived[0]), (arrived[1].body["reference"].clone(), first[0].body["id"].clone()));
    assert_ne!(arrived[1].body["id"], first[0].body["id"]);
    assert_eq!(town.state.fired(FaultKind::ReceiptOtherId), 1);
}

#[tokio::test]
async fn a_late_receipt_comes_after_its_time() {
    let (town, mut receiver) = told(sms(vec![Fault::always(FaultKind::ReceiptLate).lasting(200)])).await;
    let started = Instant::now();
    town.send("a").await.unwrap();

    receipts(&mut receiver, 1).await;

    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn an_early_receipt_is_there_before_the_answer() {
    let (town, mut receiver) = told(sms(vec![Fault::always(FaultKind::ReceiptEarly)])).await;

    town.send("a").await.unwrap();

    assert_eq!(receiver.try_recv().unwrap().status(), "sent");
}

#[tokio::test]
async fn without_a_callback_nothing_is_told_until_one_is_set() {
    let (town, mut receiver) = told(sms(vec![])).await;
    let callback = town.state.config().callback.clone();
    town.state.set_callback(None);
    town.send("a").await.unwrap();
    town.state.set_callback(callback);
    town.send("b").await.unwrap();

    let arrived = receipts(&mut receiver, 2).await;

    assert!(arrived.iter().all(|r| r.body["reference"] == "b"));
}
