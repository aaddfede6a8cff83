//! Lob's tables, row by row, its bytes and its signature.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::state::MessageState as S;
use crate::provider::tests::each_bit_changed;
use crate::provider::{Account, ClaimedBy, Frozen};
use reqwest::header::HeaderMap;
use serde_json::json;
use std::collections::BTreeSet;

const ID: &str = "ltr_4868c3b754655f90";
const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";

fn wire() -> Lob {
    let lane = "channel = \"letter\"\nurl = \"http://127.0.0.1\"\napi_key = \"test_key\"\nreceipt_secret = \"secret\"\n";
    Lob::new(&toml::from_str(lane).unwrap(), Channel::Letter)
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

fn prepare(address: &str, pages: u32, postage_class: &str, pdf: &[u8]) -> Result<Frozen, Refusal> {
    let (from, address) = (lines("Northmere Council\n2 Main St\nPortland, OR 97201"), lines(address));
    let item = Item::Letter { from: &from, address: &address, pdf, pages, postage_class };
    wire().capabilities().check(&item)?;
    // What is refused before the approval is what could not be made.
    let outbound = Outbound { reference: REFERENCE, callback: None, item };
    assert_eq!(wire().takes(&item).err(), wire().prepare(&outbound).err());
    Ok(wire().prepare(&Outbound { reference: REFERENCE, callback: None, item })?.freeze("lob"))
}

fn freeze() -> Frozen {
    prepare("Ann Price\n1 Main St\nApt 2\nPortland, OR\n97201\nUNITED STATES OF AMERICA", 2, "first", b"%PDF-1.7\r\n--").unwrap()
}

fn letter() -> Value {
    json!({
        "id": ID, "status": "processed", "metadata": { "duly_reference": REFERENCE }, "mail_type": "usps_first_class",
        "to": { "address_zip": "97201-1234" }, "tracking_events": [], "deleted": false, "object": "letter",
    })
}

fn answer(status: u16, body: &str) -> CallResult {
    let frozen = freeze();
    wire().read_answer(&frozen.thaw().unwrap(), &Reply::of(status, body))
}

fn error(status: u16, code: &str) -> CallResult {
    answer(status, &json!({ "error": { "code": code, "message": "any 1 Main St", "status_code": status } }).to_string())
}

fn with(name: &str, value: Value) -> Value {
    let mut letter = letter();
    letter[name] = value;
    letter
}

#[test]
fn each_answer_has_its_outcome() {
    let minute = Some(Pause::Minute);
    for (result, means, code, pause) in [
        (answer(200, &letter().to_string()), Answer::Accepted, "200", None),
        (answer(200, &with("status", json!("failed")).to_string()), Answer::Accepted, "200_failed", None),
        (answer(200, "<html>"), Answer::Unknown, "unreadable", None),
        (answer(200, r#"{"id":"adr_1"}"#), Answer::Unknown, "unreadable", None),
        (answer(200, r#"{"error":{"code":"invalid"}}"#), Answer::Unknown, "unreadable", None),
        (answer(307, ""), Answer::Unknown, "307", minute),
        (error(401, "invalid_api_key"), Answer::LaneStopped, "401", minute),
        (error(401, "payment_method_unverified"), Answer::LaneStopped, "401", minute),
        (answer(402, ""), Answer::LaneStopped, "402", minute),
        (error(403, "feature_limit_reached"), Answer::LaneStopped, "feature_limit_reached", minute),
        (error(404, "unrecognized_endpoint"), Answer::LaneStopped, "unrecognized_endpoint", minute),
        (error(408, "request_timeout"), Answer::Unknown, "408", None),
        (error(409, "conflict"), Answer::Unknown, "409", None),
        (answer(413, ""), Answer::Unknown, "413", None),
        (error(413, "file_size_exceeds_limit"), Answer::Rejected, "413", None),
        (answer(422, "<html>"), Answer::Unknown, "422", None),
        (error(422, "conflict"), Answer::Unknown, "conflict", None),
        (error(422, "failed_deliverability_strictness"), Answer::Rejected, "failed_deliverability_strictness", None),
        (error(422, "unembedded_fonts"), Answer::Rejected, "unembedded_fonts", None),
        (error(422, "foreign_return_address"), Answer::LaneStopped, "foreign_return_address", minute),
        (error(422, "1 Main St"), Answer::Rejected, "422", None),
        (error(429, "rate_limit_exceeded"), Answer::NotTaken, "429", None),
        (error(500, "internal_server_error"), Answer::Unknown, "500", None),
        (error(503, "service_unavailable"), Answer::Unknown, "503", None),
    ] {
        assert_eq!((result.answer, result.code.as_str(), result.pause), (means, code, pause));
        assert_eq!(result.provider_id.as_deref(), (means == Answer::Accepted).then_some(ID), "{code}");
    }
}

#[test]
fn a_limit_says_when_it_ends_under_either_name() {
    for name in ["x-rate-limit-reset", "ratelimit-reset"] {
        let mut reply = Reply::of(429, "");
        let reset = OffsetDateTime::now_utc().unix_timestamp() + 5;
        reply.headers.insert(name, reset.to_string().parse().unwrap());
        let frozen = freeze();
        let wait = wire().read_answer(&frozen.thaw().unwrap(), &reply).retry_after.unwrap();
        assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&wait), "{name} {wait:?}");
    }
}

#[test]
fn the_request_is_a_form_with_the_pdf_as_it_is_the_key_and_the_mark() {
    let frozen = freeze();
    let thawed = frozen.thaw().unwrap();
    let kind = thawed.headers[0].1;
    let form = parts(kind, thawed.body).unwrap();

    assert_eq!((thawed.method, thawed.path), ("POST", "/v1/letters"));
    assert_eq!(thawed.headers[1..], [("idempotency-key", REFERENCE), ("lob-version", "2024-01-01")]);
    for (name, value) in [
        ("to[name]", "Ann Price"),
        ("to[address_line1]", "1 Main St"),
        ("to[address_line2]", "Apt 2"),
        ("to[address_city]", "Portland"),
        ("to[address_state]", "OR"),
        ("to[address_zip]", "97201"),
        ("from[name]", "Northmere Council"),
        ("color", "false"),
        ("use_type", "operational"),
        ("address_placement", "insert_blank_page"),
        ("mail_type", "usps_first_class"),
        ("metadata[duly_reference]", REFERENCE),
    ] {
        assert_eq!(text(&form, name), Some(value), "{name}");
    }
    let destination = "Ann Price\n1 Main St\nApt 2\nPortland, OR\n97201\nUNITED STATES OF AMERICA".to_owned();
    assert_eq!(read_back(&thawed), Some(ReadBack::pdf(destination, b"%PDF-1.7\r\n--".to_vec())));
    assert_eq!(freeze(), frozen);
    assert!(!String::from_utf8_lossy(frozen.bytes()).contains("test_key"));
}

#[test]
fn a_frozen_request_whose_fields_go_elsewhere_than_its_lines_is_not_read_back() {
    let frozen = prepare("Ann Price\n1 Main St\nPortland, OR 97201", 2, "first", b"%PDF").unwrap();
    let thawed = frozen.thaw().unwrap();
    let other = Thawed { destination: Some("Ann Price\n3 Main St\nPortland, OR 97201".into()), ..thawed.clone() };

    assert_eq!((read_back(&thawed).is_some(), read_back(&other)), (true, None));
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is_claimed() {
    let good = "Ann Price\n1 Main St\nPortland, OR 97201";
    let code = |result: Result<Frozen, Refusal>| result.err().map(|refusal| refusal.code);

    assert_eq!(code(prepare(good, 10, "first", b"%PDF")), None);
    assert_eq!(code(prepare(good, 11, "first", b"%PDF")), Some("pages"));
    assert_eq!(code(prepare(good, 1, "second", b"%PDF")), Some("postage_class"));
    assert_eq!(code(prepare(good, 1, "first", &vec![0; BYTES_MAX + 1])), Some("bytes"));
    assert_eq!(code(prepare("Ann Price\n1 High Street\nLS1 4AP", 1, "first", b"%PDF")), Some("address"));
}

#[test]
fn a_key_is_relied_on_for_an_hour_less_than_it_lives() {
    assert_eq!(wire().capabilities().idempotent_for, Some(Duration::from_secs(23 * 3600)));
}

#[test]
fn what_comes_back_otherwise_than_it_was_given_is_told() {
    let differs = |letter: Value| answer(200, &letter.to_string()).returned.differs;
    assert_eq!(differs(letter()), None);
    assert_eq!(differs(with("metadata", json!({ "duly_reference": "other" }))), Some("reference_differs"));
    assert_eq!(differs(with("to", json!({ "address_zip": "97202" }))), Some("address_differs"));
    assert_eq!(differs(with("mail_type", json!("usps_standard"))), Some("postage_differs"));
}

fn sought() -> Sought<'static> {
    Sought { reference: REFERENCE, frozen: None, since: None }
}

#[test]
fn a_look_up_asks_by_our_mark_and_follows_pages_at_its_own_host() {
    assert_eq!(
        wire().look_up(&sought(), None).unwrap().path,
        format!("/v1/letters?metadata%5Bduly_reference%5D={REFERENCE}&limit=100")
    );
    let next = "https://api.lob.com/v1/letters?after=x&limit=100";
    let page = json!({ "data": [with("metadata", json!({})), letter()], "next_url": next }).to_string();
    let Page::Shows { seen, next } = wire().read_look_up(&sought(), &Reply::of(200, page)) else { unreachable!("a page") };

    assert_eq!((seen.len(), seen[0].provider_id.as_str(), seen[0].status), (1, ID, Some(S::Accepted)));
    assert_eq!(next.as_deref(), Some("/v1/letters?after=x&limit=100"));
    assert_eq!(wire().look_up(&sought(), next.as_deref()).unwrap().path, next.unwrap());
    let last = json!({ "data": [], "next_url": null }).to_string();
    assert_eq!(wire().read_look_up(&sought(), &Reply::of(200, last)), Page::Shows { seen: vec![], next: None });
    for reply in [Reply::of(500, "{}"), Reply::of(200, "<html>"), Reply::of(429, ""), Reply::of(200, "{}")] {
        assert_eq!(wire().read_look_up(&sought(), &reply), Page::CannotKnow);
    }
}

#[test]
fn each_tracking_event_of_the_vendors_list_has_its_meaning() {
    for (name, state) in [
        ("Mailed", S::HandedToCarrier),
        ("In Transit", S::HandedToCarrier),
        ("In Local Area", S::HandedToCarrier),
        ("Processed for Delivery", S::HandedToCarrier),
        ("Delivered", S::CarrierDelivered),
        ("Re-Routed", S::HandedToCarrier),
        ("Returned to Sender", S::Returned),
        ("International Exit", S::HandedToCarrier),
    ] {
        let letter = with("tracking_events", json!([{ "name": "Mailed" }, { "name": name }]));
        assert_eq!(words::read(&letter).1, Some(state), "{name}");
    }
    for (status, state) in [("processed", S::Accepted), ("rendered", S::Accepted), ("failed", S::Failed)] {
        assert_eq!(words::read(&with("status", json!(status))), (status.to_owned(), Some(state)));
    }
    assert_eq!(words::read(&with("deleted", json!(true))), ("deleted".to_owned(), Some(S::Failed)));
    assert_eq!(words::read(&with("status", json!("teleported"))), ("teleported".to_owned(), None));
    let words: BTreeSet<_> = WORDS.iter().map(|row| row.word).collect();
    assert_eq!(words.len(), WORDS.len());
    let delivered = WORDS.iter().find(|row| row.word == "delivered").unwrap();
    assert_eq!(delivered.claimed_by, ClaimedBy::Carrier);
}

#[test]
fn statuses_cancellations_and_checks_are_read_from_their_answers() {
    let lob = wire();
    let status = |status, body: &str| lob.read_status(&Reply::of(status, body));
    let StatusAnswer::Known(seen) = status(200, &letter().to_string()) else { unreachable!("known") };
    assert_eq!((seen.provider_id.as_str(), seen.reference.as_deref()), (ID, Some(REFERENCE)));
    assert_eq!((status(404, ""), status(500, "")), (StatusAnswer::NotFound, StatusAnswer::CannotKnow));
    assert_eq!((lob.status("ltr_1/../x"), lob.cancel("x")), (None, None));

    assert_eq!((lob.cancel(ID).unwrap().method, lob.cancel(ID).unwrap().path), ("DELETE", format!("/v1/letters/{ID}")));
    let cancel = |status, body: &str| lob.read_cancel(&Reply::of(status, body));
    assert_eq!(cancel(200, r#"{"id":"ltr_1","deleted":true}"#), CancelOutcome::Cancelled);
    assert_eq!(cancel(422, r#"{"error":{"message":"cannot be canceled","status_code":422}}"#), CancelOutcome::TooLate);
    assert_eq!(
        (cancel(422, ""), cancel(200, "{}"), cancel(500, "")),
        (CancelOutcome::Unknown, CancelOutcome::Unknown, CancelOutcome::Unknown)
    );
}

fn receipt(body: &str, stamp: &str, signature: &str, now_seconds: i64) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
    let mut headers = HeaderMap::new();
    headers.insert("lob-signature-timestamp", stamp.parse().unwrap());
    headers.insert("lob-signature", signature.parse().unwrap());
    let raw = RawReceipt {
        path: "/r",
        query: "",
        origin: "",
        headers: &headers,
        body: body.as_bytes(),
        now_seconds,
        window_seconds: 300,
    };
    wire().parse_receipt(&raw)
}

fn sign(stamp: &str, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret");
    hex::encode(ring::hmac::sign(&key, format!("{stamp}.{body}").as_bytes()))
}

#[test]
fn a_signature_holds_and_not_with_one_bit_changed() {
    let reader = ReceiptReader::new("secret".to_owned().into());
    let (stamp, body) = ("1700000000000", br#"{"id":"evt_1"}"#);
    let good = "b3bd2bc8654b7c447011e1b7f45bda0a57c53cfe0e391848e64d63da2e789e62";

    assert!(reader.is_signed(stamp, body, good));
    for (bit, bytes) in each_bit_changed(&hex::decode(good).unwrap()).enumerate() {
        assert!(!reader.is_signed(stamp, body, &hex::encode(bytes)), "{bit}");
    }
    for (bit, other) in each_bit_changed(body).enumerate() {
        assert!(!reader.is_signed(stamp, &other, good), "{bit}");
    }
    for (bit, other) in each_bit_changed(stamp.as_bytes()).enumerate() {
        assert!(!reader.is_signed(&String::from_utf8_lossy(&other), body, good), "{bit}");
    }
    assert!(!reader.is_signed(stamp, body, ""));
    assert!(!ReceiptReader::new("secres".to_owned().into()).is_signed(stamp, body, good));
    let nobody = ReceiptReader::new(String::new().into());
    let empty = hex::encode(ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b""), b"1.x"));
    assert!(!nobody.is_signed("1", b"x", &empty));
}

#[test]
fn an_event_is_believed_within_its_window_in_seconds_and_in_milliseconds() {
    let event =
        json!({ "id": "evt_1", "event_type": { "id": "letter.delivered" }, "reference_id": ID, "body": letter() }).to_string();
    let at = |stamp: &str, now| receipt(&event, stamp, &sign(stamp, &event), now);

    let read = at("1700000000000", 1_700_000_300).unwrap();
    assert_eq!(
        read,
        [ReadReceipt {
            event_name: "evt_1".into(),
            reference: Some(REFERENCE.into()),
            provider_id: Some(ID.into()),
            word: "delivered".into(),
            status: Some(S::CarrierDelivered),
            part: None,
        }]
    );
    assert_eq!(at("1700000000", 1_700_000_000).unwrap(), read);
    assert_eq!(at("1700000000000", 1_700_000_301), Err(ReceiptRefusal::Stale));
    assert_eq!(at("1700000301", 1_700_000_000), Err(ReceiptRefusal::Stale));
    assert_eq!(at("soon", 1_700_000_000), Err(ReceiptRefusal::Stale));
    assert_eq!(receipt(&event, "1700000000", &sign("1700000001", &event), 1_700_000_000), Err(ReceiptRefusal::BadSignature));
}

#[test]
fn events_of_other_things_and_strange_words_move_nothing() {
    let read = |kind: &str| {
        let event = json!({ "id": "evt_1", "event_type": { "id": kind }, "reference_id": ID, "body": letter() }).to_string();
        receipt(&event, "1", &sign("1", &event), 1)
    };
    assert_eq!(read("postcard.delivered"), Ok(vec![]));
    let strange = read("letter.teleported").unwrap();
    assert_eq!((strange[0].word.as_str(), strange[0].status), ("teleported", None));
    assert_eq!(receipt("{}", "1", &sign("1", "{}"), 1), Err(ReceiptRefusal::Malformed));
}

#[test]
fn a_list_with_a_letter_that_cannot_be_read_does_not_say_that_ours_is_not_there() {
    for strange in [json!({ "id": "ltr_*", "metadata": { "duly_reference": REFERENCE } }), json!({}), json!(null)] {
        let page = json!({ "data": [strange], "next_url": null }).to_string();
        assert_eq!(wire().read_look_up(&sought(), &Reply::of(200, page.clone())), Page::CannotKnow, "{page}");
    }
}

#[test]
fn a_live_lane_takes_no_key_of_the_test_mode() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let account = |key: &str, live: bool| {
        let url = if live { "" } else { "http://127.0.0.1:1" };
        let lane = format!(
            "provider = \"lob\"\nchannel = \"letter\"\nurl = \"{url}\"\napi_key = \"{key}\"\nreceipt_secret = \"secret\"\nlive = {live}\n"
        );
        Account::new("letters", &toml::from_str(&lane).unwrap(), Duration::from_secs(1), false)
    };

    assert!(account("live_0dc8d51e0acffcb1880e0f19c79b2f5b0cc", true).is_ok());
    assert!(account("test_0dc8d51e0acffcb1880e0f19c79b2f5b0cc", false).is_ok());
    let refused = account("test_0dc8d51e0acffcb1880e0f19c79b2f5b0cc", true).err().unwrap().to_string();
    assert!(refused.starts_with("`lanes.letters.api_key` is a key of Lob's test mode"), "{refused}");
}

#[test]
fn a_rendered_letter_has_a_link_to_its_pdf() {
    let link = "https://lob-assets.com/letters/ltr_4868c3b754655f90.pdf?version=v1&expires=1618512040&signature=qvyCqXI1";
    let rendered = |id: &str, status: &str| {
        let letter = json!({ "id": id, "status": status, "url": link });
        wire().read_letter(ID, &Reply::of(200, letter.to_string()))
    };
    assert_eq!(wire().letter(ID).map(|request| request.path), Some(format!("/v1/letters/{ID}")));
    assert_eq!(rendered(ID, "rendered"), LetterAt::Link(link.into()));
    for (id, status) in [(ID, "processed"), (ID, "failed"), ("ltr_other", "rendered")] {
        assert_eq!(rendered(id, status), LetterAt::NotYet, "{id} {status}");
    }
    assert_eq!(wire().read_letter(ID, &Reply::of(404, "{}")), LetterAt::NotYet);
}
