//! A job is a person: however often it comes and whatever is wrong with it, it has one fate and nobody else's suffers.

mod columns;
mod named;
mod retries;

use super::intake_world::{HEADER, IntakeWorld};
use crate::support::{VirtualHost, eventually, skipped, virtual_host};
use duly::broker::connect;
use duly::broker::intake::{DEAD, INTAKE, REJECTED, declare, publish};
use duly::intake::csv::Mapping;
use duly::intake::job::{self, Intake, Job, Target, publish_file, wrap};
use duly::model::contact::RawPerson;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A virtual host of its own, with the consumer in this process.
struct Jobs {
    world: IntakeWorld,
    host: VirtualHost,
    _connection: Connection,
    channel: Channel,
    stop: CancellationToken,
    consumer: Option<JoinHandle<()>>,
}

impl Jobs {
    async fn start(name: &str) -> Self {
        let world = IntakeWorld::start(&format!("job_{name}")).await;
        // Whoever comes first installs it for the whole test process.
        drop(rustls::crypto::ring::default_provider().install_default());
        let host = virtual_host().await;
        let (connection, channel) = connect(&host.url).await.unwrap();
        declare(&channel).await.unwrap();
        Self { world, host, _connection: connection, channel, stop: CancellationToken::new(), consumer: None }
    }

    fn consume(&mut self, accept_plain: bool) {
        let intake = Intake {
            store: self.world.store.clone(),
            master: self.world.master.clone(),
            broker_url: self.host.url.clone().into(),
            accept_plain,
        };
        let stop = self.stop.clone();
        self.consumer = Some(tokio::spawn(async move { job::run(Arc::new(intake), stop).await.unwrap() }));
    }

    async fn target(&self) -> Target {
        let key = self.world.store.load_intake_key(self.world.incident.key).await.unwrap();
        Target { controller: "northmere".into(), incident: "n-2026".into(), public_key: Some(key) }
    }

    async fn job(&self, job_id: &str, person: RawPerson) -> Vec<u8> {
        wrap(&Job { job_id: job_id.into(), person }, &self.target().await).unwrap()
    }

    async fn publish(&self, bodies: &[Vec<u8>]) {
        assert_eq!(publish(&self.channel, INTAKE, bodies).await.unwrap(), bodies.len());
    }

    async fn depth(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap().message_count()
    }

