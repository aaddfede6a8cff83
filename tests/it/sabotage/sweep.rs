//! Every table, one after the other: an owner deletes a row of it, and the audit says so, or the table is named here.

use super::{audit, but_for_what_was_opened, change, finished_run};
use crate::support::Stage;
use duly::evidence::anchor::Judges;
use duly::provider::read_request;
use duly::store::audit::ReadRequest;
use sqlx::AssertSqlSafe;

/// Rows of which no event, signature or seal tells.
const UNSEEN: &[&str] = &[
    // Who leads a loop that signs nothing is a matter of seconds: whoever leads next makes the row again.
    "leadership, other rows",
    // A copy that neither the system's log nor an anchor names is made again, with the same bytes, and is all outside already.
    "publication, other rows",
];

/// Of these tables not every row is told of; which one is.
const TOLD: &[(&str, &str)] = &[
    ("leadership", "role = 'sequencer'"),
    (
        "publication",
        "(log_no, generation, size) in (select g.log_no, g.generation, (b.d ->> 'size')::bigint from event e
          cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d) b
           join log_generation g on g.origin = b.d ->> 'origin' where e.kind = 'checkpoint.noted')",
    ),
];

/// Past all triggers and keys, as the owner may; whether there was such a row.
pub(super) async fn spoil(stage: &Stage, statement: &str) -> bool {
    let mut tx = stage.owner.begin().await.unwrap();
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let done =
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    tx.commit().await.unwrap();
    done.rows_affected() > 0
}

/// Whether an audit says so, by a finding or because it cannot read what is there.
pub(super) async fn is_found(stage: &Stage) -> bool {
    let (store, incident) = (&stage.office.store, stage.incident.key);
    let Ok(found) = store.audit(incident).await else { return true };
    let judges = Judges::open(&stage.office.settings).unwrap();
    let read: ReadRequest<'_> = &|_, frozen| read_request(frozen);
    !but_for_what_was_opened(found).is_empty()
        || judges.audit(store, incident).await.map_or(true, |found| !found.is_empty())
        || store.audit_sealed(incident, &stage.office.master, read).await.map_or(true, |sealed| !sealed.findings.is_empty())
}

pub(super) async fn put_back(stage: &Stage, table: &str) {
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
pub(super) async fn laid_open() -> Stage {
    let stage = finished_run().await;
    change(&stage, super::KEEP).await;
    // Which words a column may have is kept; two rows may be made alike.
    let constraints = "create table kept.words as select conrelid as table_oid, conkey[1] as column_no, pg_get_constraintdef(oid) as definition
          from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace and cardinality(conkey) = 1
            and pg_get_constraintdef(oid) like '%= ANY (ARRAY[%';
      do $$ declare c record; begin
        for c in select conrelid::regclass as t, conname from pg_constraint where contype in ('c', 'u') and connamespace = 'public'::regnamespace
        loop execute format('alter table %s drop constraint %I cascade', c.t, c.conname); end loop;
        for c in select i.indexrelid::regclass as name from pg_index i join pg_class t on t.oid = i.indrelid
                  where t.relnamespace = 'public'::regnamespace and i.indisunique and not i.indisprimary
        loop execute format('drop index %s', c.name); end loop;
        for c in select attrelid::regclass as t, attname from pg_attribute join pg_class on pg_class.oid = attrelid
                  where relnamespace = 'public'::regnamespace and attidentity <> ''
        loop execute format('alter table %s alter column %I drop identity', c.t, c.attname); end loop; end $$";
    change(&stage, constraints).await;
    assert_eq!(but_for_what_was_opened(audit(&stage).await), []);
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
        let told = TOLD.iter().find(|(of, _)| of == table).map(|(_, rows)| *rows);
        let rows = told.map_or(vec![(table.clone(), "true".to_owned())], |told| {
            vec![(table.clone(), told.to_owned()), (format!("{table}, other rows"), format!("not ({told})"))]
        });
        for (name, which) in rows {
            if !spoil(&stage, &format!("delete from {table} where ctid = (select max(ctid) from {table} where {which})")).await {
                continue;
            }
            if !is_found(&stage).await {
                unseen.push(name);
            }
            put_back(&stage, table).await;
        }
    }
    assert_eq!(unseen, UNSEEN);
}
