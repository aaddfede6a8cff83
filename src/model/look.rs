//! How a controller's letters look beside their words.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A logo's bytes, at most: it lies in every letter.
pub const LOGO_BYTES_MAX: usize = 32 * 1024;

/// Logo and check page of a controller's letters; without either by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// SVG or PNG, and what it shows for who cannot see it.
    pub logo: Option<(Arc<[u8]>, String)>,
    /// Public page that tells how to check a letter, the same for everybody.
    pub check_page: Option<String>,
}

impl Look {
    /// SHA-256 over all of it: its name in plans and evidence.
    pub fn hash(&self) -> [u8; 32] {
        let logo = self.logo.as_ref().map(|(bytes, alt)| json!({"alt": alt, "sha256": hex::encode(Sha256::digest(bytes))}));
        Sha256::digest(json!({"check_page": self.check_page, "logo": logo}).to_string()).into()
    }
}
