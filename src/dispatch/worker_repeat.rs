//! A repeat under a provider's guarantee: a send like any other, with a claim of its own straight from `unknown`.

use super::draft::prepare;
use super::{DispatchError, Office, backoff_ms};
use crate::model::state::MessageState;
use crate::store::due::Due;
use crate::store::outcome::Outcome;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Next look where the repeat could not be claimed, ms.
const LOOK_AGAIN_MS: i64 = 1000;

/// Claims and makes one repeat with the frozen bytes of the original.
pub async fn repeat(office: &Arc<Office>, row: &Due) -> Result<(), DispatchError> {
    let drafts = office.store.list_drafts(&[row.message_id]).await?;
    let Some(prepared) = drafts.first().and_then(|draft| prepare(office, draft).ok()) else {
        return Ok(office.store.postpone(row.incident, row.message_id, MessageState::Unknown, LOOK_AGAIN_MS).await?);
    };
    let send_by_ms = office.settings.dispatch.send_by_ms;
    let started = Instant::now();
    let claimed = office.store.claim(row.incident, std::slice::from_ref(&prepared.intent), i64::try_from(send_by_ms).unwrap_or(i64::MAX)).await?;
    let (Some(claim), Some(account)) = (claimed.first(), office.accounts.get(&prepared.intent.lane)) else {
        return Ok(office.store.postpone(row.incident, row.message_id, MessageState::Unknown, LOOK_AGAIN_MS).await?);
    };
    let result = if started.elapsed() < Duration::from_millis(send_by_ms) {
        account.submit(prepared.frozen, &prepared.intent.reference).await
    } else {
        crate::provider::CallResult::new(crate::model::step::Answer::NotTaken, "send_by")
    };
    let outcome = Outcome {
        message_id: row.message_id,
        person_id: row.person_id,
        attempt: claim.attempt,
        answer: result.answer,
        provider_id: result.provider_id,
        code: result.code,
        retry_in_ms: backoff_ms(&office.settings, claim.attempt, result.retry_after),
    };
    office.store.record_outcomes(row.incident, &[outcome]).await?;
    Ok(())
}
