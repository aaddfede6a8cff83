//! Letters as vendors show them: each adapter against its vendor's face, and against answers that lead elsewhere.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::super::guarded::MayStart;
use super::super::http::HttpProvider;
use super::super::lob::Lob;
use super::super::notify::Notify;
use super::super::shown::LETTER_BYTES_MAX;
use super::super::stannp::Stannp;
use super::super::{Item, Outbound, Provider, Showing};
use crate::model::state::Channel;
use axum::Router;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use duly_letter::count_pages;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig, SandboxConfig, SandboxState, serve};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
const NOTIFY_KEY: &str = "key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";
const LOB_ID: &str = "ltr_4868c3b754655f90";
const LONG: u64 = 3_600_000;

/// A PDF of two pages.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>\nendobj\n\
    3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\n4 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\n\
    trailer\n<</Root 1 0 R/Size 5>>\n%%EOF\n";

async fn listen() -> (TcpListener, String) {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn account(face: Face, url: &str) -> Box<dyn Provider> {
    let key = if face == Face::Notify { NOTIFY_KEY } else { "sandbox-key" };
    let lane = format!("channel = \"letter\"\nurl = \"{url}\"\napi_key = \"{key}\"\nreceipt_secret = \"sandbox-secret\"\n");
    let (lane, wait) = (toml::from_str(&lane).unwrap(), Duration::from_secs(5));
    match face {
        Face::Notify => Box::new(HttpProvider::new(Notify::new(&lane, Channel::Letter).unwrap(), url, wait).unwrap()),
        Face::Lob => Box::new(HttpProvider::new(Lob::new(&lane, Channel::Letter), url, wait).unwrap()),
        _ => Box::new(HttpProvider::new(Stannp::new(&lane, Channel::Letter), url, wait).unwrap()),
    }
}

/// A letter that a vendor's face took, and the account that asks for it.
async fn taken(face: Face, faults: Vec<Fault>, receipt_delay_ms: u64) -> (Box<dyn Provider>, String) {
    let provider = ProviderConfig {
        face,
        channel: "letter".to_owned(),
        api_key: (face == Face::Notify).then(|| NOTIFY_KEY.to_owned()),
        receipts: false,
        receipt_delay_ms,
        faults,
        ..ProviderConfig::default()
    };
    let config = SandboxConfig { providers: [("northmere".to_owned(), provider)].into(), ..SandboxConfig::default() };
    let state = Arc::new(SandboxState::new(config));
    state.set_window_reader(Arc::new(|_| Some("Ann Price\n1 High Street\nLS1 4AP".to_owned())));
    let (listener, url) = listen().await;
    tokio::spawn(serve(state, listener, std::future::pending()));
    let account = account(face, &format!("{url}/northmere"));
    let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
    let place = if face == Face::Lob { "1 Main St\nPortland, OR 97201" } else { "1 High Street\nLS1 4AP" };
    let (from, address) = (lines("Northmere\n2 Main St\nPortland, OR 97201"), lines(&format!("Ann Price\n{place}")));
    let item = Item::Letter { from: &from, address: &address, pdf: PDF, pages: 2, postage_class: "first" };
    let frozen = account.prepare(&Outbound { reference: REFERENCE, callback: None, item }).unwrap();
    let may_start: MayStart = Arc::new(|| Ok(()));
    let id = account.submit(frozen, may_start).await.provider_id.unwrap();
    (account, id)
}

#[tokio::test]
async fn each_vendor_shows_the_letter_that_it_prints() {
    assert_eq!(count_pages(PDF), Some(2));
    for (face, pages, is_same) in [(Face::Notify, 2, false), (Face::Lob, 3, false), (Face::Stannp, 2, true)] {
        // No receipts and no delay: its life is over at once.
        let (account, id) = taken(face, vec![], 0).await;

        let Showing::Letter(pdf) = account.fetch_letter(&id).await else { panic!("{face:?} showed no letter") };

        assert_eq!((count_pages(&pdf), pdf == PDF), (Some(pages), is_same), "{face:?}");
        assert!(account.capabilities().shows_letter.unwrap().fits(pages, 2), "{face:?}");
    }
}

#[tokio::test]
async fn another_letter_than_was_given_is_seen_by_its_pages() {
    for face in [Face::Notify, Face::Lob, Face::Stannp] {
        let (account, id) = taken(face, vec![Fault::always(FaultKind::LetterShownOther)], 0).await;

        let Showing::Letter(pdf) = account.fetch_letter(&id).await else { panic!("{face:?} showed no letter") };

        assert!(!account.capabilities().shows_letter.unwrap().fits(count_pages(&pdf).unwrap(), 2), "{face:?}");
    }
}

#[tokio::test]
async fn a_letter_that_is_not_made_yet_or_not_known_is_not_shown_yet() {
    for face in [Face::Notify, Face::Lob] {
        let (account, id) = taken(face, vec![], LONG).await;
        assert_eq!(account.fetch_letter(&id).await, Showing::NotYet, "{face:?}");
    }
    for (face, id) in [(Face::Notify, "740e5834-3a29-46b4-9a6f-16142fde533a"), (Face::Lob, LOB_ID), (Face::Stannp, "7")] {
        let (account, _) = taken(face, vec![], 0).await;
        assert_eq!(account.fetch_letter(id).await, Showing::NotYet, "{face:?}");
        assert_eq!(account.fetch_letter("../../secrets").await, Showing::NotYet, "{face:?}");
    }
}

/// A vendor whose letter says that its PDF lies at `url`; `{origin}` is its own address. What was asked for below `/pdf/` is
/// answered with a PDF, longer than is read, or with a redirect, and counted.
async fn leading(url: &str) -> (Box<dyn Provider>, Arc<AtomicUsize>) {
    let (listener, origin) = listen().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let letter = json!({ "id": LOB_ID, "status": "rendered", "url": url.replace("{origin}", &origin) }).to_string();
    let count = asked.clone();
    let pdf = move |path: axum::extract::Path<String>, headers: HeaderMap| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            assert!(headers.get("authorization").is_none(), "a link takes no credentials");
            match path.as_str() {
                "moved" => (StatusCode::FOUND, [(LOCATION, "/pdf/good")]).into_response(),
                "huge" => [b"%PDF-1.4\n".to_vec(), vec![b' '; LETTER_BYTES_MAX]].concat().into_response(),
                _ => PDF.to_vec().into_response(),
            }
        }
    };
    let router = Router::new()
        .route("/v1/letters/{id}", get(move || std::future::ready(([(CONTENT_TYPE, "application/json")], letter.clone()))))
        .route("/pdf/{what}", get(pdf));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (account(Face::Lob, &origin), asked)
}

