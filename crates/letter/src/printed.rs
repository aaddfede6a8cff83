//! The text of the laid-out pages, so that what was checked can be compared with what is printed.

use crate::escape::is_right_to_left;
use crate::ink::{Block, Ink, Kind};
use typst::layout::{Abs, Dir};
use typst::text::TextItem;

/// What a letter prints.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    /// All text in reading order, each printed line a line; a page's last line is its number.
    pub text: String,
    /// The lines in the window.
    pub address: String,
    /// The smallest size of type, pt.
    pub smallest_pt: f64,
}

pub(crate) fn printed(inks: &[Ink<'_>]) -> Printed {
    let (mut text, mut address) = (Text::default(), Text::default());
    let mut smallest_pt = f64::INFINITY;
    for ink in inks {
        let Kind::Text(item) = ink.kind else { continue };
        smallest_pt = smallest_pt.min(item.size.to_pt());
        text.push(ink, item);
        if ink.block == Block::Address {
            address.push(ink, item);
        }
    }
    Printed { text: text.end(), address: address.end(), smallest_pt }
}

/// Lines, each gathered run by run from left to right.
#[derive(Default)]
struct Text<'a> {
    done: String,
    line: Vec<Run<'a>>,
    /// Page and baseline of the line, and where its last run ended.
    at: Option<(usize, Abs, Abs)>,
}

struct Run<'a> {
    item: &'a TextItem,
    /// Whether there is room before it.
    is_apart: bool,
}

impl<'a> Text<'a> {
    fn push(&mut self, ink: &Ink<'a>, item: &'a TextItem) {
        let mut is_apart = false;
        if let Some((page, baseline, end)) = self.at {
            if page == ink.page && (baseline - ink.origin.y).abs() < item.size * 0.4 {
                is_apart = ink.origin.x - end > item.size * 0.15;
            } else {
                self.end_line();
                self.done.push('\n');
            }
        }
        self.line.push(Run { item, is_apart });
        self.at = Some((ink.page, ink.origin.y, ink.origin.x + item.width()));
    }

    fn end(mut self) -> String {
        self.end_line();
        self.done
    }

    /// Runs stand from left to right; of a line, those against its direction are read from their far end.
    fn end_line(&mut self) {
        let is_rtl_line = self.line.first().is_some_and(|run| run.item.lang.dir() == Dir::RTL);
        if is_rtl_line {
            self.line.reverse();
        }
        let against = |run: &Run<'_>| {
            let rtl = run.item.text.chars().any(is_right_to_left);
            if is_rtl_line { !rtl && run.item.text.chars().any(char::is_alphabetic) } else { rtl }
        };
        let mut from = 0;
        while let Some(start) = self.line[from..].iter().position(against).map(|n| n + from) {
            let with = |run: &Run<'_>| against(run) || !run.item.text.chars().any(char::is_alphabetic);
            let run = self.line[start..].iter().take_while(|run| with(run)).count();
            let last = self.line[start..start + run].iter().rposition(against).unwrap_or_default();
            self.line[start..=start + last].reverse();
            from = start + last + 1;
        }
        for run in self.line.drain(..) {
            if run.is_apart {
                self.done.push(' ');
            }
            self.done.push_str(&shown(run.item));
        }
    }
}

/// The text that the run's glyphs stand for.
fn shown(item: &TextItem) -> String {
    let mut is_shown = vec![false; item.text.len()];
    for glyph in &item.glyphs {
        if let Some(own) = is_shown.get_mut(glyph.range()) {
            own.fill(true);
        }
    }
    item.text.char_indices().filter(|(at, _)| is_shown[*at]).map(|(_, c)| c).collect()
}
