//! The one who gives events their places: a leader with epochs, a transaction per round, a checkpoint per log.
//!
//! Whatever kills it, the events are in the inbox or in their places, never in between. It signs inside the
//! transaction and publishes after the commit, so that a size that somebody has seen is never signed again.

use super::delays::Delays;
use super::publisher::Publisher;
use super::tree::Tree;
use super::{Archive, EvidenceError, high_water};
use crate::failpoint;
use crate::model::causes::with_causes;
use crate::store::leadership::Lead;
use crate::store::sequencing::{LogScope, Sequencing, Waiting};
use crate::store::unit::IncidentKey;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the high-water mark is compared and set.
const MARK_EVERY: Duration = Duration::from_millis(500);
/// A log that contradicts itself is tried again after so long; the others go on meanwhile.
const ASIDE: Duration = Duration::from_secs(60);
/// Logs that go on under another key in one round, at most.
const CHANGES_AT_ONCE: usize = 50;
/// Rounds of a backlog whose checkpoints are published together: tiles that are not full are written once for all of them.
const ROUNDS_TOGETHER: u32 = 5;
/// Pause after a round that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Sequences and publishes while this process leads, until `stop`; then once more, so that nothing waits for long.
pub async fn run(archive: Arc<Archive>, stop: CancellationToken) {
    let mut delays = Delays::new(archive.store.clone());
    // Before the first round, which may give all of them their places.
    delays.look().await;
    let watch = tokio::spawn(delays.run(stop.clone()));
    let mut sequencer = Sequencer::new(archive);
    while !stop.is_cancelled() {
        let pause = match sequencer.watched_round().await {
            Ok(took) if took >= sequencer.archive.batch => continue,
            Ok(_) => sequencer.archive.interval,
            Err(error) => {
                tracing::error!(
                    error = with_causes(&error),
                    remedy = error.remedy(),
                    "the sequencer could not go on and starts again"
                );
                AFTER_FAILURE
            }
        };
        // Told to stop or not waited any longer: both are fine.
        if timeout(pause, stop.cancelled()).await.is_ok() {
            break;
        }
    }
    if let Err(error) = sequencer.watched_round().await {
        tracing::warn!(error = with_causes(&error), "the last round before the stop failed; the next leader goes on");
    }
    if let Err(error) = sequencer.lead.resign(&sequencer.archive.store).await {
        tracing::warn!(error = with_causes(&error), "the sequencer's lead was not given up; it runs out by itself");
    }
    if let Err(error) = watch.await {
        tracing::error!(
            error = with_causes(&error),
            remedy = "report this as a fault of Duly",
            "nobody looked for delays any more"
        );
    }
}

