//! What everybody will be told, rendered before anybody approves, and one root over all of it.

use super::PlanError;
use crate::dispatch::Office;
use crate::model::contact::PersonRecord;
use crate::model::seal::Key;
use crate::model::state::{Channel, Content, Route};
use crate::render::message::Setting;
use crate::store::plan::{PreparedContent, PreparedNotice, Recipient};
use duly_ledger::{ManifestBuilder, ManifestError, ManifestLine, PersonKey, commit};
use std::sync::Arc;
use uuid::Uuid;

/// An SMS beside a letter only alerts; one that may end the notice says everything.
pub fn wants(route: Route) -> Content {
    if route == Route::SmsAndLetter { Content::Alert } else { Content::Full }
}

/// The root over the commitments to every person's contents, in ascending order of their ids. A leaf's `content` is
/// the same commitment, so that a pack can show that what was sent is what was approved.
#[derive(Default)]
pub struct ContentsRoot(ManifestBuilder);

impl ContentsRoot {
    /// Adds a person; people without any content stand in the lists' manifests only.
    pub fn push(&mut self, notice: &PreparedNotice) -> Result<(), ManifestError> {
        if notice.contents.is_empty() {
            return Ok(());
        }
        let commitments = notice.contents.iter().map(|c| (c.channel.to_owned(), c.commitment)).collect();
        self.0.push(&ManifestLine { person: *notice.person_id.as_bytes(), commitments })
    }

    /// People with at least one content.
    pub fn people(&self) -> u64 {
        self.0.count()
    }

    /// RFC 6962 root.
    pub fn root(&self) -> [u8; 32] {
        self.0.root()
    }
}

/// Renders people off the async threads.
#[derive(Clone)]
pub struct Renderer {
    pub office: Arc<Office>,
    pub setting: Setting,
    pub incident_key: Key,
    pub routes: Vec<Route>,
}

impl Renderer {
    /// Renders all channels of everybody's route, in the order given, on two threads.
    pub async fn render_all(&self, mut people: Vec<Recipient>) -> Result<Vec<PreparedNotice>, PlanError> {
        let rest = people.split_off(people.len().div_ceil(2));
        let tasks = [people, rest].map(|half| {
            let renderer = self.clone();
            tokio::task::spawn_blocking(move || half.iter().map(|person| renderer.render_one(person)).collect::<Vec<_>>())
        });
        let mut notices = Vec::new();
        for task in tasks {
            notices.extend(task.await.map_err(|_| PlanError::Rendering)?);
        }
        Ok(notices)
    }

    fn render_one(&self, person: &Recipient) -> PreparedNotice {
        let reaches = |route: &&Route| {
            route.channels().iter().all(|channel| match channel {
                Channel::Sms => person.has_phone,
                Channel::Letter => person.has_address,
                Channel::Email => false,
            })
        };
        let reachable = self.routes.iter().find(reaches).copied();
        let route = reachable.or(self.routes.first().copied()).unwrap_or(Route::Letter);
        let rendered = match reachable {
            Some(route) => self.render_route(person, route),
            None => Err("no_route".to_owned()),
        };
        let is_ready = rendered.is_ok();
        let (contents, problem) = rendered.map_or_else(|code| (Vec::new(), Some(code)), |contents| (contents, None));
        PreparedNotice {
            person_id: person.person_id,
            version: person.version,
            route: route.as_str(),
            problem,
            contents,
            first: route.first_channels().iter().filter(|_| is_ready).map(|c| (Uuid::now_v7(), c.as_str())).collect(),
        }
    }

    fn render_route(&self, person: &Recipient, route: Route) -> Result<Vec<PreparedContent>, String> {
        let sealed = |_| "sealed".to_owned();
        let key = self.incident_key.unwrap_key(&person.wrapped_key, "person").map_err(sealed)?;
        let opened = key.open("contact", &person.contact).map_err(sealed)?;
        let record: PersonRecord = serde_json::from_slice(&opened).map_err(|_| "sealed".to_owned())?;
        let mut contents = Vec::new();
        for channel in route.channels() {
            let composed = self.office.composer.compose(&self.setting, &record, &person.reference_code, *channel, wants(route));
            let rendered = composed.map_err(|e| e.code())?;
            contents.push(PreparedContent {
                channel: channel.as_str(),
                content: rendered.content.as_str(),
                content_hash: rendered.content_hash,
                template_hash: rendered.template_hash,
                parts: rendered.parts,
                commitment: commit(&PersonKey::new(*key.bytes()), "content", &rendered.content_hash),
            });
        }
        Ok(contents)
    }
}
