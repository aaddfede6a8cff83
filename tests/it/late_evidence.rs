//! A state whose proof comes late is an incident: it is alarmed, and the log itself says so.

use crate::packs::incident_pack;
use crate::support::{Setup, Stage, eventually};
use crate::told::{check, sequence};
use duly::report::pack::Audience;
use duly_ledger::Event;
use duly_ledger::verify::Verdict;

const LATE: &str = "select code from alarm where code = 'evidence_late'";

#[tokio::test]
async fn an_event_that_waits_longer_than_a_minute_raises_an_alarm_and_the_log_says_so() {
    let stage = Stage::new(Setup::default()).await;
    let hold = stage.hold().await;
    // Nobody gives events their places; a minute is nearly over.
    stage.shift_clock(30).await;
    let mut process = stage.start(&["scheduler"]);
    eventually("all are in their places", async || stage.count("select count(*) from event_inbox").await == 0).await;
    process.terminate().await;
    assert_eq!(stage.words(LATE).await, Vec::<String>::new(), "not before the minute is over");

    stage.lift(hold).await;
    stage.shift_clock(105).await;
    let mut process = stage.start(&["scheduler"]);
    eventually("the alarm is raised", async || stage.words(LATE).await == ["evidence_late"]).await;
    eventually("all are in their places", async || stage.count("select count(*) from event_inbox").await == 0).await;
    process.terminate().await;

    let told: Vec<Vec<u8>> = sqlx::query_scalar("select body from event where kind = 'log.delayed' and incident_no is not null")
        .fetch_all(&stage.owner)
        .await
        .unwrap();
    let [told] = told.as_slice() else { panic!("told {} times", told.len()) };
    let detail = Event::parse(told).unwrap().detail;
    assert!(detail["seconds"].as_i64().unwrap() >= 75 && detail["waiting"].as_i64().unwrap() >= 1, "{detail:?}");
    assert_eq!(stage.words(LATE).await, ["evidence_late"], "once, and not with every round");
    sequence(&stage).await;
    let report = check(&stage, &incident_pack(&stage, Audience::Regulator, false).await);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!(report.events["log.delayed"], 1);
    stage.audit().await;
}

/// Whoever sets Duly up starts it last. Nothing is late before there was somebody to give it a place.
#[tokio::test]
async fn what_was_set_up_long_before_the_first_start_is_not_late() {
    let stage = Stage::new(Setup::default()).await;
    stage.shift_clock(600).await;

    let mut process = stage.start(&["scheduler"]);
    eventually("all are in their places", async || stage.count("select count(*) from event_inbox").await == 0).await;
    process.terminate().await;

    assert_eq!(stage.words(LATE).await, Vec::<String>::new());
    assert_eq!(stage.count("select count(*) from event where kind = 'log.delayed'").await, 0);
    assert!(!process.log().contains("events wait too long"), "{}", process.log());
}
