//! Letters as their providers show them: which are asked for, how often, and what was seen.

use super::unit::{IncidentKey, Note, Wait};
use super::{Store, StoreError};
use crate::model::step::Cause;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// A letter that its provider took and has not shown.
#[derive(Debug, Clone)]
pub struct Unshown {
    /// Place in every key.
    pub incident: IncidentKey,
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// The provider's id.
    pub provider_id: String,
}

/// What a provider showed of a letter.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Commitment to the SHA-256 of the PDF.
    pub content: [u8; 32],
    /// Pages that it was given.
    pub given: u32,
    /// Pages that it shows; `None`: they cannot be read.
    pub pages: Option<u32>,
    /// How both compare, in the word of the event.
    pub ground: &'static str,
    /// The alarm that this is.
    pub alarm: Option<&'static str>,
}

impl Store {
    /// Letters of a lane that are to be asked for, least lately asked first: six times at most, at growing intervals, and not
    /// those that the provider has forgotten, whose person was erased, or whose id is another message's too.
    pub async fn list_unshown(&self, lane: &str, remembered: Duration, limit: i64) -> Result<Vec<Unshown>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.controller_id, m.incident_no, m.message_id, m.person_id, k.provider_id as "provider_id!"
                 from message m
                 join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no
                      and a.message_id = m.message_id and a.attempt = m.attempt
                cross join lateral (select count(*) as n, max(l.asked_at) as at from letter_asked l where l.controller_id = m.controller_id
                      and l.incident_no = m.incident_no and l.message_id = m.message_id) l
                cross join lateral (select coalesce(
                      (select o.provider_id from outcome o where o.controller_id = m.controller_id and o.incident_no = m.incident_no
                          and o.message_id = m.message_id and o.provider_id is not null
                          and not exists (select from outcome p join message n on n.controller_id = p.controller_id and n.incident_no = p.incident_no and n.message_id = p.message_id
                              where p.provider_id = o.provider_id and p.message_id <> o.message_id and n.lane = m.lane) limit 1),
                      (select f.found[1] from lookup f where f.message_id = m.message_id and f.found[1] is not null limit 1)) as provider_id) k
                where m.lane = $1 and m.channel = 'letter'
                  and m.state in ('accepted', 'printed', 'overdue', 'handed_to_carrier', 'carrier_delivered', 'returned')
                  and a.claimed_at > duly_now() - $2::bigint * interval '1 second'
                  and coalesce(l.at, a.claimed_at) < duly_now() - (array['2 min', '10 min', '1 h', '6 h', '1 day', '1 day'])[l.n + 1]::interval
                  and not exists (select from event e where e.controller_id = m.controller_id and e.incident_no = m.incident_no
                      and e.person_id = m.person_id and e.message_id = m.message_id and e.kind = 'message.shown')
                  and not exists (select from person p where p.controller_id = m.controller_id and p.incident_no = m.incident_no
                      and p.person_id = m.person_id and p.erased_at is not null)
                  and k.provider_id is not null
                order by l.at nulls first limit $3"#,
            lane,
            i64::try_from(remembered.as_secs()).unwrap_or(i64::MAX),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let unshown = rows.into_iter().map(|row| Unshown {
            incident: IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no },
            message_id: row.message_id,
            person_id: row.person_id,
            provider_id: row.provider_id,
        });
        Ok(unshown.collect())
    }

    /// Notes that a letter is asked for, before the question leaves.
    pub async fn insert_letter_asked(&self, incident: IncidentKey, message_id: Uuid) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into letter_asked (controller_id, incident_no, message_id) values ($1, $2, $3)",
            incident.controller_id,
            incident.incident_no,
            message_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records what a provider showed of a letter, once, with the alarm that it may be; nothing of who was erased meanwhile.
    pub async fn record_shown(&self, unshown: &Unshown, shown: &Shown) -> Result<(), StoreError> {
        let Unshown { incident, message_id, person_id, .. } = *unshown;
        let mut unit = self.unit(incident, &[person_id], Wait::Wait).await?;
        let is_known = sqlx::query_scalar!(
            r#"select exists (select from event where controller_id = $1 and incident_no = $2 and person_id = $3 and message_id = $4
                and kind = 'message.shown') as "is_known!""#,
            incident.controller_id,
            incident.incident_no,
            person_id,
            message_id
        )
        .fetch_one(&mut *unit.tx)
        .await?;
        if is_known || unit.people.get(&person_id).is_none_or(|person| person.is_erased) {
            return Ok(());
        }
        let mut note = Note::default();
        note.detail.insert("content".into(), json!(hex::encode(shown.content)));
        note.detail.insert("given".into(), json!(shown.given));
        note.detail.insert("ground".into(), json!(shown.ground));
        if let Some(pages) = shown.pages {
            note.detail.insert("pages".into(), json!(pages));
        }
        unit.apply(message_id, Cause::Shown, note)?;
        unit.alarms.extend(shown.alarm.map(|code| (message_id, code)));
        unit.commit().await
    }
}
