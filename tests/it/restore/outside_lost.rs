//! The copy outside is lost, alone or with the database that came back older: nobody is written to on a guess.

use super::ground::{
    PEOPLE, come_back, come_back_with_a_gap, duly, duly_shown, holds, killed_shown, outside, serve_to_the_end, serve_until,
    stage, told, verdict,
};
use crate::support::{Capability, Setup, Stage, eventually, lane};
use duly::evidence::{Archive, publisher};
use duly_ledger::verify::Verdict;
use std::path::Path;

fn lose(stage: &Stage) {
    std::fs::remove_dir_all(outside(stage)).unwrap();
}

const TELLS_MORE: &str = "the copy outside tells more than this database knows: it is not the one that was last sent from";

/// No scheduler starts, no pack is made, and no command guesses which database this is.
fn is_refused(stage: &Stage) {
    let (what, remedy) = ("`evidence.outside` has no mark of this database", "duly restore reconcile --database current|older");
    duly(stage, &["serve", "scheduler"]).refused(what, remedy);
    duly(stage, &["restore", "reconcile"]).refused(what, remedy);
    duly(stage, &["restore", "reconcile", "--dry-run"]).refused(what, remedy);
    let pack = stage.folder.path().join("pack.zip");
    duly(stage, &["pack", "incident", "--incident", "test", "--out", pack.to_str().unwrap()]).refused(what, remedy);
}

#[tokio::test]
async fn a_database_that_came_back_older_with_its_copy_lost_tells_nobody_twice() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    come_back(&stage).await;
    lose(&stage);
    is_refused(&stage);
    let shown = duly(&stage, &["restore", "reconcile", "--database", "older", "--dry-run"]).fine().out;
    assert!(shown.contains("By your word this database is an older one"), "{shown}");
    // Cut off after the new mark was written, it is run again with the same words.
    killed_shown(&stage, &outside(&stage), &["--database", "older"], "restore_marked").await;
    duly(&stage, &["restore", "reconcile", "--database", "older"]).fine();

    // Everybody waits under the hold while what may have left is looked up; then nothing is left to be sent.
    let reasons = "select reason from hold where person_id is null and lifted_at is null";
    assert_eq!(stage.words(reasons).await, ["restored"]);
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    let states = "select state from message group by 1";
    assert_eq!(stage.words(states).await, ["accepted"], "all were found at the provider");
    let said = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'database' from event where kind = 'restore.reconciled'";
    assert_eq!(stage.words(said).await, ["older", "older"]);
    // What was published before and is lost may be in somebody's hands: the log goes on under another name.
    assert_eq!(stage.count("select max(generation)::bigint from log_generation").await, 2);
    stage.audit().await;
    assert_eq!(verdict(&stage).await.verdict, Verdict::Good);
}

#[tokio::test]
async fn a_copy_that_alone_was_lost_is_written_again_and_nothing_is_forgotten() {
    let stage = stage(vec![lane(Capability::Nothing)], Setup::default()).await;
    serve_until(&stage, 10).await;
    duly(&stage, &["restore", "reconcile", "--database", "current"])
        .refused("the place outside knows this database", "without `--database`");
    let before = files(&stage);
    lose(&stage);
    is_refused(&stage);
    // A log that this database does not know was published by one that came after it.
    let unknown = outside(&stage).join("duly.test").join(uuid::Uuid::now_v7().to_string());
    std::fs::create_dir_all(&unknown).unwrap();
    duly(&stage, &["restore", "reconcile", "--database", "current"])
        .refused(TELLS_MORE, "duly restore reconcile --database older");
    std::fs::remove_dir(&unknown).unwrap();
    killed_shown(&stage, &outside(&stage), &["--database", "current"], "restore_marked").await;
    duly(&stage, &["restore", "reconcile", "--database", "current"]).fine();

    let after = files(&stage);
    assert!(before.iter().all(|file| after.contains(file)), "{before:?} {after:?}");
    assert_eq!(stage.count("select count(*) from message where state in ('unknown', 'asked')").await, 0);
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    holds(&stage).await;
}

