//! What every provider must keep, asked of each in the same way. Who speaks HTTP is asked about its requests and answers
//! too; who does not says why, and by whom it is held. A new one is added to `candidates`.

mod candidates;
mod page;
mod postbird;

use candidates::{Candidate, REFERENCE, SECRET, Speech, candidates};
use duly::model::step::Answer;
use duly::provider::choose::KINDS;
use duly::provider::wire::{Reply, Wire};
use duly::provider::{
    Account, CallResult, CancelOutcome, Check, Frozen, Item, LookUp, LookupStrength, Pause, RawReceipt, Reader, ReceiptProof,
    ReceiptRefusal, Sought, StatusAnswer, read_content, read_request,
};
use reqwest::header::{HeaderMap, HeaderName};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// Lines of code that the example may have.
const EXAMPLE_LINES_MAX: usize = 110;
/// Where no folder can be made.
const NOWHERE: &str = "/proc/no-such-place";
/// Ids come from receipts too, and must not lead a request or a file name elsewhere.
const HOSTILE: [&str; 8] = ["../templates", "a/b", "a?b=c", "a#b", "a b", "a\r\nx: y", "%2e%2e", ""];

/// Everyone.
fn all() -> Vec<Candidate> {
    candidates(Path::new(NOWHERE))
}

fn frozen(candidate: &Candidate) -> Frozen {
    candidate.provider.prepare(&candidate.outbound()).unwrap_or_else(|refusal| panic!("{}: {refusal}", candidate.name()))
}

fn sought(frozen: &Frozen) -> Sought<'_> {
    Sought { reference: REFERENCE, frozen: Some(frozen), since: Some(OffsetDateTime::UNIX_EPOCH) }
}

fn answer(wire: &dyn Wire, frozen: &Frozen, reply: &Reply) -> CallResult {
    wire.read_answer(&frozen.thaw().unwrap(), reply)
}

#[test]
fn every_provider_is_asked_for_every_channel_that_it_serves_or_says_who_asks_it() {
    let all = all();
    for kind in KINDS {
        let one = all.iter().find(|candidate| candidate.kind == *kind).unwrap_or_else(|| panic!("{kind} is not asked"));
        for channel in one.provider.capabilities().channels {
            let is_asked = all.iter().any(|candidate| candidate.kind == *kind && candidate.channel == *channel);
            assert!(is_asked, "{kind} is not asked for {channel}");
        }
    }
    for candidate in &all {
        let is_set = KINDS.contains(&candidate.kind);
        assert_ne!(is_set, candidate.example.is_some(), "{} is a word of the settings, or an example", candidate.kind);
        let Speech::Own(own) = &candidate.speech else { continue };
        assert!(!own.why.is_empty() && !own.suites.is_empty(), "{}", candidate.name());
        for suite in own.suites {
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(suite)).unwrap();
            assert!(text.contains("#[test]") || text.contains("#[tokio::test"), "{suite} holds nobody to anything");
        }
    }
}

/// Whoever copies it gets what compiles and keeps the suite.
#[test]
fn the_example_of_the_guide_is_a_whole_provider_and_is_the_one_that_is_asked_here() {
    let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (guide, code) = (read("docs/write-a-provider.md"), read("tests/it/conformance/postbird.rs"));
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();

    assert_eq!(blocks, [code.as_str()], "docs/write-a-provider.md has another example than the one that is compiled and asked");
    assert!(all().iter().any(|candidate| candidate.example.is_some()));
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(lines <= EXAMPLE_LINES_MAX, "{lines} lines are no hundred any more");
}

#[tokio::test]
async fn who_cannot_be_reached_has_taken_nothing_and_knows_nothing() {
    for candidate in all() {
        let (place, frozen) = (candidate.name(), frozen(&candidate));
        let result = candidate.provider.submit(frozen.clone(), Arc::new(|| Ok(()))).await;
        assert!(matches!(result.answer, Answer::NotTaken | Answer::LaneStopped), "{place}: {result:?}");
        assert_eq!(result.provider_id, None, "{place}");
        assert_eq!(candidate.provider.look_up(sought(&frozen)).await, LookUp::CannotKnow, "{place}");
        assert_eq!(candidate.provider.fetch_status(candidate.id).await, StatusAnswer::CannotKnow, "{place}");
        let back = candidate.provider.cancel(candidate.id).await;
        let offers = candidate.provider.capabilities().cancel_within.is_some();
        assert_eq!(back, if offers { CancelOutcome::Unknown } else { CancelOutcome::Unsupported }, "{place}");
        assert_ne!(candidate.provider.check().await, Check::Good, "{place}");
    }
}

