//! What providers answer when they are asked, beside where a message stands: prices, counts, texts and words that nobody knows
//! are kept, counted and shown, whoever asked and for whatever reason.

use crate::support::{Lane, NOTIFY_KEY, PATIENT, Setup, Stage, eventually, within, world};
use duly::model::state::{Channel, MessageState, Route};
use duly::store::receipt::{NewReceipt, ReceiptStore};
use duly::store::told::LaneCost;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use serde_json::{Map, Value, json};
use std::time::Duration;

mod otherwise;

const LONGEST: Duration = Duration::from_secs(60);
/// Twilio must be told an address, because it holds our reference; nobody is there.
const NOWHERE: (&str, &str) = ("DULY_RECEIPTS__URL", "http://127.0.0.1:9");
/// The same lanes, whom the harvest asks once a day only.
const TWILIO: &str =
    "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\npoll_seconds = 86400\n";
const NOTIFY: &str = "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\npoll_seconds = 86400\n\
     api_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\nreceipt_secret = \"sandbox-secret\"\n";

fn fields(fields: Value) -> Map<String, Value> {
    fields.as_object().unwrap().clone()
}

/// A lane at a vendor's face whose messages are at the end of their lives at once, and shown with these fields.
fn lane(face: Face, extra: &'static str, shows: Value, faults: Vec<Fault>) -> Lane {
    let is_letter = face == Face::Stannp;
    let provider = ProviderConfig {
        face,
        channel: if is_letter { "letter" } else { "sms" }.into(),
        api_key: (face == Face::Notify).then(|| NOTIFY_KEY.to_owned()),
        idempotent: is_letter,
        receipts: false,
        receipt_delay_ms: 0,
        shows: fields(shows),
        faults,
        ..ProviderConfig::default()
    };
    Lane { provider, extra, ..Lane::named("lane") }
}

async fn run(people: u32, lane: Lane, dispatch: Vec<(&'static str, i64)>) -> Stage {
    let dispatch = [PATIENT, &dispatch].concat();
    let routes = vec![if lane.provider.channel == "letter" { Route::Letter } else { Route::Sms }];
    Stage::new(Setup { people, routes, lanes: vec![lane], dispatch, ..Setup::default() }).await
}

/// What `duly provider list` says, for people and for programs.
fn listed(stage: &Stage) -> (String, Value) {
    let list = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duly"));
        command.arg("--settings").arg(&stage.settings).args(["provider", "list", "--words"]).args(more);
        let output = command.env_remove("DATABASE_URL").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    (list(&[]), serde_json::from_str(&list(&["--json"])).unwrap())
}

/// Whether the only word on the list is this one, said so often, and came so by the metrics of a process.
async fn assert_shown(stage: &Stage, word: &str, times: i64, came: &str) {
    let (text, json) = listed(stage);
    let said = format!("lane: its provider said `{word}` {times} time{}", if times == 1 { "" } else { "s" });
    assert!(text.contains(&said), "{text}");
    assert_eq!(json["unknown_words"], json!([{ "lane": "lane", "word": word, "times": times }]));
    let process = stage.start(&["web"]);
    let page = reqwest::get(format!("http://{}/metrics", process.address().await)).await.unwrap().text().await.unwrap();
    let line = format!("duly_unknown_words{{lane=\"lane\",came=\"{came}\",live=\"false\"}} {times}");
    assert!(page.lines().any(|told| told == line), "{page}");
}

#[tokio::test]
async fn a_word_that_nobody_knows_is_kept_from_every_answer_is_shown_and_moves_nothing() {
    let face =
        "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\npoll_seconds = 1\n";
    // By the harvest, and by the sweep once news are due.
    for (extra, dispatch, state) in [(face, vec![], "accepted"), (TWILIO, vec![("no_news_after_ms", 400)], "overdue")] {
        let stage = run(2, lane(Face::Twilio, extra, json!({ "status": "teleported" }), vec![]), dispatch).await;
        let mut process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);
        let kept = "select count(distinct message_id) from lookup where unknown_word = 'teleported'";
        within(LONGEST, "the word is kept of both", async || (stage.count(kept).await == 2).then_some(())).await;
        eventually("both stand as without it", async || stage.states().await == [state; 2]).await;
        process.kill();

        // However often it was answered, of each message once.
        assert_shown(&stage, "teleported", 2, "answer").await;
        let moved = "select count(*) from event where kind in ('receipt', 'receipt.late') or message_to = 'delivered_to_handset'";
        assert_eq!(stage.count(moved).await, 0);
        stage.audit().await;
    }
}

#[tokio::test]
async fn a_word_that_nobody_knows_in_a_receipt_is_shown() {
    let provider = ProviderConfig {
        receipt_delay_ms: 10,
        faults: vec![Fault::once(FaultKind::ReceiptUnknownWord)],
        ..ProviderConfig::default()
    };
    let stage = run(1, Lane { provider, ..Lane::named("lane") }, vec![]).await;
    stage.serve_receipts().await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("the text is delivered", async || stage.states().await == ["delivered_to_handset"]).await;
    let applied = "select count(*) from receipt where due_at is null";
    within(LONGEST, "all receipts are looked at", async || (stage.count(applied).await == 3).then_some(())).await;
    process.kill();

    assert_shown(&stage, "teleported", 1, "receipt").await;
}

