//! Each adapter against the sandbox's face of its vendor, over HTTP. Face and adapter share no type: both are written from
//! the vendor's document, so that a mistake of one is seen by the other.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::guarded::MayStart;
use super::super::http::HttpProvider;
use super::super::lob::Lob;
use super::super::stannp::Stannp;
use super::super::twilio::Twilio;
use super::super::{
    CallResult, CancelOutcome, Check, Frozen, Item, LookUp, Outbound, Pause, Provider, RawReceipt, ReadReceipt, ReceiptRefusal,
    Sought, StatusAnswer, read_request,
};
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
const DEADLINE: Duration = Duration::from_secs(10);
const VENDORS: [Face; 3] = [Face::Twilio, Face::Lob, Face::Stannp];

/// A vendor's face in this process, our account there, and a door for its receipts.
struct Town {
    face: Face,
    state: Arc<SandboxState>,
    provider: Box<dyn Provider>,
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

async fn town(face: Face, faults: Vec<Fault>, receipt_delay_ms: u64) -> Town {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (sender, arrived) = mpsc::channel(100);
    let (door, origin) = listen().await;
    let router = Router::new().fallback(
        async |State(sender): State<mpsc::Sender<Arrived>>, uri: Uri, headers: HeaderMap, body: axum::body::Bytes| {
            sender.send(Arrived { uri, headers, body: body.to_vec() }).await.unwrap();
        },
    );
    tokio::spawn(async move { axum::serve(door, router.with_state(sender)).await });
    let channel = if face == Face::Twilio { Channel::Sms } else { Channel::Letter };
    let account = ProviderConfig {
        face,
        channel: channel.to_string(),
        idempotent: face != Face::Twilio,
        receipt_delay_ms,
        faults,
        ..ProviderConfig::default()
    };
    let config = SandboxConfig {
        providers: [("northmere".to_owned(), account)].into(),
        callback: Some(format!("{origin}/receipts")),
        ..SandboxConfig::default()
    };
    let state = Arc::new(SandboxState::new(config));
    state.set_window_reader(Arc::new(|_| Some("Ann Price\n1 High Street\nLS1 4AP".to_owned())));
    let (listener, url) = listen().await;
    tokio::spawn(serve(state.clone(), listener, std::future::pending()));
    Town { face, state, provider: account_at(face, channel, &format!("{url}/northmere")), origin, arrived }
}

fn account_at(face: Face, channel: Channel, url: &str) -> Box<dyn Provider> {
    let lane = format!(
        "channel = \"{channel}\"\nurl = \"{url}\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"sandbox-secret\"\n\
         account = \"AC00000000000000000000000000000001\"\n"
    );
    let (lane, wait) = (toml::from_str(&lane).unwrap(), Duration::from_secs(5));
    match face {
        Face::Twilio => Box::new(HttpProvider::new(Twilio::new(&lane, channel).unwrap(), url, wait).unwrap()),
        Face::Lob => Box::new(HttpProvider::new(Lob::new(&lane, channel), url, wait).unwrap()),
        _ => Box::new(HttpProvider::new(Stannp::new(&lane, channel), url, wait).unwrap()),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

impl Town {
    fn address(&self) -> &'static str {
        if self.face == Face::Lob { "Ann Price\n1 Main St\nPortland, OR 97201" } else { "Ann Price\n1 High Street\nLS1 4AP" }
    }

    fn prepare(&self) -> Frozen {
        let (from, address) = (lines("Northmere\n2 Main St\nPortland, OR 97201"), lines(self.address()));
        let item = match self.face {
            Face::Twilio => Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "Hello “Ann” & co" },
            _ => Item::Letter { from: &from, address: &address, pdf: b"%PDF-1.7 \r\n x", pages: 2, postage_class: "first" },
        };
        let callback = format!("{}/receipts/northmere", self.origin);
        self.provider.prepare(&Outbound { reference: REFERENCE, callback: Some(&callback), item }).unwrap()
    }

    async fn submit(&self) -> CallResult {
        let may_start: MayStart = Arc::new(|| Ok(()));
        self.provider.submit(self.prepare(), may_start).await
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
    for face in VENDORS {
        let town = town(face, vec![], 60_000).await;

        let result = town.submit().await;

        assert_eq!((result.answer, result.returned.differs), (Answer::Accepted, None), "{face:?}");
        let (record, frozen) = (town.state.record(), town.prepare());
        let (destination, hash) = read_request(frozen.bytes()).unwrap();
        assert_eq!((record.len(), record[0].content_sha256.as_str()), (1, hex::encode(hash).as_str()), "{face:?}");
        let content: &[u8] = if face == Face::Twilio { "Hello “Ann” & co".as_bytes() } else { b"%PDF-1.7 \r\n x" };
        assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(content)), "{face:?}");
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        assert_eq!(letters(&record[0].destination), letters(&destination), "{face:?}");
    }
}

