//! At a terminal the erasure asks once more, and a wrong key press destroys nothing.

use super::{THEIRS, Told};
use std::process::{Command, Stdio};

/// Runs the erasure at a terminal of its own and types `line`; returns the exit code and all that was shown.
fn at_terminal(told: &Told, person: &str, line: &str) -> (i32, String) {
    let settings = told.stage.settings.display().to_string();
    let words =
        [env!("CARGO_BIN_EXE_duly"), "--settings", &settings, "person", "erase", "--incident", "test", "--person", person];
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &words.map(|w| format!("'{w}'")).join(" "), "/dev/null"]);
    command.current_dir(told.stage.folder.path()).env_remove("DATABASE_URL");
    command.env("DULY_USER_KEY", "cleo.key").env("DULY_PASSPHRASE_FILE", "cleo.pass");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = crate::cli::desk::run(command, &format!("{line}\n"));
    (ran.code, ran.out)
}

#[tokio::test]
async fn at_a_terminal_the_last_four_digits_are_typed_before_anything_is_destroyed() {
    let told = Told::new().await;
    told.tell().await;
    let person = format!("p_{}", told.person().await.simple());
    let before = told.readable().await;

    let (code, shown) = at_terminal(&told, &person, "zzzz");
    assert!(code != 0 && shown.contains("nothing was erased: these are not the last four digits"), "{code} {shown}");
    assert!(shown.contains(&person) && shown.contains("phase 1, plan 1: notified"), "{shown}");
    assert_eq!(told.readable().await, before);

    let (code, shown) = at_terminal(&told, &person, &person[person.len() - 4..]);
    assert!(code == 0 && shown.contains("is erased"), "{code} {shown}");
    assert_eq!(told.readable().await, [""; 0]);
    assert_eq!(THEIRS.iter().find(|word| shown.contains(word.trim_matches('"'))), None, "{shown}");
    told.audit();
}
