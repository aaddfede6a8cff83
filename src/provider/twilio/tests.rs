//! Twilio's tables, row by row, its bytes, and the vendor's own signatures.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::state::MessageState as S;
use crate::provider::Frozen;
use crate::provider::tests::each_bit_changed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use serde_json::json;
use std::collections::BTreeSet;

const SID: &str = "AC00000000000000000000000000000001";
const ID: &str = "SM00000000000000000000000000000002";
const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";

fn wire(more: &str) -> Twilio {
    with_key("token", more)
}

fn with_key(key: &str, more: &str) -> Twilio {
    let lane = format!(
        "channel = \"sms\"\nurl = \"http://127.0.0.1\"\naccount = \"{SID}\"\napi_key = \"{key}\"\nreceipt_secret = \"12345\"\n{more}"
    );
    Twilio::new(&toml::from_str(&lane).unwrap(), Channel::Sms).unwrap()
}

fn freeze(text: &str) -> Frozen {
    let item = Item::Sms { from: "NORTHMERE", to: "+447700900001", text };
    let outbound = Outbound { reference: REFERENCE, callback: Some("https://duly.example/receipts/northmere/sms"), item };
    wire("").prepare(&outbound).unwrap().freeze("twilio")
}

fn answer(status: u16, body: &str) -> CallResult {
    let frozen = freeze("hello");
    wire("").read_answer(&frozen.thaw().unwrap(), &Reply::of(status, body))
}

fn error(status: u16, code: u64) -> CallResult {
    answer(status, &json!({ "code": code, "message": "any +447700900001", "more_info": "", "status": status }).to_string())
}

fn message(status: &str) -> Value {
    json!({
        "sid": ID, "status": status, "to": "+447700900001", "from": "NORTHMERE", "body": "hello", "num_segments": "1",
        "direction": "outbound-api", "date_created": "Thu, 26 Nov 2026 08:00:00 +0000", "error_code": null, "price": null,
        "price_unit": "USD",
    })
}

#[test]
fn a_text_is_given_up_before_its_letter_leaves() {
    let item = || Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "hello" };
    for (lane, seconds) in [("", "36000"), ("validity_seconds = 90", "90"), ("validity_seconds = 77760", "36000")] {
        let outbound = Outbound { reference: REFERENCE, callback: None, item: item() };
        let frozen = wire(lane).prepare(&outbound).unwrap().freeze("twilio");
        assert_eq!(field(frozen.thaw().unwrap().body, "ValidityPeriod").as_deref(), Some(seconds), "{lane}");
    }
}

