//! Everything that is on record of one person, to be told in order.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use crate::model::person::printed_id;
use time::OffsetDateTime;
use uuid::Uuid;

/// A person without anything personal.
#[derive(Debug, Clone)]
pub struct PersonCard {
    /// Person.
    pub person_id: Uuid,
    /// List that brought the person.
    pub list_no: i32,
    /// Printed in messages.
    pub reference_code: String,
    /// BCP 47.
    pub language: String,
    /// Format preference.
    pub format: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// When the row became a person.
    pub taken_at: OffsetDateTime,
    /// Whether the key is destroyed, and with it everything personal.
    pub is_erased: bool,
}

/// A row of a list that is, or repeats, the person.
#[derive(Debug, Clone)]
pub struct RowMark {
    /// List.
    pub list_no: i32,
    /// Row of a file; `None` for a job.
    pub row_no: Option<i64>,
    /// `person` or `duplicate_of`.
    pub fate: String,
    /// When it was taken in.
    pub taken_at: OffsetDateTime,
}

/// A quarantined row in whose place, at last, a row of the person stands.
#[derive(Debug, Clone)]
pub struct CorrectedRow {
    /// List.
    pub list_no: i32,
    /// Row of a file; `None` for a job.
    pub row_no: Option<i64>,
    /// Why it waited: `[{column, code}]`.
    pub faults: serde_json::Value,
    /// When it was taken in.
    pub taken_at: OffsetDateTime,
    /// List of the row that took its place.
    pub new_list_no: i32,
    /// That row of a file; `None` for a job.
    pub new_row_no: Option<i64>,
    /// Who corrected it.
    pub by: String,
    /// When.
    pub decided_at: OffsetDateTime,
}

/// The duty to tell the person in one phase.
#[derive(Debug, Clone)]
pub struct NoticeRow {
    /// Phase.
    pub phase: i32,
    /// Plan.
    pub plan_no: i32,
    /// Route word.
    pub route: String,
    /// State word.
    pub state: String,
    /// First text reported delivered.
    pub alerted_at: Option<OffsetDateTime>,
    /// Code of why no message could be prepared.
    pub problem: Option<String>,
    /// Code of why a message cannot leave.
    pub misfit: Option<String>,
    /// Messages: channel word and state word.
    pub messages: Vec<(String, String)>,
    /// Whether a call was ever claimed.
    pub was_sent: bool,
}

/// An event with the lane of its attempt.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Kind.
    pub kind: String,
    /// The leaf.
    pub body: Vec<u8>,
    /// Lane of the message that it speaks of.
    pub lane: Option<String>,
    /// Postage class of that message.
    pub postage_class: Option<String>,
    /// Why somebody ended the notice, as they signed it.
    pub reason: Option<String>,
}

/// A hold with the names of who set and lifted it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct HoldRow {
    /// Hold.
    #[serde(rename = "hold")]
    pub hold_id: Uuid,
    /// Person; `None`: the whole incident.
    #[serde(serialize_with = "as_person")]
    pub person: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub set_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub set_at: OffsetDateTime,
    /// Who lifted it.
    pub lifted_by: Option<String>,
    /// When; `None` while it holds.
    #[serde(with = "time::serde::rfc3339::option")]
    pub lifted_at: Option<OffsetDateTime>,
}

fn as_person<S: serde::Serializer>(person: &Option<Uuid>, to: S) -> Result<S::Ok, S::Error> {
    match person {
        Some(id) => to.serialize_str(&printed_id(*id)),
        None => to.serialize_none(),
    }
}

