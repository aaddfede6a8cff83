//! Whether a claimed call may still start: its `send_by` has not passed, and no hold was set since its claim.

use super::Office;
use crate::provider::guarded::MayStart;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The hold version of all incidents, read again and again; one per process.
pub struct HoldWatch {
    version: AtomicI64,
    read_at: Mutex<Instant>,
    age_max: Duration,
}

impl HoldWatch {
    /// Reads the version for the first time.
    pub async fn start(office: &Office) -> Result<Arc<Self>, crate::store::StoreError> {
        let read_at = Instant::now();
        let version = office.store.hold_version().await?;
        let age_max = Duration::from_millis(office.settings.dispatch.hold_check_ms);
        Ok(Arc::new(Self { version: AtomicI64::new(version), read_at: Mutex::new(read_at), age_max }))
    }

    /// Reads it three times as often as it may be old, until `stop`.
    pub async fn run(self: Arc<Self>, office: Arc<Office>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let read_at = Instant::now();
            if let Ok(version) = office.store.hold_version().await {
                self.version.store(version, Ordering::SeqCst);
                *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = read_at;
            }
            tokio::time::sleep(self.age_max / 3).await;
        }
    }

    /// The version as last read; take it before the claim.
    pub fn version(&self) -> i64 {
        self.version.load(Ordering::SeqCst)
    }

    fn is_fresh(&self) -> bool {
        self.read_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() <= self.age_max
    }
}

/// What one batch of claims may rely on.
#[derive(Clone)]
pub struct Gate {
    watch: Arc<HoldWatch>,
    seen_version: i64,
    send_by: Instant,
}

impl Gate {
    /// A gate to be made before the claim begins, so that this process never believes in more time than the database.
    pub fn before_claim(watch: &Arc<HoldWatch>, send_by_ms: u64) -> Self {
        let send_by = Instant::now() + Duration::from_millis(send_by_ms);
        Self { watch: watch.clone(), seen_version: watch.version(), send_by }
    }

    /// Refuses with a code; such a call is `not_taken`, since nothing left this process.
    pub fn check(&self) -> Result<(), &'static str> {
        if Instant::now() >= self.send_by {
            Err("send_by")
        } else if !self.watch.is_fresh() || self.watch.version() != self.seen_version {
            Err("hold_changed")
        } else {
            Ok(())
        }
    }

    /// The same question for the transport.
    pub fn for_transport(&self) -> MayStart {
        let gate = self.clone();
        Arc::new(move || gate.check())
    }
}
