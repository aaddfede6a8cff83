//! One hash over everything that a plan prepared, so that an approval of the plan approves each message's bytes.

use sha2::{Digest, Sha256};

/// Hashes prepared contents, in the order of person and channel.
#[derive(Default)]
pub struct ContentsHash(Sha256);

impl ContentsHash {
    /// Adds one channel of one person: words and hashes of fixed form, one line each.
    pub fn push(&mut self, person: &[u8; 16], channel: &str, content: &str, content_hash: &[u8], template_hash: &[u8]) {
        let line = format!("{} {channel} {content} {} {}\n", hex::encode(person), hex::encode(content_hash), hex::encode(template_hash));
        self.0.update(line);
    }

    /// SHA-256 over all lines.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
