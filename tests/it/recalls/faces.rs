//! The same at the vendors' own faces: what each says of a letter that somebody wants back, and where none can be asked.

use super::{Held, LONGEST, NEVER_MS, within};
use crate::cli::desk::{Desk, TEXTS};
use crate::support::{NOTIFY_KEY, Sandbox, skipped};
use crate::vendors::read_window;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;

const BRITONS: &str = "Pay number,First name,Surname,Address 1,Town,Postcode\n\
     PN1,Ann,Price,1 High Street,Leeds,LS1 4AB\nPN2,Olu,Adeyemi,2 High Street,Leeds,LS1 4AB\nPN3,Bao,Nguyen,3 High Street,Leeds,LS1 4AB\n";
const CALIFORNIANS: &str = "Pay number,First name,Surname,Address 1,Town,Postcode,Country,Jurisdiction\n\
     PN1,Ann,Price,1 Market Street,San Francisco,CA 94103,US,US-CA\nPN2,Olu,Adeyemi,2 Market Street,San Francisco,CA 94103,US,US-CA\n\
     PN3,Bao,Nguyen,3 Market Street,San Francisco,CA 94103,US,US-CA\n";

/// Where letters of a face can go.
struct Land {
    town: &'static str,
    profile: &'static str,
    list: &'static str,
}

fn land(face: Face) -> Land {
    match face {
        Face::Lob => Land { town: "Portland, OR 97201", profile: "us-ca", list: CALIFORNIANS },
        _ => Land { town: "Northmere NM1 9ZZ", profile: "uk-gdpr", list: BRITONS },
    }
}

/// A desk with three letters to send, where this face takes letters.
async fn desk(name: &str, face: Face) -> Desk {
    let (desk, land) = (Desk::empty(name).await, land(face));
    desk.new_user("ann", &["init", "--name", "Ann Price", "--key", "ann.key"]).fine();
    desk.new_user("bob", &["user", "add", "--name", "Bob Evans", "--key", "bob.key"]).fine();
    let controller = ["controller", "add", "northmere", "--name", "Northmere Police", "--sms-sender", "NORTHMERE"];
    let address = ["--address", "Northmere Police", "--address", "1 Station Road", "--address", land.town];
    desk.duly("ann", &[&controller[..], &address].concat()).fine();
    let more = "contact_phone = \"0808 157 0100\"\ndelayed_by_le = \"No authority asked us to wait.\"\n\n[published]";
    desk.write("own.toml", &TEXTS.replace("[published]", more));
    let add = ["incident", "add", "cards", "--controller", "northmere", "--texts", "own.toml", "--profile", land.profile];
    desk.duly("ann", &add).fine();
    desk.write("own.csv", land.list);
    desk.duly("ann", &["list", "import", "own.csv", "--incident", "cards"]).fine();
    desk
}

/// A run whose three letters this face holds; they begin to be made after so long, and it is asked how they stand each `poll`
/// seconds.
async fn held(face: Face, begins_after_ms: u64, poll: &str) -> Held {
    let name = format!("{face:?}_{poll}").to_lowercase();
    let api_key = if face == Face::Notify { NOTIFY_KEY } else { "sandbox-key" };
    let account = ProviderConfig {
        face,
        channel: "letter".into(),
        idempotent: true,
        api_key: Some(api_key.to_owned()),
        receipts: false,
        receipt_delay_ms: begins_after_ms,
        ..ProviderConfig::default()
    };
    let sandbox = Sandbox::start([("letters".to_owned(), account)].into()).await;
    sandbox.state.set_window_reader(Arc::new(read_window));
    let mut desk = desk(&name, face).await;
    let (url, kind) = (format!("{}/letters", sandbox.url), format!("{face:?}").to_lowercase());
    for (key, value) in [("PROVIDER", kind.as_str()), ("URL", &url), ("API_KEY", api_key), ("POLL_SECONDS", poll)] {
        desk.set(&format!("DULY_LANES__LETTERS__{key}"), value);
    }
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "letter"]).fine();
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "3"]).fine();
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
    Held::serving(desk, sandbox, &["accepted"; 3]).await
}

fn recalled(report: &Value) -> Vec<String> {
    let messages = report["recalled"][0]["messages"].as_array().unwrap();
    let mut words: Vec<String> = messages.iter().map(|m| m["recalled"].as_str().unwrap().to_owned()).collect();
    words.sort_unstable();
    words
}

/// Whether nobody can read what stands in a window.
fn cannot_read() -> bool {
    let is_missing = Command::new("pdftotext").arg("-v").output().is_err();
    if is_missing {
        skipped("nobody can read the windows of letters here: there is no pdftotext");
    }
    is_missing
}

