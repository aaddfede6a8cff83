//! What was signed in another installation, a staging copy with the same people, counts nothing here.

use super::guards::{owner, refusal};
use super::{Forged, as_role};
use crate::support::{World, world};
use duly::model::statement::{meant_for, user_add};
use duly::model::user_key::UserKey;
use duly::store::StoreError;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

/// A command as it lies in a database.
struct Kept {
    statement: Vec<u8>,
    signature: Vec<u8>,
}

/// What the signer of `world`'s ann said there.
async fn signed_in(world: &World, words: &serde_json::Value) -> Kept {
    let by = world.users.ann.sign(&world.store, words).await.unwrap();
    let pool = PgPool::connect(&world.url).await.unwrap();
    let (statement, signature) = sqlx::query_as("select statement, signature from signed_command where command_id = $1")
        .bind(by.command_id)
        .fetch_one(&pool)
        .await
        .unwrap();
    Kept { statement, signature }
}

async fn bring(pool: &PgPool, user: Uuid, kept: &Kept) -> Result<Uuid, String> {
    let command = Uuid::now_v7();
    let done = sqlx::query("insert into signed_command (command_id, user_id, statement, signature) values ($1, $2, $3, $4)")
        .bind(command)
        .bind(user)
        .bind(&kept.statement)
        .bind(&kept.signature)
        .execute(pool)
        .await;
    done.map(|_| command).map_err(|e| e.into_database_error().unwrap().code().unwrap_or_default().into_owned())
}

#[tokio::test]
async fn a_command_that_was_signed_in_a_staging_copy_of_the_same_users_counts_nowhere_else() {
    let (staging, here) = (world("staging", 1).await, world("production", 1).await);
    // Databases of tests are copies of one; a copy becomes an installation of its own so.
    owner(&staging, "update installation set installation_id = gen_random_uuid()").await;
    // Ann has one key for both.
    let ann = here.users.ann.add_user(&here.store, "ann of staging", &staging.users.ann.key.public()).await.unwrap();
    let eve = UserKey::generate("eve").public();
    let kept = signed_in(&staging, &user_add("eve", &eve)).await;
    assert_eq!(meant_for(&kept.statement), Some(staging.store.installation().await.unwrap()));

    let refused = here.store.insert_command(ann, &kept.statement, &kept.signature.clone().try_into().unwrap()).await;
    let Err(StoreError::Forbidden { what, remedy }) = refused else { panic!("{refused:?}") };
    assert_eq!(what, "the command was signed for another installation");
    assert!(remedy.contains("database.url"), "{remedy}");
    let app = as_role(&here, "duly_app").await;
    assert_eq!(bring(&app, ann, &kept).await, Err("DU018".to_owned()), "by the application's role");
    assert_eq!(here.store.audit(here.incident.key).await.unwrap(), []);

    // The owner lets it in, and an event rests on it.
    owner(&here, "drop trigger check_command on signed_command").await;
    let pool = PgPool::connect(&here.url).await.unwrap();
    let hold = signed_in(&staging, &json!({"command": "contact view", "incident": here.incident.incident_id})).await;
    let command = bring(&pool, ann, &hold).await.unwrap();
    let detail = json!({"command": command, "for": "court", "hash": "00".repeat(32), "user": ann, "what": "pack"});
    Forged::new(&here, "export.made", None, &detail).insert(&app).await.unwrap();
    let found = here.store.audit(here.incident.key).await.unwrap();
    let mut codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["event_not_signed", "guard_off", "signed_elsewhere"], "{found:?}");
    assert!(found.iter().any(|finding| finding.code == "signed_elsewhere" && finding.place == command.to_string()));
}

#[tokio::test]
async fn a_signature_that_was_kept_back_is_none_any_more() {
    let world = world("kept_back", 1).await;
    let app = as_role(&world, "duly_app").await;
    let kept = signed_in(&world, &json!({"command": "plan pause"})).await;
    owner(&world, "delete from signed_command where convert_from(statement, 'UTF8') like '%plan pause%'").await;
    assert!(bring(&app, world.users.ann.user_id, &kept).await.is_ok(), "at once it would still count");
    owner(&world, "delete from signed_command where convert_from(statement, 'UTF8') like '%plan pause%'").await;
    owner(
        &world,
        "create or replace function duly_now() returns timestamptz language sql volatile as $$ select clock_timestamp() + interval '11 minutes' $$",
    )
    .await;

    assert_eq!(bring(&app, world.users.ann.user_id, &kept).await, Err("DU019".to_owned()));
    let attack = "insert into signed_command (command_id, user_id, statement, signature) select gen_random_uuid(), user_id, '{\"command\":\"plan go\"}', signature from signed_command limit 1";
    assert_eq!(refusal(&app, attack).await, "DU018", "it names no installation at all");
}
