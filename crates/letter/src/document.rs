//! Documents that are no letters: a page of this program's own Typst, and data.

use crate::world::LetterWorld;
use crate::{LetterError, check, ink, pdf};
use serde_json::Value;
use typst_layout::PagedDocument;

/// Lays out, checks and exports a document. `source` is Typst of this program, never of anybody's; it reads the data by
/// `json("/data.json")`, where no value is markup, whatever it holds.
pub fn document(source: &'static str, data: &Value, ident: &str) -> Result<Vec<u8>, LetterError> {
    let world = LetterWorld::document(source, data).ok_or(LetterError::Typst)?;
    let compiled = typst::compile(&world).output.map_err(|_| LetterError::Typst);
    let exported = compiled.and_then(|document: PagedDocument| {
        check::glyphs(&ink::read(document.pages()))?;
        pdf(&document, ident)
    });
    // Data may be a secret, and Typst remembers what it laid out.
    comemo::evict(0);
    exported
}
