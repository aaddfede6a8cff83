//! What is allowed statement by statement is refused where it adds up to something that nobody signed.

use super::{Forged, as_role, code_of, plan_event};
use crate::support::{World, database_on, server, world};
use duly::model::state::Channel;
use duly::model::statement::provider_statement;
use duly::model::user_key::UserKey;
use duly::store::quarantine::Decider;
use duly::store::statement::Comparison;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// The code with which the application's role is refused; empty where it is not.
pub(super) async fn refusal(app: &PgPool, attack: &str) -> String {
    let mut tx = app.begin().await.unwrap();
    code_of(match sqlx::raw_sql(AssertSqlSafe(attack.to_owned())).execute(&mut *tx).await {
        Ok(_) => tx.commit().await,
        Err(refused) => Err(refused),
    })
}

pub(super) async fn owner(world: &World, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&PgPool::connect(&world.url).await.unwrap()).await.unwrap();
}

async fn bob(world: &World, words: &Value) -> Decider {
    world.users.bob.sign(&world.store, words).await.unwrap()
}

#[tokio::test]
async fn a_temporary_table_hides_nothing_from_a_guard() {
    let world = world("temp", 1).await;
    let app = as_role(&world, "duly_app").await;
    let shadow = "create temporary table app_user (user_id uuid) on commit drop;";
    let second = "insert into public.app_user (user_id, name, public_key) values (gen_random_uuid(), 'eve', sha256('e'))";
    // This database is a copy of one that was migrated, and rights on a database are not copied: the guards look elsewhere.
    assert_eq!(refusal(&app, &format!("{shadow} {second}")).await, "DU007");
    let unset: i64 = sqlx::query_scalar(
        "select count(*) from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = 'public'::regnamespace
            and p.proconfig is null and p.provolatile <> 'i' and l.lanname = 'plpgsql'",
    )
    .fetch_one(&app)
    .await
    .unwrap();
    assert_eq!(unset, 0, "functions without a search_path of their own");

    let migrated = database_on(&server(), "no_temp").await;
    let pool = PgPool::connect(&migrated.url).await.unwrap();
    assert_eq!(refusal(&pool, &format!("set local role duly_app; {shadow}")).await, "42501");
}

/// An event that gives a message up by this command.
fn next_step(world: &World, by: Decider) -> Forged {
    let message = Some((world.messages[0], "asked", "superseded"));
    let detail = json!({"command": by.command_id, "ground": "next_step", "to": "superseded", "user": by.user_id});
    Forged { message, ..Forged::new(world, "message.decided", Some(world.people[0]), &detail) }
}

#[tokio::test]
async fn a_providers_statement_is_compared_by_a_signature_over_exactly_that() {
    let world = world("statement", 1).await;
    let app = as_role(&world, "duly_app").await;
    let good = world.users.compare(&world.store, &world.incident, ("sms-a", Channel::Sms), 0).await;
    let told = |told: &Comparison, by: Decider| {
        let mut detail = told.fields();
        detail.extend([("command".to_owned(), json!(by.command_id)), ("user".to_owned(), json!(by.user_id))]);
        Forged::new(&world, "statement.compared", None, &json!(detail))
    };
    let signed = async |told: &Comparison, incident| bob(&world, &provider_statement(incident, told.fields())).await;
    let here = world.incident.incident_id;

    let (more, other) = (Comparison { ours: 1, theirs: 1, ..good.clone() }, Comparison { lane: "sms-b".into(), ..good.clone() });
    for (by, what) in [
        (signed(&good, here).await, "other figures than were signed for"),
        (signed(&more, Uuid::now_v7()).await, "of another incident"),
        (bob(&world, &json!({"command": "user add"})).await, "another command"),
        (Decider { user_id: world.users.ann.user_id, ..signed(&more, here).await }, "in another's name"),
    ] {
        assert_eq!(told(&more, by).insert(&app).await, Err("DU044".to_owned()), "{what}");
    }
    assert_eq!(told(&other, signed(&good, here).await).insert(&app).await, Err("DU044".to_owned()), "another lane");
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);

    // A signature over figures that are not the log's: the audit counts again.
    assert_eq!(told(&more, signed(&more, here).await).insert(&app).await, Ok(()));
    let found: Vec<&str> = world.store.audit(world.incident.key).await.unwrap().iter().map(|finding| finding.code).collect();
    assert_eq!(found, ["statement_differs"]);
}

