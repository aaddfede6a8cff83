//! How a letter is set so that it fits: a letter in standard print on one page for each language, with as much room between
//! lines as that allows; the address in its block; date and reference beside the window. Guessed before, because a layout that has to
//! find out costs twice as much as one that is told; a guess that does not hold is noticed, and the next one is tried.

use crate::hygiene::tidy;
use crate::reckon::{Kind, Words, blocks};
use crate::sheet::Zones;
use crate::{Labels, Letter, LetterError, Print};
use serde_json::{Value, json};

/// Of a point.
const MM: f64 = 25.4 / 72.0;

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
        let air = airs(letter).next();
        Self {
            air: air.unwrap_or(loose(letter)),
            address: WAYS.iter().find(|way| way.may_fit(letter)).unwrap_or(&WAYS[WAYS.len() - 1]),
            is_whole_head: has_whole_head(letter),
            pages: air.map(|_| letter.parts().count()),
        }
    }

    /// Whether so many pages are what was guessed.
    pub fn holds(self, pages: usize) -> bool {
        self.pages.is_none_or(|wanted| wanted == pages)
    }

    /// For a letter that has more pages than one.
    pub fn closer(self, letter: &Letter<'_>) -> Self {
        let closer = airs(letter).find(|air| air.size < self.air.size);
        Self { air: closer.unwrap_or(loose(letter)), pages: closer.and(self.pages), ..self }
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
        let em = self.size_pt * MM;
        // The second line of one that is too long is indented, and so is measured as if all were.
        let width = (block.right - block.left - 4.0) / em;
        let lines: f64 = letter.address.iter().map(|line| Words::plain(&tidy(line), false).lines(width)).sum();
        lines * (LINE + self.leading) - self.leading + DESCENT <= (block.bottom - block.top) / em
    }
}

