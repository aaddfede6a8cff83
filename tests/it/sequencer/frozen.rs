//! A sequencer that stood still while another led: what it does when it wakes up, and what lies outside afterwards.

use super::seen::Seen;
use super::{archive, check_outside, one_more_event, origin, outside, stage};
use crate::support::{Process, Stage, eventually};
use duly::evidence::{publisher, sequencer};
use duly::store::sequencing::LogScope;
use serde_json::Map;
use std::path::PathBuf;

/// One more event in each log: the frozen one stands at the first of them that it came to.
async fn one_more_event_each(stage: &Stage) {
    for scope in [LogScope::System, LogScope::Controller(stage.incident.key.controller_id)] {
        stage.office.store.insert_event(scope, "log.marked", Map::new()).await.unwrap();
    }
    one_more_event(stage).await;
}

/// Whether the checkpoint outside of every log is the newest that is published.
async fn newest_lie_outside(stage: &Stage) -> bool {
    let published = "select g.origin, max(p.size) from publication p join log_generation g using (log_no, generation) group by 1";
    let published: Vec<(String, i64)> = sqlx::query_as(published).fetch_all(&stage.owner).await.unwrap();
    let folder = PathBuf::from(&stage.office.settings.evidence.outside);
    let said = |origin: &str| std::fs::read_to_string(folder.join(origin).join("checkpoint")).unwrap_or_default();
    assert!(published.len() > 1, "{published:?}");
    published.iter().all(|(origin, size)| said(origin).lines().nth(1) == Some(size.to_string().as_str()))
}

fn wake(frozen: &Process) {
    frozen.thaw();
    frozen.release();
}

#[tokio::test]
async fn a_frozen_sequencer_that_wakes_up_writes_nothing() {
    for step in ["events_taken", "checkpoint_signed", "tiles_published", "checkpoint_compared", "checkpoint_published"] {
        let stage = stage().await;
        let seen = Seen::from_now(&stage);
        let mut frozen = stage.start_at(step, &["scheduler"]);
        frozen.reached().await;
        frozen.freeze();
        one_more_event_each(&stage).await;
        let _next = stage.start(&["scheduler"]);
        stage.drain_the_logs().await;
        one_more_event_each(&stage).await;
        stage.drain_the_logs().await;
        let size = check_outside(&stage).await;
        seen.look();

        wake(&frozen);
        // What it had begun it ends, and nothing grows meanwhile that would put an older checkpoint right.
        frozen.terminate().await;
        eventually(&format!("{step}: the newest checkpoints lie outside"), async || newest_lie_outside(&stage).await).await;
        assert_eq!(check_outside(&stage).await, size, "{step}");
        one_more_event(&stage).await;
        stage.drain_the_logs().await;

        assert_eq!(check_outside(&stage).await, size + 1, "{step}");
        assert!(seen.holds(&stage, &origin(&stage)).await >= 2, "{step}");
    }
}

/// Whoever puts an older copy of a checkpoint there, all files of it being whole.
#[tokio::test]
async fn an_older_checkpoint_outside_is_found_and_the_newest_is_put_there_again() {
    let stage = stage().await;
    let archive = archive(&stage);
    sequencer::run_once(archive.clone()).await.unwrap();
    let older = std::fs::read(outside(&stage, "checkpoint")).unwrap();
    one_more_event(&stage).await;
    sequencer::run_once(archive.clone()).await.unwrap();
    assert_eq!(publisher::mend(&archive).await.unwrap(), 0, "all is as it was published");
    let size = check_outside(&stage).await;

    std::fs::write(outside(&stage, "checkpoint"), older).unwrap();
    assert_eq!(publisher::mend(&archive).await.unwrap(), 1);

    assert_eq!(check_outside(&stage).await, size);
    assert_eq!(publisher::mend(&archive).await.unwrap(), 0);
}
