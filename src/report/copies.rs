//! The wording of each plan: as somebody would read it who does not exist, and its source with the hash that the plan binds.

use super::document::{Block, Section};
use super::promised::{Promised, Wording};
use crate::model::look::Look;
use crate::model::texts::{Facts, table};
use crate::render::Template;
use crate::render::message::Setting;
use crate::render::preview::{EXAMPLE_NAME, example};
use crate::store::incident::Incident;
use serde_json::{Map, Value, json};

/// The words of all plans; `with_sources` where the reader has not the files of `texts/` beside it.
pub fn copies(incident: &Incident, plans: &[&Promised], with_sources: bool) -> Section {
    let sources = match with_sources {
        true => {
            "Each source follows; its SHA-256 stands in the plan's text, and an approval is a signature over the hash of that."
        }
        false => {
            "The sources stand in “texts/” under their SHA-256; it stands in the plan's text, and an approval is a signature over the hash of that."
        }
    };
    let mut section = Section::new("Copy of the texts").text(format!(
        "What people read, filled in for somebody who does not exist: {EXAMPLE_NAME}, the reference code and whatever stands in square brackets are made up, everything else is the approved wording. {sources}"
    ));
    for read in all(incident, plans) {
        section = section.block(Block::Copy { caption: read.caption(), text: read.text_or_why() });
    }
    if !with_sources {
        return section;
    }
    let mut seen = std::collections::BTreeSet::new();
    for wording in plans.iter().flat_map(|plan| &plan.wordings).filter(|wording| seen.insert(&wording.hash)) {
        let caption = format!("Source: {}, SHA-256 {}", wording.name, wording.hash);
        section = section.block(Block::Copy { caption, text: pretty(wording) });
    }
    section
}

/// The same for programs.
pub fn data(incident: &Incident, plans: &[&Promised]) -> Vec<Value> {
    let read = all(incident, plans);
    let of = |wording: &Wording| {
        let examples: Vec<&str> =
            read.iter().filter(|read| read.hash == wording.hash).filter_map(|read| read.text.as_deref()).collect();
        json!({"name": wording.name, "sha256": wording.hash, "text": wording.text, "examples": examples})
    };
    plans.iter().flat_map(|plan| &plan.wordings).map(of).collect()
}

/// A template as it reads with the texts of a plan.
struct Read<'a> {
    plan: u64,
    name: &'a str,
    hash: &'a str,
    texts: &'a str,
    text: Option<String>,
}

impl Read<'_> {
    fn caption(&self) -> String {
        format!("{}, as it reads under plan {} (made-up person)", self.name, self.plan)
    }

    fn text_or_why(&self) -> String {
        let why = "This version of Duly cannot fill it in; its source, which was approved, says what people read.";
        self.text.clone().unwrap_or_else(|| why.to_owned())
    }
}

/// Each template once for each version of the incident's texts.
fn all<'a>(incident: &Incident, plans: &[&'a Promised]) -> Vec<Read<'a>> {
    let mut all: Vec<Read<'a>> = Vec::new();
    for plan in plans {
        let Some(texts) = plan.wordings.iter().find(|wording| wording.name == "texts.json") else { continue };
        let setting = setting(incident, plan, &texts.text);
        for wording in &plan.wordings {
            let Some(name) = wording.name.strip_suffix(".hbs") else { continue };
            if all.iter().any(|read| (read.hash, read.texts) == (wording.hash.as_str(), texts.hash.as_str())) {
                continue;
            }
            let text = Template::kept(name, &wording.text).and_then(|template| example(&template, &setting)).ok();
            all.push(Read { plan: plan.plan, name, hash: &wording.hash, texts: &texts.hash, text });
        }
    }
    all
}

/// What all messages of the plan shared. How a letter looks is no matter of its words.
fn setting(incident: &Incident, plan: &Promised, texts: &str) -> Setting {
    let texts: Value = serde_json::from_str(texts).unwrap_or_default();
    let part = |i: usize| plan.body.pointer(&format!("/date/{i}")).and_then(Value::as_i64).unwrap_or(1);
    let small = |i: usize| u8::try_from(part(i)).unwrap_or(1);
    Setting {
        discreet: table::<Facts>(&texts, "facts").discreet,
        texts,
        controller_name: incident.controller_name.clone(),
        sms_sender: plan.body.get("sender").and_then(Value::as_str).unwrap_or_default().to_owned(),
        controller_address: incident.controller_address.clone(),
        look: Look::default(),
        date: (i32::try_from(part(0)).unwrap_or(1), small(1), small(2)),
        watermark: String::new(),
    }
}

/// The incident's texts are JSON in one line; people read it as names and values.
fn pretty(wording: &Wording) -> String {
    let fields =
        wording.name.ends_with(".json").then(|| serde_json::from_str::<Map<String, Value>>(&wording.text).ok()).flatten();
    let line =
        |(key, value): (&String, &Value)| format!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    fields.map_or_else(|| wording.text.clone(), |map| map.iter().map(line).collect::<Vec<_>>().join("\n"))
}
