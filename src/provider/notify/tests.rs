//! Notify's tables, row by row, and its bytes.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::state::MessageState as S;
use crate::provider::Frozen;
use reqwest::header::HeaderMap;
use std::collections::BTreeSet;

const ID: &str = "740e5834-3a29-46b4-9a6f-16142fde533a";
const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
const TEMPLATE: &str = "f33517ff-2a88-4f6e-b855-c550268ce08a";

fn wire(channel: Channel) -> Notify {
    let lane = format!(
        "channel = \"{channel}\"\nprovider = \"notify\"\nurl = \"http://127.0.0.1\"\ntemplate = \"{TEMPLATE}\"\n\
         api_key = \"k-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\nreceipt_secret = \"token\"\n"
    );
    Notify::new(&toml::from_str(&lane).unwrap(), channel).unwrap()
}

fn sms(text: &str) -> Item<'_> {
    Item::Sms { from: "NORTHMERE", to: "+447700900001", text }
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

fn letter(address: &[String]) -> Item<'_> {
    Item::Letter { from: &[], address, pdf: b"%PDF-1.7", pages: 2, postage_class: "second" }
}

fn mail(from_name: &str) -> Item<'_> {
    Item::Email { from: "n@example.org", from_name, to: "ann@example.org", subject: "s", text: "t" }
}

