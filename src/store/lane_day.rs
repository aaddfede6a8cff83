//! How many messages a lane was handed on a day: its quota, kept over all workers and leaders.

use super::claim::Intent;
use super::unit::Unit;
use super::{Store, StoreError};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What the lanes of some calls may still be handed today; lanes without a quota are not in it.
#[derive(Default)]
pub(crate) struct Room(BTreeMap<String, Share>);

struct Share {
    left: i64,
    taken: i64,
}

impl Room {
    /// Whether a call may be claimed. A repeat is no other message than the call that it repeats.
    pub(crate) fn has_room(&self, intent: &Intent) -> bool {
        intent.repeat.is_some() || self.0.get(&intent.lane).is_none_or(|share| share.left > 0)
    }

    /// Notes a call that was claimed.
    pub(crate) fn take(&mut self, intent: &Intent) {
        if let (None, Some(share)) = (intent.repeat, self.0.get_mut(&intent.lane)) {
            share.left -= 1;
            share.taken += 1;
        }
    }
}

impl Unit {
    /// Locks the day's counts of lanes that have a quota, and reads what is left of them.
    pub(crate) async fn room_today(&mut self, intents: &[Intent]) -> Result<Room, StoreError> {
        let quotas: BTreeMap<&str, i64> = intents.iter().filter_map(|i| Some((i.lane.as_str(), i.per_day?))).collect();
        let mut room = Room::default();
        for (lane, per_day) in quotas {
            let taken = sqlx::query_scalar!(
                "insert into lane_day (lane, day) values ($1, (duly_now() at time zone 'UTC')::date)
                 on conflict (lane, day) do update set taken = lane_day.taken returning taken",
                lane
            )
            .fetch_one(&mut *self.tx)
            .await?;
            room.0.insert(lane.to_owned(), Share { left: per_day - taken, taken: 0 });
        }
        Ok(room)
    }

    /// Counts what was claimed, in the claim's own transaction.
    pub(crate) async fn take_today(&mut self, room: &Room) -> Result<(), StoreError> {
        for (lane, share) in room.0.iter().filter(|(_, share)| share.taken > 0) {
            sqlx::query!(
                "update lane_day set taken = taken + $2 where lane = $1 and day = (duly_now() at time zone 'UTC')::date",
                lane,
                share.taken
            )
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    /// Gives calls back that were proven not processed: the provider does not count them either.
    pub(crate) async fn give_back(&mut self, calls: &[(Uuid, i32)]) -> Result<(), StoreError> {
        if calls.is_empty() {
            return Ok(());
        }
        let messages: Vec<Uuid> = calls.iter().map(|(message, _)| *message).collect();
        let attempts: Vec<i32> = calls.iter().map(|(_, attempt)| *attempt).collect();
        sqlx::query!(
            "update lane_day d set taken = greatest(0, d.taken - g.n)
               from (select a.lane, (a.claimed_at at time zone 'UTC')::date as day, count(*) as n
                       from attempt a join unnest($3::uuid[], $4::int[]) as j (message_id, attempt)
                            on j.message_id = a.message_id and j.attempt = a.attempt
                      where a.controller_id = $1 and a.incident_no = $2 and not a.is_repeat group by 1, 2) g
              where d.lane = g.lane and d.day = g.day",
            self.incident.controller_id,
            self.incident.incident_no,
            &messages,
            &attempts
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}

/// Messages of a plan that wait to be handed over, by channel.
#[derive(Debug, Clone)]
pub struct PlanWaiting {
    /// Plan.
    pub plan_no: i32,
    /// Its state.
    pub state: String,
    /// Channel word.
    pub channel: String,
    /// Messages.
    pub messages: i64,
}

impl Store {
    /// How many messages a lane was handed today; lanes without a quota are not counted.
    pub async fn count_taken_today(&self, lane: &str) -> Result<i64, StoreError> {
        let taken = sqlx::query_scalar!(
            "select taken from lane_day where lane = $1 and day = (duly_now() at time zone 'UTC')::date",
            lane
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(taken.unwrap_or(0))
    }

    /// Messages of an incident's plans that wait to be handed over.
    pub async fn list_plan_waiting(&self, incident: super::unit::IncidentKey) -> Result<Vec<PlanWaiting>, StoreError> {
        let rows = sqlx::query_as!(
            PlanWaiting,
            r#"select q.plan_no, q.state, m.channel, count(*) as "messages!" from message m
                 join plan q on q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no
                where m.controller_id = $1 and m.incident_no = $2 and m.state = 'ready' group by 1, 2, 3 order by 1, 3"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Messages of all running plans that wait to be handed over, by channel.
    pub async fn count_running_waiting(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.channel, count(*) as "n!" from plan q
                 join message m on m.controller_id = q.controller_id and m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready'
                where q.state = 'running' group by 1"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.channel, row.n)).collect())
    }
}
