//! How a letter is set so that it fits: a letter in standard print on one page for each language, with as much room between
//! lines as that allows; the address in its block; date and reference beside the window. Guessed before, because a layout that has to
//! find out costs twice as much as one that is told; a guess that does not hold is noticed, and the next one is tried.

use crate::hygiene::tidy;
use crate::sheet::Zones;
use crate::{Letter, LetterError, Part, Print};
use serde_json::{Value, json};

/// How one letter is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    air: &'static Air,
    address: &'static Way,
    /// Date and reference stand beside the window, below the sender.
    is_whole_head: bool,
    /// Pages that it should have: one for each language. A single page's number need not be found out.
    pages: Option<usize>,
}

impl Fit {
    pub fn guess(letter: &Letter<'_>) -> Self {
        let air = AIRS.iter().find(|air| air.may_fit(letter));
        Self {
            air: air.unwrap_or(&AIRS[0]),
            address: WAYS.iter().find(|way| way.may_fit(letter)).unwrap_or(&WAYS[WAYS.len() - 1]),
            is_whole_head: letter.print == Print::Standard && !letter.letterhead.discreet && head_may_fit(letter),
            pages: air.map(|_| letter.parts().count()),
        }
    }

    /// Whether so many pages are what was guessed.
    pub fn holds(self, pages: usize) -> bool {
        self.pages.is_none_or(|wanted| wanted == pages)
    }

    /// In a batch each page's number is found out.
    pub fn in_batch(self) -> Self {
        Self { pages: None, ..self }
    }

    /// For a letter that has more pages than one.
    pub fn closer(self, letter: &Letter<'_>) -> Self {
        let closer = AIRS.iter().skip_while(|air| **air != *self.air).skip(1).find(|air| air.may_fit(letter));
        Self { air: closer.unwrap_or(&AIRS[0]), pages: closer.and(self.pages), ..self }
    }

    /// For a letter that was refused, where another guess may do.
    pub fn after(self, refused: &LetterError) -> Option<Self> {
        match refused {
            LetterError::AddressOverflow(_) => {
                let next = WAYS.iter().skip_while(|way| **way != *self.address).nth(1);
                next.map(|address| Self { address, ..self })
            }
            LetterError::LetterheadOverflow(_) | LetterError::OnFold(_) if self.is_whole_head => {
                Some(Self { is_whole_head: false, ..self })
            }
            _ => None,
        }
    }

    /// What the layout needs to know.
    pub fn value(&self) -> Value {
        json!({
            "air": self.air.value(), "whole_head": self.is_whole_head, "one_page": self.pages == Some(1),
            "address": { "size": self.address.size_pt, "leading": self.address.leading },
        })
    }
}

/// Size and leading of the address block, airiest first.
#[derive(Debug, PartialEq)]
struct Way {
    size_pt: f64,
    /// Em.
    leading: f64,
}

const WAYS: [Way; 3] =
    [Way { size_pt: 10.5, leading: 0.56 }, Way { size_pt: 10.5, leading: 0.4 }, Way { size_pt: 10.0, leading: 0.34 }];
/// What hangs below the last line, em.
const DESCENT: f64 = 0.24;

impl Way {
    fn may_fit(&self, letter: &Letter<'_>) -> bool {
        let block = &letter.sheet.zones().address;
        let em = self.size_pt * 25.4 / 72.0;
        let lines: f64 =
            letter.address.iter().map(|line| lines(tidy(line).chars().count(), (block.right - block.left) / em)).sum();
        lines * (LINE + self.leading) - self.leading + DESCENT <= (block.bottom - block.top) / em
    }
}

/// Whether date, reference and check page have room below the sender's lines: those are set in 10 pt.
fn head_may_fit(letter: &Letter<'_>) -> bool {
    const LEADING: f64 = 0.5;
    let zones: &Zones = letter.sheet.zones();
    let em = 10.0 * 25.4 / 72.0;
    let width = (zones.width - zones.margins[2] - zones.letterhead.left) / em - 1.0;
    let sender: f64 = letter.letterhead.lines.iter().map(|line| lines(tidy(line).chars().count(), width)).sum();
    // Date, reference; where to check, in two lines, and the QR code of 24 mm.
    let (more, picture) = if letter.check_page.is_some() { (4.0, 24.0) } else { (2.0, 0.0) };
    let gaps = 4.0 + 8.0 / em;
    (sender + more) * (LINE + LEADING) + gaps + picture / em <= (zones.letterhead.bottom - zones.letterhead.top) / em
}

