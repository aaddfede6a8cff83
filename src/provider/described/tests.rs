//! A gateway that only the settings know.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::state::MessageState as S;
use crate::provider::Pause;
use crate::provider::tests::each_bit_changed;
use reqwest::header::HeaderMap;

const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
const GATEWAY: &str = r#"
channel = "sms"
provider = "http"
url = "http://127.0.0.1"
api_key = "user:word"
receipt_secret = "secret"
[http]
path = "/send"
body = '{"msisdn": {{json to}}, "sender": {{json from}}, "message": {"text": {{json text}}}, "ref": {{json reference}}}'
content = "/message/text"
auth = "basic"
taken = [202]
never = [400]
id = "/id"
status_path = "/messages/{id}"
status = "/state"
[http.words]
DELIVRD = "delivered_to_handset"
UNDELIV = "failed"
NOTED = ""
[http.receipt]
signature = "x-signature"
id = "/id"
word = "/state"
reference = "/ref"
"#;

fn lane(from: &str, to: &str) -> Lane {
    assert!(GATEWAY.contains(from));
    toml::from_str(&GATEWAY.replace(from, to)).unwrap()
}

fn gateway() -> DescribedProvider {
    DescribedProvider::new(&lane("", ""), Channel::Sms).unwrap()
}

fn prepare(text: &str) -> Result<Request, Refusal> {
    let item = Item::Sms { from: "NORTHMERE", to: "+447700900001", text };
    gateway().prepare(&Outbound { reference: REFERENCE, callback: None, item })
}

fn answer(status: u16, body: &str) -> CallResult {
    let frozen = prepare("hello").unwrap().freeze("http");
    gateway().read_answer(&frozen.thaw().unwrap(), &Reply::of(status, body))
}

