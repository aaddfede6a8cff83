//! Counts of one incident: progress, and the equation from sources that do not share a path.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::person::{Facts, shown_state};
use crate::model::state::{Channel, MessageState};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// Counts by word.
pub type Counts = BTreeMap<String, i64>;

/// The equation, each side counted from a source of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Equation {
    /// Data rows of all files as a separate reader counted them; of jobs, those taken in.
    pub rows_counted: i64,
    /// Rows taken in, all lists.
    pub rows: i64,
    /// Rows that became people.
    pub person_rows: i64,
    /// Rows that repeat a person.
    pub duplicates: i64,
    /// Rows that wait.
    pub quarantined: i64,
    /// Rows that were replaced or discarded.
    pub decided: i64,
    /// People.
    pub people: i64,
    /// People by shown state.
    pub person_states: Counts,
    /// Notices by state, as stored.
    pub notices: Counts,
    /// Notices by state, replayed from the events alone.
    pub notices_by_events: Counts,
}

impl Equation {
    /// Whether nobody is missing and nobody is counted twice.
    pub fn holds(&self) -> bool {
        self.files_hold() && self.rows_hold() && self.people_hold()
    }

    /// Whether every row that the separate reader counted was taken in; not so while an import goes on.
    pub fn files_hold(&self) -> bool {
        self.rows_counted == self.rows
    }

    /// Whether every row has exactly one fate, and every row of a person its person.
    pub fn rows_hold(&self) -> bool {
        self.rows == self.person_rows + self.duplicates + self.quarantined + self.decided && self.person_rows == self.people
    }

    /// Whether every person is in exactly one state, and the states are those that the events lead to.
    pub fn people_hold(&self) -> bool {
        self.people == self.person_states.values().sum::<i64>() && self.notices == self.notices_by_events
    }
}

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
    /// Holds in force.
    pub holds: i64,
}

