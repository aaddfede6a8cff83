//! A repeat under a provider's guarantee: a send like any other, with a claim of its own straight from `unknown`.

use super::call::call;
use super::draft::{keep_templates, prepare_repeat};
use super::gate::{Gate, HoldWatch};
use super::{DispatchError, Office};
use crate::store::claim::RepeatWindow;
use crate::store::due::Due;
use std::sync::Arc;

/// Claims and makes one repeat with the frozen bytes of the original; `false` where it could not be claimed now.
pub async fn repeat(
    office: &Arc<Office>,
    watch: &Arc<HoldWatch>,
    row: &Due,
    window: RepeatWindow,
) -> Result<bool, DispatchError> {
    let drafts = office.store.list_drafts(&[row.message_id]).await?;
    keep_templates(office, &drafts).await?;
    let Some(prepared) = drafts.first().and_then(|draft| prepare_repeat(office, draft, window).ok()) else { return Ok(false) };
    let send_by_ms = office.settings.dispatch.send_by_ms;
    let gate = Gate::before_claim(watch, send_by_ms);
    let intents = std::slice::from_ref(&prepared.intent);
    let claimed = office.store.claim(row.incident, intents, i64::try_from(send_by_ms).unwrap_or(i64::MAX)).await?;
    let Some(attempt) = claimed.first().map(|claim| claim.attempt) else { return Ok(false) };
    let outcome = call(office, &gate, prepared, attempt).await;
    office.store.record_outcomes(row.incident, &[outcome]).await?;
    Ok(true)
}
