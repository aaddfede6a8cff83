//! Every column, one after the other: an owner writes another value into one row, or none, and the audit says so, or the column
//! is named here with the reason why nobody could tell. `SWEEP_EVERY_ROW=1` does so in every row, which takes an hour.

use super::sweep::{is_found, laid_open, put_back, spoil};
use crate::support::Stage;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeSet;

/// Columns of which nothing tells the value, each under its reason.
const UNSEEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sabotage/unseen.txt");

/// Tables of which this run has no row, or by chance: what is changed in them stands in changes.rs and columns.rs, or where their
/// rows are made.
const EMPTY: &[&str] = &[
    "alarm",
    "anchor",
    "controller_list_key",
    "erasure",
    "event_inbox",
    "hand_over",
    "lane_batch",
    "lane_day",
    "lane_health",
    "lane_pause",
    "let_go",
    "letter_asked",
    "letterhead",
    "lookup",
    "misfit",
    "rejected_job",
    "rejected_job_decision",
    "restored",
    "restored_call",
    "row_decision",
    "template_review",
    "withdrawn_content",
];

/// The columns of the list, each with the words by which the document for its readers names it.
fn unseen_of(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = list.lines().filter(|line| line.contains('.') && !line.starts_with('#'));
    lines.map(|line| line.split_once(" = ").unwrap_or_else(|| panic!("{line}: by which words does docs/evidence.md name it?")))
}

/// How many tests share the tables.
const PARTS: usize = 3;

fn part(table: &str) -> usize {
    table.bytes().map(usize::from).sum::<usize>() % PARTS
}

/// A column, and what an owner could write there instead.
struct Column {
    name: String,
    others: Vec<String>,
}

/// Another value of the column's own kind; a word where only some are allowed is another one of them.
fn another(kind: &str, words: &[String], (table, column): (&str, &str)) -> String {
    if !words.is_empty() {
        let list = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
        return format!("(select w from unnest(array[{list}]) w where w is distinct from {column} limit 1)");
    }
    match kind {
        "text" => format!("coalesce({column}, '') || 'x'"),
        // One that no other row has: it may be a key.
        "integer" | "bigint" => format!("(select coalesce(max({column}), 0) + 1 from {table})"),
        "boolean" => format!("not coalesce({column}, false)"),
        "timestamp with time zone" => format!("coalesce({column}, now()) + interval '1 hour'"),
        "time without time zone" => format!("coalesce({column}, '08:00') + interval '1 hour'"),
        "date" => format!("coalesce({column}, current_date) + 1"),
        "bytea" => format!("sha256(coalesce({column}, ''))"),
        "uuid" => "gen_random_uuid()".to_owned(),
        "jsonb" => format!("coalesce({column}, '{{}}') || '{{\"x\": \"1\"}}'"),
        "text[]" => format!("coalesce({column}, '{{}}') || 'x'::text"),
        "bytea[]" => format!("coalesce({column}, '{{}}') || sha256('x')"),
        "uuid[]" => format!("coalesce({column}, '{{}}') || gen_random_uuid()"),
        "integer[]" | "bigint[]" => format!("coalesce({column}, '{{}}') || coalesce({column}[cardinality({column})] + 1, 1)"),
        other => panic!("{column}: what is another {other}?"),
    }
}

