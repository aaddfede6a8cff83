//! Incidents: one breach of one controller.

use super::log_event::insert_log_events;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::unit::IncidentKey;
use super::user::Signer;
use super::{Store, StoreError};
use crate::model::statement::{incident_add, incident_words, with};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// An incident to be made.
#[derive(Debug, Clone)]
pub struct NewIncident {
    /// Tenant.
    pub controller_id: Uuid,
    /// UUIDv7, the name in evidence.
    pub incident_id: Uuid,
    /// Name on the command line.
    pub slug: String,
    /// Profile id of plans that name none.
    pub profile: String,
    /// What happened, in the controller's words.
    pub texts: Value,
    /// Incident key under the master key.
    pub wrapped_key: Vec<u8>,
    /// X25519 public key for jobs.
    pub intake_public_key: [u8; 32],
    /// Its secret under the incident key.
    pub intake_secret_key: Vec<u8>,
    /// Approvals needed, 1 or 2.
    pub approvals_required: i32,
}

/// An incident as commands need it.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Place in every key.
    pub key: IncidentKey,
    /// Name in evidence.
    pub incident_id: Uuid,
    /// Profile id of plans that name none.
    pub profile: String,
    /// What happened, in the controller's words.
    pub texts: Value,
    /// Incident key under the master key.
    pub wrapped_key: Vec<u8>,
    /// Its intake secret under the incident key.
    pub intake_secret_key: Vec<u8>,
    /// Approvals needed.
    pub approvals_required: i32,
    /// When it was closed; `None`: open.
    pub closed_at: Option<OffsetDateTime>,
    /// Name on the command line.
    pub slug: String,
    /// Controller's slug.
    pub controller_slug: String,
    /// Controller's printed name.
    pub controller_name: String,
    /// Controller's SMS sender.
    pub sms_sender: String,
    /// Controller's letterhead.
    pub controller_address: Vec<String>,
}

/// An incident as listed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct IncidentSummary {
    /// `controller/incident`.
    #[serde(rename = "incident")]
    pub name: String,
    /// Name in evidence.
    pub incident_id: Uuid,
    /// Profile id.
    pub profile: String,
    /// Approvals that a plan needs.
    pub approvals_required: i32,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was closed; `None`: open.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
    /// People so far.
    pub people: i64,
    /// Newest plan.
    pub plan: Option<i32>,
    /// Its state word.
    pub plan_state: Option<String>,
}

impl Incident {
    /// Refuses what a closed incident does not take, before anybody signs for it.
    pub fn check_open(&self) -> Result<(), StoreError> {
        if self.closed_at.is_none() { Ok(()) } else { Err(StoreError::Closed) }
    }
}

impl Signer {
    /// Makes an incident of the controller with this short name, by a signature over what its plans will need.
    pub async fn add_incident(&self, store: &Store, controller: &str, new: &NewIncident) -> Result<(), StoreError> {
        let words = incident_words((&new.slug, &new.profile, &new.texts));
        let command = with(incident_add(controller, new.incident_id, new.approvals_required), words);
        let by = self.sign(store, &command).await?;
        store.insert_incident(new, by).await
    }
}

/// An incident by its name, `controller/incident`, for those who need no more of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedIncident {
    /// `controller/incident`; of a controller that is gone, its id.
    pub name: String,
    /// Where it stands.
    pub key: IncidentKey,
}

impl Store {
    /// Makes an incident, by whoever signed for it; the controller's log tells how many approvals its plans need.
    pub async fn insert_incident(&self, new: &NewIncident, by: Decider) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "insert into incident (controller_id, incident_id, slug, profile, texts, wrapped_key, intake_public_key, intake_secret_key, approvals_required)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            new.controller_id,
            new.incident_id,
            new.slug,
            new.profile,
            new.texts,
            new.wrapped_key,
            new.intake_public_key.as_slice(),
            new.intake_secret_key,
            new.approvals_required
        )
        .execute(&mut *tx)
        .await
        .map_err(|e| StoreError::taken(e, "incident", &new.slug))?;
        let mut detail = Map::from_iter([("approvals".to_owned(), json!(new.approvals_required))]);
        for (name, id) in [("command", by.command_id), ("incident", new.incident_id), ("user", by.user_id)] {
            detail.insert(name.to_owned(), json!(id.to_string()));
        }
        insert_log_events(&mut tx, LogScope::Controller(new.controller_id), [("incident.added", detail)]).await?;
        Ok(tx.commit().await?)
    }

    /// The incident of a slug; a slug that two controllers use needs `controller/slug`.
    pub async fn load_incident(&self, slug: &str) -> Result<Incident, StoreError> {
        let (controller, name) = slug.split_once('/').map_or((None, slug), |(c, n)| (Some(c), n));
        let mut rows = sqlx::query!(
            r#"select i.controller_id, i.incident_no, i.incident_id, i.profile, i.texts, i.wrapped_key, i.intake_secret_key,
                      i.approvals_required, i.closed_at, i.slug, c.slug as controller_slug, c.name as controller_name, c.sms_sender, c.address as controller_address
                 from incident i join controller c using (controller_id)
                where i.slug = $1 and ($2::text is null or c.slug = $2)"#,
            name,
            controller
        )
        .fetch_all(&self.pool)
        .await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(Incident {
                key: IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no },
                incident_id: row.incident_id,
                profile: row.profile,
                texts: row.texts,
                wrapped_key: row.wrapped_key,
                intake_secret_key: row.intake_secret_key,
                approvals_required: row.approvals_required,
                closed_at: row.closed_at,
                slug: row.slug,
                controller_slug: row.controller_slug,
                controller_name: row.controller_name,
                sms_sender: row.sms_sender,
                controller_address: row.controller_address,
            }),
            (Some(_), false) => Err(StoreError::Forbidden {
                what: "more than one controller has an incident of that name",
                remedy: "write it as `controller/incident`; `duly incident list` shows them",
            }),
            (None, _) => Err(StoreError::missing("incident", slug)),
        }
    }

    /// All incidents with their newest plan, by name.
    pub async fn list_incident_summaries(&self) -> Result<Vec<IncidentSummary>, StoreError> {
        let rows = sqlx::query_as!(
            IncidentSummary,
            r#"select c.slug || '/' || i.slug as "name!", i.incident_id, i.profile, i.approvals_required, i.created_at, i.closed_at,
                      (select count(*) from person p where p.controller_id = i.controller_id and p.incident_no = i.incident_no) as "people!",
                      q.plan_no as "plan?", q.state as "plan_state?"
                 from incident i join controller c using (controller_id)
                 left join lateral (select plan_no, state from plan where controller_id = i.controller_id and incident_no = i.incident_no
                      order by plan_no desc limit 1) q on true
                order by 1"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// All incidents, by name.
    pub async fn list_incidents(&self) -> Result<Vec<NamedIncident>, StoreError> {
        let rows = sqlx::query!(
            // One whose controller somebody took away is listed all the same, so that the audit finds it.
            r#"select coalesce(c.slug, i.controller_id::text) || '/' || i.slug as "name!", i.controller_id, i.incident_no
                 from incident i left join controller c using (controller_id) order by 1"#
        )
        .fetch_all(&self.pool)
        .await?;
        let named = |controller_id, incident_no, name| NamedIncident { name, key: IncidentKey { controller_id, incident_no } };
        Ok(rows.into_iter().map(|row| named(row.controller_id, row.incident_no, row.name)).collect())
    }
}
