//! Claims, answers, receipts and holds against a real Postgres.

use crate::support::receipt::{Said, apply, keep, receipt_store};
use crate::support::{World, quota, world};
use duly::model::state::{Channel, MessageState};
use duly::model::step::{Answer, Cause};
use duly::store::claim::Intent;
use duly::store::outcome::Outcome;
use duly::store::unit::Note;

fn intent(world: &World, i: usize) -> Intent {
    Intent { reference: format!("{i:032x}"), ..world.intent(i) }
}

fn outcome(world: &World, i: usize, attempt: u32, answer: Answer, provider_id: Option<&str>) -> Outcome {
    Outcome {
        message_id: world.messages[i],
        person_id: world.people[i],
        attempt,
        answer,
        provider_id: provider_id.map(str::to_owned),
        code: "201".into(),
        pause: None,
        parts: None,
        cost: None,
        sign: duly::model::health::Sign::Nothing,
        alarm: None,
        retry_in_ms: 0,
    }
}

async fn state(world: &World, i: usize) -> String {
    let pool = sqlx::PgPool::connect(&world.url).await.unwrap();
    sqlx::query_scalar("select state from message where message_id = $1").bind(world.messages[i]).fetch_one(&pool).await.unwrap()
}

async fn queued(name: &str, people: u8) -> World {
    let world = world(name, people).await;
    let queued = world.store.queue_due("sms-a", Channel::Sms, quota(100)).await.unwrap();
    assert_eq!(queued.len(), usize::from(people));
    world
}

#[tokio::test]
async fn the_same_job_delivered_ten_times_is_claimed_once() {
    let world = queued("ten_times", 1).await;
    let one = [intent(&world, 0)];

    let claims = futures::future::join_all((0..10).map(|_| world.store.claim(world.incident.key, &one, 1000))).await;

    assert_eq!(claims.into_iter().map(|c| c.unwrap().len()).sum::<usize>(), 1);
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

#[tokio::test]
async fn a_hold_or_a_pause_stops_the_next_claim() {
    let world = queued("hold", 1).await;
    let hold = world.hold(Some(world.people[0])).await;

    assert!(world.store.claim(world.incident.key, &[intent(&world, 0)], 1000).await.unwrap().is_empty());

    world.lift(hold).await;
    assert_eq!(world.store.claim(world.incident.key, &[intent(&world, 0)], 1000).await.unwrap().len(), 1);
}

#[tokio::test]
async fn bytes_that_were_not_approved_are_not_claimed() {
    let world = queued("not_approved", 1).await;
    let other = Intent { content: [9; 32], ..intent(&world, 0) };

    assert!(world.store.claim(world.incident.key, &[other], 1000).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_call_is_not_sent_again_and_a_late_answer_settles_it() {
    let world = queued("unknown", 1).await;
    let key = world.incident.key;
    world.store.claim(key, &[intent(&world, 0)], 1000).await.unwrap();
    world
        .store
        .apply_one(key, world.people[0], world.messages[0], Cause::LeaseExpired { attempt: 1 }, Note::default())
        .await
        .unwrap();
    assert_eq!(state(&world, 0).await, "unknown");

    assert!(world.store.queue_due("sms-a", Channel::Sms, quota(10)).await.unwrap().is_empty());
    assert!(world.store.claim(key, &[intent(&world, 0)], 1000).await.unwrap().is_empty());

    world.store.record_outcomes(key, &[outcome(&world, 0, 1, Answer::Accepted, Some("sb_1"))]).await.unwrap();
    assert_eq!(state(&world, 0).await, "accepted");
    assert_eq!(world.store.audit(key).await.unwrap(), []);
}

#[tokio::test]
async fn the_same_outcome_recorded_twice_changes_nothing() {
    let world = queued("outcome_twice", 1).await;
    let key = world.incident.key;
    world.store.claim(key, &[intent(&world, 0)], 1000).await.unwrap();
    for _ in 0..2 {
        world.store.record_outcomes(key, &[outcome(&world, 0, 1, Answer::NotTaken, None)]).await.unwrap();
    }

    assert_eq!(state(&world, 0).await, "ready");
    assert_eq!(world.store.audit(key).await.unwrap(), []);
}

#[tokio::test]
async fn a_rejected_sms_leads_to_one_letter_and_a_late_delivery_takes_it_back() {
    let world = queued("escalation", 1).await;
    let key = world.incident.key;
    world.store.claim(key, &[intent(&world, 0)], 1000).await.unwrap();
    world.store.record_outcomes(key, &[outcome(&world, 0, 1, Answer::Rejected, None)]).await.unwrap();
    let counts = world.store.count_messages(key).await.unwrap();
    assert_eq!((counts.get("sms rejected"), counts.get("letter ready")), (Some(&1), Some(&1)));

    let reference = format!("{:032x}", 0);
    let late = Said {
        lane: "sms-a",
        reference: &reference,
        provider_id: "sb_1",
        event: "ev_1",
        status: MessageState::DeliveredToHandset,
    };
    keep(&world, &receipt_store(&world).await, &late).await;
    apply(&world).await;

    let counts = world.store.count_messages(key).await.unwrap();
    assert_eq!((counts.get("sms delivered_to_handset"), counts.get("letter cancelled")), (Some(&1), Some(&1)));
    assert_eq!(world.store.equation(key).await.unwrap().person_states.get("notified"), Some(&1));
    assert_eq!(world.store.audit(key).await.unwrap(), []);
}

#[tokio::test]
async fn a_second_send_slipped_in_by_the_owner_turns_the_audit_red() {
    let world = queued("sabotage", 2).await;
    let key = world.incident.key;
    world.store.claim(key, &[intent(&world, 0)], 1000).await.unwrap();
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();

    sqlx::raw_sql("insert into attempt select controller_id, incident_no, message_id, 2, person_id, lane, false, reference, request, now(), now() from attempt")
        .execute(&owner)
        .await
        .unwrap();
    sqlx::raw_sql("delete from person where person_id = (select max(person_id::text)::uuid from person)")
        .execute(&owner)
        .await
        .unwrap();

    let codes: Vec<&str> = world.store.audit(key).await.unwrap().iter().map(|f| f.code).collect();
    assert!(codes.contains(&"attempt_without_intent") && codes.contains(&"row_without_person"), "{codes:?}");
}
