//! Receipts: whoever sends what, the answer and the record are right, and only the truth moves anything.

mod doors;
mod keyless;
mod others;
mod refused;
mod shared;
mod times;

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane};
use duly::model::state::Route;
use duly_sandbox::{Fault, FaultKind, ProviderConfig, sign};
use serde_json::json;
use time::OffsetDateTime;

const SECRET: &str = "sandbox-secret";

/// A lane whose provider sends receipts at once.
fn telling(capability: Capability, faults: Vec<Fault>) -> Lane {
    Lane { provider: ProviderConfig { receipts: true, receipt_delay_ms: 0, faults, ..capability.provider() }, ..lane(capability) }
}

fn letters(faults: Vec<Fault>) -> Lane {
    let provider = ProviderConfig {
        channel: "letter".into(),
        receipts: true,
        receipt_delay_ms: 0,
        faults,
        ..Capability::StrongLookup.provider()
    };
    Lane { provider, ..Lane::named("letters") }
}

/// One post to the endpoint, as anybody on the internet can make it.
struct Post<'a> {
    url: &'a str,
    place: &'a str,
    body: String,
    age_seconds: i64,
    secret: &'a str,
    /// The path that the signature covers.
    signed_for: Option<&'a str>,
}

impl Post<'_> {
    async fn send(&self) -> u16 {
        let stamp = (OffsetDateTime::now_utc().unix_timestamp() - self.age_seconds).to_string();
        let client = reqwest::Client::new();
        let url = reqwest::Url::parse(&format!("{}{}", self.url, self.place)).unwrap();
        let path = self.signed_for.unwrap_or(url.path()).to_owned();
        let request = client.post(url).header("X-Sandbox-Timestamp", &stamp);
        let signed = request.header("X-Sandbox-Signature", sign(self.secret, &stamp, &path, &self.body));
        signed.body(self.body.clone()).send().await.unwrap().status().as_u16()
    }
}

fn body(event: &str, reference: &str, id: &str, status: &str) -> String {
    json!({ "at": "2026-11-23T10:00:00Z", "event": event, "id": id, "reference": reference, "status": status }).to_string()
}

/// A stage whose only message was accepted and has had no news: reference and provider id.
async fn accepted() -> (Stage, String, String, String, crate::support::Process) {
    let stage = Stage::new(Setup { lanes: vec![lane(Capability::StrongLookup)], ..Setup::default() }).await;
    let url = stage.serve_receipts().await;
    let process = stage.start(&["scheduler", "worker"]);
    eventually("the message is accepted", async || stage.states().await == ["accepted"]).await;
    let reference = stage.words("select reference from attempt").await.remove(0);
    let id = stage.words("select provider_id from outcome where provider_id is not null").await.remove(0);
    (stage, url, reference, id, process)
}

/// Events that moved anything.
const MOVES: &str = "select count(*) from event where message_from is not null or notice_from is not null";
/// Receipts that somebody will still decide about, now or when their period is over.
const UNSETTLED: &str =
    "select count(*) from receipt where due_at is not null and (verdict <> 'verified' or due_at <= duly_now())";
/// What is kept of receipts for places that are not there.
const STRANGERS: &str =
    "select provider || ' ' || (sealed is null)::text from receipt where controller_id = '00000000-0000-0000-0000-000000000000'";

