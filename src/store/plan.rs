//! Plans: freeze, prepared contents, approvals, go and pause. Plan states move by events only.

use super::list::ManifestRow;
use super::unit::{IncidentKey, Unit, Wait};
use super::{Store, StoreError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A person to be rendered for a plan.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Person.
    pub person_id: Uuid,
    /// Version of the person.
    pub version: i32,
    /// Sealed record.
    pub contact: Vec<u8>,
    /// Person's key under the incident key.
    pub wrapped_key: Vec<u8>,
    /// Code printed in messages.
    pub reference_code: String,
    /// An SMS is possible.
    pub has_phone: bool,
    /// A letter is possible.
    pub has_address: bool,
}

/// What a person's notice will be, decided at prepare.
#[derive(Debug, Clone)]
pub struct PreparedNotice {
    /// Person.
    pub person_id: Uuid,
    /// Version that was rendered.
    pub version: i32,
    /// Route word.
    pub route: &'static str,
    /// Why nothing could be prepared.
    pub problem: Option<String>,
    /// Every channel of the route.
    pub contents: Vec<PreparedContent>,
    /// Channels that start at once, with their message ids.
    pub first: Vec<(Uuid, &'static str)>,
}

/// What one person will be told on one channel, as hashes.
#[derive(Debug, Clone)]
pub struct PreparedContent {
    /// Channel word.
    pub channel: &'static str,
    /// Content word, declared by the template.
    pub content: &'static str,
    /// SHA-256 of the rendered bytes.
    pub content_hash: [u8; 32],
    /// SHA-256 of the template.
    pub template_hash: [u8; 32],
    /// Segments of a text message, pages of a letter.
    pub parts: u32,
    /// Commitment to the content hash under the person's key; the same stands in the leaf of each intent.
    pub commitment: [u8; 32],
}

/// What holds for every message of a plan.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How long one message may be tried, ms.
    pub message_deadline_ms: i64,
    /// How letters are posted: `first` or `second`.
    pub postage_class: &'static str,
    /// Lanes that the plan may use.
    pub lanes: Vec<String>,
    /// Whether its messages go before those of plans that are not urgent.
    pub is_urgent: bool,
}

/// A list that a plan freezes.
#[derive(Debug, Clone)]
pub struct FrozenList {
    /// List.
    pub list_no: i32,
    /// Lines of its manifest.
    pub people: i64,
    /// RFC 6962 root.
    pub root: [u8; 32],
}

/// A plan as commands see it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number.
    pub plan_no: i32,
    /// State word.
    pub state: String,
    /// Canonical body.
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub hash: Vec<u8>,
    /// Who prepared it.
    pub prepared_by: Uuid,
    /// How many approved it.
    pub approvals: i64,
}

