//! A plan that has not gone can be given up: its people are nobody's until another plan takes them, and they are told once.

use crate::packs::incident_pack;
use crate::support::{Setup, Stage};
use crate::told::{check, file, sequence};
use duly::model::state::Route;
use duly::report::pack::Audience;
use duly::store::plan::{Approved, Moved, PAUSE};
use duly_ledger::verify::Verdict;
use serde_json::Value;

/// Numbers of plans with the lists that each names.
async fn lists_of(stage: &Stage, plan: i32) -> Value {
    let plan = stage.office.store.load_plan(stage.incident.key, plan).await.unwrap();
    serde_json::from_slice::<Value>(&plan.body).unwrap()["lists"].clone()
}

#[tokio::test]
async fn a_withdrawn_plan_lets_its_people_go_and_another_one_tells_them_once() {
    let stage = Stage::new(Setup { people: 2, ..Setup::default() }).await;
    let (store, users) = (&stage.office.store, &stage.users);
    stage.import(3..=5).await;
    let first = stage.prepare(&[Route::Sms]).await;

    assert_eq!(users.withdraw(store, &stage.incident, first).await.unwrap(), Moved::Done);

    assert_eq!(store.count_unplanned(stage.incident.key).await.unwrap(), 3);
    assert_eq!(stage.count("select count(*) from message").await, 2, "only those of the plan that runs");
    assert_eq!(stage.count("select count(*) from withdrawn_content where plan_no = 2").await, 3);
    stage.audit().await;

    // The list stays frozen as it was; who comes later stands on another one.
    stage.import(6..=6).await;
    let second = stage.prepare(&[Route::Sms]).await;
    let (before, after) = (lists_of(&stage, first).await, lists_of(&stage, second).await);
    assert_eq!(after.as_array().unwrap().len(), 2);
    assert_eq!(after[0], before[0], "frozen once, named by both");
    assert_eq!(stage.count("select count(*) from event where kind = 'list.frozen'").await, 3);
    users.approve_and_start(store, &stage.incident, second).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain().await;
    process.terminate().await;

    assert_eq!(stage.states().await, ["accepted"; 6]);
    assert_eq!(stage.produced(), 6);
    stage.audit().await;
    sequence(&stage).await;
    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!(report.events["plan.withdrawn"], 1);
    assert_eq!(report.events["list.amended"], 2, "each further list says what it changed");
    let told = String::from_utf8(file(&pack, "contents.2.jsonl")).unwrap();
    assert_eq!(told.lines().count(), 3, "what the withdrawn plan would have told stays in the pack");
    let page = String::from_utf8(file(&pack, "summary.html")).unwrap();
    assert!(page.contains("Plan 2 was withdrawn"), "{page}");
    assert!(page.contains("List 2 came after lists of 2 people: 3 people more; 0 rows of them were corrected by it."), "{page}");
}

#[tokio::test]
async fn an_approved_plan_is_withdrawn_and_one_that_has_gone_or_may_have_is_not() {
    let stage = Stage::new(Setup::default()).await;
    let (store, users) = (&stage.office.store, &stage.users);
    let withdraw = async |plan| users.withdraw(store, &stage.incident, plan).await;
    assert_eq!(withdraw(1).await.unwrap(), Moved::Found("running".into()));
    users.move_plan(store, &stage.incident, 1, PAUSE).await;
    assert_eq!(withdraw(1).await.unwrap(), Moved::Found("paused".into()));

    stage.import(2..=3).await;
    let plan = stage.prepare(&[Route::Sms]).await;
    let body = store.load_plan(stage.incident.key, plan).await.unwrap();
    assert_eq!(store.approve_plan(stage.incident.key, &body, &users.bob, 1).await.unwrap(), Approved::Last);

    // As after a restore: a message of it is unknown.
    sqlx::raw_sql("update message set state = 'unknown', lane = 'sms' where plan_no = 2").execute(&stage.owner).await.unwrap();
    let refused = withdraw(plan).await.expect_err("a message may have left");
    assert!(refused.to_string().contains("may have left") && refused.remedy().contains("duly unknown list"), "{refused}");
    sqlx::raw_sql("update message set state = 'ready' where plan_no = 2").execute(&stage.owner).await.unwrap();

    assert_eq!(withdraw(plan).await.unwrap(), Moved::Done);
    assert_eq!(stage.words("select state from plan order by plan_no").await, ["paused", "withdrawn"]);
    assert_eq!(withdraw(plan).await.unwrap(), Moved::Found("withdrawn".into()));
    stage.audit().await;
}
