//! What an owner changes that is no column of a fact: guards, the clock, signatures of the log; and who finds it by itself.

use super::{audit, change, codes, finished_run};
use crate::support::{Capability, Setup, Stage, eventually, lane, world_after};
use duly::evidence::anchor::Judges;
use duly::evidence::self_audit::audit_all;
use duly_ledger::Signer;
use duly_sandbox::{Fault, FaultKind};
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeSet;

/// A guard that is there and looks nowhere: the body, the rights or the tables that it finds are others.
#[tokio::test]
async fn a_guard_or_clock_with_another_body_is_found() {
    let world = world_after("bodies", 1, 1, async |_: &str| {}).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    for (function, done, code) in [
        (
            "check_hold",
            "create or replace function check_hold() returns trigger language plpgsql set search_path = public, pg_temp as $$ begin return new; end $$",
            "guard_differs",
        ),
        (
            "is_signed",
            "create or replace function is_signed(command uuid, by_user uuid, words jsonb) returns boolean language sql stable as 'select true'",
            "guard_differs",
        ),
        ("apply_events", "alter function apply_events() security invoker", "guard_differs"),
        ("check_events", "alter function check_events() reset search_path", "guard_differs"),
        (
            "duly_now",
            "create or replace function duly_now() returns timestamptz language sql volatile as $$ select clock_timestamp() - interval '1 second' $$",
            "clock_differs",
        ),
    ] {
        let kept: String = sqlx::query_scalar("select pg_get_functiondef(p.oid) from pg_proc p where p.proname = $1")
            .bind(function)
            .fetch_one(&owner)
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(done)).execute(&owner).await.unwrap();
        assert_eq!(codes(&world.store.audit(world.incident.key).await.unwrap()), BTreeSet::from([code]), "{done}");
        sqlx::raw_sql(AssertSqlSafe(kept)).execute(&owner).await.unwrap();
        assert_eq!(world.store.audit(world.incident.key).await.unwrap(), [], "{function} is back");
    }
}

/// Text, root and tiles all fit; only the signature is another key's.
#[tokio::test]
async fn a_checkpoint_that_another_key_signed_is_found() {
    let stage = finished_run().await;
    let judges = Judges::open(&stage.office.settings).unwrap();
    let found = async || {
        let mut found = audit(&stage).await;
        found.extend(judges.audit(&stage.office.store, stage.incident.key).await.unwrap());
        found
    };
    assert_eq!(found().await, []);
    let newest = sqlx::query("select c.note, g.origin from checkpoint c join log_generation g using (log_no, generation) order by c.signed_at desc limit 1")
        .fetch_one(&stage.owner)
        .await
        .unwrap();
    let (note, origin): (String, String) = (newest.get("note"), newest.get("origin"));
    let text = note.split_once("\n\n").unwrap().0;
    let forged = Signer::new(&origin, &[7; 32]).unwrap().sign(&format!("{text}\n")).unwrap().to_string();
    sqlx::query("update checkpoint set note = $1 where note = $2").bind(forged).bind(&note).execute(&stage.owner).await.unwrap();

    assert_eq!(codes(&found().await), BTreeSet::from(["checkpoint_not_signed"]));
}

/// The audit that Duly makes of itself opens what is sealed where it has the key, and writes down what it saw there.
#[tokio::test]
async fn the_self_audit_with_the_master_key_finds_what_only_the_keys_can_tell() {
    let stage = finished_run().await;
    change(&stage, "update person set language = 'cy'").await;
    let (store, judges) = (&stage.office.store, Judges::open(&stage.office.settings).unwrap());
    let told = async || stage.words("select kind from event where kind like 'audit.%' order by ord").await;

    audit_all(store, &judges, None).await.unwrap();
    assert_eq!(told().await, ["audit.passed"]);
    audit_all(store, &judges, Some(&stage.office.master)).await.unwrap();
    assert_eq!(told().await, ["audit.passed", "audit.failed"]);
    assert_eq!(stage.alarms().await, ["audit_failed"]);
}

/// A call that was found and one that was proven absent: what the look-ups say must be what the events tell.
#[tokio::test]
async fn a_look_up_that_says_something_else_than_its_event_is_found() {
    let mut sms = lane(Capability::StrongLookup);
    sms.provider.faults = vec![Fault::once(FaultKind::CutAfter), Fault::once(FaultKind::CutBefore)];
    let stage = Stage::new(Setup { people: 2, lanes: vec![sms], ..Setup::default() }).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("both are accepted", async || stage.states().await == ["accepted", "accepted"]).await;
    process.kill();
    let grounds = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'ground' from event where kind in ('message.resolved', 'receipt') order by 1";
    assert_eq!(stage.words(grounds).await, ["absent", "found"]);
    assert_eq!(audit(&stage).await, []);
    change(&stage, "create table kept as table lookup").await;

    for (what, statement) in [
        ("nothing was found", "update lookup set found = null"),
        (
            "something was found that was absent",
            "update lookup set found = array['sb_0'] where coalesce(cardinality(found), 0) = 0",
        ),
        (
            "it was asked before the call could end",
            "update lookup set sent_at = sent_at - interval '1 hour' where coalesce(cardinality(found), 0) = 0",
        ),
        (
            "it was asked too early",
            "update lookup l set sent_at = a.send_by from attempt a where coalesce(cardinality(found), 0) = 0 and a.message_id = l.message_id and a.attempt = l.attempt",
        ),
        ("nobody asked", "delete from lookup where coalesce(cardinality(found), 0) = 0"),
    ] {
        change(&stage, statement).await;
        let found = codes(&audit(&stage).await);
        assert!(found.contains("lookup_differs"), "{what}: {found:?}");
        change(&stage, "delete from lookup; insert into lookup select * from kept").await;
    }
    assert_eq!(audit(&stage).await, []);
}
