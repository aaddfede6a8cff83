//! Why messages wait that nothing is wrong with, and until when.

use crate::cli::output::{count, figure, when};
use crate::report::progress::Progress;

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