impl Store {
    /// Counts the equation of an incident.
    pub async fn equation(&self, incident: IncidentKey) -> Result<Equation, StoreError> {
        let rows = sqlx::query!(
            r#"select count(*) as "rows!", count(*) filter (where s.fate = 'person') as "person_rows!",
                      count(*) filter (where s.fate = 'duplicate_of') as "duplicates!",
                      count(*) filter (where s.fate = 'quarantined' and d.identity is null) as "quarantined!",
                      count(*) filter (where d.identity is not null) as "decided!"
                 from source_row s left join row_decision d using (controller_id, incident_no, list_no, identity)
                where s.controller_id = $1 and s.incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        let people = sqlx::query!(
            r#"select count(*) as "n!" from person where controller_id = $1 and incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        let (notices, notices_by_events) = self.count_notices(incident).await?;
        Ok(Equation {
            rows_counted: self.count_file_rows(incident).await?,
            rows: rows.rows,
            person_rows: rows.person_rows,
            duplicates: rows.duplicates,
            quarantined: rows.quarantined,
            decided: rows.decided,
            people: people.n,
            person_states: self.count_person_states(incident).await?,
            notices,
            notices_by_events,
        })
    }

    /// Rows by the separate reader. A list that was frozen meanwhile goes on in a supplement: both are one file.
    async fn count_file_rows(&self, incident: IncidentKey) -> Result<i64, StoreError> {
        let row = sqlx::query!(
            r#"select coalesce(sum(coalesce(counted, taken)), 0)::bigint as "n!" from (
                 select max(l.row_count) as counted,
                        sum((select count(*) from source_row s where s.controller_id = l.controller_id and s.incident_no = l.incident_no
                            and s.list_no = l.list_no)) as taken
                   from affected_list l where l.controller_id = $1 and l.incident_no = $2 group by l.source, l.file_hash) as origin"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.n)
    }

    /// Notices by state: as stored, and as the last event of each notice left it.
    async fn count_notices(&self, incident: IncidentKey) -> Result<(Counts, Counts), StoreError> {
        let rows = sqlx::query!(
            r#"with last_move as (
                 select distinct on (person_id, notice_phase) person_id, notice_phase, notice_to from event
                  where controller_id = $1 and incident_no = $2 and person_id is not null and notice_to is not null
                  order by person_id, notice_phase, n desc)
               select 'stored' as "source!", state as "state!", count(*) as "n!" from notice
                where controller_id = $1 and incident_no = $2 group by 2
               union all
               select 'events', coalesce(e.notice_to, 'open'), count(*)
                 from notice o left join last_move e on e.person_id = o.person_id and e.notice_phase = o.phase
                where o.controller_id = $1 and o.incident_no = $2 group by 2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let (mut stored, mut replayed) = (Counts::new(), Counts::new());
        for row in rows {
            let side = if row.source == "stored" { &mut stored } else { &mut replayed };
            side.insert(row.state, row.n);
        }
        Ok((stored, replayed))
    }

    async fn count_person_states(&self, incident: IncidentKey) -> Result<Counts, StoreError> {
        let rows = sqlx::query!(
            r#"select notice as "notice!", route as "route?", messages as "messages?", problem as "problem!", sent as "sent!", held as "held!", count(*) as "n!"
                 from (select coalesce(o.state, 'open') as notice, o.route, o.problem is not null as problem,
                        (select array_agg(m.channel || ' ' || m.state order by m.channel, m.state) from message m
                          where m.controller_id = p.controller_id and m.incident_no = p.incident_no and m.person_id = p.person_id
                            and m.phase = o.phase) as messages,
                        exists (select from message m where m.controller_id = p.controller_id and m.incident_no = p.incident_no
                            and m.person_id = p.person_id and m.attempt > 0) as sent,
                        exists (select from hold h where h.controller_id = p.controller_id and h.incident_no = p.incident_no
                            and h.lifted_at is null and (h.person_id is null or h.person_id = p.person_id)) as held
                   from person p left join notice o on o.controller_id = p.controller_id and o.incident_no = p.incident_no
                        and o.person_id = p.person_id and o.phase = 1
                  where p.controller_id = $1 and p.incident_no = $2) as shown
               group by 1, 2, 3, 4, 5, 6"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let mut states = Counts::new();
        for row in rows {
            let shown = shown_state(&Facts {
                notice: word(&row.notice)?,
                route: row.route.as_deref().map(word).transpose()?,
                messages: row.messages.unwrap_or_default().iter().map(|m| message_words(m)).collect::<Result<_, _>>()?,
                has_problem: row.problem,
                was_sent: row.sent,
                is_held: row.held,
            });
            *states.entry(shown.as_str().to_owned()).or_insert(0) += row.n;
        }
        Ok(states)
    }

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

    /// Attempts by lane and outcome; an attempt without one is in flight or was cut.
    pub async fn count_outcomes(&self, incident: IncidentKey) -> Result<Counts, StoreError> {
        let rows = sqlx::query!(
            r#"select a.lane || ' ' || coalesce(o.kind, 'none') as "kind!", count(*) as "n!"
                 from attempt a left join outcome o using (controller_id, incident_no, message_id, attempt)
                where a.controller_id = $1 and a.incident_no = $2 group by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
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
                     and at > duly_now() - interval '1 minute') as "accepted!",
                 (select count(*) from notice where controller_id = $1 and incident_no = $2 and state = 'notified'
                     and ended_at > duly_now() - interval '1 minute') as "notified!",
                 (select count(*) from message where controller_id = $1 and incident_no = $2 and state in ('ready', 'sending')) as "to_hand_over!",
                 (select count(*) from message where controller_id = $1 and incident_no = $2 and state = 'unknown') as "unknown!",
                 (select count(*) from message where controller_id = $1 and incident_no = $2 and state = 'asked') as "asked!",
                 (select count(*) from event where controller_id = $1 and incident_no = $2 and kind = 'message.unknown'
                     and message_to = 'unknown') as "unknown_made!",
                 (select count(*) from hold where controller_id = $1 and incident_no = $2 and lifted_at is null) as "holds!",
                 (select message_id from message where controller_id = $1 and incident_no = $2 and due_at is not null
                   order by message_id limit 1) as oldest"#,
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
            holds: row.holds,
        })
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

/// `sms accepted` as the model's words.
fn message_words(text: &str) -> Result<(Channel, MessageState), StoreError> {
    let (channel, state) = text.split_once(' ').ok_or(StoreError::Corrupt { what: "word" })?;
    Ok((word(channel)?, word(state)?))
}

/// When a UUIDv7 was made.
pub(crate) fn made_at(id: Uuid) -> Option<OffsetDateTime> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    Some(at + time::Duration::nanoseconds(i64::from(nanos)))
}