/// What all of the incident's messages cost by the list, in thousandths of the minor unit; it says the same to people.
fn spent(stage: &Stage, currency: &str, words: &str) -> (i64, i64) {
    let (text, json) = listed(stage);
    let costs = json["costs"].as_array().unwrap();
    assert_eq!((costs.len(), &costs[0]["incident"], &costs[0]["lane"]), (1, &json!("test"), &json!("lane")), "{json}");
    assert_eq!(costs[0]["currency"], json!(currency));
    assert!(text.contains(&format!("Spent on test: {words}")), "{text}");
    (costs[0]["milli"].as_i64().unwrap(), costs[0]["messages"].as_i64().unwrap())
}

/// A segment at the sandbox costs four cents.
const SEGMENT_MILLI: i64 = 4000;

#[tokio::test]
async fn the_price_of_a_text_is_known_however_its_provider_was_asked_and_counts_once() {
    let every_second =
        "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\npoll_seconds = 1\n";
    for (how, extra, dispatch, faults) in [
        ("found after a call without an answer", TWILIO, vec![], vec![Fault::always(FaultKind::CutAfter)]),
        ("asked when news are due", TWILIO, vec![("no_news_after_ms", 400)], vec![]),
        ("harvested", every_second, vec![], vec![]),
    ] {
        let stage = run(2, lane(Face::Twilio, extra, json!({}), faults), dispatch).await;
        let mut process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);
        eventually(how, async || stage.states().await == ["delivered_to_handset"; 2]).await;
        process.kill();
        let counted =
            "select coalesce(max(parts), 0)::bigint from (select parts from outcome union all select parts from lookup) p";
        let segments = stage.count(counted).await;
        assert!(segments > 0, "{how}");

        let milli = 2 * segments * SEGMENT_MILLI;
        let words = format!("0.{:02} USD for 2 messages by lane", milli / 1000);
        assert_eq!(spent(&stage, "USD", &words), (milli, 2), "{how}");
        let again = "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt, cost_milli, currency)
            select gen_random_uuid(), controller_id, incident_no, message_id, attempt, cost_milli, currency from lookup where cost_milli is not null";
        sqlx::raw_sql(again).execute(&stage.owner).await.unwrap();
        assert_eq!(spent(&stage, "USD", &words), (milli, 2), "{how}: told again");
        stage.audit().await;
    }
}

#[tokio::test]
async fn the_price_of_a_letter_in_the_answer_to_its_call_and_in_every_later_one_is_one_price() {
    let stage = run(2, lane(Face::Stannp, "", json!({}), vec![]), vec![]).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("both are handed over", async || stage.states().await == ["handed_to_carrier"; 2]).await;
    process.kill();

    assert_eq!(stage.count("select count(*) from outcome where cost_milli = 81000").await, 2);
    assert!(stage.count("select count(*) from lookup where cost_milli = 81000").await >= 2);
    assert_eq!(spent(&stage, "GBP", "1.62 GBP for 2 messages by lane"), (162_000, 2));
    let costs: Vec<LaneCost> = stage.office.store.list_costs().await.unwrap();
    assert_eq!((costs.len(), costs[0].milli), (1, 162_000));
}

const ALARMS: &str = "select code || ' ' || count(*) from alarm group by code";

#[tokio::test]
async fn price_and_count_that_come_with_the_confirmation_of_a_receipt_are_kept_and_compared() {
    let shows = json!({ "is_cost_data_ready": true, "cost_in_pounds": 0.0233, "cost_details": { "billable_sms_fragments": 9 } });
    let mut lane = lane(Face::Notify, NOTIFY, shows, vec![]);
    lane.provider.receipts = true;
    lane.provider.receipt_delay_ms = 50;
    let stage = run(1, lane, vec![]).await;
    stage.serve_receipts().await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("the text is delivered", async || stage.states().await == ["delivered_to_handset"]).await;
    process.kill();

    assert_eq!(spent(&stage, "GBP", "0.02 GBP for 1 message by lane"), (2330, 1));
    let compared = "select concat_ws(' ', parts, differs) from lookup where differs is not null";
    assert_eq!(stage.words(compared).await, ["9 segments_differ"]);
    assert_eq!(stage.words(ALARMS).await, ["segments_differ 1"]);
    assert_eq!(stage.count("select count(*) from attempt").await, 1, "nothing is sent again because of it");
}

#[tokio::test]
async fn a_text_that_is_found_after_a_call_without_an_answer_is_compared_with_ours() {
    let found = async |shows: Value| {
        let stage = run(1, lane(Face::Notify, NOTIFY, shows, vec![Fault::always(FaultKind::CutAfter)]), vec![]).await;
        let _process = stage.start(&["scheduler", "worker"]);
        eventually("it is found", async || stage.states().await == ["delivered_to_handset"]).await;
        assert_eq!((stage.produced(), stage.count("select count(*) from attempt").await), (1, 1));
        let compared = "select differs from lookup where differs is not null";
        (stage.words(compared).await, stage.words(ALARMS).await)
    };

    assert_eq!(found(json!({})).await, (vec![String::new()], vec![]));
    let other = json!({ "body": "Northmere: another text" });
    assert_eq!(found(other).await, (vec!["text_differs".to_owned()], vec!["text_differs 1".to_owned()]));
}

