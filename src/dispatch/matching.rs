//! Applies receipts that wait: matched to their message, sealed again under the person's key, decided by `step`.

use super::confirm::{Sorted, confirm_all};
use super::{DispatchError, Office};
use crate::model::causes::with_causes;
use crate::model::seal::{SealError, open_with};
use crate::store::receipt::{Doors, Match, Matched, Waiting};
use crate::store::unit::IncidentKey;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Receipts looked at in one sweep.
const SWEEP: i64 = 1000;
/// Next look at a receipt that matches nothing yet, or about which nobody could be asked, ms.
const LOOK_AGAIN_MS: i64 = 2000;
/// Next try to have a receipt confirmed, ms.
const CONFIRM_AGAIN_MS: i64 = 30_000;
/// Next look at a receipt that cannot be applied, ms.
const SET_ASIDE_MS: i64 = 3_600_000;

/// Counts what was not believed, and lets go what was laid aside long ago. What is true never waits for it.
pub async fn lay_receipts_aside(office: &Office) {
    if let Err(error) = office.store.refuse_receipts(office.settings.receipts.refusals_every_seconds * 1000).await {
        tracing::warn!(error = with_causes(&error), "refused receipts were not counted and are tried again");
    }
    if let Err(error) = office.store.forget_receipts(SWEEP).await {
        tracing::warn!(error = with_causes(&error), "receipts that were laid aside long ago did not go and are tried again");
    }
}

/// Applies what is due; returns how many receipts were looked at. One that cannot be applied is set aside for a while, so
/// that it stops no other.
pub async fn apply_receipts(office: &Office) -> Result<usize, DispatchError> {
    let every_ms = office.settings.receipts.refusals_every_seconds * 1000;
    let waiting = office.store.list_waiting_receipts(SWEEP, every_ms, &doors(office)).await?;
    let looked_at = waiting.len();
    let (early, waiting): (Vec<Waiting>, Vec<Waiting>) = waiting.into_iter().partition(|receipt| receipt.is_early);
    if !early.is_empty() {
        let ids: Vec<_> = early.iter().map(|receipt| receipt.receipt_id).collect();
        office.store.postpone_replays(&ids, every_ms).await?;
    }
    let Sorted { believed, unconfirmed, unasked } = confirm_all(office, waiting).await;
    let (mut unmatched, mut aside) = (Vec::new(), Vec::new());
    let mut matched: BTreeMap<IncidentKey, Vec<Matched>> = BTreeMap::new();
    for receipt in believed {
        let Some(place) = &receipt.place else {
            unmatched.push(receipt.receipt_id);
            continue;
        };
        let Some(scheme) = office.accounts.get(&receipt.lane).and_then(|account| account.scheme()) else {
            aside.push(set_aside(&receipt, "its lane is not set up here"));
            continue;
        };
        let incident = place.incident;
        match reseal(office, &receipt, place) {
            Ok(resealed) => matched.entry(incident).or_default().push(Matched { receipt, resealed, scheme }),
            Err(error) => aside.push(set_aside(&receipt, &with_causes(&error))),
        }
    }
    for (incident, rows) in &matched {
        aside.extend(apply(office, *incident, rows, every_ms).await);
    }
    let keep_seconds = office.settings.receipts.unmatched_retention_days * 86_400;
    let later = [(unmatched, LOOK_AGAIN_MS), (unasked, LOOK_AGAIN_MS), (unconfirmed, CONFIRM_AGAIN_MS), (aside, SET_ASIDE_MS)];
    for (receipts, again_ms) in later {
        if !receipts.is_empty() {
            office.store.settle_unmatched(&receipts, again_ms, keep_seconds).await?;
        }
    }
    Ok(looked_at)
}

/// A vendor's account has one address for its receipts, and may be several lanes: two channels, or one that is urgent.
fn doors(office: &Office) -> Doors {
    let accounts = || office.accounts.values();
    let shared =
        accounts().flat_map(|door| accounts().filter(move |lane| door.is_same_account(lane)).map(move |lane| (door, lane)));
    let pairs = shared.filter(|(door, lane)| door.name != lane.name).map(|(door, lane)| (door.name.clone(), lane.name.clone()));
    let (door, lane) = pairs.unzip();
    Doors { door, lane }
}

/// Applies receipts of one incident together, or one by one where they cannot be applied together; answers those that
/// cannot be applied at all.
async fn apply(office: &Office, incident: IncidentKey, rows: &[Matched], every_ms: i64) -> Vec<Uuid> {
    if office.store.apply_receipts(incident, rows, every_ms).await.is_ok() {
        return Vec::new();
    }
    let mut aside = Vec::new();
    for row in rows {
        if let Err(error) = office.store.apply_receipts(incident, std::slice::from_ref(row), every_ms).await {
            aside.push(set_aside(&row.receipt, &with_causes(&error)));
        }
    }
    aside
}

fn set_aside(receipt: &Waiting, error: &str) -> Uuid {
    tracing::warn!(receipt = %receipt.receipt_id, error, "a receipt cannot be applied and is set aside for an hour");
    receipt.receipt_id
}

/// The raw body under the person's key, so that destroying that key destroys it too; nothing for an erased person.
fn reseal(office: &Office, receipt: &Waiting, place: &Match) -> Result<Option<Vec<u8>>, SealError> {
    let Some(wrapped) = &place.wrapped_person_key else { return Ok(None) };
    let controller_key = office.master.unwrap_key(&receipt.wrapped_controller_key, "receipts")?;
    let incident_key = office.master.unwrap_key(&place.wrapped_incident_key, "incident")?;
    let person_key = incident_key.unwrap_key(wrapped, "person")?;
    Ok(Some(person_key.seal("receipt", &open_with(&controller_key, &receipt.sealed)?)))
}
