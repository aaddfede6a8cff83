//! What the log alone cannot give back: it stands in the log, nobody is told by it twice, and somebody must decide.

use super::ground::{PEOPLE, come_back, duly, dump, holds, office, restore, serve, serve_to_the_end, stage, told, unsigned};
use crate::support::{Capability, Lane, Setup, lane};
use crate::told::sequence;
use duly::model::state::Route;
use duly_sandbox::{Fault, FaultKind, ProviderConfig};
use std::collections::BTreeSet;

#[tokio::test]
async fn an_escalation_of_the_lost_time_is_made_again_and_its_letter_is_not_sent_twice() {
    let texts = ProviderConfig { faults: vec![Fault::always(FaultKind::Reject)], ..Capability::Nothing.provider() };
    let letters = ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..ProviderConfig::default() };
    let lanes = vec![Lane { provider: texts, ..lane(Capability::Nothing) }, Lane { provider: letters, ..Lane::named("letters") }];
    let stage = stage(lanes, Setup { routes: vec![Route::SmsThenLetter], ..Setup::default() }).await;
    stage.serve_receipts().await;
    come_back(&stage).await;
    let before = stage.count("select count(*) from message where reason = 'escalation'").await;
    assert!(before < i64::from(PEOPLE), "{before} escalations were in the backup already");

    duly(&stage, &["restore", "reconcile"]).fine();

    assert_eq!(stage.count("select count(*) from message where reason = 'escalation'").await, i64::from(PEOPLE));
    assert_eq!(stage.count("select count(*) from outcome where kind = 'rejected'").await, i64::from(PEOPLE));
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    holds(&stage).await;
}

#[tokio::test]
async fn where_several_lanes_were_possible_the_log_is_believed_and_no_name_is_made_up() {
    let lanes = ["sms", "sms-b"].map(|name| Lane { provider: Capability::Nothing.provider(), ..Lane::named(name) });
    let stage = stage(lanes.into(), Setup::default()).await;
    come_back(&stage).await;
    let before = stage.count("select count(*) from attempt").await;
    assert!(before < i64::from(PEOPLE));

    duly(&stage, &["restore", "reconcile"]).fine();

    // Those that had a lane in the backup have their name again.
    let bare = "select count(*) from message m where lane is null and not exists (select from attempt a where a.message_id = m.message_id)";
    assert!(stage.count(bare).await > 0);
    assert_eq!(stage.count("select count(*) from message where state = 'accepted'").await, i64::from(PEOPLE));
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    // The audit of a test counts requests by name; all else holds.
    assert_eq!(stage.findings().await, BTreeSet::from(["more_requests_than_attempts".to_owned()]));
}

#[tokio::test]
async fn people_and_plans_that_only_the_lost_time_knew_stand_in_the_log_and_hold_the_incident() {
    let mut stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    serve_to_the_end(&stage).await;
    let backup = dump(&stage);
    stage.add_people(1001..=1003, &[Route::Sms]).await;
    stage.add_incident("other", 2, false).await;
    let mut process = serve(&stage);
    stage.drain().await;
    process.terminate().await;
    sequence(&stage).await;
    let all = told(&stage);
    restore(&stage, &backup).await;
    let other = stage.others.pop().unwrap();

    unsigned(&stage, &["restore", "reconcile"]).refused("this command must be signed", "DULY_USER_KEY");
    assert_eq!(stage.count("select count(*) from restored where reconciled_at is null").await, 1, "the stop stands");
    let said = duly(&stage, &["restore", "reconcile", "--json"]).fine().json();
    assert_eq!(said["not_known_here"], serde_json::json!([other.incident_id.to_string()]));

    assert_eq!(
        stage.count("select count(*) from hold where person_id is null and lifted_at is null and reason = 'restored'").await,
        1
    );
    let office = office(&stage).await;
    let codes: BTreeSet<&str> = office.store.audit(stage.incident.key).await.unwrap().iter().map(|f| f.code).collect();
    assert_eq!(codes, BTreeSet::from(["event_of_nobody", "frozen_rows_differ", "plan_missing"]));
    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), all);
    // A pack would lack what the log names, and says so.
    duly(&stage, &["pack", "incident", "--incident", "test", "--out", "pack.zip"])
        .refused("plan 2, of which the log tells, is not on record", "duly audit");
}

#[tokio::test]
async fn a_key_that_was_revoked_in_the_lost_time_is_revoked_again_and_may_not_reconcile() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    let backup = dump(&stage);
    let revoke = serde_json::json!({"command": "user revoke", "name": "bob"});
    let by = stage.users.ann.sign(&stage.office.store, &revoke).await.unwrap();
    stage.office.store.revoke_user("bob", by).await.unwrap();
    sequence(&stage).await;
    restore(&stage, &backup).await;
    let active = "select count(*) from app_user where name = 'bob' and revoked_at is null";
    assert_eq!(stage.count(active).await, 1);

    let office = office(&stage).await;
    let archive = duly::evidence::Archive::open(&office.settings, &office.store).unwrap();
    office.store.insert_restored("identity").await.unwrap();
    let refused = duly::cli::restore::reconcile(&office, &archive, &stage.users.bob, duly::cli::restore::Ground::default())
        .await
        .unwrap_err();
    assert!(format!("{refused:?}").contains("your key was revoked"), "{refused:?}");
    duly(&stage, &["restore", "reconcile"]).fine();
    assert_eq!(stage.count(active).await, 0);
    assert_eq!(stage.count("select count(*) from event where kind = 'user.revoked'").await, 1);
}
