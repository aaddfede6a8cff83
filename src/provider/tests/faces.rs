//! Each adapter against the sandbox's face of its vendor, over HTTP. Face and adapter share no type: both are written from
//! the vendor's document, so that a mistake of one is seen by the other.

#![expect(clippy::unwrap_used, reason = "tests")]

mod others;
mod rewriting;
mod silence;
mod table;

use super::super::described::DescribedProvider;
use super::super::guarded::MayStart;
use super::super::http::HttpProvider;
use super::super::lob::Lob;
use super::super::notify::Notify;
use super::super::stannp::Stannp;
use super::super::twilio::Twilio;
use super::super::{
    CallResult, Frozen, Item, LookUp, Outbound, Provider, RawReceipt, ReadReceipt, ReceiptRefusal, Sought, StatusAnswer,
    read_request,
};
use crate::model::email;
use crate::model::state::{Channel, MessageState as S};
use crate::model::step::Answer;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig, SandboxConfig, SandboxState, serve};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
/// Our message, and another one of the account: reference and number.
const OURS: (&str, &str) = (REFERENCE, "+447700900001");
const OTHER: (&str, &str) = ("101112131415161718191a1b1c1d1e1f", "+447700900002");
const PDF: &[u8] = b"%PDF-1.7 \r\n x";
const TEXT: &str = "Hello “Ann” & co";
/// The same for who would write it otherwise.
const PLAIN_TEXT: &str = "Hello \"Ann\" & cô";
const DEADLINE: Duration = Duration::from_secs(10);
const NOTIFY_KEY: &str = "key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";

/// An account: whose face it stands at, and its channel.
type Who = (Face, Channel);
const TWILIO: Who = (Face::Twilio, Channel::Sms);
const LOB: Who = (Face::Lob, Channel::Letter);
const STANNP: Who = (Face::Stannp, Channel::Letter);
const NOTIFY: [Who; 3] = [(Face::Notify, Channel::Sms), (Face::Notify, Channel::Email), (Face::Notify, Channel::Letter)];
/// The sandbox's own face, as settings describe a gateway that nobody here knows.
const DESCRIBED: Who = (Face::Plain, Channel::Sms);
const GATEWAY: &str = r#"
[http]
path = "/v1/messages"
body = '{"from": {{json from}}, "reference": {{json reference}}, "text": {{json text}}, "to": {{json to}}}'
content = "/text"
taken = [200, 201]
never = [422]
id = "/id"
status_path = "/v1/messages/{id}"
status = "/status"
words = { queued = "accepted", sent = "sent", delivered = "delivered_to_handset" }
check_path = "/v1/account"
"#;
const VENDORS: [Who; 3] = [TWILIO, LOB, STANNP];
const ALL: [Who; 7] = [TWILIO, LOB, STANNP, NOTIFY[0], NOTIFY[1], NOTIFY[2], DESCRIBED];

/// A vendor's face in this process, our account there, and a door for its receipts.
struct Town {
    who: Who,
    state: Arc<SandboxState>,
    provider: Box<dyn Provider>,
    place: String,
    origin: String,
    arrived: mpsc::Receiver<Arrived>,
}

struct Arrived {
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn town(who: Who, faults: Vec<Fault>, receipt_delay_ms: u64) -> Town {
    town_within(who, faults, receipt_delay_ms, Duration::from_secs(5)).await
}

/// The same, where an answer is waited for so long.
async fn town_within(who: Who, faults: Vec<Fault>, receipt_delay_ms: u64, wait: Duration) -> Town {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (sender, arrived) = mpsc::channel(100);
    let (door, origin) = listen().await;
    let router = Router::new().fallback(
        async |State(sender): State<mpsc::Sender<Arrived>>, uri: Uri, headers: HeaderMap, body: axum::body::Bytes| {
            // A test that is over listens no more.
            drop(sender.send(Arrived { uri, headers, body: body.to_vec() }).await);
        },
    );
    tokio::spawn(async move { axum::serve(door, router.with_state(sender)).await });
    let (face, channel) = who;
    let account = ProviderConfig {
        face,
        channel: channel.to_string(),
        idempotent: matches!(face, Face::Lob | Face::Stannp),
        receipt_delay_ms,
        faults,
        ..ProviderConfig::default()
    };
    let config = SandboxConfig {
        providers: [("northmere".to_owned(), account)].into(),
        callback: Some(format!("{origin}/receipts")),
        api_key: key_of(face).to_owned(),
        ..SandboxConfig::default()
    };
    let state = Arc::new(SandboxState::new(config));
    state.set_window_reader(Arc::new(|_| Some("Ann Price\n1 High Street\nLS1 4AP".to_owned())));
    let (listener, url) = listen().await;
    tokio::spawn(serve(state.clone(), listener, std::future::pending()));
    let place = format!("{url}/northmere");
    Town { who, state, provider: account_at(who, &place, wait), place, origin, arrived }
}

fn key_of(face: Face) -> &'static str {
    if face == Face::Notify { NOTIFY_KEY } else { "sandbox-key" }
}

