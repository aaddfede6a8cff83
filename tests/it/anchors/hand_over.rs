//! Checkpoints in the controller's hands: at freeze, daily while the log grows, at close, once each, by every way.

use super::authority::{Authority, P_256, has_openssl};
use super::relay::{PASSWORD, TestRelay, USER};
use super::{Ground, serve};
use crate::support::eventually;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use duly::config::SmtpSecurity;
use duly::evidence::anchor::Judges;
use duly::evidence::self_audit::audit_all;
use duly_ledger::{Checkpoint, Signer};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::sync::{Arc, Mutex};

const SECRET: &str = "a webhook's secret";
const DAY_SECONDS: i32 = 86_400;
const AUDITS: &str = "select kind from event where kind like 'audit.%' order by ord";

fn words(handed: &[(i64, String, String)]) -> Vec<&str> {
    handed.iter().map(|(_, _, occasion)| occasion.as_str()).collect()
}

#[tokio::test]
async fn a_folder_gets_a_checkpoint_at_freeze_daily_while_the_log_grows_and_at_close_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut ground = Ground::new().await;
    ground.recipient().folder = folder.path().to_str().unwrap().to_owned();
    let mut anchors = ground.anchors();
    let mut round_twice = async || {
        anchors.round().await.unwrap();
        anchors.round().await.unwrap();
    };

    round_twice().await;
    assert_eq!(words(&ground.handed().await), ["freeze"]);
    ground.grow("log.marked").await;
    round_twice().await;
    assert_eq!(words(&ground.handed().await), ["freeze"]);
    ground.stage.shift_clock(DAY_SECONDS + 60).await;
    round_twice().await;
    assert_eq!(words(&ground.handed().await), ["freeze", "daily"]);
    ground.stage.shift_clock(3 * DAY_SECONDS).await;
    round_twice().await;
    assert_eq!(words(&ground.handed().await), ["freeze", "daily"], "it did not grow");
    ground.close().await;
    round_twice().await;
    assert_eq!(words(&ground.handed().await), ["freeze", "daily", "close"]);

    for (size, _, _) in ground.handed().await {
        let note =
            std::fs::read(folder.path().join(format!("{}-1-{size}.checkpoint", ground.stage.incident.incident_id))).unwrap();
        let vkey = Signer::new(&ground.log().await.origin, ground.settings.log_key().unwrap().bytes()).unwrap().vkey().clone();
        assert_eq!(Checkpoint::open(&note, &[vkey]).unwrap().size, size.unsigned_abs());
    }
}

/// What the hourly audit writes where it finds nothing.
async fn audit(ground: &Ground) {
    audit_all(&ground.stage.office.store, &Judges::open(&ground.settings).unwrap(), None).await.unwrap();
    ground.publish().await;
}

#[tokio::test]
async fn what_grows_by_our_own_audits_alone_is_given_to_nobody_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut ground = Ground::new().await;
    ground.recipient().folder = folder.path().to_str().unwrap().to_owned();
    let mut anchors = ground.anchors();
    anchors.round().await.unwrap();
    let before = ground.log().await.size;
    audit(&ground).await;
    audit(&ground).await;
    assert_eq!(ground.stage.words(AUDITS).await, ["audit.passed", "audit.passed"]);
    assert_eq!(ground.log().await.size, before + 2);

    ground.stage.shift_clock(3 * DAY_SECONDS).await;
    anchors.round().await.unwrap();
    anchors.round().await.unwrap();
    assert_eq!(words(&ground.handed().await), ["freeze"]);
    let news = ground.stage.office.store.list_logs().await.unwrap().into_iter().find(|log| log.kind == "incident").unwrap();
    assert_eq!((news.published, news.news), (before + 2, before), "the metrics say so");

    ground.grow("log.marked").await;
    anchors.round().await.unwrap();
    anchors.round().await.unwrap();
    let handed = ground.handed().await;
    assert_eq!((words(&handed), handed[1].0), (vec!["freeze", "daily"], before + 3), "and with what is news goes all of it");
}

#[tokio::test]
async fn the_log_of_a_closed_incident_in_which_nothing_is_found_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut ground = Ground::new().await;
    ground.recipient().folder = folder.path().to_str().unwrap().to_owned();
    let mut anchors = ground.anchors();
    ground.close().await;
    anchors.round().await.unwrap();
    let closed = ground.log().await.size;
    audit(&ground).await;
    audit(&ground).await;
    ground.stage.shift_clock(3 * DAY_SECONDS).await;
    anchors.round().await.unwrap();

    assert_eq!((words(&ground.handed().await), ground.log().await.size), (vec!["close"], closed));
    assert_eq!(ground.stage.words(AUDITS).await, [""; 0]);
    // The clock that was moved is found, closed or not, and whoever holds checkpoints gets that.
    audit(&ground).await;
    anchors.round().await.unwrap();
    assert_eq!(ground.stage.words(AUDITS).await, ["audit.failed"]);
    assert_eq!(words(&ground.handed().await), ["close", "daily"]);
}

