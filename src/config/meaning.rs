//! What some settings mean to whoever goes by them.

use super::{Database, Quiet, Receipts, Templates};
use crate::model::quiet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::Path;

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

impl Templates {
    /// The folders to load, the controllers' own last.
    pub fn folders(&self) -> Vec<&Path> {
        let own = (!self.own.as_os_str().is_empty()).then_some(self.own.as_path());
        std::iter::once(self.folder.as_path()).chain(own).collect()
    }
}

impl Quiet {
    /// The hours; `None`: none. Times that cannot be read were refused when the settings were loaded.
    pub fn hours(&self) -> Option<quiet::Quiet> {
        quiet::Quiet::parse(&self.from, &self.until).ok().flatten()
    }
}

impl Receipts {
    /// The path at which receipts of this controller and lane are taken.
    pub fn path_of(controller: &str, lane: &str) -> String {
        format!("/receipts/{controller}/{lane}")
    }

    /// Where receipts of this controller and lane come; `None` where nobody can reach us.
    pub fn url_of(&self, controller: &str, lane: &str) -> Option<String> {
        (!self.url.is_empty()).then(|| format!("{}{}", self.url.trim_end_matches('/'), Self::path_of(controller, lane)))
    }
}

impl Database {
    /// The URL of who keeps receipts, and whether it is a login of its own.
    pub fn for_receipts(&self) -> (&SecretString, bool) {
        let is_own = !self.receipts_url.expose_secret().is_empty();
        (if is_own { &self.receipts_url } else { &self.url }, is_own)
    }
}
