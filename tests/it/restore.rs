//! A database that comes back older sends nobody twice.

use crate::support::{Capability, Lane, Process, Setup, Stage, eventually, lane};
use duly::cli::restore::reconcile;
use duly::config::{Settings, layers_with};
use duly::dispatch::Office;
use duly::evidence::restore::list_lost;
use duly::evidence::{Archive, sequencer};
use duly_ledger::{Checkpoint, Signer};
use sqlx::Connection;
use std::process::Command;
use std::sync::Arc;

const PEOPLE: u32 = 30;

async fn stage(capability: Capability, unknown_rule: &'static str) -> Stage {
    let lane = Lane { per_second: 10, unknown_rule, ..lane(capability) };
    Stage::new(Setup { people: PEOPLE, lanes: vec![lane], ..Setup::default() }).await
}

fn dump(stage: &Stage) -> std::path::PathBuf {
    let file = stage.folder.path().join("backup.sql");
    let done = Command::new("pg_dump").args(["--no-owner", "--file"]).arg(&file).arg(&stage.database.url).status();
    assert!(done.unwrap().success());
    file
}

/// Puts the backup in the place of the database, under the same name.
async fn restore(stage: &Stage, backup: &std::path::Path) {
    let (server, name) = stage.database.url.rsplit_once('/').unwrap();
    let mut connection = sqlx::PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    for statement in [format!("drop database {name} with (force)"), format!("create database {name}")] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let done = Command::new("psql")
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"])
        .arg(backup)
        .arg(&stage.database.url)
        .status();
    assert!(done.unwrap().success());
}

/// The stage's office with connections to the database that is there now.
async fn office(stage: &Stage) -> Arc<Office> {
    let settings = Settings::load(&layers_with(Some(&stage.settings), std::iter::empty::<(String, String)>(), &[])).unwrap();
    Arc::new(Office::open(settings).await.unwrap())
}

fn told(stage: &Stage) -> usize {
    stage.sandbox.state.record().len()
}

fn serve(stage: &Stage) -> Process {
    stage.start(&["scheduler", "worker"])
}

/// Sends to a third, makes a backup, sends to everybody, publishes all of it, and comes back from the backup.
async fn come_back(stage: &Stage) {
    let mut before = serve(stage);
    eventually("a third is told", async || told(stage) >= 10).await;
    let backup = dump(stage);
    eventually("everybody is told", async || told(stage) == PEOPLE as usize).await;
    stage.drain().await;
    eventually("all of it is published", async || stage.count("select count(*) from event_inbox").await == 0).await;
    before.terminate().await;
    restore(stage, &backup).await;
}

/// Processes that find the restore send nothing and sequence nothing.
async fn is_stopped(stage: &Stage, office: &Office) {
    let mut early = serve(stage);
    eventually("the restore is noticed", async || office.store.open_restore().await.is_ok_and(|found| found.is_some())).await;
    let before = stage.sandbox.state.requests();
    eventually("the scheduler leads", async || {
        stage.count("select count(*) from leadership where role = 'scheduler' and expires_at > now()").await == 1
    })
    .await;
    // Long enough for the pace to queue all of them.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(stage.count("select count(*) from message where state = 'ready' and due_at <= now()").await > 0);
    assert_eq!(stage.sandbox.state.requests(), before);
    early.terminate().await;
}

#[tokio::test]
async fn after_a_restore_nothing_is_sent_until_it_is_reconciled_and_then_nobody_is_told_twice() {
    let stage = stage(Capability::StrongLookup, "ask").await;
    come_back(&stage).await;
    let office = office(&stage).await;
    is_stopped(&stage, &office).await;

    let archive = Archive::open(&office.settings, &office.store).unwrap();
    let lost = list_lost(&archive).await.unwrap();
    assert!(lost.iter().any(|log| log.head.log_id == stage.incident.incident_id && !log.told.is_empty()));
    reconcile(&office, &archive, &stage.users.ann).await.unwrap();
    assert!(office.store.open_restore().await.unwrap().is_none());
    assert!(list_lost(&archive).await.unwrap().is_empty());

    let mut after = serve(&stage);
    stage.drain().await;
    eventually("the log goes on", async || stage.count("select count(*) from event_inbox").await == 0).await;
    after.terminate().await;
    assert_eq!(told(&stage), PEOPLE as usize);
    assert_eq!(stage.count("select count(*) from message where state = 'accepted'").await, i64::from(PEOPLE));
    assert!(office.store.audit(stage.incident.key).await.unwrap().is_empty());

    let archive = Arc::new(archive);
    sequencer::run_once(archive.clone()).await.unwrap();
    let origin = format!("duly.test/{}/2", stage.incident.incident_id);
    let note = std::fs::read(std::path::Path::new(&office.settings.evidence.outside).join(&origin).join("checkpoint")).unwrap();
    let signer = Signer::new(&origin, office.settings.log_key().unwrap().bytes()).unwrap();
    assert!(Checkpoint::open(&note, &[signer.vkey().clone()]).unwrap().size > 1);
}

#[tokio::test]
async fn where_a_provider_cannot_be_asked_a_person_decides_after_a_restore() {
    for capability in [Capability::Nothing, Capability::Idempotent] {
        let stage = stage(capability, "ask").await;
        come_back(&stage).await;
        let office = office(&stage).await;
        let archive = Archive::open(&office.settings, &office.store).unwrap();
        let mut early = serve(&stage);
        eventually("the restore is noticed", async || office.store.open_restore().await.is_ok_and(|found| found.is_some())).await;
        early.terminate().await;
        reconcile(&office, &archive, &stage.users.ann).await.unwrap();

        let mut after = serve(&stage);
        stage.drain().await;
        after.terminate().await;
        assert_eq!(told(&stage), PEOPLE as usize);
        assert!(stage.count("select count(*) from message where state = 'asked'").await > 0);
    }
}
