//! When the last message leaves, where a lane takes only so many a day.

use super::state::Channel;
use time::{Date, OffsetDateTime};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What a lane may still take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRoom {
    /// Name.
    pub lane: String,
    /// Messages a day (UTC); `None`: as many as its pace allows.
    pub per_day: Option<u64>,
    /// Messages a second.
    pub per_second: u32,
    /// Messages that it was handed today.
    pub taken_today: u64,
}

impl LaneRoom {
    /// Messages that it takes in `open` seconds of one day, of which it has had `taken`.
    fn takes(&self, open: u64, taken: u64) -> u64 {
        let paced = u64::from(self.per_second).saturating_mul(open);
        self.per_day.map_or(paced, |limit| limit.saturating_sub(taken).min(paced))
    }

    /// Whether it takes nothing more today.
    pub fn is_full(&self) -> bool {
        self.per_day.is_some_and(|limit| self.taken_today >= limit)
    }
}

/// When the last of so many messages leaves, if nothing else goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Forecast {
    /// Messages that wait.
    pub messages: u64,
    /// Messages of other plans that may go before them.
    pub ahead: u64,
    /// Messages that the lanes take on a whole day.
    pub per_day: u64,
    /// Days after today, UTC; 0: today.
    pub days: u64,
    /// The last one's day, UTC.
    #[serde(serialize_with = "iso_day")]
    pub last_day: Date,
}

fn iso_day<S: serde::Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

/// Forecasts `messages` behind `ahead` others on these lanes of one channel, which send for `open_seconds` of each day;
/// `None` where no lane would ever take them.
pub fn forecast(now: OffsetDateTime, messages: u64, ahead: u64, lanes: &[LaneRoom], open_seconds: u64) -> Option<Forecast> {
    let gone = u64::try_from((now - now.replace_time(time::Time::MIDNIGHT)).whole_seconds()).unwrap_or(0);
    let open_today = DAY.saturating_sub(gone).min(open_seconds);
    let today: u64 = lanes.iter().map(|lane| lane.takes(open_today, lane.taken_today)).fold(0, u64::saturating_add);
    let per_day: u64 = lanes.iter().map(|lane| lane.takes(open_seconds, 0)).fold(0, u64::saturating_add);
    let rest = messages.saturating_add(ahead).saturating_sub(today);
    if rest > 0 && per_day == 0 {
        return None;
    }
    let days = rest.div_ceil(per_day.max(1));
    let last_day = now.date().checked_add(time::Duration::days(i64::try_from(days).ok()?))?;
    Some(Forecast { messages, ahead, per_day, days, last_day })
}

/// A whole day, for channels that never wait for the morning.
pub const ALL_DAY: u64 = DAY;

/// The messages of a plan on one channel: when the last one leaves, and whether that is in time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Outlook {
    /// Plan.
    pub plan: i32,
    /// Channel word.
    pub channel: &'static str,
    /// When the last one leaves.
    #[serde(flatten)]
    pub forecast: Forecast,
    /// By which day everybody shall be written to; `None`: the plan does not say.
    #[serde(serialize_with = "iso_day_or_null")]
    pub told_by: Option<Date>,
}

fn iso_day_or_null<S: serde::Serializer>(day: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    match day {
        Some(day) => serializer.collect_str(day),
        None => serializer.serialize_none(),
    }
}

impl Outlook {
    /// Days by which the last one is late; 0: in time.
    pub fn late_days(&self) -> i64 {
        self.told_by.map_or(0, |told_by| (self.forecast.last_day - told_by).whole_days().max(0))
    }

