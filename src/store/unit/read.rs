//! How a unit begins: it locks, in the order that all of Duly keeps, and reads what the decisions will look at.

use super::{Closing, IncidentKey, MessageRow, Notice, Person, Unit, Wait, hash, word};
use crate::model::state::Channel;
use crate::model::step::Message;
use crate::store::{Store, StoreError};
use serde_json::Value;
use sqlx::{Postgres, Transaction};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

impl Store {
    /// Opens a unit over people of one incident, in the lock order of the design: incident, people, messages.
    pub async fn unit(&self, incident: IncidentKey, people: &[Uuid], wait: Wait) -> Result<Unit, StoreError> {
        let tx = self.pool.begin().await?;
        self.unit_in(tx, incident, people, wait).await
    }

    /// As `unit`, inside a transaction that has taken the incident already.
    pub(crate) async fn unit_in(
        &self,
        mut tx: Transaction<'static, Postgres>,
        incident: IncidentKey,
        people: &[Uuid],
        wait: Wait,
    ) -> Result<Unit, StoreError> {
        let row = sqlx::query!(
            r#"select incident_id, (extract(epoch from duly_now()) * 1000000)::bigint as "now_micros!"
                 from incident where controller_id = $1 and incident_no = $2 for share"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *tx)
        .await?;
        let mut unit = Unit {
            tx,
            incident,
            incident_id: row.incident_id,
            now_micros: row.now_micros,
            people: HashMap::new(),
            messages: HashMap::new(),
            notices: HashMap::new(),
            prepared: HashMap::new(),
            closing: HashMap::new(),
            pending: Vec::new(),
            created: Vec::new(),
            alarms: Vec::new(),
            misfits: Vec::new(),
            lane_news: BTreeMap::new(),
            deadlines: self.deadlines,
        };
        unit.lock_people(people, wait).await?;
        unit.read_notices().await?;
        unit.read_messages().await?;
        Ok(unit)
    }
}

impl Unit {
    async fn lock_people(&mut self, people: &[Uuid], wait: Wait) -> Result<(), StoreError> {
        let IncidentKey { controller_id, incident_no } = self.incident;
        if wait == Wait::Wait {
            sqlx::query!(
                "select person_id from person where controller_id = $1 and incident_no = $2 and person_id = any($3)
                  order by person_id for no key update",
                controller_id,
                incident_no,
                people
            )
            .fetch_all(&mut *self.tx)
            .await?;
        }
        // After waiting, `skip locked` skips nothing: the rows are ours. A new snapshot sees what committed before, and the clock is
        // read again: no event of a person says an earlier time than the one before it.
        let rows = sqlx::query!(
            r#"select person_id, last_n, last_leaf, version, erased_at is not null as "is_erased!",
                      (select (extract(epoch from duly_now()) * 1000000)::bigint) as "now_micros!" from person
              where controller_id = $1 and incident_no = $2 and person_id = any($3)
              order by person_id for no key update skip locked"#,
            controller_id,
            incident_no,
            people
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            self.now_micros = row.now_micros;
            let last_leaf = row.last_leaf.as_deref().map(hash).transpose()?;
            let person = Person { last_n: row.last_n, last_leaf, version: row.version, is_erased: row.is_erased };
            self.people.insert(row.person_id, person);
        }
        Ok(())
    }

    fn locked(&self) -> Vec<Uuid> {
        self.people.keys().copied().collect()
    }

    async fn read_notices(&mut self) -> Result<(), StoreError> {
        let people = self.locked();
        let IncidentKey { controller_id, incident_no } = self.incident;
        let rows = sqlx::query!(
            "select person_id, phase, plan_no, profile, route, state from notice
              where controller_id = $1 and incident_no = $2 and person_id = any($3)",
            controller_id,
            incident_no,
            &people
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            let (route, state) = (word(&row.route)?, word(&row.state)?);
            let notice = Notice { route, plan_no: row.plan_no, profile: row.profile, state };
            self.notices.insert((row.person_id, row.phase), notice);
        }
        self.read_closing().await?;
        let rows = sqlx::query!(
            "select person_id, phase, channel, content, commitment from prepared_content
              where controller_id = $1 and incident_no = $2 and person_id = any($3)",
            controller_id,
            incident_no,
            &people
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            self.prepared.insert((row.person_id, row.phase, word(&row.channel)?), (word(&row.content)?, hash(&row.commitment)?));
        }
        Ok(())
    }

    /// The closing tables stand in the plans' texts, the very bytes that were approved.
    async fn read_closing(&mut self) -> Result<(), StoreError> {
        let plans: HashSet<i32> = self.notices.values().map(|notice| notice.plan_no).collect();
        let rows = sqlx::query!(
            r#"select q.plan_no, p.key as "profile!", p.value -> 'closing' as "closing!"
                 from plan q cross join lateral jsonb_each(convert_from(q.body, 'UTF8')::jsonb -> 'profiles') p
                where q.controller_id = $1 and q.incident_no = $2 and q.plan_no = any($3)"#,
            self.incident.controller_id,
            self.incident.incident_no,
            &plans.into_iter().collect::<Vec<_>>()
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            self.closing.insert((row.plan_no, row.profile), closing(&row.closing)?);
        }
        Ok(())
    }

    async fn read_messages(&mut self) -> Result<(), StoreError> {
        let people = self.locked();
        let IncidentKey { controller_id, incident_no } = self.incident;
        let rows = sqlx::query!(
            r#"select m.message_id, m.person_id, m.phase, m.channel, m.reason, m.ordinal, m.plan_no, m.state, m.attempt, m.lane,
                      coalesce((select max(a.attempt) from attempt a where a.controller_id = m.controller_id
                        and a.incident_no = m.incident_no and a.message_id = m.message_id and not a.is_repeat), 0) as "fresh!"
                 from message m
                where m.controller_id = $1 and m.incident_no = $2 and m.person_id = any($3)
                order by m.message_id for no key update"#,
            controller_id,
            incident_no,
            &people
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            let channel: Channel = word(&row.channel)?;
            let (content, commitment) = self.content(row.person_id, row.phase, channel)?;
            let model = Message {
                channel,
                reason: word(&row.reason)?,
                state: word(&row.state)?,
                attempt: u32::try_from(row.attempt).unwrap_or(0),
                fresh: u32::try_from(row.fresh).unwrap_or(0),
                closes_at: self.closes_at(row.person_id, row.phase, channel, content)?,
            };
            self.messages.insert(
                row.message_id,
                MessageRow {
                    message_id: row.message_id,
                    person_id: row.person_id,
                    phase: row.phase,
                    ordinal: row.ordinal,
                    plan_no: row.plan_no,
                    lane: row.lane,
                    content: commitment,
                    model,
                },
            );
        }
        Ok(())
    }
}

/// Reads `[{channel, content, state}]` as a profile's closing table.
fn closing(table: &Value) -> Result<Closing, StoreError> {
    let entries = table.as_array().ok_or(StoreError::Corrupt { what: "closing table" })?;
    entries
        .iter()
        .map(|entry| {
            let field = |name: &str| entry.get(name).and_then(Value::as_str).ok_or(StoreError::Corrupt { what: "closing table" });
            Ok((word(field("channel")?)?, word(field("content")?)?, word(field("state")?)?))
        })
        .collect()
}
