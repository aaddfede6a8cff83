//! How many lines a text will take, before it is laid out: its words by the widths of the fonts' own glyphs, put into
//! lines as the layout puts them. Only the room between certain pairs of glyphs is left out.

use crate::{SIGNATURE, fonts};
use std::sync::LazyLock;
use typst::foundations::Bytes;
use typst::layout::Abs;
use typst::text::{Font, FontInstance, FontVariant, FontVariations};

/// Characters whose widths are kept: those of European languages and their punctuation.
const KEPT: u32 = 0x2100;
static FACES: LazyLock<Faces> = LazyLock::new(Faces::new);

struct Faces {
    bold: Vec<f64>,
    regular: Vec<f64>,
    /// For all other characters, as `fonts::FACES`.
    all: Vec<FontInstance>,
}

impl Faces {
    fn new() -> Self {
        let fonts = fonts::FACES.iter().filter_map(|data| Font::new(Bytes::new(*data), 0));
        let all: Vec<_> =
            fonts.map(|font| font.instantiate(FontVariant::default(), Abs::pt(10.0), &FontVariations::default())).collect();
        let kept = |faces: &[FontInstance]| (0..KEPT).map(|c| char::from_u32(c).map_or(0.0, |c| advance(faces, c))).collect();
        Self { bold: kept(&all), regular: kept(all.get(1..).unwrap_or_default()), all }
    }

    /// Em.
    fn width(&self, c: char, is_bold: bool) -> f64 {
        let kept = if is_bold { &self.bold } else { &self.regular };
        let width = usize::try_from(u32::from(c)).ok().and_then(|at| kept.get(at)).copied();
        width.unwrap_or_else(|| advance(self.all.get(1..).unwrap_or_default(), c))
    }
}

/// Of the first face that has the character.
fn advance(faces: &[FontInstance], c: char) -> f64 {
    let found = faces.iter().find_map(|face| face.ttf().glyph_index(c).map(|glyph| (face, glyph)));
    found.and_then(|(face, glyph)| face.x_advance(glyph.0)).map_or(0.0, |width| width.get())
}

/// The lines of a paragraph, a heading or an item; widths in em.
#[derive(Default)]
pub(crate) struct Words {
    words: Vec<Word>,
    last: Option<char>,
}

#[derive(Default)]
struct Word {
    width: f64,
    /// Room after it, where the line goes on.
    space: f64,
    /// Another word follows, or another line.
    is_whole: bool,
    /// The line ends here.
    is_last: bool,
}

impl Words {
    /// Text without markup.
    pub fn plain(text: &str, is_bold: bool) -> Self {
        let mut words = Self::default();
        text.chars().for_each(|c| words.push(c, is_bold));
        words
    }

    pub fn push(&mut self, c: char, is_bold: bool) {
        let width = FACES.width(c, is_bold);
        // A line may end inside a word.
        let splits = matches!(self.last, Some('-' | '/' | '–' | '—')) && c.is_alphabetic();
        self.last = Some(c);
        if c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{202f}') {
            if let Some(word) = self.words.last_mut() {
                (word.space, word.is_whole) = (width, true);
            }
            return;
        }
        match self.words.last_mut() {
            Some(word) if !word.is_whole && !splits => word.width += width,
            _ => self.words.push(Word { width, ..Word::default() }),
        }
    }

    pub fn end_line(&mut self) {
        if let Some(word) = self.words.last_mut() {
            (word.is_whole, word.is_last) = (true, true);
        }
    }

    /// Lines that it takes in a width.
    pub fn lines(&self, width: f64) -> f64 {
        let (mut lines, mut used, mut begins) = (0.0, 0.0, true);
        for word in &self.words {
            if begins || used + word.width > width {
                lines += 1.0;
                used = 0.0;
            }
            used += word.width + word.space;
            begins = word.is_last;
        }
        lines
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Heading,
    Item,
    Paragraph,
    Signature,
}

/// What a body's markup is made of.
pub(crate) fn blocks(markup: &str) -> Vec<(Kind, Words)> {
    let mut blocks: Vec<(Kind, Words)> = Vec::new();
    let (mut is_open, mut is_strong) = (false, false);
    for line in markup.lines().map(str::trim) {
        let (kind, text) = match line.split_once(' ') {
            Some((sign, text)) if sign.chars().all(|c| c == '=') => (Kind::Heading, text),
            Some(("-" | "+", text)) => (Kind::Item, text),
            _ => (Kind::Paragraph, line),
        };
        if line.is_empty() {
            is_open = false;
            is_strong = false;
            continue;
        }
        if line.chars().eq([SIGNATURE]) {
            blocks.push((Kind::Signature, Words::default()));
            is_open = false;
            continue;
        }
        if !is_open || kind != Kind::Paragraph {
            blocks.push((kind, Words::default()));
        }
        if let Some((kind, words)) = blocks.last_mut() {
            words.push(' ', false);
            push_markup(words, text, *kind == Kind::Heading, &mut is_strong);
            is_open = *kind != Kind::Heading;
        }
    }
    blocks
}

fn push_markup(words: &mut Words, text: &str, is_heading: bool, is_strong: &mut bool) {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let c = match c {
            '\\' => match characters.next() {
                Some(c) if !c.is_whitespace() => c,
                _ => {
                    words.end_line();
                    continue;
                }
            },
            '*' => {
                *is_strong = !*is_strong;
                continue;
            }
            '_' => continue,
            '~' => '\u{a0}',
            c => c,
        };
        words.push(c, is_heading || *is_strong);
    }
}