#[tokio::test]
async fn a_word_that_was_given_at_a_wrong_place_does_not_count_at_the_right_one_and_nobody_is_told_twice() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    come_back_with_a_gap(&stage).await;
    let elsewhere = stage.folder.path().join("elsewhere");
    killed_shown(&stage, &elsewhere, &["--database", "current"], "restore_marked").await;

    for word in ["current", "older"] {
        for more in [&["--dry-run"][..], &[]] {
            duly(&stage, &[&["restore", "reconcile", "--database", word], more].concat())
                .refused("the place outside knows this database", "without `--database`");
        }
    }
    say_that_it_is_anothers(&elsewhere.join("high-water.json"));
    duly_shown(&stage, &elsewhere, &["restore", "reconcile"])
        .refused("`evidence.outside` holds the logs of another installation", "a place of its own");
    assert_eq!(stage.count("select count(*) from event where kind = 'restore.reconciled'").await, 0);
    let shown = duly(&stage, &["restore", "reconcile", "--dry-run"]).fine().out;
    assert!(shown.contains("published further than this database knows"), "{shown}");
    duly(&stage, &["restore", "reconcile"]).fine();

    assert_eq!(stage.count("select count(*) from message where state = 'ready'").await, 0, "whatever may have left is looked up");
    let said = "select coalesce(convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'database', 'nobody') from event where kind = 'restore.reconciled'";
    assert_eq!(stage.words(said).await, ["nobody", "nobody"]);
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    holds(&stage).await;
}

/// Changes whose mark it is.
fn say_that_it_is_anothers(mark: &Path) {
    let mut said: serde_json::Value = serde_json::from_slice(&std::fs::read(mark).unwrap()).unwrap();
    said["installation"] = serde_json::json!(uuid::Uuid::now_v7());
    std::fs::write(mark, said.to_string()).unwrap();
}

#[tokio::test]
async fn nobodys_word_counts_that_nothing_is_forgotten_where_the_copy_tells_more() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    come_back(&stage).await;
    std::fs::remove_file(outside(&stage).join("high-water.json")).unwrap();
    is_refused(&stage);

    for more in [&["--dry-run"][..], &["--new-generation"], &[]] {
        duly(&stage, &[&["restore", "reconcile", "--database", "current"], more].concat())
            .refused(TELLS_MORE, "duly restore reconcile --database older");
    }
    duly(&stage, &["restore", "reconcile", "--database", "older"]).fine();

    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    stage.audit().await;
}

/// Bundles and full tiles outside; partial ones come and go with the size.
fn files(stage: &Stage) -> Vec<String> {
    let found = std::process::Command::new("find").args([".", "-type", "f"]).current_dir(outside(stage)).output().unwrap();
    let names = String::from_utf8(found.stdout).unwrap();
    names.lines().filter(|name| !name.contains(".p/") && !name.ends_with(".json")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_file_that_is_taken_from_the_copy_is_missed_and_written_again() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    serve_to_the_end(&stage).await;
    let archive = Archive::open(&stage.office.settings, &stage.office.store).unwrap();
    assert_eq!(publisher::mend(&archive).await.unwrap(), 0);

    let of_log = outside(&stage).join(format!("duly.test/{}", stage.incident.incident_id));
    let copy = of_log.join("tile/entries");
    let before = std::fs::read_dir(&copy).unwrap().count();
    for lost in [copy.clone(), of_log.join("checkpoint"), of_log.join("tile/0")] {
        if lost.is_dir() {
            std::fs::remove_dir_all(&lost).unwrap()
        } else {
            std::fs::remove_file(&lost).unwrap()
        }
        assert_eq!(publisher::mend(&archive).await.unwrap(), 1, "{}", lost.display());
        assert!(lost.exists());
    }
    assert_eq!((std::fs::read_dir(&copy).unwrap().count(), publisher::mend(&archive).await.unwrap()), (before, 0));
    holds(&stage).await;
}

#[tokio::test]
async fn a_worker_that_has_no_mark_to_compare_with_calls_nobody_before_a_leader_has() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    serve_until(&stage, 10).await;
    let mut scheduler = stage.start(&["scheduler"]);
    eventually("jobs wait in the broker", async || {
        stage.count("select count(*) from message where state = 'ready' and lease_until > now()").await > 0
    })
    .await;
    scheduler.terminate().await;

    let (before, elsewhere) = (stage.sandbox.state.requests(), stage.folder.path().join("elsewhere"));
    let mut worker = stage.start_with(&["worker"], None, &[("DULY_EVIDENCE__OUTSIDE", elsewhere.to_str().unwrap())]);
    eventually("it waits for a leader", async || worker.log().contains("waits for a scheduler")).await;
    assert_eq!(stage.sandbox.state.requests(), before);

    let mut scheduler = stage.start(&["scheduler"]);
    eventually("everybody is told", async || told(&stage) == PEOPLE as usize).await;
    for process in [&mut scheduler, &mut worker] {
        process.terminate().await;
    }
    stage.audit().await;
}
