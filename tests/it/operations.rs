//! What operators rely on: logs and metrics without personal data, honest health, a graceful stop.

mod broker_disk;

use crate::cli::desk::{Desk, PERSONAL, run};
use crate::support::Proxy;
use broker_disk::{Newcomer, nothing_lies_readable_at_the_broker};
use serde_json::Value;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Secrets that show wherever they leak to.
const API_KEY: &str = "canary-api-key-5e0b71";
const RECEIPT_SECRET: &str = "canary-receipt-secret-83c1d4";
/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port at which nobody listens.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A long-running process that is ended when the test ends.
struct Service {
    child: Child,
}

impl Service {
    fn start(desk: &Desk, args: &[&str], log: &str) -> Self {
        let log = std::fs::File::create(desk.folder.path().join(log)).unwrap();
        let child = desk.command(args).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child }
    }

    fn terminate(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("a process was left behind");
        }
    }
}

/// Asks until the answer is as wanted; returns it.
async fn until<T: std::fmt::Debug>(mut ask: impl AsyncFnMut() -> T, is_wanted: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if is_wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn get(port: u16, path: &str) -> (u16, String) {
    match reqwest::get(format!("http://127.0.0.1:{port}{path}")).await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}

async fn ready(port: u16) -> (u16, Value) {
    let (code, body) = get(port, "/health/ready").await;
    (code, serde_json::from_str(&body).unwrap_or_default())
}

/// A running plan, a sandbox that hands everything over, and settings that lead to it.
async fn desk_with_sandbox(name: &str) -> (Desk, Service, u16) {
    let mut desk = Desk::running(name).await;
    let (sandbox, web) = (free_port(), free_port());
    desk.write(
        "sandbox.toml",
        &format!("callback = \"http://127.0.0.1:{web}/receipts/northmere\"\napi_key = \"{API_KEY}\"\nsecret = \"{RECEIPT_SECRET}\"\n[providers.letters]\nchannel = \"letter\"\nidempotent = true\n[providers.sms-a]\nchannel = \"sms\"\n"),
    );
    for (lane, path) in [("LETTERS", "letters"), ("SMS_A", "sms-a")] {
        let values = [
            ("URL", format!("http://127.0.0.1:{sandbox}/{path}")),
            ("API_KEY", API_KEY.into()),
            ("RECEIPT_SECRET", RECEIPT_SECRET.into()),
            ("LOOKUP", "true".into()),
        ];
        for (key, value) in values {
            desk.set(&format!("DULY_LANES__{lane}__{key}"), value);
        }
    }
    desk.connect_broker().await;
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let service = Service::start(
        &desk,
        &["sandbox", "--config", "sandbox.toml", "--listen", &format!("127.0.0.1:{sandbox}")],
        "sandbox.log",
    );
    (desk, service, web)
}

/// What the metrics say once everybody is told.
const METRICS: &[&str] = &[
    "duly_messages{channel=\"letter\",state=\"handed_to_carrier\"} 1",
    "duly_equation_holds{incident=\"northmere/cards\"} 1",
    "duly_equation_people{incident=\"northmere/cards\"} 4",
    "duly_equation_rows{incident=\"northmere/cards\",fate=\"quarantined\"} 1",
    "duly_equation_person_states{incident=\"northmere/cards\",state=\"notified\"} 4",
    "duly_equation_notices_by_events{incident=\"northmere/cards\",state=\"notified\"} 4",
    "duly_attempts{lane=\"letters\",outcome=\"accepted\",live=\"false\"} 1",
    "duly_lane_paused{lane=\"sms-a\",channel=\"sms\",live=\"false\"} 0",
    "duly_lane_pace_per_second{lane=\"sms-a\",channel=\"sms\",live=\"false\"} 50",
    "duly_due 0",
    "duly_overdue 0",
    "duly_oldest_open_seconds 0",
    "duly_receipts_waiting 0",
];

#[tokio::test]
async fn a_run_at_trace_level_leaves_no_name_phone_reference_or_secret_in_logs_metrics_health_or_on_the_brokers_disk() {
    let (mut desk, _sandbox, web) = desk_with_sandbox("run").await;
    let newcomer = Newcomer::new();
    desk.write("later.csv", &newcomer.row);
    desk.set("RUST_LOG", "trace");
    let serve = Service::start(&desk, &["serve"], "serve.log");

    let status = || desk.duly("ann", &["status", "--json"]).fine().json();
    let told = until(async || status(), |s| s["equation"]["person_states"]["notified"] == 4).await;
    assert_eq!(told["equation_holds"], true);
    let (code, health) = until(async || ready(web).await, |(code, _)| *code == 200).await;
    assert_eq!((code, health["ready"].as_bool()), (200, Some(true)));
    let (_, metrics) =
        until(async || get(web, "/metrics").await, |(_, text)| METRICS.iter().all(|m| text.lines().any(|l| l == *m))).await;
    let published = desk.duly("ann", &["job", "publish", "later.csv", "--incident", "cards"]).fine();
    until(async || status(), |s| s["equation"]["people"] == 5).await;
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms"]).fine();
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--plan", "2"]).fine();
    desk.duly("bob", &["plan", "go", "--incident", "cards", "--plan", "2"]).fine();
    until(async || status(), |s| s["equation"]["person_states"]["notified"] == 5).await;
    let master = std::fs::read_to_string(desk.path(".local/keys/master.key")).unwrap();
    // Our names for the messages at their providers are no job's and no log's.
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let references: Vec<String> = sqlx::query_scalar("select distinct reference from attempt").fetch_all(&pool).await.unwrap();
    assert!(references.len() >= 5, "{references:?}");
    let of_run: Vec<&str> = newcomer.marks.iter().chain(&references).map(String::as_str).chain([master.trim()]).collect();
    nothing_lies_readable_at_the_broker(&desk, &[&of_run[..], &[API_KEY, RECEIPT_SECRET]].concat()).await;

    assert_eq!(serve.terminate(), 0, "SIGTERM ends it well");
    let mut logs = String::new();
    std::fs::File::open(desk.folder.path().join("serve.log")).unwrap().read_to_string(&mut logs).unwrap();
    assert!(logs.contains("\"message\":\"listening for HTTP\"") && logs.contains("\"message\":\"stopped\""), "{logs}");
    assert!(logs.contains("\"level\":\"TRACE\""), "trace level is on");
    assert!(logs.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "every line is JSON");
    let marks = [PERSONAL, &of_run, &[API_KEY, RECEIPT_SECRET, "the long passphrase"]].concat();
    for (what, text) in [("logs", &logs), ("metrics", &metrics), ("health", &health.to_string()), ("publishing", &published.err)]
    {
        let leak = marks.iter().find_map(|mark| text.lines().find(|line| line.contains(*mark)));
        assert_eq!(leak, None, "{what}");
    }
    the_story_is_whole(&desk);
}

/// Letter and text, told from list to end in words that claim no more than is known.
fn the_story_is_whole(desk: &Desk) {
    let show = ["person", "show", "--incident", "cards"];
    let letter = desk.duly_with("ann", &show, "PN3\n").fine().out;
    for says in [
        "call to print provider letters begins (call 1)",
        "accepted by print provider letters",
        "Letter: Printed",
        "Letter: Posted first class. Notified.",
    ] {
        assert!(letter.contains(says), "{says} is not in\n{letter}");
    }
    let text = desk.duly_with("ann", &show, "PN5\n").fine().out;
    assert!(text.contains("Text: Network reported delivered. Notified."), "{text}");
}

#[tokio::test]
async fn readiness_names_the_part_that_fails_and_liveness_stays() {
    let mut desk = Desk::running("ready").await;
    let web = free_port();
    desk.connect_broker().await;
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let _serve = Service::start(&desk, &["serve", "web"], "serve.log");
    until(async || ready(web).await, |(code, _)| *code == 200).await;

    desk.sabotage("create or replace function duly_now() returns timestamptz language sql volatile as 'select clock_timestamp() + interval ''1 hour'''").await.unwrap();
    let (code, health) = ready(web).await;
    assert_eq!(
        (code, &health["parts"]["clock"], &health["parts"]["database"]),
        (503, &"more than 2 s off the database's".into(), &"ok".into())
    );
    desk.sabotage(
        "create or replace function duly_now() returns timestamptz language sql volatile as ' select clock_timestamp() '",
    )
    .await
    .unwrap();

    desk.sabotage("update _sqlx_migrations set checksum = '\\x00' where version = 1").await.unwrap();
    let (code, health) = ready(web).await;
    assert_eq!(
        (
            code,
            &health["parts"]["clock"],
            health["parts"]["migrations"].as_str().unwrap().contains("changed since they were applied")
        ),
        (503, &"ok".into(), true)
    );
    assert_eq!(get(web, "/health/live").await, (200, "live".to_owned()));
}

#[tokio::test]
async fn a_process_with_the_worker_role_alone_tells_its_health_and_its_metrics_and_takes_no_receipts() {
    let mut desk = Desk::running("worker").await;
    let web = free_port();
    desk.connect_broker().await;
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let _serve = Service::start(&desk, &["serve", "worker"], "serve.log");

    until(async || ready(web).await, |(code, _)| *code == 200).await;
    let (code, metrics) = get(web, "/metrics").await;
    assert_eq!((code, metrics.contains("duly_equation_holds{incident=\"northmere/cards\"} 1\n")), (200, true), "{metrics}");
    let post = reqwest::Client::new().post(format!("http://127.0.0.1:{web}/receipts/northmere/letters")).send().await.unwrap();
    assert_eq!(post.status().as_u16(), 404);
}

/// What the login of the receipts' process may not do, each with the start of the database's refusal.
const FORBIDDEN: &[(&str, &str)] = &[
    ("set role duly_app", "permission denied to set role"),
    ("select contact from person", "permission denied"),
    ("select sealed from receipt", "permission denied"),
    ("select receipts_secret_key from controller", "permission denied"),
];

#[tokio::test]
async fn who_faces_the_internet_holds_a_login_that_can_only_insert_receipts() {
    let mut desk = Desk::running("receipts_login").await;
    let (web, login) = (free_port(), format!("duly_test_door_{}", std::process::id()));
    desk.sabotage(&format!("create role {login} login in role duly_receipts")).await.unwrap();
    let (scheme, rest) = desk.url.split_once("://").unwrap();
    let own = format!("{scheme}://{login}@{}", rest.split_once('@').unwrap().1);
    desk.set("DULY_DATABASE__RECEIPTS_URL", &own);
    // The full credentials are not even there.
    desk.set("DULY_DATABASE__URL", "postgres://nobody@127.0.0.1:1/nowhere");
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let serve = Service::start(&desk, &["serve", "receipts"], "serve.log");
    until(async || get(web, "/health/live").await, |(code, _)| *code == 200).await;

    let post = reqwest::Client::new().post(format!("http://127.0.0.1:{web}/receipts/northmere/letters")).body("{}").send().await;
    assert_eq!(post.unwrap().status().as_u16(), 401);

    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let kept: Vec<String> = sqlx::query_scalar("select verdict from receipt").fetch_all(&owner).await.unwrap();
    assert_eq!(kept, ["bad_signature"]);
    let door = sqlx::PgPool::connect(&own).await.unwrap();
    for (statement, refusal) in FORBIDDEN {
        let refused = sqlx::raw_sql(*statement).execute(&door).await.unwrap_err().to_string();
        assert!(refused.contains(refusal), "{statement}: {refused}");
    }
    door.close().await;
    assert_eq!(serve.terminate(), 0);
    desk.sabotage(&format!("drop role {login}")).await.unwrap();
}

#[tokio::test]
async fn readiness_says_so_when_the_broker_is_away() {
    let mut desk = Desk::running("no_broker").await;
    let web = free_port();
    desk.set("DULY_BROKER__URL", format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port()));
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let _serve = Service::start(&desk, &["serve", "web"], "serve.log");

    let (code, health) = until(async || ready(web).await, |(code, _)| *code != 0).await;
    assert_eq!((code, &health["parts"]["database"], &health["parts"]["migrations"]), (503, &"ok".into(), &"ok".into()));
    assert_eq!(health["parts"]["broker"], "cannot be reached");
}