#[tokio::test]
async fn an_attack_gets_its_answer_and_its_record_and_moves_nothing() {
    let (stage, url, reference, id, _process) = accepted().await;
    let base = url.trim_end_matches("/northmere");
    let delivered = body("ev_attack", &reference, &id, "delivered");
    let old_word = body("ev_4", &reference, &id, "queued");
    let old_word_of = |bytes: usize| old_word.clone() + &" ".repeat(bytes - old_word.len());
    let post = |place, body: &str, age_seconds, secret| Post {
        url: base,
        place,
        body: body.to_owned(),
        age_seconds,
        secret,
        signed_for: None,
    };
    let told = |event: &str, word: &str| post("/northmere/sms", &body(event, &reference, &id, word), 0, SECRET);
    let for_another_place =
        Post { signed_for: Some("/receipts/northmere/letters"), ..post("/northmere/sms", &delivered, 0, SECRET) };
    let moves = stage.count(MOVES).await;
    for (what, post, answer, record) in [
        ("a wrong signature", post("/northmere/sms", &delivered, 0, "other"), 401, Some("bad_signature refused")),
        ("no secret at all", post("/northmere/sms", &delivered, 0, ""), 401, Some("bad_signature refused")),
        ("a signature for another lane", for_another_place, 401, Some("bad_signature refused")),
        ("an old stamp", post("/northmere/sms", &delivered, 3600, SECRET), 401, Some("stale refused")),
        ("a stamp of the future", post("/northmere/sms", &delivered, -3600, SECRET), 401, Some("stale refused")),
        ("no JSON", post("/northmere/sms", "delivered", 0, SECRET), 400, Some("malformed refused")),
        ("a missing field", post("/northmere/sms", "{\"event\":\"ev\"}", 0, SECRET), 400, Some("malformed refused")),
        (
            "a message of somebody else's",
            post("/northmere/sms", &body("ev_1", &"0".repeat(32), "sb_9", "delivered"), 0, SECRET),
            200,
            Some("verified -"),
        ),
        ("a word that nobody knows", told("ev_2", "teleported"), 200, Some("verified no_change")),
        ("an old word", told("ev_3", "queued"), 200, Some("verified no_change")),
        ("a name that no index takes", told("ev\u{0}", "delivered"), 400, Some("malformed refused")),
        ("a name without end", told(&"e".repeat(20_000), "delivered"), 400, Some("malformed refused")),
        // The answer and the record of a wrong signature: nobody learns which places there are.
        ("a controller's name that is none", post("/%00/sms", &delivered, 0, SECRET), 401, Some("bad_signature refused")),
        ("a controller that is not there", post("/southmere/sms", &delivered, 0, SECRET), 401, Some("bad_signature refused")),
        ("a provider that is not there", post("/northmere/pigeon", &delivered, 0, SECRET), 401, Some("bad_signature refused")),
        ("the largest body", post("/northmere/sms", &old_word_of(65_536), 0, SECRET), 200, Some("verified no_change")),
        ("a huge body to nobody", post("/southmere/sms", &old_word_of(65_537), 0, SECRET), 413, Some("too_large refused")),
        ("one byte too many", post("/northmere/sms", &old_word_of(65_537), 0, SECRET), 413, Some("too_large refused")),
    ] {
        let before = stage.count("select count(*) from receipt").await;

        assert_eq!(post.send().await, answer, "{what}");

        eventually(what, async || stage.count(UNSETTLED).await == 0).await;
        let kept = stage.words("select verdict || ' ' || coalesce(result, '-') from receipt order by receipt_id").await;
        assert_eq!(kept.len() as i64 - before, i64::from(record.is_some()), "{what}");
        assert_eq!(record, record.and(kept.last().map(String::as_str)), "{what}");
        assert_eq!(stage.states().await, ["accepted"], "{what}");
    }
    assert_eq!(stage.count(MOVES).await, moves);
    only_what_proved_itself_is_kept(&stage).await;
    stage.audit().await;
}

async fn only_what_proved_itself_is_kept(stage: &Stage) {
    assert_eq!(stage.words(STRANGERS).await, ["- true"; 4], "what strangers write is not kept");
    let kept = "select distinct verdict from receipt where sealed is not null order by 1";
    assert_eq!(stage.words(kept).await, ["malformed", "verified"], "nor what did not prove itself, wherever it went");
}

#[tokio::test]
async fn bodies_in_flight_are_few_and_nobody_holds_a_place_by_sending_slowly() {
    let stage = Stage::new(Setup::default()).await;
    let limit = [("DULY_RECEIPTS__IN_FLIGHT_MAX", "2"), ("RUST_LOG", "info")];
    let process = stage.start_with(&["receipts"], None, &limit);
    let address = process.address().await;
    let url = format!("http://{address}/receipts/northmere");
    let post =
        Post { url: &url, place: "/sms", body: body("ev", "r", "i", "sent"), age_seconds: 0, secret: SECRET, signed_for: None };
    assert_eq!(post.send().await, 200);

    let head = "POST /receipts/northmere/sms HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut wire = tokio::net::TcpStream::connect(&address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut wire, head.as_bytes()).await.unwrap();
        slow.push(wire);
    }

    eventually("a third is told to come again", async || post.send().await == 503).await;
    eventually("who sent slowly is shown out", async || post.send().await == 200).await;
    drop(slow);
}

