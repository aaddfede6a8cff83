//! Text messages that wait for the morning: due again when it is no night any more where the person is.

use super::unit::{IncidentKey, Unit};
use super::{Store, StoreError};
use std::collections::{HashMap, HashSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// Text messages that wait for the morning.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Asleep {
    /// Messages.
    pub messages: i64,
    /// When the first of them is due.
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
}

impl Store {
    /// Puts due text messages off until the morning where it is night for the person, by the hours of their plan. They
    /// keep their state, and a due time: nothing is known that was not known before, so no event.
    pub async fn put_off_texts(&self, limit: i64) -> Result<u64, StoreError> {
        let put_off = sqlx::query!(
            "with running as (
                select q.controller_id, q.incident_no, q.plan_no, q.quiet_from, q.quiet_until,
                       (select array_agg(z) from unnest(q.zones) z where night_ends(z, q.quiet_from, q.quiet_until) is not null) as night
                  from plan q where q.state = 'running' and q.quiet_from is not null),
             asleep as (
                select m.controller_id, m.incident_no, m.message_id,
                       (select max(night_ends(z, r.quiet_from, r.quiet_until)) from unnest(m.zones) z) as until
                  from running r cross join lateral (
                    select * from message m where m.controller_id = r.controller_id and m.incident_no = r.incident_no and m.plan_no = r.plan_no
                       and m.state = 'ready' and m.channel = 'sms' and m.due_at <= (select duly_now()) and m.zones && r.night
                     order by m.due_at limit $1) m
                 where r.night is not null),
             free as (
                select m.controller_id, m.incident_no, m.message_id, a.until
                  from asleep a join message m on m.controller_id = a.controller_id and m.incident_no = a.incident_no and m.message_id = a.message_id
                   for no key update of m skip locked)
             update message m set due_at = a.until
               from free a where m.controller_id = a.controller_id and m.incident_no = a.incident_no and m.message_id = a.message_id
                and m.state = 'ready' and m.due_at <= (select duly_now()) and a.until is not null",
            limit
        )
        .execute(&self.pool)
        .await?;
        Ok(put_off.rows_affected())
    }

    /// Text messages of running plans that wait for the morning.
    pub async fn count_asleep(&self, incident: IncidentKey) -> Result<Asleep, StoreError> {
        let asleep = sqlx::query_as!(
            Asleep,
            r#"select count(*) as "messages!", min(m.due_at) as until
                 from (select q.*, (select array_agg(z) from unnest(q.zones) z where night_ends(z, q.quiet_from, q.quiet_until) is not null) as night
                         from plan q where q.controller_id = $1 and q.incident_no = $2 and q.state = 'running' and q.quiet_from is not null) q
                 join message m on m.controller_id = q.controller_id and m.incident_no = q.incident_no and m.plan_no = q.plan_no
                where m.state = 'ready' and m.channel = 'sms' and m.due_at > duly_now() and m.zones && q.night"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(asleep)
    }
}

impl Unit {
    /// Messages of these that may not leave now: it is night in a zone of theirs, by their plan's hours. `nights` has the
    /// zones in which it is night, by plan.
    pub(crate) async fn asleep(
        &mut self,
        messages: &[Uuid],
        nights: &HashMap<i32, Vec<String>>,
    ) -> Result<HashSet<Uuid>, StoreError> {
        let mut asleep = HashSet::new();
        for (plan_no, night) in nights.iter().filter(|(_, night)| !night.is_empty()) {
            let found = sqlx::query_scalar!(
                "select message_id from message where controller_id = $1 and incident_no = $2 and plan_no = $3
                    and message_id = any($4) and channel = 'sms' and zones && $5",
                self.incident.controller_id,
                self.incident.incident_no,
                plan_no,
                messages,
                night
            )
            .fetch_all(&mut *self.tx)
            .await?;
            asleep.extend(found);
        }
        Ok(asleep)
    }
}
