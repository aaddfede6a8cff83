//! Marks that Typst sets apart: a mark that is raised from its letter becomes a run of its own, whose text repeats the
//! letter. Here the letter keeps the letter and the mark the mark, so that who reads the file reads each once.

use std::collections::HashMap;
use typst::layout::{Abs, Frame, FrameItem};
use typst::model::Document;
use typst::text::TextItem;
use typst_layout::PagedDocument;

/// Whether a mark stands apart.
pub(crate) fn is_needed(document: &PagedDocument) -> bool {
    fn has_mark(frame: &Frame) -> bool {
        frame.items().any(|(_, item)| match item {
            FrameItem::Group(group) => has_mark(&group.frame),
            FrameItem::Text(text) => is_mark(text),
            _ => false,
        })
    }
    document.pages().iter().any(|page| has_mark(&page.frame))
}

/// The document with each mark's text its own.
pub(crate) fn mend(document: &PagedDocument) -> PagedDocument {
    let pages = document.pages().iter().cloned().map(|mut page| {
        frame(&mut page.frame);
        page
    });
    PagedDocument::new(pages.collect(), document.info().clone())
}

fn is_mark(text: &TextItem) -> bool {
    text.text.chars().nth(1).is_some() && text.width() == Abs::zero()
}

fn frame(of: &mut Frame) {
    // By the place in the source: how much of the cluster is the letter's.
    let mut letters = HashMap::new();
    of.retain(|item| {
        match item {
            FrameItem::Group(group) => frame(&mut group.frame),
            FrameItem::Text(text) if is_mark(text) => {
                for glyph in &mut text.glyphs {
                    let cluster = text.text.get(glyph.range()).unwrap_or_default();
                    if let Some((letter, _)) = cluster.char_indices().skip(1).last()
                        && let Ok(length) = u16::try_from(letter)
                    {
                        glyph.range.start += length;
                        letters.insert(glyph.span, length);
                    }
                }
            }
            _ => {}
        }
        true
    });
    if letters.is_empty() {
        return;
    }
    of.retain(|item| {
        if let FrameItem::Text(text) = item
            && !is_mark(text)
        {
            for glyph in &mut text.glyphs {
                if let Some(length) = letters.get(&glyph.span) {
                    glyph.range.end = glyph.range.end.min(glyph.range.start + length);
                }
            }
        }
        true
    });
}