fn text_for(who: Who) -> &'static str {
    if who == NOTIFY[0] { PLAIN_TEXT } else { TEXT }
}

fn account_at((face, channel): Who, url: &str, wait: Duration) -> Box<dyn Provider> {
    let more = if face == Face::Plain { GATEWAY } else { "" };
    let lane = format!(
        "channel = \"{channel}\"\nurl = \"{url}\"\napi_key = \"{}\"\nreceipt_secret = \"sandbox-secret\"\n\
         account = \"AC00000000000000000000000000000001\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\n{more}",
        key_of(face)
    );
    let lane = toml::from_str(&lane).unwrap();
    match face {
        Face::Twilio => Box::new(HttpProvider::new(Twilio::new(&lane, channel).unwrap(), url, wait).unwrap()),
        Face::Lob => Box::new(HttpProvider::new(Lob::new(&lane, channel), url, wait).unwrap()),
        Face::Stannp => Box::new(HttpProvider::new(Stannp::new(&lane, channel), url, wait).unwrap()),
        Face::Notify => Box::new(HttpProvider::new(Notify::new(&lane, channel).unwrap(), url, wait).unwrap()),
        _ => Box::new(HttpProvider::new(DescribedProvider::new(&lane, channel).unwrap(), url, wait).unwrap()),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

fn prepare(provider: &dyn Provider, who: Who, origin: &str) -> Frozen {
    prepare_as(provider, who, origin, OURS)
}

/// A message of these names; letters and emails go to the same place whoever they are for.
fn prepare_as(provider: &dyn Provider, who: Who, origin: &str, (reference, to): (&str, &str)) -> Frozen {
    let ((face, channel), text) = (who, text_for(who));
    let home = if face == Face::Lob { "Ann Price\n1 Main St\nPortland, OR 97201" } else { "Ann Price\n1 High Street\nLS1 4AP" };
    let (from, address) = (lines("Northmere\n2 Main St\nPortland, OR 97201"), lines(home));
    let mail = ("notice@northmere.example", "ann@mail.example");
    let item = match channel {
        Channel::Sms => Item::Sms { from: "NORTHMERE", to, text },
        Channel::Email => Item::Email { from: mail.0, from_name: "Northmere", to: mail.1, subject: "Your data", text },
        Channel::Letter => Item::Letter { from: &from, address: &address, pdf: PDF, pages: 2, postage_class: "first" },
    };
    let callback = format!("{origin}/receipts/northmere");
    provider.prepare(&Outbound { reference, callback: Some(&callback), item }).unwrap()
}

impl Town {
    fn prepare(&self) -> Frozen {
        prepare(&*self.provider, self.who, &self.origin)
    }

    async fn submit(&self) -> CallResult {
        let may_start: MayStart = Arc::new(|| Ok(()));
        self.provider.submit(self.prepare(), may_start).await
    }

    async fn submit_as(&self, names: (&str, &str)) -> CallResult {
        let may_start: MayStart = Arc::new(|| Ok(()));
        self.provider.submit(prepare_as(&*self.provider, self.who, &self.origin, names), may_start).await
    }

    async fn look_up(&self) -> LookUp {
        let (frozen, since) = (self.prepare(), Some(OffsetDateTime::now_utc()));
        self.provider.look_up(Sought { reference: REFERENCE, frozen: Some(&frozen), since }).await
    }

    /// The next receipt, as our door would read it.
    async fn receipt(&mut self) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        let arrived = tokio::time::timeout(DEADLINE, self.arrived.recv()).await.unwrap().unwrap();
        self.provider.parse_receipt(&RawReceipt {
            path: arrived.uri.path(),
            query: arrived.uri.query().unwrap_or_default(),
            origin: &self.origin,
            headers: &arrived.headers,
            body: &arrived.body,
            now_seconds: OffsetDateTime::now_utc().unix_timestamp(),
            window_seconds: 300,
        })
    }
}

#[tokio::test]
async fn what_is_submitted_is_produced_as_it_was_frozen_and_nothing_differs() {
    for who in ALL {
        let town = town(who, vec![], 60_000).await;

        let result = town.submit().await;

        assert_eq!((result.answer, result.returned.differs), (Answer::Accepted, None), "{who:?}");
        let (record, frozen) = (town.state.record(), town.prepare());
        let (destination, hash) = read_request(frozen.bytes()).unwrap();
        assert_eq!((record.len(), record[0].content_sha256.as_str()), (1, hex::encode(hash).as_str()), "{who:?}");
        let mail = email::join("Your data", TEXT);
        let content = match who.1 {
            Channel::Sms => text_for(who).as_bytes(),
            Channel::Email => mail.as_bytes(),
            Channel::Letter => PDF,
        };
        assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(content)), "{who:?}");
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        assert_eq!(letters(&record[0].destination), letters(&destination), "{who:?}");
    }
}

