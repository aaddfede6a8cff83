//! Whoever owns the database can change anything in it, and the audit tells: each sabotage has the finding that names it.

mod added;
mod changes;
mod columns;
mod every_column;
mod sweep;
mod walls;

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane, produced, world_after};
use changes::{SABOTAGES, SEALED};
use columns::{COLUMNS, COLUMNS_SEALED};
use duly::model::state::{Channel, Route};
use duly::provider::read_request;
use duly::store::audit::record::{Produced, SendKey, compare};
use duly::store::audit::{CODES, Finding, Sealed};
use duly_ledger::Event;
use duly_sandbox::ProviderConfig;
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeSet;

/// A finished run of four text messages, all reported delivered, every event in its place.
async fn finished_run() -> Stage {
    let provider = ProviderConfig { receipts: true, receipt_delay_ms: 0, ..Capability::StrongLookup.provider() };
    let lanes = vec![Lane { provider, ..lane(Capability::StrongLookup) }];
    let stage = Stage::new(Setup { people: 4, routes: vec![Route::Sms], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let hold = stage.hold().await;
    stage.lift(hold).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("all are delivered", async || stage.states().await.iter().all(|state| state == "delivered_to_handset")).await;
    stage.drain_to_the_end().await;
    stage.users.compare(&stage.office.store, &stage.incident, ("sms", Channel::Sms), 4).await;
    stage.drain_the_logs().await;
    // By itself: what a killed one had asked the database for would be done in the middle of what follows.
    process.terminate().await;
    stage
}

/// Keeps a copy of every table beside it.
const KEEP: &str = "create schema kept;
    do $$ declare t text; begin
      for t in select tablename from pg_tables where schemaname = 'public' loop
        execute format('create table kept.%I as table public.%I', t, t);
      end loop;
    end $$";

/// Puts every table back as it was, without triggers and foreign keys.
const RESTORE: &str = "do $$ declare t text; begin
      set local session_replication_role = replica;
      for t in select tablename from pg_tables where schemaname = 'kept' loop
        execute format('delete from public.%I', t);
        execute format('insert into public.%I overriding system value select * from kept.%I', t, t);
      end loop;
    end $$";

async fn change(stage: &Stage, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&stage.owner).await.unwrap();
}

async fn audit(stage: &Stage) -> Vec<Finding> {
    stage.office.store.audit(stage.incident.key).await.unwrap()
}

async fn sealed(stage: &Stage) -> Sealed {
    stage.office.store.audit_sealed(stage.incident.key, &stage.office.master, &|_, frozen| read_request(frozen)).await.unwrap()
}

/// Constraints, indexes and identities that a test took away itself, to lay the tables open, are no findings of that test.
fn but_for_what_was_opened(mut found: Vec<Finding>) -> Vec<Finding> {
    let of_rows = ["constraint ", "index ", "column "];
    let is_opened = |place: &str| of_rows.iter().any(|part| place.starts_with(part)) || place.ends_with("_seq");
    found.retain(|finding| finding.code != "guard_differs" || !is_opened(&finding.place));
    found
}

fn codes(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn each_sabotage_by_the_owner_turns_the_audit_red() {
    let stage = finished_run().await;
    assert_eq!(audit(&stage).await, []);
    let untouched = sealed(&stage).await;
    assert_eq!((untouched.findings, untouched.sends.len()), (vec![], 4));
    change(&stage, KEEP).await;

    for (what, statement, code) in SABOTAGES.iter().chain(COLUMNS) {
        change(&stage, statement).await;
        let found = codes(&audit(&stage).await);
        assert!(found.contains(code), "{what}: {found:?} lacks {code}");
        change(&stage, RESTORE).await;
    }
    for (what, statement, code) in SEALED.iter().chain(COLUMNS_SEALED) {
        change(&stage, statement).await;
        let found = codes(&sealed(&stage).await.findings);
        assert!(found.contains(code), "{what}: {found:?} lacks {code}");
        change(&stage, RESTORE).await;
    }
    assert_eq!(but_for_what_was_opened(audit(&stage).await), []);
    the_record_is_held_against_ours(&stage).await;
}

/// A row that two checks look at is still one difference.
#[tokio::test]
async fn an_event_that_no_restore_brought_back_is_found_once_in_whichever_log_it_stands() {
    let stage = finished_run().await;
    for of in ["kind = 'message.accepted'", "kind = 'plan.prepared'", "kind = 'incident.added'", "controller_id is null"] {
        let one = format!("(select min(ord) from event where {of})");
        let lie = format!("update event set restored_id = gen_random_uuid() where ord = {one}");
        change(&stage, &lie).await;

        let found = audit(&stage).await;
        let of_it: Vec<&Finding> = found.iter().filter(|finding| finding.code == "brought_back_unsigned").collect();
        assert_eq!(of_it.len(), 1, "{of}: {of_it:?}");
        change(&stage, &format!("update event set restored_id = null where ord = {one}")).await;
    }
    assert_eq!(audit(&stage).await, []);
}

async fn the_record_is_held_against_ours(stage: &Stage) {
    let sends: Vec<SendKey> = sealed(stage).await.sends;
    let record: Vec<Produced> = stage.sandbox.state.record().into_iter().map(produced).collect();
    assert_eq!(compare(&sends, &record), []);

    let twice = [&record[..], &record[..1]].concat();
    assert_eq!(codes(&compare(&sends, &twice)), BTreeSet::from(["sent_twice"]));
    assert_eq!(codes(&compare(&sends, &record[1..])), BTreeSet::from(["never_sent"]));
    let elsewhere = Produced { destination: "+447400999999".into(), ..record[0].clone() };
    assert_eq!(codes(&compare(&sends, &[&record[1..], &[elsewhere]].concat())), BTreeSet::from(["never_sent", "not_ours"]));
}

/// An owner who knows the format: the chain fits, the hashes fit, the tables agree. The model still refuses the move.
#[tokio::test]
async fn a_second_send_with_forged_evidence_is_no_step_of_the_model() {
    let stage = finished_run().await;
    let head = sqlx::query("select p.person_id, p.last_n, p.last_leaf, m.message_id, i.incident_id from person p join message m using (person_id), incident i order by 1 limit 1")
        .fetch_one(&stage.owner)
        .await
        .unwrap();
    let person: uuid::Uuid = head.get("person_id");
    let forged = Event {
        id: uuid::Uuid::now_v7().to_string(),
        inc: head.get::<uuid::Uuid, _>("incident_id").to_string(),
        kind: "message.intent".into(),
        n: u64::try_from(head.get::<i64, _>("last_n") + 1).ok(),
        person: Some(*person.as_bytes()),
        prev: head.get::<Vec<u8>, _>("last_leaf").try_into().ok(),
        at_micros: 1_764_024_005_000_001,
        detail:
            json!({"attempt": 2, "channel": "sms", "ordinal": 1, "phase": 1, "plan": 1, "reason": "first", "repeat": false, "to": "sending"})
                .as_object()
                .unwrap()
                .clone(),
    };
    let body = forged.to_bytes().unwrap();
    let statements = [
        "insert into message_move values ('delivered_to_handset', 'sending')",
        "insert into attempt select controller_id, incident_no, message_id, 2, person_id, lane, false, reference, request, now(), now() from attempt where message_id = $1",
        "insert into event (controller_id, incident_no, person_id, n, kind, message_id, message_from, message_to, attempt, due_in_ms, lease_in_ms, body, leaf)
         select controller_id, incident_no, person_id, last_n + 1, 'message.intent', $1, 'delivered_to_handset', 'sending', 2, 1000, 1000, $3, sha256('\\x00'::bytea || $3)
           from person where person_id = $2",
    ];
    sqlx::raw_sql(statements[0]).execute(&stage.owner).await.unwrap();
    let message: uuid::Uuid = head.get("message_id");
    sqlx::query(statements[1]).bind(message).execute(&stage.owner).await.unwrap();
    sqlx::query(statements[2]).bind(message).bind(person).bind(&body).execute(&stage.owner).await.unwrap();

    let found = codes(&audit(&stage).await);
    assert!(found.contains("move_not_allowed"), "{found:?}");
}

/// Two people must approve. Whoever owns the database takes the signature and its event away, asks for one approval less,
/// and only then is the plan made: nothing in the plan tells of it, and the controller's log does.
#[tokio::test]
async fn an_incident_that_asks_for_fewer_approvals_than_were_signed_is_found_whatever_was_deleted() {
    let lowered = "update incident set approvals_required = 1;";
    let unsigned = "set local session_replication_role = replica;
        delete from signed_command where convert_from(statement, 'UTF8') like '%incident add%';";
    let untold = "delete from event_inbox where first_ord in (select ord from event where kind = 'incident.added');
        delete from event where kind = 'incident.added';";
    for (deleted, found) in [
        (String::new(), &["approvals_differ"][..]),
        (unsigned.to_owned(), &["approvals_differ", "event_not_signed"]),
        (format!("{unsigned}{untold}"), &["incident_not_added"]),
    ] {
        let world = world_after("lowered", 1, 2, async |url: &str| {
            let owner = sqlx::PgPool::connect(url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(format!("{deleted}{lowered}"))).execute(&owner).await.unwrap();
        })
        .await;
        assert_eq!(codes(&world.store.audit(world.incident.key).await.unwrap()), found.iter().copied().collect(), "{deleted}");
    }
}

#[tokio::test]
async fn whoever_takes_a_guard_away_or_gives_the_application_more_rights_is_found() {
    let world = world_after("guards", 1, 1, async |_: &str| {}).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    assert!(world.store.audit(world.incident.key).await.unwrap().is_empty());
    for (done, undone, code) in [
        ("alter table event disable trigger apply_events", "alter table event enable trigger apply_events", "guard_off"),
        // Whoever takes the right on a table away takes those on its columns away too.
        (
            "grant update on message to duly_app",
            "revoke update on message from duly_app; grant update (lane, due_at, lease_until) on message to duly_app",
            "rights_differ",
        ),
        ("grant update (state) on message to duly_app", "revoke update (state) on message from duly_app", "rights_differ"),
        ("grant delete on event to duly_app", "revoke delete on event from duly_app", "rights_differ"),
        ("grant truncate on event_inbox to duly_app", "revoke truncate on event_inbox from duly_app", "rights_differ"),
        (
            "insert into message_move values ('delivered_to_handset', 'sending')",
            "delete from message_move where from_state = 'delivered_to_handset' and to_state = 'sending'",
            "guard_differs",
        ),
        (
            "insert into notice_move values ('notified', 'exempt')",
            "delete from notice_move where from_state = 'notified' and to_state = 'exempt'",
            "guard_differs",
        ),
        (
            "update plan_move set command = 'plan prepare' where kind = 'plan.started'",
            "update plan_move set command = 'plan go' where kind = 'plan.started'",
            "guard_differs",
        ),
        ("drop trigger check_approval on plan_approval", "select 1", "guard_off"),
        (
            "create trigger check_approval before insert on plan_approval for each row when (false) execute function check_approval()",
            "drop trigger check_approval on plan_approval; create trigger check_approval before insert on plan_approval for each row execute function check_approval()",
            "guard_off",
        ),
        (
            "drop trigger only_while_open on plan",
            "create trigger only_while_open after insert on plan referencing new table as fresh for each statement execute function only_while_open()",
            "guard_off",
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(done)).execute(&owner).await.unwrap();
        assert_eq!(codes(&world.store.audit(world.incident.key).await.unwrap()), BTreeSet::from([code]), "{done}");
        sqlx::raw_sql(AssertSqlSafe(undone)).execute(&owner).await.unwrap();
    }
}

/// Codes that no table of this file reaches: what they need is named.
#[test]
fn every_code_has_a_sabotage_that_shows_it() {
    const ELSEWHERE: &[&str] = &[
        // The log's own: tests/it/sequencer.rs.
        "checkpoint_differs",
        // Above and in sabotage/walls.rs: what they change is no row, or needs the log's key.
        "guard_off",
        "guard_differs",
        "clock_differs",
        "rights_differ",
        "checkpoint_not_signed",
        // Changes of the log's key: tests/it/log_keys/attacks.rs.
        "log_key_not_changed",
        // It needs a night: tests/it/nights.rs.
        "intent_at_night",
        // Anchors that others made: tests/it/anchors.rs.
        "anchor_not_valid",
        // Receipts that a stranger sent: tests/it/receipts/refused.rs.
        "refusal_missing",
        // Two events of one step: the trigger writes both or none, and a person's chain shows the missing one first.
        "event_missing",
        // An alarm without a second id on record: an `accepted` after a later first call (tests/it/interleavings.rs).
        "alarm_missing",
        // Seals bind a request to its person: these need the keys of the incident as well.
        "request_elsewhere",
        "intent_differs",
        "sent_twice",
        "never_sent",
        "not_ours",
    ];
    for (code, _) in CODES {
        let all = [SABOTAGES, COLUMNS, SEALED, COLUMNS_SEALED];
        let is_shown = all.iter().copied().flatten().any(|(_, _, shown)| shown == code);
        assert!(is_shown != ELSEWHERE.contains(code), "{code}");
    }
}
