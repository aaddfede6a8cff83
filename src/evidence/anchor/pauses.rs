//! How long somebody who failed is left alone: longer each time, and for how long it has gone on.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

struct Pause {
    waits: ExponentialBackoff,
    until: Instant,
    since: Instant,
}

/// The pauses of one target: of all logs where it cannot be reached, of single ones that it refuses.
pub(super) struct Pauses {
    min: Duration,
    max: Duration,
    held: HashMap<Option<Uuid>, Pause>,
}

impl Pauses {
    /// None yet; waits double from `min` to `max`, and a random part is added.
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, held: HashMap::new() }
    }

    /// Whether the target may be tried for this log.
    pub(super) fn may_try(&self, log_id: Uuid) -> bool {
        [None, Some(log_id)].iter().filter_map(|key| self.held.get(key)).all(|pause| pause.until <= Instant::now())
    }

    /// Notes a failure of one log, or of all; returns how long it has failed without success between.
    pub(super) fn failed(&mut self, log_id: Option<Uuid>) -> Duration {
        let now = Instant::now();
        let waits =
            ExponentialBuilder::default().with_min_delay(self.min).with_max_delay(self.max).without_max_times().with_jitter();
        let pause = self.held.entry(log_id).or_insert_with(|| Pause { waits: waits.build(), until: now, since: now });
        pause.until = now + pause.waits.next().unwrap_or(self.max);
        pause.since.elapsed()
    }

    /// Forgets failures: the target can be reached, and took this log.
    pub(super) fn succeeded(&mut self, log_id: Uuid) {
        self.held.remove(&None);
        self.held.remove(&Some(log_id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_refused_waits_alone_and_a_target_out_of_reach_waits_whole() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut pauses = Pauses::new(Duration::from_secs(60), Duration::from_secs(600));
        assert!(pauses.may_try(one));
        pauses.failed(Some(one));
        assert!(!pauses.may_try(one) && pauses.may_try(other));
        pauses.failed(None);
        assert!(!pauses.may_try(other));
        pauses.succeeded(other);
        assert!(!pauses.may_try(one) && pauses.may_try(other));
    }
}
