//! The application's role diverts no log, invents no incident, says of no audit what it found, and forgets nothing that counts.

use super::guards::{owner, refusal};
use super::{Forged, as_role};
use crate::support::{World, world};
use duly::model::statement::incident_add;
use duly::store::quarantine::Decider;
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn a_log_is_opened_by_its_first_leaf_under_its_own_name_and_goes_on_elsewhere_in_no_time_but_a_restores() {
    let world = world("diverted", 1).await;
    let app = as_role(&world, "duly_app").await;
    let log = |id: &str| {
        format!(
            "insert into log (kind, controller_id, incident_no, log_id) select 'incident', controller_id, incident_no, {id} from incident"
        )
    };
    assert_eq!(refusal(&app, &log("gen_random_uuid()")).await, "DU023", "another name");
    assert_eq!(
        refusal(&app, "insert into log (kind, log_id) values ('system', gen_random_uuid())").await,
        "DU023",
        "another name"
    );
    assert_eq!(refusal(&app, &log("incident_id")).await, "");

    let generation = |n: i32, origin: &str| {
        format!("insert into log_generation (log_no, generation, origin) select log_no, {n}, {origin} from log;")
    };
    assert_eq!(refusal(&app, &generation(1, "'duly.test/' || log_id")).await, "DU024", "without a leaf");
    let opened = |n: i32, origin: &str| {
        format!(
            "insert into event (controller_id, incident_no, kind, body, leaf)
             select controller_id, incident_no, 'log.opened', b.body, sha256('\\x00'::bytea || b.body) from log
              cross join lateral (select convert_to('{{\"d\":{{\"format\":1,\"generation\":{n},\"kind\":\"incident\",\"origin\":\"' || {origin} || '\"}},\"id\":\"'
                || gen_random_uuid() || '\",\"inc\":\"' || log_id || '\",\"k\":\"log.opened\",\"t\":\"2026-11-24T08:44:37.000001Z\",\"v\":1}}', 'UTF8') as body) b;"
        )
    };
    let placed =
        |n: i32| format!("select place_events(log_no, {n}, 0, array[(select max(first_ord) from event_inbox)]) from log;");
    let whole = |n: i32, origin: &str| [generation(n, origin), opened(n, origin), placed(n)].concat();
    assert_eq!(refusal(&app, &opened(1, "'duly.test/' || log_id")).await, "DU020", "a leaf alone");
    assert_eq!(refusal(&app, &whole(1, "'duly.test/' || gen_random_uuid()")).await, "DU020", "under another name each time");
    assert_eq!(refusal(&app, &whole(1, "'duly.test/elsewhere'")).await, "DU024", "under another name");
    assert_eq!(refusal(&app, &whole(1, "'duly.test/' || log_id")).await, "", "as the sequencer does it");

    let second = "'duly.test/' || log_id || '/2'";
    assert_eq!(refusal(&app, &generation(2, second)).await, "DU024", "diverted");
    assert_eq!(refusal(&app, &whole(2, second)).await, "DU024", "diverted with a leaf of its own");
    assert_eq!(refusal(&app, &opened(1, "'duly.test/' || log_id")).await, "DU020", "opened twice");
    let found = world.store.audit(world.incident.key).await.unwrap();
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    let of_the_leaf = ["time_differs", "tile_differs"];
    assert_eq!(
        codes, of_the_leaf,
        "its time is made up, and nobody made a tile for it: the log itself is the one that was opened"
    );
}

/// The event of an incident with this id and so many approvals, by this command.
fn added(world: &World, id: Uuid, approvals: i32, by: Decider) -> String {
    let detail = json!({"approvals": approvals, "command": by.command_id, "incident": id, "user": by.user_id});
    let mut forged = Forged::new(world, "incident.added", None, &detail);
    forged.event.inc = world.incident.key.controller_id.to_string();
    let body = hex::encode(forged.event.to_bytes().unwrap());
    format!(
        "insert into event (controller_id, kind, body, leaf) select controller_id, 'incident.added', b, sha256('\\x00'::bytea || b)
           from controller, (select decode('{body}', 'hex') as b) as bytes;"
    )
}

