//! Receipts that count for nothing: not believed, come before, or of a message that nobody knows.
//!
//! Anybody may send any number of them, so they are told together: one event of the controller's log for each lane,
//! reason and period, in the transaction that lays them aside.

use super::log_event::{Fact, insert_log_events};
use super::sequencing::LogScope;
use super::{Store, StoreError};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Receipts of one controller that were laid aside together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refused {
    /// Lane.
    pub lane: String,
    /// Why, as a word.
    pub ground: String,
    /// Beginning of the period in which they came, seconds since 1970.
    pub since: i64,
}

/// The events that tell of refused receipts, by what they have in common.
pub(super) fn facts(counts: BTreeMap<Refused, i64>) -> Vec<Fact> {
    let fact = |(refused, n): (Refused, i64)| {
        let detail = [
            ("count", json!(n)),
            ("ground", json!(refused.ground)),
            ("lane", json!(refused.lane)),
            ("since", json!(refused.since)),
        ];
        ("receipt.refused", detail.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    counts.into_iter().map(fact).collect()
}

impl Store {
    /// Refuses what did not prove itself and came before the present period of `every_ms`; answers how many.
    pub async fn refuse_receipts(&self, every_ms: i64) -> Result<i64, StoreError> {
        let mut tx = self.pool.begin().await?;
        let rows = sqlx::query!(
            r#"with now as (select floor(extract(epoch from duly_now()) * 1000 / $1::bigint) * $1 / 1000 as period),
               refused as (
                 update receipt r set result = 'refused', due_at = null from now
                  where r.due_at <= (select duly_now()) and r.verdict <> 'verified' and r.received_at < to_timestamp(now.period)
                 returning r.controller_id, r.provider, r.verdict, floor(extract(epoch from r.received_at) * 1000 / $1) * $1 / 1000 as since)
               select controller_id as "controller_id!", provider as "lane!", verdict as "ground!", since::bigint as "since!", count(*) as "n!"
                 from refused group by 1, 2, 3, 4"#,
            every_ms
        )
        .fetch_all(&mut *tx)
        .await?;
        let total = rows.iter().map(|row| row.n).sum();
        let mut by_controller: BTreeMap<Uuid, BTreeMap<Refused, i64>> = BTreeMap::new();
        for row in rows {
            let refused = Refused { lane: row.lane, ground: row.ground, since: row.since };
            by_controller.entry(row.controller_id).or_default().insert(refused, row.n);
        }
        for (controller, counts) in by_controller {
            insert_log_events(&mut tx, LogScope::Controller(controller), facts(counts)).await?;
        }
        // If we die before this, they are still due, and told with the next round.
        tx.commit().await?;
        Ok(total)
    }

    /// Forgets receipts that were laid aside and have been kept for their time, in whole days (UTC), oldest first; the
    /// controller's log has told how many they were. Answers how many went.
    pub async fn forget_receipts(&self, limit: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "delete from receipt r using (select receipt_id from receipt where result in ('refused', 'unmatched', 'replay')
                  and received_at < to_timestamp(floor(extract(epoch from duly_now() - $2::bigint * interval '1 millisecond') / 86400) * 86400)
                  and (verdict <> 'verified' or result = 'replay' or not exists (select from attempt a where a.controller_id = receipt.controller_id
                      and a.reference = receipt.reference and a.lane = receipt.provider))
                order by received_at limit $1) o
              where r.receipt_id = o.receipt_id",
            limit,
            self.deadlines.laid_aside_ms
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Leaves receipts that came before until their period of `every_ms` is over, to be counted with the others of it.
    pub async fn postpone_replays(&self, replays: &[Uuid], every_ms: i64) -> Result<(), StoreError> {
        sqlx::query!(
            "update receipt set due_at = to_timestamp((floor(extract(epoch from duly_now()) * 1000 / $2::bigint) + 1) * $2 / 1000)
              where receipt_id = any($1) and due_at is not null",
            replays,
            every_ms
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Bounds a flood: of receipts that were laid aside on one day, or that nobody here knows ten minutes after they came,
    /// only the first of each lane and ground stay. What is known on another lane may be of the same account. The controller's log
    /// tells of all of them; answers how many went.
    pub async fn thin_receipts(&self) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        let rows = sqlx::query!(
            r#"with waiting as (
                 select r.receipt_id, floor(extract(epoch from r.received_at) / 86400) * 86400 as since,
                        row_number() over (partition by r.controller_id, r.provider, floor(extract(epoch from r.received_at) / 86400) order by r.receipt_id) as n
                   from receipt r where r.due_at is not null and r.verdict = 'verified' and r.received_at < duly_now() - interval '10 minutes'
                    and not exists (select from attempt a where a.controller_id = r.controller_id and a.reference = r.reference)
                    and not (r.reference is null and exists (select from outcome o
                          where o.provider_id = r.provider_id and o.controller_id = r.controller_id))),
               given_up as (
                 update receipt r set result = 'unmatched', sealed = null, due_at = null from waiting w
                  where r.receipt_id = w.receipt_id and w.n > $1
                 returning r.controller_id, r.provider, w.since)
               select controller_id as "controller_id!", provider as "lane!", since::bigint as "since!", count(*) as "n!" from given_up group by 1, 2, 3"#,
            self.deadlines.laid_aside_max
        )
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            let refused = Refused { lane: row.lane, ground: "unmatched".to_owned(), since: row.since };
            insert_log_events(&mut tx, LogScope::Controller(row.controller_id), facts(BTreeMap::from([(refused, row.n)])))
                .await?;
        }
        // What came yesterday may have been laid aside only now.
        let gone = sqlx::query!(
            "delete from receipt r using (select receipt_id, row_number() over (
                    partition by controller_id, provider, result, verdict, floor(extract(epoch from received_at) / 86400) order by receipt_id) as n
                  from receipt where result in ('refused', 'unmatched', 'replay')
                   and received_at >= to_timestamp((floor(extract(epoch from duly_now()) / 86400) - 1) * 86400)) o
              where r.receipt_id = o.receipt_id and o.n > $1",
            self.deadlines.laid_aside_max
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(gone.rows_affected())
    }

    /// Looks again later at receipts that match nothing yet, after a while less often, and gives up those that waited too
    /// long.
    pub async fn settle_unmatched(&self, unmatched: &[Uuid], retry_ms: i64, keep_seconds: i64) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "update receipt set due_at = duly_now() + greatest($2::bigint * interval '1 millisecond', least((duly_now() - received_at) / 4, interval '1 hour'))
              where receipt_id = any($1) and received_at >= duly_now() - $3::bigint * interval '1 second'",
            unmatched,
            retry_ms,
            keep_seconds
        )
        .execute(&mut *tx)
        .await?;
        let rows = sqlx::query!(
            r#"with given_up as (
                 update receipt set result = 'unmatched', sealed = null, due_at = null
                  where receipt_id = any($1) and received_at < duly_now() - $2::bigint * interval '1 second'
                 returning controller_id, provider, floor(extract(epoch from received_at) / 86400) * 86400 as since)
               select controller_id as "controller_id!", provider as "lane!", since::bigint as "since!", count(*) as "n!"
                 from given_up group by 1, 2, 3"#,
            unmatched,
            keep_seconds
        )
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            let refused = Refused { lane: row.lane, ground: "unmatched".to_owned(), since: row.since };
            let told = facts(BTreeMap::from([(refused, row.n)]));
            insert_log_events(&mut tx, LogScope::Controller(row.controller_id), told).await?;
        }
        Ok(tx.commit().await?)
    }
}
