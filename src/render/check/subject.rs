//! What is checked, and by what.

use super::known::Known;
use super::readability::is_english;
use super::reading::Reading;
use super::{Finding, check};
use crate::model::contact::PersonRecord;
use crate::model::profile::Profile;
use crate::model::state::{Channel, Content};
use crate::model::texts::{Facts, Published, table};
use crate::render::Template;
use crate::render::marked::{Marked, Part};
use crate::render::message::{Rendered, Setting};
use crate::render::variables::Variable;
use serde_json::Value;

/// What every message under one profile is checked by.
pub struct Rules {
    /// The rules of the people's jurisdiction.
    pub profile: Profile,
    /// The incident's facts.
    pub facts: Facts,
    /// What the controller published.
    pub published: Published,
    known: Known,
}

/// What is checked: one message of one person, as it will be read.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The rules of the person's jurisdiction.
    pub profile: &'a Profile,
    /// How it travels.
    pub channel: Channel,
    /// What its template declares to say.
    pub content: Content,
    /// The text, with its parts.
    pub message: &'a Marked,
    /// The same text as rules search it.
    pub reading: &'a Reading<'a>,
    /// What is the same for everybody under these rules.
    pub known: &'a Known,
    /// What its template names.
    pub variables: &'a [Variable],
    /// Languages of the document, the first one first, such as `en` and `cy`.
    pub languages: &'a [String],
    /// Smallest type of a letter, points; 0 where there is none.
    pub font_pt: f64,
    /// The person told.
    pub person: &'a PersonRecord,
    /// The person's code.
    pub reference_code: &'a str,
    /// The controller's printed name.
    pub controller_name: &'a str,
    /// Sender of text messages.
    pub sms_sender: &'a str,
    /// The incident's texts.
    pub texts: &'a Value,
    /// The incident's facts.
    pub facts: &'a Facts,
    /// What the controller published.
    pub published: &'a Published,
    /// Page that a letter names, where it can be checked; text messages name none.
    pub check_page: Option<&'a str>,
}

impl Rules {
    /// The rules of an incident under a profile.
    pub fn of(texts: &Value, profile: Profile) -> Self {
        let published = table(texts, "published");
        Self { facts: table(texts, "facts"), known: Known::of(&published, &profile.id), published, profile }
    }

    /// Checks one message of a person by every rule.
    pub fn check(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        template: &Template,
        message: &Rendered,
    ) -> Vec<Finding> {
        check(&Subject {
            profile: &self.profile,
            channel: template.channel,
            content: template.content,
            message: &message.marked,
            reading: &Reading::of(&message.marked.text),
            known: &self.known,
            variables: &template.variables,
            languages: &template.languages,
            font_pt: message.font_pt,
            person,
            reference_code,
            controller_name: &setting.controller_name,
            sms_sender: &setting.sms_sender,
            texts: &setting.texts,
            facts: &self.facts,
            published: &self.published,
            check_page: setting.look.check_page.as_deref().filter(|_| template.channel == Channel::Letter),
        })
    }
}

impl Subject<'_> {
    /// Parts of a name and a language that hold something.
    pub(super) fn parts<'a>(&'a self, id: &'a str, language: &'a str) -> impl Iterator<Item = &'a Part> {
        let first = self.languages.first().map_or("", String::as_str);
        self.message.parts_of(id).filter(move |part| match part.language.as_str() {
            "" => language == first,
            own => own == language,
        })
    }

    /// Whether any of it is English.
    pub(super) fn reads_english(&self) -> bool {
        self.languages.iter().any(|language| is_english(language))
    }
}
