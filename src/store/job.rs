//! Jobs that could not be read, and the public key that jobs are sealed to.

use super::quarantine::Decider;
use super::unit::IncidentKey;
use super::{Store, StoreError};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// A job that cannot be read, sealed.
#[derive(Debug, Clone)]
pub struct NewRejected {
    /// What is wrong with it.
    pub code: &'static str,
    /// Keyed hash of its bytes.
    pub body_hash: [u8; 32],
    /// The bytes, sealed under the master key.
    pub sealed: Vec<u8>,
}

/// A rejected job as it is listed and announced; it holds no value.
#[derive(Debug, Clone, Serialize)]
pub struct RejectedJob {
    /// Its id.
    pub id: Uuid,
    /// Code.
    pub code: String,
    /// Keyed hash of its bytes.
    #[serde(serialize_with = "as_hex")]
    pub hash: Vec<u8>,
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A rejected job that waits, with its bytes.
#[derive(Debug, Clone)]
pub struct KeptJob {
    /// Its id.
    pub id: Uuid,
    /// Code when it came.
    pub code: String,
    /// The bytes, sealed under the master key.
    pub sealed: Vec<u8>,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

impl Store {
    /// Keeps rejected jobs in one transaction; the same bytes again are the same job. Answers all of them as kept.
    pub async fn insert_rejected(&self, jobs: &[NewRejected]) -> Result<Vec<RejectedJob>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let ids: Vec<Uuid> = jobs.iter().map(|_| Uuid::now_v7()).collect();
        let codes: Vec<String> = jobs.iter().map(|j| j.code.to_owned()).collect();
        let hashes: Vec<Vec<u8>> = jobs.iter().map(|j| j.body_hash.to_vec()).collect();
        let sealed: Vec<Vec<u8>> = jobs.iter().map(|j| j.sealed.clone()).collect();
        sqlx::query!(
            "insert into rejected_job (rejected_id, code, body_hash, sealed)
             select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[]) on conflict (body_hash) do nothing",
            &ids,
            &codes,
            &hashes,
            &sealed
        )
        .execute(&mut *tx)
        .await?;
        let kept = sqlx::query_as!(
            RejectedJob,
            "select rejected_id as id, code, body_hash as hash, rejected_at as at from rejected_job where body_hash = any($1)",
            &hashes
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// The newest rejected jobs that wait, newest first.
    pub async fn list_rejected(&self, limit: i64) -> Result<Vec<RejectedJob>, StoreError> {
        let jobs = sqlx::query_as!(
            RejectedJob,
            "select rejected_id as id, code, body_hash as hash, rejected_at as at from rejected_job r
              where not exists (select from rejected_job_decision d where d.rejected_id = r.rejected_id)
              order by rejected_id desc limit $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(jobs)
    }

    /// How many jobs were rejected, and how many of them wait.
    pub async fn count_rejected(&self) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "all!", count(*) filter (where d.rejected_id is null) as "waiting!"
                 from rejected_job left join rejected_job_decision d using (rejected_id)"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.all, row.waiting))
    }

    /// Rejected jobs that wait, these or all, in the order of their coming.
    pub async fn list_kept_jobs(&self, only: Option<&[Uuid]>, after: Uuid, limit: i64) -> Result<Vec<KeptJob>, StoreError> {
        let jobs = sqlx::query_as!(
            KeptJob,
            "select rejected_id as id, code, sealed from rejected_job r
              where rejected_id > $1 and ($2::uuid[] is null or rejected_id = any($2))
                and not exists (select from rejected_job_decision d where d.rejected_id = r.rejected_id)
              order by rejected_id limit $3",
            after,
            only as Option<&[Uuid]>,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(jobs)
    }

    /// Puts on record that a rejected job is a row now, by the first of its identities that is one; the row must be there.
    pub async fn record_taken(
        &self,
        id: Uuid,
        incident: IncidentKey,
        identities: &[Vec<u8>],
        by: Decider,
    ) -> Result<(), StoreError> {
        let taken = sqlx::query!(
            "insert into rejected_job_decision (rejected_id, fate, controller_id, incident_no, list_no, identity, decided_by, command_id)
             select $1, 'taken', s.controller_id, s.incident_no, s.list_no, s.identity, $5, $6
               from source_row s join affected_list l using (controller_id, incident_no, list_no)
              where s.controller_id = $2 and s.incident_no = $3 and s.identity = any($4) and l.source = 'jobs'
              order by array_position($4, s.identity) limit 1",
            id,
            incident.controller_id,
            incident.incident_no,
            identities,
            by.user_id,
            by.command_id
        )
        .execute(&self.pool)
        .await?;
        if taken.rows_affected() == 1 { Ok(()) } else { Err(StoreError::missing("row of the job", &id.to_string())) }
    }

    /// Which of these are no rejected jobs that wait.
    pub async fn list_not_waiting(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let waiting = sqlx::query_scalar!(
            "select rejected_id from rejected_job r where rejected_id = any($1)
                and not exists (select from rejected_job_decision d where d.rejected_id = r.rejected_id)",
            ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.iter().filter(|id| !waiting.contains(id)).copied().collect())
    }

    /// Discards rejected jobs for a reason, all or none; answers those that do not wait.
    pub async fn discard_rejected(&self, ids: &[Uuid], reason: &str, by: Decider) -> Result<Vec<Uuid>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query_scalar!(
            "insert into rejected_job_decision (rejected_id, fate, reason, decided_by, command_id)
             select r.rejected_id, 'discarded', $2, $3, $4 from rejected_job r where r.rejected_id = any($1)
             on conflict do nothing returning rejected_id",
            ids,
            reason,
            by.user_id,
            by.command_id
        )
        .fetch_all(&mut *tx)
        .await?;
        let wrong: Vec<Uuid> = ids.iter().filter(|id| !done.contains(id)).copied().collect();
        if wrong.is_empty() {
            tx.commit().await?;
        }
        Ok(wrong)
    }

    /// The X25519 key that jobs of an incident are sealed to.
    pub async fn load_intake_key(&self, incident: IncidentKey) -> Result<[u8; 32], StoreError> {
        let row = sqlx::query!(
            "select intake_public_key from incident where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        row.intake_public_key.try_into().map_err(|_| StoreError::Corrupt { what: "intake key" })
    }
}
