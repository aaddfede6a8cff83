//! Receipts as the endpoint keeps them, and their applying as the sweep does it.

use super::world::World;
use duly::model::state::MessageState;
use duly::store::receipt::{Doors, Matched, NewReceipt, ReceiptStore};
use uuid::Uuid;

/// What a provider says of a message.
pub struct Said<'a> {
    pub lane: &'a str,
    pub reference: &'a str,
    pub provider_id: &'a str,
    /// The provider's name of this receipt; the same again is a replay.
    pub event: &'a str,
    pub status: MessageState,
}

/// Keeps a verified receipt.
pub async fn keep(world: &World, receipts: &ReceiptStore, said: &Said<'_>) {
    let new = NewReceipt {
        sealed: Some(vec![1]),
        event_name: Some(said.event.to_owned()),
        reference: Some(said.reference.to_owned()),
        provider_id: Some(said.provider_id.to_owned()),
        status: Some(said.status),
        ..NewReceipt::bare(Some(world.incident.key.controller_id), said.lane, "verified")
    };
    receipts.insert_receipts(&[new], 1).await.unwrap();
}

/// Applies what is due.
pub async fn apply(world: &World) {
    let (matched, unmatched): (Vec<_>, Vec<_>) =
        world.store.list_waiting_receipts(100, 1, &Doors::default()).await.unwrap().into_iter().partition(|r| r.place.is_some());
    let matched: Vec<Matched> =
        matched.into_iter().map(|receipt| Matched { receipt, resealed: None, scheme: "hmac-sha256" }).collect();
    world.store.apply_receipts(world.incident.key, &matched, 1).await.unwrap();
    let unmatched: Vec<Uuid> = unmatched.iter().map(|receipt| receipt.receipt_id).collect();
    world.store.settle_unmatched(&unmatched, 1000, 86_400).await.unwrap();
}

/// The receipts' own connection to the database.
pub async fn receipt_store(world: &World) -> ReceiptStore {
    ReceiptStore::connect(&world.url, 1).await.unwrap()
}