fn outbound(item: Item<'_>) -> Outbound<'_> {
    Outbound { reference: REFERENCE, callback: None, item }
}

fn freeze(channel: Channel, item: Item<'_>) -> Result<Frozen, Refusal> {
    let wire = wire(channel);
    wire.capabilities().check(&item)?;
    Ok(wire.prepare(&outbound(item))?.freeze("notify"))
}

/// What an answer to `sms("hello")` means.
fn answer(status: u16, body: &str) -> CallResult {
    let frozen = freeze(Channel::Sms, sms("hello")).unwrap();
    wire(Channel::Sms).read_answer(&frozen.thaw().unwrap(), &Reply::of(status, body))
}

fn error(status: u16, name: &str) -> CallResult {
    answer(status, &format!(r#"{{"errors":[{{"error":"{name}","message":"any"}}],"status_code":{status}}}"#))
}

fn taken(text: &str, reference: &str) -> String {
    json!({ "id": ID, "reference": reference, "content": { "body": text, "from_number": "NORTHMERE" } }).to_string()
}

#[test]
fn each_answer_has_its_outcome() {
    for (result, means, code, pause) in [
        (answer(201, &taken("hello", REFERENCE)), Answer::Accepted, "201", None),
        (answer(201, r#"{"reference":"x"}"#), Answer::Unknown, "unreadable", None),
        (answer(201, "<html>"), Answer::Unknown, "unreadable", None),
        (answer(200, &taken("hello", REFERENCE)), Answer::Unknown, "unreadable", None),
        (answer(302, ""), Answer::Unknown, "302", Some(Pause::Minute)),
        (error(400, "ValidationError"), Answer::Rejected, "400", None),
        (error(400, "BadRequestError"), Answer::Rejected, "400", None),
        (answer(400, "<html>Bad Request</html>"), Answer::Unknown, "400", None),
        (answer(400, r#"{"errors":[{"err"#), Answer::Unknown, "400", None),
        (answer(413, "<html>"), Answer::Unknown, "413", None),
        (error(401, "AuthError"), Answer::LaneStopped, "401", Some(Pause::Minute)),
        (answer(402, ""), Answer::LaneStopped, "402", Some(Pause::Minute)),
        (error(403, "BadRequestError"), Answer::LaneStopped, "403", Some(Pause::Minute)),
        (answer(404, ""), Answer::LaneStopped, "404", Some(Pause::Minute)),
        (answer(409, ""), Answer::Unknown, "409", None),
        (error(429, "RateLimitError"), Answer::NotTaken, "429", None),
        (answer(429, "busy"), Answer::NotTaken, "429", None),
        (error(429, "TooManyRequestsError"), Answer::LaneStopped, "429_daily", Some(Pause::UtcDay)),
        (error(500, "Exception"), Answer::Unknown, "500", None),
        (answer(503, ""), Answer::Unknown, "503", None),
    ] {
        assert_eq!((result.answer, result.code.as_str(), result.pause), (means, code, pause));
        assert_eq!(result.provider_id.as_deref(), (means == Answer::Accepted).then_some(ID));
    }
}

#[test]
fn what_comes_back_otherwise_than_it_was_given_is_told() {
    let differs = |body: &str| answer(201, body).returned.differs;
    assert_eq!(differs(&taken("hello", REFERENCE)), None);
    assert_eq!(differs(&taken("Northmere: hello", REFERENCE)), Some("text_differs"));
    assert_eq!(differs(&taken("hello", "another")), Some("reference_differs"));
    assert_eq!(differs(&json!({ "id": ID, "reference": REFERENCE }).to_string()), Some("text_differs"));

    let from =
        |name: &str| json!({ "id": ID, "reference": REFERENCE, "content": { "body": "hello", "from_number": name } }).to_string();
    assert_eq!((differs(&from("NORTHMERE")), differs(&from("GOVUK"))), (None, Some("sender_differs")));
    let mail = freeze(Channel::Email, mail("Northmere")).unwrap();
    let mailed = |from: &str| {
        let content = json!({ "body": "t", "subject": "s", "from_email": from });
        let body = json!({ "id": ID, "reference": REFERENCE, "content": content }).to_string();
        wire(Channel::Email).read_answer(&mail.thaw().unwrap(), &Reply::of(201, body)).returned.differs
    };
    assert_eq!((mailed("n@example.org"), mailed("x@notifications.example")), (None, Some("sender_differs")));

    let address = lines("Ann Price\n1 High Street\nAB1 2CD");
    let frozen = freeze(Channel::Letter, letter(&address)).unwrap();
    let posted = |postage: &str| {
        let body = json!({ "id": ID, "reference": REFERENCE, "postage": postage }).to_string();
        wire(Channel::Letter).read_answer(&frozen.thaw().unwrap(), &Reply::of(201, body)).returned.differs
    };
    assert_eq!((posted("second"), posted("first")), (None, Some("postage_differs")));
}

#[test]
fn a_request_has_the_fields_of_the_published_document_and_no_other() {
    let fields = |channel, item| -> (String, BTreeSet<String>) {
        let frozen = freeze(channel, item).unwrap();
        let thawed = frozen.thaw().unwrap();
        assert_eq!(
            (thawed.kind, thawed.method, thawed.headers.first()),
            ("notify", "POST", Some(&("content-type", "application/json")))
        );
        let body: Map<String, Value> = serde_json::from_slice(thawed.body).unwrap();
        (thawed.path.to_owned(), body.into_iter().map(|(name, _)| name).collect())
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let address = lines("Ann Price\n1 High Street\nAB1 2CD");

    let templated = |to| set(&[to, "personalisation", "reference", "template_id"]);
    assert_eq!(fields(Channel::Sms, sms("hello")), ("/v2/notifications/sms".into(), templated("phone_number")));
    assert_eq!(fields(Channel::Email, mail("Northmere")), ("/v2/notifications/email".into(), templated("email_address")));
    let precompiled = set(&["content", "postage", "reference"]);
    assert_eq!(fields(Channel::Letter, letter(&address)), ("/v2/notifications/letter".into(), precompiled));
}

#[test]
fn a_frozen_request_says_where_it_goes_and_what_it_says() {
    let address = lines("Ann Price\n1 High Street\nAB1 2CD");
    let back = |channel, item| read_back(&freeze(channel, item).unwrap().thaw().unwrap()).unwrap();
    assert_eq!(back(Channel::Sms, sms("hello")), ReadBack::text("+447700900001", "hello"));
    assert_eq!(back(Channel::Email, mail("Northmere")), ReadBack::email("ann@example.org", "s", "t"));
    assert_eq!(back(Channel::Letter, letter(&address)), ReadBack::pdf(address.join("\n"), b"%PDF-1.7".to_vec()));
}

#[test]
fn what_notify_can_never_take_is_refused_before_it_is_claimed() {
    fn refused(channel: Channel, item: Item<'_>) -> Option<&'static str> {
        freeze(channel, item).err().map(|refusal| refusal.code)
    }
    let good = lines("Ann Price\n1 High Street\nAB1 2CD");
    let Item::Letter { from, address, pdf, .. } = letter(&good) else { return };
    let with = |pages, postage_class| Item::Letter { from, address, pdf, pages, postage_class };

    assert_eq!(refused(Channel::Sms, sms(&"a".repeat(918))), None);
    assert_eq!(refused(Channel::Sms, sms(&"a".repeat(919))), Some("text_length"));
    assert_eq!(refused(Channel::Sms, letter(&good)), Some("channel"));
    // Notify would write a plain quote, and nobody approved that.
    assert_eq!((refused(Channel::Sms, sms("King's")), refused(Channel::Sms, sms("King’s"))), (None, Some("text_rewritten")));
    let about = |subject, text| {
        let (from, from_name, to) = ("n@example.org", "Northmere", "ann@example.org");
        refused(Channel::Email, Item::Email { from, from_name, to, subject, text })
    };
    assert_eq!(
        (about("King’s", "it's"), about("King's", "t"), about("s", "t\n")),
        (None, Some("subject_rewritten"), Some("text_rewritten"))
    );
    // Nothing outside may tell who writes, and Notify would.
    assert_eq!((refused(Channel::Email, mail("Northmere")), refused(Channel::Email, mail(""))), (None, Some("sender_shown")));
    assert_eq!(
        (refused(Channel::Letter, with(10, "economy")), refused(Channel::Letter, with(11, "economy"))),
        (None, Some("pages"))
    );
    assert_eq!(refused(Channel::Letter, with(1, "courier")), Some("postage_class"));
    let large = vec![0; 2_000_001];
    let too_large = Item::Letter { from, address, pdf: &large, pages: 1, postage_class: "first" };
    assert_eq!(refused(Channel::Letter, too_large), Some("bytes"));
    for bad in ["Ann Price\nAB1 2CD", "Ann Price\n@home\nAB1 2CD", "1\n2\n3\n4\n5\n6\n7\n8"] {
        assert_eq!(refused(Channel::Letter, letter(&lines(bad))), Some("address"), "{bad}");
    }
}

#[test]
fn each_word_has_its_state_and_an_unknown_one_has_none() {
    let status = |channel, word: &str| {
        let body = json!({ "id": ID, "reference": REFERENCE, "status": word }).to_string();
        let StatusAnswer::Known(seen) = wire(channel).read_status(&Reply::of(200, body)) else { return (false, None) };
        (seen.word == word, seen.status)
    };
    for row in WORDS {
        assert_eq!(status(row.channel, row.word), (true, row.state), "{} {}", row.channel, row.word);
    }
    assert_eq!(status(Channel::Sms, "vanished"), (true, None));
    assert_eq!(status(Channel::Sms, "received"), (true, None));
    // Printed and dispatched is no delivery, and what nobody should send again is not given up.
    assert_eq!(status(Channel::Email, "delivered").1, Some(S::CarrierDelivered));
    assert_eq!(status(Channel::Letter, "received").1, Some(S::HandedToCarrier));
    assert_eq!(status(Channel::Letter, "technical-failure").1, None);
}

#[test]
fn a_status_that_cannot_be_asked_is_no_answer() {
    let sms = wire(Channel::Sms);
    assert_eq!(sms.read_status(&Reply::of(404, r#"{"errors":[{"error":"NoResultFound"}]}"#)), StatusAnswer::NotFound);
    for (status, body) in [(200, ""), (200, "{}"), (403, ""), (429, ""), (500, "")] {
        assert_eq!(sms.read_status(&Reply::of(status, body)), StatusAnswer::CannotKnow, "{status} {body}");
    }
    assert_eq!(sms.status("../template").map(|request| request.path), None);
    assert_eq!(sms.status(ID).unwrap().path, format!("/v2/notifications/{ID}"));
}

#[test]
fn a_look_up_finds_our_reference_only_reads_on_where_a_page_is_full_and_believes_no_list_of_others() {
    let sms = wire(Channel::Sms);
    let sought = Sought { reference: REFERENCE, frozen: None, since: None };
    let read = |status, body: Value| sms.read_look_up(&sought, &Reply::of(status, body.to_string()));
    let message = |reference: &str| json!({ "id": ID, "reference": reference, "status": "sending" });
    let ids = |page: Page| match page {
        Page::Shows { seen, next } => Some((seen.len(), next)),
        Page::CannotKnow => None,
    };

    assert_eq!(ids(read(200, json!({ "notifications": [message(REFERENCE), message("other")], "links": {} }))), Some((1, None)));
    assert_eq!(ids(read(200, json!({ "notifications": [], "links": {} }))), Some((0, None)));
    let full: Vec<Value> = (0..250).map(|_| message(REFERENCE)).collect();
    assert_eq!(ids(read(200, json!({ "notifications": full }))), Some((250, Some(ID.to_owned()))));
    assert_eq!(ids(read(200, json!({ "notifications": [message("other")] }))), None, "that is no answer to the question");
    assert_eq!(sms.look_up(&sought, Some(ID)).unwrap().path, format!("/v2/notifications?reference={REFERENCE}&older_than={ID}"));
    for (status, body) in [(500, json!({ "notifications": [] })), (200, json!({})), (200, json!({ "notifications": [{}] }))] {
        assert_eq!(read(status, body), Page::CannotKnow);
    }
}

#[test]
fn a_price_is_read_once_it_is_final() {
    let price = |pounds: Value, is_ready| cost(&json!({ "cost_in_pounds": pounds, "is_cost_data_ready": is_ready }));
    assert_eq!(price(json!(0.0233), true), Some(Cost { milli: 2330, currency: "GBP".into() }));
    assert_eq!(price(json!(0.0233), false), None);
    assert_eq!(price(Value::Null, true), None);
}

#[test]
fn what_notify_counts_and_shows_of_a_message_is_read_to_be_compared() {
    let counted = |details: Value| parts(&json!({ "cost_details": details }));
    assert_eq!(counted(json!({ "billable_sms_fragments": 2, "sms_rate": 0.02 })), Some(Count::Segments(2)));
    assert_eq!(counted(json!({ "billable_sheets_of_paper": 3, "postage": "first" })), Some(Count::Sheets(3)));
    for nothing in [json!({}), json!({ "billable_sms_fragments": 0 }), Value::Null] {
        assert_eq!(counted(nothing), None);
    }
    let shown = |channel, text: Value| wire(channel).detail(&text).content;
    assert_eq!(shown(Channel::Sms, json!({ "body": "hello" })), content(Some("hello")));
    let email = json!({ "body": "hello", "subject": "News" });
    assert_eq!(shown(Channel::Email, email.clone()), content(Some(&email::join("News", "hello"))));
    assert_eq!(shown(Channel::Letter, email), None, "of a letter no text is ours");
}

fn receive(channel: Channel, token: &str, body: &Value) -> Result<ReadReceipt, ReceiptRefusal> {
    let mut headers = HeaderMap::new();
    if !token.is_empty() {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let body = body.to_string();
    let raw = RawReceipt {
        path: "/receipts/northmere/notify",
        query: "",
        origin: "",
        headers: &headers,
        body: body.as_bytes(),
        now_seconds: 0,
        window_seconds: 300,
    };
    wire(channel).parse_receipt(&raw).map(|mut all| all.remove(0))
}

#[test]
fn a_callback_is_believed_with_our_token_only() {
    let delivered = json!({
        "id": ID, "reference": REFERENCE, "to": "07700900001", "status": "delivered", "completed_at": "2026-11-26T08:00:00.000000Z",
        "notification_type": "sms", "template_version": 1
    });
    for token in ["", "tokem", "token ", "Token", "tokentoken"] {
        assert_eq!(receive(Channel::Sms, token, &delivered).err(), Some(ReceiptRefusal::BadSignature), "{token}");
    }
    let read = receive(Channel::Sms, "token", &delivered).unwrap();
    assert_eq!((read.reference.as_deref(), read.provider_id.as_deref()), (Some(REFERENCE), Some(ID)));
    assert_eq!((read.word.as_str(), read.status), ("delivered", Some(S::DeliveredToHandset)));
    assert_eq!(receive(Channel::Sms, "token", &delivered).unwrap().event_name, read.event_name);
    assert_eq!(receive(Channel::Sms, "token", &json!({ "id": ID })).err(), Some(ReceiptRefusal::Malformed));

    // A service has one address: at a letter's door a text's word is a claim as well, and Notify is asked about the text.
    assert!(receive(Channel::Letter, "token", &delivered).unwrap().status.is_some());
    let nobodys = json!({ "id": ID, "reference": REFERENCE, "status": "vanished" });
    assert_eq!(receive(Channel::Letter, "token", &nobodys).unwrap().status, None);

    let returned = json!({ "notification_id": ID, "reference": null, "date_sent": "2026-11-01T08:00:00.000000Z" });
    let read = receive(Channel::Letter, "token", &returned).unwrap();
    assert_eq!((read.reference, read.status), (None, Some(S::Returned)));
}

#[test]
fn the_check_sees_a_template_that_changes_our_text() {
    let sms = wire(Channel::Sms);
    let preview = |body: &str| sms.read_check(&Reply::of(200, json!({ "body": body }).to_string()));
    assert_eq!(sms.check().unwrap().path, format!("/v2/template/{TEMPLATE}/preview"));
    assert_eq!(preview(PROBE), Check::Good);
    assert!(matches!(preview(&format!("Northmere: {PROBE}")), Check::Unfit(_)));
    assert!(matches!(sms.read_check(&Reply::of(404, "")), Check::Unfit(_)));
    assert_eq!(sms.read_check(&Reply::of(403, "")), Check::BadCredentials);
    assert_eq!(sms.read_check(&Reply::of(502, "")), Check::Unreachable);
}

#[test]
fn the_pdf_of_a_letter_is_in_the_answer_itself() {
    let letter = |channel, id| wire(channel).letter(id).map(|request| request.path);
    assert_eq!(letter(Channel::Letter, ID), Some(format!("/v2/notifications/{ID}/pdf")));
    assert_eq!((letter(Channel::Sms, ID), letter(Channel::Letter, "../templates")), (None, None));
    for (status, at) in [(200, LetterAt::Here), (400, LetterAt::NotYet), (403, LetterAt::NotYet), (302, LetterAt::NotYet)] {
        assert_eq!(wire(Channel::Letter).read_letter(ID, &Reply::of(status, "%PDF-1.7")), at, "{status}");
    }
    let shows = |channel| wire(channel).capabilities().shows_letter;
    assert_eq!((shows(Channel::Letter), shows(Channel::Email)), (Some(ShownLetter::AS_GIVEN), None));
}
