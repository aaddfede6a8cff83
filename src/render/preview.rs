//! What a template would say to somebody who does not exist: for whoever writes it, before there is a list.

use super::check::{Finding, Subject, check};
use super::message::{Composer, MessageError, Rendered, Setting};
use super::template::Template;
use crate::model::contact::PersonRecord;
use crate::model::profile::Profile;
use crate::model::texts::{TEXTS_ALWAYS, TEXTS_OPTIONAL, table};
use serde_json::{Value, json};

/// Code that no message carries: it has a letter that codes do not use.
const CODE: &str = "ABCD-0000";

/// A text of an incident that nobody has written yet.
fn unwritten(name: &str) -> String {
    format!("[here stands the incident's text `{name}`]")
}

/// Somebody who does not exist: the number is one of those that Ofcom keeps for drama.
pub fn person() -> PersonRecord {
    PersonRecord {
        external_reference: "PN0000000".into(),
        name: "Siân Morgan-Price".into(),
        phone: Some("+447700900123".into()),
        address: Some(vec!["12 High Street".into(), "Northmere".into(), "NE1 4XF".into()]),
        language: "en".into(),
        format: "standard".into(),
        jurisdiction: "GB".into(),
    }
}

/// The given texts, and a bracket for each that is missing in a language of the template.
pub fn fill(texts: &Value, template: &Template) -> Value {
    let mut filled = if texts.is_object() { texts.clone() } else { json!({}) };
    for (index, language) in template.languages.iter().enumerate() {
        let table = match (index, &mut filled) {
            (0, table) => Some(table),
            (_, Value::Object(tables)) => Some(tables.entry(language.clone()).or_insert_with(|| json!({}))),
            _ => None,
        };
        if let Some(Value::Object(fields)) = table {
            for name in TEXTS_ALWAYS.iter().chain(if index == 0 { TEXTS_OPTIONAL } else { &[] }) {
                fields.entry((*name).to_owned()).or_insert_with(|| json!(unwritten(name)));
            }
        }
    }
    filled
}

/// A previewed message and what the content check says of it.
pub struct Preview {
    /// The message.
    pub rendered: Rendered,
    /// What the check found.
    pub findings: Vec<Finding>,
}

/// Renders and checks a template for a made-up person of a made-up controller.
pub fn preview(composer: &Composer, template: &Template, profile: &Profile, texts: &Value) -> Result<Preview, MessageError> {
    let setting = Setting {
        profile: profile.id.clone(),
        texts: texts.clone(),
        controller_name: "Northmere Police".into(),
        sms_sender: "NORTHMERE".into(),
        controller_address: vec!["Northmere Police".into(), "1 Station Road".into(), "Northmere NE1 4XF".into()],
        date: (2026, 11, 9),
    };
    let person = person();
    let rendered = composer.compose(&setting, &person, CODE, template)?;
    let findings = check(&Subject {
        profile,
        channel: template.channel,
        content: template.content,
        message: &rendered.marked,
        languages: &template.languages,
        font_pt: rendered.font_pt,
        person: &person,
        reference_code: CODE,
        controller_name: &setting.controller_name,
        sms_sender: &setting.sms_sender,
        texts,
        facts: &table(texts, "facts"),
        published: &table(texts, "published"),
    });
    Ok(Preview { rendered, findings })
}
