//! The sweep of a walk: as `dispatch::resolver`, with look-ups that may be committed much later.

use super::provider::{Class, KEY_LIFE_MS, LAG_MS};
use super::walk::{ATTEMPTS_MAX, Care, MARGIN_MS, SEND_BY_MS, Walk};
use duly::model::state::MessageState;
use duly::model::step::{Cause, Limit};
use duly::store::claim::RepeatWindow;
use duly::store::due::Due;
use duly::store::outcome::Found;
use duly::store::unit::Note;
use rand::RngExt;
use uuid::Uuid;

/// A provider's answer that is not committed yet.
pub struct PendingLookUp {
    row: Due,
    lookup_id: Uuid,
    ids: Vec<String>,
    counts: bool,
}

impl Walk {
    /// Looks after a part of what is due; the rest stays due.
    pub async fn sweep(&mut self) {
        for row in self.world.store.list_due(50, ATTEMPTS_MAX).await.unwrap() {
            if self.provider.is_kind || self.rng.random_range(0..3) > 0 {
                self.look_after(row).await;
            }
        }
    }

    async fn look_after(&mut self, row: Due) {
        let attempt = u32::try_from(row.attempt).unwrap();
        match row.state {
            MessageState::Ready if row.is_expired => self.apply(&row, Cause::GaveUp(Limit::Deadline)).await,
            MessageState::Ready => drop(self.world.store.give_up(&row, ATTEMPTS_MAX).await.unwrap()),
            MessageState::Sending => self.apply(&row, Cause::LeaseExpired { attempt }).await,
            MessageState::Unknown => self.resolve(row).await,
            MessageState::Accepted | MessageState::Sent | MessageState::Printed => self.apply(&row, Cause::NoNews).await,
            state => self.world.store.postpone(row.incident, row.message_id, state, 60_000).await.unwrap(),
        }
    }

    async fn apply(&self, row: &Due, cause: Cause) {
        self.world.store.apply_one(row.incident, row.person_id, row.message_id, cause, Note::default()).await.unwrap();
    }

    async fn resolve(&mut self, row: Due) {
        match self.provider.class {
            Class::Strong | Class::Lagging => self.look_up(row).await,
            Class::Idempotent => {
                let window = RepeatWindow { after_send_by_ms: MARGIN_MS, until_ms: KEY_LIFE_MS - SEND_BY_MS - MARGIN_MS };
                if row.since_first_claim_ms.is_none_or(|since| since >= window.until_ms) {
                    return self.apply(&row, Cause::Ask).await;
                }
                // Sleeps now and then between its look and its claim, as any process may.
                if self.rng.random_range(0..4) == 0 && !self.provider.is_kind {
                    self.pass(300_000).await;
                }
                self.claim(row.message_id, Some(window)).await;
            }
            Class::None => {
                let cause = if self.rng.random_range(0..2) == 0 { Cause::Ask } else { Cause::NextStep };
                self.apply(&row, cause).await;
            }
        }
    }

    async fn look_up(&mut self, row: Due) {
        let lookup_id = self.world.store.insert_lookup(row.incident, row.message_id, row.attempt).await.unwrap();
        let ids = self.provider.look_up(row.message_id, self.now_ms().await);
        let lag = if self.provider.class == Class::Lagging { LAG_MS } else { 0 };
        let counts = row.since_send_by_ms > MARGIN_MS + lag || self.care == Care::BelievesTooEarly;
        let pending = PendingLookUp { row, lookup_id, ids, counts };
        if self.provider.is_kind || self.rng.random_range(0..2) == 0 {
            self.commit(pending).await;
        } else {
            self.looked.push(pending);
        }
    }

    /// A resolver wakes up with the answer of a look-up.
    pub async fn commit_a_look_up(&mut self) {
        if !self.looked.is_empty() {
            let at = self.rng.random_range(0..self.looked.len());
            let pending = self.looked.swap_remove(at);
            self.commit(pending).await;
        }
    }

    async fn commit(&self, PendingLookUp { row, lookup_id, ids, counts }: PendingLookUp) {
        if !ids.is_empty() {
            let mut note = Note::default();
            note.detail.insert("ground".into(), "found".into());
            let found = Found {
                incident: row.incident,
                person_id: row.person_id,
                message_id: row.message_id,
                lookup_id,
                ids: &ids,
                status: None,
                stop_code: None,
            };
            self.world.store.record_found(&found, note).await.unwrap();
        } else if counts {
            self.apply(&row, Cause::Absent { attempt: u32::try_from(row.attempt).unwrap() }).await;
        }
    }
}