#[tokio::test]
async fn what_was_produced_is_found_by_our_reference_and_by_its_id() {
    for face in VENDORS {
        let town = town(face, vec![], 60_000).await;
        assert_eq!(town.look_up().await, LookUp::Absent, "{face:?}");
        let id = town.submit().await.provider_id.unwrap();

        let LookUp::Found(found) = town.look_up().await else { unreachable!("{face:?}: it is there") };
        assert_eq!((found.len(), &found[0].provider_id, found[0].status), (1, &id, Some(S::Accepted)), "{face:?}");
        let StatusAnswer::Known(seen) = town.provider.fetch_status(&id).await else { unreachable!("{face:?}: it is known") };
        assert_eq!((seen.provider_id, seen.status), (id.clone(), Some(S::Accepted)), "{face:?}");
        let unknown = format!("{}1", &id[..id.len() - 1].replace('8', "9"));
        assert_eq!(town.provider.fetch_status(&unknown).await, StatusAnswer::NotFound, "{face:?}");
    }
}

#[tokio::test]
async fn a_look_up_that_goes_wrong_says_nothing_and_not_that_nothing_is_there() {
    use FaultKind::{LookUpCut, LookUpError, LookUpNotJson, LookUpTooMany};
    for face in VENDORS {
        for kind in [LookUpError, LookUpTooMany, LookUpNotJson, LookUpCut] {
            let town = town(face, vec![Fault { times: Some(2), ..Fault::always(kind) }], 60_000).await;
            let id = town.submit().await.provider_id.unwrap();

            assert_eq!(town.look_up().await, LookUp::CannotKnow, "{face:?} {kind:?}");
            assert_eq!(town.provider.fetch_status(&id).await, StatusAnswer::CannotKnow, "{face:?} {kind:?}");

            assert_eq!(town.state.fired(kind), 2, "{face:?} {kind:?}");
            assert!(matches!(town.look_up().await, LookUp::Found(found) if found.len() == 1), "{face:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_list_that_moves_while_it_is_read_proves_no_absence_and_makes_no_second_message() {
    for face in [Face::Twilio, Face::Lob] {
        let faults = vec![Fault::once(FaultKind::LookUpMoved), Fault::once(FaultKind::LookUpTwice)];
        let town = town(face, faults, 60_000).await;
        town.submit().await;

        assert_eq!(town.look_up().await, LookUp::CannotKnow, "{face:?}: neither page showed it");
        assert!(matches!(town.look_up().await, LookUp::Found(found) if found.len() == 1), "{face:?}: both pages showed it");

        let fired = [FaultKind::LookUpMoved, FaultKind::LookUpTwice].map(|kind| town.state.fired(kind));
        assert_eq!((fired, town.state.record().len()), ([1, 1], 1), "{face:?}");
    }
}

#[tokio::test]
async fn a_letter_that_is_found_invalid_after_it_was_taken_fails_in_its_vendors_own_word_and_is_not_printed() {
    for face in [Face::Lob, Face::Stannp] {
        let mut town = town(face, vec![Fault::once(FaultKind::LetterInvalid)], 1).await;
        let id = town.submit().await.provider_id.unwrap();

        let receipts = town.receipt().await.unwrap();

        assert_eq!((receipts[0].provider_id.as_ref(), receipts[0].status), (Some(&id), Some(S::Failed)), "{face:?}");
        assert!(matches!(town.provider.fetch_status(&id).await, StatusAnswer::Known(seen) if seen.status == Some(S::Failed)));
        assert!(town.state.record().is_empty(), "{face:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_none_where_the_key_is_honoured_and_a_second_message_where_there_is_no_key() {
    for face in VENDORS {
        let town = town(face, vec![], 60_000).await;

        let (first, second) = (town.submit().await, town.submit().await);

        let has_key = town.provider.capabilities().idempotent_for.is_some();
        assert_eq!((first.answer, second.answer), (Answer::Accepted, Answer::Accepted), "{face:?}");
        assert_eq!(first.provider_id == second.provider_id, has_key, "{face:?}");
        assert_eq!(town.state.record().len(), if has_key { 1 } else { 2 }, "{face:?}");
        assert_eq!(second.code, if face == Face::Stannp { "409" } else { first.code.as_str() }, "{face:?}");
    }
}

#[tokio::test]
async fn every_fault_of_a_call_has_its_outcome_and_fired() {
    use Answer::{Accepted, LaneStopped, NotTaken, Rejected, Unknown};
    for face in VENDORS {
        let daily = if face == Face::Stannp { NotTaken } else { LaneStopped };
        // Twilio's text failed at once, because the account is suspended.
        let inside = match face {
            Face::Stannp => Unknown,
            Face::Twilio => LaneStopped,
            _ => Accepted,
        };
        for (kind, answer, produced) in [
            (FaultKind::Reject, Rejected, 0),
            (FaultKind::TooMany, NotTaken, 0),
            (FaultKind::TooManyToday, daily, 0),
            (FaultKind::NoCredit, LaneStopped, 0),
            (FaultKind::Unauthorised, LaneStopped, 0),
            (FaultKind::Forbidden, LaneStopped, 0),
            (FaultKind::Redirect, Unknown, 0),
            (FaultKind::RequestTimeout, Unknown, 0),
            (FaultKind::ErrorBefore, Unknown, 0),
            (FaultKind::CutBefore, Unknown, 0),
            (FaultKind::ErrorInside, inside, 0),
            (FaultKind::ErrorAfter, Unknown, 1),
            (FaultKind::CutAfter, Unknown, 1),
            (FaultKind::NotJson, Unknown, 1),
            (FaultKind::Gzip, Unknown, 1),
            (FaultKind::HugeBody, Unknown, 1),
        ] {
            let town = town(face, vec![Fault::once(kind)], 60_000).await;

            let result = town.submit().await;

            assert_eq!((result.answer, town.state.fired(kind)), (answer, 1), "{face:?} {kind:?}: {}", result.code);
            assert_eq!(town.state.record().len(), produced, "{face:?} {kind:?}");
            let pauses = result.answer == LaneStopped || kind == FaultKind::Redirect;
            assert_eq!(result.pause.is_some(), pauses, "{face:?} {kind:?}");
            if produced == 1 {
                assert!(matches!(town.look_up().await, LookUp::Found(found) if found.len() == 1), "{face:?} {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait_in_the_vendors_own_way() {
    for face in VENDORS {
        let town = town(face, vec![Fault::once(FaultKind::TooMany).lasting(7_000)], 60_000).await;

        let wait = town.submit().await.retry_after.unwrap();

        assert!((Duration::from_secs(5)..=Duration::from_secs(7)).contains(&wait), "{face:?} {wait:?}");
    }
    let daily = town(Face::Twilio, vec![Fault::once(FaultKind::TooManyToday)], 60_000).await;
    assert_eq!(daily.submit().await.pause, Some(Pause::UtcDay));
}

#[tokio::test]
async fn what_waits_is_taken_back_and_what_is_on_its_way_is_not() {
    for face in VENDORS {
        let waiting = town(face, vec![], 60_000).await;
        let id = waiting.submit().await.provider_id.unwrap();
        assert_eq!(waiting.provider.cancel(&id).await, CancelOutcome::Cancelled, "{face:?}");
        assert!(waiting.state.record().is_empty(), "{face:?}");
        assert_eq!(waiting.provider.cancel(&id).await, CancelOutcome::TooLate, "{face:?}");

        let mut gone = town(face, vec![], 1).await;
        let id = gone.submit().await.provider_id.unwrap();
        gone.receipt().await.unwrap();
        assert_eq!(gone.provider.cancel(&id).await, CancelOutcome::TooLate, "{face:?}");
        assert_eq!(gone.state.record().len(), 1, "{face:?}");
    }
}

#[tokio::test]
async fn receipts_are_believed_and_name_our_message_up_to_the_best_that_the_vendor_says() {
    for (face, best, count) in
        [(Face::Twilio, S::DeliveredToHandset, 2), (Face::Lob, S::CarrierDelivered, 5), (Face::Stannp, S::HandedToCarrier, 4)]
    {
        let mut town = town(face, vec![], 1).await;
        let id = town.submit().await.provider_id.unwrap();

        let mut last = None;
        for _ in 0..count {
            let receipts = town.receipt().await.unwrap();
            assert_eq!(receipts.len(), 1, "{face:?}");
            assert_eq!(
                (receipts[0].reference.as_deref(), receipts[0].provider_id.as_ref()),
                (Some(REFERENCE), Some(&id)),
                "{face:?}"
            );
            last = receipts[0].status;
        }

        assert_eq!(last, Some(best), "{face:?}");
    }
}

#[tokio::test]
async fn receipts_that_prove_nothing_are_refused_and_unknown_words_move_nothing() {
    for face in VENDORS {
        for kind in [FaultKind::ReceiptForged, FaultKind::ReceiptUnsigned] {
            let mut town = town(face, vec![Fault::once(kind)], 1).await;
            town.submit().await;
            assert_eq!(town.receipt().await, Err(ReceiptRefusal::BadSignature), "{face:?} {kind:?}");
            assert!(town.receipt().await.is_ok(), "{face:?} {kind:?}");
        }
        let mut strange = town(face, vec![Fault::once(FaultKind::ReceiptUnknownWord)], 1).await;
        strange.submit().await;
        let receipts = strange.receipt().await.unwrap();
        assert_eq!((receipts[0].word.as_str(), receipts[0].status), ("teleported", None), "{face:?}");
    }
    let mut stale = town(Face::Lob, vec![Fault::once(FaultKind::ReceiptStale)], 1).await;
    stale.submit().await;
    assert_eq!(stale.receipt().await, Err(ReceiptRefusal::Stale));
}

#[tokio::test]
async fn a_check_proves_the_credentials_and_produces_nothing() {
    for face in VENDORS {
        let town = town(face, vec![], 60_000).await;
        assert_eq!(town.provider.check().await, Check::Good, "{face:?}");
        let mut config = SandboxConfig::clone(&town.state.config());
        config.api_key = "another".into();
        town.state.set_config(config);
        assert_eq!(town.provider.check().await, Check::BadCredentials, "{face:?}");
        assert_eq!((town.submit().await.answer, town.state.record().len()), (Answer::LaneStopped, 0), "{face:?}");
    }
}
