//! What a pack holds beside the log: who signed which plan, what everybody would be told, and the words.

use super::log::Published;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::unit::{IncidentKey, Wait};
use super::{Store, StoreError};
use serde_json::{Map, Value, json};
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

    /// A template that a plan has kept, by the beginning of its hash in hex; `None` where none or several begin so.
    pub async fn find_template(&self, hash: &str) -> Result<Option<ApprovedText>, StoreError> {
        let mut rows = sqlx::query_as!(
            ApprovedText,
            "select hash, name, body from approved_text where name like '%.hbs' and starts_with(encode(hash, 'hex'), $1) limit 2",
            hash
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(if rows.len() == 1 { rows.pop() } else { None })
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
            r#"with people as (
                 (select person_id, phase from notice where controller_id = $1 and incident_no = $2 and plan_no = $3 and person_id > $4
                   order by person_id limit $5)
                 union all
                 (select distinct person_id, null::int from withdrawn_content
                   where controller_id = $1 and incident_no = $2 and plan_no = $3 and person_id > $4 order by person_id limit $5)
                 order by person_id limit $5)
               select person_id as "person_id!", channel as "channel!", commitment as "commitment!" from (
                 select c.person_id, c.channel, c.commitment from people p
                   join prepared_content c on c.controller_id = $1 and c.incident_no = $2 and c.person_id = p.person_id and c.phase = p.phase
                 union all
                 select w.person_id, w.channel, w.commitment from people p
                   join withdrawn_content w on w.controller_id = $1 and w.incident_no = $2 and w.plan_no = $3 and w.person_id = p.person_id
                  where p.phase is null) as promised
              order by 1, 2"#,
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

/// An event with its place in a log's generation.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Index of the leaf.
    pub seq: i64,
    /// The leaf's bytes.
    pub body: Vec<u8>,
}

/// The frozen request of one intent.
#[derive(Debug, Clone)]
pub struct IntentRequest {
    /// Number of the intent in the person's chain.
    pub n: i64,
    /// Sealed frozen bytes under the person's key.
    pub request: Vec<u8>,
}

/// Where a source row ended.
#[derive(Debug, Clone)]
pub struct RowFate {
    /// List.
    pub list_no: i32,
    /// Identity within the list.
    pub identity: Vec<u8>,
    /// Its last fate.
    pub fate: String,
    /// The person that it is or repeats.
    pub person_id: Option<Uuid>,
}

