//! Why messages wait that nothing is wrong with, and until when.

use crate::cli::output::{Paint, count, figure, when};
use crate::dispatch::batches::Lost;
use crate::report::progress::{LaneStatus, Progress};

/// Lanes that are full for today, and when the last message of each plan leaves.
pub fn waiting(progress: &Progress) -> Vec<String> {
    let full = progress.full_lanes.iter().map(|(lane, per_day)| {
        let per_day = figure(i64::try_from(*per_day).unwrap_or(i64::MAX));
        format!("  Lane {lane} was handed its {per_day} of today and goes on at 00:00 UTC")
    });
    let outlook = progress.outlook.iter().map(|outlook| format!("  Plan {}: {}", outlook.plan, outlook.words()));
    let asleep = progress.asleep.until.map(|until| {
        let texts = count(progress.asleep.messages, "text message waits", "text messages wait");
        format!("  {texts} for the morning where the people are; the first leaves {}", when(until))
    });
    full.chain(asleep).chain(outlook).collect()
}

/// Batches that somebody must carry, or sign for.
pub fn uncarried(progress: &Progress, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for carried in &progress.carried {
        let lane = &carried.lane;
        let Some(batches) = &carried.batches else {
            lines.push(format!(
                "  {} look where the workers run",
                paint.asks(&format!("the folder of lane {lane} cannot be read here:"))
            ));
            continue;
        };
        if carried.lacks.is_any() {
            let lacks = paint.bad(&format!("ALARM: the folder of lane {lane} is an older copy, {}:", lacks_words(carried.lacks)));
            lines.push(format!("  {lacks} put its newest copy back; nothing is written to it meanwhile"));
        }
        for batch in batches {
            let messages = count(i64::try_from(batch.messages).unwrap_or(i64::MAX), "message", "messages");
            let (name, due) = (&batch.batch, when(batch.due_at));
            let what = match batch.is_late {
                true => paint.bad(&format!("ALARM: batch {name} with {messages} is not signed for, which was due {due}:")),
                false => paint.asks(&format!("batch {name} with {messages} waits to be carried, until {due}:")),
            };
            lines.push(format!("  {what} duly batch handed-over {name} --lane {lane}"));
        }
    }
    lines
}

/// Lanes that somebody took out of the settings, or renamed, while messages were on them.
pub fn without_lane(progress: &Progress, paint: Paint) -> Vec<String> {
    let line = |(lane, n): (&String, &i64)| {
        let what = format!("lane {lane} is not in the settings, {} on it:", count(*n, "open message is", "open messages are"));
        format!("  {} put it back under [lanes.{lane}], or nobody sends them and nobody is asked for news", paint.bad(&what))
    };
    progress.missing_lanes.iter().map(line).collect()
}

/// What an older copy of a folder lacks.
pub fn lacks_words(lost: Lost) -> String {
    let n = |n: usize, one, many| count(i64::try_from(n).unwrap_or(i64::MAX), one, many);
    format!("and lacks {} and {}", n(lost.batches, "batch", "batches"), n(lost.messages, "message", "messages"))
}

/// Lanes that rest, and what somebody does about each.
pub fn resting(progress: &Progress, paint: Paint) -> Vec<String> {
    let line = |lane: &LaneStatus| {
        let (name, rest) = (lane.lane.as_deref()?, lane.pause.as_ref()?);
        let until = when(rest.pause.until);
        let what = format!("lane {name} is paused until {until}, {} (code {}):", rest.stop.why, rest.pause.code);
        Some(format!("  {} {}", paint.asks(&what), rest.stop.remedy))
    };
    progress.lanes.iter().filter_map(line).collect()
}
