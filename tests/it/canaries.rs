//! Whatever is logged, however much is asked for, says nothing of a person: asked of a lane at each kind of provider, because
//! each brings libraries of its own.

use crate::support::{Lane, NOTIFY_KEY, Setup, Stage, eventually, free_port};
use duly::model::state::Route;
use duly::provider::Check;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig, Requests};
use std::process::Command;
use std::sync::Arc;

/// What shows of the people of a stage, and of its lanes' secrets, wherever it leaks to.
const MARKS: &[&str] = &[
    "Price",
    "price.1@",
    "7400 000001",
    "7400000001",
    "1 High Street",
    "PN0",
    "copied from a server",
    "sandbox-key",
    "sandbox-secret",
    "3d844edf-8d35-48ac-975b-e847b4f122b0",
];
/// Twilio must be told an address.
const NOWHERE: (&str, &str) = ("DULY_RECEIPTS__URL", "http://127.0.0.1:9");

/// A provider that only the settings know, which speaks as the sandbox does.
const DESCRIBED: &str = r#"provider = "http"
api_key = "sandbox-key"
poll_seconds = 1
http.path = "/v1/messages"
http.body = '{"channel": "sms", "from": {{json from}}, "reference": {{json reference}}, "text": {{json text}}, "to": {{json to}}}'
http.content = "/text"
http.taken = [201]
http.id = "/id"
http.status_path = "/v1/messages/{id}"
http.status = "/status"
http.words = { queued = "accepted", sent = "sent", delivered = "delivered_to_handset" }
"#;
const FOLDER: &str = "provider = \"file\"\nfolder = \"{folder}/texts\"\nbatch_messages_max = 1\ndocket_minutes = 5\n";

fn lane(face: Face, channel: &str, extra: &'static str) -> Lane {
    let provider = ProviderConfig {
        face,
        channel: channel.into(),
        api_key: (face == Face::Notify).then(|| NOTIFY_KEY.to_owned()),
        // Each of them names whom it is about: by number, by address, by name.
        receipts: face != Face::Smtp && extra.is_empty(),
        receipt_delay_ms: 10,
        idempotent: matches!(face, Face::Lob | Face::Stannp),
        ..ProviderConfig::default()
    };
    Lane { provider, extra, ..Lane::named("canary") }
}

/// The first line of these texts that has one of these marks.
fn leak<'a>(texts: &'a [String], marks: &[String]) -> Option<&'a str> {
    marks.iter().find_map(|mark| texts.iter().flat_map(|text| text.lines()).find(|line| line.contains(mark)))
}

/// Our names for messages at their providers. `message list` and `unknown list` show them to whoever must ask a provider, and
/// a folder's manifests hold them; no log, metric, error or leaf of the evidence has any.
async fn references(stage: &Stage) -> Vec<String> {
    let references = stage.words("select distinct reference from attempt").await;
    assert!(!references.is_empty());
    references
}

fn all(marks: &[&[&str]], references: Vec<String>) -> Vec<String> {
    marks.concat().into_iter().map(str::to_owned).chain(references).collect()
}

