//! A notice that somebody ends by a decision: by their signature over exactly that, and for good.

use super::guards::{owner, refusal};
use super::{Forged, as_role};
use crate::support::{World, world};
use duly::model::state::TellsOtherwise;
use duly::model::statement::{person_exempt, person_reopen, person_told};
use duly_ledger::leaf_hash;
use serde_json::{Value, json};
use uuid::Uuid;

/// The event that ends the notice of this world's first person, under bob's signature over `words`.
async fn exempted(world: &World, words: &Value) -> Forged {
    let by = world.users.bob.sign(&world.store, words).await.unwrap();
    let detail = json!({"command": by.command_id, "notice": "exempt", "phase": 1, "user": by.user_id});
    Forged { notice: Some(("open", "exempt")), ..Forged::new(world, "notice.exempt", Some(world.people[0]), &detail) }
}

#[tokio::test]
async fn a_notice_is_ended_only_by_the_signature_for_exactly_that_and_nothing_of_it_is_sent_again() {
    let world = world("decided_words", 2).await;
    let app = as_role(&world, "duly_app").await;
    let (id, person) = (world.incident.incident_id, world.people[0]);
    let good = person_exempt(id, (person, 1), "never issued");

    for words in [
        person_exempt(id, (world.people[1], 1), "never issued"),
        person_exempt(id, (person, 2), "never issued"),
        person_exempt(Uuid::nil(), (person, 1), "never issued"),
        person_told(id, (person, 1), TellsOtherwise::ByPhone, "never issued"),
    ] {
        assert_eq!(exempted(&world, &words).await.insert(&app).await, Err("DU031".to_owned()), "{words}");
    }
    let mut moves_nothing = exempted(&world, &good).await;
    moves_nothing.notice = None;
    moves_nothing.event.detail.remove("notice");
    assert_eq!(moves_nothing.insert(&app).await, Err("DU031".to_owned()));
    let waits = exempted(&world, &good).await.insert(&app).await;
    assert_eq!(waits, Err("DU032".to_owned()), "a message still waits to be sent");

    owner(&world, "update message set state = 'cancelled'").await;
    let ended = exempted(&world, &good).await;
    assert_eq!(ended.insert(&app).await, Ok(()));

    let again = "insert into message (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, due_at, expires_at)
        select controller_id, incident_no, gen_random_uuid(), person_id, 1, 'sms', 'resend', 1, 1, now(), now() from notice where state = 'exempt'";
    assert_eq!(refusal(&app, again).await, "DU032");
    let message = Some((world.messages[0], "cancelled", "ready"));
    let mut reopened = Forged {
        message,
        n: Some(2),
        due_in_ms: Some(0),
        ..Forged::new(&world, "message.reopened", Some(person), &json!({"to": "ready"}))
    };
    (reopened.event.n, reopened.event.prev) = (Some(2), Some(leaf_hash(&ended.event.to_bytes().unwrap())));
    assert_eq!(reopened.insert(&app).await, Err("DU032".to_owned()));
}

/// The event that takes the decision back, as the second of this world's first person, under bob's signature over `words`.
async fn taken_back(world: &World, words: &Value, kind: &'static str, ended: &Forged) -> Forged {
    let by = world.users.bob.sign(&world.store, words).await.unwrap();
    let detail = json!({"command": by.command_id, "notice": "open", "phase": 1, "user": by.user_id});
    let mut event =
        Forged { notice: Some(("exempt", "open")), n: Some(2), ..Forged::new(world, kind, Some(world.people[0]), &detail) };
    (event.event.n, event.event.prev) = (Some(2), Some(leaf_hash(&ended.event.to_bytes().unwrap())));
    event
}

#[tokio::test]
async fn a_decision_is_taken_back_only_by_its_own_event_and_the_signature_for_exactly_that() {
    let world = world("taken_back_words", 2).await;
    let app = as_role(&world, "duly_app").await;
    let (id, person) = (world.incident.incident_id, world.people[0]);
    owner(&world, "update message set state = 'cancelled'").await;
    let ended = exempted(&world, &person_exempt(id, (person, 1), "never issued")).await;
    assert_eq!(ended.insert(&app).await, Ok(()));
    let good = person_reopen(id, (person, 1), "another");

    for (words, kind, code) in [
        (person_reopen(id, (world.people[1], 1), "another"), "notice.reopened", "DU031"),
        (person_reopen(id, (person, 2), "another"), "notice.reopened", "DU031"),
        (person_exempt(id, (person, 1), "another"), "notice.reopened", "DU031"),
        (good.clone(), "notice.exempt", "DU040"),
        (good.clone(), "receipt", "DU040"),
    ] {
        assert_eq!(taken_back(&world, &words, kind, &ended).await.insert(&app).await, Err(code.to_owned()), "{words} {kind}");
    }
    let mut moves_nothing = taken_back(&world, &good, "notice.reopened", &ended).await;
    moves_nothing.notice = None;
    moves_nothing.event.detail.remove("notice");
    assert_eq!(moves_nothing.insert(&app).await, Err("DU040".to_owned()));
    assert_eq!(taken_back(&world, &good, "notice.reopened", &ended).await.insert(&app).await, Ok(()));
}