#[test]
fn a_request_is_the_same_each_time_and_carries_no_secret() {
    for candidate in all() {
        let (place, one, other) = (candidate.name(), frozen(&candidate), frozen(&candidate));
        assert_eq!(one.bytes(), other.bytes(), "{place}");
        let (text, thawed) = (String::from_utf8_lossy(one.bytes()), one.thaw().unwrap());
        assert_eq!(thawed.kind, candidate.kind, "{place}");
        assert!(!text.contains(SECRET) && !text.to_lowercase().contains("authorization"), "{place}");
        assert!(thawed.path.starts_with('/') && !thawed.path.contains(|c: char| c.is_control() || c == ' '), "{place}");
        assert!(!thawed.path.contains("7700900001") && !thawed.path.contains("Ann"), "{place}: a path has personal data");
        assert!(text.contains(REFERENCE), "{place}: nothing names the message");
    }
}

#[test]
fn what_was_frozen_reads_back_with_its_destination_and_content() {
    for candidate in all() {
        let (frozen, sent) = (frozen(&candidate), candidate.item());
        let content = match sent {
            Item::Sms { text, .. } => text.as_bytes().to_vec(),
            Item::Email { subject, text, .. } => duly::model::email::join(subject, text).into_bytes(),
            Item::Letter { pdf, .. } => pdf.to_vec(),
        };

        let read = match candidate.example {
            Some(read_back) => read_back(&frozen.thaw().unwrap()).map(|read| (read.destination, read.content)).unwrap(),
            None => (read_request(frozen.bytes()).unwrap().0, read_content(frozen.bytes()).unwrap().0),
        };
        assert_eq!(read, (sent.destination(), content), "{}", candidate.name());
    }
}