/// Whether date, reference and check page have room below the sender's lines: those are set in 10 pt.
fn has_whole_head(letter: &Letter<'_>) -> bool {
    let zones: &Zones = letter.sheet.zones();
    let em = 10.0 * MM;
    let width = zones.width - zones.margins[2] - zones.letterhead.left - 1.0;
    let lines = particulars(letter, 0, width / em);
    let count: f64 = lines.iter().sum();
    let (gaps, code) = if letter.check_page.is_some() { (2.0 * 0.75, 24.0 + 2.5) } else { (0.75, 0.0) };
    let height = sender(letter, width) + (count * (LINE + 0.5) + gaps) * em + 5.0 + code + 2.0;
    letter.print == Print::Standard && !letter.letterhead.discreet && height <= zones.letterhead.bottom - zones.letterhead.top
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

/// Easy read stands one and a half lines apart (Department of Health, Making written information easier to understand for
/// people with learning disabilities, 2010).
const EASY: Air = Air { size: 1.0, leading: 0.79, spacing: 1.3, above_heading: 1.6, below_heading: 0.9, item: 0.95 };

/// How a letter is set that need not fit a page.
fn loose(letter: &Letter<'_>) -> &'static Air {
    if letter.print == Print::Easy { &EASY } else { &AIRS[0] }
}

/// Height of a signature, mm.
pub(crate) const SIGNATURE_MM: f64 = 13.0;
/// Height of a line without its leading, em.
const LINE: f64 = 0.714;
/// Sizes of the title and of headings: Typst's own times the layout's.
const TITLE: f64 = 1.4 * 1.12;
const HEADING: f64 = 1.2 * 1.02;
/// Indent, sign and gap of an item.
const INDENT: f64 = 0.2 + 0.38 + 0.5;
/// How far the reckoning may be wrong: a layout too many costs less than a letter that stands closer than it need.
const DOUBT: f64 = 0.2;

impl Air {
    fn value(&self) -> Value {
        json!({
            "size": self.size, "leading": self.leading, "spacing": self.spacing,
            "above": self.above_heading, "below": self.below_heading, "item": self.item,
        })
    }

    /// Height of a language's title and text, em; an em in mm.
    fn height(&self, part: &Reckoned, width: f64, em: f64) -> f64 {
        let mut height = part.title.lines(width / TITLE) * LINE * TITLE + TITLE;
        let mut before = None;
        for (kind, words) in &part.blocks {
            let lines = |size: f64, indent: f64| {
                let lines = words.lines((width - indent) / size);
                size * (lines * LINE + (lines - 1.0) * self.leading)
            };
            height += match kind {
                Kind::Heading => lines(HEADING, 0.0),
                Kind::Item => lines(1.0, INDENT),
                Kind::Paragraph => lines(1.0, 0.0),
                Kind::Signature => SIGNATURE_MM / em,
            };
            height += before.map_or(0.0, |before| self.gap(before, *kind));
            before = Some(*kind);
        }
        height
    }

    fn gap(&self, before: Kind, after: Kind) -> f64 {
        match (before, after) {
            (_, Kind::Heading) => self.above_heading * HEADING,
            (Kind::Heading, _) => self.below_heading * HEADING,
            (Kind::Item, Kind::Item) => self.item,
            _ => self.spacing,
        }
    }
}

/// A language of a letter.
struct Reckoned {
    title: Words,
    blocks: Vec<(Kind, Words)>,
}

/// What a letter may be set in, airiest first; none where it has more pages than languages.
fn airs(letter: &Letter<'_>) -> impl Iterator<Item = &'static Air> {
    let zones = letter.sheet.zones();
    let [left, top, right, bottom] = zones.margins;
    let parts: Vec<Reckoned> = letter
        .parts()
        .filter(|_| letter.print == Print::Standard)
        .map(|part| Reckoned { title: Words::plain(&tidy(part.title), true), blocks: blocks(part.body) })
        .collect();
    let whole_head = has_whole_head(letter);
    AIRS.iter().filter(move |air| {
        let em = air.size * letter.print.body_pt() * MM;
        let width = (zones.width - left - right) / em;
        let fits = |(number, part): (usize, &Reckoned)| {
            // A second language begins at the head of its page, below date and reference.
            let top = if number == 0 { zones.body_top } else { top };
            let opening = if number > 0 || !whole_head { opening(letter, number, em) } else { 0.0 };
            opening + air.height(part, width, em) <= (zones.height - bottom - top) / em + DOUBT
        };
        !parts.is_empty() && parts.iter().enumerate().all(fits)
    })
}

/// Height of what stands above a title, em: date, reference and where to check, beside the code and the sender.
fn opening(letter: &Letter<'_>, number: usize, em: f64) -> f64 {
    let zones = letter.sheet.zones();
    let is_beside = number == 0 && letter.letterhead.discreet;
    let code = if letter.check_page.is_some() { 24.0 } else { 0.0 };
    let all = zones.width - zones.margins[0] - zones.margins[2];
    let logo = if letter.letterhead.logo.is_some() && is_beside { 16.0 } else { 0.0 };
    let (own, sender) = if is_beside {
        let flexible = all - code - logo - 3.0 * 6.0;
        (flexible * 1.2 / 2.2, sender(letter, flexible / 2.2))
    } else {
        (all - code - 6.0, 0.0)
    };
    let lines = particulars(letter, number, own / em);
    let gaps = if lines.len() > 2 { 2.0 } else { 1.0 };
    let count: f64 = lines.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "three lines")]
    let height = count * LINE + (count - lines.len() as f64) * 0.5 + gaps * 0.75;
    height.max(code / em).max(logo / em).max(sender / em) + 1.2 + 0.6
}

/// Lines of date, reference and check page, each.
fn particulars(letter: &Letter<'_>, number: usize, width: f64) -> Vec<f64> {
    let Some(Labels { date, reference, check, .. }) = letter.parts().nth(number).map(|part| part.labels) else {
        return Vec::new();
    };
    let mut texts = vec![date.to_owned(), format!("{reference}: {}", letter.reference_code)];
    texts.extend(letter.check_page.map(|url| format!("{check}: {}", url.strip_prefix("https://").unwrap_or(url))));
    texts.iter().map(|text| Words::plain(&tidy(text), false).lines(width)).collect()
}

/// Height of the sender's lines, mm.
fn sender(letter: &Letter<'_>, width: f64) -> f64 {
    let em = 10.0 * MM;
    let lines = |(n, line): (usize, &String)| {
        if n == 0 {
            Words::plain(&tidy(line), true).lines(width / em / 1.15) * 1.15
        } else {
            Words::plain(&tidy(line), false).lines(width / em)
        }
    };
    let count: f64 = letter.letterhead.lines.iter().enumerate().map(lines).sum();
    (count * (LINE + 0.5) + 0.2) * em
}
