//! How a controller's letters look beside their words.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Bytes of a logo or a signature, at most: it lies in every letter.
pub const PICTURE_BYTES_MAX: usize = 32 * 1024;

/// A picture, SVG or PNG, and what it shows for who cannot see it.
pub type Picture = (Arc<[u8]>, String);

/// Logo, signature and check page of a controller's letters; without any by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Beside the window.
    pub logo: Option<Picture>,
    /// Scanned, above the name of who signs.
    pub signature: Option<Picture>,
    /// Public page that tells how to check a letter, the same for everybody.
    pub check_page: Option<String>,
}

impl Look {
    /// SHA-256 over all of it: its name in plans and evidence.
    pub fn hash(&self) -> [u8; 32] {
        let picture = |(bytes, alt): &Picture| json!({"alt": alt, "sha256": hex::encode(Sha256::digest(bytes))});
        let mut look = json!({"check_page": self.check_page, "logo": self.logo.as_ref().map(picture)});
        // A look without one keeps the name that plans know it by.
        if let Some(signature) = &self.signature {
            look["signature"] = picture(signature);
        }
        Sha256::digest(look.to_string()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_without_a_signature_keeps_its_name_and_each_picture_makes_another() {
        let look = Look { check_page: Some("https://northmere.example/check".to_owned()), ..Look::default() };
        let known: [u8; 32] = Sha256::digest(r#"{"check_page":"https://northmere.example/check","logo":null}"#).into();
        assert_eq!(look.hash(), known);
        let picture = || Some((Arc::from(b"<svg/>".as_slice()), "Ruth Amis".to_owned()));
        let signed = Look { signature: picture(), ..look.clone() };
        let badged = Look { logo: picture(), ..look };
        assert!(signed.hash() != known && badged.hash() != known && signed.hash() != badged.hash());
    }
}
