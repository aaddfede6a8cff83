//! The application's role cannot change a fact but by an event, and an event must fit.

use crate::support::world;

#[tokio::test]
async fn the_application_role_is_refused_every_other_way() {
    let world = world("only_writer", 2).await;
    let app = sqlx::postgres::PgPoolOptions::new()
        .after_connect(|c, _| Box::pin(async move { sqlx::raw_sql("set role duly_app").execute(c).await.map(|_| ()) }))
        .connect(&world.url)
        .await
        .unwrap();

    for attack in [
        "update message set state = 'delivered_to_handset'",
        "update notice set state = 'notified', ended_at = now()",
        "update person set last_n = 5",
        "update plan set state = 'running'",
        "update event set kind = 'x'",
        "delete from event",
        "delete from attempt",
        "delete from person",
        "update outcome set kind = 'accepted'",
        "insert into message_move values ('ready', 'accepted')",
        "insert into message (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, expires_at, state)
         select controller_id, incident_no, gen_random_uuid(), person_id, 1, 'sms', 'resend', 1, 1, now(), 'accepted' from message limit 1",
        "alter table event disable trigger all",
        "truncate event",
    ] {
        let refused = sqlx::raw_sql(attack).execute(&app).await;
        assert!(refused.is_err(), "was allowed: {attack}");
    }
}

#[tokio::test]
async fn an_event_that_does_not_fit_fails_as_a_whole() {
    let world = world("misfit", 1).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let insert = |from: &str, to: &str, n: i64| {
        format!(
            "insert into event (controller_id, incident_no, person_id, n, kind, message_id, message_from, message_to, body, leaf)
             select controller_id, incident_no, person_id, {n}, 'message.intent', message_id, '{from}', '{to}', 'x', sha256('\\x00'::bytea || 'x')
               from message"
        )
    };

    for (from, to, n) in [("unknown", "ready", 1), ("ready", "accepted_not", 1), ("ready", "asked", 1), ("ready", "cancelled", 2)]
    {
        assert!(sqlx::raw_sql(sqlx::AssertSqlSafe(insert(from, to, n))).execute(&owner).await.is_err(), "{from} {to} {n}");
    }

    assert!(sqlx::raw_sql(sqlx::AssertSqlSafe(insert("ready", "cancelled", 1))).execute(&owner).await.is_ok());
}
