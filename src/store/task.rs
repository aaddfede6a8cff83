//! People who have to be told by hand: no message reaches them any more, or none could be made for them.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use time::OffsetDateTime;
use uuid::Uuid;

/// Somebody who has to be told by hand.
#[derive(Debug, Clone)]
pub struct OpenTask {
    /// Person.
    pub person_id: Uuid,
    /// Phase.
    pub phase: i32,
    /// Since when no step of the route is left; `None`: a message could never be made.
    pub since: Option<OffsetDateTime>,
    /// Code of why no message could be made.
    pub problem: Option<String>,
    /// Whether everything personal is destroyed: nobody can be found by this record any more.
    pub is_erased: bool,
    /// What was tried: channel and state words, oldest first.
    pub tried: Vec<(String, String)>,
}

impl Store {
    /// Open tasks of an incident, those who wait longest first.
    pub async fn list_open_tasks(&self, incident: IncidentKey) -> Result<Vec<OpenTask>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select o.person_id, o.phase, case when o.state = 'unreachable' then o.ended_at end as since, o.problem,
                      p.erased_at is not null as "is_erased!",
                      coalesce(array_agg(m.channel order by m.message_id) filter (where m.channel is not null), '{}') as "channels!",
                      coalesce(array_agg(m.state order by m.message_id) filter (where m.channel is not null), '{}') as "states!"
                 from notice o join person p using (controller_id, incident_no, person_id)
                 left join message m using (controller_id, incident_no, person_id, phase)
                where o.controller_id = $1 and o.incident_no = $2
                  and (o.state = 'unreachable' or (o.state = 'open' and o.problem is not null))
                group by o.controller_id, o.incident_no, o.person_id, o.phase, p.erased_at
                order by o.ended_at nulls first, o.person_id, o.phase"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *moment)
        .await?;
        let tasks = rows.into_iter().map(|row| OpenTask {
            person_id: row.person_id,
            phase: row.phase,
            since: row.since,
            problem: row.problem,
            is_erased: row.is_erased,
            tried: row.channels.into_iter().zip(row.states).collect(),
        });
        Ok(tasks.collect())
    }
}
