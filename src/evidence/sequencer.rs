//! The one who gives events their places: a leader with epochs, a transaction per round, a checkpoint per log.
//!
//! Whatever kills it, the events are in the inbox or in their places, never in between. It signs inside the
//! transaction and publishes after the commit, so that a size that somebody has seen is never signed again.

use super::publisher::Publisher;
use super::tree::Tree;
use super::{Archive, EvidenceError, high_water};
use crate::failpoint;
use crate::store::leadership::Lead;
use crate::store::sequencing::{LogScope, Waiting};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// An event that waits longer than this is an alarm.
pub const LATE_SECONDS: f64 = 60.0;
/// How often the alarm is raised while it lasts.
const ALARM_EVERY: Duration = Duration::from_secs(60);
/// How often the high-water mark is compared and set.
const MARK_EVERY: Duration = Duration::from_millis(500);
/// Pause after a round that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Sequences and publishes while this process leads, until `stop`; then once more, so that nothing waits for long.
pub async fn run(archive: Arc<Archive>, stop: CancellationToken) {
    let mut sequencer = Sequencer::new(archive);
    while !stop.is_cancelled() {
        let pause = match sequencer.watched_round().await {
            Ok(took) if took >= sequencer.archive.batch => continue,
            Ok(_) => sequencer.archive.interval,
            Err(error) => {
                tracing::error!(error = %error, remedy = error.remedy(), "the sequencer could not go on and starts again");
                AFTER_FAILURE
            }
        };
        sequencer.raise_alarm().await;
        // Told to stop or not waited any longer: both are fine.
        if timeout(pause, stop.cancelled()).await.is_ok() {
            break;
        }
    }
    if let Err(error) = sequencer.watched_round().await {
        tracing::warn!(error = %error, "the last round before the stop failed; the next leader goes on");
    }
    if let Err(error) = sequencer.lead.resign(&sequencer.archive.store).await {
        tracing::warn!(error = %error, "the sequencer's lead was not given up; it runs out by itself");
    }
}

/// Sequences and publishes whatever waits, as a leader for this once; for commands that need the newest proof.
pub async fn run_once(archive: Arc<Archive>) -> Result<(), EvidenceError> {
    let mut sequencer = Sequencer::new(archive);
    while sequencer.round().await? > 0 {}
    Ok(sequencer.lead.resign(&sequencer.archive.store).await?)
}

struct Sequencer {
    archive: Arc<Archive>,
    lead: Lead,
    trees: HashMap<LogScope, Tree>,
    publisher: Publisher,
    alarmed: Option<Instant>,
    marked: Option<Instant>,
}

impl Sequencer {
    fn new(archive: Arc<Archive>) -> Self {
        Self {
            archive,
            lead: Lead::new("sequencer", &Uuid::now_v7().to_string()),
            trees: HashMap::new(),
            publisher: Publisher::default(),
            alarmed: None,
            marked: None,
        }
    }

    /// A round of the leader that goes on for long: it keeps the high-water mark, and stands still after a restore.
    async fn watched_round(&mut self) -> Result<i64, EvidenceError> {
        let is_due = self.marked.is_none_or(|at| at.elapsed() >= MARK_EVERY);
        if is_due && self.lead.is_held(&self.archive.store).await? {
            high_water::keep(&self.archive.store, &self.archive.outside).await?;
            self.marked = Some(Instant::now());
        }
        self.round().await
    }

    /// Sequences one batch and publishes what is signed; returns how many events it took.
    async fn round(&mut self) -> Result<i64, EvidenceError> {
        // The lead is given up as well: whoever reconciles takes it.
        if self.archive.store.open_restore().await?.is_some() {
            self.trees.clear();
            self.lead.resign(&self.archive.store).await?;
            return Ok(0);
        }
        let Some(epoch) = self.lead.epoch(&self.archive.store).await? else { return Ok(0) };
        let took = self.sequence(epoch).await.inspect_err(|_| self.trees.clear())?;
        self.publisher.publish(&self.archive).await?;
        Ok(took)
    }

    async fn sequence(&mut self, epoch: i64) -> Result<i64, EvidenceError> {
        let archive = self.archive.clone();
        let Some(mut tx) = archive.store.begin_sequencing(self.lead.holder(), epoch).await? else {
            self.trees.clear();
            return Ok(0);
        };
        let mut groups: BTreeMap<LogScope, Vec<Waiting>> = BTreeMap::new();
        let waiting = tx.take(archive.batch).await?;
        let took = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
        for event in waiting {
            groups.entry(event.scope).or_default().push(event);
        }
        failpoint::reach("events_taken").await;
        // A tree that this transaction touches is out of memory until the commit: if we fail, it is read again.
        let mut touched = Vec::new();
        for (scope, events) in &groups {
            let mut tree = match self.trees.remove(scope) {
                Some(tree) => tree,
                None => Tree::load(&archive, &mut tx, *scope).await?,
            };
            tree.append(&archive, &mut tx, events).await?;
            touched.push((*scope, tree));
        }
        failpoint::reach("checkpoint_signed").await;
        tx.commit().await?;
        failpoint::reach("checkpoint_committed").await;
        self.trees.extend(touched);
        Ok(took)
    }

    /// Says, once a minute while it lasts, that evidence is late: a state without its proof in time is an incident.
    async fn raise_alarm(&mut self) {
        let Ok(lag) = self.archive.store.sequencing_lag().await else { return };
        let is_quiet = self.alarmed.is_none_or(|at| at.elapsed() >= ALARM_EVERY);
        if lag.oldest_seconds > LATE_SECONDS && is_quiet {
            self.alarmed = Some(Instant::now());
            tracing::error!(events = lag.events, seconds = lag.oldest_seconds, "events wait too long for their place in the log");
        }
    }
}
