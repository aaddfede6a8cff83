//! Stannp's tables, row by row, its bytes and its signature.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::provider::Frozen;
use crate::provider::tests::each_bit_changed;
use reqwest::header::HeaderMap;
use serde_json::json;
use std::collections::BTreeSet;

const ID: &str = "16818210";
const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";

fn wire() -> Stannp {
    let lane = "channel = \"letter\"\nurl = \"http://127.0.0.1\"\napi_key = \"key\"\nreceipt_secret = \"secret\"\n";
    Stannp::new(&toml::from_str(lane).unwrap(), Channel::Letter)
}

fn prepare(address: &[&str], pages: u32, postage_class: &str) -> Result<Frozen, Refusal> {
    let address: Vec<String> = address.iter().map(|line| (*line).to_owned()).collect();
    let item = Item::Letter { from: &[], address: &address, pdf: b"%PDF-1.7", pages, postage_class };
    wire().capabilities().check(&item)?;
    Ok(wire().prepare(&Outbound { reference: REFERENCE, callback: None, item })?.freeze("stannp"))
}

const ADDRESS: &[&str] = &["Ann Price", "1 High Street", "Leeds", "LS1 4AP"];

fn freeze() -> Frozen {
    prepare(ADDRESS, 2, "first").unwrap()
}

