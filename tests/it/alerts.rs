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
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    stage.drain_to_the_end().await;

    let alerted = "select count(*) from message m join notice n using (controller_id, incident_no, person_id, phase)
        where m.channel = 'sms' and m.state = 'delivered_to_handset' and n.state = 'notified' and n.alerted_at is not null";
    eventually("the alerts are delivered and noted", async || stage.count(alerted).await == 3).await;
    let ended_by = "select m.channel from event e join message m using (controller_id, incident_no, message_id) where e.notice_to = 'notified'";
    assert_eq!(stage.words(ended_by).await, ["letter"; 3], "an alert reaches nobody");
    stage.audit().await;
}
