//! Who is told by no running plan: plans that wait or stand still, people in no plan, lists that are not whole.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use time::OffsetDateTime;
use uuid::Uuid;

/// A plan of an incident and its people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlanStanding {
    /// Number.
    pub plan: i32,
    /// State word.
    pub state: String,
    /// Approvals given.
    pub approvals: i64,
    /// People.
    pub people: i64,
    /// Of them those whose notice has not ended.
    pub open: i64,
}

/// An open list of which not every row was taken in: its import was cut, or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutList {
    /// Number.
    pub list_no: i32,
    /// Rows of the file, by the separate reader.
    pub counted: i64,
    /// Rows taken in.
    pub taken: i64,
}

impl Store {
    /// Every plan of an incident, oldest first.
    pub async fn list_plan_standings(&self, incident: IncidentKey) -> Result<Vec<PlanStanding>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query_as!(
            PlanStanding,
            r#"select q.plan_no as plan, q.state, coalesce(n.people, 0) as "people!", coalesce(n.open, 0) as "open!",
                      (select count(*) from plan_approval a where a.controller_id = q.controller_id and a.incident_no = q.incident_no
                          and a.plan_no = q.plan_no) as "approvals!"
                 from plan q
                 left join (select plan_no, count(*) as people, count(*) filter (where state = 'open') as open from notice
                             where controller_id = $1 and incident_no = $2 group by plan_no) n using (plan_no)
                where q.controller_id = $1 and q.incident_no = $2 order by q.plan_no"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *moment)
        .await?;
        Ok(rows)
    }

    /// People whom no plan covers.
    pub async fn count_unplanned(&self, incident: IncidentKey) -> Result<i64, StoreError> {
        let mut moment = self.moment().await?;
        let n = sqlx::query_scalar!(
            r#"select count(*) as "n!" from person p
                 left join (select distinct person_id from notice where controller_id = $1 and incident_no = $2) n using (person_id)
                where p.controller_id = $1 and p.incident_no = $2 and n.person_id is null"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *moment)
        .await?;
        Ok(n)
    }

    /// Open lists of files of which rows are missing. A frozen list and its supplement are one file.
    pub async fn list_cut_lists(&self, incident: IncidentKey) -> Result<Vec<CutList>, StoreError> {
        let rows = sqlx::query_as!(
            CutList,
            r#"select o.list_no as "list_no!", o.counted as "counted!", o.taken as "taken!" from (
                 select max(l.list_no) as list_no, max(l.row_count) as counted,
                        sum((select count(*) from source_row s where s.controller_id = l.controller_id and s.incident_no = l.incident_no
                            and s.list_no = l.list_no))::bigint as taken
                   from affected_list l where l.controller_id = $1 and l.incident_no = $2 and l.row_count is not null
                  group by l.source, l.file_hash) as o
                where o.taken < o.counted and not exists (select from list_freeze f where f.controller_id = $1 and f.incident_no = $2
                      and f.list_no = o.list_no)
                order by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// People who stood at a moment on lists that were not frozen: no event tells of them.
    pub async fn count_unfrozen(&self, incident_id: Uuid, as_of: OffsetDateTime) -> Result<i64, StoreError> {
        let n = sqlx::query_scalar!(
            r#"select coalesce(sum((select count(*) from person p where p.controller_id = l.controller_id
                      and p.incident_no = l.incident_no and p.list_no = l.list_no and p.created_at <= $2)), 0)::bigint as "n!"
                 from incident i join affected_list l using (controller_id, incident_no)
                 left join list_freeze f using (controller_id, incident_no, list_no)
                where i.incident_id = $1 and (f.frozen_at is null or f.frozen_at > $2)"#,
            incident_id,
            as_of
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(n)
    }
}
