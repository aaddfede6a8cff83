//! One claimed call: made once, or refused at its first byte; either way it ends in an outcome.

use super::Office;
use super::backoff::backoff_ms;
use super::draft::Prepared;
use super::gate::Gate;
use crate::model::health::sign;
use crate::model::step::Answer;
use crate::provider::CallResult;
use crate::store::outcome::Outcome;
use std::time::Duration;
use tokio::time::Instant;

/// Makes the call of a claimed attempt. Every way through ends in an outcome to be recorded.
pub async fn call(office: &Office, gate: &Gate, prepared: Prepared, attempt: u32) -> Outcome {
    let intent = &prepared.intent;
    let begun = Instant::now();
    let result = match (gate.check(), office.accounts.get(&intent.lane)) {
        (Err(code), _) => CallResult::new(Answer::NotTaken, code),
        (Ok(()), None) => CallResult::new(Answer::NotTaken, "no_lane"),
        (Ok(()), Some(account)) => {
            crate::failpoint::reach("checked_not_written").await;
            account.provider.submit(prepared.frozen, gate.for_transport()).await
        }
    };
    let is_slow = begun.elapsed() >= Duration::from_millis(office.settings.health.slow_ms);
    Outcome {
        sign: sign(result.answer, &result.code, is_slow),
        message_id: intent.message_id,
        person_id: intent.person_id,
        attempt,
        answer: result.answer,
        provider_id: result.provider_id,
        code: result.code,
        pause: result.pause,
        parts: result.returned.parts,
        cost: result.returned.cost.map(|cost| (cost.milli, cost.currency)),
        // Once, however often the same call is made.
        alarm: result.returned.differs.or(result.alarm.filter(|_| attempt == 1)),
        retry_in_ms: backoff_ms(&office.settings.dispatch, attempt, result.retry_after),
    }
}
