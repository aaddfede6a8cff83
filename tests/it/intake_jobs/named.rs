//! What jobs are called: a number given twice loses nobody, and a name that is none stops nobody.

use super::{Jobs, person};
use duly::model::contact::RawPerson;
use serde_json::json;

#[tokio::test]
async fn another_person_under_a_job_id_that_came_before_waits_and_is_not_lost() {
    let mut jobs = Jobs::start("reused").await;
    jobs.consume(false);
    let first = jobs.job("j-1", person("PN1")).await;
    let other = jobs.job("j-1", person("PN9")).await;
    let broken = jobs.job("j-1", RawPerson { phone: "12".into(), ..person("PN8") }).await;

    // In one batch and later, in every order: each says something else, and each counts once.
    jobs.publish(&[first.clone(), other.clone(), broken.clone(), first.clone(), other.clone()]).await;
    jobs.wait("select count(*) from source_row", 3).await;
    jobs.publish(&[broken, other, first, jobs.job("j-2", person("PN2")).await]).await;
    jobs.wait("select count(*) from person", 2).await;

    assert_eq!(jobs.world.count("select count(*) from source_row").await, 4);
    let waiting = jobs.world.waiting().await;
    assert!(waiting.len() == 2 && waiting.iter().all(|row| row.ends_with(" job_id_reused")), "{waiting:?}");
    let mut out = Vec::new();
    duly::intake::correction::export(&jobs.world.target(), &mut out).await.unwrap();
    let exported = String::from_utf8(out).unwrap().replace(",12,", ",07400 123457,");
    let report = jobs.world.correct(None, &exported).await.unwrap();
    assert_eq!((report.rows, report.people), (2, 2), "{exported}");
    jobs.end().await;
}

#[tokio::test]
async fn a_job_with_a_name_that_no_database_takes_stops_nobody_else() {
    let mut jobs = Jobs::start("nul").await;
    jobs.consume(false);
    let format = "duly.job.v1";
    let nul = json!({"format": format, "controller": "northmere\0", "incident": "northmere-2026", "sealed": "AA=="});

    jobs.publish(&[nul.to_string().into_bytes(), jobs.job("j-1", person("PN1")).await]).await;
    jobs.wait("select count(*) from person", 1).await;

    jobs.wait("select count(*) from rejected_job where code = 'unknown_incident'", 1).await;
    jobs.end().await;
}
