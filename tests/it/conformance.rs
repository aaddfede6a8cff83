//! What every provider that speaks HTTP must keep, asked of each in the same way. A new one is added to `candidates`.

use duly::config::Lane;
use duly::model::state::Channel;
use duly::model::step::Answer;
use duly::provider::described::DescribedProvider;
use duly::provider::lob::{self, Lob};
use duly::provider::notify::{self, Notify};
use duly::provider::sandbox::{self, Sandbox};
use duly::provider::stannp::{self, Stannp};
use duly::provider::twilio::{self, Twilio};
use duly::provider::wire::{Reply, Wire};
use duly::provider::{
    CallResult, Frozen, Item, LookupStrength, Outbound, Pause, RawReceipt, ReceiptProof, ReceiptRefusal, Request, Sought, Word,
    read_content, read_request,
};
use reqwest::header::{HeaderMap, HeaderName};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use time::OffsetDateTime;

const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
/// Stand in every secret, so that a secret in the wrong place is seen.
const SECRET: &str = "3d844edf-8d35-48ac-975b-e847b4f122b0";

struct Candidate {
    wire: Box<dyn Wire>,
    channel: Channel,
    words: &'static [Word],
    /// An id in the form of its ids.
    id: &'static str,
    /// Where a letter of its may go.
    address: Vec<String>,
    postage_class: &'static str,
}

fn lane(channel: Channel, fields: &str) -> Lane {
    let text = format!(
        "channel = \"{channel}\"\nurl = \"http://127.0.0.1\"\napi_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-{SECRET}\"\n\
         receipt_secret = \"{SECRET}\"\nlookup = true\n{fields}"
    );
    toml::from_str(&text).unwrap()
}

/// A gateway that only the settings know.
const GATEWAY: &str = r#"
[http]
path = "/send"
body = '{"to": {{json to}}, "text": {{json text}}, "ref": {{json reference}}}'
content = "/text"
taken = [202]
id = "/message/id"
status_path = "/messages/{id}"
status = "/message/state"
[http.words]
DELIVRD = "delivered_to_handset"
[http.receipt]
signature = "x-signature"
id = "/message/id"
word = "/message/state"
"#;

fn candidate(wire: impl Wire, channel: Channel, words: &'static [Word], id: &'static str) -> Candidate {
    Candidate { wire: Box::new(wire), channel, words, id, address: address("AB1 2CD"), postage_class: "second" }
}

/// Everyone, once for each channel.
fn candidates() -> Vec<Candidate> {
    let texts = lane(Channel::Sms, "account = \"AC00000000000000000000000000000001\"\n");
    let letters = lane(Channel::Letter, "");
    let (stannp, lob) = (Stannp::new(&letters, Channel::Letter), Lob::new(&letters, Channel::Letter));
    let twilio = Twilio::new(&texts, Channel::Sms).unwrap();
    let gateway = DescribedProvider::new(&lane(Channel::Sms, GATEWAY), Channel::Sms).unwrap();
    let mut all = vec![
        candidate(gateway, Channel::Sms, &[], "a-1"),
        candidate(twilio, Channel::Sms, twilio::WORDS, "SM00000000000000000000000000000002"),
        candidate(stannp, Channel::Letter, stannp::WORDS, "16818210"),
        Candidate {
            address: address("Portland, OR 97201"),
            postage_class: "first",
            ..candidate(lob, Channel::Letter, lob::WORDS, "ltr_4868c3b754655f90")
        },
    ];
    for channel in [Channel::Sms, Channel::Email, Channel::Letter] {
        all.push(candidate(Sandbox::new(&lane(channel, ""), channel), channel, sandbox::WORDS, "sb_00000001"));
    }
    for channel in [Channel::Sms, Channel::Email, Channel::Letter] {
        let lane = lane(channel, "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\n");
        let notify = Notify::new(&lane, channel).unwrap();
        all.push(candidate(notify, channel, notify::WORDS, "740e5834-3a29-46b4-9a6f-16142fde533a"));
    }
    all
}

fn address(last: &str) -> Vec<String> {
    ["Ann Price", "1 High Street", "Northmere", last].map(str::to_owned).into()
}

fn item(candidate: &Candidate) -> Item<'_> {
    let (lines, postage_class) = (&candidate.address, candidate.postage_class);
    match candidate.channel {
        Channel::Sms => Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "Your data & “more”; code ABCD-EFGH" },
        Channel::Email => {
            let (from, from_name) = ("n@example.org", "Northmere");
            Item::Email { from, from_name, to: "ann@example.org", subject: "Your data", text: "Dear Ann,\n\ncode ABCD-EFGH" }
        }
        Channel::Letter => Item::Letter { from: lines, address: lines, pdf: b"%PDF-1.7 \n\n x", pages: 2, postage_class },
    }
}