#[test]
fn each_answer_has_its_outcome() {
    let minute = Some(Pause::Minute);
    for (result, means, code, pause) in [
        (answer(201, &message("queued").to_string()), Answer::Accepted, "201", None),
        (answer(201, &message("accepted").to_string()), Answer::Accepted, "201", None),
        (answer(201, &message("failed").to_string()), Answer::Accepted, "201_failed", None),
        (answer(201, "<html>"), Answer::Unknown, "unreadable", None),
        (answer(201, "{}"), Answer::Unknown, "unreadable", None),
        (answer(200, &message("queued").to_string()), Answer::Unknown, "unreadable", None),
        (answer(302, ""), Answer::Unknown, "302", minute),
        (answer(307, ""), Answer::Unknown, "307", minute),
        (error(400, 21211), Answer::Rejected, "21211", None),
        (error(400, 21610), Answer::Rejected, "21610", None),
        (error(400, 21614), Answer::Rejected, "21614", None),
        (error(400, 21617), Answer::Rejected, "21617", None),
        (answer(400, "?"), Answer::Unknown, "400", None),
        (answer(400, r#"{"code":21211,"mess"#), Answer::Unknown, "400", None),
        (error(400, 21606), Answer::LaneStopped, "21606", minute),
        (error(400, 21609), Answer::LaneStopped, "21609", minute),
        (error(400, 21611), Answer::LaneStopped, "21611", minute),
        (error(401, 20003), Answer::LaneStopped, "401", minute),
        (error(401, 20005), Answer::LaneStopped, "20005", minute),
        (answer(402, ""), Answer::LaneStopped, "402", minute),
        (error(403, 20008), Answer::LaneStopped, "403", minute),
        (error(404, 20404), Answer::LaneStopped, "20404", minute),
        (answer(404, ""), Answer::LaneStopped, "404", minute),
        (answer(408, ""), Answer::Unknown, "408", None),
        (answer(409, ""), Answer::Unknown, "409", None),
        (error(429, 20429), Answer::NotTaken, "429", None),
        (answer(429, "slow down"), Answer::NotTaken, "429", None),
        (error(429, 63038), Answer::LaneStopped, "429_daily", Some(Pause::UtcDay)),
        (error(500, 20500), Answer::Unknown, "500", None),
        (answer(503, &message("queued").to_string()), Answer::Unknown, "503", None),
    ] {
        assert_eq!((result.answer, result.code.as_str(), result.pause), (means, code, pause));
        assert_eq!(result.provider_id.as_deref(), (means == Answer::Accepted).then_some(ID), "{code}");
    }
}

#[test]
fn a_country_that_is_switched_off_in_the_account_refuses_nobody_for_good_and_rests_no_lane() {
    let result = error(400, 21408);
    assert_eq!((result.answer, result.code.as_str(), result.pause), (Answer::NotTaken, "21408", None));
    assert_eq!((result.retry_after, result.alarm), (Some(Duration::from_secs(3600)), Some("region_not_enabled")));
    assert_eq!(error(400, 21211).alarm, None);
}

#[test]
fn an_account_that_is_suspended_stops_the_lane_whoever_says_so() {
    let mut failed = message("failed");
    failed["error_code"] = json!(30002);
    let result = answer(201, &failed.to_string());
    assert_eq!((result.answer, result.code.as_str(), result.pause), (Answer::LaneStopped, "30002", Some(Pause::Minute)));
    assert_eq!(result.provider_id, None, "it never left: another call is no second text");

    let stops = |status: &str, error| wire("").stop_code(&words::of(status, error).0);
    assert_eq!([stops("failed", Some("30002")), stops("undelivered", Some("30002"))], [Some("30002"); 2]);
    for (status, error) in
        [("failed", None), ("failed", Some("30001")), ("failed", Some("30036")), ("undelivered", Some("30007"))]
    {
        assert_eq!(stops(status, error), None, "{status} {error:?}");
    }
}

#[test]
fn the_request_has_what_the_vendors_document_asks_for_and_no_secret() {
    let frozen = freeze("héllo & +1");
    let thawed = frozen.thaw().unwrap();
    let field = |name| field(thawed.body, name);

    assert_eq!((thawed.method, thawed.path), ("POST", format!("/2010-04-01/Accounts/{SID}/Messages.json").as_str()));
    assert_eq!(thawed.headers, [("content-type", FORM)]);
    assert_eq!((field("To").as_deref(), field("From").as_deref()), (Some("+447700900001"), Some("NORTHMERE")));
    assert_eq!(field("Body").as_deref(), Some("héllo & +1"));
    let callback = format!("https://duly.example/receipts/northmere/sms?ref={REFERENCE}#rc=5&rp=all");
    assert_eq!(field("StatusCallback"), Some(callback));
    assert_eq!(read_back(&thawed), Some(ReadBack::text("+447700900001", "héllo & +1")));
    assert!(!String::from_utf8_lossy(frozen.bytes()).contains("token"));
    assert_eq!(freeze("héllo & +1"), frozen);
}

#[test]
fn a_messaging_service_and_an_api_key_take_the_place_of_sender_and_token() {
    let more = "sender_id = \"MG00000000000000000000000000000003\"\n";
    let item = Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "hello" };
    let request = wire(more).prepare(&Outbound { reference: REFERENCE, callback: None, item }).unwrap();

    assert_eq!(field(&request.body, "From"), None);
    assert_eq!(field(&request.body, "MessagingServiceSid").as_deref(), Some("MG00000000000000000000000000000003"));
    assert_eq!(field(&request.body, "StatusCallback"), None);
    let basic = |user: &str, password: &str| Credential::basic(user, password).value.expose_secret().to_owned();
    let shown = |key: &str| with_key(key, "").authorise(OffsetDateTime::UNIX_EPOCH).value.expose_secret().to_owned();
    assert_eq!(shown("token"), basic(SID, "token"));
    let key = "SK00000000000000000000000000000004";
    assert_eq!(shown(&format!("{key}:se:cret")), basic(key, "se:cret"));
    // It is the account's all the same: that stands in the path, and its auth token signs what comes back.
    let keyed = with_key(&format!("{key}:se:cret"), more);
    assert_eq!(keyed.prepare(&Outbound { reference: REFERENCE, callback: None, item }).unwrap(), request);
    assert!(request.path.contains(SID) && !request.path.contains(key), "{}", request.path);
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is_claimed() {
    let twilio = wire("");
    let prepare = |item: Item<'_>| {
        twilio.capabilities().check(&item)?;
        twilio.prepare(&Outbound { reference: REFERENCE, callback: None, item })
    };
    let refused = |item| prepare(item).err().map(|refusal| refusal.code);
    let long = "x".repeat(1601);

    assert_eq!(refused(Item::Sms { from: "N", to: "+1", text: &long }), Some("text_length"));
    assert_eq!(refused(Item::Sms { from: "N", to: "+1", text: "" }), Some("text_length"));
    assert_eq!(refused(Item::Letter { from: &[], address: &[], pdf: b"", pages: 1, postage_class: "first" }), Some("channel"));
    let lane = toml::from_str("channel = \"sms\"\nurl = \"\"\naccount = \"AC1/../x\"\n").unwrap();
    assert!(Twilio::new(&lane, Channel::Sms).is_none());
}

#[test]
fn what_comes_back_otherwise_than_it_was_given_is_told() {
    let with = |name: &str, value: Value| {
        let mut message = message("queued");
        message[name] = value;
        answer(201, &message.to_string()).returned
    };
    assert_eq!(with("status", json!("queued")), Returned { differs: None, parts: Some(1), cost: None });
    assert_eq!(with("body", json!("hell")).differs, Some("text_differs"));
    assert_eq!(with("to", json!("+447700900002")).differs, Some("destination_differs"));
    assert_eq!(with("from", json!("NORTHMERE")).differs, None);
    assert_eq!(with("from", json!("+447700900009")).differs, Some("sender_differs"));
    assert_eq!(with("num_segments", json!("2")), Returned { differs: Some("segments_differ"), parts: Some(2), cost: None });
    assert_eq!(with("num_segments", json!("0")), Returned::default());
    assert_eq!(with("price", json!("-0.04000")).cost, Some(Cost { milli: 4_000, currency: "USD".into() }));
}

fn sought(frozen: &Frozen) -> Sought<'_> {
    Sought { reference: REFERENCE, frozen: Some(frozen), since: Some(time::macros::datetime!(2026-11-26 08:00 UTC)) }
}

