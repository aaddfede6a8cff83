//! The hours of the night in which nobody's phone is made to ring, by the clock where the person is.

use serde_json::{Value, json};
use time::Time;
use time::macros::format_description;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Quiet hours: from one time of the day until another, perhaps past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// First time at which text messages wait.
    pub from: Time,
    /// First time at which they may leave again.
    pub until: Time,
}

/// Why hours cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time of the day is written as 21:00")]
pub struct NoTime;

fn read(text: &str) -> Result<Time, NoTime> {
    Time::parse(text, format_description!("[hour]:[minute]")).map_err(|_| NoTime)
}

fn write(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

impl Quiet {
    /// Reads two times of the day; `None` where they are the same: no hour is quiet.
    pub fn parse(from: &str, until: &str) -> Result<Option<Self>, NoTime> {
        let (from, until) = (read(from)?, read(until)?);
        Ok((from != until).then_some(Self { from, until }))
    }

    /// Seconds of a day at which text messages may leave.
    pub fn awake_seconds(&self) -> u64 {
        let seconds = |time: Time| u64::from(time.hour()) * 3600 + u64::from(time.minute()) * 60;
        let quiet = (DAY + seconds(self.until) - seconds(self.from)) % DAY;
        DAY - quiet
    }

    /// As a plan's text says it.
    pub fn to_json(self) -> Value {
        json!({"from": write(self.from), "until": write(self.until)})
    }

    /// What a plan's text says; `None` where its text messages may leave at any hour.
    pub fn of_plan(body: &Value) -> Option<Self> {
        let word = |name: &str| body.get("quiet")?.get(name)?.as_str();
        Self::parse(word("from")?, word("until")?).ok().flatten()
    }
}

impl std::fmt::Display for Quiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", write(self.from), write(self.until))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn hours_past_midnight_and_hours_within_a_day_read_back_from_a_plan() {
        for (from, until, awake) in [("21:00", "08:00", 13), ("01:00", "06:00", 19)] {
            let quiet = Quiet::parse(from, until).unwrap().unwrap();
            assert_eq!(quiet.awake_seconds(), awake * 3600);
            assert_eq!(Quiet::of_plan(&json!({"quiet": quiet.to_json()})), Some(quiet));
            assert_eq!(quiet.to_string(), format!("{from} to {until}"));
        }
        assert_eq!(Quiet::parse("00:00", "00:00"), Ok(None));
        assert_eq!(Quiet::parse("25:00", "08:00"), Err(NoTime));
        assert_eq!(Quiet::of_plan(&json!({"quiet": null})), None);
    }
}
