//! The logs' key is changed for another one: nothing stops, nothing is signed twice, what was signed before still counts, and
//! the old key signs nothing more.

mod attacks;
mod handed_out;
mod steps;

use crate::cli::desk::{Ran, run};
use crate::packs::{incident_pack, person_pack};
use crate::support::{Setup, Stage, write_private};
use duly::config::{Settings, layers_with};
use duly::evidence::anchor::Judges;
use duly::evidence::{Archive, EvidenceError, sequencer};
use duly::model::seal::Key;
use duly::report::pack::Audience;
use duly::store::sequencing::LogScope;
use duly_ledger::public_key;
use duly_ledger::verify::{Options, Trust, verify};
use serde_json::Map;
use std::io::Cursor;
use std::process::{Command, Stdio};
use std::sync::Arc;
use uuid::Uuid;

/// Logs of a stage: the installation's, the controller's, the incident's.
pub const LOGS: i64 = 3;
pub const CHANGES: &str = "select count(*) from event where kind = 'log.key_changed'";
const UNDER_NEXT: &str = "select count(*) from log l where exists (select from event e where e.kind = 'log.key_changed'
    and e.controller_id is not distinct from l.controller_id and e.incident_no is not distinct from l.incident_no)";

async fn stage() -> Stage {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    sequence(&stage).await.unwrap();
    stage
}

/// The settings as the file has them now.
fn settings(stage: &Stage) -> Settings {
    Settings::load(&layers_with(Some(&stage.settings), std::iter::empty::<(String, String)>(), &[])).unwrap()
}

fn archive(stage: &Stage) -> Arc<Archive> {
    Arc::new(Archive::open(&settings(stage), &stage.office.store).unwrap())
}

pub async fn sequence(stage: &Stage) -> Result<(), EvidenceError> {
    sequencer::run_once(archive(stage)).await
}

/// A key in a file of its own.
pub fn make_key(stage: &Stage, name: &str) -> [u8; 32] {
    let key = Key::generate();
    write_private(&stage.folder.path().join(name), &key.to_hex());
    *key.bytes()
}

