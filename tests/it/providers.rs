//! Runs through lanes that speak GOV.UK Notify's wire format, against the sandbox's face of it.

use crate::cli::desk::{Desk, Ran, run};
use crate::support::{Lane, NOTIFY_KEY, Setup, Stage, quota, within, world};
use duly::model::state::Channel;
use duly::model::step::Answer;
use duly::store::claim::Intent;
use duly::store::outcome::Outcome;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use serde_json::json;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(60);

/// An SMS lane at Notify's face, asked every second and told, or only asked.
fn notify(receipts: bool, faults: Vec<Fault>) -> Lane {
    let provider = ProviderConfig {
        face: Face::Notify,
        api_key: Some(NOTIFY_KEY.to_owned()),
        receipts,
        receipt_delay_ms: 100,
        receipt_retry_ms: Some(200),
        lookup_lag_ms: 300,
        faults,
        ..ProviderConfig::default()
    };
    Lane { provider, ..Lane::named("notify") }
}

async fn stage(people: u32, lane: Lane) -> Stage {
    Stage::new(Setup { people, lanes: vec![lane], ..Setup::default() }).await
}

#[tokio::test]
async fn a_run_through_notify_with_every_fault_loses_nobody_and_tells_nobody_twice() {
    let some = |kind, per_mille| Fault { per_mille, ..Fault::always(kind) };
    let kinds = [
        (FaultKind::TooMany, 100),
        (FaultKind::ErrorBefore, 100),
        (FaultKind::ErrorAfter, 100),
        (FaultKind::CutBefore, 60),
        (FaultKind::CutAfter, 100),
        (FaultKind::NotJson, 60),
        (FaultKind::Reject, 60),
        (FaultKind::ReceiptDouble, 100),
        (FaultKind::ReceiptForged, 100),
        (FaultKind::ReceiptLost, 100),
        (FaultKind::ReceiptEarly, 100),
        (FaultKind::ReceiptUnknownWord, 100),
        (FaultKind::ReceiptStranger, 60),
        (FaultKind::Undelivered, 60),
        (FaultKind::Expired, 60),
    ];
    let faults = kinds.iter().flat_map(|(kind, n)| [Fault { times: Some(1), ..Fault::always(*kind) }, some(*kind, *n)]);
    let stage = stage(80, notify(true, faults.collect())).await;
    stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);

    stage.drain_to_the_end().await;

    stage.audit().await;
    let missing: Vec<_> = kinds.iter().filter(|(kind, _)| stage.sandbox.state.fired(*kind) == 0).collect();
    assert!(missing.is_empty(), "{missing:?} did not fire");
    let refused = "select count(*) from outcome where kind = 'rejected'";
    assert_eq!(stage.count(refused).await, i64::try_from(stage.sandbox.state.fired(FaultKind::Reject)).unwrap());
    let taken = i64::try_from(stage.produced()).unwrap();
    assert_eq!(stage.count("select count(*) from message where state not in ('rejected')").await, taken);
}

#[tokio::test]
async fn without_an_inbound_connection_every_message_has_its_last_word_by_asking() {
    let stage = stage(12, notify(false, Vec::new())).await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);

    stage.drain_to_the_end().await;

    assert_eq!(stage.count("select count(*) from message where state = 'delivered_to_handset'").await, 12);
    assert_eq!(stage.count("select count(*) from receipt").await, 0);
    stage.audit().await;
}