impl Store {
    /// A person's events in a generation, up to its checkpoint, in order.
    pub async fn list_placed_of(
        &self,
        incident: IncidentKey,
        person_id: Uuid,
        log: &Published,
    ) -> Result<Vec<Placed>, StoreError> {
        let rows = sqlx::query_as!(
            Placed,
            r#"select p.seq as "seq!", e.body from event e join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords)
                cross join lateral (select s.first_seq + array_position(s.ords, e.ord) - 1 as seq) p
              where e.controller_id = $1 and e.incident_no = $2 and e.person_id = $3 and s.log_no = $4 and s.generation = $5 and p.seq < $6
              order by p.seq"#,
            incident.controller_id,
            incident.incident_no,
            person_id,
            log.log_no,
            log.generation,
            log.size
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Events of lists and plans, and holds of the whole incident, in a generation up to its checkpoint.
    pub async fn list_placed_of_incident(&self, incident: IncidentKey, log: &Published) -> Result<Vec<Placed>, StoreError> {
        let rows = sqlx::query_as!(
            Placed,
            r#"select p.seq as "seq!", e.body from event e join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords)
                cross join lateral (select s.first_seq + array_position(s.ords, e.ord) - 1 as seq) p
              where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null
                and (e.kind like 'list.%' or e.kind like 'plan.%' or e.kind like 'hold.%' or e.kind = 'log.key_changed')
                and s.log_no = $3 and s.generation = $4 and p.seq < $5 order by p.seq"#,
            incident.controller_id,
            incident.incident_no,
            log.log_no,
            log.generation,
            log.size
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The frozen requests behind a person's intents.
    pub async fn list_intent_requests(&self, incident: IncidentKey, person_id: Uuid) -> Result<Vec<IntentRequest>, StoreError> {
        let rows = sqlx::query_as!(
            IntentRequest,
            r#"select e.n as "n!", a.request from event e
                 join attempt a on a.controller_id = e.controller_id and a.incident_no = e.incident_no and a.message_id = e.message_id
                  and a.attempt = e.attempt
                where e.controller_id = $1 and e.incident_no = $2 and e.person_id = $3 and e.kind = 'message.intent' order by e.n"#,
            incident.controller_id,
            incident.incident_no,
            person_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Wrapped keys of people after `after`, ascending; people who are erased have none.
    pub async fn list_person_keys(
        &self,
        incident: IncidentKey,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        let rows = sqlx::query!(
            "select person_id, wrapped from person_key where controller_id = $1 and incident_no = $2 and person_id > $3
              order by person_id limit $4",
            incident.controller_id,
            incident.incident_no,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.person_id, row.wrapped)).collect())
    }

    /// Fates of a list's rows after `after`, ascending by identity.
    pub async fn list_row_fates(
        &self,
        incident: IncidentKey,
        list_no: i32,
        after: &[u8],
        limit: i64,
    ) -> Result<Vec<RowFate>, StoreError> {
        let rows = sqlx::query_as!(
            RowFate,
            r#"select s.list_no, s.identity, coalesce(d.fate, s.fate) as "fate!", s.person_id
                 from source_row s left join row_decision d using (controller_id, incident_no, list_no, identity)
                where s.controller_id = $1 and s.incident_no = $2 and s.list_no = $3 and s.identity > $4 order by s.identity limit $5"#,
            incident.controller_id,
            incident.incident_no,
            list_no,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Writes that contact data or messages of a person are about to be opened, for a `pack` or a `preview`; before they are.
    pub async fn record_view(
        &self,
        incident: IncidentKey,
        person_id: Uuid,
        purpose: &str,
        by: Decider,
    ) -> Result<(), StoreError> {
        let tx = self.pool.begin().await?;
        let mut unit = self.unit_in(tx, incident, &[person_id], Wait::Wait).await?;
        let mut detail = made_by(by);
        detail.insert("purpose".to_owned(), json!(purpose));
        unit.plain_event(Some(person_id), "contact.viewed", detail)?;
        unit.commit().await
    }

    /// Writes that contact data of everybody of an incident is about to be opened, for a `check` or an `audit`; before it is.
    pub async fn record_view_of_all(&self, incident: IncidentKey, purpose: &str, by: Decider) -> Result<(), StoreError> {
        let mut detail = made_by(by);
        detail.insert("purpose".to_owned(), json!(purpose));
        self.insert_event(LogScope::Incident(incident.controller_id, incident.incident_no), "contact.viewed", detail).await
    }

    /// Writes that something left the house as a file: what, for whom, and the hash of its bytes.
    pub async fn record_export(
        &self,
        incident: IncidentKey,
        what: &str,
        reader: &str,
        hash: &[u8; 32],
        by: Decider,
    ) -> Result<(), StoreError> {
        let mut detail = made_by(by);
        for (key, value) in [("what", what.to_owned()), ("for", reader.to_owned()), ("hash", hex::encode(hash))] {
            detail.insert(key.to_owned(), json!(value));
        }
        self.insert_event(LogScope::Incident(incident.controller_id, incident.incident_no), "export.made", detail).await
    }
}

fn made_by(by: Decider) -> Map<String, Value> {
    let ids = [("command", by.command_id), ("user", by.user_id)];
    ids.into_iter().map(|(name, id)| (name.to_owned(), json!(id.to_string()))).collect()
}
