//! What a provider remembers: keys, look-ups, requests; and the switches of tests.

use crate::support::{DEADLINE, town};
use duly_sandbox::{Fault, FaultKind, Physical, ProviderConfig};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

#[tokio::test]
async fn an_honoured_key_is_replayed_and_an_ignored_one_produces_again() {
    for (idempotent, produced) in [(true, 1), (false, 2)] {
        let town = town(ProviderConfig { idempotent, ..ProviderConfig::default() }).await;

        let first = town.send("a").await.unwrap().text().await.unwrap();
        let second = town.send("a").await.unwrap().text().await.unwrap();

        assert_eq!((town.state.record().len(), first == second), (produced, idempotent));
    }
}

#[tokio::test]
async fn the_same_key_with_other_bytes_produces_again() {
    let town = town(ProviderConfig { idempotent: true, ..ProviderConfig::default() }).await;

    town.send("a").await.unwrap();
    town.send_text("a", "Hello!").await.unwrap();

    assert_eq!(town.state.record().len(), 2);
}

#[tokio::test]
async fn a_key_past_its_life_produces_again() {
    let town = town(ProviderConfig { idempotent: true, key_life_ms: 100, ..ProviderConfig::default() }).await;

    town.send("a").await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    town.send("a").await.unwrap();

    assert_eq!(town.state.record().len(), 2);
}

#[tokio::test]
async fn a_look_up_sees_a_message_at_once_or_after_its_lag_or_is_absent() {
    let instant = town(ProviderConfig::default()).await;
    let lagging = town(ProviderConfig { lookup_lag_ms: 300, ..ProviderConfig::default() }).await;
    let absent = town(ProviderConfig { lookup: false, ..ProviderConfig::default() }).await;
    for town in [&instant, &lagging, &absent] {
        town.send("a").await.unwrap();
    }

    assert_eq!(instant.look_up("a").await.map(|ids| ids.len()), Some(1));
    assert_eq!(instant.look_up("b").await.map(|ids| ids.len()), Some(0));
    assert_eq!(lagging.look_up("a").await.map(|ids| ids.len()), Some(0));
    assert_eq!(absent.look_up("a").await, None);
    let seen = async {
        while lagging.look_up("a").await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, seen).await.unwrap();
}

#[tokio::test]
async fn held_answers_wait_after_production_until_they_are_released() {
    let town = town(ProviderConfig::default()).await;
    town.state.hold("p", true);
    let held = town.send("a");
    tokio::pin!(held);

    tokio::select! {
        answer = &mut held => panic!("was answered: {answer:?}"),
        () = town.wait_for_record(1) => {}
    }

    assert_eq!(town.state.in_flight().get("p"), Some(&1));
    town.state.hold("p", false);
    assert_eq!(held.await.unwrap().status(), 201);
    assert_eq!(town.state.in_flight().get("p"), Some(&0));
}

#[tokio::test]
async fn everything_can_be_read_and_set_over_http() {
    let town = town(ProviderConfig::default()).await;
    let post = async |path: &str, body: serde_json::Value| {
        town.client.post(format!("{}/{path}", town.url)).json(&body).send().await.unwrap().error_for_status().unwrap();
    };
    let text = async |path: &str| town.client.get(format!("{}/{path}", town.url)).send().await.unwrap().text().await.unwrap();

    post("_faults/p", json!([{ "kind": "reject", "per_mille": 1000, "times": 1 }])).await;
    assert_eq!(town.send("a").await.unwrap().status(), 422);
    post("_callback", json!("http://127.0.0.1:1/receipts")).await;
    town.send("a").await.unwrap();

    let record: Vec<Physical> = serde_json::from_str(&text("_record").await).unwrap();
    assert_eq!(record, town.state.record());
    let counts: BTreeMap<String, BTreeMap<FaultKind, u64>> = serde_json::from_str(&text("_counts").await).unwrap();
    assert_eq!(counts["p"][&FaultKind::Reject], 1);
    assert_eq!(text("_requests").await, r#"{"p a":2}"#);
    assert_eq!(town.state.arrivals("p").len(), 2);
    assert_eq!(town.state.config().callback.as_deref(), Some("http://127.0.0.1:1/receipts"));
    let mut config = duly_sandbox::SandboxConfig::clone(&town.state.config());
    config
        .providers
        .insert("q".into(), ProviderConfig { faults: vec![Fault::always(FaultKind::Hang)], ..ProviderConfig::default() });
    post("_config", json!(config)).await;
    assert!(town.state.config().providers.contains_key("q") && town.state.record().len() == 1);
}