#[tokio::test]
async fn a_callback_with_our_token_moves_nothing_that_notify_does_not_confirm() {
    let mut lane = notify(false, Vec::new());
    // The message stays where it is for as long as the test lasts.
    lane.provider.receipt_delay_ms = 3_600_000;
    let stage = stage(1, lane).await;
    let url = stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);
    within(LONGEST, "the message is accepted", async || (stage.states().await == ["accepted"]).then_some(())).await;
    let id = stage.words("select provider_id from outcome where kind = 'accepted'").await.remove(0);
    let reference = stage.words("select reference from attempt").await.remove(0);
    let callback = |token: &str, id: &str| {
        let body =
            json!({ "id": id, "reference": reference, "status": "delivered", "completed_at": "2026-11-26T08:00:00.000000Z" });
        reqwest::Client::new().post(format!("{url}/notify")).bearer_auth(token).body(body.to_string()).send()
    };

    let answers = [
        callback("not-the-token", &id).await.unwrap().status().as_u16(),
        callback("sandbox-secret", &id).await.unwrap().status().as_u16(),
        callback("sandbox-secret", "740e5834-3a29-46b4-9a6f-16142fde533a").await.unwrap().status().as_u16(),
    ];

    assert_eq!(answers, [401, 200, 200]);
    let looked_at = "select count(*) from receipt where result = 'no_change' or (result is null and due_at > received_at + interval '5 seconds')";
    within(LONGEST, "both are looked at", async || (stage.count(looked_at).await == 2).then_some(())).await;
    assert_eq!(stage.states().await, ["accepted"]);
    stage.audit().await;
}

#[tokio::test]
async fn the_days_limit_rests_the_lane_until_midnight_utc_and_burns_nobodys_attempt() {
    let stage = stage(1, notify(false, vec![Fault::once(FaultKind::TooManyToday)])).await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);
    let rests = "select count(*) from lane_pause where lane = 'notify' and code = '429_daily'
        and until = (date_trunc('day', since at time zone 'UTC') + interval '1 day') at time zone 'UTC'";

    within(LONGEST, "the lane rests", async || (stage.count(rests).await == 1).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert_eq!((stage.states().await, stage.produced()), (vec!["ready".to_owned()], 0));
    // A call that was late for its turn was not made.
    let kinds = "select kind from outcome where code not in ('send_by', 'hold_changed')";
    assert_eq!(stage.words(kinds).await, ["lane_stopped"]);
    // The next day it goes on by itself.
    stage.shift_clock(86_400).await;
    within(LONGEST, "it is sent the next day", async || (stage.produced() == 1).then_some(())).await;
}

