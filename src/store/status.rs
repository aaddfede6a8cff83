//! Where the sending of one incident stands.

pub use super::equation::{Counts, Equation, Rejected};

use super::unit::IncidentKey;
use super::{Store, StoreError};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where sending stands at one moment.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Pulse {
    /// When all of this was counted, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Calls that providers accepted within the last minute.
    pub accepted_last_minute: i64,
    /// Notices that ended as notified within the last minute.
    pub notified_last_minute: i64,
    /// Messages that still wait to be handed to a provider.
    pub to_hand_over: i64,
    /// When the oldest message without an end was made.
    #[serde(with = "time::serde::rfc3339::option")]
    pub oldest_open_since: Option<OffsetDateTime>,
    /// Calls that ended as unknown, ever.
    pub unknown_made: i64,
    /// Messages that are unknown now: Duly finds out by itself.
    pub unknown: i64,
    /// Messages about which a person must decide.
    pub asked: i64,
    /// Alarms by code.
    pub alarms: Counts,
    /// Messages that cannot leave, by code.
    pub misfits: Counts,
    /// Holds in force.
    pub holds: i64,
}

impl Store {
    /// Messages by channel and state, `sms accepted`.
    pub async fn count_messages(&self, incident: IncidentKey) -> Result<Counts, StoreError> {
        let rows = sqlx::query!(
            r#"select channel || ' ' || state as "state!", count(*) as "n!" from message where controller_id = $1 and incident_no = $2 group by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.state, row.n)).collect())
    }

    /// Messages that somebody sent again although nobody knew of the call before, by channel and state.
    pub async fn count_sent_again(&self, incident: IncidentKey) -> Result<Counts, StoreError> {
        let rows = sqlx::query!(
            r#"select channel || ' ' || state as "state!", count(*) as "n!" from message where controller_id = $1 and incident_no = $2 and counted_from > 0 group by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.state, row.n)).collect())
    }

    /// Attempts by lane and outcome; an attempt without one is in flight or was cut.
    pub async fn count_outcomes(&self, incident: IncidentKey) -> Result<Counts, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select a.lane || ' ' || coalesce(o.kind, 'none') as "kind!", count(*) as "n!"
                 from attempt a left join outcome o using (controller_id, incident_no, message_id, attempt)
                where a.controller_id = $1 and a.incident_no = $2 group by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *moment)
        .await?;
        Ok(rows.into_iter().map(|row| (row.kind, row.n)).collect())
    }

    /// Open notices that a plan covers.
    pub async fn count_open_notices(&self, incident: IncidentKey) -> Result<i64, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "n!" from notice where controller_id = $1 and incident_no = $2 and state = 'open'"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.n)
    }

    /// Unknown calls made, and messages still unknown or asked.
    pub async fn count_unknown(&self, incident: IncidentKey) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query!(
            r#"select (select count(*) from event where controller_id = $1 and incident_no = $2 and kind = 'message.unknown' and message_to = 'unknown') as "made!",
                      (select count(*) from message where controller_id = $1 and incident_no = $2 and state in ('unknown', 'asked')) as "left!""#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.made, row.left))
    }

    /// Calls that were claimed and never ended with an outcome: whoever made them died.
    pub async fn count_cut_calls(&self, incident: IncidentKey) -> Result<i64, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "n!" from attempt a left join outcome o using (controller_id, incident_no, message_id, attempt)
                where a.controller_id = $1 and a.incident_no = $2 and o.kind is null"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.n)
    }

    /// Somebody with a cut call and the most events: whose story shows the most.
    pub async fn find_eventful_person(&self, incident: IncidentKey) -> Result<Option<Uuid>, StoreError> {
        let found = sqlx::query_scalar!(
            "select p.person_id from person p
               left join (select a.person_id from attempt a left join outcome o using (controller_id, incident_no, message_id, attempt)
                           where a.controller_id = $1 and a.incident_no = $2 and o.kind is null) cut on cut.person_id = p.person_id
              where p.controller_id = $1 and p.incident_no = $2
              order by cut.person_id is not null desc, p.last_n desc, p.person_id limit 1",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found)
    }

    /// Where the sending of an incident stands.
    pub async fn pulse(&self, incident: IncidentKey) -> Result<Pulse, StoreError> {
        let row = sqlx::query!(
            r#"select duly_now() as "at!",
                 (select count(*) from outcome where controller_id = $1 and incident_no = $2 and kind = 'accepted'
                     and at > (select duly_now()) - interval '1 minute') as "accepted!",
                 (select count(*) from notice where controller_id = $1 and incident_no = $2 and state = 'notified'
                     and ended_at > (select duly_now()) - interval '1 minute') as "notified!",
                 m.to_hand_over as "to_hand_over!", m.unknown as "unknown!", m.asked as "asked!",
                 (select count(*) from event where controller_id = $1 and incident_no = $2 and kind = 'message.unknown'
                     and message_to = 'unknown') as "unknown_made!",
                 (select count(*) from hold where controller_id = $1 and incident_no = $2 and lifted_at is null) as "holds!",
                 (select message_id from message where controller_id = $1 and incident_no = $2 and due_at is not null
                   order by message_id limit 1) as oldest
               from (select count(*) filter (where state in ('ready', 'sending')) as to_hand_over,
                            count(*) filter (where state = 'unknown') as unknown, count(*) filter (where state = 'asked') as asked
                       from message where controller_id = $1 and incident_no = $2) as m"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Pulse {
            at: row.at,
            accepted_last_minute: row.accepted,
            notified_last_minute: row.notified,
            to_hand_over: row.to_hand_over,
            oldest_open_since: row.oldest.and_then(made_at),
            unknown_made: row.unknown_made,
            unknown: row.unknown,
            asked: row.asked,
            alarms: self.count_alarms(incident).await?,
            misfits: self.count_misfits(incident).await?,
            holds: row.holds,
        })
    }

    /// Open messages of an incident, or of all, by lanes that are none of `known`: nobody sends them or asks for their news.
    pub async fn count_without_lane(&self, incident: Option<IncidentKey>, known: &[String]) -> Result<Counts, StoreError> {
        let rows = sqlx::query!(
            r#"select lane as "lane!", count(*) as "n!" from message
                where due_at is not null and lane <> all($1) and ($2::bigint is null or incident_no = $2) group by 1"#,
            known,
            incident.map(|key| key.incident_no)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, row.n)).collect())
    }

    async fn count_alarms(&self, incident: IncidentKey) -> Result<Counts, StoreError> {
        let rows = sqlx::query!(
            r#"select code, count(*) as "n!" from alarm where controller_id = $1 and incident_no = $2 group by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.code, row.n)).collect())
    }
}

/// When a UUIDv7 was made.
pub(crate) fn made_at(id: Uuid) -> Option<OffsetDateTime> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    Some(at + time::Duration::nanoseconds(i64::from(nanos)))
}
