//! The metrics say how far each log is signed, published and anchored, how long what is not waits, and how old an anchor is.

use super::Ground;
use duly::store::anchor::AnchorKind;
use duly::store::sequencing::LogScope;
use serde_json::Map;
use std::collections::BTreeMap;

/// The figures of logs and anchors: name with labels, and value. A server of its own, as one tells the same for a while.
async fn figures(ground: &Ground) -> BTreeMap<String, f64> {
    let receipts = ground.stage.serve_receipts().await;
    let url = format!("{}/metrics", receipts.trim_end_matches("/receipts/northmere"));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let of_logs = |line: &&str| line.starts_with("duly_log_") || line.starts_with("duly_anchored_");
    let figure = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    text.lines().filter(of_logs).map(figure).collect()
}

#[tokio::test]
async fn the_metrics_say_how_long_an_event_has_waited_and_how_far_each_log_is_signed_and_published() {
    let ground = Ground::new().await;
    let log = ground.log().await;
    let size = f64::from(i32::try_from(log.size).unwrap());
    let of = |name: &str| format!("duly_log_{name}{{log=\"{}\"}}", log.origin);
    assert!(size > 0.0);

    let quiet = figures(&ground).await;
    assert_eq!((quiet["duly_log_waiting"], quiet["duly_log_waiting_oldest_seconds"]), (0.0, 0.0), "{quiet:?}");
    assert_eq!((quiet[&of("signed")], quiet[&of("published")]), (size, size), "{quiet:?}");
    assert_eq!(quiet.keys().find(|name| name.starts_with("duly_anchored_")), None);

    let key = ground.stage.incident.key;
    let scope = LogScope::Incident(key.controller_id, key.incident_no);
    ground.stage.office.store.insert_event(scope, "log.marked", Map::new()).await.unwrap();
    ground.stage.shift_clock(90).await;
    ground.stage.office.store.insert_event(scope, "log.marked", Map::new()).await.unwrap();
    let waiting = figures(&ground).await;
    assert_eq!(waiting["duly_log_waiting"], 2.0, "{waiting:?}");
    let oldest = waiting["duly_log_waiting_oldest_seconds"];
    assert!((90.0..150.0).contains(&oldest), "the older of the two: {oldest}");
    assert_eq!((waiting[&of("signed")], waiting[&of("published")]), (size, size), "{waiting:?}");

    ground.publish().await;
    let after = figures(&ground).await;
    assert_eq!((after["duly_log_waiting"], after["duly_log_waiting_oldest_seconds"]), (0.0, 0.0), "{after:?}");
    assert_eq!((after[&of("signed")], after[&of("published")]), (size + 2.0, size + 2.0), "{after:?}");

    // Signed, and not yet outside.
    sqlx::query("delete from publication p using log l where l.log_no = p.log_no and l.incident_no is not null and p.size > $1")
        .bind(log.size)
        .execute(&ground.stage.owner)
        .await
        .unwrap();
    let unpublished = figures(&ground).await;
    assert_eq!((unpublished[&of("signed")], unpublished[&of("published")]), (size + 2.0, size), "{unpublished:?}");
}

#[tokio::test]
async fn the_metrics_say_up_to_where_each_anchor_of_a_log_holds_and_how_old_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut ground = Ground::new().await;
    ground.recipient().folder = folder.path().to_str().unwrap().to_owned();
    let store = ground.stage.office.store.clone();
    let origin = ground.log().await.origin;
    let of =
        |name: &str, kind: &str, who: &str| format!("duly_anchored_{name}{{log=\"{origin}\",kind=\"{kind}\",name=\"{who}\"}}");
    let first = ground.log().await.size;
    ground.anchors().round().await.unwrap();
    let handed = ground.handed().await;
    assert_eq!(handed.iter().map(|(size, way, _)| (*size, way.as_str())).collect::<Vec<_>>(), [(first, "folder")]);

    ground.stage.shift_clock(3600).await;
    ground.grow("log.marked").await;
    let now = store.list_logs_now().await.unwrap().into_iter().find(|log| log.origin == origin).unwrap();
    assert_eq!(now.size, first + 1);
    store.insert_anchor(&now, AnchorKind::Tsa, "tsa.example", b"a token").await.unwrap();
    ground.stage.shift_clock(3700).await;

    let figures = figures(&ground).await;
    let float = |n: i64| f64::from(i32::try_from(n).unwrap());
    assert_eq!(figures[&of("size", "folder", "northmere")], float(first), "{figures:?}");
    assert_eq!(figures[&of("size", "tsa", "tsa.example")], float(first + 1), "{figures:?}");
    let (older, newer) = (of("age_seconds", "folder", "northmere"), of("age_seconds", "tsa", "tsa.example"));
    assert!((3700.0..3760.0).contains(&figures[&older]), "{figures:?}");
    assert!((100.0..160.0).contains(&figures[&newer]), "{figures:?}");
}
