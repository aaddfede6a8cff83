//! Asks providers how their messages stand: often where they cannot call us, else once a day, so that the last word is
//! ours before they forget it. With this alone, and no inbound connection, all is learned that they show to whoever asks; that
//! a letter came back GOV.UK Notify tells by its callback alone.

use super::resolver::{news, note_of, own};
use super::{DispatchError, Office, shown, told};
use crate::model::causes::with_causes;
use crate::model::state::MessageState;
use crate::provider::{Account, Seen};
use crate::store::harvest::{Asking, Untold};
use crate::store::leadership::Lead;
use crate::store::outcome::Found;
use futures::StreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Messages asked about in one round of a lane, by its pace: half of what it may send in the time of a round. Where its vendor
/// states a limit, the account's pace makes them wait.
const ROUND: Duration = Duration::from_secs(10);
const ROUND_MAX: i64 = 1000;
/// Questions at once.
const CONCURRENT: usize = 8;
/// Pause between two rounds: a tenth of the lane's own, between these two.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Asks while this process leads, until `stop`.
pub async fn run(office: Arc<Office>, holder: String, stop: CancellationToken) {
    let Some(shortest) = office.accounts.values().filter_map(|account| account.poll).min() else { return };
    let mut lead = Lead::beside("harvest", "scheduler", &holder);
    while !stop.is_cancelled() {
        let begun = Instant::now();
        // A question that is broken off tells nothing; whoever stops does not wait until all may be asked.
        let asked = tokio::select! { () = stop.cancelled() => break, asked = round(&office, &mut lead) => asked };
        let is_full = asked.unwrap_or_else(|error| {
            tracing::warn!(error = with_causes(&error), "providers were not asked how their messages stand, and are asked again");
            false
        });
        // As long as there is more to ask about, only the pace waits.
        let pause = match is_full {
            true => ROUND.saturating_sub(begun.elapsed()),
            false => (shortest / 10).clamp(PAUSE_MIN, PAUSE_MAX),
        };
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(pause) => {} }
    }
}

/// Messages of one round of a lane that sends so many a second.
fn limit(per_second: u32) -> i64 {
    let taken = i64::from(per_second).saturating_mul(i64::try_from(ROUND.as_secs()).unwrap_or(1));
    (taken / 2).clamp(1, ROUND_MAX)
}

/// Which messages of a lane are asked about, and for how long.
pub fn asking<'a>(account: &Account, lane: &'a str, every: Duration) -> Asking<'a> {
    let capabilities = account.capabilities();
    Asking {
        lane,
        every,
        within: capabilities.asked_for(account.channel),
        at_least_every: capabilities.asked_at_least_every(),
        limit: limit(account.per_second),
    }
}

/// Asks once about what is due on every lane; whether on one of them there may be more.
async fn round(office: &Office, lead: &mut Lead) -> Result<bool, DispatchError> {
    if !lead.is_held(&office.store).await? || office.store.open_restore().await?.is_some() {
        return Ok(false);
    }
    let mut is_full = false;
    for (lane, account) in &office.accounts {
        let Some(every) = account.poll else { continue };
        let mut asking = asking(account, lane, every);
        asking.limit = office.paces.questions_within(lane, ROUND).map_or(asking.limit, |most| asking.limit.min(most.max(1)));
        let untold = office.store.list_untold_news(&asking).await?;
        is_full |= i64::try_from(untold.len()).is_ok_and(|n| n >= asking.limit);
        futures::stream::iter(untold)
            .for_each_concurrent(CONCURRENT, |message| async move {
                if let Err(error) = ask(office, account, &message).await {
                    tracing::warn!(message = %message.message_id, error = with_causes(&error), "news of a message were not recorded");
                }
            })
            .await;
        // Another quarter of the lane's pace, so that sending goes on.
        is_full |= shown::round(office, account, (asking.limit / 2).max(1)).await?;
    }
    Ok(is_full)
}

async fn ask(office: &Office, account: &Account, message: &Untold) -> Result<(), DispatchError> {
    let Untold { incident, person_id, message_id, .. } = *message;
    office.paces.ask(&account.name).await;
    let lookup_id = office.store.insert_question(incident, message_id, message.attempt, message.is_for_price).await?;
    let seen = news(account, message.provider_id.as_deref(), Some(&message.reference)).await;
    let seen = own(office, (incident, message_id), seen).await?;
    told::keep(office, account, (incident, message_id), lookup_id, &seen).await?;
    let known = if message.was_posted { MessageState::HandedToCarrier } else { message.state };
    let is_news = |seen: &Seen| seen.status.is_some_and(|report| report.report_rank() > known.report_rank());
    if seen.first().is_some_and(is_news) {
        let ids: Vec<String> = seen.iter().map(|seen| seen.provider_id.clone()).collect();
        let status = seen.first().and_then(|seen| seen.status);
        let stop_code = seen.first().and_then(|seen| account.provider.stop_code(&seen.word));
        let note = note_of(account, &seen, "polled");
        office
            .store
            .record_found(&Found { incident, person_id, message_id, lookup_id, ids: &ids, status, stop_code }, note)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_asked_half_as_much_as_it_may_send_so_that_sending_goes_on() {
        assert_eq!([1, 5, 50, 200, u32::MAX].map(limit), [5, 25, 250, 1000, 1000]);
        let a_day = limit(5) * 86_400 / i64::try_from(ROUND.as_secs()).unwrap_or(1);
        assert!(a_day > 47_000, "the slowest vendor's lane keeps up: {a_day}");
    }
}