#[tokio::test]
async fn metrics_answer_soon_while_the_database_is_away_and_the_log_says_why() {
    let mut desk = Desk::empty("unmeasured").await;
    desk.new_user("ann", &["init", "--name", "Ann Price", "--key", "ann.key"]).fine();
    let (wire, through) = Proxy::before(&desk.url).await;
    desk.set("DULY_DATABASE__URL", through);
    desk.connect_broker().await;
    let web = free_port();
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let _serve = Service::start(&desk, &["serve", "web", "scheduler"], "serve.log");
    until(async || get(web, "/metrics").await, |(_, text)| text.contains("duly_database_answers 1\n")).await;
    // A service whose database goes away while it starts ends, and says so; this one runs.
    until(async || desk.sabotage("select from leadership where role = 'scheduler'").await.unwrap(), |leaders| *leaders == 1)
        .await;

    wire.cut();
    // A reading serves for fifteen seconds; after it the database is asked again.
    until(
        async || {
            let asked = Instant::now();
            let (code, text) = get(web, "/metrics").await;
            assert!(asked.elapsed() < Duration::from_secs(4) && code == 200, "{:?} {code}", asked.elapsed());
            text
        },
        |text| text.contains("duly_database_answers 0\n") && text.contains("\nduly_due 0\n"),
    )
    .await;
    let log = || std::fs::read_to_string(desk.path("serve.log")).unwrap();
    until(async || log(), |log| log.contains("\"error\":\"the database refused the query: ")).await;

    wire.mend();
    until(async || get(web, "/metrics").await, |(_, text)| text.contains("duly_database_answers 1\n")).await;
}

