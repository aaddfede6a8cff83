//! The worker: read, render, claim, call, record, acknowledge. No transaction is open while a provider is called.

use super::draft::{Prepared, prepare};
use super::{DispatchError, Office, backoff_ms};
use crate::broker::consumer::{BatchConsumer, Job, acknowledge};
use crate::broker::{connect, declare};
use crate::model::step::Answer;
use crate::provider::CallResult;
use crate::store::claim::Draft;
use crate::store::outcome::Outcome;
use crate::store::unit::IncidentKey;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A hold version and when it was read.
struct HoldWatch {
    version: AtomicI64,
    read_at: std::sync::Mutex<Instant>,
}

/// Works all lanes until `stop`; reconnects by itself.
pub async fn run(office: Arc<Office>, stop: CancellationToken) -> Result<(), DispatchError> {
    let watch = Arc::new(HoldWatch { version: AtomicI64::new(office.store.hold_version().await?), read_at: std::sync::Mutex::new(Instant::now()) });
    let mut lanes = tokio::task::JoinSet::new();
    for lane in office.accounts.keys().cloned() {
        lanes.spawn(lane_loop(office.clone(), lane, watch.clone(), stop.clone()));
    }
    lanes.spawn(watch_holds(office.clone(), watch, stop.clone()));
    while lanes.join_next().await.is_some() {}
    Ok(())
}

async fn watch_holds(office: Arc<Office>, watch: Arc<HoldWatch>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let read_at = Instant::now();
        if let Ok(version) = office.store.hold_version().await {
            watch.version.store(version, Ordering::SeqCst);
            *watch.read_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = read_at;
        }
        tokio::time::sleep(Duration::from_millis(office.settings.dispatch.hold_check_ms / 3)).await;
    }
}

async fn lane_loop(office: Arc<Office>, lane: String, watch: Arc<HoldWatch>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = work_lane(&office, &lane, &watch, &stop).await {
            tracing::warn!(lane, error = %error, "the lane's consumer stopped and starts again");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn work_lane(office: &Arc<Office>, lane: &str, watch: &Arc<HoldWatch>, stop: &CancellationToken) -> Result<(), DispatchError> {
    let d = &office.settings.dispatch;
    let (connection, channel) = connect(office.settings.broker.url.expose_secret()).await?;
    declare(&channel, lane).await?;
    let linger = Duration::from_millis(d.batch_linger_ms);
    let mut consumer = BatchConsumer::start(channel.clone(), lane, d.prefetch, d.batch_size_max, linger).await?;
    let mut batches: FuturesUnordered<std::pin::Pin<Box<dyn Future<Output = Vec<u64>> + Send>>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(tags) = batches.next(), if !batches.is_empty() => acknowledge(&channel, &tags).await?,
            batch = consumer.next_batch(), if batches.len() < 4 => match batch {
                Some(jobs) => {
                    let (office, watch) = (office.clone(), watch.clone());
                    batches.push(Box::pin(work_batch(office, watch, jobs)));
                }
                None => return Err(crate::broker::BrokerError::from(lapin::Error::from(std::io::Error::other("consumer closed"))).into()),
            },
        }
    }
    // Take nothing more, finish the calls in flight, commit, acknowledge, leave.
    consumer.stop().await?;
    while let Some(tags) = batches.next().await {
        acknowledge(&channel, &tags).await?;
    }
    connection.close(200, "stopped".into()).await.map_err(crate::broker::BrokerError::from)?;
    Ok(())
}

/// Works one batch; returns the tags to acknowledge. On a lost database nothing is acknowledged twice or forgotten:
/// the leases in Postgres bring every message back.
async fn work_batch(office: Arc<Office>, watch: Arc<HoldWatch>, jobs: Vec<Job>) -> Vec<u64> {
    let tags: Vec<u64> = jobs.iter().map(|job| job.tag).collect();
    let messages: Vec<Uuid> = jobs.iter().filter_map(|job| job.message).collect();
    if let Err(error) = send_batch(&office, &watch, &messages).await {
        tracing::error!(error = %error, messages = messages.len(), "a batch was not finished; its leases will run out");
    }
    crate::failpoint::reach("before_acknowledge").await;
    tags
}

