//! Emails through a mail relay: what it took is known, what it did not say is not guessed, and nobody is mailed twice.

use crate::anchors::authority::{Authority, P_256, has_openssl};
use crate::anchors::relay::{PASSWORD, TestRelay, USER};
use crate::support::{Capability, Lane, PATIENT, Setup, Stage, eventually, within};
use duly::model::state::Route;
use duly::model::step::Answer;
use duly::provider::{Account, CallResult, Item, Outbound};
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(120);
const SECRET: &str = "sandbox-secret";

fn relay(faults: Vec<Fault>, secret: &str) -> Lane {
    let provider = ProviderConfig {
        face: Face::Smtp,
        channel: "email".into(),
        secret: Some(secret.to_owned()),
        faults,
        ..Capability::Nothing.provider()
    };
    Lane { provider, unknown_rule: "next_step", ..Lane::named("mail") }
}

fn letters() -> Lane {
    let provider =
        ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..Capability::StrongLookup.provider() };
    Lane { provider, ..Lane::named("letters") }
}

fn then_letter(people: u32, lane: Lane, dispatch: Vec<(&'static str, i64)>) -> Setup {
    Setup { people, routes: vec![Route::EmailThenLetter], lanes: vec![lane, letters()], dispatch, ..Setup::default() }
}

#[tokio::test]
async fn a_run_through_a_relay_with_every_fault_tells_everybody_and_mails_nobody_twice() {
    let kinds = [
        FaultKind::TooMany,
        FaultKind::TooManyToday,
        FaultKind::ErrorBefore,
        FaultKind::ErrorInside,
        FaultKind::RequestTimeout,
        FaultKind::Reject,
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::NotJson,
        FaultKind::Hang,
    ];
    let faults = kinds.map(Fault::once).into();
    // No notices come, so that each mail is overdue after a second.
    let dispatch = [PATIENT, &[("no_news_after_ms", 1000)]].concat();
    let stage = Stage::new(then_letter(20, relay(faults, SECRET), dispatch)).await;
    stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);

    let put_off = "select count(*) from message where channel = 'email' and state = 'ready' and due_at > duly_now() + interval '20 seconds'";
    let in_hand = "select count(*) from message where state in ('ready', 'sending', 'unknown')";
    within(LONGEST, "all are told or put off", async || {
        (stage.count(put_off).await == 3 && stage.count(in_hand).await == 3).then_some(())
    })
    .await;
    // The relay wants a minute.
    stage.shift_clock(61).await;
    let told = "select count(*) from notice where state = 'notified'";
    within(LONGEST, "everybody is told", async || (stage.count(told).await == 20).then_some(())).await;

    stage.drain().await;
    let missing: Vec<_> = kinds.iter().filter(|kind| stage.sandbox.state.fired(**kind) == 0).collect();
    assert!(missing.is_empty(), "{missing:?} did not fire");
    let record = stage.sandbox.state.record();
    let mails: Vec<&str> = record.iter().filter(|m| m.channel == "email").map(|m| m.destination.as_str()).collect();
    assert_eq!(mails.iter().collect::<BTreeSet<_>>().len(), mails.len(), "{mails:?}");
    assert_eq!(stage.count("select count(*) from outcome where kind = 'rejected'").await, 2);
    // A cut, a page, silence and a farewell after the text: nobody knows, and a letter goes instead.
    let unknown = "select count(*) from outcome where kind = 'unknown' and code in ('cut', 'timeout', '421')";
    assert_eq!(stage.count(unknown).await, 4);
    stage.audit().await;
}

