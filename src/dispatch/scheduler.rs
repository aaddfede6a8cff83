//! The leader: queues what is due within each lane's pace, and looks after every deadline.

use super::gate::HoldWatch;
use super::{DispatchError, Office, harvest, resolver};
use crate::broker::{connect, declare, publish};
use crate::provider::Account;
use crate::store::due::Quota;
use crate::store::leadership::Lead;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Seconds of pace that may be outstanding on a lane.
const OUTSTANDING_SECONDS: i64 = 3;
/// Text messages that are put off until the morning at once.
const PUT_OFF: i64 = 2000;

/// Tokens left of each lane's bucket, and when they were counted.
type Spent = BTreeMap<String, (Instant, f64)>;

/// Leads, or stands by, until `stop`.
pub async fn run(office: Arc<Office>, stop: CancellationToken) -> Result<(), DispatchError> {
    let holder = Uuid::now_v7().to_string();
    let watch = HoldWatch::start(&office).await?;
    let watching = tokio::spawn(watch.clone().run(office.clone(), stop.clone()));
    let resolving = tokio::spawn(resolver::run(office.clone(), watch, holder.clone(), stop.clone()));
    let harvesting = tokio::spawn(harvest::run(office.clone(), holder.clone(), stop.clone()));
    let mut lead = Lead::new("scheduler", &holder);
    while !stop.is_cancelled() {
        if let Err(error) = keep_queueing(&office, &mut lead, &stop).await {
            tracing::warn!(error = %error, "the scheduler lost its way and starts again");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    lead.resign(&office.store).await?;
    if let Err(error) = resolving.await {
        tracing::error!(error = %error, "the resolver ended badly");
    }
    if let Err(error) = harvesting.await {
        tracing::error!(error = %error, "the harvest ended badly");
    }
    watching.abort();
    Ok(())
}

async fn keep_queueing(office: &Office, lead: &mut Lead, stop: &CancellationToken) -> Result<(), DispatchError> {
    let (_connection, channel) = connect(office.settings.broker.url.expose_secret()).await?;
    for lane in office.accounts.keys() {
        declare(&channel, lane).await?;
    }
    let mut spent = Spent::new();
    while !stop.is_cancelled() {
        if lead.is_held(&office.store).await? {
            // Before anything is queued, so that nobody is looked at twice in one night.
            office.store.put_off_texts(PUT_OFF).await?;
            for (lane, account) in &office.accounts {
                queue_lane(office, &channel, &mut spent, lane, account).await?;
            }
        }
        tokio::time::sleep(Duration::from_millis(office.settings.dispatch.interval_ms)).await;
    }
    Ok(())
}

async fn queue_lane(
    office: &Office,
    channel: &lapin::Channel,
    spent: &mut Spent,
    lane: &str,
    account: &Account,
) -> Result<(), DispatchError> {
    let allowed = allowance(spent, lane, account.per_second);
    if allowed < 1 {
        return Ok(());
    }
    let outstanding_max = (i64::from(account.per_second) * OUTSTANDING_SECONDS).min(left_today(office, lane, account).await?);
    if outstanding_max < 1 {
        return Ok(());
    }
    let quota = Quota { limit: allowed, outstanding_max, attempts_max: office.settings.dispatch.attempts_max };
    let queued = office.store.queue_due(lane, account.channel, quota).await?;
    // If we die here, or a confirm is missing, the queue lease runs out and the message is due again.
    publish(channel, lane, &queued).await?;
    if let Some((_, tokens)) = spent.get_mut(lane) {
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let used = queued.len() as f64;
        *tokens -= used;
    }
    Ok(())
}

/// What a lane may still be handed today. The claim counts; here nobody is sent on the road for nothing.
async fn left_today(office: &Office, lane: &str, account: &Account) -> Result<i64, DispatchError> {
    let Some(limit) = account.per_day else { return Ok(i64::MAX) };
    let taken = office.store.count_taken_today(lane).await?;
    Ok(i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(taken))
}

/// A token bucket of one second per lane; only the leader spends from it.
fn allowance(spent: &mut Spent, lane: &str, per_second: u32) -> i64 {
    let now = Instant::now();
    let (last, tokens) = spent.entry(lane.to_owned()).or_insert((now, f64::from(per_second)));
    *tokens = (*tokens + now.duration_since(*last).as_secs_f64() * f64::from(per_second)).min(f64::from(per_second));
    *last = now;
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the pace")]
    let whole = *tokens as i64;
    whole
}
