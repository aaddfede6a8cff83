//! Every person's events, replayed through the model and held against the tables.

use super::chains::{EventRow, PersonAudit};
use super::{Finding, Snapshot, finding};
use crate::model::cause::Unreadable;
use crate::model::person::printed_id;
use crate::model::replay::{MessageKey, Opening};
use crate::model::state::{Channel, Content, MessageState};
use crate::model::step::closes_at;
use crate::store::StoreError;
use crate::store::unit::{IncidentKey, word};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// People in one query.
const PAGE: i64 = 500;

/// A message as the tables have it.
pub(super) struct MessageRow {
    pub message_id: Uuid,
    pub key: MessageKey,
    pub state: MessageState,
    pub attempt: i32,
    pub alarms: i64,
}

/// A notice as the tables have it.
pub(super) struct NoticeRow {
    pub phase: u32,
    pub state: String,
    pub is_alerted: bool,
}

/// All that is stored of one person.
#[derive(Default)]
pub(super) struct Stored {
    pub last_n: i64,
    pub last_leaf: Option<Vec<u8>>,
    pub openings: BTreeMap<u32, Opening>,
    /// By phase, up to which event the chain tells of a notice that a withdrawn plan let go.
    pub let_go: BTreeMap<u32, i64>,
    pub notices: Vec<NoticeRow>,
    pub messages: Vec<MessageRow>,
    pub events: Vec<EventRow>,
    /// Message, attempt, kind of every outcome.
    pub outcomes: HashSet<(Uuid, i32, String)>,
    /// How many applied receipts say this of a message.
    pub receipts: HashMap<(Uuid, String), i64>,
}

type People = BTreeMap<Uuid, Stored>;
/// What ends a notice: channel, content, least state.
type Closing = Vec<(Channel, Content, MessageState)>;