/// Lines that so many characters take, at least, in a width in em.
fn lines(characters: usize, width: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "characters of a paragraph")]
    let lines = (characters as f64 * CHARACTER / width).ceil();
    lines
}

/// Sizes and gaps, all but the first in em of the text. A letter that fits no page stands in the first.
#[derive(Debug, PartialEq)]
struct Air {
    /// Of the print's size.
    size: f64,
    leading: f64,
    /// Between paragraphs.
    spacing: f64,
    above_heading: f64,
    below_heading: f64,
    /// Between the items of a list.
    item: f64,
}

const AIRS: [Air; 3] = [
    Air { size: 1.0, leading: 0.62, spacing: 1.05, above_heading: 1.4, below_heading: 0.7, item: 0.7 },
    Air { size: 10.2 / 10.5, leading: 0.55, spacing: 0.9, above_heading: 1.15, below_heading: 0.6, item: 0.6 },
    Air { size: 10.0 / 10.5, leading: 0.48, spacing: 0.72, above_heading: 0.92, below_heading: 0.5, item: 0.5 },
];

/// Height of a line without its leading, em.
const LINE: f64 = 0.71;
/// Least mean width of a character in running text, em.
const CHARACTER: f64 = 0.45;
/// What the title takes, and what the reckoning leaves out at least, em: measured over all shipped letters.
const BESIDES: f64 = 5.8;

impl Air {
    fn value(&self) -> Value {
        json!({
            "size": self.size, "leading": self.leading, "spacing": self.spacing,
            "above": self.above_heading, "below": self.below_heading, "item": self.item,
        })
    }

    /// Whether each language may fit on one page so: reckoned low, as a layout that is not needed costs as much as one that is.
    fn may_fit(&self, letter: &Letter<'_>) -> bool {
        let zones = letter.sheet.zones();
        let em = self.size * letter.print.body_pt() * 25.4 / 72.0;
        let [left, _, right, bottom] = zones.margins;
        let fits = |part: &Part<'_>, top: f64| {
            BESIDES + self.height(part.body, (zones.width - left - right) / em) <= (zones.height - bottom - top) / em
        };
        // A second language begins at the head of its page, below date and reference.
        let rest = letter.translation.as_ref();
        letter.print == Print::Standard
            && fits(&letter.part, zones.body_top)
            && rest.is_none_or(|part| fits(part, zones.margins[1]))
    }

    /// Height of a text, em, at least.
    fn height(&self, text: &str, width: f64) -> f64 {
        let (mut height, mut before) = (0.0, None);
        for (kind, characters) in blocks(text) {
            let lines = lines(characters, width);
            height += lines * LINE + (lines - 1.0) * self.leading + before.map_or(0.0, |before| self.gap(before, kind));
            before = Some(kind);
        }
        height
    }

    fn gap(&self, before: Block, after: Block) -> f64 {
        match (before, after) {
            (_, Block::Heading) => self.above_heading,
            (Block::Heading, _) => self.below_heading,
            (Block::Item, Block::Item) => self.item,
            _ => self.spacing,
        }
    }
}

#[derive(Clone, Copy)]
enum Block {
    Heading,
    Item,
    Paragraph,
}

/// What a body's markup is made of, and how many characters each has.
fn blocks(text: &str) -> Vec<(Block, usize)> {
    let mut blocks: Vec<(Block, usize)> = Vec::new();
    let mut is_open = false;
    for line in text.lines().map(str::trim) {
        let kind = match line {
            _ if line.starts_with('=') => Block::Heading,
            _ if line.starts_with("- ") || line.starts_with("+ ") => Block::Item,
            _ => Block::Paragraph,
        };
        let characters = line.chars().filter(|c| *c != '\\').count();
        match blocks.last_mut() {
            Some((_, own)) if is_open && matches!(kind, Block::Paragraph) => *own += characters,
            _ if !line.is_empty() => blocks.push((kind, characters)),
            _ => {}
        }
        is_open = !line.is_empty() && !matches!(kind, Block::Heading) && !line.ends_with('\\');
    }
    blocks
}
