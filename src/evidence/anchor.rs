//! Anchors: checkpoints in the hands of others, so that even we could not write another past.
//!
//! A log alone proves that it is consistent, not that nobody wrote it anew yesterday. A time stamp, a witness's
//! cosignature, or a checkpoint in the controller's own mail ends that, for everything up to its size. All of it is
//! optional, and nothing here holds a send up: this loop reads what is published and waits for nobody.

mod audit;
mod authority;
pub mod http;
mod pauses;
mod settings;
pub mod stamp;
mod token;
pub mod tsa;
pub mod way;
pub mod witness;

pub use audit::Judges;
pub use authority::Roots;

use super::{Archive, EvidenceError};
use crate::model::causes::with_causes;
use crate::store::anchor::{AnchorKind, Last, LogNow, Occasion};
use crate::store::log::u64_of;
use crate::store::proof::Proofs;
use futures::future::join_all;
use http::HttpError;
use pauses::Pauses;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tsa::{Tsa, TsaError};
use uuid::Uuid;
use way::{HandOverError, Way};
use witness::{Witness, WitnessError, Witnessed};

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// How often checkpoints are handed to a controller whose log grows.
const HAND_OVER_EVERY: time::Duration = time::Duration::DAY;

/// Why a checkpoint was not anchored.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The authority.
    #[error(transparent)]
    Tsa(#[from] TsaError),
    /// The witness.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The hand-over.
    #[error(transparent)]
    HandOver(#[from] HandOverError),
    /// The log itself.
    #[error(transparent)]
    Log(Box<EvidenceError>),
}

impl<E: Into<EvidenceError>> From<E> for AnchorError {
    fn from(error: E) -> Self {
        Self::Log(Box::new(error.into()))
    }
}

impl AnchorError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Tsa(error) => error.remedy().into(),
            Self::Witness(error) => error.remedy().into(),
            Self::HandOver(error) => error.remedy().into(),
            Self::Log(error) => error.remedy(),
        }
    }

    /// Whether the same would happen with any log now.
    fn concerns_all_logs(&self) -> bool {
        matches!(
            self,
            Self::Tsa(TsaError::Http(HttpError::NoAnswer(_)) | TsaError::Status(_))
                | Self::Witness(WitnessError::Http(HttpError::NoAnswer(_)))
                | Self::HandOver(_)
        )
    }
}

/// Who gets checkpoints.
enum Service {
    Tsa(Tsa),
    Witness(Witness),
    HandOver { way: Way, to: String },
}

/// One of them, and its failures.
struct Target {
    service: Service,
    every: time::Duration,
    late_after: Duration,
    pauses: Pauses,
    /// Size of each log's generation up to which nothing but passed audits has come since this service last got it.
    quiet: HashMap<(Uuid, i32), i64>,
}

/// Everybody who gets checkpoints.
pub struct Anchors {
    archive: Arc<Archive>,
    targets: Vec<Target>,
}

/// Anchors while this process leads, until `stop`. Ends at once where nothing is configured.
pub async fn run(mut anchors: Anchors, stop: CancellationToken) {
    use crate::store::leadership::Lead;
    let mut lead = Lead::new("anchors", &Uuid::now_v7().to_string());
    // Without anchors there is nothing to do but to stay: a role that ends stops its process.
    if anchors.targets.is_empty() {
        return stop.cancelled().await;
    }
    while !stop.is_cancelled() {
        let round = async {
            if lead.is_held(&anchors.archive.store).await? {
                anchors.round().await?;
            }
            Ok::<(), EvidenceError>(())
        };
        // A call to somebody slow does not delay a stop; what was not recorded is done again.
        tokio::select! {
            () = stop.cancelled() => break,
            done = round => if let Err(error) = done {
                tracing::warn!(error = with_causes(&error), remedy = error.remedy(), "the anchors could not be looked after and are tried again");
            },
        }
        // Told to stop or not waited any longer: both are fine.
        if timeout(LOOK, stop.cancelled()).await.is_ok() {
            break;
        }
    }
    if let Err(error) = lead.resign(&anchors.archive.store).await {
        tracing::warn!(error = with_causes(&error), "the lead over the anchors was not given up; it runs out by itself");
    }
}

impl Anchors {
    /// Looks once whether anybody must get a checkpoint, and gives it; failures are told, kept and tried again later.
    pub async fn round(&mut self) -> Result<(), EvidenceError> {
        let logs = self.archive.store.list_logs_now().await?;
        let now = self.archive.store.now().await?;
        let archive = &self.archive;
        join_all(self.targets.iter_mut().map(|target| target.round(archive, &logs, now))).await;
        Ok(())
    }
}

impl Target {
    async fn round(&mut self, archive: &Archive, logs: &[LogNow], now: OffsetDateTime) {
        for log in logs {
            if !self.service.wants(log) || !self.pauses.may_try(log.log_id) {
                continue;
            }
            match self.one(archive, log, now).await {
                Ok(false) => {}
                Ok(true) => self.pauses.succeeded(log.log_id),
                Err(error) => {
                    self.complain(log, &error);
                    if error.concerns_all_logs() {
                        break;
                    }
                }
            }
        }
    }

