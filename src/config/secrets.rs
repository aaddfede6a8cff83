//! Secrets and keys: from files that nobody else may read, or from the environment; never printed.

use super::{Lane, Settings, SettingsError};
use crate::model::seal::Key;
use secrecy::{ExposeSecret, SecretString};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

impl Settings {
    /// Takes every secret from its file where one is named.
    pub(super) fn read_secret_files(&mut self) -> Result<(), SettingsError> {
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

    /// Lets go of every secret that the receipts' door has no use for, before any file is read: whoever takes that process over
    /// finds none there.
    pub(super) fn keep_to_receipts(&mut self) {
        self.database.owner_url = SecretString::default();
        self.database.owner_url_file = PathBuf::new();
        if !self.database.receipts_url_file.as_os_str().is_empty() || self.database.for_receipts().1 {
            self.database.url = SecretString::default();
            self.database.url_file = PathBuf::new();
        }
        self.broker.url = SecretString::default();
        self.broker.url_file = PathBuf::new();
        self.lanes.values_mut().for_each(|lane| *lane = lane.without_key());
        self.hand_over.smtp.password = SecretString::default();
        self.hand_over.smtp.password_file = PathBuf::new();
        self.hand_over.to.clear();
    }

    /// The master key, from `DULY_MASTER_KEY` or its file, which nobody else may read.
    pub fn master_key(&self) -> Result<Key, SettingsError> {
        read_key("DULY_MASTER_KEY", "keys.master_file", &self.keys.master_file)
    }

    /// The seed of the Ed25519 key that signs the logs, from `DULY_LOG_KEY` or its file, which nobody else may read.
    pub fn log_key(&self) -> Result<Key, SettingsError> {
        read_key("DULY_LOG_KEY", "keys.log_file", &self.keys.log_file)
    }

    /// The key that takes its place, from `DULY_LOG_NEXT_KEY` or its file; `None` where neither is there.
    pub fn log_next_key(&self) -> Result<Option<Key>, SettingsError> {
        const VARIABLE: &str = "DULY_LOG_NEXT_KEY";
        if self.keys.log_next_file.as_os_str().is_empty() && std::env::var_os(VARIABLE).is_none() {
            return Ok(None);
        }
        read_key(VARIABLE, "keys.log_next_file", &self.keys.log_next_file).map(Some)
    }
}

impl Lane {
    /// Files that its secrets stand in.
    pub fn secret_files(&self) -> Vec<&Path> {
        let files = [self.api_key_file.as_path(), self.receipt_secret_file.as_path()];
        files.into_iter().filter(|path| !path.as_os_str().is_empty()).collect()
    }

    /// The lane without the key by which its messages are sent.
    pub fn without_key(&self) -> Self {
        Self { api_key: SecretString::default(), api_key_file: PathBuf::new(), ..self.clone() }
    }

    /// The lane with its secrets as their files have them now; `None` where one is empty, which would let anybody in.
    pub fn with_fresh_secrets(&self, name: &str) -> Result<Option<Self>, SettingsError> {
        let mut fresh = self.clone();
        let files = [
            ("api_key_file", &self.api_key_file, &mut fresh.api_key),
            ("receipt_secret_file", &self.receipt_secret_file, &mut fresh.receipt_secret),
        ];
        for (field, path, secret) in files {
            read_secret(&format!("lanes.{name}.{field}"), path, secret)?;
            if !path.as_os_str().is_empty() && secret.expose_secret().is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(fresh))
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
