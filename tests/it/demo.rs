//! The demo as a newcomer runs it: it ends well only where everything holds, and says what does not.

use crate::support::{VirtualHost, server, virtual_host};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use uuid::Uuid;

/// A demo with a folder, a database and a virtual host of its own.
struct Demo {
    name: String,
    folder: PathBuf,
    broker: VirtualHost,
}

impl Demo {
    async fn new() -> Self {
        // The tests' own HTTP client needs one; another test may have been first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let name = format!("test{}", Uuid::from_u128(rand::random()).simple());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(format!("demo-{name}"));
        Self { name, folder, broker: virtual_host().await }
    }

    /// Runs it to its end, with the fewest people that it takes.
    async fn run(&self, more: &[&str]) -> Output {
        let mut command = self.duly(&["demo", "--people", "500", "--name", &self.name]);
        command.args(more);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn duly(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
        command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env("AMQP_URL", &self.broker.url);
        command
    }

    fn summary(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("summary.json")).unwrap()).unwrap()
    }

    /// What it leaves is kept where a test fails.
    async fn clear(self) {
        let mut connection = PgConnection::connect(&server()).await.unwrap();
        let drop = format!("drop database duly_demo_{} with (force)", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn the_demo_ends_well_and_leaves_its_figures_a_letter_and_a_pack_that_verifies() {
    let demo = Demo::new().await;

    // The machine may have other work.
    let ran = demo.run(&["--seconds-max", "600"]).await;

    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(0), "{out}\n{err}");
    assert!(out.contains("Nobody is lost and nobody was told twice."), "{out}");
    assert!(out.contains("a rehearsal and tells nobody") && !out.contains("ALARM"), "{out}");
    let summary = demo.summary();
    let n = |field: &str| summary[field].as_i64().unwrap_or_else(|| panic!("no {field} in {summary}"));
    assert_eq!((n("rows_read"), n("people") + n("duplicates") + n("quarantined")), (500, 500), "{summary}");
    let states: i64 = summary["person_states"].as_object().unwrap().values().map(|n| n.as_i64().unwrap()).sum();
    assert_eq!((n("lost"), states), (0, n("people")), "{summary}");
    assert_eq!(summary["max_sends_per_message"], 1.0, "{summary}");
    assert!(n("in_flight_at_kill") > 0 && n("unknown_created") > 0 && n("produced") > 0 && n("seconds") > 0, "{summary}");
    assert_eq!((n("unknown_resolved"), summary["findings"].as_array().map(Vec::len)), (n("unknown_created"), Some(0)));
    assert!(std::fs::read(demo.folder.join("sample-letter.pdf")).unwrap().starts_with(b"%PDF-"));
    let story = std::fs::read_to_string(demo.folder.join("person-story.txt")).unwrap();
    assert!(story.starts_with("p_") && story.contains("a rehearsal and tells nobody"), "{story}");
    let [pack, key] = ["pack.zip", "log.vkey"].map(|file| demo.folder.join(file).display().to_string());
    let verified = demo.duly(&["verify", &pack, "--key", &key]).output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    assert!(out.contains(&format!("target/demo-{}/pack.zip", demo.name)), "{out}");
    demo.clear().await;
}

#[tokio::test]
async fn a_demo_that_is_not_done_in_its_time_ends_with_1_and_says_so() {
    let demo = Demo::new().await;

    let ran = demo.run(&["--seconds-max", "1"]).await;

    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(1), "{out}\n{err}");
    assert!(err.contains("error: the time was over and a notice is still open"), "{err}");
    assert!(out.contains("It does not hold: the time was over") && !out.contains("Nobody is lost"), "{out}");
    // So early no worker could be killed amid its calls: a finding like any other, with its figures.
    assert!(out.contains("too few calls reached the providers"), "{out}");
    assert!(demo.summary()["person_states"]["notified"].as_i64() < demo.summary()["people"].as_i64());
    demo.clear().await;
}

#[tokio::test]
async fn a_demo_never_makes_a_database_anew_that_is_none_of_a_demo() {
    let demo = Demo::new().await;

    for name in ["../x", "a b", "A", "", "x;drop"] {
        let ran = demo.duly(&["demo", "--name", name]).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{name}");
        assert!(text(&ran.stderr).contains("lower-case letters and digits"), "{}", text(&ran.stderr));
    }
}
