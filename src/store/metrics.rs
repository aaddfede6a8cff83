//! Figures over all incidents, for lanes and for metrics.

use super::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// Messages of one lane that wait or are in a call, over all incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct LaneLoad {
    /// On the road to a worker.
    pub queued: i64,
    /// In a call.
    pub sending: i64,
    /// May go now.
    pub due: i64,
    /// May go later: after a backoff.
    pub later: i64,
    /// Wait for a plan to run or for a hold to be lifted.
    pub stopped: i64,
}

/// Lane and channel; messages that were never queued have no lane.
pub type LaneKey = (Option<String>, String);

/// Why a lane sends nothing for a while.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LanePause {
    /// Nothing is queued before.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Why: 401, 402, 403, a redirect's status, `sick`…; the provider's table of stops has its words.
    pub code: String,
}

/// How the calls of a lane ended that are looked at together.
#[derive(Debug, Clone, Copy, Default)]
pub struct LaneSigns {
    /// Calls that tell something.
    pub calls: i64,
    /// Of them those that ended badly or took too long.
    pub bad: i64,
}

/// What waits for its deadline, over all incidents.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// Messages whose deadline passed and that the sweep has not looked after yet.
    pub due: i64,
    /// How long ago the oldest of them was due, seconds.
    pub oldest_due_seconds: f64,
    /// Messages accepted without news when news was due.
    pub overdue: i64,
    /// Receipts that are not applied yet.
    pub receipts: i64,
    /// Jobs that nobody could read, and that wait.
    pub rejected_jobs: i64,
}

/// A figure with its two labels.
pub type Labelled = (String, String, i64);

