//! Runs through lanes that speak Twilio's and Stannp's wire formats, against the sandbox's faces of them.

use crate::support::{Lane, PATIENT, Setup, Stage, skipped, within};
use duly::dispatch::draft::{approved_bytes, frozen};
use duly::model::state::Route;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use serde_json::json;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(180);
/// Nobody is there: receipts are asked for. Twilio must be told an address all the same, because it holds our reference.
const NOWHERE: (&str, &str) = ("DULY_RECEIPTS__URL", "http://127.0.0.1:9");

/// Each fault once for certain, and then by chance.
fn faults(kinds: &[(FaultKind, u32)]) -> Vec<Fault> {
    let some = |(kind, per_mille): (FaultKind, u32)| Fault { per_mille, ..Fault::always(kind) };
    kinds.iter().flat_map(|fault| [Fault::once(fault.0), some(*fault)]).collect()
}

async fn assert_fired(stage: &Stage, kinds: &[(FaultKind, u32)]) {
    let missing: Vec<_> = kinds.iter().filter(|(kind, _)| stage.sandbox.state.fired(*kind) == 0).collect();
    assert!(missing.is_empty(), "{missing:?} did not fire");
    let taken = i64::try_from(stage.produced()).unwrap();
    assert_eq!(stage.count("select count(*) from message where state not in ('rejected')").await, taken);
}

/// Events of a status that do not say whose word it is.
const OF_NOBODY: &str = "select count(*) from event where kind in ('receipt', 'receipt.late')
    and convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'claimed_by' is null";

fn twilio(faults: Vec<Fault>) -> Lane {
    let provider =
        ProviderConfig { face: Face::Twilio, receipts: false, receipt_delay_ms: 100, faults, ..ProviderConfig::default() };
    Lane { provider, ..Lane::named("twilio") }
}

#[tokio::test]
async fn a_run_through_twilio_finds_what_left_and_sends_nothing_twice() {
    let kinds = [
        (FaultKind::TooMany, 100),
        (FaultKind::ErrorAfter, 100),
        (FaultKind::CutAfter, 100),
        (FaultKind::NotJson, 60),
        (FaultKind::Reject, 60),
        (FaultKind::Undelivered, 100),
        (FaultKind::Expired, 60),
    ];
    let stage = Stage::new(Setup { people: 25, lanes: vec![twilio(faults(&kinds))], ..Setup::default() }).await;
    let _scheduler = stage.start_with(&["scheduler"], None, &[NOWHERE]);
    let _worker = stage.start_with(&["worker"], None, &[NOWHERE]);

    stage.drain_to_the_end().await;

    stage.audit().await;
    assert_fired(&stage, &kinds).await;
    assert_eq!(stage.count("select count(*) from alarm").await, 0);
}

