//! Settings in layers: the shipped file, a second file, the environment, flags. Secrets never print.

mod check;
mod described;
mod error;
mod layers;
mod meaning;
mod profile;
mod secrets;
#[cfg(test)]
mod tests;
mod usual;

pub use check::LAID_ASIDE_LEAST;
pub use described::{Described, DescribedReceipt};
pub use error::SettingsError;
pub use layers::{SettingLine, explain, layers, layers_with, variable_of};
pub use meaning::SmtpSecurity;
pub use profile::{ProfileError, ProfileFile};
pub use secrets::read_private;

use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
        /// When a lane rests.
        health: Health,
        /// Hours of the night.
        quiet: Quiet,
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
        /// File of the key that takes its place; empty: none.
        log_next_file: PathBuf,
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
        /// Hours.
        audit_sealed_every_hours: u64,
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
        /// Scheme, host and perhaps path under which providers reach the receipts; empty: they cannot.
        url: String,
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
        /// Receipts of a lane, ground and day.
        laid_aside_per_day_max: i64,
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
    /// When a lane rests.
    Health {
        /// ms.
        window_ms: i64,
        /// Calls.
        bad_min: i64,
        /// Of a hundred.
        bad_percent: i64,
        /// ms.
        slow_ms: u64,
        /// ms.
        rest_min_ms: i64,
        /// ms.
        rest_max_ms: i64,
        /// ms.
        return_ms: u64,
    }
    /// Hours in which text messages wait for the morning.
    Quiet {
        /// First, local time.
        from: String,
        /// End, local time; the same as `from`: they never wait.
        until: String,
    }
    /// A provider account for one channel.
    Lane {
        /// `sms`, `letter` or `email`.
        channel: String,
        /// Kind of provider.
        #[serde(default = "usual::sandbox")]
        provider: String,
        /// Base URL of the account; empty: the provider's own.
        #[serde(default)]
        url: String,
        /// Name of the account at the provider, where its key does not say so.
        #[serde(default)]
        account: String,
        /// The provider's template or service that our text goes out by.
        #[serde(default)]
        template: String,
        /// The provider's id of the sender.
        #[serde(default)]
        sender_id: String,
        /// File with the root certificate of a mail relay (PEM) where the system does not know it.
        #[serde(default)]
        root_file: PathBuf,
        /// Folder that batches are written to, where nothing is sent.
        #[serde(default)]
        folder: PathBuf,
        /// Messages of one batch, at most.
        #[serde(default = "usual::hundred")]
        batch_messages_max: u32,
        /// How long a message waits for others of its batch, seconds.
        #[serde(default = "usual::five_minutes")]
        batch_seconds: u64,
        /// After how long a batch without a signed docket is an alarm, minutes.
        #[serde(default = "usual::half_a_day")]
        docket_minutes: u64,
        /// Description of a provider that Duly does not know.
        #[serde(default)]
        http: Option<Described>,
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
        /// How often the provider is asked about what it has not told, seconds; 0: as it needs.
        #[serde(default)]
        poll_seconds: u64,
        /// Messages a second over all workers.
        #[serde(default = "usual::fifty")]
        per_second: u32,
        /// Messages a day (UTC) over all workers; 0: as many as the provider takes.
        #[serde(default)]
        per_day: u32,
        /// Its part of the messages of its channel, in relation to the other lanes'; 0: by pace.
        #[serde(default)]
        weight: u32,
        /// Whether it is spared for times at which no other lane of its channel can send.
        #[serde(default)]
        reserve: bool,
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
        /// How long a provider that can be told so tries to deliver a text, seconds; 0: until shortly before news are due.
        #[serde(default)]
        validity_seconds: u64,
        /// `ask` or `next_step`; empty: `next_step` for `sms`, else `ask`.
        #[serde(default)]
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