async fn send_batch(office: &Arc<Office>, watch: &Arc<HoldWatch>, messages: &[Uuid]) -> Result<(), DispatchError> {
    let seen_version = watch.version.load(Ordering::SeqCst);
    let drafts = office.store.list_drafts(messages).await?;
    let prepared = prepare_all(office, drafts).await;
    for (incident, calls) in prepared {
        crate::failpoint::reach("before_claim").await;
        let claim_started = Instant::now();
        let intents: Vec<_> = calls.iter().map(|c| c.intent.clone()).collect();
        let send_by_ms = office.settings.dispatch.send_by_ms;
        // A claim whose COMMIT was not confirmed is an error here, and is never followed by a call.
        let claimed = office.store.claim(incident, &intents, i64::try_from(send_by_ms).unwrap_or(i64::MAX)).await?;
        let send_by = claim_started + Duration::from_millis(send_by_ms);
        let mut flying = FuturesUnordered::new();
        let mut frozen: BTreeMap<usize, Vec<u8>> = calls.into_iter().map(|c| c.frozen).enumerate().collect();
        for claim in claimed {
            let (Some(intent), Some(body)) = (intents.get(claim.index).cloned(), frozen.remove(&claim.index)) else { continue };
            let (office, watch) = (office.clone(), watch.clone());
            flying.push(async move {
                let result = call(&office, &watch, seen_version, send_by, &intent.lane, &intent.reference, body).await;
                let retry_in_ms = backoff_ms(&office.settings, claim.attempt, result.retry_after);
                Outcome {
                    message_id: intent.message_id,
                    person_id: intent.person_id,
                    attempt: claim.attempt,
                    answer: result.answer,
                    provider_id: result.provider_id,
                    code: result.code,
                    retry_in_ms,
                }
            });
        }
        record_as_they_come(office, incident, &mut flying).await?;
    }
    Ok(())
}

/// Renders off the async threads; what does not fit is left to its lease and logged by code.
async fn prepare_all(office: &Arc<Office>, drafts: Vec<Draft>) -> HashMap<IncidentKey, Vec<Prepared>> {
    let shared = office.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut prepared: HashMap<IncidentKey, Vec<Prepared>> = HashMap::new();
        for draft in drafts {
            match prepare(&shared, &draft) {
                Ok(call) => prepared.entry(draft.incident).or_default().push(call),
                Err(reason) => tracing::warn!(message = %draft.message_id, ?reason, "a job was not claimed"),
            }
        }
        prepared
    });
    work.await.unwrap_or_default()
}

async fn call(office: &Office, watch: &HoldWatch, seen_version: i64, send_by: Instant, lane: &str, reference: &str, frozen: Vec<u8>) -> CallResult {
    crate::failpoint::reach("checked_not_written").await;
    let hold_age = watch.read_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner).elapsed();
    let is_fresh = hold_age <= Duration::from_millis(office.settings.dispatch.hold_check_ms);
    // A call that may not start any more is `not_taken`: nothing left this process.
    if Instant::now() >= send_by {
        return CallResult::new(Answer::NotTaken, "send_by");
    }
    if !is_fresh || watch.version.load(Ordering::SeqCst) != seen_version {
        return CallResult::new(Answer::NotTaken, "hold_changed");
    }
    match office.accounts.get(lane) {
        Some(account) => account.submit(frozen, reference).await,
        None => CallResult::new(Answer::NotTaken, "no_lane"),
    }
}

/// Commits outcomes in batches: whatever has come after a short linger, the rest with the next.
async fn record_as_they_come<F>(office: &Office, incident: IncidentKey, flying: &mut FuturesUnordered<F>) -> Result<(), DispatchError>
where
    F: Future<Output = Outcome>,
{
    let mut ready = Vec::new();
    while let Some(outcome) = flying.next().await {
        ready.push(outcome);
        let until = Instant::now() + Duration::from_millis(office.settings.dispatch.batch_linger_ms);
        while ready.len() < office.settings.dispatch.batch_size_max {
            match tokio::time::timeout_at(until, flying.next()).await {
                Ok(Some(outcome)) => ready.push(outcome),
                _ => break,
            }
        }
        record(office, incident, &ready).await;
        ready.clear();
    }
    crate::failpoint::reach("outcome_committed").await;
    Ok(())
}

/// Tries until known: an outcome that is not recorded becomes `unknown` when its lease ends.
async fn record(office: &Office, incident: IncidentKey, outcomes: &[Outcome]) {
    for attempt in 1..=5 {
        match office.store.record_outcomes(incident, outcomes).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(error = %error, attempt, outcomes = outcomes.len(), "outcomes were not recorded, trying again");
                tokio::time::sleep(Duration::from_millis(100 * attempt)).await;
            }
        }
    }
}
