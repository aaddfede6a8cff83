//! Each face speaks its provider's format: what it takes, what it says, what it refuses, how it signs.

use crate::support::{DEADLINE, Town, heard, town, town_with};
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

const SID: &str = "AC00000000000000000000000000000000";
const PDF: &str = "%PDF-1.7 hello";
pub const NOTIFY_KEY: &str = "duly-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";

pub fn account(face: Face, faults: Vec<Fault>) -> ProviderConfig {
    let channel = if face == Face::Twilio { "sms" } else { "letter" };
    let idempotent = matches!(face, Face::Lob | Face::Stannp);
    ProviderConfig { face, channel: channel.into(), idempotent, receipt_delay_ms: 0, faults, ..ProviderConfig::default() }
}

/// A request to account `p`.
fn ask(town: &Town, method: Method, path: &str, user: &str, password: &str) -> RequestBuilder {
    town.client.request(method, format!("{}/p{path}", town.url)).basic_auth(user, Some(password))
}

pub fn twilio(town: &Town, to: &str, more: &[(&str, &str)]) -> RequestBuilder {
    let fields = [("To", to), ("From", "+15005550006"), ("Body", "Hello")];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields.iter().chain(more)).finish();
    let path = format!("/2010-04-01/Accounts/{SID}/Messages.json");
    ask(town, Method::POST, &path, SID, "sandbox-key").header("Content-Type", "application/x-www-form-urlencoded").body(body)
}

fn multipart(fields: &[(&str, &str)], file: &str) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"letter.pdf\"\r\nContent-Type: application/pdf";
    body + &format!("--b\r\n{head}\r\n\r\n{file}\r\n--b--\r\n")
}

fn letter(town: &Town, face: Face, mark: &str, more: &[(&str, &str)]) -> RequestBuilder {
    let lob = [
        ("to[name]", "Ann Price"),
        ("to[address_line1]", "1 Main St"),
        ("to[address_city]", "Portland"),
        ("to[address_state]", "OR"),
        ("to[address_zip]", "97201"),
        ("from[name]", "Northmere"),
        ("from[address_line1]", "2 Main St"),
        ("from[address_city]", "Portland"),
        ("from[address_state]", "OR"),
        ("from[address_zip]", "97201"),
        ("color", "false"),
        ("use_type", "operational"),
        ("metadata[ref]", mark),
    ];
    let stannp = [("country", "GB"), ("tags", mark), ("idempotency_key", mark)];
    let (path, fields) = if face == Face::Lob { ("/v1/letters", &lob[..]) } else { ("/v1/letters/post", &stannp[..]) };
    let fields: Vec<_> = fields.iter().chain(more).copied().collect();
    let request = ask(town, Method::POST, path, "sandbox-key", "").header("Content-Type", "multipart/form-data; boundary=b");
    let request = if face == Face::Lob { request.header("Idempotency-Key", mark) } else { request };
    request.body(multipart(&fields, PDF))
}

