//! A plan in the making may take many minutes: it locks out intake and other plans of its incident, and nothing else.

use crate::cli::desk::{Desk, PERSONAL, TEXTS};
use crate::support::{Setup, Stage, eventually};
use duly::store::plan::Terms;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::BTreeMap;
use std::time::Duration;

const WAITING_FOR_THE_PLAN: &str = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())";

#[tokio::test]
async fn while_a_plan_is_made_holds_are_set_and_the_plan_that_runs_goes_on_and_intake_waits() {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    let making = stage.office.store.begin_plan(stage.incident.key).await.unwrap();

    let hold = tokio::time::timeout(Duration::from_secs(60), stage.hold()).await.expect("a hold waits for nobody's plan");
    stage.lift(hold).await;
    let _process = stage.start(&["scheduler", "worker"]);
    stage.drain().await;
    assert_eq!(stage.states().await, ["accepted"; 3]);

    let more = stage.import(4..=4);
    let mut more = std::pin::pin!(more);
    tokio::select! {
        () = &mut more => panic!("a row slipped behind a manifest in the making"),
        () = eventually("intake waits", async || stage.count(WAITING_FOR_THE_PLAN).await == 1) => {}
    }
    drop(making);
    more.await;
    assert_eq!(stage.count("select count(*) from person").await, 4);
    stage.audit().await;
}

#[tokio::test]
async fn what_a_plan_tells_bears_the_time_at_which_it_was_made_and_not_the_one_at_which_that_began() {
    let stage = Stage::new(Setup::default()).await;
    stage.import(2..=2).await;
    let by = stage.users.prepare(&stage.office.store, &stage.incident).await;
    let making = stage.office.store.begin_plan(stage.incident.key).await.unwrap();
    stage.shift_clock(700).await;
    let terms = Terms {
        message_deadline_ms: 3_600_000,
        postage_class: "first",
        accounts: BTreeMap::new(),
        unknown_rules: BTreeMap::new(),
        lanes: vec!["sms".into()],
        is_urgent: false,
        quiet: None,
        zones: vec![],
    };
    making.finish(b"{}", &Sha256::digest(b"{}"), &terms, by).await.unwrap();

    let late = "select count(*) from event where kind = 'plan.prepared'
        and (convert_from(body, 'UTF8')::jsonb ->> 't')::timestamptz > now() + interval '600 seconds'";
    assert_eq!(stage.count(late).await, 1);
}

/// A desk whose incident `own` has these texts, with the list imported.
async fn desk(name: &str, texts: &str) -> Desk {
    let desk = Desk::with_incident(name, "1").await;
    desk.write("own.toml", texts);
    desk.duly("ann", &["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "own"]).fine();
    desk
}

const PREPARE: &[&str] = &["plan", "prepare", "--incident", "own", "--route", "sms-then-letter,letter,sms", "--json"];

/// What the refusals of the desk tell, oldest first.
async fn refusals(desk: &Desk) -> Vec<Value> {
    let query = "select convert_from(body, 'UTF8') from event where kind = 'check.refused' order by ord";
    let told: Vec<String> = sqlx::query_scalar(query).fetch_all(&PgPool::connect(&desk.url).await.unwrap()).await.unwrap();
    assert!(!told.iter().any(|body| PERSONAL.iter().any(|value| body.contains(value))), "{told:?}");
    told.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["d"].clone()).collect()
}

fn rules<'a>(told: &'a Value, field: &str) -> Vec<&'a str> {
    told[field].as_str().unwrap_or_default().split(',').collect()
}

#[tokio::test]
async fn each_check_that_refuses_a_plan_is_an_event_and_nothing_else_of_that_plan_stays() {
    let texts = TEXTS.replace("0303 123 1113", "0303 123 9999").replace("dates = \"It was copied on 9 November 2026.\"\n", "");
    let desk = desk("check_refused", &texts).await;

    let refused = [desk.duly("ann", PREPARE), desk.duly("ann", PREPARE)];

    let told = refusals(&desk).await;
    assert_eq!((told.len(), refused[0].code), (2, 2), "{refused:?}");
    for (told, refused) in told.iter().zip(&refused) {
        assert_eq!(told["report"], json!(hex::encode(Sha256::digest(refused.out.trim_end()))), "whoever kept it can show it");
        let found = refused.json();
        let found = found.as_array().unwrap();
        for (field, severity) in [("errors", "error"), ("warnings", "warning")] {
            let mut counted = BTreeMap::new();
            for line in found.iter().filter(|line| line["severity"] == severity) {
                *counted.entry(line["rule"].as_str().unwrap()).or_insert(0) += line["people"].as_u64().unwrap();
            }
            let words: Vec<String> = counted.iter().map(|(rule, times)| format!("{rule}:{times}")).collect();
            assert_eq!(rules(told, field), words, "{told}");
        }
        assert!(rules(told, "errors")[0].starts_with("C055:") && rules(told, "warnings")[0].starts_with("C004:"), "{told}");
        assert!(told["profiles"].as_str().unwrap().starts_with("uk-gdpr 2026"), "{told}");
        assert_eq!((&told["plan"], &told["version"]), (&json!(1), &json!(env!("CARGO_PKG_VERSION"))));
        assert!(told["messages"].as_u64().unwrap() >= 3, "{told}");
    }
    assert_ne!(told[0]["command"], told[1]["command"], "each under a signature of its own");
    let pool = PgPool::connect(&desk.url).await.unwrap();
    for table in ["plan", "notice", "list_freeze", "prepared_content", "message"] {
        let rows: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(&pool).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    desk.duly("ann", &["audit", "--incident", "own"]).fine();

    desk.duly("ann", &["pack", "incident", "--incident", "own", "--out", "own.zip"]).fine();
    let key = desk.duly("ann", &["log", "key", "--incident", "own"]).fine().out;
    desk.write("log.vkey", &key);
    let verified = desk.duly("ann", &["verify", "own.zip", "--key", "log.vkey", "--json"]).json();
    assert_eq!((&verified["verdict"], &verified["events"]["check.refused"]), (&json!("good"), &json!(2)), "{verified}");
    let witness = desk.duly("ann", &["report", "witness", "--incident", "own"]).fine().out;
    assert!(witness.contains("The content check refused a plan 2 times") && witness.contains("C055 in 2"), "{witness}");
}

#[tokio::test]
async fn a_check_that_refuses_for_want_of_a_reason_is_an_event_before_the_plan_that_was_made_with_it() {
    let texts = TEXTS.replace("dates = \"It was copied on 9 November 2026.\"\n", "");
    let desk = desk("check_unexplained", &texts).await;
    assert_eq!(desk.duly("ann", PREPARE).code, 2);
    desk.duly("ann", &[PREPARE, &["--accept", "c004/dates/uk-gdpr/en=the date is not known yet"]].concat()).fine();

    let told = refusals(&desk).await;
    assert_eq!((told.len(), told[0].get("errors")), (1, None), "{told:?}");
    assert!(rules(&told[0], "warnings").iter().all(|rule| rule.starts_with("C004:")), "{told:?}");
    let kinds = "select kind from event where kind in ('check.refused', 'plan.prepared') order by ord";
    let kinds: Vec<String> = sqlx::query_scalar(kinds).fetch_all(&PgPool::connect(&desk.url).await.unwrap()).await.unwrap();
    assert_eq!(kinds, ["check.refused", "plan.prepared"]);
    desk.duly("ann", &["audit", "--incident", "own"]).fine();
}
