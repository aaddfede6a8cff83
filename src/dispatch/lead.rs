//! The lead of a role: a row that one process holds at a time, renewed long before it runs out.
//!
//! Sends do not depend on it, since every move is a compare-and-set; pace does. A leader that was frozen may queue one
//! round more than it should, and nothing else.

use crate::store::{Store, StoreError};
use std::time::{Duration, Instant};

/// How long the lead lasts without renewal, ms.
const LEAD_MS: i64 = 5000;
/// Half of that by this process's own clock: the row cannot have run out before.
const RENEW_AFTER: Duration = Duration::from_millis(2500);

/// This process's claim to a role.
pub struct Lead {
    role: &'static str,
    holder: String,
    renewed: Option<Instant>,
}

impl Lead {
    /// Nothing is held yet.
    pub fn new(role: &'static str, holder: &str) -> Self {
        Self { role, holder: holder.to_owned(), renewed: None }
    }

    /// Whether this process leads now; takes or renews the lead where it is time.
    pub async fn is_held(&mut self, store: &Store) -> Result<bool, StoreError> {
        if self.renewed.is_some_and(|at| at.elapsed() < RENEW_AFTER) {
            return Ok(true);
        }
        let asked = Instant::now();
        self.renewed = store.lead(self.role, &self.holder, LEAD_MS).await?.map(|_| asked);
        Ok(self.renewed.is_some())
    }

    /// Gives the lead up, so that a standby need not wait for it to run out.
    pub async fn resign(&self, store: &Store) -> Result<(), StoreError> {
        store.resign(self.role, &self.holder).await
    }
}
