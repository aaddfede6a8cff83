//! The migrated schema stands in `src/store/audit/schema.sql`, so that a change of it shows as one readable difference.
//!
//! It is part of the program, whose audit compares. `SCHEMA_WRITE=1 cargo test -p duly --test it schema::` writes the file anew.

use crate::support::{deadlines, migrated_database};
use duly::store::{Store, StoreError};
use sqlx::Connection;
use sqlx::migrate::Migrate;
use std::time::Duration;

/// What a freshly migrated database answers.
pub async fn ask_migrated<Row>(name: &str, question: &'static str) -> Vec<Row>
where
    Row: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    let database = migrated_database(name).await;
    let mut owner = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::query_as(question).fetch_all(&mut owner).await.unwrap()
}

#[tokio::test]
async fn the_schema_is_the_one_that_was_reviewed() {
    let database = migrated_database("schema").await;
    let store = Store::connect(&database.url, 1, deadlines()).await.unwrap();
    let schema = store.describe_schema().await.unwrap();

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/audit/schema.sql");
    if std::env::var_os("SCHEMA_WRITE").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (is, was)) in schema.lines().zip(reviewed.lines()).enumerate() {
        assert_eq!(
            is,
            was,
            "line {} of src/store/audit/schema.sql differs; if the change is meant, run with SCHEMA_WRITE=1",
            line + 1
        );
    }
    assert_eq!(
        schema.len(),
        reviewed.len(),
        "src/store/audit/schema.sql has another length; if the change is meant, run with SCHEMA_WRITE=1"
    );
}

#[tokio::test]
async fn a_migration_that_was_changed_since_it_was_applied_is_named_and_not_taken_for_an_old_schema() {
    let database = migrated_database("altered").await;
    let mut owner = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let store = Store::connect(&database.url, 1, deadlines()).await.unwrap();
    store.check_schema().await.unwrap();

    sqlx::raw_sql("update _sqlx_migrations set checksum = sha256('x') where version = 2").execute(&mut owner).await.unwrap();
    let altered = store.check_schema().await.unwrap_err();
    assert!(matches!(altered, StoreError::Altered { version: 2 }), "{altered}");
    assert!(!altered.remedy().starts_with("run `duly migrate`"), "{}", altered.remedy());

    sqlx::raw_sql("delete from _sqlx_migrations where version > 1").execute(&mut owner).await.unwrap();
    let old = store.check_schema().await.unwrap_err();
    assert!(matches!(old, StoreError::Schema { found: 1, .. }), "{old}");
}

#[tokio::test]
async fn whoever_holds_the_lock_of_the_migrations_is_named_and_not_waited_for_without_end() {
    let database = migrated_database("locked").await;
    let mut thief = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("set role duly_receipts").execute(&mut thief).await.unwrap();
    thief.lock().await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut thief).await.unwrap();

    let refused = Store::migrate_within(&database.url, Duration::from_millis(200)).await.unwrap_err();

    assert!(refused.to_string().contains(&format!("session {pid} of login")), "{refused}");
    assert!(refused.remedy().contains("pg_terminate_backend"), "{}", refused.remedy());
    thief.close().await.unwrap();
    Store::migrate(&database.url).await.unwrap();
}
