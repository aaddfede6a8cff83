//! One message of one person, as the exact bytes that are hashed, approved and sent.

use super::marked::Marked;
use super::values::values;
use super::{RenderError, Template, TemplateSet, sms};
use crate::model::contact::PersonRecord;
use crate::model::email;
use crate::model::look::Look;
use crate::model::state::{Channel, Content};
use duly_letter::{LetterError, Typeset, Typesetter};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What all messages of a plan share.
#[derive(Debug, Clone)]
pub struct Setting {
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
    /// Nothing on a letter's outside tells who writes.
    pub discreet: bool,
    /// Words across a letter that is none: a preview's. Empty: it is one.
    pub watermark: String,
}

/// A rendered message.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Text of an SMS as UTF-8, subject and text of an email, or the PDF of a letter.
    pub bytes: Vec<u8>,
    /// Segments or pages; an email is one.
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
    /// The laid-out letter has other words than the text that is checked.
    #[error("the letter prints other words than were checked")]
    Differs,
}

impl MessageError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Text(error) => error.remedy(),
            Self::Letter(error) => error.remedy(),
            Self::Differs => "take out of the template what is no plain text: numbered lists begin with a figure, not with `+`",
        }
    }

    /// A stable code for the notice's problem.
    pub fn code(&self) -> String {
        match self {
            Self::Text(RenderError::Unresolved { .. }) => "unresolved_name".to_owned(),
            Self::Text(_) => "template".to_owned(),
            Self::Letter(error) => error.code().to_owned(),
            Self::Differs => "not_as_checked".to_owned(),
        }
    }
}

/// Renders messages; typesetters are kept warm, one per concurrent letter.
pub struct Composer {
    templates: TemplateSet,
    /// Templates that plans have kept, and whose files are gone or say something else now.
    kept: RwLock<HashMap<[u8; 32], Arc<Template>>>,
    typesetters: Mutex<Vec<Typesetter>>,
}

impl Composer {
    /// A composer over loaded templates.
    pub fn new(templates: TemplateSet) -> Self {
        Self { templates, kept: RwLock::default(), typesetters: Mutex::new(Vec::new()) }
    }

    /// The template of a hash, of the folders or kept by a plan.
    pub fn of_hash(&self, hash: &[u8; 32]) -> Option<Arc<Template>> {
        let kept = || self.kept.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        self.templates.of_hash(hash).cloned().or_else(kept)
    }

    /// Takes a template that a plan has kept.
    pub fn keep(&self, template: Template) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(template.hash, Arc::new(template));
    }

    /// The templates.
    pub fn templates(&self) -> &TemplateSet {
        &self.templates
    }

    /// The text of a message, with the marks of its parts, without laying it out.
    pub fn text(
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        template: &Template,
    ) -> Result<String, RenderError> {
        template.render(&values(setting, person, reference_code, template)?)
    }

    /// Renders one message of a person. Letters take milliseconds of CPU: call it off the async threads.
    pub fn compose(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        template: &Template,
    ) -> Result<Rendered, MessageError> {
        let values = values(setting, person, reference_code, template)?;
        let text = template.render(&values)?;
        let marked = match template.title.as_str() {
            "" => Marked::read(&text),
            title => Marked::read(&format!("{title}\n{text}")),
        };
        let (bytes, parts, font_pt) = match template.channel {
            Channel::Letter => {
                let body = template.render_markup(&values)?;
                let typeset =
                    self.typeset(setting, person, reference_code, template, (&body, &template.render_parts(&values)?))?;
                (typeset.pdf, typeset.pages, typeset.printed.smallest_pt)
            }
            Channel::Email => (email::join(&template.title, &Marked::read(&text).text).into_bytes(), 1, 0.0),
            Channel::Sms => {
                let read = if template.title.is_empty() { marked.text.clone() } else { Marked::read(&text).text };
                let segments = sms::measure(&read).segments;
                (read.into_bytes(), u32::try_from(segments).unwrap_or(u32::MAX), 0.0)
            }
        };
        let content_hash = Sha256::digest(&bytes).into();
        Ok(Rendered { bytes, parts, font_pt, content: template.content, content_hash, template_hash: template.hash, marked })
    }

    fn typeset(
        &self,
        setting: &Setting,
        person: &PersonRecord,
        reference_code: &str,
        template: &Template,
        (body, checked): (&str, &[String]),
    ) -> Result<Typeset, MessageError> {
        let pool = || self.typesetters.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = pool().pop();
        let mut typesetter = match spare {
            Some(typesetter) => typesetter,
            None => Typesetter::new()?,
        };
        let body = watermarked(&setting.watermark, body);
        let result = super::letter::typeset(&mut typesetter, setting, person, reference_code, template, (&body, checked));
        pool().push(typesetter);
        result
    }
}

/// The body with words across its first page, where it is no real letter's.
fn watermarked<'a>(words: &str, body: &'a str) -> Cow<'a, str> {
    if words.is_empty() {
        return Cow::Borrowed(body);
    }
    let words = duly_letter::escape(words);
    Cow::Owned(format!("#place(center, dy: 35mm, rotate(-30deg, text(size: 40pt, fill: luma(75%))[{words}]))\n{body}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