#[tokio::test]
async fn the_metrics_tell_how_many_messages_may_go_and_how_many_are_on_their_way_to_a_worker() {
    let mut desk = Desk::running("depth").await;
    let web = free_port();
    desk.connect_broker().await;
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let _serve = Service::start(&desk, &["serve", "web"], "serve.log");
    let says = |lines: [&'static str; 2]| {
        move |(_, text): &(u16, String)| lines.iter().all(|line| text.lines().any(|said| said == *line))
    };
    // Three people have a number, and no lane is chosen yet.
    let due = [
        "duly_lane_due{lane=\"\",channel=\"sms\",live=\"\"} 3",
        "duly_lane_queued{lane=\"sms-a\",channel=\"sms\",live=\"false\"} 0",
    ];
    until(async || get(web, "/metrics").await, says(due)).await;

    desk.set("DULY_WEB__LISTEN", "127.0.0.1:0");
    let _scheduler = Service::start(&desk, &["serve", "scheduler"], "scheduler.log");
    let queued = [
        "duly_lane_due{lane=\"sms-a\",channel=\"sms\",live=\"false\"} 0",
        "duly_lane_queued{lane=\"sms-a\",channel=\"sms\",live=\"false\"} 3",
    ];
    until(async || get(web, "/metrics").await, says(queued)).await;
}

#[tokio::test]
async fn the_equation_metric_falls_to_0_when_a_person_is_missing() {
    let mut desk = Desk::running("metric").await;
    let web = free_port();
    desk.set("DULY_WEB__LISTEN", format!("127.0.0.1:{web}"));
    let _serve = Service::start(&desk, &["serve", "web"], "serve.log");
    let holds = |n: u8| {
        move |(_, text): &(u16, String)| text.contains(&format!("duly_equation_holds{{incident=\"northmere/cards\"}} {n}\n"))
    };
    until(async || get(web, "/metrics").await, holds(1)).await;

    desk.sabotage("delete from person where person_id = (select min(person_id::text)::uuid from person)").await.unwrap();

    until(async || get(web, "/metrics").await, holds(0)).await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_remedy() {
    let mut desk = Desk::running("port").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    desk.set("DULY_WEB__LISTEN", taken.local_addr().unwrap().to_string());

    let mut serve = desk.command(&["serve", "web"]);
    serve.env("RUST_LOG", "off");
    run(serve, "").refused("cannot listen on `127.0.0.1:", "web.listen");
}