#[tokio::test]
async fn a_check_refuses_no_plan_that_nobody_asked_for() {
    let world = world("refusal", 1).await;
    let app = as_role(&world, "duly_app").await;
    let told = |by: Decider| {
        let hash = "5e".repeat(32);
        let detail = json!({"command": by.command_id, "contents": hash, "errors": "C055:3", "messages": 3, "plan": 2, "profiles": "uk-gdpr 2026.11",
            "report": hash, "rules": hash, "user": by.user_id, "version": "0.1.0"});
        Forged::new(&world, "check.refused", None, &detail)
    };
    let words = |incident: Uuid| json!({"command": "plan prepare", "incident": incident});
    let here = world.incident.incident_id;
    for by in [
        Decider { command_id: Uuid::now_v7(), user_id: world.users.bob.user_id },
        bob(&world, &words(Uuid::now_v7())).await,
        bob(&world, &json!({"command": "plan pause", "incident": here})).await,
        Decider { user_id: world.users.ann.user_id, ..bob(&world, &words(here)).await },
    ] {
        assert_eq!(told(by).insert(&app).await, Err("DU045".to_owned()));
    }
    let by = bob(&world, &words(here)).await;
    assert_eq!(told(by).insert(&app).await, Ok(()));
    assert_eq!(told(by).insert(&app).await, Err("23505".to_owned()), "once by each signature");
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);

    // Its owner puts in another signature: the audit looks at what it asks for.
    let other = bob(&world, &json!({"command": "plan pause", "incident": here})).await;
    let (name, id) = (world.url.clone(), other.command_id);
    let pool = PgPool::connect(&name).await.unwrap();
    let words = format!("set local session_replication_role = replica; update event set body = r.body, leaf = sha256('\\x00'::bytea || r.body)
        from (select ord, convert_to(replace(convert_from(body, 'UTF8'), '{}', '{id}'), 'UTF8') as body from event where kind = 'check.refused') r where r.ord = event.ord", by.command_id);
    sqlx::raw_sql(AssertSqlSafe(words)).execute(&pool).await.unwrap();
    let found: Vec<&str> = world.store.audit(world.incident.key).await.unwrap().iter().map(|finding| finding.code).collect();
    assert!(found.contains(&"event_not_signed"), "{found:?}");
}

#[tokio::test]
async fn nobody_decides_in_anothers_name_nor_twice_by_one_signature() {
    let world = world("decided", 1).await;
    let app = as_role(&world, "duly_app").await;
    owner(&world, "update message set state = 'asked'").await;
    let words = |message: Uuid, choice: &str| json!({"command": "unknown decide", "incident": world.incident.incident_id, "message": message, "choice": choice, "reason": "x"});
    let nobody = Decider { command_id: Uuid::now_v7(), user_id: world.users.bob.user_id };
    assert_eq!(next_step(&world, nobody).insert(&app).await, Err("DU014".to_owned()), "a made-up command");
    for words in [words(Uuid::now_v7(), "next-step"), words(world.messages[0], "send-again"), json!({"command": "user add"})] {
        let by = bob(&world, &words).await;
        assert_eq!(next_step(&world, by).insert(&app).await, Err("DU014".to_owned()), "{words}");
    }
    let by = bob(&world, &words(world.messages[0], "next-step")).await;
    let as_ann = Decider { user_id: world.users.ann.user_id, ..by };
    assert_eq!(next_step(&world, as_ann).insert(&app).await, Err("DU014".to_owned()), "in another's name");

    assert_eq!(next_step(&world, by).insert(&app).await, Ok(()));
    owner(&world, "update message set state = 'asked', due_at = now()").await;
    let mut again = next_step(&world, by);
    (again.n, again.event.n) = (Some(2), Some(2));
    again.event.prev = Some(duly_ledger::leaf_hash(&first_body(&world).await));
    assert_eq!(again.insert(&app).await, Err("23505".to_owned()), "the same signature again");
}

