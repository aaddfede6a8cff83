//! What a restored database forgot comes back from the published log: events with their bytes as they are, and of the
//! rows beside them as much as the events prove.
//!
//! Frozen requests, provider ids, receipts, reasons and signatures are in no log: they are not made up.

use super::erase::{IsTheirs, Tombstone};
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::unit::{IncidentKey, Wait};
use super::{Store, StoreError};
use duly_ledger::{Event, leaf_hash};
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// A leaf that was published, and its event.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The bytes.
    pub body: Vec<u8>,
    /// What they say.
    pub event: Event,
}

/// An intent that was brought back and has no attempt beside it.
#[derive(Debug, Clone)]
pub struct BareIntent {
    /// Message.
    pub message_id: Uuid,
    /// Attempt.
    pub attempt: i32,
    /// What the message was called at its provider; `None` where the lane is not known.
    pub reference: Option<String>,
}

/// A hold of which only the log is known.
#[derive(Debug, Clone)]
pub struct BareHold {
    /// Its name.
    pub hold_id: Uuid,
    /// Person; `None`: the whole incident.
    pub person_id: Option<Uuid>,
}

/// People and lists that the published log knows and this database does not.
#[derive(Debug, Clone, Default)]
pub struct Astray {
    /// People of this incident of whom events are here that could not be applied.
    pub people: Vec<Uuid>,
    /// Whether people, lists or plans are missing altogether.
    pub is_incomplete: bool,
}

