//! Messages of which no last word has come: what their providers are asked about.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::MessageState;
use std::time::Duration;
use uuid::Uuid;

/// Which messages are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Lane.
    pub lane: &'a str,
    /// Not those that were asked about within this time; what is old is asked about less often.
    pub every: Duration,
    /// Not those that the provider has forgotten.
    pub retention: Option<Duration>,
    /// Messages at most.
    pub limit: i64,
}

/// A message of which news may have come.
#[derive(Debug, Clone)]
pub struct Untold {
    /// Place in every key.
    pub incident: IncidentKey,
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Present state.
    pub state: MessageState,
    /// Newest attempt.
    pub attempt: i32,
    /// Our reference at the provider.
    pub reference: String,
    /// The provider's id, once known.
    pub provider_id: Option<String>,
    /// Whether it is known that the letter was posted; the same again is no news.
    pub was_posted: bool,
}

/// What one lane's messages of one incident cost, as far as their provider told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LaneCost {
    /// Incident, as people name it.
    pub incident: String,
    /// Lane.
    pub lane: String,
    /// ISO 4217.
    pub currency: String,
    /// Thousandths of its minor unit.
    pub milli: i64,
    /// Messages whose price is known.
    pub messages: i64,
}

impl Store {
    /// Puts on record what a look-up said of a message's price.
    pub async fn record_cost(&self, lookup_id: Uuid, milli: u64, currency: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update lookup set cost_milli = $2, currency = $3 where lookup_id = $1",
            lookup_id,
            i64::try_from(milli).unwrap_or(i64::MAX),
            currency
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What was spent, by incident and lane: of each message the newest price that its provider told.
    pub async fn list_costs(&self) -> Result<Vec<LaneCost>, StoreError> {
        let rows = sqlx::query_as!(
            LaneCost,
            r#"with told as (
                 select controller_id, incident_no, message_id, cost_milli, currency, at from outcome where cost_milli is not null
                 union all
                 select controller_id, incident_no, message_id, cost_milli, currency, sent_at from lookup where cost_milli is not null),
               newest as (select distinct on (message_id) * from told order by message_id, at desc)
               select i.slug as "incident!", m.lane as "lane!", n.currency as "currency!", sum(n.cost_milli)::bigint as "milli!", count(*) as "messages!"
                 from newest n
                 join message m on m.controller_id = n.controller_id and m.incident_no = n.incident_no and m.message_id = n.message_id
                 join incident i on i.controller_id = n.controller_id and i.incident_no = n.incident_no
                where m.lane is not null and n.currency is not null group by 1, 2, 3 order by 1, 2, 3"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Words of receipts that no table knows, by lane, with how often they came.
    pub async fn list_unknown_words(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let rows = sqlx::query!(
            r#"select provider as lane, unknown_word as "word!", count(*) as "n!" from receipt
                where unknown_word is not null and verdict = 'verified' group by 1, 2 order by 1, 2 limit 100"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, row.word, row.n)).collect())
    }

    /// Messages that a provider took and said no last word about, least lately asked about first.
    pub async fn list_untold_news(&self, asking: &Asking<'_>) -> Result<Vec<Untold>, StoreError> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let rows = sqlx::query!(
            r#"select m.controller_id, m.incident_no, m.message_id, m.person_id, m.state, m.attempt, a.reference,
                      coalesce((select o.provider_id from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.provider_id is not null
                          and not exists (select from outcome p join message n on n.controller_id = p.controller_id and n.incident_no = p.incident_no and n.message_id = p.message_id
                              where p.provider_id = o.provider_id and p.message_id <> o.message_id and n.lane = m.lane) limit 1),
                          (select l.found[1] from lookup l where l.message_id = m.message_id and l.found[1] is not null limit 1)) as provider_id,
                      m.state = 'overdue' and exists (select from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no
                          and e.person_id = m.person_id and e.message_id = m.message_id and e.message_to = 'handed_to_carrier') as "was_posted!"
                 from message m
                 join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id and a.attempt = m.attempt
                 left join lateral (select max(l.sent_at) as at from lookup l where l.message_id = m.message_id) l on true
                where m.lane = $1
                  and (m.state in ('accepted', 'sent', 'printed', 'overdue', 'handed_to_carrier')
                       or m.state in ('delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired')
                          and coalesce(l.at, a.claimed_at) < duly_now() - interval '20 hours' and not exists (select from lookup k where k.message_id = m.message_id and k.cost_milli is not null))
                  and a.claimed_at > duly_now() - $3::bigint * interval '1 second'
                  and coalesce(l.at, a.claimed_at) < duly_now() - greatest($2::bigint * interval '1 second', least((duly_now() - a.claimed_at) / 8, interval '1 day'))
                order by l.at nulls first limit $4"#,
            asking.lane,
            seconds(asking.every),
            asking.retention.map_or(10 * 365 * 86_400, seconds),
            asking.limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Untold {
                    incident: IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no },
                    message_id: row.message_id,
                    person_id: row.person_id,
                    state: word(&row.state)?,
                    attempt: row.attempt,
                    reference: row.reference,
                    provider_id: row.provider_id,
                    was_posted: row.was_posted,
                })
            })
            .collect()
    }
}
