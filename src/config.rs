//! Settings in layers: the shipped file, a second file, the environment, flags. Secrets never print.

mod check;
mod error;
mod layers;
#[cfg(test)]
mod tests;

pub use error::SettingsError;
pub use layers::{SettingLine, explain, layers, layers_with, variable_of};

use crate::model::seal::Key;
use figment::Figment;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const DEFAULTS: &str = include_str!("../config/default.toml");

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
        /// The logs.
        evidence: Evidence,
        /// Backups of the database.
        backups: Backups,
        /// The HTTP server.
        web: Web,
        /// Receipts.
        receipts: Receipts,
        /// Lists and jobs.
        intake: Intake,
        /// Templates.
        templates: Templates,
        /// Profiles.
        profiles: Folder,
        /// Sending.
        dispatch: Dispatch,
        /// Provider accounts.
        #[serde(default)]
        lanes: BTreeMap<String, Lane>,
        /// Time stamps and witnesses.
        anchors: Anchors,
        /// Checkpoints for controllers.
        hand_over: HandOver,
    }
    /// Postgres.
    Database {
        /// Application's URL.
        url: SecretString,
        /// File with the URL; wins over `url`.
        url_file: PathBuf,
        /// Owner's URL.
        owner_url: SecretString,
        /// File with the owner's URL; wins over `owner_url`.
        owner_url_file: PathBuf,
        /// URL of who only inserts receipts.
        receipts_url: SecretString,
        /// File with that URL; wins over `receipts_url`.
        receipts_url_file: PathBuf,
        /// Connections per process.
        connections: u32,
    }
    /// RabbitMQ.
    Broker {
        /// URL.
        url: SecretString,
        /// File with the URL; wins over `url`.
        url_file: PathBuf,
    }
    /// Keys.
    Keys {
        /// Master key file.
        master_file: PathBuf,
        /// File of the key that signs the logs.
        log_file: PathBuf,
    }
    /// The logs.
    Evidence {
        /// First part of each log's origin.
        host: String,
        /// Folder or `s3://bucket/prefix`.
        outside: String,
        /// ms.
        interval_ms: u64,
        /// Events.
        batch_size_max: u32,
        /// Minutes.
        audit_every_minutes: u64,
    }
    /// Backups of the database.
    Backups {
        /// Days.
        retention_days: u32,
    }
    /// The HTTP server.
    Web {
        /// Address.
        listen: String,
        /// Connections.
        connections_max: usize,
    }
    /// Receipts.
    Receipts {
        /// Bytes.
        body_bytes_max: usize,
        /// Bodies.
        in_flight_max: usize,
        /// Seconds.
        replay_window_seconds: i64,
        /// Seconds.
        refusals_every_seconds: i64,
        /// Days.
        unmatched_retention_days: i64,
    }
    /// Lists and jobs.
    Intake {
        /// Whether jobs are taken that nobody sealed.
        accept_plain: bool,
    }
    /// A folder.
    Folder {
        /// Path.
        folder: PathBuf,
    }
    /// Templates.
    Templates {
        /// Those that come with Duly.
        folder: PathBuf,
        /// The controllers' own; one of the same name goes before. Empty: none.
        own: PathBuf,
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
        /// Attempts.
        attempts_max: u32,
        /// ms.
        hold_check_ms: u64,
        /// ms.
        unknown_after_ms: i64,
        /// ms.
        no_news_after_ms: i64,
        /// ms.
        overdue_again_ms: i64,
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
        /// File with the bearer key; wins over `api_key`.
        #[serde(default)]
        api_key_file: PathBuf,
        /// Secret of the receipts' signatures.
        #[serde(default)]
        receipt_secret: SecretString,
        /// File with that secret; wins over `receipt_secret`.
        #[serde(default)]
        receipt_secret_file: PathBuf,
        /// Messages a second over all workers.
        #[serde(default = "fifty")]
        per_second: u32,
        /// Price of a segment or page, thousandths of the currency's minor unit; 0: not known.
        #[serde(default)]
        price_milli: u64,
        /// ISO 4217 currency of the price.
        #[serde(default)]
        currency: String,
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
    /// Time stamps and witnesses of checkpoints.
    Anchors {
        /// URL; empty: none.
        tsa_url: String,
        /// PEM file; empty: signatures of time stamps are not checked.
        tsa_root_file: PathBuf,
        /// Minutes.
        interval_minutes: u32,
        /// ms.
        request_timeout_ms: u64,
        /// ms.
        retry_min_ms: u64,
        /// ms.
        retry_max_ms: u64,
        /// Minutes.
        late_after_minutes: u32,
        /// Witnesses.
        #[serde(default)]
        witnesses: BTreeMap<String, WitnessSettings>,
    }
    /// A witness.
    WitnessSettings {
        /// Submission prefix.
        url: String,
        /// Its key, `name+hash+key`.
        vkey: String,
    }
    /// Checkpoints for controllers.
    HandOver {
        /// The mail relay.
        smtp: Relay,
        /// Recipients by the controller's short name.
        #[serde(default)]
        to: BTreeMap<String, Recipient>,
    }
    /// A mail relay.
    Relay {
        /// Host; empty: no mail.
        host: String,
        /// Port.
        port: u16,
        /// How the connection is protected.
        security: SmtpSecurity,
        /// PEM file of a root that the system does not know; empty: none.
        root_file: PathBuf,
        /// User; empty: none.
        user: String,
        /// Password.
        password: SecretString,
        /// File with the password; wins over `password`.
        password_file: PathBuf,
        /// Sender's address.
        from: String,
    }
    /// Where a controller's checkpoints go.
    Recipient {
        /// Folder or `s3://bucket/prefix`; empty: none.
        #[serde(default)]
        folder: String,
        /// Mail address; empty: none.
        #[serde(default)]
        mail: String,
        /// URL; empty: none.
        #[serde(default)]
        webhook_url: String,
        /// Secret of the webhook's signatures.
        #[serde(default)]
        webhook_secret: SecretString,
        /// File with that secret; wins over `webhook_secret`.
        #[serde(default)]
        webhook_secret_file: PathBuf,
    }
}

