//! After the change: packs that were handed out before, and logs that begin.

use super::{LOGS, audited, change, duly, first_key, make_key, name_keys, read_with, sequence, stage};
use crate::packs::incident_pack;
use duly::evidence::EvidenceError;
use duly::report::pack::Audience;
use duly_ledger::public_key;
use duly_ledger::verify::{Options, Report, Trust, verify};
use serde_json::Value;
use std::io::Cursor;

fn read(trust: &Trust, pack: &[u8]) -> Report {
    verify(Cursor::new(pack), trust, &Options::default())
}

#[tokio::test]
async fn a_pack_from_before_the_change_says_which_key_it_needs_and_is_good_with_what_is_printed_now() {
    let stage = stage().await;
    let before = incident_pack(&stage, Audience::Regulator, false).await;
    let (first, second) = (first_key(&stage), make_key(&stage, "second.key"));
    change(&stage, "log.key", "second.key").await;
    std::fs::remove_file(stage.folder.path().join("log.key")).unwrap();
    let today = incident_pack(&stage, Audience::Regulator, false).await;

    let report = read(&Trust::Key(public_key(&second)), &before);
    assert_eq!((report.exit_code(), read_with(&second, &before)), (1, vec!["signature"]));
    assert!(report.to_string().contains("ask for the key of that time"), "{report}");

    let printed = duly(&stage, &["log", "key", "--incident", "test", "--older"]).fine();
    let newest = duly(&stage, &["log", "key", "--incident", "test"]).fine().out;
    assert_eq!((newest.lines().count(), newest.lines().next()), (1, printed.out.lines().next()), "no old key by default");
    let file = stage.folder.path().join("log.vkey");
    std::fs::write(&file, &printed.out).unwrap();
    let whole = Trust::named(file.to_str().unwrap()).unwrap();
    assert_eq!((read(&whole, &before).exit_code(), read(&whole, &today).exit_code()), (0, 0));
    let lines: Vec<Trust> = printed.out.lines().map(|line| Trust::named(line).unwrap()).collect();
    let codes = |pack: &[u8]| -> Vec<u8> { lines.iter().map(|trust| read(trust, pack).exit_code()).collect() };
    assert_eq!((codes(&today), codes(&before)), (vec![0, 0], vec![1, 0]), "newest first");
    assert!(printed.err.contains("from size 1\n") && printed.err.contains("before the change"), "{}", printed.err);

    let all = duly(&stage, &["log", "key", "--all", "--json"]).fine().json();
    let all: Vec<Value> = all["logs"].as_array().unwrap().clone();
    let of = duly(&stage, &["log", "key", "--incident", "test", "--json"]).fine().json();
    assert!(all.iter().any(|log| log["line"] == of["line"]), "{of}");
    for log in all {
        let line = log["line"].as_array().unwrap();
        assert_eq!((line.len(), &line[1]["from_size"]), (2, &Value::from(1)), "{log}");
        let keys = line.iter().map(|of| of["vkey"].as_str().unwrap().parse::<duly_ledger::Vkey>().unwrap().key().to_vec());
        assert_eq!(keys.collect::<Vec<_>>(), [public_key(&second), public_key(&first)]);
    }
}

#[tokio::test]
async fn no_log_begins_under_a_key_that_the_installations_log_has_left() {
    let mut stage = stage().await;
    make_key(&stage, "second.key");
    change(&stage, "log.key", "second.key").await;
    stage.add_incident("other", 2, false).await;
    let opened = "select count(*) from log_generation";

    // Settings of an earlier day: the controller's log misses its key, too.
    name_keys(&stage, "log.key", None);
    let refused = sequence(&stage).await.unwrap_err();
    assert!(matches!(refused, EvidenceError::KeyMissing { .. } | EvidenceError::KeyRetired { .. }), "{refused}");
    assert_eq!(stage.count(opened).await, LOGS);
    // The other way round.
    name_keys(&stage, "second.key", Some("log.key"));
    let refused = sequence(&stage).await.unwrap_err();
    assert!(matches!(refused, EvidenceError::KeyRetired { .. }), "{refused}");
    assert!(refused.remedy().contains("name the newer key by `keys.log_file`"), "{}", refused.remedy());
    assert_eq!(stage.count(opened).await, LOGS);
    let said = duly(&stage, &["log", "key", "--all"]).fine();
    assert!(said.err.contains("names an old key of 3 logs") && said.out.contains("past the next key"), "{said:?}");

    name_keys(&stage, "second.key", None);
    sequence(&stage).await.unwrap();
    assert_eq!(stage.count(opened).await, LOGS + 1);
    assert_eq!(audited(&stage).await, Vec::<&str>::new());
}
