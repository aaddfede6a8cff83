//! Jobs that could not be read wait, are counted, and are read again or discarded by a signed command.

use super::{Jobs, person};
use duly::intake::job::{Job, Target, wrap};
use serde_json::{Value, json};

fn rejected(jobs: &Jobs) -> Value {
    jobs.world.json(&["status", "--incident", "n-2026"])["equation"]["rejected"].clone()
}

#[tokio::test]
async fn a_job_for_a_closed_incident_is_kept_and_taken_in_once_it_is_reopened() {
    let mut jobs = Jobs::start("closed").await;
    jobs.consume(false);
    let first = jobs.job("j-1", person("PN1")).await;
    jobs.publish(&[first]).await;
    jobs.wait("select count(*) from person", 1).await;

    jobs.world.json(&["incident", "close", "n-2026", "--unfinished", "enough"]);
    let second = jobs.job("j-2", person("PN2")).await;
    jobs.publish(&[second]).await;

    jobs.wait("select count(*) from rejected_job where code = 'incident_closed'", 1).await;
    assert_eq!(jobs.world.json(&["job", "retry"])["rejected"][0]["code"], "incident_closed");
    jobs.world.json(&["incident", "reopen", "n-2026", "--reason", "more people"]);
    let (_, _, dry) = jobs.world.text(&["incident", "close", "n-2026", "--dry-run"]);
    assert!(dry.contains("1 job of whatever incident could not be read"), "{dry}");
    assert_eq!(jobs.world.json(&["job", "retry"])["taken"].as_array().unwrap().len(), 1);
    jobs.wait("select count(*) from person", 2).await;
    jobs.end().await;
}

#[tokio::test]
async fn a_job_that_could_not_be_read_is_counted_and_taken_in_once_its_cause_is_mended() {
    let mut jobs = Jobs::start("retry").await;
    jobs.consume(false);
    let plain = Target { public_key: None, ..jobs.target().await };
    let plain = wrap(&Job { job_id: "j-1".into(), person: person("PN1") }, &plain).unwrap();
    jobs.publish(&[plain, b"{\"Marlowe".to_vec()]).await;
    jobs.wait("select count(*) from rejected_job", 2).await;
    assert_eq!(rejected(&jobs), json!({"jobs": 2, "taken": 0, "discarded": 0, "waiting": 2}));
    let (_, page, _) = jobs.world.text(&["status", "--incident", "n-2026"]);
    assert!(page.contains("2 jobs that could not be read") && page.contains("duly job rejected"), "{page}");

    let still = jobs.world.json(&["job", "retry"]);
    assert_eq!((still["taken"].as_array().unwrap().len(), still["rejected"].as_array().unwrap().len()), (0, 2));
    let mended = ["job", "retry", "--set", "intake.accept_plain=true"];
    let first = jobs.world.json(&mended);
    let again = jobs.world.json(&mended);

    assert_eq!((first["taken"].as_array().unwrap().len(), &first["rejected"][0]["code"]), (1, &json!("not_json")));
    assert_eq!(again["taken"], json!([]));
    jobs.wait("select count(*) from person", 1).await;
    assert_eq!(rejected(&jobs), json!({"jobs": 2, "taken": 1, "discarded": 0, "waiting": 1}));
    let left = first["rejected"][0]["id"].as_str().unwrap();
    assert_eq!(jobs.world.json(&["job", "rejected"])["jobs"][0]["id"], left);

    jobs.world.json(&["job", "discard", left, "--reason", "a test message"]);
    let (fine, _, refused) = jobs.world.text(&["job", "discard", left, "--reason", "a test message"]);
    assert!(!fine && refused.contains("decided already"), "{refused}");
    assert_eq!(rejected(&jobs), json!({"jobs": 2, "taken": 1, "discarded": 1, "waiting": 0}));
    assert_eq!(jobs.world.count("select count(*) from rejected_job_decision d join signed_command using (command_id)").await, 2);
    jobs.end().await;
}
