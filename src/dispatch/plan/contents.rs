//! What everybody will be told, rendered before anybody approves, and one root over all of it.

use super::PlanError;
use super::lanes::{Lanes, No, NoLane};
use super::laws::{Law, Laws};
use crate::dispatch::Office;
use crate::dispatch::parallel::{shared_out, threads};
use crate::dispatch::sender::Sender;
use crate::model::contact::PersonRecord;
use crate::model::seal::Key;
use crate::model::state::{Channel, Content, Route};
use crate::render::check::{self, Finding, Place, Wish};
use crate::render::message::{MessageError, Setting};
use crate::render::{RenderError, Template};
use crate::store::plan::{PreparedContent, PreparedNotice, Recipient};
use duly_ledger::{ManifestBuilder, ManifestError, ManifestLine, PersonKey, commit};
use std::sync::Arc;
use uuid::Uuid;

/// An SMS beside a letter only alerts; whatever may end the notice says everything.
pub fn wants(route: Route, channel: Channel) -> Content {
    if route == Route::SmsAndLetter && channel == Channel::Sms { Content::Alert } else { Content::Full }
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

/// One person's notice, and what the content check says of it.
pub struct RenderedNotice {
    pub notice: PreparedNotice,
    pub findings: Vec<(Place, Finding)>,
    pub wishes: Vec<Wish>,
    pub refusals: Vec<No>,
}

/// Renders and checks people off the async threads.
#[derive(Clone)]
pub struct Renderer {
    pub office: Arc<Office>,
    /// Slug of whose people they are.
    pub controller: String,
    pub setting: Setting,
    pub incident_key: Key,
    pub laws: Arc<Laws>,
    pub lanes: Arc<Lanes>,
    pub sender: Sender,
    pub postage_class: &'static str,
}

/// The messages of one route: contents where all of them could be made, and what was seen on the way.
#[derive(Default)]
struct RenderedRoute {
    contents: Vec<PreparedContent>,
    zones: Vec<String>,
    findings: Vec<(Place, Finding)>,
    wishes: Vec<Wish>,
    refusals: Vec<No>,
}

impl RenderedRoute {
    fn note(&mut self, template: &Template, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings.into_iter().map(|finding| (Place::of(template), finding)));
    }
}

impl Renderer {
    /// Renders all channels of everybody's route, in the order given, on the machine's threads.
    pub async fn render_all(&self, people: Vec<Recipient>) -> Result<Vec<RenderedNotice>, PlanError> {
        let renderer = self.clone();
        let rendered = shared_out(people, threads(), move |person| renderer.render_one(&person)).await;
        rendered.map_err(|_| PlanError::Rendering)
    }

    fn render_one(&self, person: &Recipient) -> RenderedNotice {
        let reaches = |route: &&Route| {
            route.channels().iter().all(|channel| match channel {
                Channel::Sms => person.has_phone,
                Channel::Letter => person.has_address,
                Channel::Email => person.has_email,
            })
        };
        let law = self.laws.of(&person.jurisdiction);
        let routes = law.map(|law| law.routes.as_slice()).unwrap_or_default();
        let reachable = routes.iter().find(reaches).copied();
        let route = reachable.or(routes.first().copied()).unwrap_or(Route::Letter);
        let mut rendered = RenderedRoute::default();
        let problem = match (law, reachable) {
            (Some(law), Some(route)) => self.render_route(person, law, route, &mut rendered).err(),
            _ => Some("no_route".to_owned()),
        };
        if problem.is_some() {
            rendered.contents.clear();
            rendered.refusals.clear();
        }
        let notice = PreparedNotice {
            person_id: person.person_id,
            version: person.version,
            profile: law.map_or_else(String::new, |law| law.rules.profile.id.clone()),
            route: route.as_str(),
            contents: rendered.contents,
            zones: rendered.zones,
            first: route.first_channels().iter().filter(|_| problem.is_none()).map(|c| (Uuid::now_v7(), c.as_str())).collect(),
            problem,
        };
        RenderedNotice { notice, findings: rendered.findings, wishes: rendered.wishes, refusals: rendered.refusals }
    }

    fn render_route(&self, person: &Recipient, law: &Law, route: Route, rendered: &mut RenderedRoute) -> Result<(), String> {
        let sealed = |_| "sealed".to_owned();
        let key = self.incident_key.unwrap_key(&person.wrapped_key, "person").map_err(sealed)?;
        let opened = key.open("contact", &person.contact).map_err(sealed)?;
        let record: PersonRecord = serde_json::from_slice(&opened).map_err(|_| "sealed".to_owned())?;
        if route.channels().contains(&Channel::Sms) {
            rendered.zones = record.zones();
        }
        let address = record.address_block();
        for &channel in route.channels() {
            let wish = Wish::of(&record, &law.rules.profile.id, channel, wants(route, channel), &law.rules.facts);
            let found = self.office.composer.templates().find(&self.controller, wish.want());
            rendered.wishes.push(wish.clone());
            let template = found.map_err(|error| template_code(&error))?;
            rendered.note(template, check::lacking(template, &record));
            let composed = self.office.composer.compose(&self.setting, &record, &person.reference_code, template);
            let message = composed.map_err(|error| {
                let MessageError::Letter(refusal) = &error else { return error.code() };
                rendered.note(template, check::refused(refusal));
                error.code()
            })?;
            rendered.note(template, law.rules.check(&self.setting, &record, &person.reference_code, template, &message));
            let item = self.sender.item(channel, &record, &address, &message, Some(self.postage_class)).ok_or("no_route")?;
            match self.lanes.ask(&item, &record, self.sender.discreet) {
                Ok(refusals) => rendered.refusals.extend(refusals),
                Err(no_lane) => {
                    let NoLane { finding, problem } = *no_lane;
                    rendered.note(template, [finding]);
                    // Nobody else waits for the address or the name of one.
                    if let Some(problem) = problem {
                        return Err(problem.to_owned());
                    }
                }
            }
            rendered.contents.push(PreparedContent {
                channel: channel.as_str(),
                content: message.content.as_str(),
                template_hash: message.template_hash,
                parts: message.parts,
                commitment: commit(&PersonKey::new(*key.bytes()), "content", &message.content_hash),
            });
        }
        Ok(())
    }
}

fn template_code(error: &RenderError) -> String {
    match error {
        RenderError::Missing { .. } => "no_template".to_owned(),
        _ => "template".to_owned(),
    }
}
