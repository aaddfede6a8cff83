//! Lanes that are not live: whoever moves a plan, its incident or its messages, or lists what became of them, is told that
//! nobody is told by it.

use super::as_json::leaves;
use super::desk::{Desk, Ran};
use super::undecided::ask;
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What must be said of the desk's lanes.
pub const SAID: &str = "Plan 1 has lanes that are not live (letters, sms-a): what goes through them is a rehearsal and tells nobody, also where somebody counts as notified.";

/// Commands that say it, and are asked here.
const HERE: &[&str] = &[
    "incident close",
    "incident reopen",
    "message cancel",
    "message list",
    "plan approve",
    "plan go",
    "plan pause",
    "plan resume",
    "provider statement",
    "task list",
    "unknown decide",
    "unknown list",
];
/// Commands that say it in words of their own, and are asked in the tests of what they do.
const ELSEWHERE: &[&str] = &[
    "audit sample",
    "batch handed-over",
    "batch list",
    "batch result",
    "demo",
    "pack incident",
    "pack person",
    "person show",
    "plan prepare",
    "plan show",
    "provider check",
    "provider list",
    "report regulator",
    "report witness",
    "status",
    "verify",
];
/// Commands that tell nothing of what went through a lane, nor send anything.
const OF_NO_LANE: &[&str] = &[
    "controller add",
    "controller list",
    "controller set",
    "help",
    "hold lift",
    "hold list",
    "hold set",
    "incident add",
    "incident list",
    "incident show",
    "init",
    "job discard",
    "job key",
    "job publish",
    "job rejected",
    "job retry",
    "key new",
    "key restore",
    "key split",
    "key test-restore",
    "list attach",
    "list import",
    "list replace-key",
    "list sign",
    "list statement",
    "log key",
    "log list",
    "log new-key",
    "migrate",
    "person erase",
    "person exempt",
    "person reopen",
    "person told",
    "plan withdraw",
    "quarantine correct",
    "quarantine discard",
    "quarantine export",
    "quarantine list",
    "restore reconcile",
    "sandbox",
    "serve",
    "settings",
    "template check",
    "template diff",
    "template list",
    "template new",
    "template preview",
    "template review",
    "user add",
    "user key",
    "user list",
    "user revoke",
];

/// Asks the desk's commands, and remembers which.
struct Asked<'a> {
    desk: &'a Desk,
    seen: RefCell<BTreeSet<String>>,
}

impl Asked<'_> {
    /// Once: whatever comes of it, it is said once beside it.
    fn said(&self, args: &[&str]) -> Ran {
        let ran = self.desk.duly("bob", args);
        assert_eq!(ran.err.matches(&format!("Mind: {SAID}")).count(), 1, "{args:?}: {ran:?}");
        self.seen.borrow_mut().insert(args[..2].join(" "));
        ran
    }

    /// Once for people, and then once for programs.
    fn both(&self, args: &[&str]) -> serde_json::Value {
        self.said(args).fine();
        self.said(&[args, &["--json"]].concat()).fine().json()
    }
}

#[tokio::test]
async fn whoever_moves_a_plan_or_an_incident_or_lists_its_messages_is_told_that_it_is_a_rehearsal() {
    let desk = Desk::with_plan("rehearsed", "1").await;
    let asked = Asked { desk: &desk, seen: RefCell::default() };
    let of_incident = ["--incident", "cards"];

    for word in ["approve", "go", "pause", "resume"] {
        assert_eq!(asked.both(&[&["plan", word], &of_incident[..]].concat())["rehearsal"], json!([SAID]), "{word}");
    }
    let (message, person) = ask(&desk).await;
    let (message, person) = (message.to_string(), format!("p_{}", person.simple()));
    assert_eq!(asked.both(&["task", "list", "--incident", "cards"])["rehearsal"], json!([SAID]));
    for list in
        [&["message", "list", "--incident", "cards", "--person", &person][..], &["unknown", "list", "--incident", "cards"]]
    {
        let listed = asked.both(list);
        assert!(!listed.as_array().unwrap().is_empty(), "{listed}");
        assert!(listed.as_array().unwrap().iter().all(|one| one["rehearsal"] == json!([SAID])), "{listed}");
    }
    let refused = asked.said(&["message", "cancel", &message, "--incident", "cards", "--reason", "wrong enclosure"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let decide =
        ["unknown", "decide", &message, "--incident", "cards", "--choice", "next-step", "--reason", "docket 7", "--json"];
    assert_eq!(asked.said(&decide).fine().json()["rehearsal"], json!([SAID]));
    // Signs the log besides, with which a statement is compared.
    desk.duly("ann", &["pack", "incident", "--incident", "cards", "--out", "pack.zip"]).fine();
    desk.write("counts.csv", "channel,count\nletter,0\n");
    let statement = ["provider", "statement", "counts.csv", "--incident", "cards", "--lane", "letters"];
    assert_eq!(asked.both(&statement)["rehearsal"], json!([SAID]));
    let open = asked.said(&["incident", "close", "cards", "--dry-run", "--json"]);
    assert_eq!((open.code, &open.json()["rehearsal"]), (1, &json!([SAID])));
    for args in [
        &["incident", "close", "cards", "--unfinished", "moved to another system"][..],
        &["incident", "reopen", "cards", "--reason", "moved back"],
    ] {
        assert_eq!(asked.both(args)["rehearsal"], json!([SAID]), "{args:?}");
    }
    assert_eq!(asked.seen.into_inner().iter().map(String::as_str).collect::<Vec<_>>(), HERE);
}

#[test]
fn of_every_command_it_is_known_whether_it_must_say_that_it_is_of_a_rehearsal() {
    let mut all = Vec::new();
    leaves(&duly::cli::help::command(), "", &mut all);
    let known: Vec<&str> = [HERE, ELSEWHERE, OF_NO_LANE].concat();

    let sorted = |mut words: Vec<String>| {
        words.sort();
        words
    };
    assert_eq!(sorted(all), sorted(known.into_iter().map(str::to_owned).collect()));
}