#[test]
fn a_look_up_asks_by_number_and_knows_ours_by_its_text_and_its_time() {
    let frozen = freeze("hello");
    let request = wire("").look_up(&sought(&frozen), None).unwrap();
    assert_eq!(request.path, format!("/2010-04-01/Accounts/{SID}/Messages.json?To=%2B447700900001&From=NORTHMERE&PageSize=1000"));
    let other = |name: &str, value: &str| {
        let mut message = message("delivered");
        message[name] = json!(value);
        message
    };
    let list = json!({
        "messages": [
            other("body", "hello you"), other("to", "+447700900002"), other("direction", "inbound"),
            other("date_created", "Thu, 26 Nov 2026 07:54:00 +0000"), message("sent"),
        ],
        "next_page_uri": null,
    });
    let Page::Shows { seen, next: None } = wire("").read_look_up(&sought(&frozen), &Reply::of(200, list.to_string())) else {
        unreachable!("a page")
    };
    assert_eq!(seen.iter().map(|s| (s.provider_id.as_str(), s.status)).collect::<Vec<_>>(), [(ID, Some(S::Sent))]);
}

#[test]
fn a_look_up_follows_pages_of_its_own_account_only() {
    let frozen = freeze("hello");
    let own = format!("/2010-04-01/Accounts/{SID}/Messages.json?Page=1&PageToken=x");
    let page = json!({ "messages": [], "next_page_uri": own }).to_string();

    assert_eq!(
        wire("").read_look_up(&sought(&frozen), &Reply::of(200, page)),
        Page::Shows { seen: vec![], next: Some(own.clone()) }
    );
    assert_eq!(wire("").look_up(&sought(&frozen), Some(&own)), Some(Request::get(own)));
    assert_eq!(wire("").look_up(&sought(&frozen), Some("https://elsewhere.example/")), None);
    assert_eq!(wire("").look_up(&Sought { frozen: None, ..sought(&frozen) }, None), None);
    for reply in [Reply::of(500, "{}"), Reply::of(200, "<html>"), Reply::of(429, ""), Reply::of(200, "{}")] {
        assert_eq!(wire("").read_look_up(&sought(&frozen), &reply), Page::CannotKnow);
    }
}

