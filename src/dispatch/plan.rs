//! `plan prepare`: freezes lists, renders and hashes every person's messages, and makes a plan to be approved.

use super::Office;
use crate::model::contact::PersonRecord;
use crate::model::contents::ContentsHash;
use crate::model::seal::{Key, SealError};
use crate::model::state::{Channel, Content, Route};
use crate::render::message::Setting;
use crate::store::StoreError;
use crate::store::incident::Incident;
use crate::store::plan::{FrozenList, PreparedNotice, Recipient, Terms};
use duly_ledger::{ManifestBuilder, ManifestError, ManifestLine};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// People read and rendered at once.
const BATCH: i64 = 500;
/// The first phase; later ones come with people and plans.
const PHASE: i32 = 1;

/// Why a plan was not made; nothing was frozen.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Nobody to plan for.
    #[error("there is nobody to plan for: no open list has people")]
    Nobody,
    /// The rendering task died.
    #[error("rendering stopped")]
    Rendering,
}

/// What a prepared plan says.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PlanSummary {
    /// Number.
    pub plan: i32,
    /// SHA-256 of the body, hex: what approvals sign.
    pub hash: String,
    /// People by route.
    pub routes: BTreeMap<String, u64>,
    /// People for whom nothing could be prepared, by code.
    pub problems: BTreeMap<String, u64>,
}

/// Prepares a plan over all open lists. Each person gets the first of `routes` that can reach them.
pub async fn prepare(office: &Arc<Office>, incident: &Incident, routes: &[Route], date: (i32, u8, u8), user_id: Uuid, progress: impl Fn(u64)) -> Result<PlanSummary, PlanError> {
    let incident_key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    let store = &office.store;
    let lists = store.list_open_lists(incident.key).await?;
    let mut draft = store.begin_plan(incident.key).await?;
    let mut frozen = Vec::new();
    for list_no in &lists {
        let list = manifest(office, incident, *list_no).await?;
        draft.freeze(&list).await?;
        frozen.push(list);
    }
    let setting = Arc::new(Setting {
        profile: incident.profile.clone(),
        texts: incident.texts.clone(),
        controller_name: incident.controller_name.clone(),
        sms_sender: incident.sms_sender.clone(),
        controller_address: incident.controller_address.clone(),
        date,
    });
    let (mut after, mut done) = (Uuid::nil(), 0);
    let mut contents = ContentsHash::default();
    let mut summary = PlanSummary { plan: draft.plan_no, hash: String::new(), routes: BTreeMap::new(), problems: BTreeMap::new() };
    let terms = Terms { message_deadline_ms: office.settings.dispatch.message_deadline_hours * 3_600_000, postage_class: "first" };
    loop {
        let people = store.list_recipients(incident.key, &lists, PHASE, after, BATCH).await?;
        let Some(last) = people.last() else { break };
        after = last.person_id;
        let notices = render_all(office, &setting, &incident_key, people, routes).await?;
        for notice in &notices {
            for (channel, content, hash, template) in &notice.contents {
                contents.push(notice.person_id.as_bytes(), channel, content, hash, template);
            }
            *summary.routes.entry(notice.route.to_owned()).or_insert(0) += 1;
            if let Some(problem) = &notice.problem {
                *summary.problems.entry(problem.clone()).or_insert(0) += 1;
            }
        }
        done += notices.len() as u64;
        draft.insert_notices(PHASE, &notices, &terms).await?;
        progress(done);
    }
    if done == 0 {
        return Err(PlanError::Nobody);
    }
    let body = body(incident, draft.plan_no, date, &frozen, &summary, &contents.finish());
    let hash = Sha256::digest(&body);
    summary.hash = hex::encode(hash);
    draft.finish(&body, &hash, &terms, user_id).await?;
    store.analyze().await?;
    Ok(summary)
}

async fn manifest(office: &Office, incident: &Incident, list_no: i32) -> Result<FrozenList, PlanError> {
    let mut builder = ManifestBuilder::default();
    let mut after = Uuid::nil();
    loop {
        let rows = office.store.list_manifest(incident.key, list_no, after, 5000).await?;
        let Some(last) = rows.last() else { break };
        after = last.person_id;
        for row in rows {
            builder.push(&ManifestLine { person: *row.person_id.as_bytes(), commitments: commitments(&row.commitments)? })?;
        }
    }
    Ok(FrozenList { list_no, people: i64::try_from(builder.count()).unwrap_or(i64::MAX), root: builder.root() })
}

