//! A closed incident sends nothing and takes nothing in, whoever asks, until a signature reopens it; what was sent is still
//! reported.

use crate::support::receipt::{Said, apply, keep, receipt_store};
use crate::support::{World, quota, world};
use duly::model::state::{Channel, MessageState};
use duly::model::statement::{incident_close, incident_reopen};
use duly::store::StoreError;
use duly::store::list::NewRow;
use duly::store::plan::PAUSE;
use duly::store::sequencing::LogScope;
use duly_ledger::Event;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Whether it was closed by this.
async fn close(world: &World, reason: Option<&str>) -> Result<bool, StoreError> {
    world.store.close_incident(world.incident.key, reason, &world.users.ann).await.map(|done| done.is_some())
}

async fn reopen(world: &World) {
    assert!(world.store.reopen_incident(world.incident.key, "more people", &world.users.bob).await.unwrap().is_some());
}

async fn owner(world: &World) -> sqlx::PgPool {
    sqlx::PgPool::connect(&world.url).await.unwrap()
}

async fn details(world: &World, kind: &str) -> Vec<Map<String, Value>> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar("select body from event where kind = $1 order by ord")
        .bind(kind)
        .fetch_all(&owner(world).await)
        .await
        .unwrap();
    bodies.iter().map(|body| Event::parse(body).unwrap().detail).collect()
}

#[tokio::test]
async fn what_is_open_is_counted_and_closes_only_for_a_reason_that_the_event_tells() {
    let world = world("close_reason", 3).await;

    let refused = close(&world, None).await.unwrap_err();
    assert!(refused.to_string().contains("something of the incident is open"), "{refused}");
    assert_eq!(details(&world, "incident.closed").await.len(), 0);
    assert!(close(&world, Some("abroad")).await.unwrap());

    let closed = details(&world, "incident.closed").await.remove(0);
    let counts = ["open", "unknown", "asked", "quarantined", "missing"].map(|name| closed[name].as_i64().unwrap());
    assert_eq!((counts, &closed["reason"]), ([3, 0, 0, 0, 0], &json!("abroad")));
    assert_eq!(closed["user"], world.users.ann.user_id.to_string());
    assert!(!close(&world, Some("abroad")).await.unwrap(), "closed once");
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

#[tokio::test]
async fn a_closed_incident_sends_nothing_until_it_is_reopened() {
    let world = world("close_sends", 2).await;
    let queue = async || world.store.queue_due("sms-a", Channel::Sms, quota(1)).await.unwrap();
    let queued = queue().await;
    assert_eq!(queued.len(), 1);
    let first = world.messages.iter().position(|id| *id == queued[0]).unwrap();

    close(&world, Some("abroad")).await.unwrap();

    assert_eq!(world.store.claim(world.incident.key, &[world.intent(first)], 1000).await.unwrap().len(), 0, "queued before");
    assert_eq!(queue().await, Vec::<Uuid>::new());
    sqlx::raw_sql("update message set expires_at = now() - interval '1 hour', due_at = now() - interval '1 hour'")
        .execute(&owner(&world).await)
        .await
        .unwrap();
    assert_eq!(world.store.list_due(10, 20).await.unwrap().len(), 0, "nothing is given up meanwhile");
    sqlx::raw_sql("update message set expires_at = now() + interval '1 hour', due_at = now() + interval '1 minute'")
        .execute(&owner(&world).await)
        .await
        .unwrap();
    reopen(&world).await;
    assert_eq!(world.store.claim(world.incident.key, &[world.intent(first)], 1000).await.unwrap().len(), 1);
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

#[tokio::test]
async fn a_closed_incident_takes_no_list_row_plan_or_approval_by_any_way() {
    let world = world("close_takes", 1).await;
    let (store, key) = (&world.store, world.incident.key);
    close(&world, Some("abroad")).await.unwrap();

    let row = NewRow {
        identity: vec![9],
        row_no: Some(9),
        job: None,
        tombstone: None,
        person: None,
        faults: json!([]),
        sealed: vec![1],
    };
    let closed = |error: StoreError| matches!(error, StoreError::Closed);
    assert!(closed(store.insert_rows(key, 1, &[row]).await.unwrap_err()));
    assert!(closed(store.open_list(key, "file", Some(b"another"), b"key").await.unwrap_err()));
    assert!(store.load_incident("test").await.unwrap().check_open().is_err());
    let freeze = "insert into list_freeze (controller_id, incident_no, list_no, people, manifest_root)
         select controller_id, incident_no, 1, 1, sha256('') from incident";
    let plan = "insert into plan (controller_id, incident_no, plan_no, body, hash, message_deadline_ms, postage_class, lanes, is_urgent, prepared_by)
         select controller_id, incident_no, 2, body, hash, message_deadline_ms, postage_class, lanes, is_urgent, prepared_by from plan";
    for (attack, expected) in [(freeze, "DU012"), (plan, "DU012"), ("update incident set closed_at = null", "42501")] {
        let refused =
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("set role duly_app; {attack}"))).execute(&owner(&world).await).await;
        assert_eq!(refused.unwrap_err().into_database_error().unwrap().code().as_deref(), Some(expected), "{attack}");
    }
    let plan = store.load_plan(key, 1).await.unwrap();
    let refused = store.move_plan(key, &plan, &PAUSE, &world.users.bob).await.unwrap_err();
    let StoreError::Database(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.0.as_database_error().unwrap().code().as_deref(), Some("DU004"), "a plan stands still");
    assert_eq!(store.audit(key).await.unwrap(), []);
}