/// A delivery notice as the sender's mail server hands it in.
async fn hand_in(url: &str, reference: &str, action: &str, secret: &str) -> u16 {
    let notice = format!(
        "From: MAILER-DAEMON@relay.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\nOriginal-Envelope-Id: {reference}\r\n\r\n\
         Final-Recipient: rfc822; somebody@mail.example\r\nAction: {action}\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(notice.as_bytes());
    let post = reqwest::Client::new().post(format!("{url}/mail"));
    let signed = post.header("X-Duly-Signature", hex::encode(mac.finalize().into_bytes()));
    signed.body(notice).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_delivery_notice_ends_the_notice_and_a_bounce_makes_a_letter() {
    let stage = Stage::new(then_letter(2, relay(Vec::new(), SECRET), Vec::new())).await;
    let url = stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);
    eventually("both are accepted", async || stage.states().await == ["accepted", "accepted"]).await;
    let references = stage.words("select reference from attempt join message using (message_id) order by message_id").await;

    assert_eq!(hand_in(&url, &references[0], "delivered", "not-the-secret").await, 401);
    assert_eq!(hand_in(&url, &references[0], "delivered", SECRET).await, 200);
    assert_eq!(hand_in(&url, &references[1], "failed", SECRET).await, 200);
    stage.drain_to_the_end().await;

    assert_eq!(stage.states().await, ["carrier_delivered", "returned", "handed_to_carrier"]);
    assert_eq!(stage.words("select state from notice").await, ["notified", "notified"]);
    stage.audit().await;
}

#[tokio::test]
async fn a_plan_that_nothing_could_ever_end_is_refused() {
    let setup = Setup { routes: vec![Route::Email], lanes: vec![relay(Vec::new(), "")], ..Setup::default() };
    let refused = tokio::spawn(Stage::new(setup)).await.err().unwrap().into_panic();
    let words = refused.downcast_ref::<String>().unwrap();
    assert!(words.contains("NeverTold { route: Email, lane: \"mail\" }"), "{words}");

    // A letter can end it, and a relay that hands its notices in.
    Stage::new(then_letter(1, relay(Vec::new(), ""), Vec::new())).await;
    Stage::new(Setup { routes: vec![Route::Email], lanes: vec![relay(Vec::new(), SECRET)], ..Setup::default() }).await;
}

/// Sends one mail through a live lane.
async fn send(relay: &TestRelay, root: &str, password: &str) -> CallResult {
    let lane = format!(
        "channel = \"email\"\nprovider = \"smtp\"\nurl = \"smtp://localhost:{}\"\naccount = \"{USER}\"\napi_key = \"{password}\"\n\
         root_file = \"{root}\"\nlive = true\n",
        relay.port
    );
    let account = Account::new("mail", &toml::from_str(&lane).unwrap(), Duration::from_secs(5), false).unwrap();
    let (from, from_name) = ("notice@northmere.example", "Northmere Police");
    let item = Item::Email { from, from_name, to: "ann@mail.example", subject: "Your data", text: "Dear Ann,\n\nwe write." };
    let reference = "000102030405060708090a0b0c0d0e0f";
    let frozen = account.provider.prepare(&Outbound { reference, callback: None, item }).unwrap();
    account.provider.submit(frozen, Arc::new(|| Ok(()))).await
}

#[tokio::test]
async fn a_live_relay_gets_mail_over_tls_with_our_password_and_not_otherwise() {
    if !has_openssl() {
        return;
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let (authority, other) = (Authority::new(P_256), Authority::new(P_256));
    let (trusted, strange) = (authority.path("root.pem").display().to_string(), other.path("root.pem").display().to_string());
    let relay = TestRelay::start(&authority, true);
    let bare = TestRelay::start(&authority, false);
    let end = async |relay: &TestRelay, root: &str, password: &str| {
        let result = send(relay, root, password).await;
        (result.answer, result.code)
    };

    assert_eq!(end(&relay, &strange, PASSWORD).await, (Answer::LaneStopped, "no_tls".into()));
    assert_eq!(end(&bare, &trusted, PASSWORD).await, (Answer::LaneStopped, "no_tls".into()));
    assert_eq!(end(&relay, &trusted, "another").await, (Answer::LaneStopped, "bad_credentials".into()));
    assert_eq!((relay.mails(), bare.mails()), (vec![], vec![]));
    assert_eq!(end(&relay, &trusted, PASSWORD).await, (Answer::Accepted, "250".into()));

    let [mail] = &relay.mails()[..] else { panic!("{:?}", relay.mails()) };
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("FROM:<notice@northmere.example>", "TO:<ann@mail.example>"));
    assert!(mail.text.starts_with("Date: ") && mail.text.contains("\n\nDear Ann,\n\nwe write.\n"), "{}", mail.text);
}
