//! What a loop does only now and then.

use std::time::{Duration, Instant};

/// Says when it is time again; the first time after one pause.
pub struct Every {
    pause: Duration,
    last: Instant,
}

impl Every {
    /// So often at most.
    pub fn new(pause: Duration) -> Self {
        Self { pause, last: Instant::now() }
    }

    /// Whether it is time; the next pause begins with a yes.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.last.elapsed() >= self.pause;
        if is_due {
            self.last = Instant::now();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_time_once_after_each_pause() {
        assert!(!Every::new(Duration::from_secs(3600)).is_due(), "not at once");
        let mut every = Every::new(Duration::ZERO);
        assert!(every.is_due());
        every.pause = Duration::from_secs(3600);
        assert!(!every.is_due(), "a yes begins the next pause");
    }
}
