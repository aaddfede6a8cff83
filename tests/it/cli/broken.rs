//! Files and services that are not as they should be: the error names them, and nothing that stands in them.

use super::desk::{Desk, TEXTS};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A pipe of which the reading end is closed, as `head` leaves it.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[tokio::test]
async fn a_command_does_its_work_where_nobody_reads_what_it_says() {
    let desk = Desk::with_plan("closed", "1").await;
    let ends = |args: &[&str], out: Stdio| {
        let mut command = desk.command(args);
        command.env("DULY_USER_KEY", "bob.key").env("DULY_PASSPHRASE_FILE", "bob.pass");
        command.stdout(out).stderr(closed_pipe()).status().unwrap().code()
    };

    assert_eq!(ends(&["plan", "approve", "--incident", "cards"], closed_pipe()), Some(0));
    assert_eq!(ends(&["plan", "go", "--incident", "cards"], Stdio::null()), Some(0));
    assert_eq!(ends(&["incident", "show", "nowhere"], Stdio::null()), Some(2));

    assert_eq!(desk.duly("bob", &["plan", "show", "--incident", "cards", "--json"]).fine().json()["state"], "running");
}

#[tokio::test]
async fn a_file_that_is_no_toml_is_named_with_its_line_and_none_of_its_words() {
    let desk = Desk::with_incident("toml", "1").await;
    desk.write("people.toml", &format!("{TEXTS}\nname = Ann Marlowe 07400 123456\n"));
    desk.write("sandbox.toml", "seed = 7\nsecret = hidden-1\n");
    desk.write("typo.toml", "seed = 7\nsecrett = \"hidden-1\"\n");
    let add = ["incident", "add", "other", "--controller", "northmere", "--texts", "people.toml"];

    let cases = [
        (&add[..], "`people.toml`, line 14, column 8: this is no TOML"),
        (&["template", "preview", "uk-gdpr/sms.en", "--texts", "people.toml"], "`people.toml`, line 14, column 8"),
        (&["template", "check", "uk-gdpr/", "--texts", "people.toml"], "`people.toml`, line 14, column 8"),
        (&["sandbox", "--config", "sandbox.toml"], "`sandbox.toml`, line 2, column 10: this is no TOML"),
        (&["sandbox", "--config", "typo.toml"], "`typo.toml`, line 2, column 1: a name that is not known"),
    ];
    for (args, what) in cases {
        let refused = desk.duly("ann", args).refused(what, "correct it there");
        let leak = ["Marlowe", "07400", "hidden"].iter().find(|word| refused.err.contains(**word));
        assert_eq!(leak, None, "{args:?} {}", refused.err);
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_named_at_once_without_its_password() {
    let mut desk = Desk::empty("away").await;
    let (host, name) = desk.url.split_once("://").unwrap().1.rsplit_once('/').unwrap();
    let host = host.rsplit_once('@').unwrap_or(("", host)).1;
    let nowhere = format!("postgres://duly:hidden-1@{host}/{name}_nowhere");
    let cases = [
        ("", "no database is named", "set DATABASE_URL"),
        ("hidden-1", "`database.url` is no address of a Postgres database", "write it as postgres://"),
        ("postgres://duly:hidden-1@127.0.0.1:1/cards", "the database at 127.0.0.1:1/cards does not answer", "Postgres is up"),
        (&nowhere, "the database at ", "check user, password and database"),
    ];
    for (url, what, hint) in cases {
        desk.set("DULY_DATABASE__URL", url);
        for command in [&["status"][..], &["migrate"], &["serve"], &["serve", "receipts"]] {
            let started = Instant::now();
            let refused = desk.duly("ann", &[command, &["--set", "web.listen=127.0.0.1:0"]].concat());
            assert!(started.elapsed() < Duration::from_secs(15), "{command:?} {:?}", started.elapsed());
            assert!(!refused.err.contains("hidden") && refused.code == 2, "{refused:?}");
            if command != ["serve", "receipts"] {
                refused.refused(what, hint);
            }
        }
    }
}

#[tokio::test]
async fn a_database_that_never_says_a_word_is_waited_for_some_seconds_and_that_is_said() {
    let mut desk = Desk::empty("silent").await;
    // Connections are taken by the system, and nobody behind it answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("{}/cards", silent.local_addr().unwrap());
    desk.set("DULY_DATABASE__URL", format!("postgres://duly:hidden-1@{place}"));

    let status = desk.duly("ann", &["status"]).refused("", "Postgres is up");

    assert!(status.err.starts_with(&format!("Waiting for the database at {place}")), "{}", status.err);
    let said = format!("error: the database at {place} does not answer\n  cause: no answer within 5 s\n");
    assert!(status.err.contains(&said) && !status.err.contains("hidden"), "{}", status.err);
}

#[tokio::test]
async fn errors_begin_with_what_happened_and_name_the_file_or_the_command_that_helps() {
    let mut desk = Desk::with_incident("named", "1").await;

    let import = ["list", "import", "nowhere.csv", "--incident", "cards"];
    desk.duly("ann", &import).refused("the list `nowhere.csv` cannot be read", "check the path");
    let lift = desk.duly("ann", &["hold", "lift", "nope"]);
    assert!(lift.code == 2 && lift.err.contains("copy it as `duly hold list` prints it"), "{lift:?}");
    desk.set("DULY_SETTINGS", "settings.toml");
    desk.write("settings.toml", "");
    let usage = desk.duly("ann", &["hold", "lift"]);
    assert!(usage.code == 2 && !usage.err.contains("--settings"), "{usage:?}");
    // The file of the variable is read all the same.
    desk.write("settings.toml", "nonsense = 1\n");
    desk.duly("ann", &["settings"]).refused("`nonsense` in ", "config/default.toml");
    desk.write("settings.toml", "[broker]\nurl = \"amqp://duly:hidden-1@127.0.0.1:1/%2f\"\n");

    let publish = desk.duly("ann", &["job", "publish", "affected.csv", "--incident", "cards", "--map", "phone=Mobile"]);
    assert!(publish.code == 2 && publish.err.starts_with("error: ") && !publish.err.contains("hidden"), "{publish:?}");
    // A refusal of the database's own ends with no line number of somebody else's sources.
    desk.sabotage("alter table app_user rename to elsewhere").await.unwrap();
    let users = desk.duly("ann", &["user", "list"]).refused("the database refused the query", "");
    assert!(users.err.contains("does not exist\n") && !users.err.contains("at line"), "{}", users.err);
}