async fn takes_back(face: Face) {
    let held = held(face, NEVER_MS, "1").await;
    let messages = held.messages("letter").await;
    assert_eq!((messages.len(), held.sandbox.state.record().len()), (3, 3));

    assert_eq!(held.cancel(&messages[0]).fine().json()["recalled"], "cancelled", "{face:?}");
    assert_eq!(held.told_of(&messages[0]).await, ["message.recall ", "message.recalled cancelled"]);
    assert_eq!(held.sandbox.state.record().len(), 2, "{face:?}: it was made all the same");
    for (kind, ends) in [(FaultKind::CancelCut, "accepted"), (FaultKind::CancelLost, "failed")] {
        held.sandbox.state.set_faults("letters", vec![Fault::once(kind)]);
        let message = &messages[if kind == FaultKind::CancelCut { 1 } else { 2 }];
        let ran = held.cancel(message);
        assert!(ran.code == 1 && ran.err.contains("it may leave, and counts as it did"), "{face:?} {kind:?}: {ran:?}");
        assert_eq!(held.sandbox.state.fired(kind), 1);
        assert_eq!(held.recalls_of(message).await, ["message.recall ", "message.recalled unknown"]);
        // What is not known its provider tells when it is asked how the letter stands.
        within(LONGEST, "its provider tells", async || (held.state_of(message).await == ends).then_some(())).await;
    }

    let paused = held.desk.duly("bob", &["plan", "pause", "--incident", "cards", "--recall", "--json"]).fine();
    assert_eq!(recalled(&paused.json()), ["cancelled"], "{face:?}: {}", paused.err);
    assert_eq!(held.sandbox.state.record().len(), 0, "{face:?}");
    assert_eq!(held.words("select distinct state from message").await, ["failed"]);
    assert_eq!(held.words("select distinct state from notice").await, ["unreachable"], "a substitute notice is due");
    held.prove().await;
}

async fn comes_too_late(face: Face) {
    // By then each letter is being made, and nobody here was told.
    let held = held(face, 1, "3600").await;
    let messages = held.messages("letter").await;
    let late = held.cancel(&messages[0]);
    assert!(late.code == 1 && late.err.contains("too late: the letter left, or is being made"), "{face:?}: {late:?}");
    assert_eq!(held.told_of(&messages[0]).await, ["message.recall ", "message.recalled too_late"]);

    let paused = held.desk.duly("bob", &["plan", "pause", "--incident", "cards", "--recall", "--json"]).fine();
    assert_eq!(recalled(&paused.json()), ["too_late"; 3], "{face:?}: {}", paused.err);
    assert!(paused.err.contains("3 messages too late: they left, or are being made"), "{}", paused.err);
    assert_eq!(held.sandbox.state.record().len(), 3, "{face:?}");
    assert_eq!(held.words("select distinct state from message").await, ["accepted"], "it counts as it did");
    held.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lob_takes_letters_back_says_that_it_is_too_late_or_says_nothing() {
    takes_back(Face::Lob).await;
    comes_too_late(Face::Lob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stannp_takes_letters_back_says_that_it_is_too_late_or_says_nothing() {
    if cannot_read() {
        return;
    }
    takes_back(Face::Stannp).await;
    comes_too_late(Face::Stannp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lobs_own_window_is_kept_and_it_is_not_asked_behind_it() {
    let held = held(Face::Lob, NEVER_MS, "3600").await;
    let message = held.messages("letter").await.remove(0);
    let later = "create or replace function duly_now() returns timestamptz language sql volatile
        as $$ select clock_timestamp() + interval '301 seconds' $$";
    held.desk.sabotage(later).await.unwrap();

    let late = held.cancel(&message);

    assert!(late.code == 1 && late.err.contains("too late"), "{late:?}");
    assert_eq!(held.told_of(&message).await, [""; 0], "nobody was asked");
    assert_eq!(held.sandbox.state.record().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_vendor_says_until_when_it_is_asked_however_late_it_is() {
    if cannot_read() {
        return;
    }
    let held = held(Face::Stannp, NEVER_MS, "3600").await;
    let message = held.messages("letter").await.remove(0);
    let later = "create or replace function duly_now() returns timestamptz language sql volatile
        as $$ select clock_timestamp() + interval '2 hours' $$";
    held.desk.sabotage(later).await.unwrap();

    held.cancel(&message).fine();

    assert_eq!(held.told_of(&message).await, ["message.recall ", "message.recalled cancelled"]);
    assert_eq!(held.sandbox.state.record().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_takes_nothing_back_by_request_and_is_not_asked() {
    let held = held(Face::Notify, NEVER_MS, "3600").await;
    let message = held.messages("letter").await.remove(0);

    let one = held.cancel(&message);
    let paused = held.desk.duly("bob", &["plan", "pause", "--incident", "cards", "--recall", "--json"]).fine();

    assert!(one.code == 1 && one.err.contains("the letter cannot be taken back by request"), "{one:?}");
    assert_eq!(recalled(&paused.json()), ["unsupported"; 3], "{}", paused.err);
    assert!(paused.err.contains("3 messages with providers that take nothing back"), "{}", paused.err);
    assert_eq!(held.words("select kind from event where kind like 'message.recall%'").await, [""; 0], "nobody was asked");
    assert_eq!(held.words("select distinct state from message").await, ["accepted"], "it counts as it did");
    assert_eq!(held.sandbox.state.record().len(), 3);
    held.prove().await;
}