/// The columns of a table with what may stand in them, as the migrations made it.
async fn columns(stage: &Stage, table: &str) -> Vec<Column> {
    let rows = sqlx::query(
        "select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as kind, a.attnotnull as is_needed,
                coalesce((select array(select (regexp_matches(w.definition, '''([^'']+)''::text', 'g'))[1]) from kept.words w
                   where w.table_oid = a.attrelid and w.column_no = a.attnum), '{}') as words
           from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum",
    )
    .bind(table)
    .fetch_all(&stage.owner)
    .await
    .unwrap();
    let column = |row: &sqlx::postgres::PgRow| {
        let name: String = row.get("name");
        let none = (!row.get::<bool, _>("is_needed")).then(|| "null".to_owned());
        let words: Vec<String> = row.get("words");
        let others = std::iter::once(another(row.get("kind"), &words, (table, &name))).chain(none).collect();
        Column { name, others }
    };
    rows.iter().map(column).collect()
}

/// Which rows of a table are altered, one after the other: one of a person's that has a value there, or all of them.
async fn rows(stage: &Stage, table: &str, column: &str) -> Vec<String> {
    let count = format!("select count(*) from {table}");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&stage.owner).await.unwrap();
    assert!(count > 0, "{table}");
    if std::env::var_os("SWEEP_EVERY_ROW").is_some() {
        // In an order that putting back does not change.
        let row = |n| format!("select ctid from {table} order by to_jsonb({table})::text limit 1 offset {n}");
        return (0..count).map(row).collect();
    }
    let order = format!("{column} is null, to_jsonb({table}) ->> 'person_id' is null, ctid desc");
    vec![format!("select ctid from {table} order by {order} limit 1")]
}

/// The rows of a table that are not as they were kept: by them it is understood why nobody noticed.
async fn altered(stage: &Stage, table: &str) -> Vec<String> {
    let rows = format!(
        "select left(to_jsonb(a)::text, 400) from {table} a where not exists (select from kept.{table} b where to_jsonb(a) = to_jsonb(b))"
    );
    sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&stage.owner).await.unwrap()
}

/// Alters each column of each table of a part, and holds what nobody finds against the list.
async fn sweep(of: usize) {
    let stage = laid_open().await;
    let tables = stage
        .words("select tablename::text from pg_tables where schemaname = 'public' and tablename <> '_sqlx_migrations' order by 1")
        .await;
    let (mut seen, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    for table in tables.iter().filter(|table| part(table) == of && !EMPTY.contains(&table.as_str())) {
        for column in columns(&stage, table).await {
            let name = &column.name;
            for row in rows(&stage, table, name).await {
                for other in &column.others {
                    let what =
                        format!("update {table} set {name} = {other} where ctid = ({row}) and {name} is distinct from {other}");
                    if spoil(&stage, &what).await {
                        let called = if other == "null" { format!("{table}.{name} null") } else { format!("{table}.{name}") };
                        let is_found = is_found(&stage).await;
                        if !is_found && std::env::var_os("SWEEP_EVERY_ROW").is_some() {
                            eprintln!("{called}: {:?}", altered(&stage, table).await);
                        }
                        if is_found { &mut seen } else { &mut unseen }.insert(called);
                        put_back(&stage, table).await;
                    }
                }
            }
        }
    }
    let list = std::fs::read_to_string(UNSEEN).unwrap();
    let named: BTreeSet<&str> = unseen_of(&list).map(|(column, _)| column).collect();
    // Of which rows something tells, and of which nothing, is another one in each run.
    let by_row: BTreeSet<&str> = named.iter().filter_map(|line| line.strip_suffix(", of some rows")).collect();
    let surprises: Vec<&String> =
        unseen.iter().filter(|it| !named.contains(it.as_str()) && !by_row.contains(it.as_str())).collect();
    assert_eq!(surprises, Vec::<&String>::new(), "nobody notices these");
    let outdated: Vec<&String> = seen.iter().filter(|it| named.contains(it.as_str())).collect();
    assert_eq!(outdated, Vec::<&String>::new(), "these are noticed, and named as if they were not");
}

#[tokio::test]
async fn every_value_that_an_owner_changes_is_noticed_or_its_column_is_named_here_first_third() {
    sweep(0).await;
}

#[tokio::test]
async fn every_value_that_an_owner_changes_is_noticed_or_its_column_is_named_here_second_third() {
    sweep(1).await;
}

#[tokio::test]
async fn every_value_that_an_owner_changes_is_noticed_or_its_column_is_named_here_last_third() {
    sweep(2).await;
}

#[test]
fn whatever_nobody_would_notice_stands_in_the_document_for_readers_in_plain_words() {
    let document = include_str!("../../../docs/evidence.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let said = document.split("**What only a column says.**").nth(1).and_then(|rest| rest.split("- **").next()).unwrap();
    let list = std::fs::read_to_string(UNSEEN).unwrap();
    let missing: Vec<_> = unseen_of(&list).filter(|(_, words)| !said.contains(words)).collect();
    assert_eq!(missing, Vec::<(&str, &str)>::new(), "docs/evidence.md does not name these");
}
