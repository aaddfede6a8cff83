//! What an incident says in the controller's own words, and the facts that decide which words the law wants.

use serde::Deserialize;
use serde_json::Value;

/// Texts without which no incident is added.
pub const TEXTS_ALWAYS: &[&str] = &["nature", "consequences", "measures", "advice", "dpo_name", "dpo_contact"];
/// Texts that an incident may have.
pub const TEXTS_OPTIONAL: &[&str] = &[
    "data_types",
    "dates",
    "discovery_date",
    "measures_investigate",
    "measures_mitigate",
    "measures_prevent",
    "contact_phone",
    "contact_web",
    "contact_email",
    "contact_address",
    "complaint_right",
    "credit_agencies",
    "mitigation_offer",
    "freeze_howto",
    "police_report",
    "regulator_contacts",
    "regulator_told",
    "other_entities",
    "delayed_by_le",
    "title",
    "signatory",
];

/// Facts of an incident beside its texts; the table `[facts]` of the texts' file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// Kinds of data that were exposed, such as `ssn` or `driver_licence`.
    pub exposed: Vec<String>,
    /// The controller itself was the source of the breach, not a supplier.
    pub is_source: bool,
    /// Months that an offer such as credit monitoring lasts.
    pub offer_months: u32,
    /// Nobody but the reader may learn from a message's outside, or from a locked screen, who writes.
    pub discreet: bool,
    /// Words that tell who writes, beside the controller's name: the occupation, a nickname.
    pub discreet_words: Vec<String>,
    /// The return address of a discreet letter, where its printer prints one outside: whom to name instead of the controller,
    /// then the lines. Empty: no lane that prints one takes the letter.
    pub return_address: Vec<String>,
    /// Channels that the breach may have opened to others.
    pub compromised_channels: Vec<String>,
    /// The controller has to treat Welsh no less favourably than English (SI 2023/1041).
    pub welsh_standards: bool,
}

/// What the controller has made public before anybody is told; the table `[published]` of the texts' file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Published {
    /// Telephone numbers on which it answers for this incident.
    pub phones: Vec<String>,
    /// Domains of its own, and of the authorities that a message names.
    pub domains: Vec<String>,
    /// A named approver allowed links in text messages.
    pub sms_links: bool,
    /// Address that emails come from, at a domain of these.
    pub email_sender: String,
}

/// A table of the texts, as stored with the incident; what cannot be read is as if nothing were said.
pub fn table<T: serde::de::DeserializeOwned + Default>(texts: &Value, name: &str) -> T {
    texts.get(name).and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

/// Whether the incident has a text of this name in this language; empty: its first language.
pub fn has_text(texts: &Value, language: &str, name: &str) -> bool {
    let table = if language.is_empty() { Some(texts) } else { texts.get(language) };
    table.and_then(|t| t.get(name)).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
}

/// Texts that are the same in every language: names, and where somebody is reached.
pub const SAME_EVERYWHERE: &[&str] =
    &["dpo_name", "dpo_contact", "contact_phone", "contact_web", "contact_email", "contact_address", "signatory"];

/// The texts that a document in this language prints: those of its own table where the incident has one, and then no
/// explanation in another language; else the incident's first ones.
pub fn in_language(texts: &Value, language: &str) -> Value {
    let mut chosen = texts.clone();
    if let (Some(fields), Some(Value::Object(own))) = (chosen.as_object_mut(), texts.get(language)) {
        fields.retain(|name, text| !text.is_string() || SAME_EVERYWHERE.contains(&name.as_str()));
        fields.extend(own.clone());
    }
    chosen
}

/// What no incident's texts may hold: the first field that is no text, no language and no table of these names.
pub fn fault(texts: &Value) -> Option<String> {
    for (name, value) in texts.as_object().into_iter().flatten() {
        let broken = match (name.as_str(), value) {
            ("facts", _) => serde_json::from_value::<Facts>(value.clone()).err().map(|e| e.to_string()),
            ("published", _) => serde_json::from_value::<Published>(value.clone()).err().map(|e| e.to_string()),
            (_, Value::String(_)) => (!is_text(name)).then(|| "there is no such text".to_owned()),
            (language, Value::Object(texts)) if (2..=3).contains(&language.len()) => {
                let odd = texts.iter().find(|(name, text)| !is_text(name) || !text.is_string());
                odd.map(|(name, _)| format!("`{name}` is no text"))
            }
            _ => Some("there is no such field".to_owned()),
        };
        if let Some(what) = broken {
            return Some(format!("`{name}`: {what}"));
        }
    }
    None
}

fn is_text(name: &str) -> bool {
    TEXTS_ALWAYS.contains(&name) || TEXTS_OPTIONAL.contains(&name)
}
