//! Receipts that carry somebody else's names: another controller's, another message's, nobody's. Nobody's state moves by them;
//! they are kept, looked at again, and counted once they are given up.

use super::{MOVES, Post, SECRET, body, refused, telling};
use crate::support::{Capability, Process, Setup, Stage, eventually, lane};
use duly_sandbox::{Fault, FaultKind};
use uuid::Uuid;

/// How the provider and we call the messages of a controller, in the order of their making.
const NAMES: &str = "select c.slug || ' ' || a.reference || ' ' || o.provider_id from attempt a join outcome o using (controller_id, incident_no, message_id, attempt)
    join controller c using (controller_id) where o.kind = 'accepted' order by a.message_id";
const WAITING: &str = "select count(*) from receipt where result is null and due_at > received_at";
const PUT_ASIDE: &[&str] = &["receipt_put_aside", "refusal_missing", "refusal_not_told"];

/// Reference and provider id.
type Names = (String, String);

/// Two people of northmere and one of southmere, each with a text that was accepted and of which no news came.
async fn neighbours() -> (Stage, String, Process, Vec<Names>, Names) {
    let setup = Setup { people: 2, lanes: vec![lane(Capability::StrongLookup)], ..Setup::default() };
    let mut stage = Stage::new(setup).await;
    stage.add_neighbour().await;
    let url = stage.serve_receipts().await;
    let process = stage.start(&["scheduler", "worker"]);
    eventually("all are accepted", async || stage.states().await == ["accepted"; 3]).await;
    let mut ours = Vec::new();
    let mut theirs = None;
    for names in stage.words(NAMES).await {
        let mut parts = names.split(' ').map(str::to_owned);
        let (slug, reference, id) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        match slug.as_str() {
            "northmere" => ours.push((reference, id)),
            _ => theirs = Some((reference, id)),
        }
    }
    (stage, url.trim_end_matches("/northmere").to_owned(), process, ours, theirs.unwrap())
}

async fn post(url: &str, controller: &str, body: String) -> u16 {
    let place = format!("/{controller}/sms");
    Post { url, place: &place, body, age_seconds: 0, secret: SECRET, signed_for: None }.send().await
}

/// States by how the provider calls the messages.
async fn state(stage: &Stage, id: &str) -> String {
    let query =
        "select m.state from message m join outcome o using (controller_id, incident_no, message_id) where o.provider_id = $1";
    sqlx::query_scalar(query).bind(id).fetch_one(&stage.owner).await.unwrap()
}

#[tokio::test]
async fn a_receipt_with_another_controllers_or_nobodys_names_moves_nobody_and_is_counted() {
    let (stage, url, mut process, ours, theirs) = neighbours().await;
    let (reference, id) = ours[0].clone();
    let nobodys = ("0".repeat(32), "sb_nobody".to_owned());
    let moves = stage.count(MOVES).await;
    for (what, controller, (reference, id)) in [
        ("their message, told to us", "northmere", theirs.clone()),
        ("our message, told to them", "southmere", ours[0].clone()),
        ("our reference beside their id", "northmere", (reference.clone(), theirs.1.clone())),
        ("their reference beside our id", "northmere", (theirs.0.clone(), id.clone())),
        ("their reference beside our id, told to them", "southmere", (theirs.0.clone(), id.clone())),
        ("nobody's reference beside our id", "northmere", (nobodys.0.clone(), id.clone())),
        ("nobody's names", "northmere", nobodys.clone()),
    ] {
        assert_eq!(post(&url, controller, body(&format!("ev {what}"), &reference, &id, "delivered")).await, 200, "{what}");
    }
    eventually("each was looked at and waits", async || stage.count(WAITING).await == 7).await;
    assert_eq!((stage.states().await, stage.count(MOVES).await), (vec!["accepted".to_owned(); 3], moves));
    assert_eq!(stage.words("select distinct code from alarm").await, Vec::<String>::new());

    // What is true of each of them still counts.
    assert_eq!(post(&url, "northmere", body("ev_1", &reference, &id, "delivered")).await, 200);
    assert_eq!(post(&url, "southmere", body("ev_1", &theirs.0, &theirs.1, "delivered")).await, 200);
    eventually("both are delivered", async || {
        [state(&stage, &id).await, state(&stage, &theirs.1).await] == ["delivered_to_handset"; 2]
    })
    .await;
    assert_eq!((state(&stage, &ours[1].1).await, stage.count(WAITING).await), ("accepted".to_owned(), 7));
    stage.audit().await;
    process.kill();
    is_counted_once_given_up(&stage).await;
}

/// After their time they are told of, and nobody misses them among the true ones.
async fn is_counted_once_given_up(stage: &Stage) {
    let waiting: Vec<Uuid> =
        sqlx::query_scalar("select receipt_id from receipt where result is null").fetch_all(&stage.owner).await.unwrap();
    stage.shift_clock(86_500).await;
    stage.office.store.settle_unmatched(&waiting, 1000, 86_400).await.unwrap();
    let told: i64 = refused::told(stage).await.iter().filter(|(_, ground, _)| ground == "unmatched").map(|(_, _, n)| n).sum();
    assert_eq!((told, stage.count("select count(*) from receipt where result = 'unmatched'").await), (7, 7));
    for incident in [&stage.incident].into_iter().chain(&stage.others) {
        let found = stage.office.store.audit(incident.key).await.unwrap();
        let of_receipts: Vec<_> = found.iter().filter(|finding| PUT_ASIDE.contains(&finding.code)).collect();
        assert!(of_receipts.is_empty(), "{of_receipts:?}");
    }
}

/// Vendors that name no event call it by the message's id: what was said under a false reference is no copy of the truth.
#[tokio::test]
async fn a_receipt_of_a_wrong_reference_keeps_no_true_one_of_the_same_name_out() {
    let (stage, url, _process, ours, _) = neighbours().await;
    let same = |reference: &str| body("sb/delivered", reference, &ours[1].1, "delivered");

    assert_eq!(post(&url, "northmere", same(&ours[0].0)).await, 200);
    eventually("it waits", async || stage.count(WAITING).await == 1).await;
    for _ in 0..2 {
        assert_eq!(post(&url, "northmere", same(&ours[1].0)).await, 200);
    }
    eventually("the true one counts", async || state(&stage, &ours[1].1).await == "delivered_to_handset").await;

    assert_eq!(state(&stage, &ours[0].1).await, "accepted");
    let copies = "select count(*) from receipt where result = 'replay'";
    eventually("its copy is one", async || stage.count(copies).await == 1).await;
    stage.audit().await;
}

#[tokio::test]
async fn a_provider_that_mixes_up_its_ids_in_receipts_moves_nobody_by_them_and_everybody_by_the_true_ones() {
    // Late enough that it has answered for all of them.
    let faults = vec![Fault::always(FaultKind::ReceiptOtherId), Fault::always(FaultKind::ReceiptLate).lasting(4000)];
    let setup = Setup { people: 6, lanes: vec![telling(Capability::StrongLookup, faults)], ..Setup::default() };
    let stage = Stage::new(setup).await;
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("all are delivered", async || stage.states().await == ["delivered_to_handset"; 6]).await;

    let mixed_up = i64::try_from(stage.sandbox.state.fired(FaultKind::ReceiptOtherId)).unwrap();
    assert_eq!(mixed_up, 6);
    eventually("each of those waits", async || stage.count(WAITING).await == mixed_up).await;
    assert_eq!((stage.produced(), stage.alarms().await), (6, vec![]));
    assert_eq!(stage.words("select state from notice").await, ["notified"; 6]);
    stage.audit().await;
}