#[tokio::test]
async fn no_incident_is_added_but_by_a_signature_that_says_how_many_approvals_its_plans_need() {
    let world = world("added", 1).await;
    let app = as_role(&world, "duly_app").await;
    let id = Uuid::now_v7();
    let insert = |approvals: i32| {
        format!(
            "insert into incident (controller_id, incident_id, slug, profile, texts, wrapped_key, intake_public_key, intake_secret_key, approvals_required)
             select controller_id, '{id}', 'other', profile, texts, wrapped_key, intake_public_key, intake_secret_key, {approvals} from incident;"
        )
    };
    let nobody = Decider { user_id: world.users.ann.user_id, command_id: Uuid::now_v7() };
    let by = world.users.ann.sign(&world.store, &incident_add("northmere", id, 2)).await.unwrap();
    assert_eq!(refusal(&app, &insert(2)).await, "DU025", "without its event");
    assert_eq!(refusal(&app, &[insert(2), added(&world, id, 2, nobody)].concat()).await, "DU014", "without a signature");
    assert_eq!(refusal(&app, &[insert(1), added(&world, id, 1, by)].concat()).await, "DU014", "fewer than were signed");
    assert_eq!(refusal(&app, &[insert(1), added(&world, id, 2, by)].concat()).await, "DU025", "fewer than its event tells");
    assert_eq!(refusal(&app, &[insert(2), added(&world, Uuid::now_v7(), 2, by)].concat()).await, "DU014", "another one");
    assert_eq!(refusal(&app, &[insert(2), added(&world, id, 2, by)].concat()).await, "", "as it was signed");
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

#[tokio::test]
async fn that_an_audit_found_nothing_is_said_by_who_audits_and_by_no_other() {
    let world = world("audited", 1).await;
    let app = as_role(&world, "duly_app").await;
    let passed = Forged::new(&world, "audit.passed", None, &json!({"findings": 0}));

    assert_eq!(passed.insert(&app).await, Err("DU026".to_owned()));
    let detail = passed.event.detail.clone();
    world.store.insert_audit(world.incident.key, "audit.passed", detail).await.unwrap();

    let auditor = as_role(&world, "duly_audit").await;
    for attack in [
        "insert into event (controller_id, incident_no, kind, plan_no, plan_from, plan_to, body, leaf) select controller_id, incident_no, kind, 1, 'running', 'paused', body, leaf from event",
        "update person set locked_by = 'x'",
        "select contact from person",
        "delete from event",
    ] {
        assert_eq!(refusal(&auditor, attack).await, "42501", "{attack}");
    }
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

#[tokio::test]
async fn a_receipt_that_counts_is_not_forgotten_nor_one_of_today() {
    let world = world("forgotten", 1).await;
    let app = as_role(&world, "duly_app").await;
    owner(
        &world,
        "set local session_replication_role = replica;
         insert into attempt (controller_id, incident_no, message_id, attempt, person_id, lane, is_repeat, reference, request, send_by)
         select controller_id, incident_no, message_id, 1, person_id, 'sms-a', false, repeat('07', 16), 'x', now() from message limit 1;
         insert into receipt (receipt_id, controller_id, provider, verdict, event_name, reference, received_at, due_at, result)
         select gen_random_uuid(), controller_id, 'sms-a', r.verdict, r.name, r.reference, now() - r.age * interval '1 day', null, r.result
           from controller, (values ('verified', 'applied', repeat('07', 16), 'applied', 400), ('verified', 'known', repeat('07', 16), 'unmatched', 400),
                ('verified', 'first', repeat('07', 16), 'replay', 400), ('bad_signature', 'today', null, 'refused', 0),
                ('verified', 'stranger', repeat('08', 16), 'unmatched', 400), ('bad_signature', 'false', null, 'refused', 400)) as r (verdict, name, reference, result, age)",
    )
    .await;
    for (name, code) in
        [("applied", "DU027"), ("known", "DU027"), ("first", "DU027"), ("today", "DU027"), ("stranger", ""), ("false", "")]
    {
        assert_eq!(refusal(&app, &format!("delete from receipt where event_name = '{name}'")).await, code, "{name}");
    }
}
