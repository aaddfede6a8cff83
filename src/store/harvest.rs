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
    /// Those whose call is not longer ago: later no news come, or the provider has forgotten them.
    pub within: Duration,
    /// Asked about at least so often, however old.
    pub at_least_every: Duration,
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
    /// Whether its last word is known, and its price is not.
    pub is_for_price: bool,
}

/// How often a message is asked about for its price alone, a day apart: providers know it within a day or two of the last
/// word, or never say it. A choice of ours.
const PRICE_LOOKS: i64 = 3;

impl Store {
    /// Messages that a provider took and said no last word about, least lately asked about first; then those whose price is
    /// not known, a few times. A letter that was delivered may still come back, and so may an email: they are asked about like
    /// those that wait, no more than daily.
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
                          and e.person_id = m.person_id and e.message_id = m.message_id and e.message_to = 'handed_to_carrier') as "was_posted!",
                      w.is_for_price as "is_for_price!"
                 from message m
                 join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id and a.attempt = m.attempt
                cross join lateral (select max(l.sent_at) as at, count(*) filter (where l.asks_price) as price_looks, bool_or(l.cost_milli is not null) as is_priced
                      from lookup l where l.message_id = m.message_id) l
                cross join lateral (select m.state in ('delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired') as is_told,
                      m.state in ('returned', 'failed', 'expired') or m.state = 'delivered_to_handset' and m.channel = 'sms' as is_for_price) w
                where m.lane = $1
                  and m.state in ('accepted', 'sent', 'printed', 'overdue', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired')
                  and (not w.is_told or coalesce(l.at, a.claimed_at) < duly_now() - interval '20 hours')
                  and (not w.is_for_price or l.price_looks < $6 and l.is_priced is not true
                      and not exists (select from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.cost_milli is not null))
                  and a.claimed_at > duly_now() - $3::bigint * interval '1 second'
                  and coalesce(l.at, a.claimed_at) < duly_now() - greatest($2::bigint * interval '1 second',
                      least((duly_now() - a.claimed_at) / 8, $5::bigint * interval '1 second'))
                order by l.at nulls first limit $4"#,
            asking.lane,
            seconds(asking.every),
            seconds(asking.within),
            asking.limit,
            seconds(asking.at_least_every),
            PRICE_LOOKS
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
                    is_for_price: row.is_for_price,
                })
            })
            .collect()
    }
}