#[tokio::test]
async fn the_truth_moves_the_message_once_and_its_replay_nothing() {
    let (stage, url, reference, id, _process) = accepted().await;
    let post = Post {
        url: &url,
        place: "/sms",
        body: body("ev_1", &reference, &id, "delivered"),
        age_seconds: 0,
        secret: SECRET,
        signed_for: None,
    };

    for _ in 0..3 {
        assert_eq!(post.send().await, 200);
    }
    eventually("the receipts are looked at", async || {
        stage.count("select count(*) from receipt where due_at is not null").await == 0
    })
    .await;

    let results = stage.words("select result from receipt order by receipt_id").await;
    assert_eq!(results, ["applied", "replay", "replay"]);
    let told = refused::told(&stage).await;
    let replays: i64 = told.iter().map(|(_, ground, n)| if ground == "replay" { *n } else { 0 }).sum();
    assert_eq!((replays, told.iter().all(|(lane, ..)| lane == "sms")), (2, true), "{told:?}");
    let bound = "select count(*) from event e join receipt r on r.message_id = e.message_id where e.kind = 'receipt' and r.result = 'applied'
        and convert_from(e.body, 'UTF8')::jsonb -> 'd' @> jsonb_build_object('scheme', 'hmac-sha256', 'body', encode(sha256(r.sealed), 'hex'))";
    assert_eq!(stage.count(bound).await, 1, "the event names the bytes that are kept");
    assert_eq!(stage.states().await, ["delivered_to_handset"]);
    assert_eq!(stage.words("select state from notice").await, ["notified"]);
    stage.audit().await;
}

#[tokio::test]
async fn a_receipt_with_another_id_raises_the_alarm() {
    let (stage, url, reference, _, _process) = accepted().await;
    let post = Post {
        url: &url,
        place: "/sms",
        body: body("ev_1", &reference, "sb_other", "delivered"),
        age_seconds: 0,
        secret: SECRET,
        signed_for: None,
    };

    assert_eq!(post.send().await, 200);

    eventually("the alarm is raised", async || stage.alarms().await == ["possible_duplicate"]).await;
}

#[tokio::test]
async fn a_stored_receipt_shows_nothing_of_its_body() {
    let (stage, url, reference, id, _process) = accepted().await;
    let post = Post {
        url: &url,
        place: "/sms",
        body: body("ev_1", &reference, &id, "delivered"),
        age_seconds: 0,
        secret: SECRET,
        signed_for: None,
    };

    assert_eq!(post.send().await, 200);

    let leaks = "select count(*) from receipt where position(convert_to('ev_1', 'UTF8') in sealed) > 0 or position(convert_to('delivered', 'UTF8') in sealed) > 0";
    assert_eq!(stage.count(leaks).await, 0);
    assert_eq!(stage.count("select count(*) from receipt").await, 1);
}

#[tokio::test]
async fn a_receipt_that_overtakes_the_answer_counts_and_the_answer_takes_nothing_back() {
    let faults = vec![Fault::once(FaultKind::ReceiptEarly)];
    let stage = Stage::new(Setup { lanes: vec![telling(Capability::StrongLookup, faults)], ..Setup::default() }).await;
    stage.serve_receipts().await;
    stage.sandbox.state.hold("sms", true);
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("the receipts have moved it", async || stage.states().await == ["delivered_to_handset"]).await;
    assert_eq!(stage.count("select count(*) from outcome where kind = 'accepted'").await, 0);
    stage.sandbox.state.hold("sms", false);
    eventually("the call has its outcome", async || stage.count("select count(*) from outcome").await >= 1).await;
    stage.drain_to_the_end().await;

    assert_eq!(stage.states().await, ["delivered_to_handset"]);
    assert_eq!(stage.sandbox.state.fired(FaultKind::ReceiptEarly), 1);
    assert_eq!((stage.produced(), stage.alarms().await.len()), (1, 0));
    stage.audit().await;
}

#[tokio::test]
async fn a_receipt_settles_a_call_whose_worker_died_before_it_could_record() {
    let stage = Stage::new(Setup { lanes: vec![telling(Capability::Nothing, vec![])], ..Setup::default() }).await;
    stage.serve_receipts().await;
    let _scheduler = stage.start(&["scheduler"]);
    let mut worker = stage.start_at("response_read", &["worker"]);
    worker.reached().await;
    worker.kill();

    stage.drain_to_the_end().await;

    assert_eq!(stage.states().await, ["delivered_to_handset"]);
    assert_eq!(stage.count("select count(*) from outcome").await, 0);
    assert_eq!(stage.produced(), 1);
    stage.audit().await;
}