impl Snapshot {
    pub(super) async fn audit_people(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let row = sqlx::query!(
            "select incident_id from incident where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let closing = self.read_closing(incident).await?;
        let mut findings = self.audit_strangers(incident).await?;
        let mut after = Uuid::nil();
        loop {
            let mut people = self.read_people(incident, after).await?;
            let Some(last) = people.keys().next_back().copied() else { return Ok(findings) };
            let ids: Vec<Uuid> = people.keys().copied().collect();
            self.read_openings(incident, &ids, &closing, &mut people).await?;
            self.read_let_go(incident, &ids, &mut people).await?;
            self.read_message_rows(incident, &ids, &mut people).await?;
            self.read_events(incident, &ids, &mut people).await?;
            self.read_words_of_providers(incident, &ids, &mut people).await?;
            for (id, stored) in &people {
                findings.extend(PersonAudit::new(row.incident_id, *id, stored).run());
            }
            after = last;
        }
    }

    /// Events and messages of people who are not there.
    async fn audit_strangers(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select e.person_id as "person_id!" from event e where e.controller_id = $1 and e.incident_no = $2 and e.person_id is not null
                  and not exists (select from person p where p.controller_id = $1 and p.incident_no = $2 and p.person_id = e.person_id)
                union select m.person_id from message m where m.controller_id = $1 and m.incident_no = $2
                  and not exists (select from person p where p.controller_id = $1 and p.incident_no = $2 and p.person_id = m.person_id)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|r| finding("event_of_nobody", printed_id(r.person_id))).collect())
    }

    async fn read_people(&mut self, incident: IncidentKey, after: Uuid) -> Result<People, StoreError> {
        let rows = sqlx::query!(
            "select person_id, last_n, last_leaf from person
              where controller_id = $1 and incident_no = $2 and person_id > $3 order by person_id limit $4",
            incident.controller_id,
            incident.incident_no,
            after,
            PAGE
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows
            .into_iter()
            .map(|r| (r.person_id, Stored { last_n: r.last_n, last_leaf: r.last_leaf, ..Stored::default() }))
            .collect())
    }

    /// What ends a notice, by plan and profile, as the plans' texts have it.
    async fn read_closing(&mut self, incident: IncidentKey) -> Result<HashMap<(i32, String), Closing>, StoreError> {
        let rows = sqlx::query!(
            "select plan_no, body from plan where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut tables = HashMap::new();
        for row in rows {
            let body: Value = serde_json::from_slice(&row.body).map_err(|_| StoreError::Corrupt { what: "plan" })?;
            for (profile, said) in body.get("profiles").and_then(Value::as_object).into_iter().flatten() {
                let table = said.get("closing").ok_or(StoreError::Corrupt { what: "closing table" })?;
                tables.insert((row.plan_no, profile.clone()), read_closing(table)?);
            }
        }
        Ok(tables)
    }

    async fn read_openings(
        &mut self,
        incident: IncidentKey,
        ids: &[Uuid],
        closing: &HashMap<(i32, String), Closing>,
        people: &mut People,
    ) -> Result<(), StoreError> {
        let rows = sqlx::query!(
            r#"select n.person_id, n.phase, n.plan_no, n.profile, n.route, n.state, n.problem is not null as "has_problem!", n.alerted_at is not null as "is_alerted!",
                      array(select c.channel || ' ' || c.content from prepared_content c where c.controller_id = $1 and c.incident_no = $2
                        and c.person_id = n.person_id and c.phase = n.phase) as "contents!"
                 from notice n where n.controller_id = $1 and n.incident_no = $2 and n.person_id = any($3)"#,
            incident.controller_id,
            incident.incident_no,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            let Some(stored) = people.get_mut(&row.person_id) else { continue };
            let phase = u32::try_from(row.phase).unwrap_or(0);
            let mut opening = Opening { route: word(&row.route)?, has_problem: row.has_problem, closes_at: BTreeMap::new() };
            // That the plan has no such profile is found as `profile_differs`.
            let table = closing.get(&(row.plan_no, row.profile)).map(Vec::as_slice).unwrap_or_default();
            for (channel, content) in row.contents.iter().filter_map(|c| c.split_once(' ')) {
                let channel = word(channel)?;
                opening.closes_at.extend(closes_at(table, channel, word(content)?).map(|state| (channel, state)));
            }
            stored.openings.insert(phase, opening);
            stored.notices.push(NoticeRow { phase, state: row.state, is_alerted: row.is_alerted });
        }
        Ok(())
    }

    /// Only what a plan let go that its events say is withdrawn, of a list that it named.
    async fn read_let_go(&mut self, incident: IncidentKey, ids: &[Uuid], people: &mut People) -> Result<(), StoreError> {
        let rows = sqlx::query!(
            r#"select g.person_id, g.phase, max(g.n) as "n!" from let_go g
                 join plan q on q.controller_id = $1 and q.incident_no = $2 and q.plan_no = g.plan_no and q.state = 'withdrawn'
                 join person p on p.controller_id = $1 and p.incident_no = $2 and p.person_id = g.person_id
                where g.controller_id = $1 and g.incident_no = $2 and g.person_id = any($3)
                  and convert_from(q.body, 'UTF8')::jsonb -> 'lists' @> jsonb_build_array(jsonb_build_object('list', p.list_no))
                group by 1, 2"#,
            incident.controller_id,
            incident.incident_no,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            if let Some(stored) = people.get_mut(&row.person_id) {
                stored.let_go.insert(u32::try_from(row.phase).unwrap_or(0), row.n);
            }
        }
        Ok(())
    }

    async fn read_message_rows(&mut self, incident: IncidentKey, ids: &[Uuid], people: &mut People) -> Result<(), StoreError> {
        let rows = sqlx::query!(
            r#"select m.person_id, m.message_id, m.phase, m.channel, m.reason, m.ordinal, m.state, m.attempt,
                      (select count(*) from alarm a where a.controller_id = $1 and a.incident_no = $2 and a.message_id = m.message_id
                        and a.code = 'possible_duplicate') as "alarms!"
                 from message m where m.controller_id = $1 and m.incident_no = $2 and m.person_id = any($3)"#,
            incident.controller_id,
            incident.incident_no,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            let Some(stored) = people.get_mut(&row.person_id) else { continue };
            let key = MessageKey {
                phase: u32::try_from(row.phase).unwrap_or(0),
                channel: word(&row.channel)?,
                reason: word(&row.reason)?,
                ordinal: u32::try_from(row.ordinal).unwrap_or(0),
            };
            stored.messages.push(MessageRow {
                message_id: row.message_id,
                key,
                state: word(&row.state)?,
                attempt: row.attempt,
                alarms: row.alarms,
            });
        }
        Ok(())
    }

    async fn read_events(&mut self, incident: IncidentKey, ids: &[Uuid], people: &mut People) -> Result<(), StoreError> {
        let rows = sqlx::query!(
            r#"select person_id as "person_id!", n as "n!", kind, message_id, message_from, message_to, notice_phase, notice_from, notice_to,
                      alerted, attempt, restored_id is not null as "is_brought_back!", body, leaf
                 from event where controller_id = $1 and incident_no = $2 and person_id = any($3) order by person_id, n"#,
            incident.controller_id,
            incident.incident_no,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in rows {
            let Some(stored) = people.get_mut(&row.person_id) else { continue };
            stored.events.push(EventRow {
                n: row.n,
                kind: row.kind,
                message_id: row.message_id,
                message: row.message_from.zip(row.message_to),
                notice_phase: row.notice_phase,
                notice: row.notice_from.zip(row.notice_to),
                alerted: row.alerted,
                attempt: row.attempt,
                is_brought_back: row.is_brought_back,
                body: row.body,
                leaf: row.leaf,
            });
        }
        Ok(())
    }

    async fn read_words_of_providers(
        &mut self,
        incident: IncidentKey,
        ids: &[Uuid],
        people: &mut People,
    ) -> Result<(), StoreError> {
        let outcomes = sqlx::query!(
            "select m.person_id, o.message_id, o.attempt, o.kind from outcome o join message m using (controller_id, incident_no, message_id)
              where o.controller_id = $1 and o.incident_no = $2 and m.person_id = any($3)",
            incident.controller_id,
            incident.incident_no,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in outcomes {
            if let Some(stored) = people.get_mut(&row.person_id) {
                stored.outcomes.insert((row.message_id, row.attempt, row.kind));
            }
        }
        let receipts = sqlx::query!(
            r#"select m.person_id, m.message_id, r.status as "status!", count(*) as "n!" from receipt r join message m on m.message_id = r.message_id
                where m.controller_id = $1 and m.incident_no = $2 and m.person_id = any($3) and r.verdict = 'verified'
                  and r.result in ('applied', 'no_change') and r.status is not null
                group by 1, 2, 3"#,
            incident.controller_id,
            incident.incident_no,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for row in receipts {
            if let Some(stored) = people.get_mut(&row.person_id) {
                stored.receipts.insert((row.message_id, row.status), row.n);
            }
        }
        Ok(())
    }
}

/// `[{channel, content, state}]`, as a plan has it.
fn read_closing(table: &Value) -> Result<Closing, StoreError> {
    let read = |row: &Value| {
        let text = |name: &str| row.get(name).and_then(Value::as_str).ok_or(Unreadable::Field);
        let words = (text("channel")?.parse(), text("content")?.parse(), text("state")?.parse());
        match words {
            (Ok(channel), Ok(content), Ok(state)) => Ok((channel, content, state)),
            _ => Err(Unreadable::Field),
        }
    };
    let rows: Option<Result<Vec<_>, Unreadable>> = table.as_array().map(|rows| rows.iter().map(read).collect());
    rows.and_then(Result::ok).ok_or(StoreError::Corrupt { what: "closing table" })
}
