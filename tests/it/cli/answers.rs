//! What the commands answer where somebody would be forgotten, and what they ask before it is too late.

use super::desk::{Desk, Ran};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const MORE: &str = "\
Pay number,First name,Surname,Mobile,Address 1,Town,Postcode
PN7,Ada,Nowak,07400 123470,7 High Street,Leeds,LS1 4AB
PN8,Jon,Nowak,07400 123471,8 High Street,Leeds,LS1 4AB
";
const PREPARE: [&str; 6] = ["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"];

/// A plan of four people that waits for approval, and a second one of two.
async fn with_two_plans(name: &str) -> Desk {
    let desk = Desk::with_plan(name, "1").await;
    desk.write("more.csv", MORE);
    desk.duly("ann", &["list", "import", "more.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &PREPARE).fine();
    desk
}

async fn word(desk: &Desk, query: &str) -> String {
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(&owner).await.unwrap()
}

#[tokio::test]
async fn status_names_every_plan_that_does_not_run_and_everybody_who_is_in_none() {
    let desk = with_two_plans("plans").await;
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--plan", "2"]).fine();
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
    desk.write("late.csv", &MORE.replace("PN7", "PN17").replace("PN8", "PN18"));
    desk.duly("ann", &["list", "import", "late.csv", "--incident", "cards"]).fine();

    let status = desk.duly("ann", &["status"]).fine().out;
    for line in [
        "plan 1 waits for approval: 4 people: duly plan approve --incident northmere/cards --plan 1",
        "2 people are in no plan: duly plan prepare --incident northmere/cards",
        "plan 1 prepared, plan 2 running",
    ] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    let data = desk.duly("ann", &["status", "--json"]).fine().json();
    assert_eq!((&data["plans"][0]["people"], &data["plans"][1]["open"], &data["unplanned"]), (&json!(4), &json!(2), &json!(2)));

    desk.duly("bob", &["plan", "pause", "--incident", "cards"]).fine();
    let status = desk.duly("ann", &["status"]).fine().out;
    assert!(status.contains("plan 2 is paused: 2 people: duly plan resume --incident northmere/cards --plan 2"), "{status}");
}

#[tokio::test]
async fn a_pause_stops_every_running_plan_and_one_that_is_named_says_which_goes_on() {
    let desk = with_two_plans("pause").await;
    let plan = |command: &'static str| ["plan", command, "--incident", "cards"];
    desk.duly("bob", &plan("approve")).refused("2 plans are prepared: 1, 2", "--plan 2");
    for number in ["1", "2"] {
        desk.duly("bob", &["plan", "approve", "--incident", "cards", "--plan", number]).fine();
    }
    desk.duly("bob", &plan("go")).refused("2 plans are approved: 1, 2", "--plan 2");
    for number in ["1", "2"] {
        desk.duly("bob", &["plan", "go", "--incident", "cards", "--plan", number]).fine();
    }

    // That both are rehearsals is said below (`rehearsed::`).
    let said =
        |ran: Ran| ran.fine().err.lines().filter(|line| !line.starts_with("Mind: ")).map(str::to_owned).collect::<Vec<_>>();
    let one = said(desk.duly("bob", &["plan", "pause", "--incident", "cards", "--plan", "2"]));
    assert_eq!(one, ["Plan 2 is paused.", "Plan 1 goes on sending: 4 people not told yet."]);
    desk.duly("bob", &plan("resume")).fine();
    assert_eq!(said(desk.duly("bob", &plan("pause"))), ["Plan 1 is paused.", "Plan 2 is paused."]);
    assert_eq!(word(&desk, "select string_agg(state, ' ') from plan").await, "paused paused");
    desk.duly("bob", &plan("resume")).refused("2 plans are paused: 1, 2", "--plan 2");
}

#[tokio::test]
async fn a_list_that_is_not_whole_is_not_frozen_without_saying_so() {
    let desk = Desk::with_incident("cut", "1").await;
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
    // As an import that was cut leaves it.
    desk.sabotage("delete from source_row where fate = 'duplicate_of'").await.unwrap();

    desk.duly("ann", &PREPARE).refused("list 1 is not whole: 5 of 6 rows were taken in", "run its import again");
    assert!(desk.duly("ann", &["status"]).fine().out.contains("list 1 is not whole"));
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &PREPARE).fine();
    let nobody = desk.duly("ann", &PREPARE).refused("there is nobody to plan for", "duly plan show --plan 1");
    assert!(nobody.err.contains("plan 1 waits for approval: 4 people"), "{}", nobody.err);
}

#[tokio::test]
async fn a_plan_says_who_is_not_told_by_it_and_an_approver_who_may_not_is_told_so_first() {
    let desk = Desk::with_plan("untold", "1").await;

    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;
    assert!(shown.contains("1 row waits in quarantine: nobody of them is told"), "{shown}");
    let refused = desk.duly("ann", &["plan", "approve", "--incident", "cards"]).refused("who prepared a plan", "somebody else");
    assert!(!refused.err.contains("will be written to"), "{}", refused.err);
    let wrong = desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-than-letter"]);
    assert!(wrong.code == 2 && wrong.err.contains("sms-then-letter"), "{}", wrong.err);
}

#[tokio::test]
async fn a_lifted_hold_says_which_other_still_stands() {
    let desk = Desk::running("holds").await;
    let set = |reason: &'static str| ["hold", "set", "--incident", "cards", "--reason", reason];
    let (first, second) = (desk.duly("bob", &set("request 412")).fine().out, desk.duly("bob", &set("safety")).fine().out);

    let lifted = desk.duly("bob", &["hold", "lift", first.trim()]).fine().err;
    assert_eq!(lifted, "Lifted. 1 hold on the whole incident still stands: nothing is sent.\n");
    desk.duly("bob", &["plan", "pause", "--incident", "cards"]).fine();
    assert!(desk.duly("bob", &["plan", "resume", "--incident", "cards"]).fine().err.contains("1 hold stands"));
    let lifted = desk.duly("bob", &["hold", "lift", second.trim()]).fine().err;
    assert_eq!(lifted, "Lifted. What waited for this hold may go.\n");
}

#[tokio::test]
async fn exported_rows_are_a_fact_of_the_log_and_half_a_correction_says_how_to_go_on() {
    let desk = Desk::with_incident("export", "1").await;
    desk.write("bad.csv", "reference,name,phone\nPN1,Bo Hill,12\nPN2,Cy Hill,13\n");
    desk.duly("ann", &["list", "import", "bad.csv", "--incident", "cards"]).fine();

    desk.duly("ann", &["quarantine", "export", "--incident", "cards", "--file", "waiting.csv"]).fine();
    let path = desk.folder.path().join("waiting.csv");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let query = "select convert_from(body, 'UTF8') from event where kind = 'export.made'";
    let event: Value = serde_json::from_str(&word(&desk, query).await).unwrap();
    assert_eq!((&event["d"]["what"], &event["d"]["for"]), (&json!("quarantine"), &json!("controller")));
    // A hash of two rows could be guessed: the leaf has a keyed one.
    let bytes = std::fs::read(&path).unwrap();
    assert_ne!(event["d"]["hash"], json!(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes))));

    let half = String::from_utf8(bytes).unwrap().replacen(",12,", ",07400 123456,", 1);
    desk.write("half.csv", &half);
    let done = desk.duly("ann", &["quarantine", "correct", "--incident", "cards", "--file", "half.csv"]).fine();
    assert!(done.out.starts_with("1 corrected, 1 still wrong; 1 row waits of this incident for a correction\n"), "{}", done.out);
    assert!(done.err.contains("duly quarantine export` again"), "{}", done.err);
    desk.write("whole.csv", &half.replacen(",13,", ",07400 123457,", 1));
    desk.duly("ann", &["quarantine", "correct", "--incident", "cards", "--file", "whole.csv"])
        .refused("not quarantined, or decided already", "duly quarantine export` again");

    let story = desk.duly_with("ann", &["person", "show", "--incident", "cards"], "PN1\n").fine().out;
    for said in [
        "Could not be taken in from list 1, row 1 (invalid_phone)",
        "Ann Price corrected list 1, row 1: list 2, row 1 took its place",
    ] {
        assert!(story.contains(said), "{said}\n{story}");
    }
}
