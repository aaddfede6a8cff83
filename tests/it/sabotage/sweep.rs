//! Every table, one after the other: an owner deletes a row of it, and the audit says so, or the table is named here.

use super::{audit, change, finished_run, sealed};
use crate::support::Stage;
use sqlx::AssertSqlSafe;

/// Tables of which no event, signature or seal tells each row: names and keys of lists and controllers, who leads at the moment,
/// what has been copied outside, and the pulse by which a restore is noticed.
const UNSEEN: &[&str] = &["affected_list", "controller", "leadership", "publication", "pulse"];

/// Past all triggers and keys, as the owner may; whether there was such a row.
async fn spoil(stage: &Stage, statement: &str) -> bool {
    let mut tx = stage.owner.begin().await.unwrap();
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let done =
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    tx.commit().await.unwrap();
    done.rows_affected() > 0
}

/// Whether an audit says so, by a finding or because it cannot read what is there.
async fn is_found(stage: &Stage) -> bool {
    match stage.office.store.audit(stage.incident.key).await {
        Err(_) => true,
        Ok(found) => !found.is_empty() || !sealed(stage).await.findings.is_empty(),
    }
}

async fn put_back(stage: &Stage, table: &str) {
    change(
        stage,
        &format!(
            "set local session_replication_role = replica; delete from public.{table};
             insert into public.{table} overriding system value select * from kept.{table}"
        ),
    )
    .await;
}

/// A finished run whose tables are kept beside, without the constraints that an owner would take away first.
async fn laid_open() -> Stage {
    let stage = finished_run().await;
    change(&stage, super::KEEP).await;
    let constraints = "do $$ declare c record; begin
        for c in select conrelid::regclass as t, conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace
        loop execute format('alter table %s drop constraint %I', c.t, c.conname); end loop; end $$";
    change(&stage, constraints).await;
    assert_eq!(audit(&stage).await, []);
    stage
}

#[tokio::test]
async fn every_row_that_an_owner_deletes_is_missed_or_its_table_is_named_here() {
    let stage = laid_open().await;
    let mut unseen = Vec::new();
    let tables = stage
        .words("select tablename::text from pg_tables where schemaname = 'public' and tablename <> '_sqlx_migrations' order by 1")
        .await;
    for table in &tables {
        if !spoil(&stage, &format!("delete from {table} where ctid = (select max(ctid) from {table})")).await {
            continue;
        }
        if !is_found(&stage).await {
            unseen.push(table.clone());
        }
        put_back(&stage, table).await;
    }
    assert_eq!(unseen, UNSEEN);
}