type Calls = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A webhook that keeps what it is told and refuses the first call.
async fn serve_webhook() -> (String, Calls) {
    let calls = Calls::default();
    let kept = calls.clone();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let mut calls = kept.lock().unwrap();
        calls.push((headers, body));
        if calls.len() == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::NO_CONTENT }
    };
    (format!("{}/hook", serve(Router::new().route("/hook", post(take))).await), calls)
}

#[tokio::test]
async fn a_webhook_is_called_until_it_takes_the_checkpoint_and_its_signature_holds() {
    let (url, calls) = serve_webhook().await;
    let mut ground = Ground::new().await;
    (ground.recipient().webhook_url, ground.recipient().webhook_secret) = (url, SECRET.into());
    let mut anchors = ground.anchors();
    anchors.round().await.unwrap();
    assert_eq!(ground.handed().await, []);
    eventually("it was taken", async || {
        anchors.round().await.unwrap();
        !ground.handed().await.is_empty()
    })
    .await;
    anchors.round().await.unwrap();

    let log = ground.log().await;
    let (calls, mine) = (calls.lock().unwrap().clone(), |body: &Bytes| {
        let told: Value = serde_json::from_slice(body).unwrap();
        (told["origin"] == log.origin).then_some(told)
    });
    let told: Vec<Value> = calls.iter().filter_map(|(_, body)| mine(body)).collect();
    assert_eq!(told.len(), 2, "once refused, once taken");
    for (headers, body) in &calls {
        let stamp = headers["x-duly-timestamp"].to_str().unwrap();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update([stamp.as_bytes(), b".", body].concat().as_slice());
        mac.verify_slice(&hex::decode(headers["x-duly-signature"].as_bytes()).unwrap()).unwrap();
        assert!(stamp.parse::<i64>().unwrap().abs_diff(time::OffsetDateTime::now_utc().unix_timestamp()) < 60);
    }
    assert_eq!(told[1]["checkpoint"], log.note);
    assert_eq!((&told[1]["occasion"], &told[1]["size"], &told[1]["generation"]), (&"freeze".into(), &log.size.into(), &1.into()));
}

fn set_mail(ground: &mut Ground, authority: &Authority, relay: &TestRelay) {
    ground.recipient().mail = "dpo@northmere.example".into();
    let smtp = &mut ground.settings.hand_over.smtp;
    (smtp.host, smtp.port, smtp.security) = ("localhost".into(), relay.port, SmtpSecurity::Starttls);
    (smtp.user, smtp.password, smtp.from) = (USER.into(), PASSWORD.into(), "duly@northmere.example".into());
    smtp.root_file = authority.path("root.pem");
}

#[tokio::test]
async fn a_mail_goes_through_the_relay_encrypted_and_with_the_checkpoint_in_it() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new(P_256);
    let relay = TestRelay::start(&authority, true);
    let mut ground = Ground::new().await;
    set_mail(&mut ground, &authority, &relay);

    let mut anchors = ground.anchors();
    anchors.round().await.unwrap();
    anchors.round().await.unwrap();

    let log = ground.log().await;
    let [mail] = &relay.mails()[..] else { panic!("{:?}", relay.mails()) };
    assert!(mail.from.contains("duly@northmere.example") && mail.to.contains("dpo@northmere.example"), "{mail:?}");
    assert!(mail.text.contains("Content-Disposition: attachment"), "{mail:?}");
    assert!(mail.text.replace("=\n", "").contains(&log.origin), "{mail:?}");
    assert_eq!(ground.handed().await, [(log.size, "mail".to_owned(), "freeze".to_owned())]);
}

#[tokio::test]
async fn no_mail_leaves_in_the_clear_or_to_a_relay_that_is_not_trusted() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new(P_256);
    let bare = TestRelay::start(&authority, false);
    let relay = TestRelay::start(&authority, true);
    let mut ground = Ground::new().await;
    set_mail(&mut ground, &authority, &bare);
    ground.anchors().round().await.unwrap();

    set_mail(&mut ground, &authority, &relay);
    authority.make_root("stranger");
    ground.settings.hand_over.smtp.root_file = authority.path("stranger.pem");
    ground.anchors().round().await.unwrap();

    set_mail(&mut ground, &authority, &relay);
    ground.settings.hand_over.smtp.password = "wrong".into();
    ground.anchors().round().await.unwrap();

    assert_eq!((bare.mails(), relay.mails(), ground.handed().await), (vec![], vec![], vec![]));
}