impl Store {
    /// Load by lane and channel.
    pub async fn list_lane_loads(&self) -> Result<BTreeMap<LaneKey, LaneLoad>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select lane, channel,
                      count(*) filter (where state = 'sending') as "sending!",
                      count(*) filter (where state = 'ready' and is_queued) as "queued!",
                      count(*) filter (where state = 'ready' and not is_queued and not may_go) as "stopped!",
                      count(*) filter (where state = 'ready' and not is_queued and may_go and is_due) as "due!",
                      count(*) filter (where state = 'ready' and not is_queued and may_go and not is_due) as "later!"
                 from (select m.lane, m.channel, m.state, coalesce(m.lease_until > duly_now(), false) as is_queued, m.due_at <= duly_now() as is_due,
                          exists (select from plan q where q.controller_id = m.controller_id and q.incident_no = m.incident_no
                              and q.plan_no = m.plan_no and q.state = 'running')
                          and not exists (select from hold h where h.controller_id = m.controller_id and h.incident_no = m.incident_no
                              and h.lifted_at is null and (h.person_id is null or h.person_id = m.person_id)) as may_go
                         from message m where m.due_at is not null and m.state in ('ready', 'sending')) as waiting
                group by 1, 2"#
        )
        .fetch_all(&mut *moment)
        .await?;
        let loads = rows.into_iter().map(|row| {
            let load =
                LaneLoad { queued: row.queued, sending: row.sending, due: row.due, later: row.later, stopped: row.stopped };
            ((row.lane, row.channel), load)
        });
        Ok(loads.collect())
    }

    /// Calls that providers accepted within the last minute, by lane.
    pub async fn count_accepted_by_lane(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select a.lane, count(*) as "n!" from outcome o join attempt a using (controller_id, incident_no, message_id, attempt)
                where o.at > (select duly_now()) - interval '1 minute' and o.kind = 'accepted' group by 1"#
        )
        .fetch_all(&mut *moment)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, row.n)).collect())
    }

    /// Lanes that are paused now, and why.
    pub async fn list_lane_pauses(&self) -> Result<BTreeMap<String, LanePause>, StoreError> {
        let rows =
            sqlx::query!("select lane, until, code from lane_pause where until > duly_now()").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.lane, LanePause { until: row.until, code: row.code })).collect())
    }

    /// How the calls of lanes ended of late, where one of them ended badly.
    pub async fn list_lane_signs(&self) -> Result<BTreeMap<String, LaneSigns>, StoreError> {
        let rows = sqlx::query!(
            "select lane, calls, bad from lane_health where window_from > duly_now() - $1::bigint * interval '1 millisecond'",
            self.deadlines.health.window_ms
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, LaneSigns { calls: row.calls, bad: row.bad })).collect())
    }

    /// Lanes that rest, or whose rest is over and that a single call tries.
    pub async fn list_closed_lanes(&self) -> Result<BTreeSet<String>, StoreError> {
        let lanes = sqlx::query_scalar!("select lane from lane_pause").fetch_all(&self.pool).await?;
        Ok(lanes.into_iter().collect())
    }

    /// Messages by channel and state over all incidents.
    pub async fn count_all_messages(&self) -> Result<Vec<Labelled>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(r#"select channel, state, count(*) as "n!" from message group by 1, 2 order by 1, 2"#)
            .fetch_all(&mut *moment)
            .await?;
        Ok(rows.into_iter().map(|row| (row.channel, row.state, row.n)).collect())
    }

    /// Attempts by lane and outcome over all incidents; `none`: in flight, or cut.
    pub async fn count_all_attempts(&self) -> Result<Vec<Labelled>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select a.lane, coalesce(o.kind, 'none') as "kind!", count(*) as "n!"
                 from attempt a left join outcome o using (controller_id, incident_no, message_id, attempt) group by 1, 2 order by 1, 2"#
        )
        .fetch_all(&mut *moment)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, row.kind, row.n)).collect())
    }

    /// Receipts by verdict and result over all incidents; `waiting`: not applied yet.
    pub async fn count_receipts(&self) -> Result<Vec<Labelled>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(r#"select verdict, coalesce(result, 'waiting') as "result!", count(*) as "n!" from receipt group by 1, 2 order by 1, 2"#)
            .fetch_all(&mut *moment)
            .await?;
        Ok(rows.into_iter().map(|row| (row.verdict, row.result, row.n)).collect())
    }

    /// Alarms by incident and code.
    pub async fn count_all_alarms(&self) -> Result<Vec<Labelled>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select c.slug || '/' || i.slug as "incident!", a.code, count(*) as "n!" from alarm a
                 join incident i using (controller_id, incident_no) join controller c using (controller_id) group by 1, 2 order by 1, 2"#
        )
        .fetch_all(&mut *moment)
        .await?;
        Ok(rows.into_iter().map(|row| (row.incident, row.code, row.n)).collect())
    }

    /// What waits for its deadline.
    pub async fn waiting(&self) -> Result<Waiting, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "due!", coalesce(extract(epoch from duly_now() - min(due_at)), 0)::float8 as "oldest!",
                      (select count(*) from message where state = 'overdue' and due_at is not null) as "overdue!",
                      (select count(*) from receipt where due_at is not null) as "receipts!",
                      (select count(*) from rejected_job r where not exists (select from rejected_job_decision d
                          where d.rejected_id = r.rejected_id)) as "rejected!"
                 from message m where due_at <= duly_now() and (state <> 'ready' or expires_at <= duly_now())"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Waiting {
            due: row.due,
            oldest_due_seconds: row.oldest,
            overdue: row.overdue,
            receipts: row.receipts,
            rejected_jobs: row.rejected,
        })
    }

    /// Calls claimed and not ended: `sending` messages whose lease runs.
    pub async fn count_in_flight(&self) -> Result<i64, StoreError> {
        let row = sqlx::query!(r#"select count(*) as "n!" from message where state = 'sending' and due_at is not null"#)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.n)
    }

    /// When the oldest message without an end was made, over all incidents.
    pub async fn oldest_open_since(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        // UUIDv7 sorts by time; the index by id finds the first open one.
        let row = sqlx::query!("select message_id from message where due_at is not null order by message_id limit 1")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.and_then(|row| super::status::made_at(row.message_id)))
    }
}
