//! Whatever is logged, however much is asked for, says nothing of a person: asked of a lane at each kind of provider, because
//! each brings libraries of its own.

use crate::support::{Lane, NOTIFY_KEY, Setup, Stage, eventually};
use duly::model::state::Route;
use duly::provider::Check;
use duly_sandbox::{Face, ProviderConfig};
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
        receipts: false,
        receipt_delay_ms: 10,
        idempotent: matches!(face, Face::Lob | Face::Stannp),
        ..ProviderConfig::default()
    };
    Lane { provider, extra, ..Lane::named("canary") }
}

/// Sends two messages through a lane with everything logged; `tells`: until it has told their end.
async fn nothing_of_anybody_is_logged(route: Route, lane: Lane, tells: bool) {
    let (face, extra) = (lane.provider.face, lane.extra);
    let setup = Setup { people: 2, routes: vec![route], lanes: vec![lane], is_american: face == Face::Lob, ..Setup::default() };
    let stage = Stage::new(setup).await;
    stage.sandbox.state.set_window_reader(Arc::new(|_| Some("Price\n1 High Street\nLeeds\nLS1 4AP".to_owned())));
    if extra == FOLDER {
        assert_eq!(stage.office.accounts["canary"].provider.check().await, Check::Good);
    }
    let loud = [("RUST_LOG", "trace,handlebars::render=trace"), NOWHERE];
    let processes = [stage.start_with(&["scheduler"], None, &loud), stage.start_with(&["worker"], None, &loud)];

    match tells {
        true => stage.drain_to_the_end().await,
        false => stage.drain().await,
    }

    let taken = "select count(*) from outcome where kind = 'accepted'";
    eventually("both are taken", async || stage.count(taken).await == 2).await;
    for process in &processes {
        let log = process.log();
        assert!(log.contains("\"level\":\"TRACE\""), "everything is logged");
        let leak = MARKS.iter().find_map(|mark| log.lines().find(|line| line.contains(*mark)));
        assert_eq!(leak, None, "{face:?} {route:?} {extra}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_of_provider_logs_a_name_a_number_a_text_or_a_secret() {
    tokio::join!(
        nothing_of_anybody_is_logged(Route::Sms, lane(Face::Plain, "sms", DESCRIBED), true),
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