async fn first_body(world: &World) -> Vec<u8> {
    let pool = PgPool::connect(&world.url).await.unwrap();
    sqlx::query_scalar("select body from event where person_id is not null").fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn a_plan_is_not_resumed_again_by_an_old_signature() {
    let world = world("resumed_twice", 1).await;
    let app = as_role(&world, "duly_app").await;
    plan_event(&world, "plan.paused", "plan pause", "running", "paused").await.insert(&app).await.unwrap();
    let resumed = plan_event(&world, "plan.resumed", "plan resume", "paused", "running").await;
    resumed.insert(&app).await.unwrap();
    plan_event(&world, "plan.paused", "plan pause", "running", "paused").await.insert(&app).await.unwrap();

    let again = Forged::new(&world, "plan.resumed", None, &Value::Object(resumed.event.detail.clone()));
    assert_eq!(Forged { plan: Some((1, "paused", "running")), ..again }.insert(&app).await, Err("23505".to_owned()));
}

#[tokio::test]
async fn a_quarantined_row_does_not_vanish_without_its_event_and_what_was_signed() {
    let world = world("vanish", 1).await;
    let app = as_role(&world, "duly_app").await;
    owner(
        &world,
        "insert into source_row (controller_id, incident_no, list_no, identity, row_no, fate, faults, sealed)
         select controller_id, incident_no, 1, decode('0000000000000007', 'hex'), 7, 'quarantined', '[]', 'x' from incident",
    )
    .await;
    let words = |row: &str| json!({"command": "quarantine discard", "incident": world.incident.incident_id, "rows": [row], "reason": "a test entry"});
    let decision = |by: Decider, reason: &str| {
        format!(
            "insert into row_decision (controller_id, incident_no, list_no, identity, fate, reason, decided_by, command_id)
             select controller_id, incident_no, 1, decode('0000000000000007', 'hex'), 'discarded', '{reason}', '{}', '{}' from incident",
            by.user_id, by.command_id
        )
    };
    let by = bob(&world, &words("1/7")).await;
    assert_eq!(refusal(&app, &decision(by, "a test entry")).await, "DU015", "no event");
    let other = bob(&world, &words("1/8")).await;
    let told = |by: Decider| json!({"command": by.command_id, "list": 1, "row": 7, "user": by.user_id});
    assert_eq!(Forged::new(&world, "row.discarded", None, &told(other)).insert(&app).await, Err("DU014".to_owned()));
    Forged::new(&world, "row.discarded", None, &told(by)).insert(&app).await.unwrap();
    assert_eq!(refusal(&app, &decision(by, "another reason")).await, "DU015", "another reason");
    let superseded = format!(
        "insert into row_decision (controller_id, incident_no, list_no, identity, fate, new_list_no, new_identity, decided_by, command_id)
         select controller_id, incident_no, 1, decode('0000000000000007', 'hex'), 'superseded', 1, '\\x0000000000000000', '{}', '{}' from incident",
        by.user_id, by.command_id
    );
    assert_eq!(refusal(&app, &superseded).await, "DU015", "by any other row");
    assert_eq!(refusal(&app, &decision(by, "a test entry")).await, "", "as it was signed");
}

#[tokio::test]
async fn no_event_stands_in_a_log_that_is_not_its_own() {
    let world = world("places", 1).await;
    let app = as_role(&world, "duly_app").await;
    let event = |columns: &str| {
        format!(
            "insert into event (controller_id, incident_no, kind, body, leaf) select {columns}, 'x', b.body, sha256('\\x00'::bytea || b.body)
               from controller c, incident i, (select convert_to('{{\"d\":{{}},\"id\":\"' || gen_random_uuid() || '\",\"inc\":\"' || gen_random_uuid()
                 || '\",\"k\":\"x\",\"t\":\"2026-11-23T10:00:00.000000Z\",\"v\":1}}', 'UTF8') as body) b"
        )
    };
    assert_eq!(refusal(&app, &event("c.controller_id, i.incident_no")).await, "");
    assert_eq!(refusal(&app, &event("c.controller_id, i.incident_no + 1")).await, "DU013");
    assert_eq!(refusal(&app, &event("gen_random_uuid(), i.incident_no")).await, "DU013");
    assert_eq!(refusal(&app, &event("gen_random_uuid(), null::bigint")).await, "DU013");

    let place = |log: &str, first: i64, which: &str| {
        format!("select place_events({log}, 1, {first}, array_agg(first_ord)) from event_inbox where {which}")
    };
    let ours = "incident_no is not null";
    assert_eq!(refusal(&app, &place("424242", 0, ours)).await, "DU016", "a log that is not there");
    owner(
        &world,
        "set local session_replication_role = replica;
         insert into log (kind, log_id) select 'system', installation_id from installation;
         insert into log_generation (log_no, generation, origin) select log_no, 1, 'duly.test/system' from log",
    )
    .await;
    let log = "(select log_no from log)";
    assert_eq!(refusal(&app, &place(log, 0, ours)).await, "DU016", "another's log");
    let system = "controller_id is null";
    assert_eq!(refusal(&app, &place(log, 1, system)).await, "DU016", "a place is left out");
    assert_eq!(refusal(&app, &format!("{0}; {0}", place(log, 0, system))).await, "DU016", "a place is given twice");
    assert_eq!(refusal(&app, &place(log, 0, system)).await, "", "as the sequencer does it");
}

#[tokio::test]
async fn leads_run_out_and_restores_and_list_keys_need_their_own_signature() {
    let world = world("leads", 1).await;
    let app = as_role(&world, "duly_app").await;
    assert!(world.store.lead(("scheduler", ""), "us", 5000).await.unwrap().is_some());
    for attack in [
        "update leadership set expires_at = 'infinity'",
        "insert into leadership (role, epoch, holder, expires_at) values ('sequencer', 1, 'eve', now() + interval '1 hour')",
    ] {
        assert_eq!(refusal(&app, attack).await, "DU017", "{attack}");
    }

    for (attack, code) in [
        ("update leadership set epoch = 9223372036854775807", "DU030"),
        ("update leadership set epoch = epoch - 1", "DU030"),
        (
            "insert into leadership (role, epoch, holder, expires_at) values ('sequencer', 9223372036854775807, 'eve', now())",
            "DU030",
        ),
        ("insert into lane_pause (lane, until, code) values ('sms-a', 'infinity', '429')", "DU028"),
        ("insert into lane_pause (lane, until, code) values ('sms-a', now() + interval '2 days', '429')", "DU028"),
        ("update pulse set beat = 9223372036854775807", "DU029"),
        ("update pulse set beat = beat - 1", "DU029"),
    ] {
        assert_eq!(refusal(&app, attack).await, code, "{attack}");
    }

    let restored = Uuid::now_v7();
    let noticed = format!("insert into restored (restored_id, ground) values ('{restored}', 'pulse')");
    assert_eq!(refusal(&app, &noticed).await, "");
    let reconcile = |by: Decider| format!("update restored set command_id = '{}', reconciled_at = now()", by.command_id);
    let other = bob(&world, &json!({"command": "restore reconcile", "restored": Uuid::now_v7()})).await;
    assert_eq!(refusal(&app, &reconcile(other)).await, "DU072");
    let by = bob(&world, &json!({"command": "restore reconcile", "restored": restored})).await;
    assert_eq!(refusal(&app, &reconcile(by)).await, "");

    let key = hex::encode(UserKey::generate("list").public());
    let pin = |by: Decider| {
        format!(
            "insert into controller_list_key (controller_id, key_no, public_key, user_id, command_id)
             select controller_id, 1, decode('{key}', 'hex'), '{}', '{}' from controller",
            by.user_id, by.command_id
        )
    };
    let id = world.incident.incident_id;
    for words in [
        json!({"command": "hold set", "incident": id, "reason": key}),
        json!({"command": "list attach", "incident": Uuid::now_v7(), "key": key}),
        json!({"command": "list replace-key", "controller": "another", "public": key}),
    ] {
        assert_eq!(refusal(&app, &pin(bob(&world, &words).await)).await, "DU066", "{words}");
    }
    let by = bob(&world, &json!({"command": "list attach", "incident": id, "key": key})).await;
    assert_eq!(refusal(&app, &pin(by)).await, "DU067", "without its event");
}