#[test]
fn no_answer_that_proves_nothing_is_taken_for_one_that_does() {
    for candidate in all() {
        let Some(wire) = candidate.wire() else { continue };
        let frozen = frozen(&candidate);
        for status in 100..600 {
            for body in ["", "<html>", "{}", "[]", "null", "{\"id\":null}", "{\"id\":\"\"}", "{\"id\":7}"] {
                let result = answer(wire, &frozen, &Reply::of(status, body));
                let place = format!("{}: {status} {body}", candidate.name());
                let expected = match status {
                    429 => &[Answer::NotTaken][..],
                    401..=403 => &[Answer::LaneStopped],
                    // None of these bodies is an error of a provider's own: what somebody between says refuses nobody for good.
                    400 | 404..=407 | 410..=428 | 430..=499 => &[Answer::LaneStopped, Answer::Unknown],
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
    for candidate in all() {
        let Some(wire) = candidate.wire() else { continue };
        let mut reply = Reply::of(429, "");
        reply.headers.insert("retry-after", "7".parse().unwrap());
        let result = answer(wire, &frozen(&candidate), &reply);
        assert!(result.retry_after.is_some_and(|wait| wait.as_secs() == 7), "{}", candidate.name());
    }
}

#[test]
fn credentials_stand_in_one_header_and_nowhere_else() {
    for candidate in all() {
        let Some(wire) = candidate.wire() else { continue };
        let credential = wire.authorise(OffsetDateTime::UNIX_EPOCH);
        assert!(credential.value.expose_secret().parse::<reqwest::header::HeaderValue>().is_ok(), "{}", candidate.name());
        let frozen = frozen(&candidate);
        let asked = [wire.look_up(&sought(&frozen), None), wire.status(candidate.id), wire.check()];
        for request in asked.into_iter().flatten().chain(wire.cancel(candidate.id)) {
            let text = format!("{request:?}");
            assert!(!text.contains(SECRET), "{}: {}", candidate.name(), request.path);
        }
    }
}

#[test]
fn what_is_promised_can_be_asked_for() {
    for candidate in all() {
        let (place, promised) = (candidate.name(), candidate.provider.capabilities());
        assert!(promised.channels.contains(&candidate.channel), "{place}");
        assert!(promised.per_second_max != Some(0) && promised.per_day_max != Some(0), "{place}");
        assert!(!promised.name.is_empty() && !promised.delivered_means.is_empty(), "{place}");
        let Some(wire) = candidate.wire() else { continue };
        let looks_up = !matches!(promised.lookup, LookupStrength::None);
        assert!(!looks_up || wire.look_up(&sought(&frozen(&candidate)), None).is_some(), "{place}");
        assert_eq!(promised.polling, wire.status(candidate.id).is_some(), "{place}");
        assert!(promised.cancel_within.is_none() || wire.cancel(candidate.id).is_some(), "{place}");
    }
}

/// Else nobody would be told to enter it, or somebody in vain.
#[test]
fn the_address_of_its_receipts_stands_in_each_request_of_who_says_so_and_in_no_other() {
    for candidate in all() {
        let text = String::from_utf8_lossy(frozen(&candidate).bytes()).into_owned();
        let names_it = text.contains("receipts.example") || text.contains("receipts%2Eexample");
        assert_eq!(candidate.provider.capabilities().names_callback, names_it, "{}", candidate.name());
    }
}

#[test]
fn a_hostile_id_makes_no_other_request() {
    for candidate in all() {
        let Some(wire) = candidate.wire() else { continue };
        for id in HOSTILE {
            for request in [wire.status(id), wire.cancel(id)].into_iter().flatten() {
                let good = wire.status(candidate.id).or_else(|| wire.cancel(candidate.id)).unwrap();
                let depth = |path: &str| path.matches(['/', '?', '#', ' ', '\r', '\n']).count();
                assert_eq!(depth(&request.path), depth(&good.path), "{}: {}", candidate.name(), request.path);
                assert!(!request.path.contains(".."), "{}: {}", candidate.name(), request.path);
            }
        }
    }
}

#[tokio::test]
async fn a_hostile_id_touches_no_file_beside_those_of_the_lane() {
    let folder = tempfile::tempdir().unwrap();
    for candidate in candidates(folder.path()).iter().filter(|candidate| candidate.wire().is_none()) {
        std::fs::write(folder.path().join("outside"), "as it was").unwrap();
        candidate.provider.check().await;
        for id in HOSTILE.into_iter().chain(["../lock", "../../outside", "outside"]) {
            let offers = candidate.provider.capabilities().cancel_within.is_some();
            let expected = if offers { CancelOutcome::Unknown } else { CancelOutcome::Unsupported };
            assert_eq!(candidate.provider.cancel(id).await, expected, "{}: {id}", candidate.name());
            assert_eq!(candidate.provider.fetch_status(id).await, StatusAnswer::CannotKnow, "{}: {id}", candidate.name());
            let sought = Sought { reference: id, frozen: None, since: None };
            assert_eq!(candidate.provider.look_up(sought).await, LookUp::CannotKnow, "{}: {id}", candidate.name());
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("outside")).unwrap(), "as it was");
    }
}

#[test]
fn every_word_stands_once_for_a_state_that_a_provider_can_report() {
    for candidate in all() {
        let mut seen = BTreeSet::new();
        for row in candidate.words() {
            assert!(seen.insert(row.word), "{}: {} twice", candidate.name(), row.word);
            assert!(row.state.is_none_or(|state| state.is_report()), "{}: {}", candidate.name(), row.word);
            assert!(!row.proves.is_empty(), "{}: {}", candidate.name(), row.word);
        }
        let is_described = candidate.kind == "http";
        assert!(is_described || !seen.is_empty(), "{}", candidate.name());
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
        "x-signature",
        "x-duly-signature",
    ];
    for candidate in all() {
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
                candidate.provider.parse_receipt(&raw).err(),
                Some(ReceiptRefusal::BadSignature),
                "{}: {forgery}",
                candidate.name()
            );
        }
    }
}

/// A pack whose receipts prove themselves by another word is refused by both verifiers.
#[test]
fn how_receipts_prove_themselves_is_a_word_of_the_format() {
    for candidate in all() {
        let (ReceiptProof::Signed(scheme) | ReceiptProof::Confirmed(scheme)) = candidate.provider.capabilities().receipts else {
            continue;
        };
        assert!(["bearer", "hmac-sha1", "hmac-sha256"].contains(&scheme), "{}: {scheme}", candidate.name());
    }
}

#[test]
fn a_lane_rests_for_a_day_only_where_the_day_is_over() {
    for candidate in all() {
        let Some(wire) = candidate.wire() else { continue };
        let frozen = frozen(&candidate);
        for status in 400..600 {
            let result = answer(wire, &frozen, &Reply::of(status, "{}"));
            assert_ne!(result.pause, Some(Pause::UtcDay), "{}: {status}", candidate.name());
        }
    }
}

/// The settings of a live lane of this kind.
fn live_lane(kind: &str, url: &str, receipt_secret: &str) -> duly::config::Lane {
    let channel = if kind == "twilio" || kind == "http" { "sms" } else { "letter" };
    let own = match kind {
        "twilio" => "account = \"AC00000000000000000000000000000001\"\n",
        "http" => GATEWAY,
        _ => "",
    };
    let lane = format!(
        "provider = \"{kind}\"\nchannel = \"{channel}\"\nurl = \"{url}\"\nlive = true\nreceipt_secret = \"{receipt_secret}\"\n\
         api_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-{SECRET}\"\n{own}"
    );
    toml::from_str(&lane).unwrap()
}

#[test]
fn a_live_lane_speaks_to_nobody_without_tls() {
    drop(rustls::crypto::ring::default_provider().install_default());
    for kind in KINDS.iter().filter(|kind| !["file", "smtp"].contains(kind)) {
        let live = |url: &str| Account::new("lane", &live_lane(kind, url, SECRET), Duration::from_secs(1), true);
        assert!(live("https://gateway.example").is_ok(), "{kind}");
        let refused = live("http://gateway.example").err().unwrap_or_else(|| panic!("{kind} would speak without TLS"));
        assert!(refused.to_string().starts_with("`lanes.lane.url` must begin with https://"), "{kind}: {refused}");
    }
}

#[test]
fn a_live_lane_needs_a_secret_of_receipts_where_its_provider_can_call_and_not_where_it_is_only_asked() {
    drop(rustls::crypto::ring::default_provider().install_default());
    for kind in ["lob", "notify", "sandbox", "stannp", "twilio"] {
        let lane = live_lane(kind, "https://gateway.example", "");
        let account = |is_reachable| Account::new("lane", &lane, Duration::from_secs(1), is_reachable);
        let reader = |is_reachable| Reader::new("lane", &lane, is_reachable);

        let asked = account(false).unwrap_or_else(|error| panic!("{kind}: {error}"));

        let told = [account(true).err(), reader(true).err()].map(|refused| refused.map(|error| error.to_string()));
        for refused in told {
            assert!(
                refused.as_ref().is_some_and(|text| text.starts_with("`lanes.lane.receipt_secret` must")),
                "{kind}: {refused:?}"
            );
        }
        assert_eq!(asked.tells(), asked.can_be_asked(), "{kind}: no receipt of its is ever believed");
        let headers = HeaderMap::new();
        let raw = RawReceipt {
            path: "/receipts/n/l",
            query: "",
            origin: "",
            headers: &headers,
            body: b"{}",
            now_seconds: 0,
            window_seconds: 300,
        };
        let door = reader(false).unwrap().unwrap();
        assert_eq!(door.read(&raw).err(), Some(ReceiptRefusal::BadSignature), "{kind}");
    }
}

const GATEWAY: &str = "[http]\npath = \"/send\"\nbody = '{\"to\": {{json to}}, \"text\": {{json text}}}'\ncontent = \"/text\"\ntaken = [202]\nid = \"/id\"\n";
