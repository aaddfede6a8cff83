//! What lanes wrote into their folders, remembered outside of these.

use super::{Store, StoreError};
use std::collections::BTreeSet;

impl Store {
    /// Names of the closed batches of a lane that were noted.
    pub async fn list_lane_batches(&self, lane: &str) -> Result<BTreeSet<String>, StoreError> {
        let names = sqlx::query_scalar!("select batch from lane_batch where lane = $1", lane).fetch_all(&self.pool).await?;
        Ok(names.into_iter().collect())
    }

    /// Notes closed batches of a lane; those that were noted before change nothing.
    pub async fn note_lane_batches(&self, lane: &str, batches: &[String]) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into lane_batch (lane, batch) select $1, j from unnest($2::text[]) as j on conflict do nothing",
            lane,
            batches
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// References of the messages that a lane took and of which nobody has declared anything yet.
    pub async fn list_taken_by(&self, lane: &str) -> Result<Vec<String>, StoreError> {
        let references = sqlx::query_scalar!(
            r#"select a.reference from message m
                cross join lateral (select a.reference from attempt a where a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id order by a.attempt desc limit 1) a
                where m.lane = $1 and m.state in ('accepted', 'overdue')"#,
            lane
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(references)
    }
}