impl Store {
    /// Leaf hashes of a log's events that wait for their places.
    pub async fn list_waiting_leaves(&self, scope: LogScope) -> Result<HashSet<Vec<u8>>, StoreError> {
        let (controller_id, incident_no) = scope.columns();
        let leaves = sqlx::query_scalar!(
            "select e.leaf from event_inbox i cross join lateral unnest(i.ords) as o (ord) join event e on e.ord = o.ord
              where i.controller_id is not distinct from $1 and i.incident_no is not distinct from $2",
            controller_id,
            incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(leaves.into_iter().collect())
    }

    /// Brings back an event of a log itself. It moves its plan, if it did; the signature behind that is lost.
    pub async fn bring_back_of_log(&self, scope: LogScope, leaf: &Leaf, restored_id: Uuid) -> Result<(), StoreError> {
        let (controller_id, incident_no) = scope.columns();
        let hash = leaf_hash(&leaf.body);
        let number = |name: &str| leaf.event.detail.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
        sqlx::query!(
            "insert into event (controller_id, incident_no, kind, plan_no, plan_from, plan_to, restored_id, body, leaf)
             select $1, $2, $3, v.plan_no, v.from_state, v.to_state, $4, $5, $6
               from (select 1) as one left join lateral (
                 select q.plan_no, m.from_state, m.to_state from plan q join plan_move m on m.kind = $3 and m.from_state = q.state
                   join incident i on i.controller_id = q.controller_id and i.incident_no = q.incident_no
                  where q.controller_id = $1 and q.incident_no = $2 and q.plan_no = $7 and encode(q.hash, 'hex') = $8
                    and (m.to_state <> 'approved' or i.approvals_required <= 1 + (select count(*) from event e
                         where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null and e.kind = $3
                           and (convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'plan')::int = $7))) v on true",
            controller_id,
            incident_no,
            leaf.event.kind,
            restored_id,
            leaf.body,
            hash.as_slice(),
            number("plan"),
            leaf.event.detail.get("hash").and_then(Value::as_str)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Brings back all events of some people of an incident, each person's in order; whole people or nobody.
    pub async fn bring_back_of_people(
        &self,
        incident: IncidentKey,
        leaves: &[Leaf],
        restored_id: Uuid,
    ) -> Result<(), StoreError> {
        let people: Vec<Uuid> = leaves.iter().filter_map(|leaf| leaf.event.person.map(Uuid::from_bytes)).collect();
        let mut unit = self.unit(incident, &people, Wait::Wait).await?;
        for leaf in leaves {
            unit.bring_back(&leaf.event, &leaf.body, restored_id)?;
        }
        unit.commit().await
    }

    /// As `bring_back_of_people`, of one whose key was destroyed in the time that was lost: it is destroyed again.
    pub async fn bring_back_of_erased(
        &self,
        (incident, person_id): (IncidentKey, Uuid),
        leaves: &[Leaf],
        restored_id: Uuid,
        (tombstone, by, is_theirs): (&Tombstone, Decider, IsTheirs<'_>),
    ) -> Result<(), StoreError> {
        let (mut unit, _) = self.begin_erasure(incident, person_id, tombstone, by, is_theirs).await?;
        for leaf in leaves {
            unit.bring_back(&leaf.event, &leaf.body, restored_id)?;
        }
        unit.commit().await
    }

    /// Intents that were brought back and have no attempt; those of erased people are left out, their names are gone.
    pub async fn list_bare_intents(&self, incident: IncidentKey) -> Result<Vec<BareIntent>, StoreError> {
        let rows = sqlx::query!(
            r#"select e.message_id as "message_id!", e.attempt as "attempt!" from event e join person_key k using (controller_id, incident_no, person_id)
                where e.controller_id = $1 and e.incident_no = $2 and e.restored_id is not null and e.kind = 'message.intent' and e.message_id is not null
                  and not exists (select from attempt a where a.controller_id = $1 and a.incident_no = $2 and a.message_id = e.message_id
                      and a.attempt = e.attempt)
                order by e.message_id, e.attempt"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let bare = |message_id, attempt| BareIntent { message_id, attempt, reference: None };
        Ok(rows.into_iter().map(|row| bare(row.message_id, row.attempt)).collect())
    }

    /// Sets attempts beside their intents, where the intent commits to what was approved. The frozen
    /// bytes are lost and stay empty: such a call is never repeated. When it had to begin is not known: before now.
    pub async fn insert_bare_attempts(&self, incident: IncidentKey, intents: &[BareIntent]) -> Result<(), StoreError> {
        let known: Vec<(&BareIntent, String)> = intents.iter().filter_map(|i| Some((i, i.reference.clone()?))).collect();
        let messages: Vec<Uuid> = known.iter().map(|(i, _)| i.message_id).collect();
        let attempts: Vec<i32> = known.iter().map(|(i, _)| i.attempt).collect();
        let references: Vec<String> = known.into_iter().map(|(_, reference)| reference).collect();
        sqlx::query!(
            "insert into attempt (controller_id, incident_no, message_id, attempt, person_id, lane, is_repeat, reference, request, claimed_at, send_by)
             select $1, $2, j.message_id, j.attempt, m.person_id, m.lane, (b.body -> 'd' ->> 'repeat')::bool, j.reference, ''::bytea,
                    (b.body ->> 't')::timestamptz, duly_now()
               from unnest($3::uuid[], $4::int[], $5::text[]) as j (message_id, attempt, reference)
               join message m on m.controller_id = $1 and m.incident_no = $2 and m.message_id = j.message_id and m.lane is not null
               join event e on e.controller_id = $1 and e.incident_no = $2 and e.person_id = m.person_id and e.message_id = j.message_id
                    and e.kind = 'message.intent' and e.attempt = j.attempt and e.restored_id is not null
               cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body) b
               join prepared_content c on c.controller_id = $1 and c.incident_no = $2 and c.person_id = m.person_id and c.phase = m.phase
                    and c.channel = m.channel and encode(c.commitment, 'hex') = b.body -> 'd' ->> 'content'
             on conflict do nothing",
            incident.controller_id,
            incident.incident_no,
            &messages,
            &attempts,
            &references
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Sets outcomes beside the answers that were brought back. An acceptance needs the provider's id, which is lost:
    /// its event alone tells of it.
    pub async fn insert_bare_outcomes(&self, incident: IncidentKey) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into outcome (controller_id, incident_no, message_id, attempt, kind, code, at)
             select $1, $2, e.message_id, (b.body -> 'd' ->> 'attempt')::int, split_part(e.kind, '.', 2), b.body -> 'd' ->> 'code',
                    (b.body ->> 't')::timestamptz
               from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body) b
              where e.controller_id = $1 and e.incident_no = $2 and e.restored_id is not null and e.message_id is not null
                and e.kind in ('message.rejected', 'message.not_taken', 'message.lane_stopped', 'message.unknown')
                and b.body -> 'd' ? 'code'
             on conflict do nothing",
            incident.controller_id,
            incident.incident_no
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Holds that events set which were brought back, without a row; and rows whose lifting was brought back.
    pub async fn list_bare_holds(&self, incident: IncidentKey) -> Result<(Vec<BareHold>, Vec<Uuid>), StoreError> {
        let rows = sqlx::query!(
            r#"select b.hold_id as "hold_id!", e.person_id, e.kind, h.hold_id is null as "is_bare!", coalesce(h.lifted_at is null, true) as "is_open!"
                 from event e cross join lateral (select (convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'hold')::uuid as hold_id) b
                 left join hold h on h.hold_id = b.hold_id
                where e.controller_id = $1 and e.incident_no = $2 and e.restored_id is not null and e.kind in ('hold.set', 'hold.lifted')
                order by e.ord"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let (mut set, mut lifted) = (Vec::new(), Vec::new());
        for row in rows {
            match row.kind.as_str() {
                "hold.set" if row.is_bare => set.push(BareHold { hold_id: row.hold_id, person_id: row.person_id }),
                "hold.lifted" if row.is_open => lifted.push(row.hold_id),
                _ => {}
            }
        }
        Ok((set, lifted))
    }

    /// Sets the row of a hold beside its event; who reconciles vouches for it.
    pub async fn insert_bare_hold(
        &self,
        incident: IncidentKey,
        hold: &BareHold,
        reason: &str,
        by: Decider,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into hold (hold_id, controller_id, incident_no, person_id, reason, set_by, command_id) values ($1, $2, $3, $4, $5, $6, $7)",
            hold.hold_id,
            incident.controller_id,
            incident.incident_no,
            hold.person_id,
            reason,
            by.user_id,
            by.command_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Lifts a hold as its event told.
    pub async fn lift_bare_hold(&self, hold_id: Uuid, by: Decider) -> Result<(), StoreError> {
        sqlx::query!(
            "update hold set lifted_by = $2, lifted_command_id = $3, lifted_at = duly_now() where hold_id = $1 and lifted_at is null",
            hold_id,
            by.user_id,
            by.command_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Users who were revoked by events that were brought back, and whose key still signs: id and name.
    pub async fn list_bare_revocations(&self) -> Result<Vec<(Uuid, String)>, StoreError> {
        let rows = sqlx::query!(
            "select u.user_id, u.name from app_user u where u.revoked_at is null and exists (select from event e
                where e.controller_id is null and e.restored_id is not null and e.kind = 'user.revoked'
                  and convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'user' = u.user_id::text) order by u.user_id"
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.user_id, row.name)).collect())
    }

    /// Revokes a user as the event told; who reconciles signs for it.
    pub async fn revoke_bare(&self, user_id: Uuid, by: Decider) -> Result<(), StoreError> {
        sqlx::query!(
            "update app_user set revoked_at = duly_now(), revoked_command_id = $2 where user_id = $1 and revoked_at is null",
            user_id,
            by.command_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What the log knows of an incident and its tables do not.
    pub async fn load_astray(&self, incident: IncidentKey) -> Result<Astray, StoreError> {
        let row = sqlx::query!(
            r#"with back as (select e.person_id, e.kind, e.message_id, convert_from(e.body, 'UTF8')::jsonb -> 'd' as d,
                       exists (select from person p where p.controller_id = $1 and p.incident_no = $2 and p.person_id = e.person_id) as is_known
                  from event e where e.controller_id = $1 and e.incident_no = $2 and e.restored_id is not null)
               select coalesce((select array_agg(distinct b.person_id) from back b where b.is_known and b.message_id is null
                         and (b.kind like 'message.%' or b.kind like 'receipt%')), '{}') as "people!",
                      exists (select from back b where (b.person_id is not null and not b.is_known)
                         or (b.kind = 'list.frozen' and not exists (select from list_freeze f where f.controller_id = $1 and f.incident_no = $2
                              and f.list_no = (b.d ->> 'list')::int))
                         or (b.kind = 'plan.prepared' and not exists (select from plan q where q.controller_id = $1 and q.incident_no = $2
                              and q.plan_no = (b.d ->> 'plan')::int))
                         or (b.kind = 'plan.approved' and not exists (select from plan_approval a where a.controller_id = $1 and a.incident_no = $2
                              and a.plan_no = (b.d ->> 'plan')::int and a.user_id = (b.d ->> 'user')::uuid))) as "is_incomplete!""#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Astray { people: row.people, is_incomplete: row.is_incomplete })
    }

    /// How many events were brought back into all logs.
    pub async fn count_brought_back(&self, restored_id: Uuid) -> Result<i64, StoreError> {
        let row = sqlx::query!(r#"select count(*) as "n!" from event where restored_id = $1"#, restored_id)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.n)
    }

    /// Whether the incident has this person.
    pub async fn is_person(&self, incident: IncidentKey, person_id: Uuid) -> Result<bool, StoreError> {
        let row = sqlx::query!(
            r#"select exists (select from person where controller_id = $1 and incident_no = $2 and person_id = $3) as "is!""#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.is)
    }

    /// Says that the published log is here again: people's chains may go on.
    pub async fn set_imported(&self, restored_id: Uuid) -> Result<(), StoreError> {
        sqlx::query!(
            "update restored set imported_at = duly_now() where restored_id = $1 and reconciled_at is null and imported_at is null",
            restored_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