fn request(candidate: &Candidate) -> Request {
    let callback = Some("https://receipts.example/receipts/northmere/lane");
    let item = item(candidate);
    candidate.wire.prepare(&Outbound { reference: REFERENCE, callback, item }).unwrap()
}

fn frozen(candidate: &Candidate) -> Frozen {
    request(candidate).freeze(candidate.wire.kind())
}

fn sought(frozen: &Frozen) -> Sought<'_> {
    Sought { reference: REFERENCE, frozen: Some(frozen), since: Some(OffsetDateTime::UNIX_EPOCH) }
}

fn name(candidate: &Candidate) -> String {
    format!("{} {}", candidate.wire.kind(), candidate.channel)
}

fn answer(candidate: &Candidate, reply: &Reply) -> CallResult {
    let frozen = frozen(candidate);
    candidate.wire.read_answer(&frozen.thaw().unwrap(), reply)
}

#[test]
fn a_request_is_the_same_each_time_and_carries_no_secret() {
    for candidate in candidates() {
        let (one, other) = (request(&candidate), request(&candidate));
        assert_eq!(one, other, "{}", name(&candidate));
        let frozen = one.freeze(candidate.wire.kind());
        let text = String::from_utf8_lossy(frozen.bytes());
        assert!(!text.contains(SECRET) && !text.to_lowercase().contains("authorization"), "{}", name(&candidate));
        assert!(one.path.starts_with('/') && !one.path.contains(|c: char| c.is_control() || c == ' '), "{}", name(&candidate));
        assert!(!one.path.contains("7700900001") && !one.path.contains("Ann"), "{}: a path has personal data", name(&candidate));
        assert!(text.contains(REFERENCE), "{}: nothing names the message", name(&candidate));
    }
}

#[test]
fn what_was_frozen_reads_back_with_its_destination_and_content() {
    for candidate in candidates() {
        let (frozen, sent) = (frozen(&candidate), item(&candidate));
        let content = match sent {
            Item::Sms { text, .. } => text.as_bytes().to_vec(),
            Item::Email { subject, text, .. } => duly::model::email::join(subject, text).into_bytes(),
            Item::Letter { pdf, .. } => pdf.to_vec(),
        };

        assert_eq!(read_request(frozen.bytes()).unwrap().0, sent.destination(), "{}", name(&candidate));
        assert_eq!(read_content(frozen.bytes()).unwrap().0, content, "{}", name(&candidate));
    }
}

#[test]
fn no_answer_that_proves_nothing_is_taken_for_one_that_does() {
    for candidate in candidates() {
        for status in 100..600 {
            for body in ["", "<html>", "{}", "[]", "null", "{\"id\":null}", "{\"id\":\"\"}", "{\"id\":7}"] {
                let result = answer(&candidate, &Reply::of(status, body));
                let place = format!("{}: {status} {body}", name(&candidate));
                let expected = match status {
                    429 => &[Answer::NotTaken][..],
                    401..=403 => &[Answer::LaneStopped],
                    400 | 404..=407 | 410..=428 | 430..=499 => &[Answer::Rejected, Answer::LaneStopped, Answer::Unknown],
                    _ => &[Answer::Unknown],
                };
                assert!(expected.contains(&result.answer), "{place}: {:?}", result.answer);
                assert_eq!(
                    result.pause.is_some(),
                    result.answer == Answer::LaneStopped || (300..400).contains(&status),
                    "{place}"
                );
                assert_eq!(result.provider_id, None, "{place}");
                let is_code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                assert!((1..=32).contains(&result.code.len()) && result.code.bytes().all(is_code), "{place}: {}", result.code);
            }
        }
    }
}

#[test]
fn a_provider_that_asks_us_to_wait_is_heard() {
    for candidate in candidates() {
        let mut reply = Reply::of(429, "");
        reply.headers.insert("retry-after", "7".parse().unwrap());
        let result = answer(&candidate, &reply);
        assert!(result.retry_after.is_some_and(|wait| wait.as_secs() == 7), "{}", name(&candidate));
    }
}

#[test]
fn credentials_stand_in_one_header_and_nowhere_else() {
    for candidate in candidates() {
        let credential = candidate.wire.authorise(OffsetDateTime::UNIX_EPOCH);
        assert!(credential.value.expose_secret().parse::<reqwest::header::HeaderValue>().is_ok(), "{}", name(&candidate));
        let frozen = frozen(&candidate);
        let asked = [candidate.wire.look_up(&sought(&frozen), None), candidate.wire.status(candidate.id), candidate.wire.check()];
        for request in asked.into_iter().flatten().chain(candidate.wire.cancel(candidate.id)) {
            let text = format!("{request:?}");
            assert!(!text.contains(SECRET), "{}: {}", name(&candidate), request.path);
        }
    }
}

