//! A database that came back older than the world: how far it is, and what it must find out before anything is sent.

use super::log_event::{Fact, insert_log_events};
use super::quarantine::Decider;
use super::sequencing::{LogHead, LogScope};
use super::unit::{IncidentKey, Note, Wait};
use super::{Store, StoreError};
use crate::model::state::MessageState;
use crate::model::step::Cause;
use serde_json::{Map, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// How far a database is, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Postgres' own name for its cluster.
    pub system: i64,
    /// Grows with each recovery to a point in time and each promotion.
    pub timeline: i32,
    /// The database inside the cluster.
    pub database: i64,
    /// Bytes of the write-ahead log that are on disk.
    pub position: i64,
    /// The pulse.
    pub beat: i64,
    /// Whose it is; marks of old versions do not say.
    #[serde(default)]
    pub installation: Option<Uuid>,
}

/// A restore that stops everything.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Restored {
    /// Its row.
    pub restored_id: Uuid,
    /// What gave it away.
    pub ground: String,
    /// When it was noticed.
    #[serde(with = "time::serde::rfc3339")]
    pub found_at: OffsetDateTime,
}

/// A message that may have left without this database's knowing.
#[derive(Debug, Clone)]
pub struct Forgotten {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// What it was called at its provider, where that is known.
    pub reference: Option<String>,
}

/// What a reconciliation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Events that were brought back.
    pub imported: i64,
    /// Messages of which nobody knows now whether they left.
    pub unknown: i64,
    /// Holds that were set.
    pub held: i64,
}

impl Store {
    /// The restore that is not reconciled yet.
    pub async fn open_restore(&self) -> Result<Option<Restored>, StoreError> {
        let row = sqlx::query_as!(Restored, "select restored_id, ground, found_at from restored where reconciled_at is null")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// Stops everything until somebody reconciles; where it is stopped already nothing changes.
    pub async fn insert_restored(&self, ground: &str) -> Result<(), StoreError> {
        sqlx::query!("insert into restored (restored_id, ground) values ($1, $2) on conflict do nothing", Uuid::now_v7(), ground)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Where this database is now.
    pub async fn mark(&self) -> Result<Mark, StoreError> {
        let row = sqlx::query_as!(
            Mark,
            r#"select s.system_identifier as "system!", ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as "timeline!",
                      (select d.oid::bigint from pg_database d where d.datname = current_database()) as "database!",
                      (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint as "position!", p.beat,
                      (select installation_id from installation) as installation
                 from pg_control_system() s cross join pulse p"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row)
    }

    /// Counts on from the larger of the pulse here and `above`; what is returned is on disk.
    pub async fn beat(&self, above: i64) -> Result<i64, StoreError> {
        let row =
            sqlx::query!("update pulse set beat = greatest(beat, $1) + 1 returning beat", above).fetch_one(&self.pool).await?;
        Ok(row.beat)
    }

    /// Messages that could have left in the time that was lost, by id.
    pub async fn list_forgotten(&self, incident: IncidentKey, limit: i64) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let rows = sqlx::query!(
            "select message_id, person_id from message where controller_id = $1 and incident_no = $2 and state in ('ready', 'sending')
              order by message_id limit $3",
            incident.controller_id,
            incident.incident_no,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.message_id, row.person_id)).collect())
    }

    /// Every log at its newest generation, also those of which no event has a place yet.
    pub async fn list_log_heads(&self) -> Result<Vec<(LogScope, LogHead)>, StoreError> {
        let rows = sqlx::query!(
            r#"select s.controller_id, s.incident_no, s.log_id as "log_id!", coalesce(l.log_no, 0) as "log_no!", coalesce(g.generation, 0) as "generation!",
                      coalesce(g.origin, '') as "origin!", coalesce(c.size, 0) as "size!", coalesce(c.root, '') as "root!", coalesce(c.note, '') as "note!"
                 from (select null::uuid as controller_id, null::bigint as incident_no, installation_id as log_id from installation
                       union all select controller_id, null, controller_id from controller
                       union all select controller_id, incident_no, incident_id from incident) s
                 left join log l on l.controller_id is not distinct from s.controller_id and l.incident_no is not distinct from s.incident_no
                 left join lateral (select generation, origin from log_generation where log_no = l.log_no order by generation desc limit 1) g on true
                 left join lateral (select size, root, note from checkpoint where log_no = l.log_no and generation = g.generation order by size desc limit 1) c on true
                order by s.incident_no nulls first, s.controller_id nulls first"#
        )
        .fetch_all(&self.pool)
        .await?;
        let heads = rows.into_iter().map(|r| {
            let scope = LogScope::from_columns(r.controller_id, r.incident_no);
            let (log_no, log_id, generation) = (r.log_no, r.log_id, r.generation);
            (scope, LogHead { log_no, log_id, generation, origin: r.origin, size: r.size, root: r.root, note: r.note })
        });
        Ok(heads.collect())
    }

    /// How many those are at present.
    pub async fn count_forgotten(&self, incident: IncidentKey) -> Result<i64, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "n!" from message where controller_id = $1 and incident_no = $2 and state in ('ready', 'sending')"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.n)
    }

