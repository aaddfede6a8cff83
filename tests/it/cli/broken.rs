//! Files and services that are not as they should be: the error names them, and nothing that stands in them.

use super::desk::{Desk, TEXTS};
use std::process::Stdio;

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