#[tokio::test]
async fn the_sheets_of_a_letter_are_compared_with_its_pages_once_its_provider_counts_them() {
    let polled = async |sheets: u32| {
        let shows = json!({ "cost_details": { "billable_sheets_of_paper": sheets, "postage": "second" } });
        let mut lane = lane(Face::Notify, "", shows, vec![]);
        lane.provider.channel = "letter".into();
        let stage = run(2, lane, vec![]).await;
        let _process = stage.start(&["scheduler", "worker"]);
        eventually("both are posted", async || stage.states().await == ["handed_to_carrier"; 2]).await;
        // It is asked about every second.
        let asked =
            "select count(*) from (select message_id from lookup where parts is not null group by 1 having count(*) > 2) m";
        within(LONGEST, "both are asked about again", async || (stage.count(asked).await == 2).then_some(())).await;
        (stage.words("select distinct parts::text from lookup where parts is not null").await, stage.words(ALARMS).await)
    };

    let (sheets, alarms) = polled(9).await;
    assert_eq!((sheets, alarms), (vec!["9".to_owned()], vec!["sheets_differ 2".to_owned()]), "once of each");
    let (sheets, alarms) = polled(1).await;
    assert_eq!((sheets, alarms), (vec!["1".to_owned()], vec![]));
}

const RESTS: &str = "select code from lane_pause";

#[tokio::test]
async fn a_text_that_a_suspended_account_takes_stops_the_lane_and_fails_nobody() {
    let stage = run(3, lane(Face::Twilio, TWILIO, json!({}), vec![Fault::always(FaultKind::ErrorInside)]), vec![]).await;
    let _process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);
    eventually("the lane rests", async || stage.words(RESTS).await == ["30002"]).await;
    eventually("all wait again", async || stage.states().await == ["ready"; 3]).await;

    assert_eq!(stage.produced(), 0);
    // A call that was late for its turn on a busy machine was not made, and counts as little.
    let kinds = "select distinct kind from outcome where code not in ('send_by', 'hold_changed')";
    assert_eq!(stage.words(kinds).await, ["lane_stopped"]);
    // The account is open again: a single call goes first, and nobody's attempt was burnt.
    stage.sandbox.state.set_faults("lane", vec![]);
    stage.shift_clock(3600).await;
    eventually("all are sent", async || stage.produced() == 3).await;
    eventually("the lane goes on", async || stage.words(RESTS).await.is_empty()).await;
    // Events that waited for the log when the clock was moved have waited long.
    assert_eq!(stage.alarms().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_text_that_failed_because_the_account_was_suspended_stops_the_lane_when_that_is_found_out() {
    let every_second =
        "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\npoll_seconds = 1\n";
    let stage = run(1, lane(Face::Twilio, every_second, json!({}), vec![Fault::always(FaultKind::Suspended)]), vec![]).await;
    let _process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);

    eventually("it never left", async || stage.states().await == ["failed"]).await;

    assert_eq!(stage.words(RESTS).await, ["30002"]);
    let told = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'code' from event where kind = 'lane.stopped'";
    assert_eq!(stage.words(told).await, ["30002"]);
}

#[tokio::test]
async fn a_receipt_that_says_the_account_is_suspended_stops_the_lane_once() {
    let world = world("suspended", 2).await;
    world.store.queue_due("sms-a", Channel::Sms, crate::support::quota(100)).await.unwrap();
    world.store.claim(world.incident.key, &[world.intent(0)], 1000).await.unwrap();
    let receipts = ReceiptStore::connect(&world.url, 1).await.unwrap();
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let receive = async |event: &str, stop_code| {
        let new = NewReceipt {
            sealed: Some(vec![1]),
            event_name: Some(event.into()),
            reference: Some(world.intent(0).reference),
            provider_id: Some("id-1".into()),
            status: Some(MessageState::Failed),
            stop_code,
            ..NewReceipt::bare(Some(world.incident.key.controller_id), "sms-a", "verified")
        };
        receipts.insert_receipts(&[new], 1).await.unwrap();
        crate::support::receipt::apply(&world).await;
        sqlx::query_scalar::<_, String>(RESTS).fetch_all(&owner).await.unwrap()
    };

    assert_eq!(receive("a", Some("30002")).await, ["30002"]);
    sqlx::raw_sql("delete from lane_pause").execute(&owner).await.unwrap();
    assert!(receive("a", Some("30002")).await.is_empty(), "a copy stops nothing");
    assert!(receive("b", None).await.is_empty());
    let states = "select distinct state from message where channel = 'sms' order by state";
    let states: Vec<String> = sqlx::query_scalar(states).fetch_all(&owner).await.unwrap();
    assert_eq!(states, ["failed", "ready"], "the others wait");
}
