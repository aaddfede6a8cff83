//! Who leads: one row per role, by the database's clock. Sends do not depend on it; pace and the log do.
//!
//! Every move of a message is a compare-and-set, so a leader that was frozen may queue one round more than it should,
//! and nothing else; the sequencer checks its epoch in each transaction.

use super::{Store, StoreError};
use std::time::{Duration, Instant};

/// How long the lead lasts without renewal, ms.
const LEAD_MS: i64 = 5000;
/// Half of that by this process's own clock: the row cannot have run out before.
const RENEW_AFTER: Duration = Duration::from_millis(2500);

/// This process's claim to a role, renewed long before it runs out.
pub struct Lead {
    role: &'static str,
    /// Role whose holder alone may hold this one; a word of no role: whoever comes first.
    beside: &'static str,
    holder: String,
    renewed: Option<(Instant, i64)>,
}

impl Lead {
    /// Nothing is held yet.
    pub fn new(role: &'static str, holder: &str) -> Self {
        Self::beside(role, "", holder)
    }

    /// The same of a role that goes to whoever holds the other one: both must know what the other does.
    pub fn beside(role: &'static str, beside: &'static str, holder: &str) -> Self {
        Self { role, beside, holder: holder.to_owned(), renewed: None }
    }

    /// Whether this process leads now; takes or renews the lead where it is time.
    pub async fn is_held(&mut self, store: &Store) -> Result<bool, StoreError> {
        Ok(self.epoch(store).await?.is_some())
    }

    /// The epoch of this process's lead, as `is_held`; `None` while somebody else leads.
    pub async fn epoch(&mut self, store: &Store) -> Result<Option<i64>, StoreError> {
        if let Some((at, epoch)) = self.renewed
            && at.elapsed() < RENEW_AFTER
        {
            return Ok(Some(epoch));
        }
        let asked = Instant::now();
        self.renewed = store.lead((self.role, self.beside), &self.holder, LEAD_MS).await?.map(|epoch| (asked, epoch));
        Ok(self.renewed.map(|(_, epoch)| epoch))
    }

    /// Who this process is in the row.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Gives the lead up, so that a standby need not wait for it to run out.
    pub async fn resign(&self, store: &Store) -> Result<(), StoreError> {
        store.resign(self.role, &self.holder).await
    }
}

impl Store {
    /// Takes or renews the lead of `role`; `None` while somebody else holds it, or the role beside it. The epoch grows with each
    /// change.
    pub async fn lead(&self, (role, beside): (&str, &str), holder: &str, ttl_ms: i64) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query!(
            "insert into leadership (role, epoch, holder, expires_at)
             select $1, 1, $2, duly_now() + $3::bigint * interval '1 millisecond'
              where not exists (select from leadership b where b.role = $4 and b.holder <> $2 and b.expires_at > duly_now())
             on conflict (role) do update
                set epoch = leadership.epoch + case when leadership.holder = excluded.holder then 0 else 1 end,
                    holder = excluded.holder, expires_at = excluded.expires_at
              where leadership.holder = excluded.holder or leadership.expires_at <= duly_now()
             returning epoch",
            role,
            holder,
            ttl_ms,
            beside
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.epoch))
    }

    /// Gives the lead up, so that a standby need not wait for the lease.
    pub async fn resign(&self, role: &str, holder: &str) -> Result<(), StoreError> {
        sqlx::query!("update leadership set expires_at = duly_now() where role = $1 and holder = $2", role, holder)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
