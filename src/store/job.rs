//! Jobs that could not be read, and the public key that jobs are sealed to.

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

    /// The newest rejected jobs, newest first.
    pub async fn list_rejected(&self, limit: i64) -> Result<Vec<RejectedJob>, StoreError> {
        let jobs = sqlx::query_as!(
            RejectedJob,
            "select rejected_id as id, code, body_hash as hash, rejected_at as at from rejected_job order by rejected_id desc limit $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(jobs)
    }

    /// How many jobs were rejected.
    pub async fn count_rejected(&self) -> Result<i64, StoreError> {
        let row = sqlx::query!(r#"select count(*) as "n!" from rejected_job"#).fetch_one(&self.pool).await?;
        Ok(row.n)
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
