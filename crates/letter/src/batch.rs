//! Letters as one PDF for a print house, with a manifest of what lies where.

use crate::{Letter, LetterError, Sheet, Typesetter, check, ink, pdf};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Letters that one batch may have.
pub const BATCH_MAX: usize = 100;

/// Letters in one PDF. Each begins on a front page: after an odd last page an empty one follows.
pub struct Batch {
    /// PDF/A-2a and PDF/UA-1, the same bytes each time.
    pub pdf: Vec<u8>,
    /// What lies where, in order.
    pub manifest: Vec<Entry>,
}

/// One letter of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The letter's identity.
    pub ident: String,
    /// First page in the batch, from 1.
    pub first_page: usize,
    /// Last page in the batch.
    pub last_page: usize,
    /// SHA-256 of the letter's own PDF, as `typeset` makes it, in hex.
    pub sha256: String,
}

/// Why a batch was refused.
#[derive(Debug, thiserror::Error)]
#[error("letter {number} of the batch was refused")]
pub struct BatchError {
    /// From 1; of a fault of the whole batch, 1.
    pub number: usize,
    /// Why.
    pub source: LetterError,
}

impl Batch {
    /// The manifest as JSON, one letter a line.
    pub fn manifest_json(&self) -> String {
        let lines: Vec<String> = self.manifest.iter().map(|entry| serde_json::json!(entry).to_string()).collect();
        format!("[\n{}\n]\n", lines.join(",\n"))
    }
}

impl Typesetter {
    /// Typesets letters that share sheet, pictures and check page into one PDF. Each is typeset alone too, for its hash, and
    /// must print the same in both. `ident` is the batch's stable identity, and its title.
    pub fn batch(&mut self, letters: &[Letter<'_>], ident: &str) -> Result<Batch, BatchError> {
        let refused = |number: usize| move |source| BatchError { number: number + 1, source };
        let first = letters.first().ok_or(LetterError::Batch).map_err(refused(0))?;
        if letters.len() > BATCH_MAX || letters.iter().any(|letter| shared(letter) != shared(first)) {
            return Err(refused(0)(LetterError::Batch));
        }
        let mut alone = Vec::with_capacity(letters.len());
        for (number, letter) in letters.iter().enumerate() {
            alone.push(self.typeset(letter).map_err(refused(number))?);
        }
        let set: Vec<_> = letters.iter().zip(&alone).map(|(letter, typeset)| (letter, typeset.fit.in_batch())).collect();
        let document = self.lay_out(ident, &set).map_err(refused(0))?;
        let (mut manifest, mut next) = (Vec::with_capacity(letters.len()), 0);
        for (number, (letter, typeset)) in letters.iter().zip(alone).enumerate() {
            let pages = typeset.pages as usize;
            let own = document.pages().get(next..next + pages).ok_or(LetterError::BatchDiffers).map_err(refused(number))?;
            let printed = check::check(letter, &ink::read(own), pages).map_err(refused(number))?;
            if printed != typeset.printed {
                return Err(refused(number)(LetterError::BatchDiffers));
            }
            let sha256 = Sha256::digest(&typeset.pdf).iter().map(|byte| format!("{byte:02x}")).collect();
            manifest.push(Entry { ident: letter.ident.to_owned(), first_page: next + 1, last_page: next + pages, sha256 });
            next += pages.next_multiple_of(2);
        }
        let pdf = pdf(&document, ident).map_err(refused(0));
        // A batch is hundreds of pages that nobody lays out again.
        comemo::evict(0);
        Ok(Batch { pdf: pdf?, manifest })
    }
}

/// What the letters of a batch have in common.
fn shared<'a>(letter: &Letter<'a>) -> (Sheet, [Option<&'a [u8]>; 2], Option<&'a str>) {
    let pictures = [letter.letterhead.logo, letter.letterhead.signature];
    (letter.sheet, pictures.map(|picture| picture.map(|picture| picture.bytes)), letter.check_page)
}
