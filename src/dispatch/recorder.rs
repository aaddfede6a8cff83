//! The recorder of a lane: outcomes are committed in batches, and only then are their jobs acknowledged.

use super::Office;
use crate::broker::consumer::AckWindow;
use crate::model::causes::with_causes;
use crate::store::claim::{Claimed, Intent};
use crate::store::outcome::Outcome;
use crate::store::unit::IncidentKey;
use backon::{ExponentialBuilder, Retryable};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A job that is finished: its call ended with an outcome, or there was no call.
pub struct Done {
    /// Delivery tag.
    pub tag: u64,
    /// What to record before the job is acknowledged.
    pub outcome: Option<(IncidentKey, Outcome)>,
}

/// Hands a finished job to the recorder.
pub async fn send(done: &mpsc::Sender<Done>, job: Done) {
    if done.send(job).await.is_err() {
        tracing::error!("the recorder is gone; the lease of this message brings it back");
    }
}

/// The attempt to call for each intent; `None` for those that were not claimed and must not be called.
pub fn attempts_to_call(intents: &[Intent], claimed: &[Claimed]) -> Vec<Option<u32>> {
    if crate::failpoint::is_sabotaged("claim_check") {
        return vec![Some(1); intents.len()];
    }
    let mut attempts = vec![None; intents.len()];
    for claim in claimed {
        if let Some(place) = attempts.get_mut(claim.index) {
            *place = Some(claim.attempt);
        }
    }
    attempts
}

/// Records and acknowledges until all senders are gone.
pub async fn run(office: Arc<Office>, channel: lapin::Channel, window: Arc<AckWindow>, mut finished: mpsc::Receiver<Done>) {
    let d = &office.settings.dispatch;
    let linger = Duration::from_millis(d.batch_linger_ms);
    loop {
        let mut batch = Vec::with_capacity(d.batch_size_max);
        let until = match tokio::time::timeout(AckWindow::PATIENCE, finished.recv()).await {
            Ok(Some(job)) => {
                batch.push(job);
                Instant::now() + linger
            }
            Ok(None) => return,
            // Nothing came: tags behind a mark that does not move are acknowledged singly.
            Err(_) => Instant::now(),
        };
        while batch.len() < d.batch_size_max {
            match tokio::time::timeout_at(until, finished.recv()).await {
                Ok(Some(job)) => batch.push(job),
                _ => break,
            }
        }
        let tags: Vec<u64> = batch.iter().map(|job| job.tag).collect();
        record_all(&office, batch).await;
        // If we die here the jobs come again; their messages are not `ready` any more, and nothing happens.
        if let Err(error) = window.settle(&channel, &tags).await {
            tracing::debug!(error = with_causes(&error), "jobs were not acknowledged and will be delivered again");
        }
        if !tags.is_empty() {
            crate::failpoint::reach("acknowledged").await;
        }
    }
}

async fn record_all(office: &Office, batch: Vec<Done>) {
    let mut by_incident: HashMap<IncidentKey, Vec<Outcome>> = HashMap::new();
    for (incident, outcome) in batch.into_iter().filter_map(|job| job.outcome) {
        by_incident.entry(incident).or_default().push(outcome);
    }
    for (incident, outcomes) in &by_incident {
        record(office, *incident, outcomes).await;
        crate::failpoint::reach("outcome_committed").await;
    }
}

/// Tries until known, for as long as the lease lasts: after it the call is `unknown` and the resolver asks.
async fn record(office: &Office, incident: IncidentKey, outcomes: &[Outcome]) {
    let lease = Duration::from_millis(office.settings.dispatch.lease_ms.unsigned_abs());
    let pace = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_total_delay(Some(lease))
        .with_jitter();
    let recorded = (|| office.store.record_outcomes(incident, outcomes))
        .retry(pace)
        .notify(|error, wait| {
            tracing::warn!(
                error = with_causes(&error),
                ?wait,
                outcomes = outcomes.len(),
                "outcomes were not recorded, trying again"
            )
        })
        .await;
    if let Err(error) = recorded {
        tracing::error!(
            error = with_causes(&error),
            outcomes = outcomes.len(),
            "outcomes are not recorded; their leases make them unknown"
        );
    }
}