/// Police networks let nobody call in: `receipts.url` is empty, and nothing else is set.
#[tokio::test]
async fn without_an_address_for_receipts_twilio_is_asked_every_five_minutes_and_all_ends_the_same() {
    let mut lane = twilio(vec![Fault::once(FaultKind::Undelivered), Fault::once(FaultKind::CutAfter)]);
    lane.provider.receipt_delay_ms = 1;
    let stage = Stage::new(Setup { people: 6, lanes: vec![lane], ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    let known = "select count(*) from message where state not in ('ready', 'sending', 'unknown', 'asked')";
    within(LONGEST, "all are taken", async || (stage.count(known).await == 6).then_some(())).await;
    let told = "select count(*) from message where state in ('delivered_to_handset', 'failed')";
    // One whose answer did not come was looked for at once, and may have been found with its end.
    let sought = stage.count("select count(*) from outcome where kind = 'unknown'").await;
    assert!(stage.count(told).await <= sought, "they were asked before their time");

    stage.shift_clock(301).await;
    within(LONGEST, "all ends are known", async || (stage.count(told).await == 6).then_some(())).await;

    assert_eq!(stage.count("select count(*) from message where state = 'failed'").await, 1);
    let fired = [FaultKind::Undelivered, FaultKind::CutAfter].map(|kind| stage.sandbox.state.fired(kind));
    assert_eq!((fired, stage.produced()), ([1, 1], 6));
    assert_eq!(stage.count(OF_NOBODY).await, 0);
    // Without an address Twilio never hears our reference, so that requests are compared by their number.
    let requests: u32 = stage.sandbox.state.requests().values().sum();
    assert_eq!(i64::from(requests), stage.count("select count(*) from attempt").await);
    let findings = stage.findings().await;
    assert!(findings.iter().all(|code| code == "more_requests_than_attempts"), "{findings:?}");
}

#[tokio::test]
async fn what_twilio_cannot_find_is_never_sent_again_by_itself() {
    let lanes = vec![twilio(vec![Fault::once(FaultKind::ErrorBefore)])];
    let stage = Stage::new(Setup { lanes, dispatch: PATIENT.to_vec(), ..Setup::default() }).await;
    let _scheduler = stage.start_with(&["scheduler"], None, &[NOWHERE]);
    let _worker = stage.start_with(&["worker"], None, &[NOWHERE]);
    let is = async |state: &str| (stage.states().await == [state]).then_some(());

    within(LONGEST, "the call's end is not known", async || is("unknown").await).await;
    // An hour of looking.
    stage.shift_clock(3_700).await;
    within(LONGEST, "a person is asked", async || is("asked").await).await;

    assert_eq!((stage.produced(), stage.count("select count(*) from attempt").await), (0, 1));
    stage.audit().await;
}

#[tokio::test]
async fn an_id_that_a_provider_gives_to_two_messages_is_an_alarm_and_what_it_says_of_it_is_believed_of_neither() {
    let mut lane = twilio(vec![Fault::always(FaultKind::IdTwice)]);
    // Both are taken before either is delivered.
    lane.provider.receipt_delay_ms = 3000;
    let stage = Stage::new(Setup { people: 2, lanes: vec![lane], ..Setup::default() }).await;
    let _scheduler = stage.start_with(&["scheduler"], None, &[NOWHERE]);
    let _worker = stage.start_with(&["worker"], None, &[NOWHERE]);
    let alarmed = "select count(distinct message_id) from alarm where code = 'provider_id_of_two_messages'";
    within(LONGEST, "both messages are alarmed", async || (stage.count(alarmed).await == 2).then_some(())).await;

    // By then Twilio says that what has this id was delivered.
    let asked =
        "select count(distinct message_id) from lookup where sent_at > (select max(raised_at) + interval '8 seconds' from alarm)";
    within(LONGEST, "it is asked about both", async || (stage.count(asked).await == 2).then_some(())).await;

    assert_eq!(
        (stage.produced(), stage.words("select distinct provider_id from outcome where provider_id is not null").await.len()),
        (2, 1)
    );
    let believed = "select count(*) from message where state = 'delivered_to_handset'";
    assert_eq!(stage.count(believed).await, 0);
    stage.audit().await;
}

#[tokio::test]
async fn a_large_run_is_asked_about_without_a_pause_between_its_rounds() {
    let face = "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\npoll_seconds = 600\n";
    // A hundred are asked about in a round.
    let lane = Lane { extra: face, per_second: 20, ..twilio(vec![]) };
    let dispatch = vec![("no_news_after_ms", 86_400_000)];
    let stage = Stage::new(Setup { people: 210, lanes: vec![lane], dispatch, ..Setup::default() }).await;
    let mut scheduler = stage.start_with(&["scheduler"], None, &[NOWHERE]);
    let _worker = stage.start_with(&["worker"], None, &[NOWHERE]);
    stage.drain().await;
    scheduler.kill();

    stage.shift_clock(700).await;
    let _next = stage.start_with(&["scheduler"], None, &[NOWHERE]);

    // Rounds that wait for the next one are a minute apart, and three are needed.
    let told = "select count(*) from message where state = 'delivered_to_handset'";
    within(Duration::from_secs(110), "everybody is asked about", async || (stage.count(told).await == 210).then_some(())).await;
}

/// What a machine at a printer's reads in the window of a letter: the words that stand there, by a program that others made.
pub fn read_window(pdf: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.pdf");
    std::fs::write(&path, pdf).unwrap();
    // Points from the upper left corner; the window of an A4 letter.
    let area = ["-f", "1", "-l", "1", "-r", "72", "-x", "69", "-y", "109", "-W", "219", "-H", "82", "-layout"];
    // Other tests' servers run on these threads.
    let output = tokio::task::block_in_place(|| Command::new("pdftotext").args(area).arg(&path).arg("-").output()).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[tokio::test]
async fn a_run_through_stannp_repeats_under_its_key_and_every_window_shows_the_persons_address() {
    if Command::new("pdftotext").arg("-v").output().is_err() {
        skipped("pdftotext is not installed, and nobody can read the windows of the letters");
        return;
    }
    let kinds = [
        (FaultKind::TooMany, 100),
        (FaultKind::ErrorBefore, 100),
        (FaultKind::ErrorAfter, 100),
        (FaultKind::CutBefore, 60),
        (FaultKind::CutAfter, 100),
        (FaultKind::NotJson, 60),
        (FaultKind::ErrorInside, 60),
        (FaultKind::RequestTimeout, 60),
        (FaultKind::Reject, 60),
        (FaultKind::ReceiptDouble, 100),
        (FaultKind::ReceiptForged, 100),
        (FaultKind::ReceiptLost, 100),
        (FaultKind::ReceiptUnknownWord, 100),
        (FaultKind::LetterReturned, 60),
    ];
    let provider = ProviderConfig {
        face: Face::Stannp,
        channel: "letter".into(),
        idempotent: true,
        receipt_delay_ms: 100,
        receipt_retry_ms: Some(100),
        faults: faults(&kinds),
        ..ProviderConfig::default()
    };
    let lanes = vec![Lane { provider, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { people: 30, routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    stage.sandbox.state.set_window_reader(Arc::new(read_window));
    stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);

    stage.drain_to_the_end().await;

    stage.audit().await;
    assert_fired(&stage, &kinds).await;
    assert_eq!(stage.count("select count(*) from message where state = 'carrier_delivered'").await, 0);
    assert_eq!(stage.count("select count(*) from alarm where code = 'address_differs'").await, 0);
    // What Stannp calls delivered it calculates: its event says so, and claims no more than that the letter was posted.
    let estimates = "select distinct convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'status' from event
        where convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'claimed_by' = 'estimate'";
    assert_eq!(stage.words(estimates).await, ["handed_to_carrier"]);
    assert_eq!(stage.count(OF_NOBODY).await, 0);
}

/// A lane of letters at Lob's face.
pub fn lob(faults: Vec<Fault>) -> Lane {
    let provider = ProviderConfig {
        face: Face::Lob,
        channel: "letter".into(),
        idempotent: true,
        receipt_delay_ms: 100,
        faults,
        ..ProviderConfig::default()
    };
    Lane { provider, ..Lane::named("lob") }
}

/// People in California who get letters through this lane.
pub async fn american_letters(people: u32, lane: Lane) -> Stage {
    Stage::new(Setup { people, routes: vec![Route::Letter], lanes: vec![lane], is_american: true, ..Setup::default() }).await
}

#[tokio::test]
async fn a_letter_goes_through_lob_from_the_list_to_the_signed_word_that_ends_its_notice() {
    // It is not asked: what is known is what it signed.
    let stage = american_letters(3, Lane { extra: LOB_UNASKED, ..lob(vec![]) }).await;
    stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);

    let arrived = async || (stage.states().await == ["carrier_delivered"; 3]).then_some(());
    within(LONGEST, "each letter arrived by Lob's word", arrived).await;
    stage.drain_to_the_end().await;

    assert_eq!(stage.words("select distinct state from notice").await, ["notified"]);
    // Rendered, mailed, in transit, on its last way, delivered: each is one event of the vendor's, signed with its time.
    let signed = "select count(*) from receipt where verdict = 'verified' and provider_id like 'ltr_%'";
    within(LONGEST, "every word has come", async || (stage.count(signed).await == 15).then_some(())).await;
    let told = "select distinct concat(convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'scheme', convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'ground')
        from event where kind = 'receipt'";
    assert_eq!(stage.words(told).await, ["hmac-sha256"]);
    let claims = "select distinct convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'claimed_by' from event where message_to = 'carrier_delivered'";
    assert_eq!((stage.words(claims).await, stage.count(OF_NOBODY).await), (vec!["carrier".to_owned()], 0));
    let record = stage.sandbox.state.record();
    assert!(record.iter().all(|made| made.destination.contains("\nSan Francisco\nCA\n94103")), "{record:?}");
    assert_eq!(stage.count("select count(*) from alarm").await, 0);
    stage.audit().await;
}

#[tokio::test]
async fn what_lob_gets_of_a_discreet_letter_names_its_sender_nowhere_but_in_the_pages() {
    let facts = json!({"discreet": true, "return_address": ["Returns", "PO Box 118", "Portland, OR 97201"]});
    let (routes, lanes) = (vec![Route::Letter], vec![lob(vec![])]);
    let stage = Stage::new(Setup { routes, lanes, is_american: true, facts, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    within(LONGEST, "the letter is taken", async || (stage.produced() == 1).then_some(())).await;

    let draft = stage.office.store.list_drafts(&[stage.message().await]).await.unwrap().remove(0);
    let (frozen, pdf) = (frozen(&stage.office, &draft).unwrap(), approved_bytes(&stage.office, &draft).unwrap());
    let at = frozen.bytes().windows(pdf.len()).position(|window| window == pdf).unwrap();
    let outside = [&frozen.bytes()[..at], &frozen.bytes()[at + pdf.len()..]].concat();
    let outside = String::from_utf8(outside).unwrap().to_lowercase();

    assert!(outside.contains("po box 118") && !outside.contains("northmere"), "{outside}");
    stage.audit().await;
}

/// An account at Lob that is told by receipts alone.
pub const LOB_UNASKED: &str =
    "provider = \"lob\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"sandbox-secret\"\npoll_seconds = 3600\n";

#[tokio::test]
async fn a_run_through_lob_prints_nothing_twice_and_believes_no_word_that_lob_did_not_sign() {
    let kinds = [
        (FaultKind::TooMany, 100),
        (FaultKind::ErrorBefore, 100),
        (FaultKind::ErrorAfter, 100),
        (FaultKind::CutBefore, 60),
        (FaultKind::CutAfter, 100),
        (FaultKind::NotJson, 60),
        (FaultKind::RequestTimeout, 60),
        (FaultKind::Reject, 60),
        (FaultKind::ReceiptDouble, 100),
        (FaultKind::ReceiptForged, 100),
        (FaultKind::ReceiptLost, 100),
        (FaultKind::ReceiptStale, 60),
        (FaultKind::ReceiptUnknownWord, 100),
        (FaultKind::LetterReturned, 60),
    ];
    let stage = american_letters(30, lob(faults(&kinds))).await;
    stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);
    let in_hand = "select count(*) from message where state in ('ready', 'sending')";
    within(LONGEST, "every call was made", async || (stage.count(in_hand).await == 0).then_some(())).await;
    // A new letter may be missing from Lob's lists for two minutes: only behind them is "not there" an answer, and what is
    // sent again may be unlucky again.
    let asked = "select count(*) from message m where state in ('ready', 'sending') or state = 'unknown' and not exists
        (select from lookup l where l.message_id = m.message_id and l.sent_at > duly_now() - interval '150 s')";
    for round in 1..=20 {
        stage.shift_clock(round * 200).await;
        within(LONGEST, "whoever is not known was asked about", async || (stage.count(asked).await == 0).then_some(())).await;
        if stage.count("select count(*) from message where state = 'unknown'").await == 0 {
            break;
        }
    }

    stage.drain_to_the_end().await;

    stage.audit().await;
    assert_fired(&stage, &kinds).await;
    let verdicts = "select distinct verdict from receipt where verdict <> 'verified' order by 1";
    assert_eq!(stage.words(verdicts).await, ["bad_signature", "stale"], "what nobody signed, and what was signed an hour ago");
    let returned = i64::try_from(stage.sandbox.state.fired(FaultKind::LetterReturned)).unwrap();
    // Of whom Lob lost the receipt, it tells no more: nobody asks again about a letter that was delivered.
    let known = stage.count("select count(*) from message where state = 'returned'").await;
    assert!(known <= returned, "{known} known of {returned}");
    let alarms = stage.words("select distinct code from alarm").await;
    assert!(alarms.iter().all(|code| code == "evidence_late"), "the clock moved on, and nothing else: {alarms:?}");
}
