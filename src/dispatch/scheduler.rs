//! The leader: queues what is due within each lane's pace, and looks after every deadline.

use super::gate::HoldWatch;
use super::{DispatchError, Office, resolver};
use crate::broker::{connect, declare, publish};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long the lead lasts without renewal, ms.
const LEAD_MS: i64 = 5000;
/// Seconds of pace that may be outstanding on a lane.
const OUTSTANDING_SECONDS: i64 = 3;

/// Leads, or stands by, until `stop`.
pub async fn run(office: Arc<Office>, stop: CancellationToken) -> Result<(), DispatchError> {
    let holder = Uuid::now_v7().to_string();
    let watch = HoldWatch::start(&office).await?;
    let watching = tokio::spawn(watch.clone().run(office.clone(), stop.clone()));
    let resolving = tokio::spawn(resolver::run(office.clone(), watch, holder.clone(), stop.clone()));
    while !stop.is_cancelled() {
        if let Err(error) = lead(&office, &holder, &stop).await {
            tracing::warn!(error = %error, "the scheduler lost its way and starts again");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    office.store.resign("scheduler", &holder).await?;
    if let Err(error) = resolving.await {
        tracing::error!(error = %error, "the resolver ended badly");
    }
    watching.abort();
    Ok(())
}

async fn lead(office: &Office, holder: &str, stop: &CancellationToken) -> Result<(), DispatchError> {
    let (_connection, channel) = connect(office.settings.broker.url.expose_secret()).await?;
    for lane in office.accounts.keys() {
        declare(&channel, lane).await?;
    }
    let mut spent: BTreeMap<String, (Instant, f64)> = BTreeMap::new();
    while !stop.is_cancelled() {
        if office.store.lead("scheduler", holder, LEAD_MS).await?.is_some() {
            let paused = office.store.list_paused_lanes().await?;
            for (lane, account) in &office.accounts {
                if paused.contains(lane) {
                    continue;
                }
                let outstanding = office.store.count_outstanding(lane).await?;
                let room = i64::from(account.per_second) * OUTSTANDING_SECONDS - outstanding;
                let limit = allowance(&mut spent, lane, account.per_second).min(room);
                if limit <= 0 {
                    continue;
                }
                let queued = office.store.queue_due(lane, account.channel, limit).await?;
                let messages: Vec<Uuid> = queued.iter().map(|q| q.message_id).collect();
                // If we die here, or a confirm is missing, the queue lease runs out and the message is due again.
                publish(&channel, lane, &messages).await?;
                if let Some((_, tokens)) = spent.get_mut(lane) {
                    #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
                    let used = messages.len() as f64;
                    *tokens -= used;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(office.settings.dispatch.interval_ms)).await;
    }
    Ok(())
}

/// A token bucket of one second per lane; only the leader spends from it.
fn allowance(spent: &mut BTreeMap<String, (Instant, f64)>, lane: &str, per_second: u32) -> i64 {
    let now = Instant::now();
    let (last, tokens) = spent.entry(lane.to_owned()).or_insert((now, f64::from(per_second)));
    *tokens = (*tokens + now.duration_since(*last).as_secs_f64() * f64::from(per_second)).min(f64::from(per_second));
    *last = now;
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the pace")]
    let whole = *tokens as i64;
    whole
}
