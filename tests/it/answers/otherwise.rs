//! Money in another currency, and messages that were taken by another postage class or in more segments than they were given:
//! kept as it was said, shown, an alarm, and no reason to send again.

use super::{ALARMS, NOWHERE, lane, listed, run};
use crate::support::{Stage, eventually};
use duly::model::state::Route;
use duly_sandbox::{Face, Fault, FaultKind};
use serde_json::{Value, json};

/// Its price is set up in pounds.
const IN_POUNDS: &str = "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\n\
     poll_seconds = 1\nprice_milli = 4000\ncurrency = \"GBP\"\n";
const CALLS: &str = "select count(*) from attempt";

/// From now on the lane's provider shows its messages with these fields.
fn show(stage: &Stage, shows: Value) {
    let mut config = duly_sandbox::SandboxConfig::clone(&stage.sandbox.state.config());
    config.providers.get_mut("lane").unwrap().shows = super::fields(shows);
    stage.sandbox.state.set_config(config);
}

#[tokio::test]
async fn a_price_in_another_currency_is_kept_as_it_was_said_and_added_to_no_other() {
    let stage = run(1, lane(Face::Twilio, IN_POUNDS, json!({}), vec![]), vec![]).await;
    let mut process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);
    let priced = "select count(distinct message_id) from lookup where cost_milli is not null";
    eventually("the first price is known", async || stage.count(priced).await == 1).await;
    show(&stage, json!({ "price_unit": "EUR" }));
    stage.add_people(2..=3, &[Route::Sms]).await;
    eventually("all prices are known", async || stage.count(priced).await == 3).await;
    process.kill();

    let said = "select currency || ' ' || count(distinct message_id) from lookup where cost_milli is not null group by currency order by 1";
    assert_eq!(stage.words(said).await, ["EUR 2", "USD 1"], "what is set up is said of nobody");
    let (text, json) = listed(&stage);
    let costs: Vec<(&str, i64)> = json["costs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cost| (cost["currency"].as_str().unwrap(), cost["messages"].as_i64().unwrap()))
        .collect();
    assert_eq!(costs, [("EUR", 2), ("USD", 1)], "{json}");
    assert!(text.contains("EUR for 2 messages by lane") && text.contains("USD for 1 message by lane"), "{text}");
    assert!(!text.contains("3 messages by lane"), "{text}");
    assert_eq!((stage.produced(), stage.words(ALARMS).await), (3, vec![]));
    stage.audit().await;
}

#[tokio::test]
async fn a_letter_that_goes_by_another_postage_class_is_an_alarm_and_is_not_sent_again() {
    for (face, other) in [(Face::Notify, json!({ "postage": "economy" })), (Face::Stannp, json!({ "addons": "C4_ENVELOPE" }))] {
        // By the answer to the call, and by what is found where none came.
        for faults in [vec![], vec![Fault::once(FaultKind::CutAfter)]] {
            let how = format!("{face:?} {faults:?}");
            // Who honours a key is called again, and its answer is the first one's.
            let calls = if face == Face::Stannp && !faults.is_empty() { 2 } else { 1 };
            let mut lane = lane(face, "", other.clone(), faults);
            lane.provider.channel = "letter".into();
            let stage = run(1, lane, vec![]).await;
            let _process = stage.start(&["scheduler", "worker"]);
            eventually(&how, async || stage.states().await == ["handed_to_carrier"]).await;

            assert_eq!(stage.words(ALARMS).await, ["postage_differs 1"], "{how}");
            assert_eq!(stage.produced(), 1, "{how}");
            assert!(stage.count(CALLS).await <= calls, "{how}");
            assert_eq!(stage.words("select state from notice").await, ["notified"], "{how}: it was posted all the same");
        }
    }
}

#[tokio::test]
async fn a_text_that_was_taken_in_more_segments_is_an_alarm_and_is_not_sent_again() {
    let stage = run(1, lane(Face::Twilio, IN_POUNDS, json!({ "num_segments": "9" }), vec![]), vec![]).await;
    let _process = stage.start_with(&["scheduler", "worker"], None, &[NOWHERE]);
    eventually("it is delivered", async || stage.states().await == ["delivered_to_handset"]).await;

    assert_eq!(stage.words(ALARMS).await, ["segments_differ 1"]);
    assert_eq!((stage.count("select count(*) from outcome where parts = 9").await, stage.produced()), (1, 1));
    assert_eq!(stage.count(CALLS).await, 1);
    stage.audit().await;
}