fn commitments(stored: &Value) -> Result<BTreeMap<String, [u8; 32]>, PlanError> {
    let corrupt = || StoreError::Corrupt { what: "commitment" };
    let fields = stored.as_object().ok_or_else(corrupt)?;
    fields
        .iter()
        .map(|(field, value)| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(value.as_str().unwrap_or_default(), &mut bytes).map_err(|_| corrupt())?;
            Ok((field.clone(), bytes))
        })
        .collect()
}

async fn render_all(office: &Arc<Office>, setting: &Arc<Setting>, incident_key: &Key, people: Vec<Recipient>, routes: &[Route]) -> Result<Vec<PreparedNotice>, PlanError> {
    let half = people.len().div_ceil(2);
    let mut tasks = Vec::new();
    for chunk in people.chunks(half.max(1)) {
        let (office, setting, key, chunk, routes) = (office.clone(), setting.clone(), incident_key.clone(), chunk.to_vec(), routes.to_vec());
        tasks.push(tokio::task::spawn_blocking(move || chunk.iter().map(|p| render_one(&office, &setting, &key, p, &routes)).collect::<Vec<_>>()));
    }
    let mut notices = Vec::new();
    for task in tasks {
        notices.extend(task.await.map_err(|_| PlanError::Rendering)?);
    }
    Ok(notices)
}

fn render_one(office: &Office, setting: &Setting, incident_key: &Key, person: &Recipient, routes: &[Route]) -> PreparedNotice {
    let reaches = |route: &Route| route.channels().iter().all(|c| match c {
        Channel::Sms => person.has_phone,
        Channel::Letter => person.has_address,
        Channel::Email => false,
    });
    let fallback = routes.first().copied().unwrap_or(Route::Letter);
    let route = routes.iter().copied().find(reaches);
    let mut notice = PreparedNotice {
        person_id: person.person_id,
        version: person.version,
        route: route.unwrap_or(fallback).as_str(),
        problem: None,
        contents: Vec::new(),
        first: Vec::new(),
    };
    let Some(route) = route else {
        notice.problem = Some("no_route".to_owned());
        return notice;
    };
    match render_route(office, setting, incident_key, person, route) {
        Ok(contents) => {
            notice.contents = contents;
            notice.first = route.first_channels().iter().map(|c| (Uuid::now_v7(), c.as_str())).collect();
        }
        Err(code) => notice.problem = Some(code),
    }
    notice
}

type Contents = Vec<(&'static str, &'static str, [u8; 32], [u8; 32])>;

fn render_route(office: &Office, setting: &Setting, incident_key: &Key, person: &Recipient, route: Route) -> Result<Contents, String> {
    let opened = incident_key
        .unwrap_key(&person.wrapped_key, "person")
        .and_then(|key| key.open("contact", &person.contact))
        .map_err(|_| "sealed".to_owned())?;
    let record: PersonRecord = serde_json::from_slice(&opened).map_err(|_| "sealed".to_owned())?;
    let mut contents = Vec::new();
    for channel in route.channels() {
        // An SMS beside a letter only alerts; one that may end the notice says everything.
        let wants = if route == Route::SmsAndLetter { Content::Alert } else { Content::Full };
        let rendered = office.composer.compose(setting, &record, &person.reference_code, *channel, Some(wants)).map_err(|e| e.code())?;
        contents.push((channel.as_str(), rendered.content.as_str(), rendered.content_hash, rendered.template_hash));
    }
    Ok(contents)
}

fn body(incident: &Incident, plan_no: i32, date: (i32, u8, u8), lists: &[FrozenList], summary: &PlanSummary, contents: &[u8; 32]) -> Vec<u8> {
    let lists: Vec<Value> = lists.iter().map(|l| json!({"list": l.list_no, "people": l.people, "root": hex::encode(l.root)})).collect();
    json!({
        "closing": incident.closing,
        "contents": hex::encode(contents),
        "date": [date.0, date.1, date.2],
        "incident": incident.incident_id.to_string(),
        "lists": lists,
        "plan": plan_no,
        "problems": summary.problems,
        "profile": incident.profile,
        "routes": summary.routes,
        "texts": hex::encode(Sha256::digest(incident.texts.to_string())),
        "v": 1,
    })
    .to_string()
    .into_bytes()
}