#[tokio::test]
async fn what_was_produced_is_found_by_our_reference_and_by_its_id() {
    for who in ALL {
        let town = town(who, vec![], 60_000).await;
        let nothing = if who == DESCRIBED { LookUp::CannotKnow } else { LookUp::Absent };
        assert_eq!(town.look_up().await, nothing, "{who:?}");
        let id = town.submit().await.provider_id.unwrap();

        match town.look_up().await {
            LookUp::Found(found) => {
                assert_eq!((found.len(), &found[0].provider_id, found[0].status), (1, &id, Some(S::Accepted)), "{who:?}");
            }
            other => assert_eq!((who, other), (DESCRIBED, LookUp::CannotKnow), "it is there"),
        }
        let StatusAnswer::Known(seen) = town.provider.fetch_status(&id).await else { unreachable!("{who:?}: it is known") };
        assert_eq!((seen.provider_id, seen.status), (id.clone(), Some(S::Accepted)), "{who:?}");
        let last = if id.ends_with('1') { '2' } else { '1' };
        let unknown = format!("{}{last}", &id[..id.len() - 1].replace('8', "9"));
        assert_eq!(town.provider.fetch_status(&unknown).await, StatusAnswer::NotFound, "{who:?}");
    }
}

#[tokio::test]
async fn a_look_up_that_goes_wrong_says_nothing_and_not_that_nothing_is_there() {
    use FaultKind::{LookUpCut, LookUpError, LookUpNotJson, LookUpTooMany};
    for who in ALL.into_iter().filter(|who| *who != DESCRIBED) {
        for kind in [LookUpError, LookUpTooMany, LookUpNotJson, LookUpCut] {
            let town = town(who, vec![Fault { times: Some(2), ..Fault::always(kind) }], 60_000).await;
            let id = town.submit().await.provider_id.unwrap();

            assert_eq!(town.look_up().await, LookUp::CannotKnow, "{who:?} {kind:?}");
            assert_eq!(town.provider.fetch_status(&id).await, StatusAnswer::CannotKnow, "{who:?} {kind:?}");

            assert_eq!(town.state.fired(kind), 2, "{who:?} {kind:?}");
            assert!(matches!(town.look_up().await, LookUp::Found(found) if found.len() == 1), "{who:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_list_that_moves_while_it_is_read_proves_no_absence_and_makes_no_second_message() {
    for who in [TWILIO, LOB] {
        let faults = vec![Fault::once(FaultKind::LookUpMoved), Fault::once(FaultKind::LookUpTwice)];
        let town = town(who, faults, 60_000).await;
        town.submit().await;

        assert_eq!(town.look_up().await, LookUp::CannotKnow, "{who:?}: neither page showed it");
        assert!(matches!(town.look_up().await, LookUp::Found(found) if found.len() == 1), "{who:?}: both pages showed it");

        let fired = [FaultKind::LookUpMoved, FaultKind::LookUpTwice].map(|kind| town.state.fired(kind));
        assert_eq!((fired, town.state.record().len()), ([1, 1], 1), "{who:?}");
    }
}

#[tokio::test]
async fn a_letter_that_is_found_invalid_after_it_was_taken_fails_in_its_vendors_own_word_and_is_not_printed() {
    for who in [LOB, STANNP] {
        let mut town = town(who, vec![Fault::once(FaultKind::LetterInvalid)], 1).await;
        let id = town.submit().await.provider_id.unwrap();

        let receipts = town.receipt().await.unwrap();

        assert_eq!((receipts[0].provider_id.as_ref(), receipts[0].status), (Some(&id), Some(S::Failed)), "{who:?}");
        assert!(matches!(town.provider.fetch_status(&id).await, StatusAnswer::Known(seen) if seen.status == Some(S::Failed)));
        assert!(town.state.record().is_empty(), "{who:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_none_where_the_key_is_honoured_and_a_second_message_where_there_is_no_key() {
    for who in ALL {
        let town = town(who, vec![], 60_000).await;

        let (first, second) = (town.submit().await, town.submit().await);

        let has_key = town.provider.capabilities().idempotent_for.is_some();
        assert_eq!((first.answer, second.answer), (Answer::Accepted, Answer::Accepted), "{who:?}");
        assert_eq!(first.provider_id == second.provider_id, has_key, "{who:?}");
        assert_eq!(town.state.record().len(), if has_key { 1 } else { 2 }, "{who:?}");
        assert_eq!(second.code, if who == STANNP { "409" } else { first.code.as_str() }, "{who:?}");
    }
}

#[tokio::test]
async fn receipts_are_believed_and_name_our_message_up_to_the_best_that_the_vendor_says() {
    for (who, best, count) in [
        (TWILIO, S::DeliveredToHandset, 2),
        (LOB, S::CarrierDelivered, 5),
        (STANNP, S::HandedToCarrier, 4),
        (NOTIFY[0], S::DeliveredToHandset, 1),
        (NOTIFY[1], S::CarrierDelivered, 1),
    ] {
        let mut town = town(who, vec![], 1).await;
        let id = town.submit().await.provider_id.unwrap();

        let mut last = None;
        for _ in 0..count {
            let receipts = town.receipt().await.unwrap();
            assert_eq!(receipts.len(), 1, "{who:?}");
            assert_eq!(
                (receipts[0].reference.as_deref(), receipts[0].provider_id.as_ref()),
                (Some(REFERENCE), Some(&id)),
                "{who:?}"
            );
            last = receipts[0].status;
        }

        assert_eq!(last, Some(best), "{who:?}");
    }
}

#[tokio::test]
async fn receipts_that_prove_nothing_are_refused_and_unknown_words_move_nothing() {
    for who in VENDORS.into_iter().chain([NOTIFY[0], NOTIFY[1]]) {
        for kind in [FaultKind::ReceiptForged, FaultKind::ReceiptUnsigned] {
            let mut town = town(who, vec![Fault::once(kind)], 1).await;
            town.submit().await;
            assert_eq!(town.receipt().await, Err(ReceiptRefusal::BadSignature), "{who:?} {kind:?}");
            // Notify tells the end alone: what was told without proof was all.
            let is_all = who.0 == Face::Notify && kind == FaultKind::ReceiptUnsigned;
            assert!(is_all || town.receipt().await.is_ok(), "{who:?} {kind:?}");
        }
        let mut strange = town(who, vec![Fault::once(FaultKind::ReceiptUnknownWord)], 1).await;
        strange.submit().await;
        let receipts = strange.receipt().await.unwrap();
        assert_eq!((receipts[0].word.as_str(), receipts[0].status), ("teleported", None), "{who:?}");
    }
}