#[tokio::test]
async fn an_incident_is_closed_by_exactly_the_signed_command_or_not_at_all() {
    let world = world("close_signed", 1).await;
    let (store, id) = (&world.store, world.incident.incident_id);
    let scope = LogScope::Incident(world.incident.key.controller_id, world.incident.key.incident_no);
    let refused = async |kind: &'static str, words: Value, detail: Value| {
        let by = world.users.ann.sign(store, &words).await.unwrap();
        let mut detail = detail.as_object().unwrap().clone();
        detail.insert("command".into(), json!(by.command_id.to_string()));
        detail.insert("user".into(), json!(by.user_id.to_string()));
        let StoreError::Database(error) = store.insert_event(scope, kind, detail).await.unwrap_err() else {
            panic!("no refusal")
        };
        assert_eq!(error.0.as_database_error().unwrap().code().as_deref(), Some("DU009"), "{kind}");
    };

    refused("incident.closed", json!({"command": "hold set", "incident": id}), json!({})).await;
    refused("incident.closed", incident_close(id, Some("abroad")), json!({"reason": "all told"})).await;
    refused("incident.closed", incident_close(Uuid::nil(), None), json!({})).await;
    refused("incident.reopened", incident_reopen(id, "x"), json!({"reason": "x"})).await;
    let StoreError::Database(error) = store.insert_event(scope, "incident.closed", Map::new()).await.unwrap_err() else {
        panic!("no refusal")
    };
    assert_eq!(error.0.as_database_error().unwrap().code().as_deref(), Some("DU009"), "by nobody's command");
}

#[tokio::test]
async fn what_was_sent_before_the_close_is_still_reported() {
    let world = world("close_late", 1).await;
    world.store.queue_due("sms-a", Channel::Sms, quota(1)).await.unwrap();
    assert_eq!(world.store.claim(world.incident.key, &[world.intent(0)], 1000).await.unwrap().len(), 1);
    close(&world, Some("abroad")).await.unwrap();
    let receipts = receipt_store(&world).await;
    let reference = hex::encode(world.messages[0].as_bytes());

    let said = Said {
        lane: "sms-a",
        reference: &reference,
        provider_id: "sb_1",
        event: "ev_1",
        status: MessageState::DeliveredToHandset,
    };
    keep(&world, &receipts, &said).await;
    apply(&world).await;

    let state: String = sqlx::query_scalar("select state from message").fetch_one(&owner(&world).await).await.unwrap();
    assert_eq!(state, "delivered_to_handset");
    assert!(world.store.unfinished(world.incident.key).await.unwrap().is_nothing());
    let closed = details(&world, "incident.closed").await.remove(0);
    assert_eq!((&closed["unknown"], &closed["open"]), (&json!(1), &json!(1)), "the call went on");
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}
