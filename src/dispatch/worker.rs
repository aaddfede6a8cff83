//! The worker: take jobs, render, claim, call. Recording and acknowledging is the recorder's part.

use super::call::call;
use super::draft::{Prepared, Unfit, keep_templates, prepare};
use super::gate::{Gate, HoldWatch};
use super::recorder::{self, Done};
use super::{DispatchError, Office};
use crate::broker::consumer::{AckWindow, BatchConsumer, Job};
use crate::broker::{BrokerError, connect, declare};
use crate::model::causes::with_causes;
use crate::store::draft::Draft;
use crate::store::misfit::NewMisfit;
use crate::store::unit::IncidentKey;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Batches that are rendered and claimed at once on a lane: one hides the other's waiting for the database.
const BATCHES_AT_ONCE: usize = 2;

/// What all tasks of one lane share.
struct Lane {
    office: Arc<Office>,
    name: String,
    watch: Arc<HoldWatch>,
    /// Calls in flight; taken before the claim, so that a claimed call never waits for its turn.
    slots: Arc<Semaphore>,
}

/// Works all lanes until `stop`; reconnects by itself.
pub async fn run(office: Arc<Office>, stop: CancellationToken) -> Result<(), DispatchError> {
    let watch = HoldWatch::start(&office).await?;
    let watching = tokio::spawn(watch.clone().run(office.clone(), stop.clone()));
    let batching = tokio::spawn(super::batches::run(office.clone(), stop.clone()));
    let mut lanes = JoinSet::new();
    for name in office.accounts.keys().cloned() {
        let slots = Arc::new(Semaphore::new(office.settings.dispatch.in_flight_max));
        let lane = Arc::new(Lane { office: office.clone(), name, watch: watch.clone(), slots });
        lanes.spawn(keep_working(lane, stop.clone()));
    }
    while lanes.join_next().await.is_some() {}
    watching.abort();
    if let Err(error) = batching.await {
        tracing::error!(error = with_causes(&error), "whoever closes batches ended badly; the next worker goes on");
    }
    Ok(())
}

async fn keep_working(lane: Arc<Lane>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = work(&lane, &stop).await {
            tracing::warn!(lane = lane.name, error = with_causes(&error), "the lane's consumer stopped and starts again");
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(Duration::from_millis(500)) => {} }
        }
    }
}

async fn work(lane: &Arc<Lane>, stop: &CancellationToken) -> Result<(), DispatchError> {
    let d = &lane.office.settings.dispatch;
    let (connection, channel) = connect(lane.office.settings.broker.url.expose_secret()).await?;
    declare(&channel, &lane.name).await?;
    let linger = Duration::from_millis(d.batch_linger_ms);
    let window = Arc::new(AckWindow::default());
    let batch_max = d.batch_size_max.min(d.in_flight_max);
    let mut consumer = BatchConsumer::start(channel.clone(), &lane.name, d.prefetch, batch_max, linger, window.clone()).await?;
    let (done, finished) = mpsc::channel(d.in_flight_max.max(1));
    let recorder = tokio::spawn(recorder::run(lane.office.clone(), channel, window, finished));
    let mut batches = JoinSet::new();
    let ended = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            Some(_) = batches.join_next(), if !batches.is_empty() => {}
            taken = consumer.next_batch(), if batches.len() < BATCHES_AT_ONCE => match taken {
                Some(jobs) => { batches.spawn(work_batch(lane.clone(), jobs, done.clone())); }
                None => break Err(BrokerError::ConsumerClosed.into()),
            },
        }
    };
    // Take nothing more, finish the calls in flight, commit, acknowledge, leave. If we die here, leases do the rest.
    if ended.is_ok() {
        consumer.stop().await?;
    }
    while batches.join_next().await.is_some() {}
    drop(done);
    if let Err(error) = recorder.await {
        tracing::error!(
            lane = lane.name,
            error = with_causes(&error),
            "the recorder ended badly; leases bring its messages back"
        );
    }
    if ended.is_ok() {
        connection.close(200, "stopped".into()).await.map_err(BrokerError::from)?;
    }
    ended
}