impl Store {
    /// Numbers of lists that are not frozen, oldest first.
    pub async fn list_open_lists(&self, incident: IncidentKey) -> Result<Vec<i32>, StoreError> {
        let rows = sqlx::query!(
            "select l.list_no from affected_list l left join list_freeze f using (controller_id, incident_no, list_no)
              where l.controller_id = $1 and l.incident_no = $2 and f.list_no is null order by l.list_no",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.list_no).collect())
    }

    /// Lines of a list's manifest after `after`, ascending by person id.
    pub async fn list_manifest(
        &self,
        incident: IncidentKey,
        list_no: i32,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<ManifestRow>, StoreError> {
        let rows = sqlx::query_as!(
            ManifestRow,
            "select person_id, commitments from person where controller_id = $1 and incident_no = $2 and list_no = $3 and person_id > $4
              order by person_id limit $5",
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

    /// People without a notice in `phase`, after `after`, ascending by id.
    pub async fn list_recipients(
        &self,
        incident: IncidentKey,
        lists: &[i32],
        phase: i32,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<Recipient>, StoreError> {
        let rows = sqlx::query_as!(
            Recipient,
            "select p.person_id, p.version, p.contact, k.wrapped as wrapped_key, p.reference_code, p.has_phone, p.has_address
               from person p join person_key k using (controller_id, incident_no, person_id)
              where p.controller_id = $1 and p.incident_no = $2 and p.list_no = any($3) and p.person_id > $5
                and not exists (select from notice n where n.controller_id = p.controller_id and n.incident_no = p.incident_no
                     and n.person_id = p.person_id and n.phase = $4)
              order by p.person_id limit $6",
            incident.controller_id,
            incident.incident_no,
            lists,
            phase,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Opens the transaction that freezes and prepares, exclusive against intake and other plans of the incident.
    pub async fn begin_plan(&self, incident: IncidentKey) -> Result<PlanDraft, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        sqlx::query!("select 1 as one from incident where incident_no = $1 for update", incident.incident_no)
            .fetch_one(&mut *unit.tx)
            .await?;
        let row = sqlx::query!(
            r#"select coalesce(max(plan_no), 0) + 1 as "plan_no!" from plan where controller_id = $1 and incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *unit.tx)
        .await?;
        Ok(PlanDraft { unit, plan_no: row.plan_no })
    }

    /// A plan of an incident.
    pub async fn load_plan(&self, incident: IncidentKey, plan_no: i32) -> Result<Plan, StoreError> {
        let row = sqlx::query_as!(
            Plan,
            r#"select plan_no, state, body, hash, prepared_by,
                      (select count(*) from plan_approval a where a.controller_id = q.controller_id and a.incident_no = q.incident_no
                          and a.plan_no = q.plan_no) as "approvals!"
                 from plan q where controller_id = $1 and incident_no = $2 and plan_no = $3"#,
            incident.controller_id,
            incident.incident_no,
            plan_no
        )
        .fetch_optional(&self.pool)
        .await?;
        row.ok_or_else(|| StoreError::missing("plan", &plan_no.to_string()))
    }

    /// The newest plan of an incident.
    pub async fn find_last_plan(&self, incident: IncidentKey) -> Result<Option<i32>, StoreError> {
        let row = sqlx::query!(
            "select max(plan_no) as plan_no from plan where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.plan_no)
    }

    /// Records an approval; with the last one that is required the plan becomes `approved`.
    pub async fn approve_plan(
        &self,
        incident: IncidentKey,
        plan: &Plan,
        user_id: Uuid,
        command_id: Uuid,
        required: i64,
    ) -> Result<bool, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        sqlx::query!("select 1 as one from incident where incident_no = $1 for update", incident.incident_no)
            .fetch_one(&mut *unit.tx)
            .await?;
        sqlx::query!(
            "insert into plan_approval (controller_id, incident_no, plan_no, user_id, command_id) values ($1, $2, $3, $4, $5)",
            incident.controller_id,
            incident.incident_no,
            plan.plan_no,
            user_id,
            command_id
        )
        .execute(&mut *unit.tx)
        .await?;
        let row = sqlx::query!(
            r#"select count(*) as "n!" from plan_approval where controller_id = $1 and incident_no = $2 and plan_no = $3"#,
            incident.controller_id,
            incident.incident_no,
            plan.plan_no
        )
        .fetch_one(&mut *unit.tx)
        .await?;
        let is_approved = row.n >= required;
        let moves = is_approved.then_some((plan.plan_no, "prepared", "approved"));
        unit.incident_event("plan.approved", plan_detail(plan, user_id), moves)?;
        unit.commit().await?;
        Ok(is_approved)
    }

    /// Moves a plan by an event: go, pause, resume.
    pub async fn move_plan(
        &self,
        incident: IncidentKey,
        plan: &Plan,
        kind: &'static str,
        from: &'static str,
        to: &'static str,
        user_id: Uuid,
    ) -> Result<(), StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        // Exclusive, as for a hold: no claim is between its check and its commit while the plan pauses. Calls that are claimed and not yet started are refused by the version that they saw.
        sqlx::query!("update incident set hold_version = hold_version + 1 where incident_no = $1", incident.incident_no)
            .execute(&mut *unit.tx)
            .await?;
        unit.incident_event(kind, plan_detail(plan, user_id), Some((plan.plan_no, from, to)))?;
        unit.commit().await
    }
}

fn plan_detail(plan: &Plan, user_id: Uuid) -> Map<String, Value> {
    let mut detail = Map::new();
    detail.insert("hash".into(), json!(hex::encode(&plan.hash)));
    detail.insert("plan".into(), json!(plan.plan_no));
    detail.insert("user".into(), json!(user_id.to_string()));
    detail
}

/// The open transaction of `plan prepare`.
pub struct PlanDraft {
    unit: Unit,
    /// Number that the plan will have.
    pub plan_no: i32,
}

impl PlanDraft {
    /// Freezes a list: from now on its people are the ones of the manifest.
    pub async fn freeze(&mut self, list: &FrozenList) -> Result<(), StoreError> {
        let key = self.unit.incident;
        sqlx::query!(
            "insert into list_freeze (controller_id, incident_no, list_no, people, manifest_root) values ($1, $2, $3, $4, $5)",
            key.controller_id,
            key.incident_no,
            list.list_no,
            list.people,
            list.root.as_slice()
        )
        .execute(&mut *self.unit.tx)
        .await?;
        let mut detail = Map::new();
        detail.insert("count".into(), json!(list.people));
        detail.insert("list".into(), json!(list.list_no));
        detail.insert("root".into(), json!(hex::encode(list.root)));
        self.unit.incident_event("list.frozen", detail, None)
    }

    /// Writes the notices of a batch of people with what was rendered for them, and their first messages.
    pub async fn insert_notices(&mut self, phase: i32, notices: &[PreparedNotice], terms: &Terms) -> Result<(), StoreError> {
        let IncidentKey { controller_id, incident_no } = self.unit.incident;
        let people: Vec<Uuid> = notices.iter().map(|n| n.person_id).collect();
        let routes: Vec<String> = notices.iter().map(|n| n.route.to_owned()).collect();
        let problems: Vec<Option<String>> = notices.iter().map(|n| n.problem.clone()).collect();
        sqlx::query!(
            "insert into notice (controller_id, incident_no, phase, plan_no, person_id, route, problem)
             select $1, $2, $3, $4, j.* from unnest($5::uuid[], $6::text[], $7::text[]) as j",
            controller_id,
            incident_no,
            phase,
            self.plan_no,
            &people,
            &routes,
            &problems as &[Option<String>]
        )
        .execute(&mut *self.unit.tx)
        .await?;
        self.insert_contents(phase, notices).await?;
        let first: Vec<(&PreparedNotice, Uuid, &str)> =
            notices.iter().flat_map(|n| n.first.iter().map(move |(id, channel)| (n, *id, *channel))).collect();
        let ids: Vec<Uuid> = first.iter().map(|(_, id, _)| *id).collect();
        let people: Vec<Uuid> = first.iter().map(|(n, _, _)| n.person_id).collect();
        let channels: Vec<String> = first.iter().map(|(_, _, c)| (*c).to_owned()).collect();
        sqlx::query!(
            "insert into message (controller_id, incident_no, phase, plan_no, reason, ordinal, due_at, expires_at, message_id, person_id, channel, postage_class)
             select $1, $2, $3, $4, 'first', 1, duly_now(), duly_now() + $8::bigint * interval '1 millisecond', j.id, j.person, j.channel,
                    case when j.channel = 'letter' then $9 end
               from unnest($5::uuid[], $6::uuid[], $7::text[]) as j (id, person, channel)",
            controller_id,
            incident_no,
            phase,
            self.plan_no,
            &ids,
            &people,
            &channels,
            terms.message_deadline_ms,
            terms.postage_class
        )
        .execute(&mut *self.unit.tx)
        .await?;
        Ok(())
    }

    async fn insert_contents(&mut self, phase: i32, notices: &[PreparedNotice]) -> Result<(), StoreError> {
        let rows: Vec<(&PreparedNotice, &PreparedContent)> =
            notices.iter().flat_map(|n| n.contents.iter().map(move |c| (n, c))).collect();
        let people: Vec<Uuid> = rows.iter().map(|(n, _)| n.person_id).collect();
        let versions: Vec<i32> = rows.iter().map(|(n, _)| n.version).collect();
        let channels: Vec<String> = rows.iter().map(|(_, c)| c.channel.to_owned()).collect();
        let contents: Vec<String> = rows.iter().map(|(_, c)| c.content.to_owned()).collect();
        let hashes: Vec<Vec<u8>> = rows.iter().map(|(_, c)| c.content_hash.to_vec()).collect();
        let templates: Vec<Vec<u8>> = rows.iter().map(|(_, c)| c.template_hash.to_vec()).collect();
        let commitments: Vec<Vec<u8>> = rows.iter().map(|(_, c)| c.commitment.to_vec()).collect();
        sqlx::query!(
            "insert into prepared_content (controller_id, incident_no, phase, person_id, person_version, channel, content, content_hash,
                    template_hash, commitment)
             select $1, $2, $3, j.* from unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::bytea[]) as j",
            self.unit.incident.controller_id,
            self.unit.incident.incident_no,
            phase,
            &people,
            &versions,
            &channels,
            &contents,
            &hashes,
            &templates,
            &commitments
        )
        .execute(&mut *self.unit.tx)
        .await?;
        Ok(())
    }

    /// Writes the plan and its event, and commits all of it together.
    pub async fn finish(mut self, body: &[u8], hash: &[u8], terms: &Terms, user_id: Uuid) -> Result<i32, StoreError> {
        let key = self.unit.incident;
        sqlx::query!(
            "insert into plan (controller_id, incident_no, plan_no, body, hash, prepared_by, message_deadline_ms, postage_class, lanes, is_urgent)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            key.controller_id,
            key.incident_no,
            self.plan_no,
            body,
            hash,
            user_id,
            terms.message_deadline_ms,
            terms.postage_class,
            &terms.lanes,
            terms.is_urgent
        )
        .execute(&mut *self.unit.tx)
        .await?;
        let mut detail = Map::new();
        detail.insert("hash".into(), json!(hex::encode(hash)));
        detail.insert("plan".into(), json!(self.plan_no));
        detail.insert("user".into(), json!(user_id.to_string()));
        self.unit.incident_event("plan.prepared", detail, None)?;
        let plan_no = self.plan_no;
        self.unit.commit().await?;
        Ok(plan_no)
    }
}
