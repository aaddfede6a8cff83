//! Settings in layers: the shipped file, a second file, the environment, flags. Secrets never print.

use crate::model::seal::{Key, SealError};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const DEFAULTS: &str = include_str!("../config/default.toml");

/// Why the settings were refused; nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file, an unknown key or a wrong type.
    #[error("the settings cannot be read: {0}")]
    Layer(Box<figment::Error>),
    /// Two settings contradict each other.
    #[error("`{key}`: {what}")]
    Refused {
        /// Key.
        key: String,
        /// What is wrong and what to do.
        what: &'static str,
    },
    /// The master key.
    #[error("the master key file {path} cannot be used")]
    MasterKey {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The master key's text.
    #[error(transparent)]
    Key(#[from] SealError),
}

macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)+ })+) => {
        $($(#[$meta])* #[derive(Debug, Clone, Deserialize)] #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$doc])* pub $field: $kind,)+ })+
    };
}

settings! {
    /// All settings; `config/default.toml` explains each key.
    Settings {
        /// Postgres.
        database: Database,
        /// RabbitMQ.
        broker: Broker,
        /// Keys.
        keys: Keys,
        /// The HTTP server.
        web: Web,
        /// Receipts.
        receipts: Receipts,
        /// Templates.
        templates: Folder,
        /// Profiles.
        profiles: Folder,
        /// Sending.
        dispatch: Dispatch,
        /// Provider accounts.
        #[serde(default)]
        lanes: BTreeMap<String, Lane>,
    }
    /// Postgres.
    Database {
        /// Application's URL.
        url: SecretString,
        /// Owner's URL.
        owner_url: SecretString,
        /// Connections per process.
        connections: u32,
    }
    /// RabbitMQ.
    Broker {
        /// URL.
        url: SecretString,
    }
    /// Keys.
    Keys {
        /// Master key file.
        master_file: PathBuf,
    }
    /// The HTTP server.
    Web {
        /// Address.
        listen: String,
    }
    /// Receipts.
    Receipts {
        /// Bytes.
        body_bytes_max: usize,
        /// Seconds.
        replay_window_seconds: i64,
        /// Days.
        unmatched_retention_days: i64,
    }
    /// A folder.
    Folder {
        /// Path.
        folder: PathBuf,
    }
    /// Sending.
    Dispatch {
        /// Jobs.
        batch_size_max: usize,
        /// ms.
        batch_linger_ms: u64,
        /// Calls.
        in_flight_max: usize,
        /// Jobs.
        prefetch: u16,
        /// ms.
        lease_ms: i64,
        /// ms.
        queue_lease_ms: i64,
        /// ms.
        request_timeout_ms: u64,
        /// ms.
        send_by_ms: u64,
        /// ms.
        network_margin_ms: i64,
        /// ms.
        backoff_min_ms: u64,
        /// ms.
        backoff_max_ms: u64,
        /// Hours.
        message_deadline_hours: i64,
        /// ms.
        hold_check_ms: u64,
        /// ms.
        unknown_after_ms: i64,
        /// ms.
        no_news_after_ms: i64,
        /// ms.
        interval_ms: u64,
    }
    /// A provider account for one channel.
    Lane {
        /// `sms` or `letter`.
        channel: String,
        /// Base URL of the account.
        url: String,
        /// Bearer key.
        #[serde(default)]
        api_key: SecretString,
        /// Secret of the receipts' signatures.
        #[serde(default)]
        receipt_secret: SecretString,
        /// Messages a second over all workers.
        #[serde(default = "fifty")]
        per_second: u32,
        /// Whether our key is honoured.
        #[serde(default)]
        idempotent: bool,
        /// For how long, seconds.
        #[serde(default)]
        key_life_seconds: i64,
        /// Whether messages can be found by reference.
        #[serde(default)]
        lookup: bool,
        /// How long a new message stays invisible, ms.
        #[serde(default)]
        lookup_lag_ms: i64,
        /// `ask` or `next_step`.
        #[serde(default = "ask")]
        unknown_rule: String,
        /// Whether real people are reached.
        #[serde(default)]
        live: bool,
    }
}

fn fifty() -> u32 {
    50
}

fn ask() -> String {
    "ask".to_owned()
}

/// Keys whose values are never shown.
const SECRET_KEYS: &[&str] = &["url", "owner_url", "api_key", "receipt_secret"];

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

/// The layers, before they are checked.
pub fn layers(file: Option<&Path>, flags: &[(String, String)]) -> Figment {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    for (key, name) in [("database.url", "DATABASE_URL"), ("broker.url", "AMQP_URL")] {
        if let Ok(url) = std::env::var(name) {
            figment = figment.merge(Serialized::default(key, url));
        }
    }
    if let Some(file) = file {
        figment = figment.merge(Toml::file_exact(file));
    }
    figment = figment.merge(Env::prefixed("DULY_").ignore(&["failpoint", "failpoint_dir", "user_key", "passphrase"]).map(|k| k.as_str().replace("__", ".").into()));
    for (key, value) in flags {
        figment = figment.merge(Serialized::default(key, value));
    }
    figment
}

impl Settings {
    /// Reads all layers and refuses what cannot work, before anything starts.
    pub fn load(figment: &Figment) -> Result<Self, SettingsError> {
        let settings: Self = figment.extract().map_err(|e| SettingsError::Layer(Box::new(e)))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |key: &str, what| Err(SettingsError::Refused { key: key.to_owned(), what });
        let d = &self.dispatch;
        let call_ms = i64::try_from(d.request_timeout_ms + d.send_by_ms).unwrap_or(i64::MAX);
        if d.lease_ms <= call_ms {
            return refuse("dispatch.lease_ms", "must be longer than request_timeout_ms plus send_by_ms, else a call outlives its lease; raise it");
        }
        if i64::try_from(d.send_by_ms).unwrap_or(i64::MAX) > d.lease_ms / 3 {
            return refuse("dispatch.send_by_ms", "must be at most a third of lease_ms; lower it or raise the lease");
        }
        for (name, lane) in &self.lanes {
            let key = lane.api_key.expose_secret();
            if lane.live && key.is_empty() {
                return refuse(&format!("lanes.{name}.api_key"), "a live lane needs credentials; set it by file or environment");
            }
            if lane.live && (key == "sandbox-key" || lane.receipt_secret.expose_secret() == "sandbox-secret") {
                return refuse(&format!("lanes.{name}.api_key"), "demo keys must not be used outside the sandbox; set real ones or live = false");
            }
            if !matches!(lane.unknown_rule.as_str(), "ask" | "next_step") {
                return refuse(&format!("lanes.{name}.unknown_rule"), "must be `ask` or `next_step`");
            }
        }
        Ok(())
    }

    /// The master key, from its file or `DULY_MASTER_KEY`.
    pub fn master_key(&self) -> Result<Key, SettingsError> {
        if let Ok(text) = std::env::var("DULY_MASTER_KEY") {
            return Ok(Key::from_hex(&text)?);
        }
        let path = &self.keys.master_file;
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::MasterKey { path: path.clone(), source })?;
        Ok(Key::from_hex(&text)?)
    }
}

/// Every setting in force with the layer it comes from; secrets masked.
pub fn explain(figment: &Figment) -> Result<Vec<SettingLine>, SettingsError> {
    let all: figment::value::Value = figment.extract().map_err(|e| SettingsError::Layer(Box::new(e)))?;
    let mut lines = Vec::new();
    walk(figment, "", &all, &mut lines);
    Ok(lines)
}

fn walk(figment: &Figment, prefix: &str, value: &figment::value::Value, lines: &mut Vec<SettingLine>) {
    if let figment::value::Value::Dict(_, fields) = value {
        for (name, inner) in fields {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            walk(figment, &key, inner, lines);
        }
        return;
    }
    let is_secret = SECRET_KEYS.contains(&prefix.rsplit('.').next().unwrap_or_default()) && !(prefix.starts_with("lanes.") && prefix.ends_with(".url"));
    let text = serde_json::to_string(value).unwrap_or_default();
    let source = figment.find_metadata(prefix).map_or_else(|| "?".to_owned(), |m| m.source.as_ref().map_or_else(|| m.name.to_string(), ToString::to_string));
    let value = if is_secret && text != "\"\"" { "••••••".to_owned() } else { text };
    lines.push(SettingLine { key: prefix.to_owned(), value, source });
}
