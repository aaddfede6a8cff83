//! The statements that a unit writes with.

use super::{Pending, StoreError, Unit};
use uuid::Uuid;

impl Unit {
    pub(super) async fn insert_created(&mut self) -> Result<(), StoreError> {
        for row in std::mem::take(&mut self.created) {
            sqlx::query!(
                "insert into message (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal,
                        plan_no, postage_class, due_at, expires_at)
                 select $1, $2, $3, $4, $5, $6::text, $7, $8, q.plan_no, case when $6::text = 'letter' then q.postage_class end,
                        duly_now(), duly_now() + q.message_deadline_ms * interval '1 millisecond'
                   from plan q where q.controller_id = $1 and q.incident_no = $2 and q.plan_no = $9",
                self.incident.controller_id,
                self.incident.incident_no,
                row.message_id,
                row.person_id,
                row.phase,
                row.model.channel.as_str(),
                row.model.reason.as_str(),
                row.ordinal,
                row.plan_no
            )
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    pub(super) async fn insert_alarms(&mut self) -> Result<(), StoreError> {
        for (message_id, code) in std::mem::take(&mut self.alarms) {
            sqlx::query!(
                "insert into alarm (alarm_id, controller_id, incident_no, message_id, code) values ($1, $2, $3, $4, $5)",
                Uuid::now_v7(),
                self.incident.controller_id,
                self.incident.incident_no,
                message_id,
                code
            )
            .execute(&mut *self.tx)
            .await?;
        }
        for (message_id, attempt, misfit) in std::mem::take(&mut self.misfits) {
            sqlx::query!(
                "insert into misfit (controller_id, incident_no, message_id, attempt, code) values ($1, $2, $3, $4, $5)",
                self.incident.controller_id,
                self.incident.incident_no,
                message_id,
                attempt,
                misfit.as_str()
            )
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    pub(super) async fn insert_events(&mut self, round: Vec<Pending>) -> Result<(), StoreError> {
        let text = |f: fn(&Pending) -> Option<&'static str>| round.iter().map(|p| f(p).map(str::to_owned)).collect::<Vec<_>>();
        let people: Vec<Option<Uuid>> = round.iter().map(|p| p.person_id).collect();
        let ns: Vec<Option<i64>> = round.iter().map(|p| p.n).collect();
        let kinds: Vec<String> = round.iter().map(|p| p.kind.to_string()).collect();
        let messages: Vec<Option<Uuid>> = round.iter().map(|p| p.message_id).collect();
        let message_from = text(|p| p.message.map(|(_, from, _)| from.as_str()));
        let message_to = text(|p| p.message.map(|(_, _, to)| to.as_str()));
        let phases: Vec<Option<i32>> = round.iter().map(|p| p.phase).collect();
        let notice_from = text(|p| p.notice.map(|(from, _)| from.as_str()));
        let notice_to = text(|p| p.notice.map(|(_, to)| to.as_str()));
        let plans: Vec<Option<i32>> = round.iter().map(|p| p.plan.map(|(no, _, _)| no)).collect();
        let plan_from = text(|p| p.plan.map(|(_, from, _)| from));
        let plan_to = text(|p| p.plan.map(|(_, _, to)| to));
        let alerted: Vec<bool> = round.iter().map(|p| p.alerted).collect();
        let attempts: Vec<Option<i32>> = round.iter().map(|p| p.attempt).collect();
        let due: Vec<Option<i64>> = round.iter().map(|p| p.due_in_ms).collect();
        let lease: Vec<Option<i64>> = round.iter().map(|p| p.lease_in_ms).collect();
        let restored: Vec<Option<Uuid>> = round.iter().map(|p| p.restored_id).collect();
        let bodies: Vec<Vec<u8>> = round.iter().map(|p| p.body.clone()).collect();
        let leaves: Vec<Vec<u8>> = round.iter().map(|p| p.leaf.to_vec()).collect();
        sqlx::query!(
            "insert into event (controller_id, incident_no, person_id, n, kind, message_id, message_from, message_to, notice_phase,
                    notice_from, notice_to, plan_no, plan_from, plan_to, alerted, attempt, due_in_ms, lease_in_ms, restored_id, body, leaf)
             select $1, $2, * from unnest($3::uuid[], $4::bigint[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::int[],
                    $10::text[], $11::text[], $12::int[], $13::text[], $14::text[], $15::bool[], $16::int[], $17::bigint[],
                    $18::bigint[], $19::uuid[], $20::bytea[], $21::bytea[])",
            self.incident.controller_id,
            self.incident.incident_no,
            &people as &[Option<Uuid>],
            &ns as &[Option<i64>],
            &kinds,
            &messages as &[Option<Uuid>],
            &message_from as &[Option<String>],
            &message_to as &[Option<String>],
            &phases as &[Option<i32>],
            &notice_from as &[Option<String>],
            &notice_to as &[Option<String>],
            &plans as &[Option<i32>],
            &plan_from as &[Option<String>],
            &plan_to as &[Option<String>],
            &alerted,
            &attempts as &[Option<i32>],
            &due as &[Option<i64>],
            &lease as &[Option<i64>],
            &restored as &[Option<Uuid>],
            &bodies,
            &leaves
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
