//! A report as PDF/A-2a and PDF/UA-1, the same bytes each time.

use super::Document;
use duly_letter::LetterError;
use serde_json::json;

/// How a report is laid out.
const FORMAT: &str = include_str!("page.typ");

/// The report as PDF; `ident` is its stable identity.
pub fn pdf(document: &Document, ident: &str) -> Result<Vec<u8>, LetterError> {
    duly_letter::document(FORMAT, &json!(document), ident)
}