pub fn notify(town: &Town, method: Method, path: &str, iat: i64) -> RequestBuilder {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    use hmac::{Hmac, KeyInit, Mac};
    let head = B64.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
    let claims = B64.encode(format!(r#"{{"iss":"26785a09-ab16-4eb0-8407-a37497a57506","iat":{iat}}}"#));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&NOTIFY_KEY.as_bytes()[NOTIFY_KEY.len() - 36..]).unwrap();
    mac.update(format!("{head}.{claims}").as_bytes());
    let token = format!("{head}.{claims}.{}", B64.encode(mac.finalize().into_bytes()));
    town.client.request(method, format!("{}/p{path}", town.url)).bearer_auth(token)
}

pub fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

async fn json_of(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The same request by somebody else.
pub async fn sent_by(town: &Town, authorization: &str, request: RequestBuilder) -> (u16, Value) {
    let mut request = request.build().unwrap();
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    json_of(town.client.execute(request).await.unwrap()).await
}

pub async fn sent(request: RequestBuilder) -> (u16, Value) {
    json_of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn twilio_takes_a_form_and_shows_the_message_by_number_and_by_id() {
    let town = town(account(Face::Twilio, vec![])).await;

    let (status, message) = sent(twilio(&town, "+447900900123", &[])).await;
    let list = format!("/2010-04-01/Accounts/{SID}/Messages.json?To=%2B447900900123&From=%2B15005550006");
    let (_, found) = sent(ask(&town, Method::GET, &list, SID, "sandbox-key")).await;

    let sid = message["sid"].as_str().unwrap();
    assert_eq!((status, message["status"].as_str(), sid.len(), &sid[..2]), (201, Some("queued"), 34, "SM"));
    assert_eq!((message["num_segments"].as_str(), message["price"].is_null()), (Some("1"), true));
    assert_eq!((found["messages"][0]["sid"].as_str(), found["messages"][0]["body"].as_str()), (Some(sid), Some("Hello")));
    let record = town.state.record();
    assert_eq!((record.len(), record[0].destination.as_str()), (1, "+447900900123"));
    assert_eq!(record[0].content_sha256, "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969");
}

#[tokio::test]
async fn twilio_shows_a_standard_key_the_messages_and_not_the_account() {
    let town = town(account(Face::Twilio, vec![])).await;
    let (own, messages) =
        (format!("/2010-04-01/Accounts/{SID}.json"), format!("/2010-04-01/Accounts/{SID}/Messages.json?PageSize=1"));
    let get = async |path: &str, user: &str| sent(ask(&town, Method::GET, path, user, "sandbox-key")).await;
    let key = "SK00000000000000000000000000000004";

    let (status, refused) = get(&own, key).await;
    assert_eq!((status, refused["code"].as_u64()), (401, Some(20003)));
    assert_eq!((get(&own, SID).await.0, get(&messages, key).await.0), (200, 200));
}

#[tokio::test]
async fn twilio_sends_the_same_request_twice_as_two_messages() {
    let town = town(account(Face::Twilio, vec![])).await;

    let (_, first) = sent(twilio(&town, "+447900900123", &[])).await;
    let (_, second) = sent(twilio(&town, "+447900900123", &[])).await;

    assert_ne!(first["sid"], second["sid"]);
    assert_eq!(town.state.record().len(), 2);
}

#[tokio::test]
async fn twilio_names_what_it_refuses_by_its_codes() {
    let town = town(account(Face::Twilio, vec![])).await;
    let long = "x".repeat(1601);

    for (request, status, code) in [
        (twilio(&town, "12", &[]), 400, 21211),
        (twilio(&town, "+15005550004", &[]), 400, 21610),
        (twilio(&town, "+15005550009", &[]), 400, 21614),
        (twilio(&town, "+447900900123", &[]).body("From=%2B1&Body=x"), 400, 21604),
        (twilio(&town, "+447900900123", &[]).body(format!("To=%2B447900900123&From=%2B1&Body={long}")), 400, 21617),
        (twilio(&town, "+447900900123", &[("StatusCallback", "nowhere")]), 400, 21609),
    ] {
        let (answered, body) = sent(request).await;
        assert_eq!((answered, body["code"].as_i64(), body["status"].as_i64()), (status, Some(code), Some(i64::from(status))));
    }
    let (status, body) = sent_by(&town, "Basic QUM6eA==", twilio(&town, "+447900900123", &[])).await;
    assert_eq!((status, body["code"].as_i64()), (401, Some(20003)));
    assert!(town.state.record().is_empty());
}

#[tokio::test]
async fn twilio_takes_a_queued_message_back_and_no_other() {
    let town = town(ProviderConfig { receipt_delay_ms: 60_000, ..account(Face::Twilio, vec![]) }).await;
    let (_, message) = sent(twilio(&town, "+447900900123", &[])).await;
    let one = format!("/2010-04-01/Accounts/{SID}/Messages/{}.json", message["sid"].as_str().unwrap());
    let cancel = || ask(&town, Method::POST, &one, SID, "sandbox-key").body("Status=canceled");

    let (status, cancelled) = sent(cancel()).await;
    assert_eq!((status, cancelled["status"].as_str()), (200, Some("canceled")));
    assert_eq!(sent(cancel()).await.0, 400);

    assert!(town.state.record().is_empty());
}

#[tokio::test]
async fn lob_takes_a_pdf_and_replays_its_key() {
    let town = town(account(Face::Lob, vec![])).await;

    let (status, first) = sent(letter(&town, Face::Lob, "r1", &[])).await;
    let (_, second) = sent(letter(&town, Face::Lob, "r1", &[])).await;
    let list = ask(&town, Method::GET, "/v1/letters?metadata%5Bref%5D=r1&limit=100", "sandbox-key", "");
    let (_, found) = sent(list).await;

    assert_eq!((status, &first["id"]), (200, &second["id"]));
    assert_eq!((found["data"][0]["id"].as_str(), found["count"].as_i64()), (first["id"].as_str(), Some(1)));
    let record = town.state.record();
    assert_eq!((record.len(), record[0].destination.as_str()), (1, "Ann Price\n1 Main St\nPortland\nOR\n97201"));
}

#[tokio::test]
async fn lob_names_what_it_refuses_by_its_codes() {
    let town = town(account(Face::Lob, vec![])).await;
    let long = "x".repeat(257);

    for (request, status, code) in [
        (letter(&town, Face::Lob, &long, &[]), 422, "invalid"),
        (letter(&town, Face::Lob, "r", &[("to[address_line2]", &"x".repeat(45))]), 422, "address_length_exceeds_limit"),
        (letter(&town, Face::Lob, "r", &[]).body(multipart(&[("color", "true")], PDF)), 422, "invalid"),
        (letter(&town, Face::Lob, "r", &[]).body("{}"), 422, "bad_request"),
    ] {
        let (answered, body) = sent(request).await;
        assert_eq!((answered, body["error"]["code"].as_str()), (status, Some(code)));
    }
    let (status, body) = sent_by(&town, "Basic b3RoZXI6", letter(&town, Face::Lob, "r", &[])).await;
    assert_eq!((status, body["error"]["code"].as_str()), (401, Some("invalid_api_key")));
    assert!(town.state.record().is_empty());
}

#[tokio::test]
async fn lob_deletes_what_is_not_in_production() {
    let town = town(ProviderConfig { receipt_delay_ms: 60_000, ..account(Face::Lob, vec![]) }).await;
    let (_, made) = sent(letter(&town, Face::Lob, "r1", &[])).await;
    let path = format!("/v1/letters/{}", made["id"].as_str().unwrap());

    let (status, deleted) = sent(ask(&town, Method::DELETE, &path, "sandbox-key", "")).await;
    let (again, refused) = sent(ask(&town, Method::DELETE, &path, "sandbox-key", "")).await;

    assert_eq!((status, deleted["deleted"].as_bool()), (200, Some(true)));
    assert_eq!((again, refused["error"]["code"].as_str()), (422, Some("not_deletable")));
    assert!(town.state.record().is_empty());
}

#[tokio::test]
async fn stannp_replays_an_identical_body_with_409_and_prints_another_one_again() {
    let town = town(account(Face::Stannp, vec![])).await;
    town.state.set_window_reader(std::sync::Arc::new(|_| Some("Ann Price\n1 High Street\nLS1 4AP".to_owned())));

    let (status, first) = sent(letter(&town, Face::Stannp, "r1", &[])).await;
    let (replay, second) = sent(letter(&town, Face::Stannp, "r1", &[])).await;
    let (other, third) = sent(letter(&town, Face::Stannp, "r1", &[("duplex", "0")])).await;

    assert_eq!((status, replay, other, &first), (200, 409, 200, &second));
    assert_ne!(first["data"]["id"], third["data"]["id"]);
    let record = town.state.record();
    assert_eq!((record.len(), record[0].destination.as_str()), (2, "Ann Price\n1 High Street\nLS1 4AP"));
    let list = ask(&town, Method::GET, "/v1/reporting/directMail/list/2026-01-01/2026-12-31?tag=r1", "sandbox-key", "");
    assert_eq!(sent(list).await.1["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn stannp_prints_nothing_in_test_mode_and_nothing_without_an_address() {
    let town = town(account(Face::Stannp, vec![])).await;

    let (status, body) = sent(letter(&town, Face::Stannp, "r1", &[("test", "1")])).await;
    assert_eq!((status, body["data"]["id"].as_str(), body["data"]["status"].as_str()), (200, Some("0"), Some("test")));

    town.state.set_window_reader(std::sync::Arc::new(|_| None));
    let (status, body) = sent(letter(&town, Face::Stannp, "r1", &[])).await;
    assert_eq!((status, body["success"].as_bool()), (400, Some(false)));
    assert!(town.state.record().is_empty());
}

/// A submit of each vendor's face that would be taken.
pub fn good(town: &Town, face: Face) -> RequestBuilder {
    match face {
        Face::Twilio => twilio(town, "+447900900123", &[]),
        Face::Notify => notify(town, Method::POST, "/v2/notifications/letter", now())
            .json(&json!({ "reference": "r", "content": "JVBERi0xLjcgaGVsbG8=", "postage": "second" })),
        face => letter(town, face, "r1", &[]),
    }
}

#[tokio::test]
async fn each_face_says_each_fault_in_its_own_way_and_produces_nothing() {
    use FaultKind::{ErrorBefore, ErrorInside, Forbidden, NoCredit, Reject, RequestTimeout, TooMany, TooManyToday, Unauthorised};
    let kinds = [Reject, TooMany, TooManyToday, Unauthorised, Forbidden, NoCredit, RequestTimeout, ErrorBefore, ErrorInside];
    for (face, statuses) in [
        (Face::Twilio, [400, 429, 429, 401, 403, 402, 408, 500, 201]),
        (Face::Lob, [422, 429, 403, 401, 403, 401, 408, 500, 200]),
        (Face::Stannp, [400, 429, 429, 401, 403, 402, 408, 500, 200]),
        (Face::Notify, [400, 429, 429, 403, 403, 400, 408, 500, 200]),
    ] {
        for (kind, status) in kinds.into_iter().zip(statuses) {
            let config = ProviderConfig {
                api_key: (face == Face::Notify).then(|| NOTIFY_KEY.into()),
                ..account(face, vec![Fault::once(kind)])
            };
            let town = town(config).await;

            let answer = good(&town, face).send().await.unwrap();

            assert_eq!(answer.status().as_u16(), status, "{face:?} {kind:?}");
            assert_eq!((town.state.record().len(), town.state.fired(kind)), (0, 1), "{face:?} {kind:?}");
            assert!(good(&town, face).send().await.unwrap().status().is_success(), "{face:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_no_json_hides_what_was_produced() {
    for face in [Face::Plain, Face::Twilio, Face::Lob, Face::Stannp] {
        let town = town(ProviderConfig { channel: "sms".into(), ..account(face, vec![Fault::once(FaultKind::NotJson)]) }).await;
        let request = if face == Face::Plain { town.send("a").await } else { good(&town, face).send().await };

        let text = request.unwrap().text().await.unwrap();

        assert!(text.starts_with("<html>"), "{face:?}");
        assert_eq!(town.state.record().len(), 1, "{face:?}");
    }
}

#[tokio::test]
async fn each_face_tells_in_its_own_words_with_its_own_proof() {
    for (face, proof, words) in [
        (Face::Lob, "lob-signature", &["letter.rendered_pdf", "letter.mailed", "letter.in_transit"][..]),
        (Face::Stannp, "x-stannp-signature", &["printing", "dispatched", "local_delivery", "delivered"]),
    ] {
        let (callback, mut ears) = heard().await;
        let town = town_with(account(face, vec![]), Some(callback)).await;
        good(&town, face).send().await.unwrap();

        for word in words {
            let heard = tokio::time::timeout(DEADLINE, ears.recv()).await.unwrap().unwrap();
            assert!(heard.body.contains(word), "{face:?} {word}");
            assert_eq!(heard.headers[proof].len(), 64, "{face:?}");
        }
    }
}

#[tokio::test]
async fn twilio_calls_where_the_message_said_and_signs_that_place() {
    let (callback, mut ears) = heard().await;
    let town = town(account(Face::Twilio, vec![])).await;
    let place = format!("{callback}/r/twilio?ref=0f#rc=2&rp=all");
    assert!(twilio(&town, "+447900900123", &[("StatusCallback", &place)]).send().await.unwrap().status().is_success());

    for word in ["MessageStatus=sent", "MessageStatus=delivered"] {
        let heard = tokio::time::timeout(DEADLINE, ears.recv()).await.unwrap().unwrap();
        assert!(heard.body.contains(word) && heard.uri == "/r/twilio?ref=0f", "{}", heard.uri);
        assert_eq!(heard.headers["x-twilio-signature"].len(), 28);
    }
    assert_eq!(town.state.record()[0].reference, "0f");
}

#[tokio::test]
async fn stannp_pauses_its_webhook_after_five_failures_until_somebody_subscribes_again() {
    let nowhere = "http://127.0.0.1:9".to_owned();
    let config = ProviderConfig { receipt_retry_ms: Some(1), ..account(Face::Stannp, vec![]) };
    let (callback, mut ears) = heard().await;
    let town = town_with(config, Some(nowhere)).await;
    good(&town, Face::Stannp).send().await.unwrap();
    town.wait_for_record(1).await;
    let paused = async {
        while town.state.failed_receipts("p") < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, paused).await.unwrap();

    town.state.set_callback(Some(callback));
    letter(&town, Face::Stannp, "r2", &[]).send().await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(200), ears.recv()).await;
    town.state.resubscribe("p");
    letter(&town, Face::Stannp, "r3", &[]).send().await.unwrap();
    let heard = tokio::time::timeout(DEADLINE, ears.recv()).await.unwrap().unwrap();

    assert!(silence.is_err() && heard.body.contains("\"tags\":\"r3\""));
}

#[tokio::test]
async fn receipts_can_be_strange_unsigned_stale_and_of_the_future() {
    let untimely = [FaultKind::ReceiptStale, FaultKind::ReceiptFuture];
    for kind in
        [FaultKind::ReceiptUnknownWord, FaultKind::ReceiptStranger, FaultKind::ReceiptUnsigned].into_iter().chain(untimely)
    {
        let (callback, mut ears) = heard().await;
        let town = town_with(account(Face::Lob, vec![Fault::always(kind)]), Some(callback)).await;
        let (_, made) = sent(good(&town, Face::Lob)).await;
        let heard = tokio::time::timeout(DEADLINE, ears.recv()).await.unwrap().unwrap();

        let age =
            heard.headers.get("lob-signature-timestamp").map(|ms| now() - ms.to_str().unwrap().parse::<i64>().unwrap() / 1000);
        match kind {
            FaultKind::ReceiptUnknownWord => assert!(heard.body.contains("letter.teleported")),
            FaultKind::ReceiptStranger => assert!(!heard.body.contains(made["id"].as_str().unwrap())),
            FaultKind::ReceiptUnsigned => assert_eq!(age, None),
            FaultKind::ReceiptFuture => assert!(age.unwrap() < -3500),
            _ => assert!(age.unwrap() >= 3600),
        }
    }
}
