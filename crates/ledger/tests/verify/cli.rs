//! The program: exit codes, what it prints, what it refuses to guess.

use super::case::*;
use super::story::*;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_duly-verify")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn good_bad_and_not_checked_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let mut files = story().pack_files();
    write("good.zip", &zipped(&files));
    write("known", &files["checkpoint"]);
    write("list.jsonl", &files["manifest.jsonl"]);
    files.get_mut("tile/0/000.p/28").unwrap()[0] ^= 1;
    write("bad.zip", &zipped(&files));
    let vkey = signer(&origin()).vkey().to_string();
    write("log.vkey", format!("{vkey}\n").as_bytes());
    write("policy", format!("log {vkey}\nquorum none\n").as_bytes());
    let hex = duly_ledger::to_hex(signer("x").vkey().key()).to_uppercase();
    let code = |arguments: &[&str]| run(folder.path(), arguments).status.code();

    for key in ["log.vkey", &vkey, &hex] {
        assert_eq!(code(&["good.zip", "--key", key]), Some(0), "{key}");
    }
    assert_eq!(code(&["--policy", "policy", "good.zip", "--known-checkpoint", "known", "--list", "list.jsonl"]), Some(0));
    assert_eq!(code(&["good.zip", "--key", "log.vkey", "--complete"]), Some(1));
    assert_eq!(code(&["bad.zip", "--key", "log.vkey"]), Some(1));
    assert_eq!(code(&["known", "--key", "log.vkey"]), Some(2));
    for arguments in [
        &["good.zip"][..],
        &["good.zip", "--key", "missing.vkey"],
        &["missing.zip", "--key", "log.vkey"],
        &["good.zip", "--key", "log.vkey", "--list", "policy"],
        &["good.zip", "bad.zip", "--key", "log.vkey"],
        &["good.zip", "--key", "log.vkey", "--unknown"],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("hint: "), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }

    // A program that asked for JSON gets it in every case.
    for arguments in [&["missing.zip", "--key", "log.vkey", "--json"][..], &["good.zip", "--json", "--key", "missing.vkey"]] {
        let output = run(folder.path(), arguments);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &said["verdict"]), (Some(2), &"unchecked".into()), "{arguments:?}");
        assert!(said["reason"].as_str().is_some_and(|why| !why.is_empty()), "{said}");
    }
    let known = duly_ledger::to_hex(&approver().verifying_key().to_bytes());
    write("approvers", format!("# the controller's\n{known} Bob\n").as_bytes());
    for (approver, wanted) in [("approvers", 0), (known.as_str(), 0), ("11".repeat(32).as_str(), 1), ("Bob", 2)] {
        assert_eq!(code(&["good.zip", "--key", "log.vkey", "--approver", approver]), Some(wanted), "{approver}");
    }

    let list_key = duly_ledger::to_hex(&controller().verifying_key().to_bytes());
    for (key, wanted) in [(list_key.as_str(), 0), (known.as_str(), 1), ("Northmere", 2)] {
        assert_eq!(code(&["good.zip", "--key", "log.vkey", "--list-key", key]), Some(wanted), "{key}");
    }

    let bad = text(&run(folder.path(), &["bad.zip", "--key", "log.vkey"]).stdout);
    assert!(bad.contains("tile at leaf 0 in tile/0/000.p/28"), "{bad}");
    let json: serde_json::Value =
        serde_json::from_slice(&run(folder.path(), &["bad.zip", "--key", "log.vkey", "--json"]).stdout).unwrap();
    assert_eq!(
        (&json["verdict"], &json["findings"][0]["code"], &json["findings"][0]["leaf"]),
        (&"bad".into(), &"tile".into(), &0.into())
    );
    let help = run(folder.path(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Examples:"));
    assert!(text(&help.stdout).contains("2: not checked, or this verifier is too old."));
}
