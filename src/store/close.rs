//! The end of an incident: what is still open, the close, and the way back. A closed incident sends nothing and takes
//! nothing in but what providers report.

use super::quarantine::Decider;
use super::unit::IncidentKey;
use super::user::Signer;
use super::{Store, StoreError};
use crate::model::statement::{incident_close, incident_reopen};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

/// What is still open in an incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Unfinished {
    /// People without an end state.
    pub open: i64,
    /// Calls that go on, or of which nobody knows how they ended.
    pub unknown: i64,
    /// Messages about which a person must decide.
    pub asked: i64,
    /// Quarantined rows that nobody has decided about.
    pub quarantined: i64,
    /// Rows of files that a separate reader counted and that were never taken in.
    pub missing: i64,
}

impl Unfinished {
    /// Whether nothing is open.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn fields(&self) -> [(&'static str, Value); 5] {
        [
            ("asked", json!(self.asked)),
            ("missing", json!(self.missing)),
            ("open", json!(self.open)),
            ("quarantined", json!(self.quarantined)),
            ("unknown", json!(self.unknown)),
        ]
    }
}

fn detail(by: Decider, reason: Option<&str>, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    let signed = [("command", json!(by.command_id.to_string())), ("user", json!(by.user_id.to_string()))];
    let reason = reason.map(|reason| ("reason", json!(reason)));
    fields.into_iter().chain(signed).chain(reason).map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Store {
    /// What is open in an incident at this moment.
    pub async fn unfinished(&self, incident: IncidentKey) -> Result<Unfinished, StoreError> {
        count(&mut *self.pool.acquire().await?, incident).await
    }

    /// Signs the end of an incident and closes it; where something is open, only for a reason, which stands in the event with what was open. `None`:
    /// somebody else closed it meanwhile, and nothing was changed.
    pub async fn close_incident(
        &self,
        incident: IncidentKey,
        reason: Option<&str>,
        signer: &Signer,
    ) -> Result<Option<(Unfinished, Decider)>, StoreError> {
        let mut unit = self.hold_unit(incident, None).await?;
        if is_closed(&mut unit.tx, incident).await? {
            return Ok(None);
        }
        let left = count(&mut unit.tx, incident).await?;
        if !left.is_nothing() && reason.is_none() {
            return Err(StoreError::Forbidden {
                what: "something of the incident is open again",
                remedy: "look with `duly incident close --dry-run`; nothing was changed",
            });
        }
        let by = signer.sign_in(&mut unit.tx, &incident_close(unit.incident_id, reason)).await?;
        unit.incident_event("incident.closed", detail(by, reason, left.fields()), None)?;
        unit.commit().await?;
        Ok(Some((left, by)))
    }

    /// Whether an incident is closed now.
    pub async fn is_closed(&self, incident: IncidentKey) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        is_closed(&mut connection, incident).await
    }

    /// Signs that a closed incident is reopened: its plans go on as they stood. `None`: somebody else reopened it meanwhile.
    pub async fn reopen_incident(
        &self,
        incident: IncidentKey,
        reason: &str,
        signer: &Signer,
    ) -> Result<Option<Decider>, StoreError> {
        let mut unit = self.hold_unit(incident, None).await?;
        if !is_closed(&mut unit.tx, incident).await? {
            return Ok(None);
        }
        let by = signer.sign_in(&mut unit.tx, &incident_reopen(unit.incident_id, reason)).await?;
        unit.incident_event("incident.reopened", detail(by, Some(reason), []), None)?;
        unit.commit().await?;
        Ok(Some(by))
    }
}

/// Whether it is closed; to close or reopen it, under its lock: two may do so at one moment.
async fn is_closed(connection: &mut PgConnection, incident: IncidentKey) -> Result<bool, StoreError> {
    let row = sqlx::query!(
        r#"select closed_at is not null as "is_closed!" from incident where controller_id = $1 and incident_no = $2"#,
        incident.controller_id,
        incident.incident_no
    )
    .fetch_one(connection)
    .await?;
    Ok(row.is_closed)
}

async fn count(connection: &mut PgConnection, incident: IncidentKey) -> Result<Unfinished, StoreError> {
    let left = sqlx::query_as!(
        Unfinished,
        r#"select
             (select count(*) from person p where p.controller_id = $1 and p.incident_no = $2
                 and coalesce((select bool_or(n.state = 'open') from notice n where n.controller_id = $1 and n.incident_no = $2
                       and n.person_id = p.person_id), true)) as "open!",
             (select count(*) from message m where m.controller_id = $1 and m.incident_no = $2
                 and m.state in ('sending', 'unknown')) as "unknown!",
             (select count(*) from message m where m.controller_id = $1 and m.incident_no = $2 and m.state = 'asked') as "asked!",
             (select count(*) from source_row s where s.controller_id = $1 and s.incident_no = $2 and s.fate = 'quarantined'
                 and not exists (select from row_decision d where d.controller_id = $1 and d.incident_no = $2
                       and d.list_no = s.list_no and d.identity = s.identity)) as "quarantined!",
             (select coalesce(sum(greatest(origin.counted - origin.taken, 0)), 0)::bigint from (
                select max(l.row_count) as counted,
                       sum((select count(*) from source_row s where s.controller_id = $1 and s.incident_no = $2 and s.list_no = l.list_no)) as taken
                  from affected_list l where l.controller_id = $1 and l.incident_no = $2 and l.row_count is not null
                 group by l.source, l.file_hash) as origin) as "missing!""#,
        incident.controller_id,
        incident.incident_no
    )
    .fetch_one(connection)
    .await?;
    Ok(left)
}
