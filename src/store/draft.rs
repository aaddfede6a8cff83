//! What a worker reads before it renders and claims: sealed parts stay sealed.

use super::letterhead::load_named;
use super::unit::IncidentKey;
use super::{Store, StoreError};
use crate::model::look::Look;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// What all messages of one plan share.
#[derive(Debug, Clone)]
pub struct Context {
    /// Incident key under the master key.
    pub wrapped_incident_key: Vec<u8>,
    /// Plan body; `Null` where it cannot be read.
    pub plan: Value,
    /// The incident's texts.
    pub texts: Value,
    /// Controller's printed name.
    pub controller_name: String,
    /// Controller's short name, as it stands in the address of its receipts.
    pub controller_slug: String,
    /// Controller's SMS sender.
    pub sms_sender: String,
    /// Controller's letterhead.
    pub controller_address: Vec<String>,
    /// How its letters look, as the plan names it.
    pub look: Look,
}

/// Everything that is needed to render and serialise one message.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Place in every key.
    pub incident: IncidentKey,
    /// What it shares with its plan.
    pub context: Arc<Context>,
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Phase of the notice.
    pub phase: i32,
    /// Channel word.
    pub channel: String,
    /// Reason word.
    pub reason: String,
    /// Ordinal for this reason.
    pub ordinal: i32,
    /// State word when read.
    pub state: String,
    /// Lane chosen by the scheduler.
    pub lane: String,
    /// Postage class of a letter.
    pub postage_class: Option<String>,
    /// What is read of the person.
    pub person: PersonPart,
    /// What was rendered at prepare.
    pub prepared: PreparedPart,
    /// Frozen request of the newest attempt, sealed; present when a repeat is possible.
    pub frozen: Option<Vec<u8>>,
}

/// A person as a draft needs it.
#[derive(Debug, Clone)]
pub struct PersonPart {
    /// Version when read.
    pub version: i32,
    /// Sealed `PersonRecord`.
    pub contact: Vec<u8>,
    /// Person's key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Code printed in the message.
    pub reference_code: String,
}

/// A message as it was approved.
#[derive(Debug, Clone)]
pub struct PreparedPart {
    /// Version of the person that was rendered.
    pub person_version: i32,
    /// Content word of the template.
    pub content: String,
    /// Commitment to the SHA-256 of the bytes, under the person's key.
    pub commitment: Vec<u8>,
    /// SHA-256 of the template that they were made with.
    pub template_hash: Vec<u8>,
}

struct MessagePart {
    message_id: Uuid,
    person_id: Uuid,
    phase: i32,
    channel: String,
    reason: String,
    ordinal: i32,
    plan_no: i32,
    state: String,
    attempt: i32,
    lane: String,
    postage_class: Option<String>,
}

impl Store {
    /// Reads the drafts of a batch of jobs. A message that is gone, has no lane or whose person was erased is left out.
    ///
    /// One table at a time, by keys: a join of seven would depend on statistics that lag behind.
    pub async fn list_drafts(&self, messages: &[Uuid]) -> Result<Vec<Draft>, StoreError> {
        let mut drafts = Vec::with_capacity(messages.len());
        // One transaction for all reads: a batch must not cost the database a commit for each of them.
        let mut tx = self.pool.begin().await?;
        for (incident, parts) in list_message_parts(&mut tx, messages).await? {
            let people: Vec<Uuid> = parts.iter().map(|m| m.person_id).collect();
            let mut persons = list_person_parts(&mut tx, incident, &people).await?;
            let mut prepared = list_prepared_parts(&mut tx, incident, &people).await?;
            let mut frozen = list_frozen(&mut tx, incident, &parts).await?;
            let mut contexts: HashMap<i32, Arc<Context>> = HashMap::new();
            for part in parts {
                let context = match contexts.get(&part.plan_no) {
                    Some(context) => context.clone(),
                    None => {
                        let context = Arc::new(load_context(&mut tx, incident, part.plan_no).await?);
                        contexts.insert(part.plan_no, context.clone());
                        context
                    }
                };
                let key = (part.person_id, part.phase, part.channel.clone());
                let (Some(person), Some(prepared)) = (persons.get_mut(&part.person_id), prepared.remove(&key)) else { continue };
                drafts.push(Draft {
                    incident,
                    context,
                    person: person.clone(),
                    prepared,
                    frozen: frozen.remove(&part.message_id),
                    message_id: part.message_id,
                    person_id: part.person_id,
                    phase: part.phase,
                    channel: part.channel,
                    reason: part.reason,
                    ordinal: part.ordinal,
                    state: part.state,
                    lane: part.lane,
                    postage_class: part.postage_class,
                });
            }
        }
        tx.commit().await?;
        Ok(drafts)
    }
}

