//! Why messages wait that nothing is wrong with, and until when.

use crate::cli::output::{count, figure, when};
use crate::report::progress::Progress;
use crate::store::metrics::LanePause;

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

/// What somebody may do about a lane that rests.
pub fn pause_words(pause: Option<&LanePause>) -> &'static str {
    match pause.map(|pause| pause.code.as_str()) {
        Some("sick") => "its calls failed, were refused or took too long; one is tried then, and nothing is lost meanwhile",
        Some("429_daily") => "its provider takes nothing more today; nothing is lost and no attempt is spent",
        _ => "see its credentials and credit; one call is tried then, nothing is lost and no attempt is spent",
    }
}
