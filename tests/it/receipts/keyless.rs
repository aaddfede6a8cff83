//! The door at the internet holds no key by which anything is sent, and takes every provider's receipts all the same.

use super::{Post, body};
use crate::support::{Lane, NOTIFY_KEY, Process, Setup, Stage, Start, eventually, free_port};
use duly::model::step::Answer;
use duly::provider::{Item, Outbound};
use duly_sandbox::{Face, ProviderConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;

/// Proves receipts, and nothing else.
const SECRET: &str = "a secret of receipts alone";
const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";

fn at(name: &'static str, face: Face, channel: &str) -> Lane {
    let provider = ProviderConfig {
        face,
        channel: channel.into(),
        api_key: (face == Face::Notify).then(|| NOTIFY_KEY.to_owned()),
        secret: Some(SECRET.to_owned()),
        idempotent: matches!(face, Face::Lob | Face::Stannp),
        receipt_delay_ms: 0,
        ..ProviderConfig::default()
    };
    Lane { provider, ..Lane::named(name) }
}

/// The stage's settings with live lanes and without any key: what whoever faces the internet is given.
fn without_keys(stage: &Stage) -> std::path::PathBuf {
    let all = std::fs::read_to_string(&stage.settings).unwrap();
    let kept: Vec<&str> = all.lines().filter(|line| !line.starts_with("api_key")).collect();
    let file = stage.folder.path().join("door.toml");
    std::fs::write(&file, kept.join("\n").replace("\nunknown_rule", "\nlive = true\nunknown_rule")).unwrap();
    file
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

/// Sends one message through the lane of each vendor, which holds its key, and asks for receipts at the door.
async fn send_through_each(stage: &Stage, door: &str) {
    let (from, american, british) = (
        lines("Northmere\n2 Main St\nPortland, OR 97201"),
        lines("Ann Price\n1 Main St\nPortland, OR 97201"),
        lines("Ann Price\n1 High Street\nLS1 4AP"),
    );
    let letter = |address| Item::Letter { from: &from, address, pdf: b"%PDF-1.7 x", pages: 2, postage_class: "first" };
    let sms = Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "hello" };
    for (lane, item) in [("notify", sms), ("twilio", sms), ("lob", letter(&american)), ("stannp", letter(&british))] {
        let callback = format!("{door}/receipts/northmere/{lane}");
        let provider = &stage.office.accounts[lane].provider;
        let frozen = provider.prepare(&Outbound { reference: REFERENCE, callback: Some(&callback), item }).unwrap();
        let result = provider.submit(frozen, Arc::new(|| Ok(()))).await;
        assert_eq!(result.answer, Answer::Accepted, "{lane}: {}", result.code);
    }
}

/// A delivery notice, as a mail server would hand it in.
async fn hand_in_notice(door: &str) -> u16 {
    let notice =
        format!("Content-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: {REFERENCE}\r\n\r\nAction: delivered\r\n");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(notice.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let post = reqwest::Client::new().post(format!("{door}/receipts/northmere/mail")).header("x-duly-signature", signature);
    post.body(notice).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_door_starts_without_any_key_and_takes_the_receipts_of_every_face() {
    let lanes = vec![
        at("notify", Face::Notify, "sms"),
        at("twilio", Face::Twilio, "sms"),
        at("lob", Face::Lob, "letter"),
        at("stannp", Face::Stannp, "letter"),
        at("mail", Face::Smtp, "email"),
        at("sms", Face::Plain, "sms"),
    ];
    let stage = Stage::new(Setup { lanes, ..Setup::default() }).await;
    stage.sandbox.state.set_window_reader(Arc::new(|_| Some("Ann Price\n1 High Street\nLS1 4AP".to_owned())));
    let listen = format!("127.0.0.1:{}", free_port());
    let door = format!("http://{listen}");
    stage.sandbox.state.set_callback(Some(format!("{door}/receipts/northmere")));
    let (settings, variables) = (without_keys(&stage), [("DULY_WEB__LISTEN", &*listen), ("DULY_RECEIPTS__URL", &*door)]);
    let folder = stage.folder.path();
    let process =
        Process::start(&Start { settings: &settings, folder, roles: &["receipts"], failpoint: None, variables: &variables });
    process.address().await;

    send_through_each(&stage, &door).await;
    assert_eq!(hand_in_notice(&door).await, 200);
    let url = format!("{door}/receipts/northmere");
    let post = |secret| Post {
        url: &url,
        place: "/sms",
        body: body("e", REFERENCE, "i", "sent"),
        age_seconds: 0,
        secret,
        signed_for: None,
    };
    assert_eq!((post(SECRET).send().await, post("").send().await), (200, 401));

    let verified = "select distinct provider from receipt where verdict = 'verified' order by 1";
    let all = ["lob", "mail", "notify", "sms", "stannp", "twilio"];
    eventually("a receipt of each is kept", async || stage.words(verified).await == all).await;
    let moving = "select distinct provider from receipt where verdict = 'verified' and status is not null order by 1";
    assert_eq!(stage.words(moving).await, ["lob", "mail", "sms", "stannp", "twilio"], "Notify confirms its own first");
}