/// Sequences and publishes whatever waits, as a leader for this once; for commands that need the newest proof.
pub async fn run_once(archive: Arc<Archive>) -> Result<(), EvidenceError> {
    let mut sequencer = Sequencer::new(archive);
    let done = loop {
        match sequencer.watched_round().await {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    // Also after a failure: nobody is to wait for this lead's end.
    sequencer.lead.resign(&sequencer.archive.store).await?;
    done?;
    sequencer.aside.into_values().next().map_or(Ok(()), |aside| Err(aside.error))
}

/// Why a log is not gone on with, and until when.
struct Aside {
    until: Instant,
    error: EvidenceError,
}

/// A log with further events in their places, under a checkpoint that is signed and not yet committed.
async fn grown(
    archive: &Archive,
    tx: &mut Sequencing,
    scope: LogScope,
    tree: Option<Tree>,
    waiting: &[Waiting],
) -> Result<Tree, EvidenceError> {
    let mut tree = match tree {
        Some(tree) => tree,
        None => Tree::load(archive, tx, scope).await?,
    };
    tree.append(archive, tx, scope, waiting).await?;
    Ok(tree)
}

struct Sequencer {
    archive: Arc<Archive>,
    lead: Lead,
    /// The lead under which `trees` were read.
    epoch: Option<i64>,
    trees: HashMap<LogScope, Tree>,
    aside: BTreeMap<LogScope, Aside>,
    /// Logs that are not known to be under the next key; `None`: not looked at under this lead.
    unchanged: Option<Vec<LogScope>>,
    publisher: Publisher,
    /// Rounds since something was published.
    unpublished: u32,
    marked: Option<Instant>,
}

impl Sequencer {
    fn new(archive: Arc<Archive>) -> Self {
        Self {
            archive,
            lead: Lead::new("sequencer", &Uuid::now_v7().to_string()),
            epoch: None,
            trees: HashMap::new(),
            aside: BTreeMap::new(),
            unchanged: None,
            publisher: Publisher::default(),
            unpublished: 0,
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

    /// Sequences one batch, and publishes what is signed unless more waits; returns how many events it took.
    async fn round(&mut self) -> Result<i64, EvidenceError> {
        // The lead is given up as well: whoever reconciles takes it.
        if self.archive.store.open_restore().await?.is_some() {
            self.trees.clear();
            self.lead.resign(&self.archive.store).await?;
            return Ok(0);
        }
        let Some(epoch) = self.lead.epoch(&self.archive.store).await? else { return Ok(0) };
        // Somebody else may have led in between, and made the trees grow.
        if self.epoch.replace(epoch) != Some(epoch) {
            self.trees.clear();
            self.unchanged = None;
        }
        let took = self.sequence(epoch).await.inspect_err(|_| self.trees.clear())?;
        self.unpublished += 1;
        if took < self.archive.batch || self.unpublished >= ROUNDS_TOGETHER {
            self.publisher.publish(&self.archive).await?;
            self.unpublished = 0;
        }
        Ok(took)
    }

    async fn sequence(&mut self, epoch: i64) -> Result<i64, EvidenceError> {
        let archive = self.archive.clone();
        let Some(mut tx) = archive.store.begin_sequencing(self.lead.holder(), epoch).await? else {
            self.trees.clear();
            return Ok(0);
        };
        let mut groups: BTreeMap<LogScope, Vec<Waiting>> = BTreeMap::new();
        let now = Instant::now();
        let aside: Vec<LogScope> = self.aside.iter().filter(|(_, aside)| aside.until > now).map(|(scope, _)| *scope).collect();
        let waiting = tx.read(archive.batch, &aside).await?;
        let mut took = i64::try_from(waiting.iter().map(|w| w.count).sum::<usize>()).unwrap_or(i64::MAX);
        for row in waiting {
            groups.entry(row.scope).or_default().push(row);
        }
        let changing = self.list_changing(&mut tx, &aside).await?;
        took = took.saturating_add(i64::try_from(changing.len()).unwrap_or(i64::MAX));
        for scope in changing {
            groups.entry(scope).or_default();
        }
        failpoint::reach("events_taken").await;
        // A tree that this transaction touches is out of memory until the commit: if we fail, it is read again.
        let mut touched = Vec::new();
        for (scope, waiting) in &groups {
            let tree = self.trees.remove(scope);
            match grown(&archive, &mut tx, *scope, tree, waiting).await {
                Ok(tree) => touched.push((*scope, tree)),
                Err(error) if error.is_of_one_log() => {
                    drop(tx);
                    self.set_aside(*scope, error).await?;
                    return Ok(took);
                }
                Err(error) => return Err(error),
            }
        }
        failpoint::reach("checkpoint_signed").await;
        tx.commit().await?;
        failpoint::reach("checkpoint_committed").await;
        self.unchanged.iter_mut().for_each(|left| left.retain(|scope| !groups.contains_key(scope)));
        for (scope, tree) in &touched {
            self.aside.remove(scope);
            let bodies = groups.remove(scope).into_iter().flatten().flat_map(|waiting| waiting.bodies).collect();
            self.publisher.expect(tree.extent(), bodies);
        }
        self.trees.extend(touched);
        Ok(took)
    }

    /// A few of the logs that are to go on under the next key: also those in which nothing happens any more.
    async fn list_changing(&mut self, tx: &mut Sequencing, aside: &[LogScope]) -> Result<Vec<LogScope>, EvidenceError> {
        let Some(next) = self.archive.keys().next() else { return Ok(Vec::new()) };
        let unchanged = match &mut self.unchanged {
            Some(unchanged) => unchanged,
            none => none.insert(tx.unchanged(&next).await?),
        };
        Ok(unchanged.iter().filter(|scope| !aside.contains(scope)).take(CHANGES_AT_ONCE).copied().collect())
    }

    /// Leaves a log alone for a while, loudly: what follows in it would stand on what does not fit. The transaction is
    /// gone, and its events of all logs are in the inbox again.
    async fn set_aside(&mut self, scope: LogScope, error: EvidenceError) -> Result<(), EvidenceError> {
        self.trees.clear();
        tracing::error!(log = ?scope, error = with_causes(&error), remedy = error.remedy(), "a log is set aside; the others go on");
        let is_new = self.aside.insert(scope, Aside { until: Instant::now() + ASIDE, error }).is_none();
        match scope {
            LogScope::Incident(controller_id, incident_no) if is_new => {
                Ok(self.archive.store.raise_alarm(IncidentKey { controller_id, incident_no }, "log_set_aside").await?)
            }
            _ => Ok(()),
        }
    }
}
