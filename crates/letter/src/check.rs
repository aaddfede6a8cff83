//! Reads the laid-out pages: every character has a glyph, the address and nothing else lies in the window.

use crate::{LetterError, PAGES_MAX};
use std::collections::BTreeSet;
use typst::layout::{Frame, FrameItem, Point};
use typst_layout::PagedDocument;

/// The window of a UK DL envelope as the print zone allows it, mm from the page's edge: left, top, right, bottom.
const WINDOW: [f64; 4] = [22.0, 50.0, 112.0, 82.0];
/// Where the letter puts its address block, mm.
const ADDRESS: [f64; 4] = [23.5, 51.5, 110.5, 80.5];

pub(crate) fn check(document: &PagedDocument) -> Result<(), LetterError> {
    let pages = document.pages();
    if pages.len() > PAGES_MAX {
        return Err(LetterError::TooManyPages(pages.len()));
    }
    if let Some(page) = pages.first() {
        walk(&page.frame, Point::zero(), &mut |item, at| {
            let FrameItem::Text(text) = item else { return Ok(()) };
            let (x, y) = (at.x.to_mm(), at.y.to_mm());
            let end = x + text.width().to_mm();
            let touches = x < WINDOW[2] && end > WINDOW[0] && y > WINDOW[1] && y < WINDOW[3];
            let is_inside = x >= ADDRESS[0] && end <= ADDRESS[2] && (ADDRESS[1]..=ADDRESS[3]).contains(&y);
            if touches && !is_inside { Err(LetterError::OutsideWindow) } else { Ok(()) }
        })?;
    }
    check_glyphs(document)
}

pub(crate) fn check_glyphs(document: &PagedDocument) -> Result<(), LetterError> {
    let mut missing = BTreeSet::new();
    for page in document.pages() {
        walk(&page.frame, Point::zero(), &mut |item, _| {
            let FrameItem::Text(text) = item else { return Ok(()) };
            for glyph in text.glyphs.iter().filter(|g| g.id == 0) {
                missing.extend(text.text.get(glyph.range()).unwrap_or_default().chars());
            }
            Ok(())
        })?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let codes: Vec<String> = missing.into_iter().map(|c| format!("U+{:04X}", u32::from(c))).collect();
    Err(LetterError::MissingGlyph(codes.join(" ")))
}

fn walk(
    frame: &Frame,
    origin: Point,
    visit: &mut impl FnMut(&FrameItem, Point) -> Result<(), LetterError>,
) -> Result<(), LetterError> {
    for (position, item) in frame.items() {
        let at = origin + *position;
        visit(item, at)?;
        if let FrameItem::Group(group) = item {
            walk(&group.frame, at, visit)?;
        }
    }
    Ok(())
}
