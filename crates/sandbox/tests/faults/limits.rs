//! What each face lets in, in its vendor's own numbers and words, and how often it tries to hand in a receipt.

use crate::faces::{NOTIFY_KEY, account, good, twilio};
use crate::support::{Town, town, town_with};
use axum::Router;
use axum::http::StatusCode;
use duly_sandbox::{Face, Fault, FaultKind, Limit, ProviderConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Requests on their way at once.
const AT_ONCE: usize = 50;

fn config(face: Face) -> ProviderConfig {
    ProviderConfig { api_key: (face == Face::Notify).then(|| NOTIFY_KEY.into()), ..account(face, vec![]) }
}

/// Makes so many submits at once; the bodies of the answers that were 429.
async fn refused(town: &Town, face: Face, mut many: usize) -> Vec<String> {
    let (mut running, mut said) = (JoinSet::new(), Vec::new());
    while many > 0 || !running.is_empty() {
        while many > 0 && running.len() < AT_ONCE {
            many -= 1;
            let request = good(town, face).send();
            running.spawn(async move {
                let answer = request.await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            });
        }
        let (status, text) = running.join_next().await.unwrap().unwrap();
        if status == 429 {
            said.push(text);
        }
    }
    said
}

#[tokio::test]
async fn each_face_lets_in_as_many_as_its_vendor_and_says_429_to_the_next_in_its_own_words() {
    for (face, many, words) in [
        (Face::Notify, 3000, "RateLimitError"),
        (Face::Lob, 150, "rate_limit_exceeded"),
        (Face::Stannp, 300, "\"success\":false"),
    ] {
        let town = town(config(face)).await;

        let said = refused(&town, face, many + 1).await;

        assert!(said.len() == 1 && said[0].contains(words), "{face:?} {said:?}");
        assert_eq!(town.state.over_limit("p"), 1, "{face:?}");
    }
}

#[tokio::test]
async fn who_waits_is_let_in_again_and_a_days_limit_is_said_in_other_words() {
    let limits = Some(vec![Limit { many: 2, ms: 2000 }]);
    let town = town(ProviderConfig { limits, per_day: Some(4), ..config(Face::Notify) }).await;

    assert_eq!(refused(&town, Face::Notify, 3).await.len(), 1);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(refused(&town, Face::Notify, 2).await.len(), 0, "who was refused did not count");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let said = refused(&town, Face::Notify, 1).await;

    assert!(said.len() == 1 && said[0].contains("TooManyRequestsError"), "{said:?}");
    assert_eq!(town.state.record().len(), 4);
}

#[tokio::test]
async fn a_refusal_quotes_whom_it_is_about_as_vendors_do() {
    for (face, whom) in [(Face::Twilio, "+447900900123"), (Face::Lob, "Ann Price")] {
        let town = town(ProviderConfig { faults: vec![Fault::once(FaultKind::Reject)], ..config(face) }).await;

        let said = good(&town, face).send().await.unwrap().text().await.unwrap();

        assert!(said.contains(whom), "{face:?} {said}");
    }
}

/// A place that answers every receipt so, and how many came.
async fn door(status: u16) -> (String, Arc<AtomicUsize>) {
    let came = Arc::new(AtomicUsize::new(0));
    let counted = came.clone();
    let router = Router::new().fallback(async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        StatusCode::from_u16(status).unwrap()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (place, came)
}

/// How many came in the end: so many, and no more after them.
async fn assert_came(came: &AtomicUsize, expected: usize, what: &str) {
    let all = async {
        while came.load(Ordering::SeqCst) < expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), all).await.is_ok(), "{what}: {came:?} of {expected}");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(came.load(Ordering::SeqCst), expected, "{what}");
}

#[tokio::test]
async fn each_face_tries_a_receipt_as_often_as_its_vendor_and_after_what_its_vendor_does() {
    // Lob does not say how often. Notify tries five times more, after 5xx and 429 alone; of its letters only a return is told.
    for (face, events, tries) in
        [(Face::Lob, 4, [(200, 1), (404, 5), (429, 5), (503, 5)]), (Face::Notify, 1, [(200, 1), (404, 1), (429, 6), (503, 6)])]
    {
        for (status, each) in tries {
            let (place, came) = door(status).await;
            let returned = vec![Fault::always(FaultKind::LetterReturned)];
            let settings = ProviderConfig { receipt_retry_ms: Some(1), faults: returned, ..config(face) };
            let town = town_with(settings, Some(place)).await;
            assert!(good(&town, face).send().await.unwrap().status().is_success());

            assert_came(&came, events * each, &format!("{face:?} {status}")).await;
        }
    }
}

#[tokio::test]
async fn twilio_tries_as_often_and_after_what_the_messages_own_url_asks_for() {
    // `sent` and `delivered`.
    const EVENTS: usize = 2;
    for (fragment, status, tries) in [
        ("", 503, 1),
        ("#rc=3", 503, 1),
        ("#rc=3&rp=5xx", 503, 4),
        ("#rc=3&rp=5xx", 404, 1),
        ("#rc=3&rp=all", 404, 4),
        ("#rc=9&rp=all", 404, 6),
        ("#rc=3&rp=all", 204, 1),
    ] {
        let (place, came) = door(status).await;
        let town = town(ProviderConfig { receipt_retry_ms: Some(1), ..account(Face::Twilio, vec![]) }).await;
        let place = format!("{place}/r?ref=0f{fragment}");
        assert!(twilio(&town, "+447900900123", &[("StatusCallback", &place)]).send().await.unwrap().status().is_success());

        assert_came(&came, EVENTS * tries, &format!("{fragment} {status}")).await;
    }
}
