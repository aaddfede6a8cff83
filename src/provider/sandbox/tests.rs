//! The table of answers, row by row.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::step::Answer;
use crate::provider::Pause;
use crate::provider::wire::Reply;

fn account() -> Sandbox {
    let lane: Lane = toml::from_str("channel = \"sms\"\nurl = \"http://127.0.0.1\"\napi_key = \"k\"\nlookup = true\n").unwrap();
    Sandbox::new(&lane, Channel::Sms)
}

fn answer(status: u16, body: &str) -> CallResult {
    let item = Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "hello" };
    let outbound = Outbound { reference: "00", callback: None, item };
    let frozen = account().prepare(&outbound).unwrap().freeze("sandbox");
    account().read_answer(&frozen.thaw().unwrap(), &Reply::of(status, body))
}

#[test]
fn each_answer_has_its_outcome() {
    for (status, body, means, code, pause) in [
        (201, r#"{"id":"sb_1"}"#, Answer::Accepted, "201", None),
        (200, r#"{"id":"sb_1"}"#, Answer::Accepted, "200", None),
        (200, r#"{"error":"x"}"#, Answer::Unknown, "unreadable", None),
        (201, "<html>", Answer::Unknown, "unreadable", None),
        (201, "", Answer::Unknown, "unreadable", None),
        (202, r#"{"id":"sb_1"}"#, Answer::Unknown, "unreadable", None),
        (307, "", Answer::Unknown, "307", Some(Pause::Minute)),
        (400, "", Answer::Unknown, "400", None),
        (400, r#"{"error":"bad_request"}"#, Answer::Rejected, "400", None),
        (401, "", Answer::LaneStopped, "401", Some(Pause::Minute)),
        (402, "", Answer::LaneStopped, "402", Some(Pause::Minute)),
        (403, "", Answer::LaneStopped, "403", Some(Pause::Minute)),
        (404, "", Answer::LaneStopped, "404", Some(Pause::Minute)),
        (405, "", Answer::LaneStopped, "405", Some(Pause::Minute)),
        (408, "", Answer::Unknown, "408", None),
        (409, "", Answer::Unknown, "409", None),
        (422, "<html>", Answer::Unknown, "422", None),
        (422, r#"{"error":"invalid_recipient"}"#, Answer::Rejected, "422", None),
        (429, "", Answer::NotTaken, "429", None),
        (500, "", Answer::Unknown, "500", None),
        (503, r#"{"id":"sb_1"}"#, Answer::Unknown, "503", None),
    ] {
        let result = answer(status, body);
        assert_eq!((result.answer, result.code.as_str(), result.pause), (means, code, pause), "{status} {body}");
        assert_eq!(result.provider_id.is_some(), means == Answer::Accepted, "{status} {body}");
    }
}

#[test]
fn a_wait_is_read_in_seconds_and_as_a_date() {
    let now = time::macros::datetime!(2026-11-26 08:00 UTC);
    let wait = |text: &str| {
        let mut reply = Reply::of(429, "");
        reply.headers.insert("retry-after", text.parse().unwrap());
        reply.retry_after(now)
    };

    assert_eq!(wait("3"), Some(Duration::from_secs(3)));
    assert_eq!(wait("Thu, 26 Nov 2026 08:00:10 GMT"), Some(Duration::from_secs(10)));
    assert_eq!(wait("Thu, 26 Nov 2026 07:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(wait("99999999999"), Some(Duration::from_secs(86_400)));
    assert_eq!(wait("soon"), None);
}

#[test]
fn a_frozen_request_says_where_it_goes_and_what_it_says() {
    let address: Vec<String> = ["Ann Price", "1 High Street", "AB1 2CD"].map(str::to_owned).into();
    let letter = Item::Letter { from: &[], address: &address, pdf: b"%PDF", pages: 1, postage_class: "second" };
    let frozen = account().prepare(&Outbound { reference: "0f", callback: None, item: letter }).unwrap().freeze("sandbox");

    let read = read_back(&frozen.thaw().unwrap()).unwrap();

    assert_eq!(read, ReadBack::pdf(letter.destination(), b"%PDF".to_vec()));
}

#[test]
fn a_list_shows_what_is_ours_and_is_not_believed_where_it_cannot_be_read() {
    let sought = Sought { reference: "ours", frozen: None, since: None };
    let read = |messages: Value| account().read_look_up(&sought, &Reply::of(200, json!({ "messages": messages }).to_string()));
    let count = |page: &Page| match page {
        Page::Shows { seen, next: None } => Some(seen.len()),
        _ => None,
    };

    assert_eq!(count(&read(json!([{ "id": "sb_1", "reference": "ours", "status": "sent" }]))), Some(1));
    assert_eq!(count(&read(json!([{ "id": "sb_1", "reference": "another's", "status": "sent" }]))), None);
    assert_eq!(count(&read(json!([]))), Some(0));
    assert_eq!(count(&read(json!([{ "reference": "ours" }]))), None);
}