/// Names the files of the key and of the one that takes its place in the settings.
pub fn name_keys(stage: &Stage, current: &str, next: Option<&str>) {
    let text = std::fs::read_to_string(&stage.settings).unwrap();
    let at = |name: &str| stage.folder.path().join(name).display().to_string();
    let lines = text.lines().filter(|line| !line.starts_with("log_next_file")).map(|line| match line.starts_with("log_file") {
        true => format!("log_file = \"{}\"\nlog_next_file = \"{}\"", at(current), next.map(at).unwrap_or_default()),
        false => line.to_owned(),
    });
    std::fs::write(&stage.settings, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

/// The key that the stage began with.
fn first_key(stage: &Stage) -> [u8; 32] {
    *stage.office.settings.log_key().unwrap().bytes()
}

/// Something happens in the incident's log.
async fn one_more(stage: &Stage) {
    let scope = LogScope::Incident(stage.incident.key.controller_id, stage.incident.key.incident_no);
    stage.office.store.insert_event(scope, "log.marked", Map::new()).await.unwrap();
}

/// Codes of everything that does not hold, judged with the settings as they are now.
pub async fn audited(stage: &Stage) -> Vec<&'static str> {
    let mut found = stage.office.store.audit(stage.incident.key).await.unwrap();
    found.extend(Judges::open(&settings(stage)).unwrap().audit(&stage.office.store, stage.incident.key).await.unwrap());
    let mut codes: Vec<&str> = found.into_iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// What a reader finds who has the key of this seed.
fn read_with(seed: &[u8; 32], pack: &[u8]) -> Vec<&'static str> {
    use duly_ledger::verify::Word;
    let report = verify(Cursor::new(pack), &Trust::Key(public_key(seed)), &Options::default());
    report.findings.kept.iter().map(|finding| finding.code.as_str()).collect()
}

/// Everything holds, for whoever has any of these keys.
async fn holds(stage: &Stage, keys: &[[u8; 32]]) {
    assert_eq!(audited(stage).await, Vec::<&str>::new());
    let mut packs = vec![(incident_pack(stage, Audience::Regulator, false).await, "incident")];
    let told = "select person_id from event where person_id is not null limit 1";
    if let Some(person) = sqlx::query_scalar::<_, Uuid>(told).fetch_optional(&stage.owner).await.unwrap() {
        packs.push((person_pack(stage, person, &["sms"], false).await.unwrap(), "person"));
    }
    for (pack, what) in &packs {
        for seed in keys {
            assert_eq!(read_with(seed, pack), Vec::<&str>::new(), "{what}");
        }
        assert_eq!(read_with(&[9; 32], pack), ["signature"], "{what}");
    }
}

/// All logs are under the next key, of which the settings then name no other.
async fn change(stage: &Stage, from: &str, to: &str) {
    name_keys(stage, from, Some(to));
    sequence(stage).await.unwrap();
    name_keys(stage, to, None);
}

#[tokio::test]
async fn every_log_goes_on_under_the_next_key_and_whoever_has_any_key_of_its_line_can_read_it() {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain().await;
    process.terminate().await;
    sequence(&stage).await.unwrap();
    let (first, second, third) = (first_key(&stage), make_key(&stage, "second.key"), make_key(&stage, "third.key"));
    name_keys(&stage, "log.key", Some("second.key"));

    // Also those in which nothing happens: nothing waits.
    assert_eq!(stage.count("select count(*) from event_inbox").await, 0);
    sequence(&stage).await.unwrap();

    assert_eq!((stage.count(CHANGES).await, stage.count(UNDER_NEXT).await), (LOGS, LOGS));
    holds(&stage, &[first, second]).await;
    let signed = stage.count("select count(*) from checkpoint").await;
    sequence(&stage).await.unwrap();
    assert_eq!(stage.count(CHANGES).await, LOGS, "once");
    assert!(stage.count("select count(*) from checkpoint").await <= signed + 1, "no log is signed again");

    // The old key is gone: its public half is known from the log alone.
    name_keys(&stage, "second.key", None);
    std::fs::remove_file(stage.folder.path().join("log.key")).unwrap();
    one_more(&stage).await;
    sequence(&stage).await.unwrap();
    holds(&stage, &[first, second]).await;

    change(&stage, "second.key", "third.key").await;
    one_more(&stage).await;
    sequence(&stage).await.unwrap();
    assert_eq!(stage.count(CHANGES).await, 2 * LOGS);
    holds(&stage, &[first, second, third]).await;
}

#[tokio::test]
async fn a_log_that_is_opened_while_the_key_changes_begins_under_the_new_one() {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    let second = make_key(&stage, "second.key");
    name_keys(&stage, "log.key", Some("second.key"));
    sequence(&stage).await.unwrap();

    assert_eq!(stage.count(CHANGES).await, 0);
    holds(&stage, &[second]).await;
}

fn duly(stage: &Stage, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
    command.arg("--settings").arg(&stage.settings).args(args).current_dir(stage.folder.path()).env_remove("DATABASE_URL");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    run(command, "")
}

#[tokio::test]
async fn the_commands_say_which_log_is_under_which_key_and_when_the_old_one_may_go() {
    let stage = stage().await;
    let made = duly(&stage, &["log", "new-key", "--out", "second.key", "--json"]).fine().json();
    let (old, new) = (hex::encode(public_key(&first_key(&stage))), made["key"].as_str().unwrap().to_owned());
    duly(&stage, &["log", "new-key", "--out", "second.key"]).refused("the file `second.key` cannot be made", "another path");
    let keys = |ran: &Ran| -> Vec<(String, String)> {
        let logs = ran.json()["logs"].as_array().unwrap().clone();
        logs.iter().map(|log| (log["key"].as_str().unwrap().to_owned(), log["is"].as_str().unwrap().to_owned())).collect()
    };
    let all = ["log", "key", "--all", "--json"];
    assert_eq!(keys(&duly(&stage, &all).fine()), vec![(old.clone(), "current".to_owned()); 3]);

    name_keys(&stage, "log.key", Some("log.key"));
    duly(&stage, &all).refused("`keys.log_next_file`: is the key of keys.log_file", "settings");
    name_keys(&stage, "log.key", Some("second.key"));
    let before = duly(&stage, &all).fine();
    assert_eq!(keys(&before), vec![(old.clone(), "to be changed".to_owned()); 3]);
    assert!(before.json()["done"] == false && before.err.contains("Until then keep both keys"), "{}", before.err);
    sequence(&stage).await.unwrap();
    let after = duly(&stage, &all).fine();
    assert_eq!(keys(&after), vec![(new.clone(), "next".to_owned()); 3]);
    assert!(after.json()["done"] == true && after.err.contains("destroy the old key"), "{}", after.err);
    let vkey = duly(&stage, &["log", "key", "--incident", "test"]).fine().out;
    let vkey: duly_ledger::Vkey = vkey.lines().next().unwrap().parse().unwrap();
    assert_eq!(hex::encode(vkey.key()), new);

    name_keys(&stage, "second.key", None);
    assert_eq!(keys(&duly(&stage, &all).fine()), vec![(new.clone(), "current".to_owned()); 3]);
    name_keys(&stage, "log.key", None);
    let lost = duly(&stage, &all).fine();
    assert_eq!(keys(&lost), vec![(new, "not in the settings".to_owned()); 3]);
    assert!(lost.err.contains("cannot go on"), "{}", lost.err);
}