#[tokio::test]
async fn receipts_late_doubled_reordered_lost_and_contradicting_end_in_one_truth() {
    let fault = |kind| Fault { per_mille: 300, ..Fault::always(kind) };
    let kinds = [
        FaultKind::ReceiptDouble,
        FaultKind::ReceiptReorder,
        FaultKind::ReceiptContradict,
        FaultKind::ReceiptForged,
        FaultKind::ReceiptEarly,
    ];
    let mut faults: Vec<Fault> = kinds.iter().map(|kind| fault(*kind)).collect();
    faults.push(fault(FaultKind::ReceiptLate).lasting(300));
    faults.push(fault(FaultKind::ReceiptLost));
    // Whoever has no news after a second is asked for it.
    let setup = Setup {
        people: 40,
        lanes: vec![telling(Capability::StrongLookup, faults)],
        dispatch: vec![("no_news_after_ms", 1000)],
        ..Setup::default()
    };
    let stage = Stage::new(setup).await;
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    stage.drain_to_the_end().await;

    assert!(stage.states().await.iter().all(|state| state == "delivered_to_handset"), "{:?}", stage.states().await);
    for kind in kinds {
        assert!(stage.sandbox.state.fired(kind) > 0, "{kind:?}");
    }
    assert_eq!(stage.produced(), 40);
    stage.audit().await;
}

#[tokio::test]
async fn a_delivery_that_comes_late_takes_back_the_letter_that_has_not_left() {
    let sms = telling(Capability::StrongLookup, vec![Fault::once(FaultKind::Undelivered)]);
    let setup = Setup { routes: vec![Route::SmsThenLetter], lanes: vec![sms, letters(vec![])], ..Setup::default() };
    let stage = Stage::new(setup).await;
    let url = stage.serve_receipts().await;
    let mut worker = stage.start(&["worker"]);
    let _scheduler = stage.start(&["scheduler"]);
    eventually("the SMS is in a call or further", async || stage.states().await != ["ready"]).await;
    let hold = stage.hold().await;
    eventually("the letter stands ready, held", async || stage.states().await == ["failed", "ready"]).await;
    let reference = stage.words("select reference from attempt").await.remove(0);
    // A receipt may be here before the outcome of its call is.
    const ID: &str = "select provider_id from outcome where provider_id is not null";
    eventually("the call has its outcome", async || !stage.words(ID).await.is_empty()).await;
    let id = stage.words(ID).await.remove(0);
    let late = Post {
        url: &url,
        place: "/sms",
        body: body("ev_late", &reference, &id, "delivered"),
        age_seconds: 0,
        secret: SECRET,
        signed_for: None,
    };

    assert_eq!(late.send().await, 200);
    eventually("the letter is taken back", async || stage.states().await == ["delivered_to_handset", "cancelled"]).await;
    stage.lift(hold).await;
    stage.drain_to_the_end().await;
    assert!(worker.terminate().await.success());

    assert_eq!(stage.states().await, ["delivered_to_handset", "cancelled"]);
    assert_eq!(stage.produced(), 1);
    assert_eq!(stage.words("select state from notice").await, ["notified"]);
    stage.audit().await;
}

#[tokio::test]
async fn a_letter_that_was_claimed_before_the_delivery_came_is_sent_once() {
    let sms = telling(Capability::StrongLookup, vec![Fault::once(FaultKind::Undelivered)]);
    let setup = Setup { routes: vec![Route::SmsThenLetter], lanes: vec![sms, letters(vec![])], ..Setup::default() };
    let stage = Stage::new(setup).await;
    let url = stage.serve_receipts().await;
    stage.sandbox.state.hold("letters", true);
    let _process = stage.start(&["scheduler", "worker"]);
    eventually("the letter is made and not answered", async || stage.produced() == 2).await;
    let reference = stage.words("select reference from attempt where lane = 'sms'").await.remove(0);
    let id = stage.words("select provider_id from outcome where provider_id is not null").await.remove(0);
    let late = Post {
        url: &url,
        place: "/sms",
        body: body("ev_late", &reference, &id, "delivered"),
        age_seconds: 0,
        secret: SECRET,
        signed_for: None,
    };

    assert_eq!(late.send().await, 200);
    eventually("the delivery counts", async || stage.states().await.first().is_some_and(|s| s == "delivered_to_handset")).await;
    stage.sandbox.state.hold("letters", false);
    stage.drain_to_the_end().await;

    assert_eq!(stage.states().await, ["delivered_to_handset", "handed_to_carrier"]);
    assert_eq!(stage.produced(), 2);
    assert_eq!(stage.words("select state from notice").await, ["notified"]);
    stage.audit().await;
}
