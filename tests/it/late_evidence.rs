//! A state whose proof comes late is an incident: it is alarmed, and the log itself says so.

use crate::packs::incident_pack;
use crate::support::{Setup, Stage, eventually};
use crate::told::{check, sequence};
use duly::report::pack::Audience;
use duly_ledger::Event;
use duly_ledger::verify::Verdict;
use std::path::Path;

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

/// What is signed and never leaves is no evidence for anybody.
#[tokio::test]
async fn what_is_signed_and_cannot_be_published_for_a_minute_raises_the_alarm_too() {
    let stage = Stage::new(Setup::default()).await;
    let mut process = stage.start(&["scheduler"]);
    stage.drain_the_logs().await;
    let logs = Path::new(&stage.office.settings.evidence.outside).join("duly.test");
    let aside = logs.with_extension("aside");
    std::fs::rename(&logs, &aside).unwrap();
    std::fs::write(&logs, "no folder").unwrap();
    stage.hold().await;
    eventually("it is signed, and not outside", async || {
        stage.count("select count(*) from event_inbox").await == 0 && !stage.is_published().await
    })
    .await;
    assert_eq!(stage.words(LATE).await, Vec::<String>::new(), "not before the minute is over");

    stage.shift_clock(75).await;
    eventually("the alarm is raised", async || stage.words(LATE).await == ["evidence_late"]).await;
    let told = "select count(*) from event where kind = 'log.delayed' and incident_no is not null";
    assert_eq!(stage.count(told).await, 1, "the log says so, once it can");
    std::fs::remove_file(&logs).unwrap();
    std::fs::rename(&aside, &logs).unwrap();
    stage.drain_the_logs().await;
    process.terminate().await;
}

#[tokio::test]
async fn a_copy_that_does_not_end_keeps_nobody_from_raising_the_alarm() {
    let stage = Stage::new(Setup::default()).await;
    let mut process = stage.start_at("tiles_published", &["scheduler"]);
    process.reached().await;
    stage.shift_clock(75).await;

    eventually("the alarm is raised", async || stage.words(LATE).await == ["evidence_late"]).await;
    assert!(!stage.is_published().await, "it still stands there");
    process.release();
    stage.drain_the_logs().await;
    process.terminate().await;
}
