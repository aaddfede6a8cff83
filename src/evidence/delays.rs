//! Says that evidence is late: a state without its proof in time is an incident. It is looked for beside the sequencer, under a
//! lead of its own: who is late has no time to say so, and a copy that does not end would keep it quiet.

use super::EvidenceError;
use crate::store::Store;
use crate::store::leadership::Lead;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What waits longer than this is an alarm: an event for its place, or for the copy outside.
const LATE_SECONDS: f64 = 60.0;
/// How often the alarm is raised while it lasts.
const ALARM_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether there is one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who looks.
pub(super) struct Delays {
    store: Store,
    lead: Lead,
    alarmed: Option<Instant>,
}

impl Delays {
    pub(super) fn new(store: Store) -> Self {
        Self { store, lead: Lead::new("delays", &Uuid::now_v7().to_string()), alarmed: None }
    }

    /// Looks again and again until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            self.look().await;
        }
        if let Err(error) = self.lead.resign(&self.store).await {
            tracing::warn!(error = %error, "the lead of who looks for delays was not given up; it runs out by itself");
        }
    }

    /// Says, once a minute while it lasts, that evidence is late.
    pub(super) async fn look(&mut self) {
        if self.alarmed.is_some_and(|at| at.elapsed() < ALARM_EVERY) {
            return;
        }
        match self.record().await {
            Ok(true) => self.alarmed = Some(Instant::now()),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(error = %error, remedy = error.remedy(), "whether events wait too long could not be told");
            }
        }
    }

    /// Whether events of any log wait too long; one process writes it down, and nobody while a restore is open.
    async fn record(&mut self) -> Result<bool, EvidenceError> {
        let late = self.store.list_late_logs(LATE_SECONDS).await?;
        if late.is_empty() || self.store.open_restore().await?.is_some() || !self.lead.is_held(&self.store).await? {
            return Ok(false);
        }
        for (scope, lag) in &late {
            tracing::error!(
                log = ?scope,
                events = lag.events,
                seconds = lag.oldest_seconds,
                remedy = "see whether `duly serve scheduler` runs and can write to `evidence.outside`",
                "events wait too long for their place in the log, or to be published"
            );
            self.store.record_delay(*scope, lag).await?;
        }
        Ok(true)
    }
}
