//! A plan in the making: one transaction that freezes the lists, keeps what everybody will be told, and ends in the plan.

use super::moves::plan_detail;
use crate::model::quiet::Quiet;
use crate::model::state::{Channel, UnknownRule};
use crate::store::quarantine::Decider;
use crate::store::sequencing::LogScope;
use crate::store::unit::{IncidentKey, Wait};
use crate::store::{Store, StoreError};
use duly_ledger::{Frontier, leaf_hash};
use serde_json::{Map, Value, json};
use sqlx::{Postgres, Transaction};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long a plan in the making may stand still between two statements, while a batch is rendered.
const IDLE_MAX: &str = "10min";

/// What a person's notice will be, decided at prepare.
#[derive(Debug, Clone)]
pub struct PreparedNotice {
    /// Person.
    pub person_id: Uuid,
    /// Version that was rendered.
    pub version: i32,
    /// Profile id.
    pub profile: String,
    /// Route word.
    pub route: &'static str,
    /// Why nothing could be prepared.
    pub problem: Option<String>,
    /// Every channel of the route.
    pub contents: Vec<PreparedContent>,
    /// Zones in which it may be night for the person; empty: no text message.
    pub zones: Vec<String>,
    /// Channels that start at once, with their message ids.
    pub first: Vec<(Uuid, &'static str)>,
}

/// What one person will be told on one channel, as a commitment.
#[derive(Debug, Clone)]
pub struct PreparedContent {
    /// Channel word.
    pub channel: &'static str,
    /// Content word, declared by the template.
    pub content: &'static str,
    /// SHA-256 of the template.
    pub template_hash: [u8; 32],
    /// Segments of a text message, pages of a letter.
    pub parts: u32,
    /// Commitment to the SHA-256 of the rendered bytes under the person's key; the same stands in the leaf of each intent.
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
    /// Whose account each of them is, as the plan's body has it.
    pub accounts: BTreeMap<String, Value>,
    /// What each of them does with a call of which nothing can be found out.
    pub unknown_rules: BTreeMap<String, UnknownRule>,
    /// Whether its messages go before those of plans that are not urgent.
    pub is_urgent: bool,
    /// Hours in which its text messages wait for the morning; `None`: they never wait.
    pub quiet: Option<Quiet>,
    /// Zones of all its people.
    pub zones: Vec<String>,
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

/// The open transaction of `plan prepare`. It may last for many minutes, so that it locks out intake and other plans of
/// the incident, and nothing else: holds, pauses and the claims of plans that run go on beside it.
pub struct PlanDraft {
    store: Store,
    tx: Transaction<'static, Postgres>,
    incident: IncidentKey,
    /// What the events of the lists will say: they are written when it is over, with the time of that moment.
    frozen: Vec<Map<String, Value>>,
    /// Number that the plan will have.
    pub plan_no: i32,
}

impl Store {
    /// Opens it, exclusive against intake and other plans of the incident.
    pub async fn begin_plan(&self, incident: IncidentKey) -> Result<PlanDraft, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Who stands still in it is thrown out, and nothing was prepared.
        sqlx::query!("select set_config('idle_in_transaction_session_timeout', $1, true)", IDLE_MAX).fetch_one(&mut *tx).await?;
        lock_people(&mut tx, incident).await?;
        let row = sqlx::query!(
            r#"select coalesce(max(plan_no), 0) + 1 as "plan_no!" from plan where controller_id = $1 and incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(PlanDraft { store: self.clone(), tx, incident, frozen: Vec::new(), plan_no: row.plan_no })
    }
}

/// Locks out intake, and everybody else who plans for the incident's people or lets them go.
pub(in crate::store) async fn lock_people(
    tx: &mut Transaction<'static, Postgres>,
    incident: IncidentKey,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"select pg_advisory_xact_lock(hashtextextended('duly people of ' || $1::bigint, 0)) as locked"#,
        incident.incident_no
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

impl PlanDraft {
    /// Freezes a list: from now on its people are the ones of the manifest.
    pub async fn freeze(&mut self, list: &FrozenList) -> Result<(), StoreError> {
        let key = self.incident;
        sqlx::query!(
            "insert into list_freeze (controller_id, incident_no, list_no, people, manifest_root) values ($1, $2, $3, $4, $5)",
            key.controller_id,
            key.incident_no,
            list.list_no,
            list.people,
            list.root.as_slice()
        )
        .execute(&mut *self.tx)
        .await?;
        let fates = sqlx::query!(
            r#"select count(*) as "rows!", count(*) filter (where fate = 'duplicate_of') as "duplicates!",
                      count(*) filter (where fate = 'quarantined') as "quarantined!",
                      (select file_hash from affected_list where controller_id = $1 and incident_no = $2 and list_no = $3) as file_hash
                 from source_row where controller_id = $1 and incident_no = $2 and list_no = $3"#,
            key.controller_id,
            key.incident_no,
            list.list_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let mut detail = Map::new();
        detail.insert("duplicates".into(), json!(fates.duplicates));
        detail.insert("quarantined".into(), json!(fates.quarantined));
        detail.insert("rows".into(), json!(fates.rows));
        detail.insert("count".into(), json!(list.people));
        detail.insert("list".into(), json!(list.list_no));
        detail.insert("root".into(), json!(hex::encode(list.root)));
        // By it the file is known again to whoever has the incident's key, and to nobody else.
        detail.extend(fates.file_hash.map(|keyed| ("src".to_owned(), json!(hex::encode(keyed)))));
        self.frozen.push(detail);
        Ok(())
    }

    /// Writes the notices of a batch of people with what was rendered for them, and their first messages.
    pub async fn insert_notices(&mut self, phase: i32, notices: &[PreparedNotice], terms: &Terms) -> Result<(), StoreError> {
        let IncidentKey { controller_id, incident_no } = self.incident;
        let people: Vec<Uuid> = notices.iter().map(|n| n.person_id).collect();
        let profiles: Vec<String> = notices.iter().map(|n| n.profile.clone()).collect();
        let routes: Vec<String> = notices.iter().map(|n| n.route.to_owned()).collect();
        let problems: Vec<Option<String>> = notices.iter().map(|n| n.problem.clone()).collect();
        sqlx::query!(
            "insert into notice (controller_id, incident_no, phase, plan_no, person_id, profile, route, problem)
             select $1, $2, $3, $4, j.* from unnest($5::uuid[], $6::text[], $7::text[], $8::text[]) as j",
            controller_id,
            incident_no,
            phase,
            self.plan_no,
            &people,
            &profiles,
            &routes,
            &problems as &[Option<String>]
        )
        .execute(&mut *self.tx)
        .await?;
        self.insert_contents(phase, notices).await?;
        let first: Vec<(&PreparedNotice, Uuid, &str)> =
            notices.iter().flat_map(|n| n.first.iter().map(move |(id, channel)| (n, *id, *channel))).collect();
        let ids: Vec<Uuid> = first.iter().map(|(_, id, _)| *id).collect();
        let people: Vec<Uuid> = first.iter().map(|(n, _, _)| n.person_id).collect();
        let channels: Vec<String> = first.iter().map(|(_, _, c)| (*c).to_owned()).collect();
        let is_text = |channel: &str| channel == Channel::Sms.as_str();
        let zones: Vec<Option<String>> = first.iter().map(|(n, _, c)| is_text(c).then(|| n.zones.join(","))).collect();
        sqlx::query!(
            "insert into message (controller_id, incident_no, phase, plan_no, reason, ordinal, due_at, expires_at, message_id, person_id, channel, postage_class, zones)
             select $1, $2, $3, $4, 'first', 1, duly_now(), duly_now() + $8::bigint * interval '1 millisecond', j.id, j.person, j.channel,
                    case when j.channel = 'letter' then $9 end, string_to_array(j.zones, ',')
               from unnest($5::uuid[], $6::uuid[], $7::text[], $10::text[]) as j (id, person, channel, zones)",
            controller_id,
            incident_no,
            phase,
            self.plan_no,
            &ids,
            &people,
            &channels,
            terms.message_deadline_ms,
            terms.postage_class,
            &zones as &[Option<String>]
        )
        .execute(&mut *self.tx)
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
        let templates: Vec<Vec<u8>> = rows.iter().map(|(_, c)| c.template_hash.to_vec()).collect();
        let commitments: Vec<Vec<u8>> = rows.iter().map(|(_, c)| c.commitment.to_vec()).collect();
        sqlx::query!(
            "insert into prepared_content (controller_id, incident_no, phase, person_id, person_version, channel, content, template_hash, commitment)
             select $1, $2, $3, j.* from unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::bytea[], $9::bytea[]) as j",
            self.incident.controller_id,
            self.incident.incident_no,
            phase,
            &people,
            &versions,
            &channels,
            &contents,
            &templates,
            &commitments
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Writes the plan and its event, and commits all of it together.
    pub async fn finish(mut self, body: &[u8], hash: &[u8], terms: &Terms, by: Decider) -> Result<i32, StoreError> {
        let key = self.incident;
        // A zone that this database's clock does not know is refused here, and not in the night.
        sqlx::query!(r#"select count(duly_now() at time zone z) as "known!" from unnest($1::text[]) z"#, &terms.zones)
            .fetch_one(&mut *self.tx)
            .await?;
        sqlx::query!(
            "insert into plan (controller_id, incident_no, plan_no, body, hash, prepared_by, message_deadline_ms, postage_class, lanes, is_urgent,
                    quiet_from, quiet_until, zones)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            key.controller_id,
            key.incident_no,
            self.plan_no,
            body,
            hash,
            by.user_id,
            terms.message_deadline_ms,
            terms.postage_class,
            &terms.lanes,
            terms.is_urgent,
            terms.quiet.map(|quiet| quiet.from),
            terms.quiet.map(|quiet| quiet.until),
            &terms.zones
        )
        .execute(&mut *self.tx)
        .await?;
        let amended = self.amended().await?;
        let mut unit = self.store.unit_in(self.tx, key, &[], Wait::Wait).await?;
        for (frozen, amended) in self.frozen.into_iter().zip(amended) {
            unit.incident_event("list.frozen", frozen, None)?;
            if let Some(amended) = amended {
                unit.incident_event("list.amended", amended, None)?;
            }
        }
        unit.incident_event("plan.prepared", plan_detail(self.plan_no, hash, by), None)?;
        unit.commit().await?;
        Ok(self.plan_no)
    }

    /// Gives it up, because the content check refuses it. Its event has a transaction of its own: nothing else of it stays.
    pub async fn refuse(self, mut detail: Map<String, Value>, by: Decider) -> Result<(), StoreError> {
        self.tx.rollback().await?;
        detail.insert("command".into(), json!(by.command_id));
        detail.insert("user".into(), json!(by.user_id));
        let scope = LogScope::Incident(self.incident.controller_id, self.incident.incident_no);
        self.store.insert_event(scope, "check.refused", detail).await
    }

    /// What each list that is frozen here adds to those that were frozen before it; `None` for the first of all.
    async fn amended(&mut self) -> Result<Vec<Option<Map<String, Value>>>, StoreError> {
        let rows = sqlx::query!(
            r#"select f.list_no, f.people, f.manifest_root, (select count(*) from row_decision d where d.controller_id = $1 and d.incident_no = $2
                        and d.new_list_no = f.list_no and d.list_no <> f.list_no) as "corrected!"
                 from list_freeze f where f.controller_id = $1 and f.incident_no = $2 order by f.frozen_at, f.list_no"#,
            self.incident.controller_id,
            self.incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let (mut tree, mut people, mut amended) = (Frontier::new(), 0, Vec::new());
        let before = rows.len().saturating_sub(self.frozen.len());
        for (i, row) in rows.iter().enumerate() {
            let mut detail = Map::new();
            detail.insert("count_before".into(), json!(people));
            detail.insert("root_before".into(), json!(hex::encode(tree.root())));
            tree.append(leaf_hash(&row.manifest_root));
            people += row.people;
            detail.insert("corrected".into(), json!(row.corrected));
            detail.insert("count".into(), json!(people));
            detail.insert("list".into(), json!(row.list_no));
            detail.insert("root".into(), json!(hex::encode(tree.root())));
            if i >= before {
                amended.push((i > 0).then_some(detail));
            }
        }
        Ok(amended)
    }
}