/// How the connection to a mail relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS after a greeting; without it nothing is sent.
    Starttls,
    /// None; for a relay on this machine.
    None,
}

fn fifty() -> u32 {
    50
}

fn ask() -> String {
    "ask".to_owned()
}

impl Templates {
    /// The folders to load, the controllers' own last.
    pub fn folders(&self) -> Vec<&Path> {
        let own = (!self.own.as_os_str().is_empty()).then_some(self.own.as_path());
        std::iter::once(self.folder.as_path()).chain(own).collect()
    }
}

impl Database {
    /// The URL of who keeps receipts, and whether it is a login of its own.
    pub fn for_receipts(&self) -> (&SecretString, bool) {
        let is_own = !self.receipts_url.expose_secret().is_empty();
        (if is_own { &self.receipts_url } else { &self.url }, is_own)
    }
}

impl Settings {
    /// Reads all layers and refuses what cannot work, before anything starts.
    pub fn load(figment: &Figment) -> Result<Self, SettingsError> {
        let mut settings: Self = figment.extract()?;
        settings.read_secret_files()?;
        check::check(&settings)?;
        Ok(settings)
    }

    fn read_secret_files(&mut self) -> Result<(), SettingsError> {
        read_secret("database.url_file", &self.database.url_file, &mut self.database.url)?;
        read_secret("database.owner_url_file", &self.database.owner_url_file, &mut self.database.owner_url)?;
        read_secret("database.receipts_url_file", &self.database.receipts_url_file, &mut self.database.receipts_url)?;
        read_secret("broker.url_file", &self.broker.url_file, &mut self.broker.url)?;
        for (name, lane) in &mut self.lanes {
            read_secret(&format!("lanes.{name}.api_key_file"), &lane.api_key_file, &mut lane.api_key)?;
            let key = format!("lanes.{name}.receipt_secret_file");
            read_secret(&key, &lane.receipt_secret_file, &mut lane.receipt_secret)?;
        }
        let smtp = &mut self.hand_over.smtp;
        read_secret("hand_over.smtp.password_file", &smtp.password_file, &mut smtp.password)?;
        for (name, to) in &mut self.hand_over.to {
            let key = format!("hand_over.to.{name}.webhook_secret_file");
            read_secret(&key, &to.webhook_secret_file, &mut to.webhook_secret)?;
        }
        Ok(())
    }

    /// The master key, from `DULY_MASTER_KEY` or its file, which nobody else may read.
    pub fn master_key(&self) -> Result<Key, SettingsError> {
        read_key("DULY_MASTER_KEY", "keys.master_file", &self.keys.master_file)
    }

    /// The seed of the Ed25519 key that signs the logs, from `DULY_LOG_KEY` or its file, which nobody else may read.
    pub fn log_key(&self) -> Result<Key, SettingsError> {
        read_key("DULY_LOG_KEY", "keys.log_file", &self.keys.log_file)
    }
}

fn read_key(variable: &'static str, setting: &'static str, path: &Path) -> Result<Key, SettingsError> {
    if let Ok(text) = std::env::var(variable) {
        return Ok(Key::from_hex(&Zeroizing::new(text))?);
    }
    let unusable = |source| SettingsError::KeyFile { variable, setting, path: path.to_owned(), source };
    let text = read_private(path).map_err(unusable)?.ok_or_else(|| SettingsError::KeyFileExposed { path: path.to_owned() })?;
    Ok(Key::from_hex(&text)?)
}

/// Reads a file that only its owner may read; `None` if others may.
pub fn read_private(path: &Path) -> std::io::Result<Option<Zeroizing<String>>> {
    // The mode is asked of the open file, so that it cannot be exchanged in between.
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Ok(None);
    }
    let text = std::io::read_to_string(&file)?;
    Ok(Some(Zeroizing::new(text)))
}

/// Takes a secret from its file where one is named; the file wins over the value.
fn read_secret(key: &str, path: &Path, secret: &mut SecretString) -> Result<(), SettingsError> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::SecretFile {
        key: key.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    *secret = Zeroizing::new(text).trim().into();
    Ok(())
}
