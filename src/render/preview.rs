//! What a template would say to somebody who does not exist: for whoever writes it, before there is a list.

use super::check::{Finding, Subject, check};
use super::message::{Composer, MessageError, Rendered, Setting};
use super::template::Template;
use crate::model::contact::PersonRecord;
use crate::model::look::Look;
use crate::model::profile::Profile;
use crate::model::texts::{TEXTS_ALWAYS, TEXTS_OPTIONAL, table};
use serde_json::{Value, json};

/// Code that no message carries: it has a letter that codes do not use.
const CODE: &str = "ABCD-0000";

/// Who writes, and from where.
fn sender(profile: &Profile) -> [&'static str; 3] {
    match is_american(profile) {
        true => ["Northmere Health", "1 Station Road", "Northmere, CA 94016"],
        false => ["Northmere Police", "1 Station Road", "Northmere NE1 4XF"],
    }
}

/// Its letters look so.
fn look() -> Look {
    let badge = include_bytes!("../../examples/badge.svg");
    Look {
        logo: Some((badge.as_slice().into(), "Badge of Northmere".to_owned())),
        check_page: Some("https://northmere.example/check".to_owned()),
    }
}

/// A text of an incident that nobody has written yet.
fn unwritten(name: &str) -> String {
    format!("[here stands the incident's text `{name}`]")
}

/// Somebody who does not exist: the number is one of those that are kept for drama.
fn person(profile: &Profile) -> PersonRecord {
    let person = british();
    if !is_american(profile) {
        return person;
    }
    PersonRecord {
        name: "Jordan Alvarez".into(),
        phone: Some("+12025550123".into()),
        address: Some(vec!["418 Maple Street".into(), "Northmere, CA 94016".into()]),
        jurisdiction: "US-CA".into(),
        ..person
    }
}

fn is_american(profile: &Profile) -> bool {
    profile.id.starts_with("us-")
}

fn british() -> PersonRecord {
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
    /// Who writes.
    pub sender: &'static str,
}

/// Renders and checks a template for a made-up person of a made-up controller.
pub fn preview(
    composer: &Composer,
    template: &Template,
    profile: &Profile,
    texts: &Value,
    format: &str,
) -> Result<Preview, MessageError> {
    let setting = Setting {
        profile: profile.id.clone(),
        texts: texts.clone(),
        controller_name: sender(profile)[0].into(),
        sms_sender: "NORTHMERE".into(),
        controller_address: sender(profile).map(str::to_owned).to_vec(),
        look: look(),
        date: (2026, 11, 9),
    };
    let person = PersonRecord { format: format.to_owned(), ..person(profile) };
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
    Ok(Preview { rendered, findings, sender: sender(profile)[0] })
}
