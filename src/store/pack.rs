//! What a pack holds beside the log: who signed which plan, what everybody would be told, and the words.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use uuid::Uuid;

/// A text that a plan was approved with.
#[derive(Debug, Clone)]
pub struct ApprovedText {
    /// SHA-256 of the bytes.
    pub hash: Vec<u8>,
    /// File name, for people.
    pub name: String,
    /// The bytes.
    pub body: Vec<u8>,
}

/// A signature under a plan.
#[derive(Debug, Clone)]
pub struct SignedApproval {
    /// Who.
    pub user_id: Uuid,
    /// Whose Ed25519 key.
    pub public_key: Vec<u8>,
    /// What was signed.
    pub statement: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What one person would be told on one channel, as a commitment.
#[derive(Debug, Clone)]
pub struct PromisedContent {
    /// Person.
    pub person_id: Uuid,
    /// Channel word.
    pub channel: String,
    /// Commitment to the SHA-256 of the bytes.
    pub commitment: Vec<u8>,
}

impl Store {
    /// Keeps the texts of a plan; one that is known already stays.
    pub async fn insert_texts(&self, texts: &[ApprovedText]) -> Result<(), StoreError> {
        for text in texts {
            sqlx::query!(
                "insert into approved_text (hash, name, body) values ($1, $2, $3) on conflict do nothing",
                text.hash,
                text.name,
                text.body
            )
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// A text by its hash.
    pub async fn find_text(&self, hash: &[u8]) -> Result<Option<ApprovedText>, StoreError> {
        let row = sqlx::query_as!(ApprovedText, "select hash, name, body from approved_text where hash = $1", hash)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// The signatures under a plan, oldest first.
    pub async fn list_signed_approvals(&self, incident: IncidentKey, plan_no: i32) -> Result<Vec<SignedApproval>, StoreError> {
        let rows = sqlx::query_as!(
            SignedApproval,
            "select a.user_id, u.public_key, s.statement, s.signature
               from plan_approval a join app_user u using (user_id) join signed_command s using (command_id)
              where a.controller_id = $1 and a.incident_no = $2 and a.plan_no = $3 order by s.at, a.user_id",
            incident.controller_id,
            incident.incident_no,
            plan_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Contents of a plan's people after `after`, ascending by person and channel.
    pub async fn list_promised_contents(
        &self,
        incident: IncidentKey,
        plan_no: i32,
        after: Uuid,
        people: i64,
    ) -> Result<Vec<PromisedContent>, StoreError> {
        let rows = sqlx::query_as!(
            PromisedContent,
            "select c.person_id, c.channel, c.commitment
               from (select person_id, phase from notice where controller_id = $1 and incident_no = $2 and plan_no = $3 and person_id > $4
                      order by person_id limit $5) n
               join prepared_content c on c.controller_id = $1 and c.incident_no = $2 and c.person_id = n.person_id and c.phase = n.phase
              order by c.person_id, c.channel",
            incident.controller_id,
            incident.incident_no,
            plan_no,
            after,
            people
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
