//! What the columns of an event may say, by its kind: nothing that its bytes do not, and nothing of somebody else.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

impl Snapshot {
    /// Events of the incident, its controller and the system: each moves only what its kind may, stands under the log that gave
    /// it its place, and counts as brought back only by a restore that is on record: here for the logs beside the incident's,
    /// of which no count tells what came back.
    pub(super) async fn audit_shapes(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with ours as (select e.*, num_nonnulls(message_id, message_from, message_to, notice_phase, notice_from, notice_to) as moves from event e
                      where (controller_id is null or controller_id = $1) and (incident_no is null or incident_no = $2))
               select code as "code!", place as "place!" from (
               select 'move_differs' as code, 'event ' || e.ord as place from ours e
                where (e.person_id is null) <> (e.n is null) or (e.person_id is null and (e.moves > 0 or e.alerted))
                   or ((e.kind not like 'plan.%' or e.kind = 'plan.prepared') and num_nonnulls(e.plan_no, e.plan_from, e.plan_to) > 0)
                   or (e.kind <> 'message.intent' and e.attempt is not null)
                   or num_nonnulls(e.message_from, e.message_to) = 1 or num_nonnulls(e.notice_from, e.notice_to) = 1
                   or (e.message_to is not null and e.message_id is null)
                   or (e.moves > 0 and e.notice_phase is distinct from (convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'phase')::int)
               union all
               select 'brought_back_unsigned' as code, 'event ' || e.ord from ours e
                where e.incident_no is null and e.restored_id is not null and not exists (select from restored r where r.restored_id = e.restored_id)
               union all
               select 'event_out_of_log' as code, 'event ' || e.ord from log l join place s using (log_no) join event e on e.ord = s.ord
                where (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)
                  and (l.controller_id is distinct from e.controller_id or l.incident_no is distinct from e.incident_no)) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
