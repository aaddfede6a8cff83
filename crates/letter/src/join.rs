//! Finished letters as one PDF for a print house: their pages as they are, so that what is printed is what was approved.
//! It has no tags: it is made for a press, and whoever listens to a letter has the letter's own PDF, which does.

use crate::LetterError;
use krilla::page::PageSettings;
use krilla::pdf::{Pdf, PdfDocument};
use krilla::{Document, SerializeSettings};
use std::sync::Arc;

/// Letters in one PDF.
pub struct Joined {
    /// The PDF, the same bytes each time.
    pub pdf: Vec<u8>,
    /// First and last page of each letter, from 1, in order.
    pub pages: Vec<(usize, usize)>,
}

/// Pages of a PDF that others made; `None` where it cannot be read.
pub fn count_pages(pdf: &[u8]) -> Option<u32> {
    let pages = Pdf::new(pdf.to_vec()).ok()?.pages().len();
    u32::try_from(pages).ok().filter(|pages| *pages > 0)
}

/// Joins letters. Each begins on a front page: after an odd last page an empty one follows.
pub fn join(letters: &[&[u8]]) -> Result<Joined, LetterError> {
    let mut document =
        Document::new_with(SerializeSettings { xmp_metadata: false, enable_tagging: false, ..SerializeSettings::default() });
    let (mut pages, mut next) = (Vec::with_capacity(letters.len()), 1);
    for letter in letters {
        let pdf = Pdf::new(letter.to_vec()).map_err(|_| LetterError::Joined)?;
        let count = pdf.pages().len();
        let (width, height) = pdf.pages().last().ok_or(LetterError::Joined)?.render_dimensions();
        document.embed_pdf_pages(&PdfDocument::new(Arc::new(pdf)), &(0..count).collect::<Vec<_>>());
        if !count.is_multiple_of(2) {
            document.start_page_with(PageSettings::from_wh(width, height).ok_or(LetterError::Joined)?).finish();
        }
        pages.push((next, next + count - 1));
        next += count.next_multiple_of(2);
    }
    Ok(Joined { pdf: document.finish().map_err(|_| LetterError::Joined)?, pages })
}