    /// `47,000 letters at 20,000 a day: last one on Thursday 26 November, deadline met (27 November)`.
    pub fn words(&self) -> String {
        let Forecast { messages, ahead, per_day, days, last_day } = &self.forecast;
        let (one, many) = match self.channel {
            channel if channel == Channel::Letter.as_str() => ("letter", "letters"),
            channel if channel == Channel::Sms.as_str() => ("text message", "text messages"),
            _ => ("email", "emails"),
        };
        let noun = if *messages == 1 { one } else { many };
        let behind = if *ahead > 0 { format!(" behind {} of other plans", grouped(*ahead)) } else { String::new() };
        let when = match days {
            0 => ": last one today".to_owned(),
            _ => format!(" at {} a day: last one on {} {}", grouped(*per_day), last_day.weekday(), day(*last_day)),
        };
        let in_time = match (self.told_by, self.late_days()) {
            (None, _) => String::new(),
            (Some(told_by), 0) => format!(", deadline met ({})", day(told_by)),
            (Some(told_by), 1) => format!(", deadline missed by 1 day ({})", day(told_by)),
            (Some(told_by), late) => format!(", deadline missed by {late} days ({})", day(told_by)),
        };
        format!("{} {noun}{behind}{when}{in_time}", grouped(*messages))
    }
}

fn day(day: Date) -> String {
    format!("{} {}", day.day(), day.month())
}

/// `47,000`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    /// A Tuesday.
    const NOW: OffsetDateTime = datetime!(2026-11-24 09:00 UTC);

    fn lane(per_day: Option<u64>, per_second: u32, taken_today: u64) -> LaneRoom {
        LaneRoom { lane: "letters".to_owned(), per_day, per_second, taken_today }
    }

    fn last_day(messages: u64, ahead: u64, lanes: &[LaneRoom]) -> Option<Date> {
        forecast(NOW, messages, ahead, lanes, ALL_DAY).map(|f| f.last_day)
    }

    #[test]
    fn forty_seven_thousand_letters_at_twenty_thousand_a_day_take_three_days() {
        let fresh = [lane(Some(20_000), 50, 0)];

        assert_eq!(last_day(20_000, 0, &fresh), Some(date!(2026 - 11 - 24)));
        assert_eq!(last_day(47_000, 0, &fresh), Some(date!(2026 - 11 - 26)));
        // What the lane took today, and what goes before, counts.
        assert_eq!(last_day(47_000, 0, &[lane(Some(20_000), 50, 14_000)]), Some(date!(2026 - 11 - 27)));
        assert_eq!(last_day(47_000, 13_001, &fresh), Some(date!(2026 - 11 - 27)));
    }

    #[test]
    fn an_outlook_says_when_the_last_one_leaves_and_whether_that_is_in_time() {
        let says = |told_by| {
            let forecast = forecast(NOW, 47_000, 0, &[lane(Some(20_000), 50, 0)], ALL_DAY).unwrap();
            Outlook { plan: 1, channel: "letter", forecast, told_by }.words()
        };
        let met = "47,000 letters at 20,000 a day: last one on Thursday 26 November, deadline met (26 November)";
        assert_eq!(says(Some(date!(2026 - 11 - 26))), met);
        assert!(says(Some(date!(2026 - 11 - 24))).ends_with(", deadline missed by 2 days (24 November)"));
        assert!(says(None).ends_with("on Thursday 26 November"));
    }

    #[test]
    fn lanes_of_a_channel_share_the_work_and_the_pace_may_be_the_limit() {
        assert_eq!(last_day(47_000, 0, &[lane(Some(20_000), 50, 0), lane(Some(30_000), 50, 0)]), Some(date!(2026 - 11 - 24)));
        // One a second: 15 hours are left of this day.
        assert_eq!(last_day(54_001, 0, &[lane(None, 1, 0)]), Some(date!(2026 - 11 - 25)));
        assert_eq!(last_day(1, 0, &[]), None);
        assert_eq!(last_day(0, 0, &[]), Some(date!(2026 - 11 - 24)));
    }

    #[test]
    fn a_lane_is_full_once_it_was_handed_what_it_takes() {
        assert!(lane(Some(10), 1, 10).is_full() && !lane(Some(10), 1, 9).is_full() && !lane(None, 1, 99).is_full());
    }
}
