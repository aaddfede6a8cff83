//! Applies receipts that wait: matched to their message, sealed again under the person's key, decided by `step`.

use super::{DispatchError, Office};
use crate::model::seal::{SealError, open_with};
use crate::provider::sandbox::SCHEME;
use crate::store::receipt::{Match, Matched, Waiting};
use crate::store::unit::IncidentKey;
use std::collections::BTreeMap;

/// Receipts looked at in one sweep.
const SWEEP: i64 = 1000;
/// Next look at a receipt that matches nothing yet, ms.
const LOOK_AGAIN_MS: i64 = 2000;

/// Applies what is due; returns how many receipts were looked at.
pub async fn apply_receipts(office: &Office) -> Result<usize, DispatchError> {
    let every_ms = office.settings.receipts.refusals_every_seconds * 1000;
    let refused = office.store.refuse_receipts(every_ms).await?;
    let waiting = office.store.list_waiting_receipts(SWEEP, every_ms).await?;
    let looked_at = waiting.len() + usize::try_from(refused).unwrap_or(0);
    let (early, waiting): (Vec<Waiting>, Vec<Waiting>) = waiting.into_iter().partition(|receipt| receipt.is_early);
    if !early.is_empty() {
        let ids: Vec<_> = early.iter().map(|receipt| receipt.receipt_id).collect();
        office.store.postpone_replays(&ids, every_ms).await?;
    }
    let mut unmatched = Vec::new();
    let mut matched: BTreeMap<IncidentKey, Vec<Matched>> = BTreeMap::new();
    for receipt in waiting {
        match &receipt.place {
            None => unmatched.push(receipt.receipt_id),
            Some(place) => {
                let incident = place.incident;
                let resealed = reseal(office, &receipt, place)?;
                matched.entry(incident).or_default().push(Matched { receipt, resealed, scheme: SCHEME });
            }
        }
    }
    for (incident, rows) in &matched {
        office.store.apply_receipts(*incident, rows, every_ms).await?;
    }
    if !unmatched.is_empty() {
        let keep_seconds = office.settings.receipts.unmatched_retention_days * 86_400;
        office.store.settle_unmatched(&unmatched, LOOK_AGAIN_MS, keep_seconds).await?;
    }
    Ok(looked_at)
}

/// The raw body under the person's key, so that destroying that key destroys it too; nothing for an erased person.
fn reseal(office: &Office, receipt: &Waiting, place: &Match) -> Result<Option<Vec<u8>>, SealError> {
    let Some(wrapped) = &place.wrapped_person_key else { return Ok(None) };
    let controller_key = office.master.unwrap_key(&receipt.wrapped_controller_key, "receipts")?;
    let incident_key = office.master.unwrap_key(&place.wrapped_incident_key, "incident")?;
    let person_key = incident_key.unwrap_key(wrapped, "person")?;
    Ok(Some(person_key.seal("receipt", &open_with(&controller_key, &receipt.sealed)?)))
}