#[test]
fn each_word_of_the_vendors_list_has_its_meaning() {
    let with_error = |status: &str, error: u64| words::of(status, Some(&error.to_string()));
    for (word, state) in [
        ("accepted", Some(S::Accepted)),
        ("scheduled", Some(S::Accepted)),
        ("queued", Some(S::Accepted)),
        ("sending", Some(S::Accepted)),
        ("sent", Some(S::Sent)),
        ("delivered", Some(S::DeliveredToHandset)),
        ("read", Some(S::DeliveredToHandset)),
        ("undelivered", Some(S::Failed)),
        ("failed", Some(S::Failed)),
        ("canceled", Some(S::Failed)),
        ("partially_delivered", None),
        ("receiving", None),
        ("teleported", None),
    ] {
        assert_eq!(words::of(word, None), (word.to_owned(), state));
    }
    assert_eq!(with_error("failed", 30036), ("failed 30036".into(), Some(S::Expired)));
    assert_eq!(with_error("undelivered", 30003), ("undelivered 30003".into(), Some(S::Failed)));
    assert_eq!(with_error("undelivered", 39999), ("undelivered".into(), Some(S::Failed)));
    let words: BTreeSet<_> = WORDS.iter().map(|row| row.word).collect();
    assert_eq!(words.len(), WORDS.len());
}