/// Works one batch until its calls are on their way. Where the database fails, the jobs are acknowledged all the
/// same: what was not claimed comes back by its lease, what was claimed becomes `unknown` by its lease.
async fn work_batch(lane: Arc<Lane>, jobs: Vec<Job>, done: mpsc::Sender<Done>) {
    let mut tags: HashMap<Uuid, u64> = HashMap::new();
    let mut idle = Vec::new();
    for job in jobs {
        match job.message {
            // The same job twice in one batch: one claim is enough.
            Some(message) => idle.extend(tags.insert(message, job.tag)),
            None => idle.push(job.tag),
        }
    }
    if let Err(error) = claim_and_call(&lane, &mut tags, &done).await {
        tracing::warn!(
            lane = lane.name,
            error = with_causes(&error),
            jobs = tags.len(),
            "a batch was not claimed; its leases bring it back"
        );
    }
    idle.extend(tags.into_values());
    for tag in idle {
        recorder::send(&done, Done { tag, outcome: None }).await;
    }
}

/// Claims what may be sent, and takes the tags of those calls out of `tags`.
async fn claim_and_call(lane: &Arc<Lane>, tags: &mut HashMap<Uuid, u64>, done: &mpsc::Sender<Done>) -> Result<(), DispatchError> {
    let messages: Vec<Uuid> = tags.keys().copied().collect();
    let Ok(wanted) = u32::try_from(messages.len()) else { return Ok(()) };
    let Ok(mut slots) = lane.slots.clone().acquire_many_owned(wanted).await else { return Ok(()) };
    let drafts = lane.office.store.list_drafts(&messages).await?;
    keep_templates(&lane.office, &drafts).await?;
    let send_by_ms = lane.office.settings.dispatch.send_by_ms;
    let (prepared, misfits) = prepare_all(&lane.office, drafts).await;
    record_misfits(&lane.office, misfits).await;
    for (incident, calls) in prepared {
        let gate = Gate::before_claim(&lane.watch, send_by_ms);
        let intents: Vec<_> = calls.iter().map(|c| c.intent.clone()).collect();
        // A claim whose COMMIT was not confirmed is an error here, and is never followed by a call.
        let claimed = lane.office.store.claim(incident, &intents, i64::try_from(send_by_ms).unwrap_or(i64::MAX)).await?;
        let attempts = recorder::attempts_to_call(&intents, &claimed);
        for (prepared, attempt) in calls.into_iter().zip(attempts) {
            let (Some(attempt), Some(slot)) = (attempt, slots.split(1)) else { continue };
            let Some(tag) = tags.remove(&prepared.intent.message_id) else { continue };
            let (lane, gate, done) = (lane.clone(), gate.clone(), done.clone());
            tokio::spawn(async move {
                let outcome = call(&lane.office, &gate, prepared, attempt).await;
                drop(slot);
                recorder::send(&done, Done { tag, outcome: Some((incident, outcome)) }).await;
            });
        }
    }
    Ok(())
}

type ByIncident<T> = HashMap<IncidentKey, Vec<T>>;

/// Renders off the async threads, on two of them; what does not fit is left to its lease, and answered where somebody
/// must see to it.
async fn prepare_all(office: &Arc<Office>, mut drafts: Vec<Draft>) -> (ByIncident<Prepared>, ByIncident<NewMisfit>) {
    let rest = drafts.split_off(drafts.len().div_ceil(2));
    let (mut prepared, mut misfits) = (ByIncident::new(), ByIncident::new());
    let halves = [drafts, rest].map(|half| {
        let office = office.clone();
        tokio::task::spawn_blocking(move || {
            half.into_iter().map(|d| (d.incident, d.message_id, d.person_id, prepare(&office, &d))).collect::<Vec<_>>()
        })
    });
    for half in halves {
        for (incident, message, person_id, result) in half.await.unwrap_or_default() {
            match result {
                Ok(call) => prepared.entry(incident).or_default().push(call),
                // A job that comes late or twice: its message has moved on.
                Err(Unfit::State) => tracing::debug!(%message, "a job was not needed any more"),
                Err(reason) => {
                    tracing::warn!(%message, ?reason, "a job was not claimed");
                    let found = reason.misfit().map(|misfit| NewMisfit { message_id: message, person_id, misfit });
                    misfits.entry(incident).or_default().extend(found);
                }
            }
        }
    }
    (prepared, misfits)
}

/// Puts on record what cannot leave; where the database fails, its lease brings it here again.
async fn record_misfits(office: &Office, misfits: ByIncident<NewMisfit>) {
    for (incident, found) in misfits.iter().filter(|(_, found)| !found.is_empty()) {
        if let Err(error) = office.store.record_misfits(*incident, found).await {
            tracing::warn!(
                error = with_causes(&error),
                messages = found.len(),
                "what cannot leave is not on record yet; its leases bring it back"
            );
        }
    }
}