    /// Gives messages without a lane the only one on which they could have left; with several nobody can say which.
    pub async fn assign_lanes(
        &self,
        incident: IncidentKey,
        messages: &[Uuid],
        lanes: &[(String, String)],
    ) -> Result<(), StoreError> {
        let (names, channels): (Vec<String>, Vec<String>) = lanes.iter().cloned().unzip();
        sqlx::query!(
            "update message m set lane = (select min(l.lane) from plan q, unnest(q.lanes) as a (lane) join unnest($4::text[], $5::text[]) as l (lane, channel)
                    on l.lane = a.lane where q.controller_id = $1 and q.incident_no = $2 and q.plan_no = m.plan_no and l.channel = m.channel
                    having count(*) = 1)
              where m.controller_id = $1 and m.incident_no = $2 and m.message_id = any($3) and m.lane is null",
            incident.controller_id,
            incident.incident_no,
            messages,
            &names,
            &channels
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Says of messages that nobody knows whether they left, and under which reference to ask; returns of how many.
    pub async fn forget(&self, incident: IncidentKey, messages: &[Forgotten]) -> Result<i64, StoreError> {
        let people: Vec<Uuid> = messages.iter().map(|m| m.person_id).collect();
        let mut unit = self.unit(incident, &people, Wait::Wait).await?;
        let named: Vec<(Uuid, String)> = messages.iter().filter_map(|m| Some((m.message_id, m.reference.clone()?))).collect();
        let (ids, references): (Vec<Uuid>, Vec<String>) = named.into_iter().unzip();
        sqlx::query!(
            "insert into restored_call (controller_id, incident_no, message_id, reference) select $1, $2, j.* from unnest($3::uuid[], $4::text[]) as j
             on conflict (controller_id, incident_no, message_id) do update set reference = excluded.reference, at = duly_now()",
            incident.controller_id,
            incident.incident_no,
            &ids,
            &references
        )
        .execute(&mut *unit.tx)
        .await?;
        let mut moved = 0;
        for message in messages {
            let decided = unit.apply(message.message_id, Cause::Restored, Note::default())?;
            moved += i64::from(decided.message == Some(MessageState::Unknown));
        }
        unit.commit().await?;
        Ok(moved)
    }

    /// What a reconciliation has done so far in an incident, also in runs that were cut off.
    pub async fn count_restored(&self, incident: IncidentKey, reason: &str, restored: &Restored) -> Result<Counts, StoreError> {
        let row = sqlx::query_as!(
            Counts,
            r#"select (select count(*) from event e where e.controller_id = $1 and e.incident_no = $2 and e.restored_id = $3) as "imported!",
                      (select count(*) from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body) b
                        where e.controller_id = $1 and e.incident_no = $2 and e.kind = 'message.unknown' and e.restored_id is null
                          and b.body -> 'd' ->> 'ground' = 'restored' and (b.body ->> 't')::timestamptz >= $4) as "unknown!",
                      (select count(*) from hold h where h.controller_id = $1 and h.incident_no = $2 and h.reason = $5 and h.set_at >= $4) as "held!""#,
            incident.controller_id,
            incident.incident_no,
            restored.restored_id,
            restored.found_at,
            reason
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row)
    }

    /// Writes what was found out into every log that it concerns, with the word that somebody gave for this database where nothing
    /// outside tells of it, and lets sending go on.
    pub async fn finish_restore(
        &self,
        restored_id: Uuid,
        incidents: &[(IncidentKey, Counts)],
        by: Decider,
        database: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let imported = self.count_brought_back(restored_id).await?;
        let mut all = Counts { imported, ..Counts::default() };
        for (incident, counts) in incidents {
            all.unknown += counts.unknown;
            all.held += counts.held;
            let scope = LogScope::Incident(incident.controller_id, incident.incident_no);
            insert_log_events(&mut tx, scope, [reconciled(*counts, by, database)]).await?;
        }
        insert_log_events(&mut tx, LogScope::System, [reconciled(all, by, database)]).await?;
        sqlx::query!(
            "update restored set command_id = $2, reconciled_at = duly_now() where restored_id = $1 and reconciled_at is null",
            restored_id,
            by.command_id
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

fn reconciled(counts: Counts, by: Decider, database: Option<&str>) -> Fact {
    let mut detail = Map::from_iter([
        ("command".to_owned(), json!(by.command_id.to_string())),
        ("held".to_owned(), json!(counts.held)),
        ("imported".to_owned(), json!(counts.imported)),
        ("unknown".to_owned(), json!(counts.unknown)),
        ("user".to_owned(), json!(by.user_id.to_string())),
    ]);
    detail.extend(database.map(|word| ("database".to_owned(), json!(word))));
    ("restore.reconciled", detail)
}