#[tokio::test]
async fn what_a_provider_took_otherwise_than_it_was_given_is_an_alarm_and_nothing_is_sent_again() {
    let world = world("differs", 1).await;
    world.store.queue_due("sms-a", Channel::Sms, quota(100)).await.unwrap();
    let (message_id, person_id) = (world.messages[0], world.people[0]);
    let intent = Intent { reference: format!("{:032x}", 1), ..world.intent(0) };
    world.store.claim(world.incident.key, &[intent], 1000).await.unwrap();
    let outcome = Outcome {
        message_id,
        person_id,
        attempt: 1,
        answer: Answer::Accepted,
        provider_id: Some("id-1".into()),
        code: "201".into(),
        pause: None,
        parts: None,
        cost: None,
        alarm: Some("text_differs"),
        sign: duly::model::health::Sign::Nothing,
        retry_in_ms: 0,
    };

    world.store.record_outcomes(world.incident.key, &[outcome]).await.unwrap();

    let pool = sqlx::PgPool::connect(&world.url).await.unwrap();
    let found: (String, String) =
        sqlx::query_as("select a.code, m.state from alarm a join message m using (message_id)").fetch_one(&pool).await.unwrap();
    assert_eq!(found, ("text_differs".to_owned(), "accepted".to_owned()));
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

fn duly(stage: &Stage, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
    command.arg("--settings").arg(&stage.settings).args(arguments).current_dir(stage.folder.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    run(command, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_is_checked_without_reaching_anybody_and_says_whom_it_reaches() {
    let stage = stage(1, notify(false, Vec::new())).await;
    let duly = |arguments: &[&str]| duly(&stage, arguments);

    let checked = duly(&["provider", "check", "notify"]).fine().out;
    assert!(checked.contains("GOV.UK Notify at the sandbox, not live: answers and takes the credentials"), "{checked}");
    let listed = duly(&["provider", "list", "--json"]).fine().json();
    let lane = &listed["lanes"][0];
    assert_eq!((&lane["lane"], &lane["kind"], &lane["live"]), (&json!("notify"), &json!("notify"), &json!(false)));
    assert!(duly(&["provider", "list"]).fine().out.contains("nobody: sandbox"));
    let wrong = duly(&[
        "--set",
        "lanes.notify.api_key=key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f12000",
        "provider",
        "check",
        "notify",
        "--json",
    ]);
    assert!(wrong.code == 1 && wrong.err.contains("refuses the credentials"), "{wrong:?}");
    assert!(wrong.json()["error"].as_str().unwrap().contains("refuses the credentials"), "{wrong:?}");
    let own = "lanes.notify.url=https://api.notifications.service.gov.uk";
    duly(&["--set", own, "provider", "check", "notify"])
        .refused("`lanes.notify.url` is the provider's own address", "correct `lanes.notify.url`");
    duly(&["--set", "lanes.notify.url=https://gateway.example", "provider", "check", "notify"])
        .refused("`lanes.notify.url` is another machine's address, where people could be reached", "correct `lanes.notify.url`");
    assert_eq!(stage.produced(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_reached_through_the_proxy_that_the_environment_names() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let (mut request, mut bytes) = (Vec::new(), [0; 1024]);
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let n = client.read(&mut bytes).unwrap();
            request.extend_from_slice(&bytes[..n]);
        }
        client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
        sender.send(String::from_utf8(request).unwrap()).unwrap();
    });
    let mut desk = Desk::empty("proxied").await;
    for (key, value) in [("PROVIDER", "lob"), ("URL", "http://lob"), ("API_KEY", "sandbox-key")] {
        desk.set(&format!("DULY_LANES__LETTERS__{key}"), value);
    }
    desk.set("http_proxy", proxy);

    let checked = desk.duly("ann", &["provider", "check", "letters"]).fine().out;

    assert!(checked.contains("answers and takes the credentials"), "{checked}");
    let request = asked.recv_timeout(LONGEST).unwrap();
    assert!(request.starts_with("GET http://lob/v1/letters?limit=1 HTTP/1.1\r\n"), "{request}");
}

/// A key of another service at Notify.
const OTHER_SERVICE: &str = "key-11111111-2222-4333-8444-555555555555-3d844edf-8d35-48ac-975b-e847b4f12000";

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_goes_out_through_the_accounts_that_were_approved_and_what_is_unknown_is_asked_of_no_other() {
    let lost = Fault { times: Some(1), ..Fault::always(FaultKind::CutAfter) };
    let setup = Setup {
        people: 1,
        dispatch: vec![("no_news_after_ms", 2000)],
        lanes: vec![notify(false, vec![lost])],
        ..Setup::default()
    };
    let stage = Stage::new(setup).await;
    let mut first = stage.start_at("lookup_sent_not_committed", &["scheduler", "worker"]);
    first.reached().await;
    first.kill();
    assert_eq!((stage.states().await, stage.produced()), (vec!["unknown".to_owned()], 1));

    let _next = stage.start_with(&["scheduler", "worker"], None, &[("DULY_LANES__NOTIFY__API_KEY", OTHER_SERVICE)]);
    within(LONGEST, "somebody is asked", async || (stage.states().await == ["asked"]).then_some(())).await;

    assert_eq!(stage.produced(), 1, "another service's \"not there\" sent it again");
    let ground = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'ground' from event where message_to = 'asked'";
    assert_eq!(stage.words(ground).await, ["no_lane"]);
    let other = format!("lanes.notify.api_key={OTHER_SERVICE}");
    duly(&stage, &["--set", &other, "plan", "go", "--incident", "test"]).refused(
        "plan 1: lane `notify` is not the account that was approved, but nobody: sandbox, notify 11111111",
        "bring the lane's settings back",
    );
    let shown = duly(&stage, &["--set", &other, "plan", "show", "--incident", "test"]).fine().out;
    assert!(shown.contains("set up here as another account"), "{shown}");
}