    /// Gives it the log's newest checkpoint where it is time; returns whether it was.
    async fn one(&mut self, archive: &Archive, log: &LogNow, now: OffsetDateTime) -> Result<bool, AnchorError> {
        let last = self.service.last(archive, log).await?;
        let Some(occasion) = log.occasion(last, self.every, now) else { return Ok(false) };
        if occasion == Occasion::Daily && !self.has_news(archive, log, last).await? {
            return Ok(false);
        }
        self.service.give(archive, log, occasion, last, now).await?;
        Ok(true)
    }

    /// Whether the log has grown by more than our own audits, which would have it stamped and handed over for ever.
    async fn has_news(&mut self, archive: &Archive, log: &LogNow, last: Option<Last>) -> Result<bool, EvidenceError> {
        let quiet = self.quiet.entry((log.log_id, log.generation)).or_default();
        let from = last.map_or(0, |last| last.size).max(*quiet);
        if archive.store.has_news(log.log_no, log.generation, from, log.size).await? {
            return Ok(true);
        }
        *quiet = log.size;
        Ok(false)
    }

    fn complain(&mut self, log: &LogNow, error: &AnchorError) {
        let failing = self.pauses.failed((!error.concerns_all_logs()).then_some(log.log_id));
        let (kind, name, origin, remedy) = (self.service.kind(), self.service.name(), &log.origin, error.remedy());
        if failing >= self.late_after {
            let seconds = failing.as_secs();
            tracing::error!(
                kind,
                name,
                origin,
                seconds,
                error = with_causes(&error),
                remedy,
                "checkpoints have not reached this anchor for too long"
            );
        } else {
            tracing::warn!(
                kind,
                name,
                origin,
                error = with_causes(&error),
                remedy,
                "a checkpoint did not reach this anchor and is tried again"
            );
        }
    }
}

impl Service {
    fn kind(&self) -> &'static str {
        match self {
            Self::Tsa(_) => AnchorKind::Tsa.word(),
            Self::Witness(_) => AnchorKind::Witness.word(),
            Self::HandOver { way, .. } => way.name(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Tsa(tsa) => tsa.name(),
            Self::Witness(witness) => witness.name(),
            Self::HandOver { to, .. } => to,
        }
    }

    /// A controller gets its own logs' checkpoints, and the system's, which tell nothing of others.
    fn wants(&self, log: &LogNow) -> bool {
        match self {
            Self::HandOver { to, .. } => log.controller.as_ref().is_none_or(|controller| controller == to),
            _ => true,
        }
    }

    async fn last(&self, archive: &Archive, log: &LogNow) -> Result<Option<Last>, EvidenceError> {
        let store = &archive.store;
        Ok(match self {
            Self::Tsa(tsa) => store.last_anchor(log, AnchorKind::Tsa, tsa.name()).await?,
            Self::Witness(witness) => store.last_anchor(log, AnchorKind::Witness, witness.name()).await?,
            Self::HandOver { way, to } => store.last_hand_over(log, way.name(), to).await?,
        })
    }

    /// If we die between the call and the record, it is done once more: none of it does harm twice.
    async fn give(
        &self,
        archive: &Archive,
        log: &LogNow,
        occasion: Occasion,
        last: Option<Last>,
        now: OffsetDateTime,
    ) -> Result<(), AnchorError> {
        let store = &archive.store;
        match self {
            Self::Tsa(tsa) => {
                let (response, stamp) = tsa.stamp(log.note.as_bytes()).await?;
                store.insert_anchor(log, AnchorKind::Tsa, tsa.name(), &response).await?;
                tracing::info!(origin = log.origin, size = log.size, name = tsa.name(), checked = ?stamp.checked, "stamped");
            }
            Self::Witness(witness) => {
                let lines = cosign(archive, witness, log, last.map_or(0, |last| last.size)).await?;
                store.insert_anchor(log, AnchorKind::Witness, witness.name(), lines.as_bytes()).await?;
                tracing::info!(origin = log.origin, size = log.size, name = witness.name(), "cosigned");
            }
            Self::HandOver { way, to } => {
                way.hand_over(log, occasion, now).await?;
                store.insert_hand_over(log, occasion, way.name(), to).await?;
                tracing::info!(origin = log.origin, size = log.size, way = way.name(), to, "handed over");
            }
        }
        Ok(())
    }
}

/// A witness that has another size than we remember says so, and gets the proof from there.
async fn cosign(archive: &Archive, witness: &Witness, log: &LogNow, last: i64) -> Result<String, AnchorError> {
    let mut old = u64_of(last);
    let ours = u64_of(log.size);
    for _ in 0..2 {
        let proof = Proofs::new(&archive.store, log.log_no, log.generation, ours).consistency(old).await?;
        match witness.show(old, &proof, &log.note).await? {
            Witnessed::Cosigned(lines) => return Ok(lines),
            Witnessed::Has(theirs) if theirs > ours => return Err(WitnessError::Ahead { theirs, ours }.into()),
            Witnessed::Has(theirs) => old = theirs,
        }
    }
    Err(WitnessError::Unsteady.into())
}
