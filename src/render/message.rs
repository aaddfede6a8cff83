//! One message of one person, as the exact bytes that are hashed, approved and sent.

use super::{RenderError, TemplateSet, sms};
use crate::model::contact::PersonRecord;
use crate::model::state::{Channel, Content};
use duly_letter::{Labels, Letter, LetterDate, LetterError, Letterhead, Part, Print, Sheet, Typesetter};
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
    /// What it says.
    pub content: Content,
    /// SHA-256 of the bytes.
    pub content_hash: [u8; 32],
    /// SHA-256 of the template.
    pub template_hash: [u8; 32],
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

    /// What the template of a channel declares to say.
    pub fn declared(&self, profile: &str, channel: Channel, wants: Content) -> Result<Content, RenderError> {
        Ok(self.templates.find(profile, channel, wants)?.1.content)
    }

    /// Renders one message of a person. Letters take milliseconds of CPU: call it off the async threads.
    pub fn compose(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        channel: Channel,
        wants: Content,
    ) -> Result<Rendered, MessageError> {
        let (name, template) = self.templates.find(&setting.profile, channel, wants)?;
        let data = json!({
            "incident": setting.texts,
            "controller": { "name": setting.controller_name },
            "person": { "name": person.name },
            "reference_code": reference_code,
        });
        let text = self.templates.render(&name, channel, &data)?;
        let (bytes, parts) = match channel {
            Channel::Letter => self.typeset(setting, person, reference_code, &text)?,
            Channel::Sms | Channel::Email => {
                let segments = sms::measure(&text).segments;
                (text.into_bytes(), u32::try_from(segments).unwrap_or(u32::MAX))
            }
        };
        let content_hash = Sha256::digest(&bytes).into();
        Ok(Rendered { bytes, parts, content: template.content, content_hash, template_hash: template.hash })
    }

    fn typeset(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        body: &str,
    ) -> Result<(Vec<u8>, u32), MessageError> {
        let pool = || self.typesetters.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = pool().pop();
        let mut typesetter = match spare {
            Some(typesetter) => typesetter,
            None => Typesetter::new()?,
        };
        let (year, month, day) = setting.date;
        let labels = Labels {
            date: &date_text(setting.date),
            reference: "Your reference",
            page: "Page {page} of {pages}",
            check: "Check that this letter is real",
        };
        let title = "Your personal data: what happened and what you can do";
        let result = typesetter.typeset(&Letter {
            sheet: Sheet::A4,
            print: Print::Standard,
            letterhead: Letterhead { lines: &setting.controller_address, logo: None, discreet: false },
            address: &person.address_block(),
            reference_code,
            check_page: None,
            date: LetterDate { year, month, day },
            part: Part { language: "en", title, labels, body },
            translation: None,
            ident: reference_code,
        });
        pool().push(typesetter);
        let typeset = result?;
        Ok((typeset.pdf, typeset.pages))
    }
}

fn date_text((year, month, day): (i32, u8, u8)) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    format!("{day} {} {year}", MONTHS[usize::from(month.clamp(1, 12)) - 1])
}
