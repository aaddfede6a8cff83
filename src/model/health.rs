//! Whether a lane is well, by how its calls end, and how long it rests where it is not.

use super::step::Answer;
use std::time::Duration;

/// What the end of one call tells of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Taken, and in time.
    Well,
    /// The provider answers, and will never take this one. Of one call no sign of sickness; of many it is.
    Refused,
    /// No answer that means anything, no connection, or one that came too late to go on like this.
    Sick,
    /// Nothing: it did not begin, or the provider asked for time.
    Nothing,
}

/// The code of a call of which nothing was written: nobody took the connection.
const NOT_WRITTEN: &str = "not_written";

/// Reads the end of a call.
pub fn sign(answer: Answer, code: &str, is_slow: bool) -> Sign {
    match answer {
        Answer::Accepted if !is_slow => Sign::Well,
        Answer::Accepted | Answer::Unknown => Sign::Sick,
        Answer::Rejected => Sign::Refused,
        Answer::NotTaken if code == NOT_WRITTEN => Sign::Sick,
        // What stops the lane says so itself.
        Answer::NotTaken | Answer::LaneStopped => Sign::Nothing,
    }
}

/// The signs of some calls of one lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// Calls that tell something.
    pub calls: i64,
    /// Of them those that were not taken in time.
    pub bad: i64,
    /// Of these those that are a sign of sickness even alone.
    pub sick: i64,
}

impl Signs {
    /// Adds one.
    pub fn add(&mut self, sign: Sign) {
        self.calls += i64::from(sign != Sign::Nothing);
        self.bad += i64::from(matches!(sign, Sign::Refused | Sign::Sick));
        self.sick += i64::from(sign == Sign::Sick);
    }

    /// Whether the call that went first after a rest ended well: the provider answers, and what it says means something.
    pub fn is_answered(self) -> bool {
        self.calls > 0 && self.sick == 0
    }
}

/// When a lane rests, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct HealthRules {
    /// Calls within so many ms are looked at together.
    pub window_ms: i64,
    /// Bad calls, at least.
    pub bad_min: i64,
    /// Bad calls of a hundred, at least.
    pub bad_percent: i64,
    /// First rest, ms; each that follows without a good call between is twice as long.
    pub rest_min_ms: i64,
    /// Longest rest, ms.
    pub rest_max_ms: i64,
}

impl HealthRules {
    /// Whether so many bad calls of so many stop the lane.
    pub fn is_sick(&self, calls: i64, bad: i64) -> bool {
        bad >= self.bad_min.max(1) && bad.saturating_mul(100) >= calls.saturating_mul(self.bad_percent)
    }

    /// How long a lane rests that has rested so often, beginning with `first_ms`.
    pub fn rest_ms(&self, first_ms: i64, rests: i32) -> i64 {
        let doubled = first_ms.saturating_mul(1 << rests.clamp(0, 30));
        doubled.min(self.rest_max_ms.max(first_ms))
    }
}

/// Part of its pace with which a lane begins that goes on after a rest.
const FIRST_PART: f64 = 0.125;

/// Part of its pace that a lane has which is open for so long after a rest, `None`: which never rested; it grows evenly.
pub fn part_of_pace(open_for: Option<Duration>, whole_after: Duration) -> f64 {
    match open_for {
        Some(open_for) if open_for < whole_after => (open_for.as_secs_f64() / whole_after.as_secs_f64()).max(FIRST_PART),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: HealthRules =
        HealthRules { window_ms: 60_000, bad_min: 10, bad_percent: 50, rest_min_ms: 30_000, rest_max_ms: 900_000 };

    #[test]
    fn a_lane_is_sick_by_many_bad_calls_that_are_a_large_part_of_all() {
        assert!(RULES.is_sick(10, 10) && RULES.is_sick(20, 10));
        assert!(!RULES.is_sick(9, 9), "too few to tell");
        assert!(!RULES.is_sick(1000, 499), "most were taken");
    }

    #[test]
    fn rests_double_up_to_the_longest() {
        let rests: Vec<i64> = (0..7).map(|n| RULES.rest_ms(30_000, n)).collect();
        assert_eq!(rests, [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]);
        assert_eq!(HealthRules { rest_max_ms: 1000, ..RULES }.rest_ms(60_000, 3), 60_000);
        assert_eq!(RULES.rest_ms(60_000, i32::MAX), 900_000);
    }

    #[test]
    fn a_lane_gets_its_pace_back_little_by_little() {
        let part = |open_for| part_of_pace(open_for, Duration::from_secs(40));
        let parts = [Some(0), Some(5), Some(20), Some(40)].map(|seconds| part(seconds.map(Duration::from_secs)));
        assert!(parts.iter().zip([0.125, 0.125, 0.5, 1.0]).all(|(is, must)| (is - must).abs() < 1e-9), "{parts:?}");
        assert!((part(None) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_slow_call_is_a_bad_sign_and_a_refusal_is_one_only_among_many() {
        assert_eq!(sign(Answer::Accepted, "200", false), Sign::Well);
        assert_eq!(sign(Answer::Accepted, "200", true), Sign::Sick);
        assert_eq!(sign(Answer::Unknown, "503", false), Sign::Sick);
        assert_eq!(sign(Answer::NotTaken, "not_written", false), Sign::Sick);
        for code in ["429", "send_by", "hold_changed"] {
            assert_eq!(sign(Answer::NotTaken, code, true), Sign::Nothing, "{code}");
        }
        let mut signs = Signs::default();
        signs.add(sign(Answer::Rejected, "400", false));
        assert_eq!((signs, signs.is_answered()), (Signs { calls: 1, bad: 1, sick: 0 }, true));
        signs.add(Sign::Sick);
        assert!(!signs.is_answered() && !Signs::default().is_answered());
    }
}
