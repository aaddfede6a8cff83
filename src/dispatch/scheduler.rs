//! The leader: queues what is due within each lane's pace, and looks after every deadline.

use super::gate::HoldWatch;
use super::{DispatchError, Office, harvest, resolver};
use crate::broker::{connect, declare, publish};
use crate::model::causes::with_causes;
use crate::model::health::part_of_pace;
use crate::model::shares::{Handed, Sharer, Shares};
use crate::model::state::Channel;
use crate::provider::Account;
use crate::store::StoreError;
use crate::store::due::Quota;
use crate::store::leadership::Lead;
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Seconds of pace that may be outstanding on a lane.
const OUTSTANDING_SECONDS: i64 = 3;
/// Text messages that are put off until the morning at once.
const PUT_OFF: i64 = 2000;
/// Pause between two looks at who sleeps and which lanes are closed.
const LOOK: Duration = Duration::from_secs(1);

/// Longest time that a round counts for, s: who was held up does not make up for it at once.
const ROUND_SECONDS_MAX: f64 = 1.0;

/// Tokens left of each lane's bucket, and when they were counted.
type Spent = BTreeMap<String, (Instant, f64)>;

/// How far the lanes of each channel are with their parts; only the leader knows, and a new one begins anew.
type Parts = BTreeMap<Channel, Shares>;

/// Leads, or stands by, until `stop`.
pub async fn run(office: Arc<Office>, stop: CancellationToken) -> Result<(), DispatchError> {
    let holder = Uuid::now_v7().to_string();
    let watch = HoldWatch::start(&office).await?;
    let watching = tokio::spawn(watch.clone().run(office.clone(), stop.clone()));
    let resolving = tokio::spawn(resolver::run(office.clone(), watch, holder.clone(), stop.clone()));
    let harvesting = tokio::spawn(harvest::run(office.clone(), holder.clone(), stop.clone()));
    let counting = tokio::spawn(keep_statistics(office.clone(), holder.clone(), stop.clone()));
    let mut lead = Lead::new("scheduler", &holder);
    while !stop.is_cancelled() {
        if let Err(error) = keep_queueing(&office, &mut lead, &stop).await {
            tracing::warn!(error = with_causes(&error), remedy = error.remedy(), "the scheduler lost its way and starts again");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    lead.resign(&office.store).await?;
    if let Err(error) = resolving.await {
        tracing::error!(error = with_causes(&error), "the resolver ended badly");
    }
    if let Err(error) = harvesting.await {
        tracing::error!(error = with_causes(&error), "the harvest ended badly");
    }
    if let Err(error) = counting.await {
        tracing::error!(error = with_causes(&error), "whoever keeps the database's statistics ended badly");
    }
    watching.abort();
    Ok(())
}

/// Keeps the database's statistics abreast of a run, which makes tables of 47,000 rows of empty ones within seconds.
/// One process does it for all, under a lead of its own: whoever queues must not wait for it.
async fn keep_statistics(office: Arc<Office>, holder: String, stop: CancellationToken) {
    let mut lead = Lead::new("statistics", &holder);
    while !stop.is_cancelled() {
        if let Err(error) = count_grown(&office, &mut lead).await {
            tracing::warn!(error = with_causes(&error), "the database's statistics stay as they are; it may be slow");
        }
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(LOOK) => {} }
    }
}

async fn count_grown(office: &Office, lead: &mut Lead) -> Result<(), StoreError> {
    if lead.is_held(&office.store).await? {
        office.store.analyze_grown().await?;
    }
    Ok(())
}

async fn keep_queueing(office: &Office, lead: &mut Lead, stop: &CancellationToken) -> Result<(), DispatchError> {
    let (_connection, channel) = connect(office.settings.broker.url.expose_secret()).await?;
    for lane in office.accounts.keys() {
        declare(&channel, lane).await?;
    }
    let (mut spent, mut returns, mut look_at) = (Spent::new(), Returns::default(), Instant::now());
    let (mut parts, mut round_at) = (Parts::new(), Instant::now());
    while !stop.is_cancelled() {
        if lead.is_held(&office.store).await? {
            // What is asleep is not queued in between either: this keeps it from being looked at again and again.
            if Instant::now() >= look_at {
                let is_whole = office.store.put_off_texts(PUT_OFF).await? == PUT_OFF.unsigned_abs();
                returns.note(office.store.list_closed_lanes().await?);
                look_at = Instant::now() + if is_whole { Duration::ZERO } else { LOOK };
            }
            let lanes = standings(office, &returns).await?;
            let seconds = round_at.elapsed().as_secs_f64().min(ROUND_SECONDS_MAX);
            round_at = Instant::now();
            queue_round(office, &channel, &mut spent, &lanes, (&mut parts, seconds)).await?;
        }
        tokio::time::sleep(Duration::from_millis(office.settings.dispatch.interval_ms)).await;
    }
    Ok(())
}

/// How a lane stands at one moment.
struct Standing {
    /// Messages that it may still be handed today.
    left_today: i64,
    /// Whether it rests, or is tried by a single call.
    is_closed: bool,
    /// Part of its pace that it has by now, after a rest.
    part: f64,
}

impl Standing {
    fn is_open(&self) -> bool {
        !self.is_closed && self.left_today > 0
    }
}

type Standings<'a> = BTreeMap<&'a str, Standing>;

/// Lanes that were closed, and since when those are open that go on again; only the leader knows, and a new one forgets.
#[derive(Default)]
struct Returns {
    closed: BTreeSet<String>,
    open_since: BTreeMap<String, Instant>,
}

impl Returns {
    fn note(&mut self, closed: BTreeSet<String>) {
        for lane in self.closed.difference(&closed) {
            self.open_since.insert(lane.clone(), Instant::now());
        }
        self.closed = closed;
    }
}

async fn standings<'a>(office: &'a Office, returns: &Returns) -> Result<Standings<'a>, DispatchError> {
    let mut standings = Standings::new();
    for (lane, account) in &office.accounts {
        let left_today = left_today(office, lane, account).await?;
        let is_closed = returns.closed.contains(lane);
        // A rest may be over since the last look: until the next one the lane is as if it had just begun again.
        let open_for = if is_closed { Some(Duration::ZERO) } else { returns.open_since.get(lane).map(Instant::elapsed) };
        let part = part_of_pace(open_for, Duration::from_millis(office.settings.health.return_ms));
        standings.insert(lane, Standing { left_today, is_closed, part });
    }
    Ok(standings)
}

