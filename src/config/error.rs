//! Why settings are refused. No text here ever carries a value: any value may be a secret.

use crate::model::seal::SealError;
use figment::error::Kind;
use std::path::PathBuf;

/// Why the settings were refused; nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key that Duly does not know.
    #[error("`{key}` in {origin} is no setting")]
    UnknownKey {
        /// Dotted key.
        key: String,
        /// File or variable.
        origin: String,
    },
    /// A value of another type.
    #[error("`{key}` in {origin} must be {expected}")]
    WrongType {
        /// Dotted key.
        key: String,
        /// File or variable.
        origin: String,
        /// Type.
        expected: String,
    },
    /// A setting without a value and without a default.
    #[error("`{key}` is missing")]
    Missing {
        /// Dotted key.
        key: String,
    },
    /// A file that is missing or no TOML.
    #[error("{origin} cannot be read: {place}")]
    Unreadable {
        /// File.
        origin: String,
        /// Where or why, without the text found there.
        place: String,
    },
    /// Two settings contradict each other.
    #[error("`{key}`{}: {what}", .origin.as_ref().map(|origin| format!(" in {origin}")).unwrap_or_default())]
    Refused {
        /// Key.
        key: String,
        /// File or variable, where it is known.
        origin: Option<String>,
        /// What is wrong and what to do.
        what: &'static str,
    },
    /// A file named by a `…_file` setting.
    #[error("the file {path} of `{key}` cannot be read")]
    SecretFile {
        /// Key.
        key: String,
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A key's file.
    #[error("the key file {path} of `{setting}` cannot be used")]
    KeyFile {
        /// The variable that may hold the key instead.
        variable: &'static str,
        /// The setting that names the file.
        setting: &'static str,
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A key or passphrase that other users of the machine may read.
    #[error("the secret file {path} is open to other users")]
    KeyFileExposed {
        /// File.
        path: PathBuf,
    },
    /// A key's text.
    #[error(transparent)]
    Key(#[from] SealError),
}

impl SettingsError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::UnknownKey { .. } => "correct its spelling; config/default.toml lists every key".into(),
            Self::WrongType { key, .. } => {
                format!("correct the value of `{key}`; config/default.toml shows one with its unit")
            }
            Self::Missing { key } => format!("set `{key}` in the settings file or by its DULY_ variable"),
            Self::Unreadable { origin, .. } => {
                format!("check that {origin} exists, may be read by this user and is valid TOML")
            }
            Self::Refused { key, .. } => format!("change `{key}`; `duly settings` shows where its value comes from"),
            Self::SecretFile { path, .. } => format!("check that {} exists and that this user may read it", path.display()),
            Self::KeyFile { variable, setting, path, .. } => {
                format!("run `duly init` to make {}, or set {setting} or {variable}", path.display())
            }
            Self::KeyFileExposed { path } => format!("run `chmod 600 {}`", path.display()),
            Self::Key(_) => "check the key's variable or file, 64 hexadecimal digits; `duly init` makes a right one".into(),
        }
    }
}

impl From<figment::Error> for SettingsError {
    fn from(error: figment::Error) -> Self {
        let origin = error.metadata.as_ref().map_or_else(|| "the settings".to_owned(), super::layers::origin);
        let key = error.path.join(".").to_lowercase();
        match error.kind {
            // A syntax error quotes the line, which may hold a secret: only its first line, the position, is kept.
            Kind::Message(text) => Self::Unreadable { origin, place: text.lines().next().unwrap_or("unknown").to_owned() },
            Kind::UnknownField(field, _) if key.is_empty() => Self::UnknownKey { key: field, origin },
            Kind::UnknownField(..) => Self::UnknownKey { key, origin },
            Kind::MissingField(field) if key.is_empty() => Self::Missing { key: field.into_owned() },
            Kind::MissingField(field) => Self::Missing { key: format!("{key}.{field}") },
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => Self::WrongType { key, origin, expected },
            _ => Self::WrongType { key, origin, expected: "of the type in config/default.toml".to_owned() },
        }
    }
}