    async fn take(&self, queue: &str) -> Option<Vec<u8>> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap();
        got.map(|message| message.delivery.data.clone())
    }

    /// Waits until the query counts `expected`.
    async fn wait(&self, query: &'static str, expected: i64) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let n = self.world.count(query).await;
            if n == expected {
                return;
            }
            assert!(Instant::now() < until, "`{query}` counts {n}, not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the consumer as SIGTERM does, and checks that nothing is left on the road.
    async fn end(mut self) {
        // Copies of jobs that a killed consumer had taken, and not acknowledged, come back and are known.
        eventually("nothing is left on the road", async || self.depth(INTAKE).await == 0).await;
        self.stop.cancel();
        if let Some(consumer) = self.consumer.take() {
            consumer.await.unwrap();
        }
        assert_eq!(self.depth(INTAKE).await, 0, "jobs are left");
        self.world.audit().await;
    }
}

fn person(reference: &str) -> RawPerson {
    RawPerson {
        external_reference: reference.into(),
        first_name: "Ann".into(),
        last_name: "Marlowe".into(),
        phone: "07400 123456".into(),
        ..RawPerson::default()
    }
}

#[tokio::test]
async fn the_same_job_ten_times_is_one_person() {
    let mut jobs = Jobs::start("ten_times").await;
    jobs.consume(false);

    // In one batch, sealed once and sealed anew, and again later.
    let same = jobs.job("j-1", person("PN1")).await;
    let anew = jobs.job("j-1", person("PN1")).await;
    jobs.publish(&[same.clone(), same.clone(), same.clone(), anew.clone(), anew.clone()]).await;
    jobs.wait("select count(*) from person", 1).await;
    jobs.publish(&[same.clone(), same.clone(), same, anew.clone(), anew]).await;
    jobs.publish(&[jobs.job("j-2", person("PN2")).await]).await;
    jobs.wait("select count(*) from person", 2).await;

    assert_eq!(jobs.world.count("select count(*) from source_row").await, 2);
    jobs.end().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_kept_sealed_announced_without_values_and_acknowledged() {
    let mut jobs = Jobs::start("rejected").await;
    jobs.consume(false);
    let good = jobs.job("j-1", person("PN1")).await;
    let change = |field: &str, value: Value| {
        let mut envelope: Value = serde_json::from_slice(&good).unwrap();
        envelope[field] = value;
        envelope.to_string().into_bytes()
    };
    let other_key = wrap(
        &Job { job_id: "j".into(), person: person("PN9") },
        &Target { public_key: Some(duly::model::seal::generate_pair().0), ..jobs.target().await },
    )
    .unwrap();
    let plain =
        wrap(&Job { job_id: "j".into(), person: person("PN9") }, &Target { public_key: None, ..jobs.target().await }).unwrap();
    let bodies = [
        ("not_json", b"{\"Marlowe".to_vec()),
        ("wrong_version", change("format", json!("duly.job.v2"))),
        ("missing_field", change("incident", json!(""))),
        ("unknown_field", change("phnoe", json!("Marlowe"))),
        ("unknown_incident", change("incident", json!("elsewhere"))),
        ("does_not_open", other_key),
        ("plain_refused", plain),
    ];

    for (_, body) in &bodies {
        jobs.publish(&[body.clone(), body.clone()]).await;
    }
    jobs.publish(&[good]).await;
    jobs.wait("select count(*) from person", 1).await;
    jobs.wait("select count(*) from rejected_job", 7).await;

    let listed = jobs.world.json(&["job", "rejected"]);
    let mut codes: Vec<&str> = listed["jobs"].as_array().unwrap().iter().map(|j| j["code"].as_str().unwrap()).collect();
    let mut expected: Vec<&str> = bodies.iter().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(codes, expected);
    assert!(listed["jobs"].as_array().unwrap().iter().all(|j| !j["remedy"].as_str().unwrap().is_empty()));
    let until = Instant::now() + Duration::from_secs(30);
    while jobs.depth(REJECTED).await < 7 {
        assert!(Instant::now() < until, "not every rejected job was announced");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let announced: Value = serde_json::from_slice(&jobs.take(REJECTED).await.unwrap()).unwrap();
    let kept = listed["jobs"].as_array().unwrap().iter().find(|j| j["id"] == announced["id"]).unwrap();
    assert_eq!((&announced["code"], &announced["hash"]), (&kept["code"], &kept["hash"]));
    assert_eq!(announced.as_object().unwrap().len(), 3);
    assert_eq!(jobs.world.count("select count(*) from rejected_job where position('Marlowe'::bytea in sealed) > 0").await, 0);
    let sealed: Vec<u8> =
        sqlx::query_scalar("select sealed from rejected_job where code = 'not_json'").fetch_one(&jobs.world.owner).await.unwrap();
    assert_eq!(jobs.world.master.open("rejected job", &sealed).unwrap(), b"{\"Marlowe");
    assert!(!listed.to_string().contains("Marlowe"));
    assert_eq!(jobs.depth(DEAD).await, 0);
    jobs.end().await;
}

#[tokio::test]
async fn a_job_with_a_wrong_field_waits_in_quarantine_like_a_row_and_is_corrected_like_one() {
    let mut jobs = Jobs::start("fields").await;
    jobs.consume(false);

    jobs.publish(&[jobs.job("j-1", RawPerson { phone: "12".into(), address: vec!["1".into(); 6], ..person("PN1") }).await]).await;
    jobs.wait("select count(*) from source_row", 1).await;

    let waiting = jobs.world.waiting().await;
    assert!(
        waiting[0].starts_with("1/") && waiting[0].ends_with(" invalid_phone") && waiting[0].len() == 2 + 32 + 14,
        "{waiting:?}"
    );
    let mut out = Vec::new();
    duly::intake::correction::export(&jobs.world.target(), &mut out).await.unwrap();
    let exported = String::from_utf8(out).unwrap().replace(",12,", ",07400 123456,").replace(",,,,,,\n", ",LS1 4AP,,,,,\n");
    let report = jobs.world.correct(None, &exported).await.unwrap();
    assert_eq!((report.rows, report.people), (1, 1), "{exported}");
    jobs.end().await;
}

#[tokio::test]
async fn jobs_and_lists_share_the_rules_of_references() {
    let mut jobs = Jobs::start("references").await;
    jobs.consume(false);
    jobs.world.import("PN1,Ann,Marlowe,07400 123456,,,\n").await;

    jobs.publish(&[
        jobs.job("equal", RawPerson { phone: "+44 7400 123456".into(), ..person("PN1") }).await,
        jobs.job("other", RawPerson { phone: "07400 123457".into(), ..person("PN1") }).await,
        jobs.job("new", person("PN2")).await,
    ])
    .await;
    jobs.wait("select count(*) from source_row", 4).await;
    let list_again = jobs.world.import("PN2,Ann,Marlowe,07400 123456,,,\n").await;

    assert_eq!(jobs.world.count("select count(*) from source_row where fate = 'duplicate_of'").await, 2);
    assert_eq!((list_again.duplicates, list_again.people), (1, 0));
    assert!(jobs.world.waiting().await[0].ends_with("duplicate_reference"));
    jobs.end().await;
}

#[tokio::test]
async fn jobs_behind_a_frozen_list_go_into_a_supplement_and_known_ones_stay_known() {
    let mut jobs = Jobs::start("frozen").await;
    jobs.consume(false);
    let first = jobs.job("j-1", person("PN1")).await;
    jobs.publish(std::slice::from_ref(&first)).await;
    jobs.wait("select count(*) from person", 1).await;

    jobs.world.freeze().await;
    jobs.publish(&[first, jobs.job("j-2", person("PN2")).await]).await;
    jobs.wait("select count(*) from person where list_no = 2", 1).await;

    assert_eq!(jobs.world.count("select count(*) from source_row").await, 2);
    jobs.end().await;
}

#[tokio::test]
async fn a_job_that_the_database_refuses_ends_as_dead_and_stops_nobody_else() {
    let mut jobs = Jobs::start("dead").await;
    // A fault of ours, as no test can foresee it.
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$ begin
             if new.language = 'xx' then raise exception 'refused'; end if; return new; end $$;
         create trigger refuse before insert on person for each row execute function refuse()",
    )
    .execute(&jobs.world.owner)
    .await
    .unwrap();
    jobs.consume(false);

    let poison = jobs.job("j-2", RawPerson { language: "xx".into(), ..person("PN2") }).await;
    jobs.publish(&[jobs.job("j-1", person("PN1")).await, poison.clone(), jobs.job("j-3", person("PN3")).await]).await;
    jobs.wait("select count(*) from person", 2).await;
    let until = Instant::now() + Duration::from_secs(60);
    while jobs.depth(DEAD).await == 0 {
        assert!(Instant::now() < until, "the job was not moved to {DEAD}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    assert_eq!(jobs.take(DEAD).await.unwrap(), poison);
    jobs.end().await;
}

#[tokio::test]
async fn plain_jobs_are_taken_only_where_the_setting_says_so() {
    let mut jobs = Jobs::start("plain").await;
    jobs.consume(true);

    let target = Target { public_key: None, ..jobs.target().await };
    jobs.publish(&[wrap(&Job { job_id: "j-1".into(), person: person("PN1") }, &target).unwrap()]).await;
    jobs.wait("select count(*) from person", 1).await;

    jobs.end().await;
}

#[tokio::test]
async fn a_file_published_twice_and_imported_once_more_tells_nobody_twice() {
    let mut jobs = Jobs::start("files").await;
    let csv = jobs.world.file("people.csv", format!("{HEADER}PN1,Ann,Price,07400 123456,,,\nPN2,Bo,Hill,12,,,\n"));
    let lines = jobs.world.file(
        "people.jsonl",
        "{\"job_id\":\"j\",\"person\":{\"external_reference\":\"PN3\",\"last_name\":\"Dale\",\"phone\":\"07400 123458\"}}\n\n",
    );
    let broken = jobs.world.file("broken.jsonl", "{\"job_id\":\"k\",\"person\":{}}\n{\"job_id\":\"\"}\n{\n");
    let target = jobs.target().await;
    jobs.consume(false);

    for _ in 0..2 {
        assert_eq!(publish_file(&jobs.channel, &csv, &Mapping::default(), &target).await.unwrap(), 2);
        assert_eq!(publish_file(&jobs.channel, &lines, &Mapping::default(), &target).await.unwrap(), 1);
    }
    let refused = publish_file(&jobs.channel, &broken, &Mapping::default(), &target).await.unwrap_err();
    jobs.wait("select count(*) from source_row", 3).await;
    let report = jobs.world.import("PN1,Ann,Price,07400 123456,,,\n").await;

    assert_eq!(refused.to_string(), "lines that are no jobs: 2 (missing_field), 3 (not_json)");
    assert_eq!((report.people, report.duplicates), (0, 1));
    assert_eq!(jobs.world.count("select count(*) from person").await, 2);
    jobs.end().await;
}

#[tokio::test]
async fn intake_killed_in_the_middle_takes_every_job_once() {
    let jobs = Jobs::start("killed").await;
    let mut bodies = Vec::new();
    for i in 0..2000 {
        bodies.push(jobs.job(&format!("j-{i}"), person(&format!("PN{i}"))).await);
    }
    let (first, rest) = bodies.split_at(200);
    jobs.publish(first).await;
    let serve = || {
        let mut command = jobs.world.duly(&["serve", "intake"]);
        command.env("DULY_BROKER__URL", &jobs.host.url).stderr(Stdio::null()).spawn().unwrap()
    };

    let mut victim = serve();
    jobs.wait("select count(*) from person", 200).await;
    // It stands still amid the rest, however busy the machine is.
    let mut gate = jobs.world.owner.begin().await.unwrap();
    sqlx::query("lock table person in exclusive mode").execute(&mut *gate).await.unwrap();
    jobs.publish(rest).await;
    let waits = "select least(count(*), 1) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())";
    jobs.wait(waits, 1).await;
    victim.kill().unwrap();
    gate.rollback().await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    victim.wait().unwrap();
    let taken = jobs.world.count("select count(*) from person").await;
    let mut heir = serve();
    jobs.wait("select count(*) from person", 2000).await;
    while jobs.depth(INTAKE).await > 0 {
        assert!(Instant::now() < until + Duration::from_secs(60), "jobs are left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    heir.kill().unwrap();
    heir.wait().unwrap();

    assert!(taken < 2000, "intake was not cut");
    jobs.end().await;
}

/// A sealed box made by PyNaCl, with the intake key whose secret is 00 01 … 1f.
#[test]
fn a_box_sealed_by_another_implementation_opens() {
    let secret = duly::model::seal::Key::from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap();
    let sealed = hex::decode(include_str!("pynacl_sealed_box.hex").trim()).unwrap();
    let opened: Value = serde_json::from_slice(&duly::model::seal::open_with(&secret, &sealed).unwrap()).unwrap();
    assert_eq!(opened["person"]["last_name"], "Llŷr");
}

#[tokio::test]
async fn the_python_example_publishes_what_intake_takes() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_packages =
        Command::new(&python).args(["-c", "import pika, nacl"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !has_packages {
        skipped(&format!("{python} has no pika and pynacl; the box sealed by PyNaCl above shows the format"));
        return;
    }
    let mut jobs = Jobs::start("python").await;
    jobs.consume(false);
    let key = jobs.world.json(&["job", "key", "--incident", "n-2026"])["public_key"].as_str().unwrap().to_owned();

    let mut example = Command::new(&python)
        .args(["examples/publish_job.py", "northmere", "n-2026", &key])
        .env("AMQP_URL", &jobs.host.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = json!({"job_id": "j-1", "person": {"external_reference": "PN1", "last_name": "Llŷr", "phone": "07400 123456"}});
    example.stdin.take().unwrap().write_all(format!("{line}\n{line}\n").as_bytes()).unwrap();
    let output = example.wait_with_output().unwrap();

    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 jobs published\n");
    jobs.wait("select count(*) from person", 1).await;
    jobs.end().await;
}
