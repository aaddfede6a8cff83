//! One message of one person, as the exact bytes that are hashed, approved and sent.

use super::marked::Marked;
use super::{RenderError, Template, TemplateSet, sms, words};
use crate::model::contact::PersonRecord;
use crate::model::look::Look;
use crate::model::state::{Channel, Content};
use crate::model::texts::TEXTS_OPTIONAL;
use duly_letter::{LetterError, Typeset, Typesetter};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};

/// What all messages of a plan share.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Profile id.
    pub profile: String,
    /// The incident's texts.
    pub texts: Value,
    /// Controller's printed name.
    pub controller_name: String,
    /// Controller's SMS sender.
    pub sms_sender: String,
    /// Letterhead.
    pub controller_address: Vec<String>,
    /// How its letters look.
    pub look: Look,
    /// Year, month, day in letters, from the plan.
    pub date: (i32, u8, u8),
}

/// A rendered message.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Text of an SMS as UTF-8, or the PDF of a letter.
    pub bytes: Vec<u8>,
    /// Segments or pages.
    pub parts: u32,
    /// Smallest type of a letter as laid out, points; 0 for what has none.
    pub font_pt: f64,
    /// What it says.
    pub content: Content,
    /// SHA-256 of the bytes.
    pub content_hash: [u8; 32],
    /// SHA-256 of the template.
    pub template_hash: [u8; 32],
    /// The text as it is read, a letter's title first, with its parts.
    pub marked: Marked,
}

/// Why a person's message was refused.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The text.
    #[error(transparent)]
    Text(#[from] RenderError),
    /// The letter.
    #[error(transparent)]
    Letter(#[from] LetterError),
}

impl MessageError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Text(error) => error.remedy(),
            Self::Letter(error) => error.remedy(),
        }
    }

    /// A stable code for the notice's problem.
    pub fn code(&self) -> String {
        match self {
            Self::Text(RenderError::Unresolved { .. }) => "unresolved_name".to_owned(),
            Self::Text(_) => "template".to_owned(),
            Self::Letter(error) => error.code().to_owned(),
        }
    }
}

/// Renders messages; typesetters are kept warm, one per concurrent letter.
pub struct Composer {
    templates: TemplateSet,
    typesetters: Mutex<Vec<Typesetter>>,
}

impl Composer {
    /// A composer over loaded templates.
    pub fn new(templates: TemplateSet) -> Self {
        Self { templates, typesetters: Mutex::new(Vec::new()) }
    }

    /// The templates.
    pub fn templates(&self) -> &TemplateSet {
        &self.templates
    }

    /// Renders one message of a person. Letters take milliseconds of CPU: call it off the async threads.
    pub fn compose(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        template: &Template,
    ) -> Result<Rendered, MessageError> {
        let data = data(setting, person, reference_code, template);
        let text = self.templates.render(template, &data)?;
        let marked = Marked::read(&text);
        let (bytes, parts, font_pt) = match template.channel {
            Channel::Letter => {
                let body = self.templates.render_markup(template, &data)?;
                let typeset = self.typeset(setting, person, reference_code, template, &body)?;
                (typeset.pdf, typeset.pages, typeset.printed.smallest_pt)
            }
            Channel::Sms | Channel::Email => {
                let segments = sms::measure(&marked.text).segments;
                (marked.text.clone().into_bytes(), u32::try_from(segments).unwrap_or(u32::MAX), 0.0)
            }
        };
        let marked = if template.title.is_empty() { marked } else { Marked::read(&format!("{}\n{text}", template.title)) };
        let content_hash = Sha256::digest(&bytes).into();
        Ok(Rendered { bytes, parts, font_pt, content: template.content, content_hash, template_hash: template.hash, marked })
    }

    fn typeset(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        template: &Template,
        body: &str,
    ) -> Result<Typeset, MessageError> {
        let pool = || self.typesetters.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = pool().pop();
        let mut typesetter = match spare {
            Some(typesetter) => typesetter,
            None => Typesetter::new()?,
        };
        let result = super::letter::typeset(&mut typesetter, setting, person, reference_code, template, body);
        pool().push(typesetter);
        result
    }
}

/// What a template may name; texts that the incident does not have are empty, so that `{{#if}}` can ask for them.
fn data(setting: &Setting, person: &PersonRecord, reference_code: &str, template: &Template) -> Value {
    let mut texts = setting.texts.clone();
    let fill = |table: &mut Value| {
        if let Value::Object(fields) = table {
            for name in TEXTS_OPTIONAL {
                fields.entry(*name).or_insert_with(|| Value::String(String::new()));
            }
        }
    };
    fill(&mut texts);
    let language = template.languages.first().map_or("en", String::as_str);
    for language in template.languages.iter().skip(1) {
        texts.get_mut(language).into_iter().for_each(fill);
    }
    json!({
        "incident": texts,
        "controller": { "name": setting.controller_name },
        "person": { "name": person.name },
        "reference_code": reference_code,
        "date": words::date(setting.date, language, &template.profile),
    })
}