#[test]
fn what_is_promised_can_be_asked_for() {
    for candidate in candidates() {
        let promised = candidate.wire.capabilities();
        let place = name(&candidate);
        let looks_up = !matches!(promised.lookup, LookupStrength::None);
        assert!(!looks_up || candidate.wire.look_up(&sought(&frozen(&candidate)), None).is_some(), "{place}");
        assert_eq!(promised.polling, candidate.wire.status(candidate.id).is_some(), "{place}");
        assert!(promised.cancel_within.is_none() || candidate.wire.cancel(candidate.id).is_some(), "{place}");
        assert!(promised.channels.contains(&candidate.channel), "{place}");
        assert!(promised.per_second_max != Some(0) && promised.per_day_max != Some(0), "{place}");
        assert!(!promised.name.is_empty() && !promised.delivered_means.is_empty(), "{place}");
    }
}

/// Ids come from receipts too, and must not lead a request elsewhere.
#[test]
fn a_hostile_id_makes_no_other_request() {
    for candidate in candidates() {
        for id in ["../templates", "a/b", "a?b=c", "a#b", "a b", "a\r\nx: y", "%2e%2e", ""] {
            for request in [candidate.wire.status(id), candidate.wire.cancel(id)].into_iter().flatten() {
                let good = candidate.wire.status(candidate.id).or_else(|| candidate.wire.cancel(candidate.id)).unwrap();
                let depth = |path: &str| path.matches(['/', '?', '#', ' ', '\r', '\n']).count();
                assert_eq!(depth(&request.path), depth(&good.path), "{}: {}", name(&candidate), request.path);
                assert!(!request.path.contains(".."), "{}: {}", name(&candidate), request.path);
            }
        }
    }
}

#[test]
fn every_word_stands_once_for_a_state_that_a_provider_can_report() {
    for candidate in candidates() {
        let mut seen = BTreeSet::new();
        for row in candidate.words {
            assert!(seen.insert((row.channel, row.word)), "{}: {} twice", name(&candidate), row.word);
            assert!(row.state.is_none_or(|state| state.is_report()), "{}: {}", name(&candidate), row.word);
            assert!(!row.proves.is_empty(), "{}: {}", name(&candidate), row.word);
        }
        let is_described = candidate.wire.kind() == "http";
        assert!(is_described || candidate.words.iter().any(|row| row.channel == candidate.channel), "{}", name(&candidate));
    }
}

#[test]
fn a_receipt_that_proves_nothing_is_not_believed() {
    let forgeries = ["", "x", "Bearer ", "Bearer x", "Basic eDp4", "00", "AAAA", "2026-11-26T08:00:00Z"];
    let names = [
        "authorization",
        "x-sandbox-signature",
        "x-sandbox-timestamp",
        "x-twilio-signature",
        "lob-signature",
        "x-stannp-signature",
    ];
    for candidate in candidates() {
        for forgery in forgeries {
            let mut headers = HeaderMap::new();
            for header in names {
                headers.insert(HeaderName::from_static(header), forgery.parse().unwrap());
            }
            let raw = RawReceipt {
                path: "/receipts/northmere/lane",
                query: "",
                origin: "https://receipts.example",
                headers: &headers,
                body: b"{\"id\":\"1\",\"status\":\"delivered\"}",
                now_seconds: 1_800_000_000,
                window_seconds: 300,
            };
            assert_eq!(
                candidate.wire.parse_receipt(&raw).err(),
                Some(ReceiptRefusal::BadSignature),
                "{}: {forgery}",
                name(&candidate)
            );
        }
    }
}

/// A pack whose receipts prove themselves by another word is refused by both verifiers.
#[test]
fn how_receipts_prove_themselves_is_a_word_of_the_format() {
    for candidate in candidates() {
        let (ReceiptProof::Signed(scheme) | ReceiptProof::Confirmed(scheme)) = candidate.wire.capabilities().receipts else {
            continue;
        };
        assert!(["bearer", "hmac-sha1", "hmac-sha256"].contains(&scheme), "{}: {scheme}", name(&candidate));
    }
}

#[test]
fn a_lane_rests_for_a_day_only_where_the_day_is_over() {
    for candidate in candidates() {
        for status in 400..600 {
            let result = answer(&candidate, &Reply::of(status, "{}"));
            assert_ne!(result.pause, Some(Pause::UtcDay), "{}: {status}", name(&candidate));
        }
    }
}
