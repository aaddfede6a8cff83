//! How long a call that was not taken waits before it is tried again.

use crate::config::Dispatch;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// Attempts after which the pause has long reached its limit.
const STEPS_MAX: u32 = 32;

/// Full jitter: a random wait between nothing and the exponential step of this attempt, and what the provider asked for at
/// least; ms.
pub(super) fn backoff_ms(dispatch: &Dispatch, attempt: u32, retry_after: Option<Duration>) -> i64 {
    wait_ms(step(dispatch, attempt), rand::random(), retry_after)
}

/// The longest wait after this attempt: it doubles from `backoff_min_ms` to `backoff_max_ms`.
fn step(dispatch: &Dispatch, attempt: u32) -> Duration {
    let longest = Duration::from_millis(dispatch.backoff_max_ms);
    let steps = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(dispatch.backoff_min_ms))
        .with_max_delay(longest)
        .without_max_times();
    let nth = attempt.saturating_sub(1).min(STEPS_MAX);
    steps.build().nth(usize::try_from(nth).unwrap_or_default()).unwrap_or(longest)
}

/// `drawn` lies between 0 and 1.
fn wait_ms(step: Duration, drawn: f64, retry_after: Option<Duration>) -> i64 {
    let jittered = step.mul_f64(drawn);
    i64::try_from(jittered.max(retry_after.unwrap_or_default()).as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::{Settings, layers_with};

    fn dispatch(min_ms: u64, max_ms: u64) -> Dispatch {
        let flags = [("dispatch.backoff_min_ms", min_ms), ("dispatch.backoff_max_ms", max_ms)];
        let flags = flags.map(|(key, ms)| (key.to_owned(), ms.to_string()));
        Settings::load(&layers_with(None, [], &flags)).unwrap().dispatch
    }

    #[test]
    fn the_longest_wait_doubles_from_the_least_to_the_most_that_the_settings_say() {
        let steps = |dispatch: &Dispatch| [1, 2, 3, 4, 5, 6, 1000, u32::MAX].map(|n| step(dispatch, n).as_millis());

        assert_eq!(steps(&dispatch(500, 6000)), [500, 1000, 2000, 4000, 6000, 6000, 6000, 6000]);
        assert_eq!(steps(&dispatch(70, 70)), [70; 8]);
        assert_eq!(step(&dispatch(500, 6000), 0).as_millis(), 500, "there is no attempt before the first");
    }

    #[test]
    fn the_wait_is_drawn_from_the_whole_of_its_step_and_never_shorter_than_the_provider_asks() {
        let (step, asked) = (Duration::from_secs(8), Some(Duration::from_secs(3)));

        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|drawn| wait_ms(step, drawn, None)), [0, 2000, 4000, 8000]);
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|drawn| wait_ms(step, drawn, asked)), [3000, 3000, 4000, 8000]);
        assert_eq!(wait_ms(step, 0.5, Some(Duration::from_secs(60))), 60_000);
    }

    #[test]
    fn waits_of_many_fill_their_step_evenly() {
        let dispatch = dispatch(1000, 1_000_000);
        let mut quarters = [0_u32; 4];
        for _ in 0..4000 {
            let wait = usize::try_from(backoff_ms(&dispatch, 4, None)).unwrap();
            *quarters.get_mut(wait / 2000).unwrap() += 1;
        }

        assert!(quarters.iter().all(|n| (850..1150).contains(n)), "{quarters:?}");
    }
}
