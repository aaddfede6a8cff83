//! Whatever kills the sequencer while the key changes, each log has one change and one key at each size.

use super::{CHANGES, LOGS, UNDER_NEXT, archive, first_key, holds, make_key, name_keys, one_more, sequence, stage};
use crate::support::eventually;
use duly::evidence::EvidenceError;

/// Each step of a round at which the sequencer can die.
const STEPS: [&str; 5] = ["events_taken", "checkpoint_signed", "checkpoint_committed", "tiles_published", "checkpoint_published"];

#[tokio::test]
async fn a_sequencer_killed_at_any_step_of_the_change_leaves_one_change_in_each_log() {
    for step in STEPS {
        let stage = stage().await;
        let (first, second) = (first_key(&stage), make_key(&stage, "second.key"));
        name_keys(&stage, "log.key", Some("second.key"));
        let mut killed = stage.start_at(step, &["scheduler"]);
        killed.reached().await;
        one_more(&stage).await;
        killed.kill();

        let mut next = stage.start(&["scheduler"]);
        eventually("all logs are changed and published", async || {
            stage.count(UNDER_NEXT).await == LOGS && stage.is_published().await
        })
        .await;
        next.terminate().await;

        assert_eq!(stage.count(CHANGES).await, LOGS, "{step}");
        holds(&stage, &[first, second]).await;
    }
}

#[tokio::test]
async fn what_the_old_key_signed_last_is_published_and_continued_by_who_has_but_the_new_one() {
    for step in ["checkpoint_committed", "tiles_published"] {
        let stage = stage().await;
        let (first, second) = (first_key(&stage), make_key(&stage, "second.key"));
        name_keys(&stage, "log.key", Some("second.key"));
        let mut killed = stage.start_at(step, &["scheduler"]);
        killed.reached().await;
        killed.kill();
        assert_eq!(stage.count(UNDER_NEXT).await, LOGS, "in one transaction");
        // Outside lies what the old key signed; the database has gone on.
        name_keys(&stage, "second.key", None);

        let mut next = stage.start(&["scheduler"]);
        one_more(&stage).await;
        stage.drain_the_logs().await;
        next.terminate().await;
        assert!(!next.log().contains("set aside"), "{step}: {}", next.log());
        holds(&stage, &[first, second]).await;
    }
}

#[tokio::test]
async fn a_key_that_is_taken_away_too_early_is_missed_by_name_and_nothing_is_signed_with_another() {
    let stage = stage().await;
    let (first, second) = (first_key(&stage), make_key(&stage, "second.key"));
    let signed = stage.count("select count(*) from checkpoint").await;
    name_keys(&stage, "second.key", None);
    one_more(&stage).await;

    let refused = sequence(&stage).await.unwrap_err();
    assert!(matches!(refused, EvidenceError::KeyUnknown { .. }), "{refused}");
    assert!(refused.remedy().contains("duly log key --all"));
    assert_eq!(stage.count("select count(*) from checkpoint").await, signed);

    name_keys(&stage, "log.key", Some("second.key"));
    sequence(&stage).await.unwrap();
    assert_eq!(stage.count(UNDER_NEXT).await, LOGS);
    holds(&stage, &[first, second]).await;

    // A process whose settings are of an earlier day, or name the keys the other way round.
    name_keys(&stage, "log.key", None);
    one_more(&stage).await;
    let refused = sequence(&stage).await.unwrap_err();
    assert!(matches!(refused, EvidenceError::KeyMissing { .. }), "{refused}");
    name_keys(&stage, "second.key", Some("log.key"));
    sequence(&stage).await.unwrap();
    assert_eq!(stage.count(CHANGES).await, LOGS, "no key comes back");
    assert_eq!(archive(&stage).keys().next().map(|key| key == duly_ledger::public_key(&first)), Some(true));
    holds(&stage, &[first, second]).await;
}
