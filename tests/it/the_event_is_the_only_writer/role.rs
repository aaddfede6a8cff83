//! Statement by statement, what the application's role may not do, and by which wall it is stopped.

use super::guards::refusal;
use super::{as_role, code_of};
use crate::support::world;
use serde_json::json;
use sqlx::PgPool;

/// Each attack is refused for its own reason: a mistake in its SQL would be refused, too.
async fn refuse(pool: &PgPool, attacks: &[(&str, &str)]) {
    for (attack, code) in attacks {
        assert_eq!(refusal(pool, attack).await, *code, "{attack}");
    }
}

const MESSAGE_ON_ITS_WAY: &str = "insert into message (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, expires_at, state)
     select controller_id, incident_no, gen_random_uuid(), person_id, 1, 'sms', 'resend', 1, 1, now(), 'accepted' from message limit 1";
const LIFTED_BY_ANOTHER_COMMAND: &str =
    "update hold set lifted_at = now(), lifted_by = set_by, lifted_command_id = (select command_id from signed_command
       where convert_from(statement, 'UTF8') like '%user add%' limit 1) where lifted_at is null";
const SET_BY_A_COMMAND_TO_LIFT: &str = "insert into hold (hold_id, controller_id, incident_no, reason, set_by, command_id)
     select gen_random_uuid(), controller_id, incident_no, 'another', set_by, lifted_command_id from hold where lifted_at is not null";
const SET_YESTERDAY: &str = "insert into hold (hold_id, controller_id, incident_no, reason, set_by, command_id, set_at)
     select gen_random_uuid(), controller_id, incident_no, reason, set_by, command_id, now() - interval '1 day' from hold";
const ADDED_BY_ANOTHER_COMMAND: &str =
    "insert into app_user (user_id, name, public_key, added_command_id) select gen_random_uuid(), 'eve', sha256('e'), command_id
       from signed_command where convert_from(statement, 'UTF8') like '%plan go%'";
const SIGNED_AT_ANOTHER_TIME: &str = "insert into signed_command (command_id, user_id, statement, signature, at)
     select gen_random_uuid(), user_id, 'x', signature, at from signed_command limit 1";
const RECEIPT: &str = "insert into receipt (receipt_id, controller_id, provider, verdict)
     select gen_random_uuid(), controller_id, 'sms-a', 'verified' from controller";
const RECEIPT_APPLIED: &str = "insert into receipt (receipt_id, controller_id, provider, verdict, due_at, result)
     select gen_random_uuid(), controller_id, 'sms-a', 'verified', null, 'applied' from controller";
const RECEIPT_OF_A_MESSAGE: &str = "insert into receipt (receipt_id, controller_id, provider, verdict, message_id)
     select gen_random_uuid(), controller_id, 'sms-a', 'verified', gen_random_uuid() from controller";

#[tokio::test]
async fn the_application_role_is_refused_every_other_way() {
    let world = world("only_writer", 2).await;
    let app = as_role(&world, "duly_app").await;
    let hold = world.hold(None).await;
    world.lift(hold).await;
    world.hold(None).await;
    let key = duly::model::user_key::UserKey::generate("cleo").public();
    world.users.ann.add_user(&world.store, "cleo", &key).await.unwrap();
    let by = world.users.ann.sign(&world.store, &json!({"command": "user revoke", "name": "cleo"})).await.unwrap();
    world.store.revoke_user("cleo", by).await.unwrap();
    let receipts = as_role(&world, "duly_receipts").await;
    sqlx::raw_sql(RECEIPT).execute(&receipts).await.unwrap();

    refuse(
        &app,
        &[
            ("update message set state = 'delivered_to_handset'", "42501"),
            ("update notice set state = 'notified', ended_at = now()", "42501"),
            ("update person set last_n = 5", "42501"),
            ("update plan set state = 'running'", "42501"),
            ("update event set kind = 'x'", "42501"),
            ("delete from event", "42501"),
            ("delete from attempt", "42501"),
            ("delete from person", "42501"),
            ("update outcome set kind = 'accepted'", "42501"),
            ("insert into message_move values ('ready', 'accepted')", "42501"),
            ("insert into notice_move values ('open', 'exempt')", "42501"),
            ("insert into plan_move values ('plan.turned', 'plan turn', 'running', 'prepared')", "42501"),
            (MESSAGE_ON_ITS_WAY, "42501"),
            ("alter table event disable trigger all", "42501"),
            ("truncate event", "42501"),
        ],
    )
    .await;
    // Holds and users: once, by a signature over exactly that, at the database's time.
    refuse(
        &app,
        &[
            ("update hold set lifted_at = null, lifted_by = null, lifted_command_id = null where lifted_at is not null", "DU008"),
            ("update hold set lifted_at = now() where lifted_at is not null", "DU008"),
            (LIFTED_BY_ANOTHER_COMMAND, "DU008"),
            (SET_BY_A_COMMAND_TO_LIFT, "DU008"),
            (SET_YESTERDAY, "42501"),
            ("update app_user set revoked_at = null where name = 'cleo'", "DU007"),
            ("update app_user set revoked_at = now() where name = 'cleo'", "DU007"),
            ("update app_user set public_key = sha256('e')", "42501"),
            ("insert into app_user (user_id, name, public_key) values (gen_random_uuid(), 'eve', sha256('e'))", "DU007"),
            (ADDED_BY_ANOTHER_COMMAND, "DU007"),
            (SIGNED_AT_ANOTHER_TIME, "42501"),
        ],
    )
    .await;
    // A true receipt is not refused, nor forgotten.
    refuse(
        &app,
        &[
            ("update receipt set result = 'refused', due_at = null", "23514"),
            ("update receipt set due_at = null", "23514"),
            ("delete from receipt", "DU027"),
            (RECEIPT, "42501"),
        ],
    )
    .await;
    refuse(
        &receipts,
        &[
            ("select * from receipt", "42501"),
            ("update receipt set result = 'applied'", "42501"),
            (RECEIPT_APPLIED, "DU021"),
            (RECEIPT_OF_A_MESSAGE, "42501"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_revocation_cannot_be_backdated() {
    let world = world("backdated", 1).await;
    let app = as_role(&world, "duly_app").await;

    refuse(&app, &[("update app_user set revoked_at = '2001-01-01' where name = 'bob'", "DU007")]).await;
    let by = world.users.ann.sign(&world.store, &duly::model::statement::user_revoke("bob")).await.unwrap();
    let backdated = "update app_user set revoked_at = '2001-01-01', revoked_command_id = $1 where name = ";
    for (name, code) in [("'ann'", "DU007"), ("'bob'", "")] {
        let statement = sqlx::AssertSqlSafe(format!("{backdated}{name}"));
        assert_eq!(code_of(sqlx::query(statement).bind(by.command_id).execute(&app).await), code, "{name}");
    }

    let found = world.store.audit(world.incident.key).await.unwrap();
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["user_differs_from_events"], "revoked from now on, and the missing event is found");
}