impl Store {
    /// Finds a person by the keyed hash of the external reference.
    pub async fn find_person_by_reference(
        &self,
        incident: IncidentKey,
        reference_hash: &[u8; 32],
    ) -> Result<Option<Uuid>, StoreError> {
        let row = sqlx::query!(
            "select person_id from person where controller_id = $1 and incident_no = $2 and reference_hash = $3",
            incident.controller_id,
            incident.incident_no,
            reference_hash.as_slice()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.person_id))
    }

    /// A person of an incident.
    pub async fn load_person_card(&self, incident: IncidentKey, person_id: Uuid) -> Result<PersonCard, StoreError> {
        let row = sqlx::query_as!(
            PersonCard,
            r#"select p.person_id, p.list_no, p.reference_code, p.language, p.format, p.jurisdiction, p.created_at as taken_at,
                      p.erased_at is not null as "is_erased!"
                 from person p where p.controller_id = $1 and p.incident_no = $2 and p.person_id = $3"#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.ok_or_else(|| StoreError::missing("person of this incident", &printed_id(person_id)))
    }

    /// Rows that are, or repeat, the person.
    pub async fn list_rows_of(&self, incident: IncidentKey, person_id: Uuid) -> Result<Vec<RowMark>, StoreError> {
        let rows = sqlx::query_as!(
            RowMark,
            "select list_no, row_no, fate, taken_at from source_row
              where controller_id = $1 and incident_no = $2 and person_id = $3 order by taken_at, list_no, row_no",
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Quarantined rows that were corrected, in one step or several, into a row of the person.
    pub async fn list_corrected_rows(&self, incident: IncidentKey, person_id: Uuid) -> Result<Vec<CorrectedRow>, StoreError> {
        let rows = sqlx::query_as!(
            CorrectedRow,
            r#"with recursive chain as (
                 select d.* from source_row s
                   join row_decision d on d.controller_id = s.controller_id and d.incident_no = s.incident_no
                        and d.new_list_no = s.list_no and d.new_identity = s.identity
                  where s.controller_id = $1 and s.incident_no = $2 and s.person_id = $3
                 union
                 select d.* from chain c
                   join row_decision d on d.controller_id = c.controller_id and d.incident_no = c.incident_no
                        and d.new_list_no = c.list_no and d.new_identity = c.identity)
               select s.list_no as "list_no!", s.row_no, s.faults as "faults!", s.taken_at as "taken_at!", n.list_no as "new_list_no!",
                      n.row_no as new_row_no, u.name as "by!", c.decided_at as "decided_at!"
                 from chain c join app_user u on u.user_id = c.decided_by
                 join source_row s on s.controller_id = c.controller_id and s.incident_no = c.incident_no and s.list_no = c.list_no
                      and s.identity = c.identity
                 join source_row n on n.controller_id = c.controller_id and n.incident_no = c.incident_no and n.list_no = c.new_list_no
                      and n.identity = c.new_identity
                order by c.decided_at, s.list_no, s.identity"#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Notices of a person with their messages, by phase.
    pub async fn list_notices_of(&self, incident: IncidentKey, person_id: Uuid) -> Result<Vec<NoticeRow>, StoreError> {
        let rows = sqlx::query!(
            "select phase, plan_no, route, state, alerted_at, problem from notice
              where controller_id = $1 and incident_no = $2 and person_id = $3 order by phase",
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        let messages = sqlx::query!(
            r#"select m.phase, m.channel, m.state, m.attempt, x.code as "misfit?" from message m
                 left join misfit x on x.controller_id = m.controller_id and x.incident_no = m.incident_no and x.message_id = m.message_id
                      and x.attempt = m.attempt and m.state = 'ready'
                where m.controller_id = $1 and m.incident_no = $2 and m.person_id = $3 order by m.message_id"#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        let of_phase = |phase: i32| messages.iter().filter(move |m| m.phase == phase);
        let notices = rows.into_iter().map(|row| NoticeRow {
            messages: of_phase(row.phase).map(|m| (m.channel.clone(), m.state.clone())).collect(),
            was_sent: of_phase(row.phase).any(|m| m.attempt > 0),
            misfit: of_phase(row.phase).find_map(|m| m.misfit.clone()),
            phase: row.phase,
            plan_no: row.plan_no,
            route: row.route,
            state: row.state,
            alerted_at: row.alerted_at,
            problem: row.problem,
        });
        Ok(notices.collect())
    }

    /// Every event of a person in the order of the chain.
    pub async fn list_events_of(&self, incident: IncidentKey, person_id: Uuid) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query_as!(
            EventRow,
            r#"select e.kind, e.body, m.lane as "lane?", m.postage_class as "postage_class?",
                      case when e.kind like 'notice.%' then (select signed_words(c.statement) ->> 'reason' from signed_command c
                        where c.command_id = (convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'command')::uuid) end as reason
                 from event e
                 left join message m on m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.message_id = e.message_id
                where e.controller_id = $1 and e.incident_no = $2 and e.person_id = $3 order by e.n"#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The incident's own events: lists frozen, plans prepared, approved, moved.
    pub async fn list_incident_events(&self, incident: IncidentKey) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query_as!(
            EventRow,
            r#"select kind, body, null::text as lane, null::text as postage_class, null::text as reason from event
                where controller_id = $1 and incident_no = $2 and person_id is null order by ord"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Every hold of an incident, lifted ones among them, in order.
    pub async fn list_hold_history(&self, incident: IncidentKey) -> Result<Vec<HoldRow>, StoreError> {
        let rows = sqlx::query_as!(
            HoldRow,
            r#"select h.hold_id, h.person_id as person, h.reason, s.name as set_by, h.set_at, l.name as "lifted_by?", h.lifted_at
                 from hold h join app_user s on s.user_id = h.set_by left join app_user l on l.user_id = h.lifted_by
                where h.controller_id = $1 and h.incident_no = $2 order by h.set_at"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
