//! Who leads: one row per role, by the database's clock. Sends do not depend on it; pace and the log do.

use super::{Store, StoreError};

impl Store {
    /// Takes or renews the lead of `role`; `None` while somebody else holds it. The epoch grows with each change.
    pub async fn lead(&self, role: &str, holder: &str, ttl_ms: i64) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query!(
            "insert into leadership (role, epoch, holder, expires_at)
             values ($1, 1, $2, duly_now() + $3::bigint * interval '1 millisecond')
             on conflict (role) do update
                set epoch = leadership.epoch + case when leadership.holder = excluded.holder then 0 else 1 end,
                    holder = excluded.holder, expires_at = excluded.expires_at
              where leadership.holder = excluded.holder or leadership.expires_at <= duly_now()
             returning epoch",
            role,
            holder,
            ttl_ms
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
