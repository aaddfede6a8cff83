//! Counts for progress, metrics and the equation.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use std::collections::BTreeMap;

/// Both sides of the equation, each counted from its own source.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Equation {
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
    pub person_states: BTreeMap<String, i64>,
}

impl Equation {
    /// Whether nobody is missing and nobody is counted twice.
    pub fn holds(&self) -> bool {
        self.rows == self.person_rows + self.duplicates + self.quarantined + self.decided
            && self.person_rows == self.people
            && self.people == self.person_states.values().sum::<i64>()
    }
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
        Ok(Equation {
            rows: rows.rows,
            person_rows: rows.person_rows,
            duplicates: rows.duplicates,
            quarantined: rows.quarantined,
            decided: rows.decided,
            people: people.n,
            person_states: self.count_person_states(incident).await?,
        })
    }

    async fn count_person_states(&self, incident: IncidentKey) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = sqlx::query!(
            r#"select notice, asked, sent, held, problem, count(*) as "n!" from (
                 select coalesce(o.state, 'open') as "notice",
                        o.problem is not null as problem,
                        exists (select from message m where m.controller_id = p.controller_id and m.incident_no = p.incident_no
                            and m.person_id = p.person_id and m.state = 'asked') as asked,
                        exists (select from message m where m.controller_id = p.controller_id and m.incident_no = p.incident_no
                            and m.person_id = p.person_id and m.attempt > 0) as sent,
                        exists (select from hold h where h.controller_id = p.controller_id and h.incident_no = p.incident_no
                            and h.lifted_at is null and (h.person_id is null or h.person_id = p.person_id)) as held
                   from person p left join notice o on o.controller_id = p.controller_id and o.incident_no = p.incident_no
                        and o.person_id = p.person_id and o.phase = 1
                  where p.controller_id = $1 and p.incident_no = $2) as shown
               group by 1, 2, 3, 4, 5"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let mut states = BTreeMap::new();
        for row in rows {
            let is = |flag: Option<bool>| flag == Some(true);
            let shown = crate::model::person::shown_state(&crate::model::person::Facts {
                notice: super::unit::word(row.notice.as_deref().unwrap_or("open"))?,
                needs_decision: is(row.asked) || is(row.problem),
                was_sent: is(row.sent),
                is_held: is(row.held),
            });
            *states.entry(shown.as_str().to_owned()).or_insert(0) += row.n;
        }
        Ok(states)
    }

    /// Messages by state word.
    pub async fn count_messages(&self, incident: IncidentKey) -> Result<BTreeMap<String, i64>, StoreError> {
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
    pub async fn count_outcomes(&self, incident: IncidentKey) -> Result<BTreeMap<String, i64>, StoreError> {
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

    /// Calls claimed and not ended: `sending` messages whose lease runs.
    pub async fn count_in_flight(&self) -> Result<i64, StoreError> {
        let row = sqlx::query!(r#"select count(*) as "n!" from message where state = 'sending' and due_at is not null"#).fetch_one(&self.pool).await?;
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
}

impl Store {
    /// Messages by channel and state over all incidents, for metrics.
    pub async fn count_all_messages(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let rows = sqlx::query!(r#"select channel, state, count(*) as "n!" from message group by 1, 2 order by 1, 2"#).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.channel, row.state, row.n)).collect())
    }
}