async fn list_message_parts(
    db: &mut PgConnection,
    messages: &[Uuid],
) -> Result<BTreeMap<IncidentKey, Vec<MessagePart>>, StoreError> {
    let rows = sqlx::query!(
        r#"select controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, state, attempt,
                      lane as "lane!", postage_class
                 from message where message_id = any($1) and lane is not null"#,
        messages
    )
    .fetch_all(db)
    .await?;
    let mut parts: BTreeMap<IncidentKey, Vec<MessagePart>> = BTreeMap::new();
    for row in rows {
        let incident = IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no };
        parts.entry(incident).or_default().push(MessagePart {
            message_id: row.message_id,
            person_id: row.person_id,
            phase: row.phase,
            channel: row.channel,
            reason: row.reason,
            ordinal: row.ordinal,
            plan_no: row.plan_no,
            state: row.state,
            attempt: row.attempt,
            lane: row.lane,
            postage_class: row.postage_class,
        });
    }
    Ok(parts)
}

async fn list_person_parts(
    db: &mut PgConnection,
    incident: IncidentKey,
    people: &[Uuid],
) -> Result<HashMap<Uuid, PersonPart>, StoreError> {
    let rows = sqlx::query!(
        "select p.person_id, p.version, p.contact, k.wrapped as wrapped_key, p.reference_code
               from person p join person_key k using (controller_id, incident_no, person_id)
              where p.controller_id = $1 and p.incident_no = $2 and p.person_id = any($3)",
        incident.controller_id,
        incident.incident_no,
        people
    )
    .fetch_all(db)
    .await?;
    let part = |version, contact, wrapped_key, reference_code| PersonPart { version, contact, wrapped_key, reference_code };
    Ok(rows.into_iter().map(|r| (r.person_id, part(r.version, r.contact, r.wrapped_key, r.reference_code))).collect())
}

async fn list_prepared_parts(
    db: &mut PgConnection,
    incident: IncidentKey,
    people: &[Uuid],
) -> Result<HashMap<(Uuid, i32, String), PreparedPart>, StoreError> {
    let rows = sqlx::query!(
        "select person_id, phase, channel, person_version, content, template_hash, commitment from prepared_content
              where controller_id = $1 and incident_no = $2 and person_id = any($3)",
        incident.controller_id,
        incident.incident_no,
        people
    )
    .fetch_all(db)
    .await?;
    let prepared = rows.into_iter().map(|r| {
        let part = PreparedPart {
            person_version: r.person_version,
            content: r.content,
            commitment: r.commitment,
            template_hash: r.template_hash,
        };
        ((r.person_id, r.phase, r.channel), part)
    });
    Ok(prepared.collect())
}

async fn list_frozen(
    db: &mut PgConnection,
    incident: IncidentKey,
    parts: &[MessagePart],
) -> Result<HashMap<Uuid, Vec<u8>>, StoreError> {
    let tried: Vec<&MessagePart> = parts.iter().filter(|m| m.attempt > 0).collect();
    if tried.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
            "select a.message_id, a.request from attempt a
               join unnest($3::uuid[], $4::int[]) as j (message_id, attempt) on j.message_id = a.message_id and j.attempt = a.attempt
              where a.controller_id = $1 and a.incident_no = $2",
            incident.controller_id,
            incident.incident_no,
            &tried.iter().map(|m| m.message_id).collect::<Vec<_>>(),
            &tried.iter().map(|m| m.attempt).collect::<Vec<_>>()
        )
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|r| (r.message_id, r.request)).collect())
}

async fn load_context(db: &mut PgConnection, incident: IncidentKey, plan_no: i32) -> Result<Context, StoreError> {
    let row = sqlx::query!(
        "select i.wrapped_key as wrapped_incident_key, q.body as plan, i.texts, c.name as controller_name, c.slug as controller_slug, c.sms_sender,
                    c.address as controller_address
               from plan q
               join incident i on i.controller_id = q.controller_id and i.incident_no = q.incident_no
               join controller c on c.controller_id = q.controller_id
              where q.controller_id = $1 and q.incident_no = $2 and q.plan_no = $3",
        incident.controller_id,
        incident.incident_no,
        plan_no
    )
    .fetch_one(&mut *db)
    .await?;
    let look = load_named(db, incident.controller_id, &row.plan).await?;
    Ok(Context {
        wrapped_incident_key: row.wrapped_incident_key,
        plan: serde_json::from_slice(&row.plan).unwrap_or_default(),
        texts: row.texts,
        controller_name: row.controller_name,
        controller_slug: row.controller_slug,
        sms_sender: row.sms_sender,
        controller_address: row.controller_address,
        look,
    })
}
