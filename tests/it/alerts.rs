//! A text message that only announces a letter has reached nobody: the letter does.

use crate::support::{Capability, Lane, Setup, Stage, eventually};
use duly::model::state::Route;
use duly_sandbox::ProviderConfig;

#[tokio::test]
async fn a_delivered_alert_is_noted_and_only_the_letter_notifies() {
    let provider = |channel: &str| ProviderConfig {
        channel: channel.into(),
        receipts: true,
        receipt_delay_ms: 0,
        ..Capability::StrongLookup.provider()
    };
    let lane = |name, channel| Lane { provider: provider(channel), ..Lane::named(name) };
    let lanes = vec![lane("sms", "sms"), lane("letters", "letter")];
    let stage = Stage::new(Setup { people: 3, routes: vec![Route::SmsAndLetter], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    stage.sandbox.state.hold("letters", true);
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    eventually("the alerts are delivered", async || {
        stage.count("select count(*) from message where channel = 'sms' and state = 'delivered_to_handset'").await == 3
    })
    .await;
    assert_eq!(stage.count("select count(*) from notice where alerted_at is not null and state = 'open'").await, 3);

    stage.sandbox.state.hold("letters", false);
    stage.drain_to_the_end().await;
    let ended = "select count(*) from notice where state = 'notified' and ended_at > alerted_at";
    assert_eq!(stage.count(ended).await, 3);
    stage.audit().await;
}
