//! What people decided in the time that was lost stands again: erasures, holds, pauses.

use super::ground::{PEOPLE, duly, dump, holds, office, restore, serve, serve_to_the_end, stage, told};
use crate::decided;
use crate::support::{Lane, Setup, Stage, eventually};
use crate::told::sequence;
use duly::model::ending::Ending;
use duly::model::state::{Route, TellsOtherwise};
use duly::model::statement::user_revoke;
use duly::store::plan::{Moved, PAUSE, RESUME};
use duly_sandbox::ProviderConfig;
use uuid::Uuid;

/// A stage whose letters are told to have been posted.
async fn letters() -> Stage {
    let provider = ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..ProviderConfig::default() };
    let stage =
        stage(vec![Lane { provider, ..Lane::named("letters") }], Setup { routes: vec![Route::Letter], ..Setup::default() }).await;
    stage.serve_receipts().await;
    stage
}

async fn person(stage: &Stage, query: &'static str) -> Uuid {
    sqlx::query_scalar(query).fetch_one(&stage.owner).await.unwrap()
}

#[tokio::test]
async fn whoever_was_erased_in_the_lost_time_is_erased_again() {
    let stage = letters().await;
    let backup = dump(&stage);
    let mut process = serve(&stage);
    stage.drain_to_the_end().await;
    process.terminate().await;
    let erased = person(&stage, "select min(person_id::text)::uuid from person").await;
    duly(&stage, &["person", "erase", "--yes", "--incident", "test", "--person", &format!("p_{}", erased.simple())]).fine();
    sequence(&stage).await;
    restore(&stage, &backup).await;
    let has_key = "select count(*) from person_key where person_id = (select min(person_id::text)::uuid from person)";
    assert_eq!(stage.count(has_key).await, 1);

    super::ground::killed_at(&stage, "restore_erased").await;
    assert!(duly(&stage, &["restore", "reconcile", "--json"]).fine().json()["erased"].is_number());

    assert_eq!(stage.count(has_key).await, 0);
    assert_eq!(stage.count("select count(*) from person where erased_at is not null and contact = ''").await, 1);
    assert_eq!(stage.count("select count(*) from event where kind = 'key.destroyed'").await, 1);
    assert_eq!(stage.count("select count(*) from notice where state = 'notified'").await, i64::from(PEOPLE));
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    let office = office(&stage).await;
    assert_eq!(office.store.audit(stage.incident.key).await.unwrap(), Vec::new());
    let report = super::ground::verdict(&stage).await;
    assert_eq!(report.verdict, duly_ledger::verify::Verdict::Good, "{:?}", report.findings.kept);
}

#[tokio::test]
async fn holds_and_pauses_of_the_lost_time_stand_again() {
    let stage = letters().await;
    let store = &stage.office.store;
    let (one, two) = (
        person(&stage, "select min(person_id::text)::uuid from person").await,
        person(&stage, "select max(person_id::text)::uuid from person").await,
    );
    let lifted = stage.users.hold(store, &stage.incident, Some(one)).await;
    let backup = dump(&stage);
    stage.users.lift(store, lifted).await;
    let set = stage.users.hold(store, &stage.incident, Some(two)).await;
    let mut process = serve(&stage);
    let posted = "select count(*) from message where state = 'handed_to_carrier'";
    eventually("all others are told", async || stage.count(posted).await == i64::from(PEOPLE) - 1).await;
    process.terminate().await;
    stage.users.move_plan(store, &stage.incident, 1, PAUSE).await;
    sequence(&stage).await;
    restore(&stage, &backup).await;

    duly(&stage, &["restore", "reconcile"]).fine();

    assert_eq!(stage.words("select state from plan").await, ["paused"]);
    assert_eq!(stage.words("select hold_id::text from hold where lifted_at is null").await, [set.to_string()]);
    let office = office(&stage).await;
    assert_eq!(office.store.audit(stage.incident.key).await.unwrap(), Vec::new());
    stage.users.move_plan(&office.store, &stage.incident, 1, RESUME).await;
    stage.users.lift(&office.store, set).await;
    let mut process = serve(&stage);
    stage.drain_to_the_end().await;
    process.terminate().await;
    sequence(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    holds(&stage).await;
}

#[tokio::test]
async fn an_incident_that_was_closed_and_a_user_who_was_revoked_in_the_lost_time_stay_so() {
    let stage = letters().await;
    let backup = dump(&stage);
    let mut process = serve(&stage);
    stage.drain_to_the_end().await;
    process.terminate().await;
    let (store, users) = (&stage.office.store, &stage.users);
    store.revoke_user("bob", users.ann.sign(store, &user_revoke("bob")).await.unwrap()).await.unwrap();
    store.close_incident(stage.incident.key, None, &users.ann).await.unwrap().unwrap();
    sequence(&stage).await;
    restore(&stage, &backup).await;

    duly(&stage, &["restore", "reconcile"]).fine();

    assert_eq!(stage.count("select count(*) from incident where closed_at is not null").await, 1);
    assert_eq!(stage.words("select name from app_user where revoked_at is not null").await, ["bob"]);
    assert_eq!(stage.count("select count(*) from event where kind in ('incident.closed', 'user.revoked')").await, 2);
    let office = office(&stage).await;
    assert_eq!(office.store.audit(stage.incident.key).await.unwrap(), Vec::new());
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    holds(&stage).await;
}

#[tokio::test]
async fn whoever_was_decided_about_in_the_lost_time_stays_so_and_nobody_is_told_twice() {
    let stage = letters().await;
    let (store, incident, ann) = (&stage.office.store, &stage.incident, &stage.users.ann);
    let people: Vec<Uuid> =
        sqlx::query_scalar("select person_id from person order by person_id").fetch_all(&stage.owner).await.unwrap();
    // Before the backup one decision, which is taken back after it.
    decided::end(store, incident, ann, people[2], Ending::Exempt).await.unwrap();
    let backup = dump(&stage);
    decided::end(store, incident, ann, people[0], Ending::Exempt).await.unwrap();
    decided::end(store, incident, ann, people[1], Ending::Told(TellsOtherwise::ByPhone)).await.unwrap();
    decided::reopen(store, incident, ann, people[2]).await.unwrap();
    let mut process = serve(&stage);
    stage.drain_to_the_end().await;
    process.terminate().await;
    sequence(&stage).await;
    let all = told(&stage);
    assert_eq!(all, PEOPLE as usize - 2);
    restore(&stage, &backup).await;

    duly(&stage, &["restore", "reconcile"]).fine();

    let states = "select state || ' ' || count(*) from notice group by state order by state";
    assert_eq!(stage.words(states).await, ["exempt 1", "notified 28", "withdrawn 1"]);
    let office = office(&stage).await;
    assert_eq!(office.store.audit(stage.incident.key).await.unwrap(), Vec::new());
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), all);
    holds(&stage).await;
}