fn piece() -> Value {
    json!({
        "id": 16_818_210, "status": "received", "tags": REFERENCE, "cost": "0.81", "country": "GB", "postcode": "LS1 4AP",
        "address1": "1 High Street", "addons": "FIRST_CLASS", "format": "A4",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut piece = piece();
    piece[name] = value;
    piece
}

fn answer(status: u16, body: &str) -> CallResult {
    let frozen = freeze();
    wire().read_answer(&frozen.thaw().unwrap(), &Reply::of(status, body))
}

fn success(status: u16, piece: &Value) -> CallResult {
    answer(status, &json!({ "success": true, "data": piece }).to_string())
}

fn error(status: u16) -> CallResult {
    answer(status, r#"{"success":false,"error":"free text, 1 High Street"}"#)
}

#[test]
fn each_answer_has_its_outcome() {
    let minute = Some(Pause::Minute);
    for (result, means, code, pause) in [
        (success(200, &piece()), Answer::Accepted, "200", None),
        (success(200, &with("id", json!(ID))), Answer::Accepted, "200", None),
        (success(409, &piece()), Answer::Accepted, "409", None),
        (success(200, &with("status", json!("test"))), Answer::LaneStopped, "test_mode", minute),
        (success(200, &with("id", json!("0"))), Answer::Unknown, "unreadable", None),
        (error(200), Answer::Unknown, "error_inside", None),
        (answer(200, "<html>"), Answer::Unknown, "unreadable", None),
        (answer(302, ""), Answer::Unknown, "302", minute),
        (error(400), Answer::Rejected, "400", None),
        (answer(400, "<html>"), Answer::Unknown, "400", None),
        (error(401), Answer::LaneStopped, "401", minute),
        (error(402), Answer::LaneStopped, "402", minute),
        (error(403), Answer::LaneStopped, "403", minute),
        (error(404), Answer::LaneStopped, "404", minute),
        (error(408), Answer::Unknown, "408", None),
        (error(409), Answer::Unknown, "409", None),
        (answer(409, ""), Answer::Unknown, "409", None),
        (error(422), Answer::Rejected, "422", None),
        (error(429), Answer::NotTaken, "429", None),
        (error(500), Answer::Unknown, "500", None),
        (success(503, &piece()), Answer::Unknown, "503", None),
    ] {
        assert_eq!((result.answer, result.code.as_str(), result.pause), (means, code, pause));
        assert_eq!(result.provider_id.as_deref(), (means == Answer::Accepted).then_some(ID), "{code}");
    }
}

#[test]
fn a_limit_says_in_seconds_when_it_ends() {
    let mut reply = Reply::of(429, "");
    reply.headers.insert("x-ratelimit-reset", "46".parse().unwrap());
    let frozen = freeze();

    assert_eq!(wire().read_answer(&frozen.thaw().unwrap(), &reply).retry_after, Some(Duration::from_secs(46)));
}

#[test]
fn the_request_is_a_form_with_the_pdf_as_it_is_the_key_and_the_tag() {
    let frozen = freeze();
    let thawed = frozen.thaw().unwrap();
    let form = form(&thawed);

    assert_eq!((thawed.method, thawed.path), ("POST", "/v1/letters/post"));
    for (name, value) in [
        ("country", "GB"),
        ("size", "A4"),
        ("duplex", "1"),
        ("transactional", "1"),
        ("addons", "FIRST_CLASS"),
        ("tags", REFERENCE),
        ("idempotency_key", REFERENCE),
    ] {
        assert_eq!(text(&form, name), Some(value), "{name}");
    }
    assert_eq!(read_back(&thawed), Some(ReadBack::pdf(ADDRESS.join("\n"), b"%PDF-1.7".to_vec())));
    assert_eq!(freeze(), frozen);
    let second = prepare(ADDRESS, 2, "second").unwrap();
    assert_eq!(text(&super::form(&second.thaw().unwrap()), "addons"), None);
    let abroad = prepare(&["Ann Price", "1 rue de l’Église", "Lyon", "69001", "FRANCE"], 2, "first").unwrap();
    assert_eq!(text(&super::form(&abroad.thaw().unwrap()), "country"), Some("FR"));
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is_claimed() {
    let code = |result: Result<Frozen, Refusal>| result.err().map(|refusal| refusal.code);

    assert_eq!(code(prepare(ADDRESS, 10, "first")), None);
    assert_eq!(code(prepare(ADDRESS, 11, "first")), Some("pages"));
    assert_eq!(code(prepare(ADDRESS, 1, "economy")), Some("postage_class"));
    assert_eq!(code(prepare(&[], 1, "first")), Some("address"));
}

#[test]
fn what_a_machine_read_otherwise_than_it_was_printed_is_told() {
    let returned = |piece: Value| success(200, &piece).returned;
    let cost = Some(Cost { milli: 81_000, currency: "GBP".into() });
    assert_eq!(returned(piece()), Returned { differs: None, parts: None, cost });
    assert_eq!(returned(with("postcode", json!("ls14ap"))).differs, None);
    assert_eq!(returned(with("postcode", json!("LS1 4AQ"))).differs, Some("address_differs"));
    assert_eq!(returned(with("address1", json!("7 High Street"))).differs, Some("address_differs"));
    assert_eq!(returned(with("country", json!("US"))).differs, Some("address_differs"));
    assert_eq!(returned(with("tags", json!("other"))).differs, Some("reference_differs"));
    assert_eq!(returned(with("addons", json!("C4_ENVELOPE"))).differs, Some("postage_differs"));
    assert_eq!(returned(with("cost", json!(0.42))).cost.map(|cost| cost.milli), Some(42_000));
}

#[test]
fn a_look_up_asks_by_tag_and_does_not_believe_a_list_that_was_not_filtered() {
    let sought = Sought { reference: REFERENCE, frozen: None, since: Some(time::macros::datetime!(2026-11-26 08:00 UTC)) };
    let path = wire().look_up(&sought, None).unwrap().path;
    assert!(path.starts_with("/v1/reporting/directMail/list/2026-11-25T00:00:00.000Z/20"), "{path}");
    assert!(path.ends_with(&format!("T00:00:00.000Z?tag={REFERENCE}&limit=100")), "{path}");
    let read = |data: Value| wire().read_look_up(&sought, &Reply::of(200, json!({ "success": true, "data": data }).to_string()));
    let tagged = with("tags", json!(format!("x,{REFERENCE}")));
    for data in [json!([tagged, with("tags", json!("other"))]), json!({ "singles": [tagged] })] {
        let Page::Shows { seen, next: None } = read(data) else { unreachable!("a page") };
        assert_eq!((seen.len(), seen[0].provider_id.as_str()), (1, ID));
    }
    assert_eq!(read(json!([])), Page::Shows { seen: vec![], next: None });
    assert_eq!(read(json!([with("tags", json!("other"))])), Page::CannotKnow);
    assert_eq!(wire().read_look_up(&sought, &Reply::of(404, "")), Page::CannotKnow);
    assert!(wire().look_up(&Sought { since: None, ..sought }, None).is_some());
}

#[test]
fn both_vocabularies_have_their_meaning_and_an_estimate_stays_one() {
    for (word, expected) in [
        ("received", Some(S::Accepted)),
        ("producing", Some(S::Printed)),
        ("printing", Some(S::Printed)),
        ("handed_over", Some(S::HandedToCarrier)),
        ("dispatched", Some(S::HandedToCarrier)),
        ("local_delivery", Some(S::HandedToCarrier)),
        ("delivered", Some(S::HandedToCarrier)),
        ("returned", Some(S::Returned)),
        ("cancelled", Some(S::Failed)),
        ("test", None),
        ("teleported", None),
    ] {
        assert_eq!(state(word), expected, "{word}");
    }
    let delivered = find_word(WORDS, Channel::Letter, "delivered").unwrap();
    assert_eq!(delivered.claimed_by, ClaimedBy::Estimate);
    let words: BTreeSet<_> = WORDS.iter().map(|row| row.word).collect();
    assert_eq!(words.len(), WORDS.len());
}

#[test]
fn statuses_cancellations_and_checks_are_read_from_their_answers() {
    let stannp = wire();
    let status = |status, body: &str| stannp.read_status(&Reply::of(status, body));
    let body = json!({ "success": true, "data": piece() }).to_string();
    let StatusAnswer::Known(seen) = status(200, &body) else { unreachable!("known") };
    assert_eq!((seen.provider_id.as_str(), seen.reference.as_deref(), seen.status), (ID, Some(REFERENCE), Some(S::Accepted)));
    assert_eq!((status(404, ""), status(500, "")), (StatusAnswer::NotFound, StatusAnswer::CannotKnow));
    assert_eq!((stannp.status("1/../x"), stannp.cancel("0"), stannp.status("")), (None, None, None));

    assert_eq!(stannp.cancel(ID).unwrap().body, b"id=16818210");
    let cancel = |status, body: &str| stannp.read_cancel(&Reply::of(status, body));
    assert_eq!(cancel(200, r#"{"success":true,"data":1}"#), CancelOutcome::Cancelled);
    assert_eq!(cancel(200, r#"{"success":false}"#), CancelOutcome::TooLate);
    assert_eq!((cancel(500, "{}"), cancel(200, "")), (CancelOutcome::Unknown, CancelOutcome::Unknown));

    let check =
        |status, balance: &str| stannp.read_check(&Reply::of(status, json!({ "data": { "balance": balance } }).to_string()));
    assert_eq!((check(200, "214.42"), check(401, ""), check(500, "")), (Check::Good, Check::BadCredentials, Check::Unreachable));
    assert!(matches!(check(200, "0.0000"), Check::Unfit(_)) && matches!(check(200, "-1.00"), Check::Unfit(_)));
}

#[test]
fn a_signature_holds_and_not_with_one_bit_changed() {
    let reader = ReceiptReader::new("secret".to_owned().into());
    let (body, good) = (br#"{"webhook_id":1234}"#, "9cf22b0f08c9433b5ff72fc82d3e8354b5d6615eb79968a893045795e72c15ff");

    assert!(reader.is_signed(body, good));
    for (bit, bytes) in each_bit_changed(&hex::decode(good).unwrap()).enumerate() {
        assert!(!reader.is_signed(body, &hex::encode(bytes)), "{bit}");
    }
    for (bit, other) in each_bit_changed(body).enumerate() {
        assert!(!reader.is_signed(&other, good), "{bit}");
    }
    assert!(!reader.is_signed(body, ""));
    assert!(!ReceiptReader::new("secres".to_owned().into()).is_signed(body, good));
    let empty = hex::encode(ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b""), b"x"));
    assert!(!ReceiptReader::new(String::new().into()).is_signed(b"x", &empty));
}

fn receipt(body: &str) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
    let signature = hex::encode(ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret"), body.as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("x-stannp-signature", signature.parse().unwrap());
    let raw = RawReceipt {
        path: "/r",
        query: "",
        origin: "",
        headers: &headers,
        body: body.as_bytes(),
        now_seconds: 0,
        window_seconds: 1,
    };
    wire().parse_receipt(&raw)
}

#[test]
fn one_webhook_speaks_of_many_letters_each_with_its_own_part() {
    let (first, second) = (with("status", json!("dispatched")), json!({ "id": "7", "status": "teleported", "tags": "other" }));
    let body =
        json!({ "webhook_id": 1234, "event": "mailpiece_status", "retries": 0, "mailpieces": [first, second] }).to_string();

    let read = receipt(&body).unwrap();

    assert_eq!(
        read[0],
        ReadReceipt {
            event_name: format!("{ID}/dispatched"),
            reference: Some(REFERENCE.into()),
            provider_id: Some(ID.into()),
            word: "dispatched".into(),
            status: Some(S::HandedToCarrier),
            part: Some(first.to_string().into_bytes()),
        }
    );
    assert_eq!(
        (read.len(), read[1].provider_id.as_deref(), read[1].reference.as_deref(), read[1].status),
        (2, Some("7"), None, None)
    );
}

#[test]
fn as_many_letters_as_one_call_tells_of_fit_into_what_is_taken_of_a_receipt() {
    let link = format!("https://dash.stannp.com/api/v1/storage/get/port/1550016843/pdfs/{}.pdf", "x".repeat(200));
    let piece = |id: usize| {
        let mut piece = with("status", json!("local_delivery"));
        (piece["id"], piece["pdf_file"]) = (json!((16_818_210 + id).to_string()), json!(link));
        piece
    };
    let pieces: Vec<Value> = (0..50).map(piece).collect();
    let body = json!({ "webhook_id": 1234, "event": "mailpiece_status", "retries": 3, "mailpieces": pieces }).to_string();
    let shipped: toml::Table = include_str!("../../../config/default.toml").parse().unwrap();

    assert_eq!(
        receipt(&body).unwrap().len(),
        50,
        "each letter has a receipt of its own; a fifty-first comes in a call of its own"
    );
    let taken = shipped["receipts"]["body_bytes_max"].as_integer().unwrap();
    assert!(i64::try_from(body.len()).unwrap() < taken, "{} bytes, {taken} are taken", body.len());
}

#[test]
fn the_call_that_tries_the_door_speaks_of_no_letter() {
    assert_eq!(receipt(r#"{"webhook_id":0,"event":"test_url","retries":0}"#), Ok(vec![]));
    assert_eq!(receipt(r#"{"event":"campaign_status","campaigns":[{}]}"#), Ok(vec![]));
    assert_eq!(receipt(r#"{"event":"mailpiece_status","mailpieces":[{"id":"x"}]}"#), Err(ReceiptRefusal::Malformed));
    assert_eq!(receipt("[]"), Err(ReceiptRefusal::Malformed));
}

#[test]
fn a_letter_has_a_link_to_the_file_that_is_printed() {
    let link = "https://dash.stannp.com/api/v1/storage/get/port/1550016843/pdfs/x.pdf";
    let read = |status: u16, piece: Value| {
        let body = json!({ "success": true, "data": piece }).to_string();
        wire().read_letter(ID, &Reply::of(status, body))
    };
    assert_eq!(wire().letter(ID).map(|request| request.path), Some(format!("/v1/letters/get/{ID}")));
    assert_eq!(read(200, with("pdf_file", json!(link))), LetterAt::Link(link.into()));
    assert_eq!(read(200, with("pdf", json!(link))), LetterAt::Link(link.into()));
    assert_eq!(read(200, with("pdf_file", Value::Null)), LetterAt::NotYet);
    assert_eq!(read(500, with("pdf_file", json!(link))), LetterAt::NotYet);
    assert_eq!(read(200, json!({ "id": "7", "pdf_file": link })), LetterAt::NotYet, "another letter's");
}
