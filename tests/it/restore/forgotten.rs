//! A call that a restore lost is never taken for a new one: it is as old as it can be.

use super::ground::{PEOPLE, duly, dump, restore, serve_to_the_end, serve_until, stage, told};
use crate::support::{Capability, Lane, Setup, lane, world};
use duly::store::restore::Forgotten;

const DAY_MS: i64 = 86_400_000;

/// Does what no program may: an owner, past all guards.
async fn past_guards(url: &str, sql: &str) {
    let owner = sqlx::PgPool::connect(url).await.unwrap();
    let statement = format!("begin; set local session_replication_role = replica; {sql}; commit");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&owner).await.unwrap();
}

#[tokio::test]
async fn a_call_of_which_a_restore_lost_the_row_is_as_old_as_its_event_or_its_plan_and_never_new() {
    let world = world("forgotten", 3).await;
    let (store, incident) = (&world.store, world.incident.key);
    store.queue_due("sms-a", duly::model::state::Channel::Sms, crate::support::quota(10)).await.unwrap();
    let claimed = store.claim(incident, &[world.intent(0), world.intent(1)], 1000).await.unwrap();
    assert_eq!(claimed.len(), 2);
    let a_day_later = "create or replace function duly_now() returns timestamptz language sql volatile as $$ select clock_timestamp() + interval '1 day' $$";
    let lost = format!("delete from attempt; delete from event where message_id = '{}'", world.messages[1]);
    past_guards(&world.url, &format!("{a_day_later}; {lost}")).await;
    let forgotten =
        |i: usize| Forgotten { message_id: world.messages[i], person_id: world.people[i], reference: Some(format!("{i:032x}")) };
    assert_eq!(store.forget(incident, &[forgotten(2)]).await.unwrap(), 1);

    let due = store.list_due(10, 20).await.unwrap();

    let since = |i: usize| due.iter().find(|row| row.message_id == world.messages[i]).unwrap().since_first_claim_ms;
    assert!(since(0).is_some_and(|ms| ms >= DAY_MS), "by its event: {:?}", since(0));
    assert_eq!(since(1), None, "nothing is known of it, and its provider may have forgotten it");
    assert!(since(2).is_some_and(|ms| ms >= DAY_MS), "since its plan was started: {:?}", since(2));
}

#[tokio::test]
async fn what_may_have_left_longer_ago_than_its_provider_remembers_is_asked_of_a_person_after_a_restore() {
    let stage = stage(vec![Lane { unknown_rule: "ask", ..lane(Capability::StrongLookup) }], Setup::default()).await;
    serve_until(&stage, 10).await;
    let (backup, before) = (dump(&stage), told(&stage));
    restore(&stage, &backup).await;
    // The backup was older than providers remember that do not say for how long.
    stage.shift_clock(31 * 86_400).await;
    duly(&stage, &["restore", "reconcile"]).fine();

    serve_to_the_end(&stage).await;

    let asked = stage.count("select count(*) from message where state = 'asked'").await;
    assert!(asked > 0, "\"not there\" of a provider that has forgotten was believed");
    assert_eq!(stage.count("select count(*) from event where kind = 'message.resolved'").await, 0);
    assert_eq!((told(&stage), before + usize::try_from(asked).unwrap()), (before, PEOPLE as usize));
}