#[tokio::test]
async fn a_plan_that_was_withdrawn_in_the_lost_time_stays_so_and_another_one_tells_its_people_once() {
    let stage = letters().await;
    serve_to_the_end(&stage).await;
    stage.import(1001..=1003).await;
    let plan = stage.prepare(&[Route::Letter]).await;
    let backup = dump(&stage);
    assert_eq!(stage.users.withdraw(&stage.office.store, &stage.incident, plan).await.unwrap(), Moved::Done);
    sequence(&stage).await;
    restore(&stage, &backup).await;

    duly(&stage, &["restore", "reconcile"]).fine();

    assert_eq!(stage.words("select state from plan order by plan_no").await, ["running", "withdrawn"]);
    let office = office(&stage).await;
    assert_eq!(office.store.audit(stage.incident.key).await.unwrap(), Vec::new());
    assert_eq!(office.store.count_unplanned(stage.incident.key).await.unwrap(), 3);
    let second = stage.prepare(&[Route::Letter]).await;
    stage.users.approve_and_start(&office.store, &stage.incident, second).await;
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize + 3);
    assert_eq!(stage.words("select state from plan order by plan_no").await, ["running", "withdrawn", "running"]);
    holds(&stage).await;
}

/// What the tables have of three people whom a withdrawn plan covered, and about one of whom somebody had decided.
async fn let_go(stage: &Stage) -> Vec<String> {
    let rows = "select row(g.person_id, g.phase, g.n, g.plan_no)::text from let_go g union all
        select row(n.person_id, n.phase, n.plan_no, n.state, n.ended_at is null)::text from notice n where n.plan_no > 1 union all
        select row(m.person_id, m.phase, m.plan_no, m.channel, m.state, m.attempt)::text from message m where m.plan_no > 1 union all
        select row(w.plan_no, w.person_id, w.channel, w.commitment)::text from withdrawn_content w union all
        select row(q.plan_no, q.state)::text from plan q union all
        select row(p.person_id, p.last_n, p.last_leaf)::text from person p join withdrawn_content w using (person_id) order by 1";
    stage.words(rows).await
}

/// A decision about somebody of a plan, the plan's end, and the decision taken back; the backup is of before the plan's end or after.
async fn comes_back_to_before_a_letting_go(is_withdrawn: bool) {
    let stage = letters().await;
    let (store, incident, users) = (&stage.office.store, &stage.incident, &stage.users);
    serve_to_the_end(&stage).await;
    stage.import(1001..=1003).await;
    let plan = stage.prepare(&[Route::Letter]).await;
    let somebody = person(&stage, "select min(person_id::text)::uuid from notice where plan_no = 2").await;
    decided::end(store, incident, &users.ann, somebody, Ending::Exempt).await.unwrap();
    sequence(&stage).await;
    let mut backup = dump(&stage);
    assert_eq!(users.withdraw(store, incident, plan).await.unwrap(), Moved::Done);
    if is_withdrawn {
        sequence(&stage).await;
        backup = dump(&stage);
    }
    let taken_back = decided::take_back(store, incident, &users.ann, somebody).await.unwrap();
    assert_eq!(taken_back.let_go, Some(plan));
    sequence(&stage).await;
    let before = let_go(&stage).await;
    restore(&stage, &backup).await;
    assert_ne!(let_go(&stage).await, before);

    duly(&stage, &["restore", "reconcile"]).fine();

    assert_eq!(let_go(&stage).await, before);
    let office = office(&stage).await;
    assert_eq!(office.store.audit(incident.key).await.unwrap(), Vec::new());
    assert_eq!(office.store.count_unplanned(incident.key).await.unwrap(), 3);
    let second = stage.prepare(&[Route::Letter]).await;
    users.approve_and_start(&office.store, incident, second).await;
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize + 3);
    holds(&stage).await;
}

#[tokio::test]
async fn whom_a_withdrawn_plan_let_go_in_the_lost_time_is_let_go_again_and_told_once_by_another_one() {
    comes_back_to_before_a_letting_go(true).await;
}

#[tokio::test]
async fn a_plan_that_was_withdrawn_and_let_somebody_go_in_the_lost_time_does_both_again() {
    comes_back_to_before_a_letting_go(false).await;
}
