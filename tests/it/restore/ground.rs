//! A run that went on after its backup was made, and a database that came back from it.

use crate::cli::desk::{Ran, run};
use crate::support::{Lane, Process, Setup, Stage, eventually, write_private};
use crate::told;
use duly::config::{Settings, layers_with};
use duly::dispatch::Office;
use duly_ledger::verify::{Report, Verdict};
use sqlx::Connection;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

pub const PEOPLE: u32 = 30;
const PASSPHRASE: &str = "the long passphrase of ann";

/// A stage of thirty people at a pace that leaves time to make a backup; ann may sign on the command line.
pub async fn stage(lanes: Vec<Lane>, setup: Setup) -> Stage {
    let lanes = lanes.into_iter().map(|lane| Lane { per_second: 5, ..lane }).collect();
    let stage = Stage::new(Setup { people: PEOPLE, lanes, ..setup }).await;
    may_sign(&stage);
    stage
}

/// Puts ann's key where her commands find it.
pub fn may_sign(stage: &Stage) {
    write_private(&stage.folder.path().join("ann.key"), &stage.users.ann.key.to_file(PASSPHRASE).unwrap());
    write_private(&stage.folder.path().join("ann.pass"), PASSPHRASE);
}

/// Physical messages so far.
pub fn told(stage: &Stage) -> usize {
    stage.sandbox.state.record().len()
}

pub fn serve(stage: &Stage) -> Process {
    stage.start(&["scheduler", "worker"])
}

/// Serves until so many messages are produced, and all that is known of them is published.
pub async fn serve_until(stage: &Stage, messages: usize) {
    let mut process = serve(stage);
    eventually("so many are told", async || told(stage) >= messages).await;
    process.terminate().await;
    told::sequence(stage).await;
}

/// Serves until nothing is due, and publishes.
pub async fn serve_to_the_end(stage: &Stage) {
    let mut process = serve(stage);
    stage.drain().await;
    process.terminate().await;
    told::sequence(stage).await;
}

pub fn dump(stage: &Stage) -> PathBuf {
    let file = stage.folder.path().join("backup.sql");
    let done = Command::new("pg_dump").args(["--no-owner", "--file"]).arg(&file).arg(&stage.database.url).status();
    assert!(done.unwrap().success());
    file
}

fn read_back(stage: &Stage, backup: &Path) {
    let mut psql = Command::new("psql");
    psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"]).arg(backup).arg(&stage.database.url);
    assert!(psql.status().unwrap().success());
}

/// Puts the backup in the place of the database, under the same name.
pub async fn restore(stage: &Stage, backup: &Path) {
    let (server, name) = stage.database.url.rsplit_once('/').unwrap();
    let mut connection = sqlx::PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    for statement in [format!("drop database {name} with (force)"), format!("create database {name}")] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    read_back(stage, backup);
    connections_are_new(stage).await;
}

/// The pools of the stage have thrown away what the restore cut.
pub async fn connections_are_new(stage: &Stage) {
    eventually("the pools have new connections", async || {
        let mut good = true;
        for _ in 0..6 {
            good &= stage.office.store.now().await.is_ok() && sqlx::query("select 1").execute(&stage.owner).await.is_ok();
        }
        good
    })
    .await;
}

/// Puts the backup into the same database, so that nothing but the pulse tells.
pub async fn restore_inside(stage: &Stage, backup: &Path) {
    sqlx::raw_sql("drop schema public cascade; create schema public; grant usage on schema public to public")
        .execute(&stage.owner)
        .await
        .unwrap();
    read_back(stage, backup);
}

/// The stage's office with connections to the database that is there now.
pub async fn office(stage: &Stage) -> Arc<Office> {
    let settings = Settings::load(&layers_with(Some(&stage.settings), std::iter::empty::<(String, String)>(), &[])).unwrap();
    Arc::new(Office::open(settings).await.unwrap())
}

pub fn outside(stage: &Stage) -> PathBuf {
    PathBuf::from(&stage.office.settings.evidence.outside)
}

/// Sends to a third, makes a backup, sends to everybody, publishes all of it, and comes back from the backup.
pub async fn come_back(stage: &Stage) -> PathBuf {
    serve_until(stage, 10).await;
    let backup = dump(stage);
    serve_to_the_end(stage).await;
    restore(stage, &backup).await;
    backup
}

/// As `come_back`, but what happened after two thirds was never published.
pub async fn come_back_with_a_gap(stage: &Stage) {
    serve_until(stage, 10).await;
    let backup = dump(stage);
    serve_until(stage, 20).await;
    let (copy, kept) = (outside(stage), stage.folder.path().join("kept"));
    copy_folder(&copy, &kept);
    serve_to_the_end(stage).await;
    restore(stage, &backup).await;
    std::fs::remove_dir_all(&copy).unwrap();
    copy_folder(&kept, &copy);
}

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn command(stage: &Stage, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
    command.arg("--settings").arg(&stage.settings).args(args).current_dir(stage.folder.path()).env_remove("DATABASE_URL");
    command.env("DULY_USER_KEY", "ann.key").env("DULY_PASSPHRASE_FILE", "ann.pass");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command of ann's.
pub fn duly(stage: &Stage, args: &[&str]) -> Ran {
    run(command(stage, args), "")
}

/// A command of ann's that is shown another place for `evidence.outside`.
pub fn duly_shown(stage: &Stage, place: &Path, args: &[&str]) -> Ran {
    let mut command = command(stage, args);
    command.env("DULY_EVIDENCE__OUTSIDE", place);
    run(command, "")
}

/// A command of somebody who has no user's key.
pub fn unsigned(stage: &Stage, args: &[&str]) -> Ran {
    let mut command = command(stage, args);
    command.env_remove("DULY_USER_KEY");
    run(command, "")
}

/// Runs `duly restore reconcile` and kills it at a failpoint.
pub async fn killed_at(stage: &Stage, point: &str) {
    killed_shown(stage, &outside(stage), &[], point).await;
}

/// The same with a word for the database, and shown another place for `evidence.outside`.
pub async fn killed_shown(stage: &Stage, place: &Path, words: &[&str], point: &str) {
    let points = tempfile::tempdir_in(stage.folder.path()).unwrap();
    let mut command = command(stage, &[&["restore", "reconcile"], words].concat());
    command.env("DULY_EVIDENCE__OUTSIDE", place);
    let mut child = command.env("DULY_FAILPOINT", point).env("DULY_FAILPOINT_DIR", points.path()).spawn().unwrap();
    eventually(&format!("reconcile stands at {point}"), async || {
        assert!(child.try_wait().unwrap().is_none(), "reconcile ended before {point}");
        points.path().join(point).exists()
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What anybody may check of the whole incident.
pub async fn verdict(stage: &Stage) -> Report {
    let pack = crate::packs::incident_pack(stage, duly::report::pack::Audience::Regulator, false).await;
    told::check(stage, &pack)
}

/// Everything holds: the tables, the providers' record, and a pack in others' hands.
pub async fn holds(stage: &Stage) {
    stage.audit().await;
    let report = verdict(stage).await;
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
}
