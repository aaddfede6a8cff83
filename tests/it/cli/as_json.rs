//! `--json`: whatever a command does, a program reads from stdout what was done.

use super::desk::{Desk, TEXTS};
use super::keys;
use super::rehearsed::SAID as REHEARSAL;
use serde_json::{Value, json};

/// Services, which have no data of their own, and commands whose data the tests of what they do read.
const ELSEWHERE: &[&str] = &[
    "serve",
    "sandbox",
    "demo",
    "init",
    "verify",
    "key new",
    "key test-restore",
    "key restore",
    "controller set",
    "list sign",
    "list attach",
    "list replace-key",
    "quarantine export",
    "quarantine correct",
    "quarantine discard",
    "job publish",
    "job retry",
    "job discard",
    "template diff",
    "template review",
    "template new",
    "person erase",
    "person exempt",
    "person told",
    "person reopen",
    "plan withdraw",
    "message list",
    "message cancel",
    "audit sample",
    "batch list",
    "batch handed-over",
    "batch result",
    "unknown decide",
    "report regulator",
    "report witness",
    "pack incident",
    "pack person",
    "log key",
    "log new-key",
    "provider check",
    "provider statement",
];

/// Runs commands with `--json`, and remembers which.
struct Asked<'a> {
    desk: &'a Desk,
    seen: Vec<String>,
}

impl Asked<'_> {
    /// Runs it as `user`; the answer, whatever the exit code says of it, must be one JSON text.
    fn ask(&mut self, user: &str, args: &[&str]) -> Value {
        let mut command = self.desk.command(&[args, &["--json"]].concat());
        command.env("DULY_USER_KEY", format!("{user}.key")).env("DULY_PASSPHRASE_FILE", format!("{user}.pass"));
        command.env("DULY_NEW_PASSPHRASE_FILE", "bob.pass");
        let ran = super::desk::run(command, "PN1\n");
        self.seen.push(args.iter().take_while(|word| !word.starts_with('-')).copied().collect::<Vec<_>>().join(" "));
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{args:?}: {error} {ran:?}"))
    }
}

/// What only looks.
const READ: &[&[&str]] = &[
    &["settings"],
    &["user", "list"],
    &["controller", "list"],
    &["incident", "list"],
    &["incident", "show", "cards"],
    &["list", "statement", "--incident", "cards", "--list", "1"],
    &["quarantine", "list", "--incident", "cards"],
    &["job", "rejected"],
    &["job", "key", "--incident", "cards"],
    &["template", "list"],
    &["template", "check", "uk-gdpr/sms"],
    &["template", "preview", "uk-gdpr/sms.en"],
    &["plan", "show", "--incident", "cards"],
    &["hold", "list", "--incident", "cards"],
    &["status"],
    &["person", "show", "--incident", "cards"],
    &["unknown", "list", "--incident", "cards"],
    &["task", "list", "--incident", "cards"],
    &["audit"],
    &["log", "list"],
    &["restore", "reconcile", "--dry-run"],
    &["provider", "list"],
    &["help", "words"],
];

#[tokio::test]
async fn whatever_is_done_and_whatever_was_done_before_is_told_as_json() {
    let desk = Desk::empty("json").await;
    desk.write("cy.toml", TEXTS);
    let mut asked = Asked { desk: &desk, seen: Vec::new() };
    let first = asked.ask("ann", &["migrate"]);
    assert!(first["applied"].as_u64() > Some(5) && first["schema"] == first["applied"], "{first}");
    assert_eq!(asked.ask("ann", &["migrate"]), json!({"schema": first["schema"], "applied": 0}));
    desk.new_user("ann", &["init", "--name", "Ann Price", "--key", "ann.key"]).fine();
    asked.ask("ann", &["user", "add", "--name", "Bob Evans", "--key", "bob.key"]);
    asked.ask("ann", &["user", "key", "--name", "Cleo", "--key", "cleo.key"]);
    let halves = asked.ask("ann", &["key", "split", "--stdout"]);
    assert_eq!(halves["halves"].as_array().unwrap().len(), 2);
    let add =
        ["controller", "add", "northmere", "--name", "Northmere Police", "--sms-sender", "NORTHMERE", "--address", "PO Box 1"];
    asked.ask("ann", &add);
    asked.ask("ann", &["incident", "add", "cards", "--controller", "northmere", "--texts", "texts.toml"]);
    asked.ask("ann", &["list", "import", "affected.csv", "--incident", "cards"]);
    asked.ask("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]);

    let plan = |word: &'static str| ["plan", word, "--incident", "cards"];
    assert_eq!(
        asked.ask("bob", &plan("approve")),
        json!({"plan": 1, "state": "approved", "changed": true, "rehearsal": [REHEARSAL]})
    );
    assert_eq!(
        asked.ask("bob", &plan("approve")),
        json!({"plan": 1, "state": "approved", "changed": false, "rehearsal": [REHEARSAL]})
    );
    for (word, state, extra) in [("go", "running", "holds"), ("pause", "paused", "still_running"), ("resume", "running", "holds")]
    {
        for is_changed in [true, false] {
            let done = asked.ask("bob", &plan(word));
            assert_eq!(done["plans"], json!([{"plan": 1, "state": state, "changed": is_changed}]), "{word}");
            assert!(keys(&done).contains(&extra), "{done}");
        }
    }
    let hold = asked.ask("bob", &["hold", "set", "--incident", "cards", "--reason", "request 412"])["hold"].clone();
    let lift = ["hold", "lift", hold.as_str().unwrap()];
    assert_eq!(asked.ask("bob", &lift), json!({"hold": hold, "changed": true, "incident_holds": 0, "person_holds": 0}));
    assert_eq!(asked.ask("bob", &lift), json!({"hold": hold, "changed": false}));

    let close = ["incident", "close", "cards", "--unfinished", "moved to another system"];
    for (args, is_closed, is_changed) in [
        (&close[..], true, true),
        (&close, true, false),
        (&["incident", "reopen", "cards", "--reason", "moved back"], false, true),
        (&["incident", "reopen", "cards", "--reason", "moved back"], false, false),
    ] {
        let done = asked.ask("bob", args);
        assert_eq!((&done["closed"], &done["changed"]), (&json!(is_closed), &json!(is_changed)), "{args:?}");
    }
    for args in READ {
        asked.ask("bob", args);
    }
    let revoked = asked.ask("ann", &["user", "revoke", "Bob Evans"]);
    assert_eq!((&revoked["name"], &revoked["revoked"]), (&json!("Bob Evans"), &json!(true)));

    let mut all = Vec::new();
    leaves(&duly::cli::help::command(), "", &mut all);
    let is_seen = |path: &&String| asked.seen.iter().any(|seen| seen.starts_with(path.as_str()));
    let unseen: Vec<&str> = all.iter().filter(|path| !is_seen(path)).map(String::as_str).collect();
    assert_eq!(unseen.iter().filter(|path| !ELSEWHERE.contains(path)).collect::<Vec<_>>(), Vec::<&&str>::new(), "never asked");
}

/// The words of every command that has no commands of its own.
pub fn leaves(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    for inner in command.get_subcommands() {
        let path = format!("{path} {}", inner.get_name()).trim().to_owned();
        match inner.has_subcommands() {
            true => leaves(inner, &path, found),
            false => found.push(path),
        }
    }
}
