//! The layers, lowest first: the shipped file, DATABASE_URL and AMQP_URL, a settings file, `DULY_…`, flags.

use super::check::{self, Credentials};
use super::{DEFAULTS, Settings, SettingsError};
use figment::providers::{Format, Toml};
use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::path::Path;

/// Variables of the program that are no settings, without their prefix `DULY_`.
const PROGRAM_VARIABLES: &[&str] = &[
    "FAILPOINT",
    "FAILPOINT_DIR",
    "FAILPOINT_MANY",
    "LOG_KEY",
    "LOG_NEXT_KEY",
    "MASTER_KEY",
    "LIST_PASSPHRASE_FILE",
    "NEW_PASSPHRASE_FILE",
    "PASSPHRASE_FILE",
    "SABOTAGE",
    "SETTINGS",
    "USER_KEY",
];

/// Keys whose values are never shown.
const SECRET_KEYS: &[&str] =
    &["url", "owner_url", "receipts_url", "api_key", "receipt_secret", "password", "webhook_url", "webhook_secret"];

/// A setting in force.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SettingLine {
    /// Dotted key.
    pub key: String,
    /// Value, masked where it is a secret.
    pub value: String,
    /// Layer it comes from.
    pub source: String,
}

impl Settings {
    /// Reads all layers and refuses what cannot work, before anything starts.
    pub fn load(figment: &Figment) -> Result<Self, SettingsError> {
        let mut settings: Self = figment.extract()?;
        settings.read_secret_files()?;
        check::check(&settings, figment, Credentials::All)?;
        settings.end_texts_before_letters();
        Ok(settings)
    }

    /// The same for the receipts' door alone: with the secrets of receipts and its own login, and without any other, even where
    /// one is named.
    pub fn load_for_receipts(figment: &Figment) -> Result<Self, SettingsError> {
        let mut settings: Self = figment.extract()?;
        settings.keep_to_receipts();
        settings.read_secret_files()?;
        check::check(&settings, figment, Credentials::OfReceipts)?;
        Ok(settings)
    }
}

impl Settings {
    /// A text that is delivered after its letter was sent would tell its reader twice: its provider gives up before that.
    fn end_texts_before_letters(&mut self) {
        let shortly_before = u64::try_from(self.dispatch.no_news_after_ms).unwrap_or(0) / 10_000 * 9;
        for lane in self.lanes.values_mut().filter(|lane| lane.validity_seconds == 0) {
            lane.validity_seconds = shortly_before.max(1);
        }
    }
}

/// The layers with this process's environment, before they are checked.
pub fn layers(file: Option<&Path>, flags: &[(String, String)]) -> Figment {
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    layers_with(file, variables, flags)
}

/// The layers with a given environment.
pub fn layers_with(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> Figment {
    let variables: Vec<_> = variables.into_iter().collect();
    let mut figment = Figment::from(Shipped);
    for (key, name) in [("database.url", "DATABASE_URL"), ("broker.url", "AMQP_URL")] {
        if let Some((_, url)) = variables.iter().find(|(n, _)| n == name) {
            figment = figment.merge(One::new(key, url, name.to_owned()));
        }
    }
    if let Some(file) = file {
        figment = figment.merge(Toml::file_exact(file));
    }
    for (name, value) in &variables {
        let setting = name.strip_prefix("DULY_").filter(|rest| !PROGRAM_VARIABLES.contains(rest));
        if let Some(rest) = setting {
            figment = figment.merge(One::new(&key_of(rest), value, name.clone()));
        }
    }
    for (key, value) in flags {
        figment = figment.merge(One::new(key, value, format!("--set {key}")));
    }
    figment
}

/// The key that a variable names. A shell's variable has no hyphen and the name of a lane, a witness or a recipient no
/// underscore, so one stands for the other there.
fn key_of(rest: &str) -> String {
    let mut parts: Vec<String> = rest.to_lowercase().split("__").map(str::to_owned).collect();
    match parts.as_mut_slice() {
        [section, name, ..] if section == "lanes" => *name = name.replace('_', "-"),
        [section, table, name, ..]
            if (section == "anchors" && table == "witnesses") || (section == "hand_over" && table == "to") =>
        {
            *name = name.replace('_', "-");
        }
        _ => {}
    }
    parts.join(".")
}

/// The variable that sets a dotted key; the inverse of `key_of`.
pub fn variable_of(key: &str) -> String {
    format!("DULY_{}", key.replace('-', "_").replace('.', "__").to_uppercase())
}

/// The file that the program carries with it.
struct Shipped;

/// The layer of the shipped file.
const SHIPPED: &str = "config/default.toml (built in)";

impl Provider for Shipped {
    fn metadata(&self) -> Metadata {
        Metadata::named(SHIPPED)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Toml::string(DEFAULTS).data()
    }
}

/// One setting of a variable or flag.
struct One {
    name: String,
    dict: Dict,
}

impl One {
    fn new(key: &str, text: &str, name: String) -> Self {
        // A secret of digits only is still a text; everything else is read as TOML would.
        let value = if is_secret(key) {
            Value::from(text)
        } else {
            text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
        };
        Self { name, dict: nest(key, value).into_dict().unwrap_or_default() }
    }
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// The file or variable that a value comes from.
pub(super) fn origin(metadata: &Metadata) -> String {
    metadata.source.as_ref().map_or_else(|| metadata.name.to_string(), ToString::to_string)
}

/// Where the value of a key comes from, or that of what it stands in. Of several, `a.b, c`, the first that somebody set.
pub(super) fn origin_of(figment: &Figment, keys: &str) -> Option<String> {
    let section = keys.split('.').next().unwrap_or_default();
    let full = |key: &str| if key.contains('.') { key.to_owned() } else { format!("{section}.{key}") };
    let found: Vec<String> = keys.split(", ").filter_map(|key| origin_near(figment, &full(key))).collect();
    found.iter().find(|origin| *origin != SHIPPED).or(found.first()).cloned()
}

fn origin_near(figment: &Figment, key: &str) -> Option<String> {
    let above = || origin_near(figment, key.rsplit_once('.')?.0);
    figment.find_metadata(key).map(origin).or_else(above)
}

fn is_secret(key: &str) -> bool {
    let leaf = key.rsplit('.').next().unwrap_or_default();
    SECRET_KEYS.contains(&leaf)
        && !((key.starts_with("lanes.") || key.starts_with("anchors.") || key.starts_with("receipts.")) && leaf == "url")
}

/// Every setting in force with the layer it comes from; secrets masked.
pub fn explain(figment: &Figment) -> Result<Vec<SettingLine>, SettingsError> {
    let all: Value = figment.extract()?;
    let mut lines = Vec::new();
    walk(figment, "", &all, &mut lines);
    Ok(lines)
}

fn walk(figment: &Figment, prefix: &str, value: &Value, lines: &mut Vec<SettingLine>) {
    if let Value::Dict(_, fields) = value {
        for (name, inner) in fields {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            walk(figment, &key, inner, lines);
        }
        return;
    }
    let text = serde_json::to_string(value).unwrap_or_default();
    // An address may carry `user:password@`.
    let is_masked = (is_secret(prefix) && text != "\"\"") || (prefix.ends_with("url") && text.contains('@'));
    let source = figment.find_metadata(prefix).map_or_else(|| "?".to_owned(), origin);
    let value = if is_masked { "••••••".to_owned() } else { text };
    lines.push(SettingLine { key: prefix.to_owned(), value, source });
}
