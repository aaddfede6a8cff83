//! What a page shows and where, read from its laid-out frames: no template can hide anything from it.

use crate::sheet::Area;
use std::collections::HashMap;
use ttf_parser::GlyphId;
use typst::foundations::Label;
use typst::layout::{Abs, Em, Frame, FrameItem, Point, Rect, Transform};
use typst::text::{FontInstance, TextItem};
use typst::utils::PicoStr;
use typst_layout::Page;

/// The part of the layout that an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Address,
    Letterhead,
    Signature,
    Other,
}

pub(crate) enum Kind<'a> {
    Text(&'a TextItem),
    Shape,
    Picture,
}

/// Something that shows.
pub(crate) struct Ink<'a> {
    /// From 0, within the letter.
    pub page: usize,
    pub block: Block,
    pub kind: Kind<'a>,
    /// What it covers.
    pub area: Area,
    /// Where it begins; of text, its baseline. Points from the left and the top.
    pub origin: Point,
}

/// Everything on these pages, in reading order.
pub(crate) fn read(pages: &[Page]) -> Vec<Ink<'_>> {
    let (address, letterhead, signature) = (label("address"), label("letterhead"), label("signature"));
    let inks = Vec::with_capacity(128);
    let mut reader = Reader { address, letterhead, signature, page: 0, boxes: Boxes::default(), inks };
    for (number, page) in pages.iter().enumerate() {
        reader.page = number;
        reader.walk(&page.frame, Transform::identity(), Block::Other);
    }
    reader.inks
}

fn label(name: &str) -> Option<Label> {
    Label::new(PicoStr::intern(name))
}

/// Bounds of glyphs, by font: a text asks for the same ones again and again, and each would be drawn for it.
#[derive(Default)]
struct Boxes(Vec<FontBoxes>);

struct FontBoxes {
    font: FontInstance,
    /// By glyph: left, bottom, right, top; none of what shows nothing.
    bounds: HashMap<u16, Option<[Em; 4]>>,
}

impl Boxes {
    /// As `TextItem::bbox`, which remembers every text that it was asked about, and never sees it again.
    fn of(&mut self, text: &TextItem) -> Rect {
        let at = self.0.iter().position(|known| known.font == text.font).unwrap_or_else(|| {
            self.0.push(FontBoxes { font: text.font.clone(), bounds: HashMap::new() });
            self.0.len() - 1
        });
        let own = &mut self.0[at].bounds;
        let (mut min, mut max) = (Point::splat(Abs::inf()), Point::splat(-Abs::inf()));
        let mut cursor = Point::zero();
        for glyph in &text.glyphs {
            let at = |x: Em, y: Em| Point::new(x.at(text.size), y.at(text.size));
            let bounds = own.entry(glyph.id).or_insert_with(|| {
                let bounds = text.font.ttf().glyph_bounding_box(GlyphId(glyph.id))?;
                Some([bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|units| text.font.to_em(units)))
            });
            if let Some([left, low, right, high]) = *bounds {
                let origin = cursor + at(glyph.x_offset, glyph.y_offset);
                let (one, other) = (origin + at(left, low), origin + at(right, high));
                (min, max) = (min.min(one).min(other), max.max(one).max(other));
            }
            cursor += at(glyph.x_advance, glyph.y_advance);
        }
        // Fonts count upwards, frames downwards.
        (min.y, max.y) = (-min.y, -max.y);
        Rect::new(min, max)
    }
}

struct Reader<'a> {
    address: Option<Label>,
    letterhead: Option<Label>,
    signature: Option<Label>,
    page: usize,
    boxes: Boxes,
    inks: Vec<Ink<'a>>,
}

impl<'a> Reader<'a> {
    fn walk(&mut self, frame: &'a Frame, outer: Transform, block: Block) {
        for (position, item) in frame.items() {
            let here = outer.pre_concat(Transform::translate(position.x, position.y));
            match item {
                FrameItem::Group(group) => {
                    let block = match group.label {
                        Some(label) if Some(label) == self.address => Block::Address,
                        Some(label) if Some(label) == self.letterhead => Block::Letterhead,
                        Some(label) if Some(label) == self.signature => Block::Signature,
                        _ => block,
                    };
                    self.walk(&group.frame, here.pre_concat(group.transform), block);
                }
                FrameItem::Text(text) => {
                    let bounds = self.boxes.of(text);
                    self.push(Kind::Text(text), bounds, here, block);
                }
                FrameItem::Shape(shape, _) => self.push(Kind::Shape, shape.bbox(true), here, block),
                FrameItem::Image(_, size, _) => {
                    self.push(Kind::Picture, Rect::from_pos_size(Point::zero(), *size), here, block);
                }
                FrameItem::Link(..) | FrameItem::Tag(_) => {}
            }
        }
    }

    fn push(&mut self, kind: Kind<'a>, bounds: Rect, here: Transform, block: Block) {
        let corners = [bounds.min, bounds.max, Point::new(bounds.min.x, bounds.max.y), Point::new(bounds.max.x, bounds.min.y)];
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for corner in corners.map(|corner| corner.transform_inf(here)) {
            let at = [corner.x.to_mm(), corner.y.to_mm()];
            for axis in 0..2 {
                low[axis] = low[axis].min(at[axis]);
                high[axis] = high[axis].max(at[axis]);
            }
        }
        let area = Area::new(low[0], low[1], high[0], high[1]);
        self.inks.push(Ink { page: self.page, block, kind, area, origin: Point::zero().transform_inf(here) });
    }
}