#[tokio::test]
async fn an_answer_makes_us_ask_nobody_but_its_own_provider() {
    let (elsewhere, (stranger, url)) = (Arc::new(AtomicUsize::new(0)), listen().await);
    let strangers = elsewhere.clone();
    let router = Router::new().fallback(move || {
        strangers.fetch_add(1, Ordering::SeqCst);
        async { PDF.to_vec() }
    });
    tokio::spawn(async move { axum::serve(stranger, router).await });
    for link in [format!("{url}/pdf"), "http://169.254.169.254/latest/meta-data".into(), "file:///etc/passwd".into(), "x".into()]
    {
        let (account, asked) = leading(&link).await;
        assert_eq!(account.fetch_letter(LOB_ID).await, Showing::Elsewhere, "{link}");
        assert_eq!((asked.load(Ordering::SeqCst), elsewhere.load(Ordering::SeqCst)), (0, 0), "{link}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_more_is_read_than_a_letter_may_have() {
    for (link, showing) in [
        ("{origin}/pdf/good", Showing::Letter(PDF.to_vec())),
        ("{origin}/pdf/moved", Showing::NotYet),
        ("{origin}/pdf/huge", Showing::NotYet),
    ] {
        let (account, asked) = leading(link).await;
        assert!(account.fetch_letter(LOB_ID).await == showing, "{link}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{link}");
    }
}
