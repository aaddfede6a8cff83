//! What a template would say to somebody who does not exist: for whoever writes it, before there is a list.

use super::RenderError;
use super::check::{Finding, Rules};
use super::marked::Marked;
use super::message::{Composer, MessageError, Rendered, Setting};
use super::template::Template;
use crate::model::column::{Cell, Column};
use crate::model::contact::PersonRecord;
use crate::model::email;
use crate::model::look::Look;
use crate::model::profile::Profile;
use crate::model::state::Channel;
use crate::model::texts::{Facts, SAME_EVERYWHERE, TEXTS_ALWAYS, TEXTS_OPTIONAL, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Code that no message carries: it has a letter that codes do not use.
const CODE: &str = "ABCD-0000";
/// Beginning of a text that nobody has written yet.
const UNWRITTEN: &str = "[here stands the";
/// Across a letter with such texts, and above a text message or an email.
const WATERMARK: &str = "Preview, not filled in";

/// Where its check page is.
const OWN_DOMAIN: &str = "northmere.example";

/// Who writes, and from where.
fn sender(template: &Template) -> [&'static str; 3] {
    match (is_american(&template.profile), abroad(template)) {
        (true, _) => ["Northmere Health", "1 Station Road", "Northmere, CA 94016"],
        (_, Some(abroad)) => abroad.sender,
        _ => ["Northmere Police", "1 Station Road", "Northmere NE1 4XF"],
    }
}

/// Somebody who does not exist, and a police force that does not, where a language of the Union is spoken.
struct Abroad {
    language: &'static str,
    sender: [&'static str; 3],
    name: &'static str,
    address: [&'static str; 2],
    jurisdiction: &'static str,
}

#[rustfmt::skip]
const ABROAD: &[Abroad] = &[
    Abroad { language: "de", sender: ["Polizei Nordmoor", "Bahnhofstraße 1", "99998 Nordmoor"], name: "Käthe Groß-Öztürk", address: ["Lindenallee 12", "99998 Nordmoor"], jurisdiction: "DE" },
    Abroad { language: "fr", sender: ["Police de Nordmare", "1 rue de la Gare", "00998 Nordmare"], name: "Zoé Lefèvre-Nguyen", address: ["12 rue du Château", "00998 Nordmare"], jurisdiction: "FR" },
    Abroad { language: "es", sender: ["Policía de Normar", "Calle de la Estación 1", "00998 Normar"], name: "Íñigo Muñoz Peña", address: ["Calle Mayor 12", "00998 Normar"], jurisdiction: "ES" },
    Abroad { language: "pl", sender: ["Policja w Północnej", "ul. Dworcowa 1", "00-998 Północna"], name: "Żaneta Wójcik-Łęcka", address: ["ul. Długa 12", "00-998 Północna"], jurisdiction: "PL" },
];

fn abroad(template: &Template) -> Option<&'static Abroad> {
    let language = template.languages.first()?;
    ABROAD.iter().find(|abroad| template.profile.starts_with("eu-") && abroad.language == language)
}

/// Its letters look so.
fn look() -> Look {
    let badge = include_bytes!("../../examples/badge.svg");
    Look {
        logo: Some((badge.as_slice().into(), "Badge of Northmere".to_owned())),
        signature: None,
        check_page: Some(format!("https://{OWN_DOMAIN}/check")),
    }
}

/// The texts, by which it published this domain too: a controller that does not exist can publish nothing itself.
fn publishing(texts: &Value, domain: &str) -> Value {
    let mut texts = texts.clone();
    if let Value::Object(tables) = &mut texts
        && let Value::Object(published) = tables.entry("published").or_insert_with(|| json!({}))
        && let Value::Array(domains) = published.entry("domains").or_insert_with(|| json!([]))
    {
        domains.push(json!(domain));
    }
    texts
}

/// A text of an incident that nobody has written yet.
fn unwritten(name: &str) -> String {
    format!("{UNWRITTEN} incident's text `{name}`]")
}

/// Somebody who does not exist: the number is one of those that are kept for drama.
fn person(template: &Template) -> PersonRecord {
    let person = british();
    if let Some(Abroad { language, name, address, jurisdiction, .. }) = abroad(template) {
        return PersonRecord {
            name: (*name).into(),
            address: Some(address.map(str::to_owned).to_vec()),
            language: (*language).into(),
            jurisdiction: (*jurisdiction).into(),
            ..person
        };
    }
    if !is_american(&template.profile) {
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

fn is_american(profile: &str) -> bool {
    profile.starts_with("us-")
}

fn british() -> PersonRecord {
    PersonRecord {
        external_reference: "PN0000000".into(),
        name: "Siân Morgan-Price".into(),
        phone: Some("+447700900123".into()),
        email: Some("sian@example.org".into()),
        address: Some(vec!["12 High Street".into(), "Northmere".into(), "NE1 4XF".into()]),
        language: "en".into(),
        format: "standard".into(),
        jurisdiction: "GB".into(),
        columns: BTreeMap::new(),
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
        // What a document in one language prints before all others.
        if let (0, Some(Value::Object(own))) = (index, filled.get_mut(language)) {
            for name in TEXTS_ALWAYS.iter().filter(|name| !SAME_EVERYWHERE.contains(name)) {
                own.entry((*name).to_owned()).or_insert_with(|| json!(unwritten(name)));
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
    /// What has to stand above it, for it is no message that anybody may send; empty: it is one.
    pub notice: &'static str,
}

impl Preview {
    /// A text with the notice in a line of its own above it.
    pub fn under_notice(&self, text: &str) -> String {
        if self.notice.is_empty() { text.to_owned() } else { format!("{}\n\n{text}", self.notice) }
    }
}

/// Whom a message is previewed for.
pub struct Reader {
    /// Controller, texts and date.
    pub setting: Setting,
    /// The person.
    pub person: PersonRecord,
    /// Code printed in the message.
    pub reference_code: String,
}

/// Somebody who does not exist, told by a controller that does not exist; `cell` fills the list's own columns.
pub fn made_up(template: &Template, texts: &Value, cell: impl Fn(&str) -> String) -> Reader {
    let cells = template.columns().into_keys().map(|name| {
        let column = Column::default();
        (name.to_owned(), Cell { column, value: cell(name) })
    });
    let setting = Setting {
        texts: publishing(texts, OWN_DOMAIN),
        controller_name: sender(template)[0].into(),
        sms_sender: "NORTHMERE".into(),
        controller_address: sender(template).map(str::to_owned).to_vec(),
        look: look(),
        date: (2026, 11, 25),
        discreet: table::<Facts>(texts, "facts").discreet,
        watermark: String::new(),
    };
    Reader { setting, person: PersonRecord { columns: cells.collect(), ..person(template) }, reference_code: CODE.to_owned() }
}

/// Whom an example is written to: the name itself says that nobody is called so.
pub const EXAMPLE_NAME: &str = "Alex Example";

/// What somebody would read who does not exist, by the texts of a real incident: for whoever asks what people were told.
pub fn example(template: &Template, setting: &Setting) -> Result<String, RenderError> {
    let reader = made_up(template, &setting.texts, |column| format!("[made-up {column}]"));
    let person = PersonRecord { name: EXAMPLE_NAME.into(), ..reader.person };
    let text = Marked::read(&Composer::text(setting, &person, CODE, template)?).text;
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix("== ").unwrap_or(line)).collect();
    Ok(match (template.channel, template.title.as_str()) {
        (Channel::Email, title) => email::join(title, &lines.join("\n")),
        (_, "") => lines.join("\n"),
        (_, title) => format!("{title}\n\n{}", lines.join("\n")),
    })
}

/// Renders and checks a template for a reader.
pub fn preview(composer: &Composer, template: &Template, profile: &Profile, reader: &Reader) -> Result<Preview, MessageError> {
    let Reader { setting, person, reference_code } = reader;
    let is_unwritten = Composer::text(setting, person, reference_code, template)?.contains(UNWRITTEN);
    let notice = if is_unwritten { WATERMARK } else { "" };
    let setting = Setting { watermark: notice.to_owned(), ..setting.clone() };
    let rendered = composer.compose(&setting, person, reference_code, template)?;
    let rules = Rules::of(&setting.texts, profile.clone());
    let findings = rules.check(&setting, person, reference_code, template, &rendered);
    Ok(Preview { rendered, findings, notice })
}

/// A cell that nobody has: it stands in brackets, like a text that nobody has written.
pub fn unknown_cell(name: &str) -> String {
    format!("{UNWRITTEN} list's column `{name}`]")
}
