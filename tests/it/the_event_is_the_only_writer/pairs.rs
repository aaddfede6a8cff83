//! Every pair of states, tried as the application would write it: the database takes a move where the model has it, and no other.

use super::Forged;
use crate::support::{World, world};
use duly::model::state::{MessageState, NoticeState};
use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};

/// Puts the world's only message and notice where a walk begins, which no event could, then tries the event as the
/// application's role. Nothing of it stays.
async fn tried(at: &mut PgConnection, (message, attempt): (&str, i32), notice: &str, forged: Forged) -> Result<(), String> {
    let mut transaction = at.begin().await.unwrap();
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *transaction).await.unwrap();
    let sent = "update message set state = $1, attempt = $2, due_at = now(), lease_until = now()";
    sqlx::query(sent).bind(message).bind(attempt).execute(&mut *transaction).await.unwrap();
    let told = "update notice set state = $1, ended_at = case when $1 <> 'open' then now() end";
    sqlx::query(told).bind(notice).execute(&mut *transaction).await.unwrap();
    sqlx::raw_sql("set local session_replication_role = origin; set local role duly_app")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let done = forged.insert(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    done
}

async fn one_person(name: &str) -> (World, PgConnection) {
    let world = world(name, 1).await;
    let owner = PgPool::connect(&world.url).await.unwrap().acquire().await.unwrap().detach();
    (world, owner)
}

#[tokio::test]
async fn a_message_moves_where_the_model_says_and_nowhere_else() {
    let (world, mut owner) = one_person("message_pairs").await;
    for from in MessageState::ALL {
        for to in MessageState::ALL {
            for attempt in [0, 1] {
                let (message, detail) = ((world.messages[0], from.as_str(), to.as_str()), json!({"to": to.as_str()}));
                let forged = Forged::new(&world, "message.cancelled", Some(world.people[0]), &detail);
                let forged = Forged { message: Some(message), due_in_ms: Some(1), lease_in_ms: Some(1), ..forged };
                let is_known = attempt > 0 || !to.is_taken() || from.may_have_left_uncalled();
                let expected = if from.can_become(*to) && is_known { Ok(()) } else { Err("DU002".to_owned()) };
                assert_eq!(
                    tried(&mut owner, (from.as_str(), attempt), "open", forged).await,
                    expected,
                    "{from} -> {to}, call {attempt}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_notice_moves_where_the_model_says_and_nowhere_else() {
    let (world, mut owner) = one_person("notice_pairs").await;
    for from in NoticeState::ALL {
        for to in NoticeState::ALL {
            let forged = Forged::new(&world, "notice.ended", Some(world.people[0]), &json!({"notice": to.as_str()}));
            let forged = Forged { notice: Some((from.as_str(), to.as_str())), ..forged };
            let done = tried(&mut owner, ("ready", 1), from.as_str(), forged).await;
            // A person's decision has its own wall: nobody is exempt, and nobody comes back, without its command.
            let needs_command = done == Err("DU031".to_owned()) && matches!(to.as_str(), "exempt" | "withdrawn")
                || done == Err("DU040".to_owned()) && matches!(from.as_str(), "exempt" | "withdrawn");
            let expected = if from.can_become(*to) { Ok(()) } else { Err("DU003".to_owned()) };
            assert!(needs_command || done == expected, "{from} -> {to}: {done:?}, expected {expected:?}");
        }
    }
}
