//! What a page shows and where, read from its laid-out frames: no template can hide anything from it.

use crate::sheet::Area;
use typst::foundations::Label;
use typst::layout::{Frame, FrameItem, Point, Rect, Transform};
use typst::text::TextItem;
use typst::utils::PicoStr;
use typst_layout::Page;

/// The part of the layout that an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Address,
    Letterhead,
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
    let mut reader =
        Reader { address: label("address"), letterhead: label("letterhead"), page: 0, inks: Vec::with_capacity(128) };
    for (number, page) in pages.iter().enumerate() {
        reader.page = number;
        reader.walk(&page.frame, Transform::identity(), Block::Other);
    }
    reader.inks
}

fn label(name: &str) -> Option<Label> {
    Label::new(PicoStr::intern(name))
}

struct Reader<'a> {
    address: Option<Label>,
    letterhead: Option<Label>,
    page: usize,
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
                        _ => block,
                    };
                    self.walk(&group.frame, here.pre_concat(group.transform), block);
                }
                FrameItem::Text(text) => self.push(Kind::Text(text), text.bbox(), here, block),
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
