//! Receipts and time: what was signed at another time is not believed, and no time that a provider writes is told as ours.

use super::telling;
use crate::support::{Capability, Lane, NOTIFY_KEY, Setup, Stage, eventually};
use duly::report::story::story;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use time::OffsetDateTime;

#[tokio::test]
async fn receipts_signed_long_ago_or_in_the_future_move_nobody_and_their_news_come_by_asking() {
    for kind in [FaultKind::ReceiptStale, FaultKind::ReceiptFuture] {
        let lane = telling(Capability::StrongLookup, vec![Fault::always(kind)]);
        let setup = Setup { people: 2, lanes: vec![lane], dispatch: vec![("no_news_after_ms", 1500)], ..Setup::default() };
        let stage = Stage::new(setup).await;
        stage.serve_receipts().await;
        let _process = stage.start(&["scheduler", "worker"]);
        let refused = "select count(*) from receipt where verdict = 'stale'";
        eventually("all are refused", async || stage.count(refused).await == 4).await;

        eventually("asked, the provider says so", async || stage.states().await == ["delivered_to_handset"; 2]).await;

        let grounds = "select distinct concat(convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'ground') from event where message_to = 'delivered_to_handset'";
        assert_eq!(stage.words(grounds).await, ["polled"], "{kind:?}");
        assert_eq!(stage.count("select count(*) from receipt where verdict <> 'stale' or sealed is not null").await, 0);
        stage.audit().await;
    }
}

/// A lane at this face whose receipts say that all happened ten years ago, or will in ten years.
fn mistimed(face: Face) -> Lane {
    let faults = vec![Fault::always(FaultKind::ReceiptMistimed)];
    let plain = telling(Capability::StrongLookup, faults.clone());
    if face == Face::Plain {
        return plain;
    }
    let provider = ProviderConfig {
        face,
        api_key: Some(NOTIFY_KEY.to_owned()),
        receipt_delay_ms: 50,
        receipt_retry_ms: Some(200),
        faults,
        ..ProviderConfig::default()
    };
    Lane { provider, ..Lane::named("sms") }
}

/// When each event of a message is said to have been, microseconds since 1970; and when its person was alerted.
const TOLD: &str = "select (extract(epoch from (convert_from(body, 'UTF8')::jsonb ->> 't')::timestamptz) * 1000000)::bigint::text
      from event where message_id is not null
    union all select (extract(epoch from alerted_at) * 1000000)::bigint::text from notice where alerted_at is not null";

#[tokio::test]
async fn a_time_that_a_receipt_writes_is_never_the_time_that_the_controller_is_told() {
    for face in [Face::Plain, Face::Notify] {
        let began = OffsetDateTime::now_utc() - time::Duration::seconds(5);
        let stage = Stage::new(Setup { lanes: vec![mistimed(face)], ..Setup::default() }).await;
        stage.serve_receipts().await;
        let _process = stage.start(&["scheduler", "worker"]);
        eventually("it is delivered", async || stage.states().await == ["delivered_to_handset"]).await;
        let looked_at = "select count(*) from receipt where result is not null";
        eventually("its receipt is looked at", async || stage.count(looked_at).await > 0).await;
        assert!(stage.sandbox.state.fired(FaultKind::ReceiptMistimed) > 0);

        let ended = OffsetDateTime::now_utc() + time::Duration::seconds(5);
        let within = began.unix_timestamp_nanos() / 1000..ended.unix_timestamp_nanos() / 1000;
        let told = stage.words(TOLD).await;
        assert!(told.len() >= 3, "{told:?}");
        assert!(told.iter().all(|at| within.contains(&at.parse::<i128>().unwrap())), "{face:?}: {told:?} of {within:?}");
        let person = sqlx::query_scalar("select person_id from message").fetch_one(&stage.owner).await.unwrap();
        let story = serde_json::to_string(&story(&stage.office.store, &stage.incident, person).await.unwrap()).unwrap();
        assert!(story.contains("alerted_at") && !["2016-", "2036-"].iter().any(|year| story.contains(year)), "{face:?}: {story}");
        stage.audit().await;
    }
}