/// Sends two messages through a lane with everything logged, and takes in its receipts; `tells`: until it has told their end.
async fn nothing_of_anybody_is_logged(route: Route, lane: Lane, tells: bool) {
    let (face, extra, has_receipts) = (lane.provider.face, lane.extra, lane.provider.receipts);
    let setup = Setup { people: 2, routes: vec![route], lanes: vec![lane], is_american: face == Face::Lob, ..Setup::default() };
    let stage = Stage::new(setup).await;
    stage.sandbox.state.set_window_reader(Arc::new(|_| Some("Price\n1 High Street\nLeeds\nLS1 4AP".to_owned())));
    if extra == FOLDER {
        assert_eq!(stage.office.accounts["canary"].provider.check().await, Check::Good);
    }
    let door = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{door}");
    let loud = [("RUST_LOG", "trace,handlebars::render=trace"), ("DULY_RECEIPTS__URL", url.as_str())];
    let inlet = stage.start_with(&["receipts"], None, &[loud[0], loud[1], ("DULY_WEB__LISTEN", door.as_str())]);
    inlet.address().await;
    stage.sandbox.state.set_callback(Some(format!("{url}/receipts/northmere")));
    let processes = [inlet, stage.start_with(&["scheduler"], None, &loud), stage.start_with(&["worker"], None, &loud)];

    match tells {
        true => stage.drain_to_the_end().await,
        false => stage.drain().await,
    }

    let taken = "select count(*) from outcome where kind = 'accepted'";
    eventually("both are taken", async || stage.count(taken).await == 2).await;
    let believed = "select count(*) from receipt where verdict = 'verified'";
    eventually("receipts came", async || !has_receipts || stage.count(believed).await >= 2).await;
    let mut texts: Vec<String> = processes.iter().map(|process| process.log()).collect();
    // No part of the door has more to say than this.
    assert!(texts[0].contains("\"level\":\"DEBUG\""), "everything is logged");
    assert!(texts[1..].iter().all(|log| log.contains("\"level\":\"TRACE\"")), "everything is logged");
    let metrics = format!("http://{}/metrics", processes[1].address().await);
    texts.push(reqwest::get(metrics).await.unwrap().text().await.unwrap());
    texts.extend(stage.words("select convert_from(body, 'UTF8') from event").await);
    assert_eq!(leak(&texts, &all(&[MARKS], references(&stage).await)), None, "{face:?} {route:?} {extra}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_of_provider_logs_a_name_a_number_a_text_or_a_secret() {
    tokio::join!(
        nothing_of_anybody_is_logged(Route::Sms, lane(Face::Plain, "sms", DESCRIBED), true),
        nothing_of_anybody_is_logged(Route::Sms, lane(Face::Plain, "sms", ""), true),
        nothing_of_anybody_is_logged(Route::Sms, lane(Face::Plain, "sms", FOLDER), false),
        nothing_of_anybody_is_logged(Route::Sms, lane(Face::Notify, "sms", ""), true),
        nothing_of_anybody_is_logged(Route::Sms, lane(Face::Twilio, "sms", ""), true),
    );
    tokio::join!(
        nothing_of_anybody_is_logged(Route::Email, lane(Face::Notify, "email", ""), true),
        nothing_of_anybody_is_logged(Route::Email, lane(Face::Smtp, "email", ""), false),
        nothing_of_anybody_is_logged(Route::Letter, lane(Face::Stannp, "letter", ""), true),
        nothing_of_anybody_is_logged(Route::Letter, lane(Face::Lob, "letter", ""), true),
    );
}

/// A key that a careless hand set: no error may repeat it.
const WRONG_KEY: &str = "canary-wrong-key-c41f";

/// What a command says of the stage's lane with these settings, all of it.
fn said(stage: &Stage, args: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
    command.arg("--settings").arg(&stage.settings).args(args).env("RUST_LOG", "trace").env(NOWHERE.0, NOWHERE.1);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// One message is refused in words that quote its recipient, and the ends of others are not known; then the lane is set wrongly.
async fn no_error_repeats_what_it_is_about(route: Route, mut lane: Lane) {
    let (face, extra) = (lane.provider.face, lane.extra);
    let first = |kind| Fault::once(kind).on(Requests::First);
    lane.provider.faults = vec![first(FaultKind::Reject), first(FaultKind::ErrorBefore), first(FaultKind::NotJson)];
    let setup = Setup { people: 3, routes: vec![route], lanes: vec![lane], is_american: face == Face::Lob, ..Setup::default() };
    let stage = Stage::new(setup).await;
    stage.sandbox.state.set_window_reader(Arc::new(|_| Some("Price\n1 High Street\nLeeds\nLS1 4AP".to_owned())));
    let loud = [("RUST_LOG", "trace,handlebars::render=trace"), NOWHERE];
    let processes = [stage.start_with(&["scheduler"], None, &loud), stage.start_with(&["worker"], None, &loud)];
    let fired = |kind| stage.sandbox.state.fired(kind) == 1;
    const ENDED: &str = "select count(distinct message_id) from outcome";
    eventually("every call has ended", async || fired(FaultKind::Reject) && stage.count(ENDED).await == 3).await;

    let told = "select concat_ws(' ', code, to_jsonb(a)::text) from alarm a union all select kind || ' ' || code from outcome";
    let mut texts: Vec<String> = processes.iter().map(|process| process.log()).collect();
    texts.extend(stage.words(told).await);
    let listed = said(&stage, &["unknown", "list", "--incident", "test"], &[]);
    for args in [&["provider", "check", "canary"][..], &["status"]] {
        texts.push(said(&stage, args, &[]));
    }
    let wrong = ("DULY_LANES__CANARY__API_KEY", WRONG_KEY);
    texts.push(said(&stage, &["provider", "check", "canary"], &[wrong]));
    for (name, value) in [("CHANNEL", "pigeon"), ("PER_SECOND", "many"), ("PROVIDER", "nobody")] {
        let name = format!("DULY_LANES__CANARY__{name}");
        let refused = said(&stage, &["provider", "list"], &[wrong, (name.as_str(), value)]);
        assert!(refused.contains("error: "), "{face:?} {name}: {refused}");
        texts.push(refused);
    }
    let people: &[&str] = &[WRONG_KEY, "price.2@", "7400000002", "2 High Street", "7400000003", "3 High Street"];
    assert_eq!(leak(&[listed], &all(&[MARKS, people], Vec::new())), None, "{face:?} {route:?} {extra}");
    assert_eq!(leak(&texts, &all(&[MARKS, people], references(&stage).await)), None, "{face:?} {route:?} {extra}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_of_provider_repeats_in_an_error_whom_it_is_about_or_what_its_lane_knows() {
    tokio::join!(
        no_error_repeats_what_it_is_about(Route::Sms, lane(Face::Plain, "sms", DESCRIBED)),
        no_error_repeats_what_it_is_about(Route::Sms, lane(Face::Plain, "sms", "")),
        no_error_repeats_what_it_is_about(Route::Sms, lane(Face::Notify, "sms", "")),
        no_error_repeats_what_it_is_about(Route::Sms, lane(Face::Twilio, "sms", "")),
    );
    tokio::join!(
        no_error_repeats_what_it_is_about(Route::Email, lane(Face::Notify, "email", "")),
        no_error_repeats_what_it_is_about(Route::Email, lane(Face::Smtp, "email", "")),
        no_error_repeats_what_it_is_about(Route::Letter, lane(Face::Stannp, "letter", "")),
        no_error_repeats_what_it_is_about(Route::Letter, lane(Face::Lob, "letter", "")),
    );
}