#[test]
fn each_answer_has_its_outcome() {
    let minute = Some(Pause::Minute);
    for (status, body, means, code, pause) in [
        (202, r#"{"id":"a-1"}"#, Answer::Accepted, "202", None),
        (202, r#"{"id":17}"#, Answer::Accepted, "202", None),
        (202, r#"{"error":"x"}"#, Answer::Unknown, "unreadable", None),
        (202, "<html>", Answer::Unknown, "unreadable", None),
        (200, r#"{"id":"a-1"}"#, Answer::Unknown, "unreadable", None),
        (302, "", Answer::Unknown, "302", minute),
        (400, "", Answer::Unknown, "400", None),
        (400, "<html>", Answer::Unknown, "400", None),
        (400, "{}", Answer::Rejected, "400", None),
        (401, "", Answer::LaneStopped, "401", minute),
        (402, "", Answer::LaneStopped, "402", minute),
        (403, "", Answer::LaneStopped, "403", minute),
        (404, "", Answer::Unknown, "404", None),
        (408, "", Answer::Unknown, "408", None),
        (409, "", Answer::Unknown, "409", None),
        (422, "", Answer::Unknown, "422", None),
        (429, "", Answer::NotTaken, "429", None),
        (500, r#"{"id":"a-1"}"#, Answer::Unknown, "500", None),
    ] {
        let result = answer(status, body);
        assert_eq!((result.answer, result.code.as_str(), result.pause), (means, code, pause), "{status} {body}");
        assert_eq!(result.provider_id.is_some(), means == Answer::Accepted, "{status} {body}");
    }
}

#[test]
fn no_text_breaks_out_of_its_place_and_all_of_it_is_read_back() {
    for text in ["hello", "a \"quoted\" {{to}} \\ text\nwith lines", "“ŵ”", "\",\"msisdn\":\"+44\""] {
        let frozen = prepare(text).unwrap().freeze("http");
        assert_eq!(read_back(&frozen.thaw().unwrap()), Some(ReadBack::text("+447700900001", text)));
    }
}

#[test]
fn a_body_that_does_not_have_our_text_as_it_is_sends_nothing() {
    let item = Item::Sms { from: "N", to: "+447700900001", text: "hello" };
    let code = |from: &str, to: &str| {
        let provider = DescribedProvider::new(&lane(from, to), Channel::Sms).unwrap();
        provider.prepare(&Outbound { reference: REFERENCE, callback: None, item }).err().map(|refusal| refusal.code)
    };
    assert_eq!(code("{{json text}}", "{{json text}}"), None);
    assert_eq!(code("{{json text}}", "\"{{text}} and more\""), Some("body"));
    assert_eq!(code("{{json text}}", "{{json nothing}}"), Some("body"));
    assert_eq!(code("{{json text}}", "{{text}}"), Some("body"));
    assert_eq!(code("\"/message/text\"", "\"/message\""), Some("body"));
}

#[test]
fn an_email_that_loses_its_subject_is_not_sent() {
    let item =
        Item::Email { from: "n@example.org", from_name: "N", to: "ann@example.org", subject: "Your data", text: "Dear Ann" };
    let outbound = Outbound { reference: REFERENCE, callback: None, item };
    let gateway = |subject: &str| {
        let body = format!("{{{{json text}}}}, \"subject\": {subject}");
        let mut lane = lane("{{json text}}", &body);
        if let Some(http) = &mut lane.http {
            http.subject = "/message/subject".into();
        }
        DescribedProvider::new(&lane, Channel::Email).unwrap()
    };

    let frozen = gateway("{{json subject}}").prepare(&outbound).unwrap().freeze("http");
    assert_eq!(read_back(&frozen.thaw().unwrap()), Some(ReadBack::email("ann@example.org", "Your data", "Dear Ann")));
    assert_eq!(gateway("\"Hello\"").prepare(&outbound).err().map(|refusal| refusal.code), Some("body"));
    assert!(DescribedProvider::new(&lane("", ""), Channel::Email).is_err());
}

#[test]
fn a_description_that_says_too_little_is_refused() {
    for (from, to) in [
        ("path = \"/send\"", "path = \"send\""),
        ("taken = [202]", "taken = []"),
        ("id = \"/id\"\nstatus_path", "id = \"\"\nstatus_path"),
        ("/messages/{id}", "/messages"),
        ("status = \"/state\"", "status = \"\""),
        ("status = \"/state\"", "status = \"/state\"\ncheck_path = \"account\""),
        ("word = \"/state\"", "word = \"\""),
        ("id = \"/id\"\nword", "id = \"id\"\nword"),
        ("auth = \"basic\"", "auth = \"x-strange\""),
        ("{{json to}}", "{{json to"),
        ("\"failed\"", "\"sending\""),
        ("\"failed\"", "\"strange\""),
    ] {
        assert!(DescribedProvider::new(&lane(from, to), Channel::Sms).is_err(), "{to}");
    }
}

/// Receipts that nothing can confirm would be kept for ever and never move anything.
#[test]
fn receipts_under_a_token_without_a_status_path_are_refused_and_the_settings_say_why() {
    let unsigned = |without: &str| {
        let text = GATEWAY.replace("signature = \"x-signature\"\n", "").replace(without, "");
        DescribedProvider::new(&toml::from_str(&text).unwrap(), Channel::Sms)
    };
    assert!(unsigned("\n\n").is_ok());
    let refused = unsigned("status_path = \"/messages/{id}\"\nstatus = \"/state\"\n").err().unwrap();
    assert!(refused.contains("`status_path`") && refused.contains("`receipt.signature`"), "{refused}");
}

#[test]
fn nothing_is_promised_that_nobody_confirmed() {
    let gateway = gateway();
    let promised = gateway.capabilities();

    assert_eq!((promised.idempotent_for, promised.lookup, promised.cancel_within), (None, LookupStrength::None, None));
    assert!(promised.polling);
    assert_eq!(promised.receipts, ReceiptProof::Signed(receipt::SIGNED));
    let unsigned = DescribedProvider::new(&lane("signature = \"x-signature\"\n", ""), Channel::Sms).unwrap();
    assert_eq!(unsigned.capabilities().receipts, ReceiptProof::Confirmed(receipt::CONFIRMED));
}

#[test]
fn a_check_asks_for_the_path_that_the_settings_name_and_for_no_other() {
    assert_eq!(gateway().check(), None);
    let gateway =
        DescribedProvider::new(&lane("taken = [202]", "taken = [202]\ncheck_path = \"/account\""), Channel::Sms).unwrap();
    let asked = gateway.check().unwrap();
    assert_eq!((asked.method, asked.path.as_str(), asked.body.len()), ("GET", "/account", 0));
    let read = |status| gateway.read_check(&Reply::of(status, ""));
    assert_eq!(
        (read(200), read(204), read(401), read(403)),
        (Check::Good, Check::Good, Check::BadCredentials, Check::BadCredentials)
    );
    assert!(matches!(read(404), Check::Unfit(_)));
    assert_eq!((read(302), read(500)), (Check::Unreachable, Check::Unreachable));
}

#[test]
fn words_mean_what_the_settings_say_and_others_move_nothing() {
    let status = |word: &str| match gateway().read_status(&Reply::of(200, json!({ "id": 17, "state": word }).to_string())) {
        StatusAnswer::Known(seen) => Some((seen.provider_id, seen.status)),
        _ => None,
    };
    assert_eq!(status("DELIVRD"), Some(("17".into(), Some(S::DeliveredToHandset))));
    assert_eq!(status("NOTED"), Some(("17".into(), None)));
    assert_eq!(status("TELEPORTED"), Some(("17".into(), None)));
    assert_eq!(gateway().read_status(&Reply::of(404, "")), StatusAnswer::NotFound);
    assert_eq!(gateway().read_status(&Reply::of(500, "")), StatusAnswer::CannotKnow);
    assert_eq!(gateway().status("a/../b"), None);
    assert_eq!(gateway().status("17").unwrap().path, "/messages/17");
}

#[test]
fn a_receipt_is_believed_by_its_signature_and_not_with_one_bit_changed() {
    let body = json!({ "id": "17", "state": "UNDELIV", "ref": REFERENCE }).to_string();
    let good = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret"), body.as_bytes());
    let gateway = gateway();
    let read_of = |body: &[u8], signature: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-signature", signature.parse().unwrap());
        let raw = RawReceipt { path: "", query: "", origin: "", headers: &headers, body, now_seconds: 0, window_seconds: 1 };
        gateway.parse_receipt(&raw)
    };
    let read = |signature: &str| read_of(body.as_bytes(), signature);
    let receipt = &read(&hex::encode(good)).unwrap()[0];
    assert_eq!(
        (receipt.event_name.as_str(), receipt.reference.as_deref(), receipt.status),
        ("17/UNDELIV", Some(REFERENCE), Some(S::Failed))
    );
    assert!(read(&format!("sha256={}", hex::encode(good))).is_ok());
    let changed = each_bit_changed(good.as_ref()).map(hex::encode);
    for signature in changed.chain([String::new(), "00".to_owned()]) {
        assert_eq!(read(&signature).err(), Some(ReceiptRefusal::BadSignature), "{signature}");
    }
    for (bit, other) in each_bit_changed(body.as_bytes()).enumerate() {
        assert_eq!(read_of(&other, &hex::encode(good)).err(), Some(ReceiptRefusal::BadSignature), "{bit}");
    }
}