/// Whether a lane takes messages for which no lane was chosen yet: a reserve does only while no other of its channel can.
fn takes_new(office: &Office, lanes: &Standings<'_>, account: &Account) -> bool {
    let is_first = |(name, other): (&String, &Arc<Account>)| {
        other.channel == account.channel && !other.is_reserve && lanes.get(name.as_str()).is_some_and(Standing::is_open)
    };
    !account.is_reserve || !office.accounts.iter().any(is_first)
}

/// Those who share new messages, by channel, with their parts in a round of so many seconds.
fn sharers<'a>(office: &'a Office, lanes: &Standings<'_>, seconds: f64) -> BTreeMap<Channel, Vec<Sharer<'a>>> {
    let mut by_channel: BTreeMap<Channel, Vec<Sharer<'a>>> = BTreeMap::new();
    for (lane, account) in office.accounts.iter().filter(|(_, account)| takes_new(office, lanes, account)) {
        // A lane that goes on after a rest gets its part back with its pace, little by little.
        let Some(part) = lanes.get(lane.as_str()).filter(|lane| lane.is_open()).map(|lane| lane.part) else { continue };
        let (weight, round) = (f64::from(account.weight) * part, f64::from(account.per_second) * part * seconds);
        by_channel.entry(account.channel).or_default().push(Sharer { lane, weight, round });
    }
    by_channel
}

/// Queues on every lane what its pace, its day and its part allow.
async fn queue_round(
    office: &Office,
    channel: &lapin::Channel,
    spent: &mut Spent,
    lanes: &Standings<'_>,
    (parts, seconds): (&mut Parts, f64),
) -> Result<(), DispatchError> {
    let sharers = sharers(office, lanes, seconds);
    for (of, sharers) in &sharers {
        let shares = parts.entry(*of).or_default();
        let mut handed = Vec::with_capacity(sharers.len());
        for (lane, new_max) in shares.begin(sharers) {
            let (messages, left_some) = queue_lane(office, channel, spent, lanes, (lane, new_max)).await?;
            handed.push(Handed { lane, limit: new_max, messages, left_some });
        }
        shares.end(sharers, &handed);
    }
    let share = |lane: &str| sharers.values().flatten().any(|sharer| sharer.lane == lane);
    for (lane, account) in office.accounts.iter().filter(|(lane, _)| !share(lane)) {
        // Whose rest is over is tried by a single message, and may have none of its own.
        queue_lane(office, channel, spent, lanes, (lane, i64::from(takes_new(office, lanes, account)))).await?;
    }
    Ok(())
}

/// Queues on one lane, where `new_max` is 0 only what was on the road to it before; answers how many messages, and whether
/// it could have taken more.
async fn queue_lane(
    office: &Office,
    channel: &lapin::Channel,
    spent: &mut Spent,
    lanes: &Standings<'_>,
    (lane, new_max): (&str, i64),
) -> Result<(usize, bool), DispatchError> {
    let (Some(standing), Some(account)) = (lanes.get(lane), office.accounts.get(lane)) else { return Ok((0, false)) };
    let allowed = allowance(spent, lane, (f64::from(account.per_second) * standing.part).max(1.0)).min(office.paces.sends(lane));
    let outstanding_max = (i64::from(account.per_second) * OUTSTANDING_SECONDS).min(standing.left_today);
    if allowed < 1 || outstanding_max < 1 {
        return Ok((0, false));
    }
    let limit = if new_max > 0 { allowed.min(new_max) } else { allowed };
    let quota = Quota { limit, outstanding_max, attempts_max: office.settings.dispatch.attempts_max, takes_new: new_max > 0 };
    let queued = office.store.queue_due(lane, account.channel, quota).await?;
    // If we die here, or a confirm is missing, the queue lease runs out and the message is due again.
    publish(channel, lane, &queued).await?;
    if let Some((_, tokens)) = spent.get_mut(lane) {
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let used = queued.len() as f64;
        *tokens -= used;
    }
    office.paces.sent(lane, queued.len(), i64::try_from(queued.len()).is_ok_and(|n| n >= allowed));
    Ok((queued.len(), new_max > 0 && i64::try_from(queued.len()).is_ok_and(|n| n < limit)))
}

/// What a lane may still be handed today. The claim counts; here nobody is sent on the road for nothing.
async fn left_today(office: &Office, lane: &str, account: &Account) -> Result<i64, DispatchError> {
    let Some(limit) = account.per_day else { return Ok(i64::MAX) };
    let taken = office.store.count_taken_today(lane).await?;
    Ok(i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(taken))
}

/// A token bucket of one second per lane; only the leader spends from it.
fn allowance(spent: &mut Spent, lane: &str, per_second: f64) -> i64 {
    let now = Instant::now();
    let (last, tokens) = spent.entry(lane.to_owned()).or_insert((now, per_second));
    *tokens = (*tokens + now.duration_since(*last).as_secs_f64() * per_second).min(per_second);
    *last = now;
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the pace")]
    let whole = *tokens as i64;
    whole
}
