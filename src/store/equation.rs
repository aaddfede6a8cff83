//! The equation: every row and every person counted, each side from a source that does not share a path with the other.

use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::person::{Facts, shown_state};
use crate::model::state::{Channel, MessageState};
use sqlx::{PgConnection, Postgres, Transaction};
use std::collections::BTreeMap;

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
    /// People whose key was destroyed; they count on.
    pub erased: i64,
    /// People by shown state.
    pub person_states: Counts,
    /// Notices by state, as stored.
    pub notices: Counts,
    /// Notices by state, replayed from the events alone.
    pub notices_by_events: Counts,
    /// Jobs that could not be read; they name no incident, so these are those of all.
    pub rejected: Rejected,
}

/// Jobs that could not be read, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// All of them.
    pub jobs: i64,
    /// Taken in by a retry: rows of their incidents since.
    pub taken: i64,
    /// Discarded for a reason.
    pub discarded: i64,
    /// Wait for a retry or a decision; nobody of them is told.
    pub waiting: i64,
}

impl Equation {
    /// Whether nobody is missing and nobody is counted twice.
    pub fn holds(&self) -> bool {
        self.files_hold() && self.rows_hold() && self.people_hold() && self.jobs_hold()
    }

    /// Whether every job that could not be read was taken in, was discarded, or waits.
    pub fn jobs_hold(&self) -> bool {
        self.rejected.jobs == self.rejected.taken + self.rejected.discarded + self.rejected.waiting
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

impl Store {
    /// One moment of the database, read only. Counting touches every row: other plans suit it than single rows.
    pub(super) async fn moment(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut moment = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        sqlx::raw_sql("set local enable_hashjoin = on; set local enable_mergejoin = on").execute(&mut *moment).await?;
        Ok(moment)
    }

    /// Counts the equation of an incident, all of it at one moment: rows that come in meanwhile are on neither side.
    pub async fn equation(&self, incident: IncidentKey) -> Result<Equation, StoreError> {
        let mut moment = self.moment().await?;
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
        .fetch_one(&mut *moment)
        .await?;
        let people = sqlx::query!(
            r#"select count(*) as "n!", count(erased_at) as "erased!" from person where controller_id = $1 and incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *moment)
        .await?;
        let (notices, notices_by_events) = count_notices(&mut moment, incident).await?;
        Ok(Equation {
            rows_counted: count_file_rows(&mut moment, incident).await?,
            rows: rows.rows,
            person_rows: rows.person_rows,
            duplicates: rows.duplicates,
            quarantined: rows.quarantined,
            decided: rows.decided,
            people: people.n,
            erased: people.erased,
            person_states: count_person_states(&mut moment, incident).await?,
            notices,
            notices_by_events,
            rejected: count_rejected(&mut moment).await?,
        })
    }
}

/// Rows by the separate reader. A list that was frozen meanwhile goes on in a supplement: both are one file.
async fn count_file_rows(moment: &mut PgConnection, incident: IncidentKey) -> Result<i64, StoreError> {
    let row = sqlx::query!(
        r#"select coalesce(sum(coalesce(counted, taken)), 0)::bigint as "n!" from (
             select max(l.row_count) as counted,
                    sum((select count(*) from source_row s where s.controller_id = l.controller_id and s.incident_no = l.incident_no
                        and s.list_no = l.list_no)) as taken
               from affected_list l where l.controller_id = $1 and l.incident_no = $2 group by l.source, l.file_hash) as origin"#,
        incident.controller_id,
        incident.incident_no
    )
    .fetch_one(&mut *moment)
    .await?;
    Ok(row.n)
}

/// Jobs that could not be read: counted among jobs, among decisions, and among jobs without one.
async fn count_rejected(moment: &mut PgConnection) -> Result<Rejected, StoreError> {
    let rejected = sqlx::query_as!(
        Rejected,
        r#"select (select count(*) from rejected_job) as "jobs!",
                  (select count(*) from rejected_job_decision d join source_row s using (controller_id, incident_no, list_no, identity)
                    where d.fate = 'taken') as "taken!",
                  (select count(*) from rejected_job_decision where fate = 'discarded') as "discarded!",
                  (select count(*) from rejected_job r where not exists (select from rejected_job_decision d
                    where d.rejected_id = r.rejected_id)) as "waiting!""#
    )
    .fetch_one(moment)
    .await?;
    Ok(rejected)
}

/// Notices by state: as stored, and as the last event of each notice left it.
async fn count_notices(moment: &mut PgConnection, incident: IncidentKey) -> Result<(Counts, Counts), StoreError> {
    let rows = sqlx::query!(
        r#"with last_move as materialized (
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
    .fetch_all(&mut *moment)
    .await?;
    let (mut stored, mut replayed) = (Counts::new(), Counts::new());
    for row in rows {
        let side = if row.source == "stored" { &mut stored } else { &mut replayed };
        side.insert(row.state, row.n);
    }
    Ok((stored, replayed))
}

async fn count_person_states(moment: &mut PgConnection, incident: IncidentKey) -> Result<Counts, StoreError> {
    let rows = sqlx::query!(
        r#"with sent as (
             select person_id, array_agg(channel || ' ' || state order by channel, state) as messages, bool_or(attempt > 0) as sent
               from message where controller_id = $1 and incident_no = $2 and phase = 1 group by person_id),
           unfit as (
             select distinct m.person_id from misfit x join message m using (controller_id, incident_no, message_id, attempt)
              where x.controller_id = $1 and x.incident_no = $2 and m.state = 'ready' and m.phase = 1),
           stop as (select person_id from hold where controller_id = $1 and incident_no = $2 and lifted_at is null)
           select notice as "notice!", route as "route?", messages as "messages?", problem as "problem!", sent as "sent!",
                  held as "held!", count(*) as "n!"
             from (select coalesce(o.state, 'open') as notice, o.route, o.problem is not null or p.person_id in (select unfit.person_id from unfit) as problem, m.messages,
                          coalesce(m.sent, false) as sent,
                          exists (select from stop where stop.person_id is null)
                          or p.person_id in (select stop.person_id from stop where stop.person_id is not null) as held
                     from person p
                     left join notice o on o.controller_id = $1 and o.incident_no = $2 and o.person_id = p.person_id and o.phase = 1
                     left join sent m on m.person_id = p.person_id
                    where p.controller_id = $1 and p.incident_no = $2) as shown
            group by 1, 2, 3, 4, 5, 6"#,
        incident.controller_id,
        incident.incident_no
    )
    .fetch_all(&mut *moment)
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

/// `sms accepted` as the model's words.
fn message_words(text: &str) -> Result<(Channel, MessageState), StoreError> {
    let (channel, state) = text.split_once(' ').ok_or(StoreError::Corrupt { what: "word" })?;
    Ok((word(channel)?, word(state)?))
}
