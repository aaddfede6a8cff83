//! An older copy of a lane's folder that somebody puts back: what it does not know may have been carried away.

use super::{LONGEST, texts};
use crate::cli::desk::run;
use crate::support::{Lane, Process, Setup, Stage, within};
use duly::provider::Check;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A stage whose texts go into a folder, two into a batch, or after three seconds.
async fn stage(people: u32) -> (Stage, PathBuf) {
    let lane = Lane {
        extra: "provider = \"file\"\nfolder = \"{folder}/texts\"\nbatch_messages_max = 2\nbatch_seconds = 3\ndocket_minutes = 5\n",
        ..Lane::named("texts")
    };
    let stage = Stage::new(Setup { people, lanes: vec![lane], ..Setup::default() }).await;
    assert_eq!(stage.office.accounts["texts"].provider.check().await, Check::Good);
    let folder = stage.folder.path().join("texts");
    (stage, folder)
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Puts `copy` where `folder` is, and what was there aside.
fn put_back(copy: &Path, folder: &Path, aside: &str) {
    std::fs::rename(folder, folder.with_file_name(aside)).unwrap();
    std::fs::rename(copy, folder).unwrap();
}

fn end(processes: [Process; 2]) {
    processes.into_iter().for_each(|mut process| process.kill());
}

fn listed(stage: &Stage) -> crate::cli::desk::Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
    command.arg("--settings").arg(&stage.settings).args(["batch", "list", "--json"]).current_dir(stage.folder.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    run(command, "")
}

const NOTED: &str = "select count(*) from lane_batch where lane = 'texts'";

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_an_older_copy_is_put_into_no_second_batch() {
    let (stage, folder) = stage(3).await;
    let start = || [stage.start(&["scheduler"]), stage.start(&["worker"])];
    let processes = start();
    let waiting = || std::fs::read_dir(folder.join("waiting")).unwrap().count();
    let closed = async || stage.count("select count(*) from lane_batch where lane = 'texts'").await;
    let one_waits = async || (texts(&folder).len() == 2 && waiting() == 1 && closed().await == 1).then_some(());
    within(LONGEST, "one waits", one_waits).await;
    end(processes);
    let old = stage.folder.path().join("old");
    copy(&folder, &old);
    let processes = start();
    within(LONGEST, "both batches are known", async || (stage.count(NOTED).await == 2).then_some(())).await;
    end(processes);

    put_back(&old, &folder, "newest");
    stage.add_people(4..=5, &[duly::model::state::Route::Sms]).await;
    let processes = start();
    let rests = "select count(*) from lane_pause where lane = 'texts' and code = 'folder_older'";
    within(LONGEST, "the lane rests", async || (stage.count(rests).await == 1).then_some(())).await;
    end(processes);

    assert_eq!((texts(&folder).len(), waiting()), (2, 1), "what was carried away stands in no other batch");
    assert_eq!(listed(&stage).fine().json()[0]["lacks"], json!({ "batches": 1, "messages": 0 }));
    put_back(&folder.with_file_name("newest"), &folder, "old");
    stage.shift_clock(65).await;
    let _processes = start();
    stage.drain().await;
    within(LONGEST, "everybody stands in a batch", async || (texts(&folder).len() == 5).then_some(())).await;
    assert_eq!(listed(&stage).fine().json()[0]["lacks"], json!({ "batches": 0, "messages": 0 }));
    let references: std::collections::BTreeSet<String> = texts(&folder).into_iter().map(|text| text.reference).collect();
    assert_eq!(references.len(), 5, "nobody stands in two");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_copy_does_not_know_is_not_sent_again() {
    let (stage, folder) = stage(2).await;
    let (empty, start) = (stage.folder.path().join("empty"), |roles: &[&str]| stage.start(roles));
    copy(&folder, &empty);
    let mut scheduler = start(&["scheduler"]);
    let mut worker = start(&["worker"]);
    // One batch, or two where this machine is slow.
    let whole = async || (texts(&folder).len() == 2 && stage.states().await == ["accepted"; 2]).then_some(());
    within(LONGEST, "both stand in a batch", whole).await;
    let closed = i64::try_from(std::fs::read_dir(folder.join("batches")).unwrap().count()).unwrap();
    within(LONGEST, "their batches are known", async || (stage.count(NOTED).await == closed).then_some(())).await;
    worker.kill();
    let mut worker = stage.start_at("entry_placed", &["worker"]);
    stage.add_people(3..=3, &[duly::model::state::Route::Sms]).await;
    worker.reached().await;
    scheduler.kill();
    worker.kill();

    put_back(&empty, &folder, "newest");
    stage.shift_clock(60).await;
    let mut processes = [start(&["scheduler"]), start(&["worker"])];
    let asked = "select count(*) from lookup";
    within(LONGEST, "the folder is asked", async || (stage.count(asked).await >= 2).then_some(())).await;
    processes.iter_mut().for_each(Process::kill);

    let third = "select state from message where lane = 'texts' and state <> 'accepted'";
    assert_eq!(stage.words(third).await, ["unknown"], "it may have been carried away");
    assert_eq!(stage.count("select count(*) from attempt").await, 3);
    assert_eq!(listed(&stage).fine().json()[0]["lacks"], json!({ "batches": closed, "messages": 2 }));
    put_back(&folder.with_file_name("newest"), &folder, "empty");
    let _processes = [start(&["scheduler"]), start(&["worker"])];
    within(LONGEST, "everybody stands in a batch", async || (texts(&folder).len() == 3).then_some(())).await;
    stage.drain().await;
    assert_eq!(stage.count("select count(*) from attempt").await, 3, "it was found, and not sent again");
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
}
