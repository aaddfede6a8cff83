//! A plan in the making may take many minutes: it locks out intake and other plans of its incident, and nothing else.

use crate::support::{Setup, Stage, eventually};
use duly::store::plan::Terms;
use sha2::{Digest, Sha256};
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