#[test]
fn statuses_cancellations_and_checks_are_read_from_their_answers() {
    let twilio = wire("");
    let status = |status, body: &str| twilio.read_status(&Reply::of(status, body));
    let StatusAnswer::Known(seen) = status(200, &message("delivered").to_string()) else { unreachable!("known") };
    assert_eq!((seen.provider_id.as_str(), seen.status), (ID, Some(S::DeliveredToHandset)));
    assert_eq!(
        (status(404, ""), status(500, ""), status(200, "?")),
        (StatusAnswer::NotFound, StatusAnswer::CannotKnow, StatusAnswer::CannotKnow)
    );
    assert_eq!((twilio.status("SM1/../x"), twilio.cancel("x")), (None, None));

    assert_eq!(twilio.cancel(ID).unwrap().body, b"Status=canceled");
    let cancel = |status, body: &str| twilio.read_cancel(&Reply::of(status, body));
    assert_eq!(cancel(200, r#"{"status":"canceled"}"#), CancelOutcome::Cancelled);
    assert_eq!(cancel(200, &message("sent").to_string()), CancelOutcome::TooLate);
    assert_eq!(cancel(400, r#"{"code":20001,"message":"Message cannot be canceled","status":400}"#), CancelOutcome::TooLate);
    // A page of somebody between, or half an answer, does not say that it left.
    for (status, body) in [(200, "<html>"), (200, r#"{"status":"sent""#), (400, ""), (409, "<html>"), (404, ""), (500, "")] {
        assert_eq!(cancel(status, body), CancelOutcome::Unknown, "{status} {body}");
    }
}

#[test]
fn a_check_reads_what_every_kind_of_key_may_read_and_knows_a_suspended_account_by_its_error() {
    let path = wire("").check().unwrap().path;
    assert_eq!(path, format!("/2010-04-01/Accounts/{SID}/Messages.json?PageSize=1"), "a standard key may not read the account");

    let check = |status, body: &str| wire("").read_check(&Reply::of(status, body));
    assert_eq!(check(200, r#"{"messages":[],"page":0}"#), Check::Good);
    for (status, body) in [(401, r#"{"code":20003}"#), (401, ""), (403, r#"{"code":70051}"#), (404, r#"{"code":20404}"#)] {
        assert_eq!(check(status, body), Check::BadCredentials, "{status} {body}");
    }
    for (status, body) in [(401, r#"{"code":20005}"#), (402, r#"{"code":20005}"#), (403, r#"{"code":30002}"#)] {
        assert_eq!(check(status, body), Check::Unfit("its account is suspended or closed"), "{status} {body}");
    }
    assert!(matches!(check(403, r#"{"code":20008}"#), Check::Unfit(what) if what.contains("test credentials")));
    for (status, body) in [(200, "<html>"), (200, r#"{"status":"active"}"#), (429, ""), (500, "")] {
        assert_eq!(check(status, body), Check::Unreachable, "{status} {body}");
    }
}

/// From twilio-python's tests/unit/test_request_validator.py at 306691e7.
#[test]
fn the_vendors_own_signatures_hold_and_none_of_them_with_one_bit_changed() {
    let reader = ReceiptReader::new("12345".to_owned().into());
    let call = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    let twice = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
    let json = r#"{"property": "value", "boolean": true}"#;
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let hashed = format!("{url}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620");
    for (url, body, signature) in [
        (url, call, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (url, twice, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (url, call, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("https://mycompany.com:1234/myapp.php?foo=1&bar=2", call, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com/myapp.php?foo=1&bar=2", call, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", call, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (&hashed, json, "a9nBmqA0ju/hNViExpshrM61xv4="),
    ] {
        assert!(reader.is_signed(url, body.as_bytes(), signature), "{url}");
        for (bit, bytes) in each_bit_changed(&STANDARD.decode(signature).unwrap()).enumerate() {
            assert!(!reader.is_signed(url, body.as_bytes(), &STANDARD.encode(bytes)), "{url} {bit}");
        }
        for (bit, text) in each_bit_changed(signature.as_bytes()).enumerate() {
            let text = String::from_utf8_lossy(&text);
            assert!(!reader.is_signed(url, body.as_bytes(), &text), "{url} {bit} {text}");
        }
        let pairs = |body: &[u8]| form_urlencoded::parse(body).into_owned().collect::<Vec<_>>();
        for (bit, other) in each_bit_changed(body.as_bytes()).enumerate() {
            // `%2b` says the same as `%2B`, and the signature is over what fields say.
            let says_the_same = body != json && pairs(&other) == pairs(body.as_bytes());
            assert_eq!(reader.is_signed(url, &other, signature), says_the_same, "{url} {bit}");
            assert!(!says_the_same || other.eq_ignore_ascii_case(body.as_bytes()), "{bit}");
        }
        assert!(!reader.is_signed(&url.replace("bar=2", "bar=3"), body.as_bytes(), signature), "{url}");
        assert!(!ReceiptReader::new("12344".to_owned().into()).is_signed(url, body.as_bytes(), signature), "{url}");
        assert!(!ReceiptReader::new(String::new().into()).is_signed(url, body.as_bytes(), signature), "{url}");
    }
}

/// A callback as Twilio would sign it.
fn callback(body: &str, query: &str, signature: Option<&str>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
    let (origin, path) = ("https://duly.example", "/receipts/northmere/sms");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
    let mut pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).map(|(name, value)| format!("{name}{value}")).collect();
    pairs.sort();
    let text = format!("{origin}{path}?{query}{}", pairs.concat());
    let signed = STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("x-twilio-signature", signature.unwrap_or(&signed).parse().unwrap());
    wire("").parse_receipt(&RawReceipt {
        path,
        query,
        origin,
        headers: &headers,
        body: body.as_bytes(),
        now_seconds: 0,
        window_seconds: 1,
    })
}

#[test]
fn a_callback_names_our_reference_by_its_query_and_itself_by_message_word_and_error() {
    let query = format!("ref={REFERENCE}");
    let failed = format!("MessageSid={ID}&MessageStatus=undelivered&ErrorCode=30005&To=%2B447700900001&Surprise=new");

    let read = callback(&failed, &query, None).unwrap();

    assert_eq!(
        read,
        [ReadReceipt {
            event_name: format!("{ID}/undelivered/30005"),
            reference: Some(REFERENCE.into()),
            provider_id: Some(ID.into()),
            word: "undelivered 30005".into(),
            status: Some(S::Failed),
            part: None,
        }]
    );
    let strange = callback(&format!("MessageSid={ID}&MessageStatus=teleported"), &query, None).unwrap();
    assert_eq!((strange[0].word.as_str(), strange[0].status), ("teleported", None));
    assert_eq!(callback("MessageSid=x", &query, None), Err(ReceiptRefusal::Malformed));
    assert_eq!(callback(&failed, &query, Some("AAAA")), Err(ReceiptRefusal::BadSignature));
    assert_eq!(callback(&failed, &query, Some("not base64")), Err(ReceiptRefusal::BadSignature));
}
