//! Texts of messages: a pure function of template, person and incident.
//!
//! Templates are `templates/<profile>/<name>.<lang>.hbs`, compiled once, strict: a name that does not resolve is an
//! error of that person, never an empty gap. SMS texts are not escaped; letters escape for Typst.

pub mod message;
pub mod sms;

use crate::model::state::{Channel, Content};
use handlebars::Handlebars;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Why a template or a text was refused.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template file cannot be read.
    #[error("the template {path} cannot be read")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A template is not valid.
    #[error("the template {path} is not valid: {what}")]
    Invalid {
        /// File.
        path: PathBuf,
        /// What is wrong, with its line.
        what: String,
    },
    /// There is no template for this message.
    #[error("there is no template `{name}`")]
    Missing {
        /// `profile/name.lang`.
        name: String,
    },
    /// The data lack something that the template names.
    #[error("the template names `{variable}`, which this message does not have")]
    Unresolved {
        /// The variable's name.
        variable: String,
    },
}

impl RenderError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check `templates.folder` and the file's rights",
            Self::Invalid { .. } => "correct the template at that place; `{{{ }}}` is never allowed",
            Self::Missing { .. } => "add the template, or choose a route that does not need it",
            Self::Unresolved { .. } => "give the incident or the person this field, or guard it in the template with `{{#if}}`",
        }
    }
}

/// A compiled template's facts.
#[derive(Debug, Clone)]
pub struct Template {
    /// Channel.
    pub channel: Channel,
    /// What it says.
    pub content: Content,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
    /// The file.
    pub source: String,
}

/// All templates, compiled once.
pub struct TemplateSet {
    plain: Handlebars<'static>,
    typst: Handlebars<'static>,
    templates: HashMap<String, Template>,
}

impl TemplateSet {
    /// Loads every template of a folder.
    pub fn load(folder: &Path) -> Result<Self, RenderError> {
        let mut set =
            Self { plain: engine(handlebars::no_escape), typst: engine(duly_letter::escape), templates: HashMap::new() };
        for profile in entries(folder)?.into_iter().filter(|p| p.is_dir()) {
            for path in entries(&profile)? {
                if path.extension().is_some_and(|e| e == "hbs") {
                    set.add(&profile, &path)?;
                }
            }
        }
        Ok(set)
    }

    fn add(&mut self, profile: &Path, path: &Path) -> Result<(), RenderError> {
        let text = std::fs::read_to_string(path).map_err(|source| RenderError::Read { path: path.to_owned(), source })?;
        let invalid = |what: &str| RenderError::Invalid { path: path.to_owned(), what: what.to_owned() };
        let stem = |p: &Path| p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{}/{}", stem(profile), stem(path));
        let (header, body) = text.split_once('\n').ok_or_else(|| invalid("the first line must be {{!-- content = full --}}"))?;
        let content = match header.trim() {
            "{{!-- content = full --}}" => Content::Full,
            "{{!-- content = alert --}}" => Content::Alert,
            _ => return Err(invalid("the first line must be {{!-- content = full --}} or {{!-- content = alert --}}")),
        };
        if body.contains("{{{") || body.contains("{{&") {
            return Err(invalid("an unescaped value"));
        }
        let channel = if stem(path).starts_with("sms") { Channel::Sms } else { Channel::Letter };
        let engine = if channel == Channel::Sms { &mut self.plain } else { &mut self.typst };
        engine.register_template_string(&name, body.trim()).map_err(|e| invalid(&e.reason().to_string()))?;
        let hash = Sha256::digest(text.as_bytes()).into();
        self.templates.insert(name, Template { channel, content, hash, source: text });
        Ok(())
    }

    /// The template of a profile for a channel in a language, English where there is no other.
    pub fn find(&self, profile: &str, channel: Channel, wants: Content) -> Result<(String, &Template), RenderError> {
        let name = match (channel, wants) {
            (Channel::Sms, Content::Full) => format!("{profile}/sms-full.en"),
            _ => format!("{profile}/{channel}.en"),
        };
        let template = self.templates.get(&name).ok_or_else(|| RenderError::Missing { name: name.clone() })?;
        Ok((name, template))
    }

    /// Name and template of a hash.
    pub fn of_hash(&self, hash: &[u8; 32]) -> Option<(&str, &Template)> {
        self.templates.iter().find(|(_, t)| t.hash == *hash).map(|(name, template)| (name.as_str(), template))
    }

    /// Renders a text.
    pub fn render(&self, name: &str, channel: Channel, data: &Value) -> Result<String, RenderError> {
        let engine = if channel == Channel::Sms { &self.plain } else { &self.typst };
        engine.render(name, data).map_err(|error| match error.reason() {
            handlebars::RenderErrorReason::MissingVariable(variable) => {
                RenderError::Unresolved { variable: variable.clone().unwrap_or_default() }
            }
            _ => RenderError::Unresolved { variable: "?".to_owned() },
        })
    }
}

fn engine(escape: impl Fn(&str) -> String + Send + Sync + 'static) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(escape);
    engine
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, RenderError> {
    let read = |source| RenderError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        paths.push(entry.map_err(read)?.path());
    }
    paths.sort();
    Ok(paths)
}
