//! Text as people write it, without what no reader can see: the form in which values are committed to.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Marks on one letter; written languages need no more, and more would climb over other lines.
const MARKS_MAX: usize = 4;

/// NFC, without controls, bidi marks, invisible characters and stray marks; white space becomes one space.
pub fn clean(text: &str) -> String {
    let spaced = if text.is_ascii() { plain(text) } else { visible(text) };
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || c.is_whitespace()).collect()
}

fn visible(text: &str) -> String {
    let composed: Vec<char> = text.chars().filter(|c| !is_invisible(*c)).nfc().collect();
    let mut kept = String::with_capacity(text.len());
    let (mut marks, mut has_base) = (0, false);
    for (i, c) in composed.iter().copied().enumerate() {
        if is_combining_mark(c) {
            marks += 1;
            if !has_base || marks > MARKS_MAX {
                continue;
            }
        } else if matches!(c, '\u{200c}' | '\u{200d}') {
            // Joiners shape words of Persian and Indian scripts; anywhere else they are litter.
            let joins = |c: Option<&char>| c.is_some_and(|c| !c.is_ascii() && (c.is_alphabetic() || is_combining_mark(*c)));
            if !joins(i.checked_sub(1).and_then(|i| composed.get(i))) || !joins(composed.get(i + 1)) {
                continue;
            }
        } else {
            (marks, has_base) = (0, !c.is_whitespace());
        }
        kept.push(c);
    }
    kept
}

/// For terminals and pages: what would move the cursor, turn letters around or hide them is written as its number.
pub(crate) fn shown(text: &str) -> String {
    let escaped = |c: char| if c.is_control() || is_invisible(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// Controls, bidi marks and embeddings, zero-width and tag characters, variation selectors.
fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A cell for a CSV file of ours: what a spreadsheet would run as a formula gets an apostrophe.
pub fn guard_formula(cell: &str) -> String {
    if starts_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// Takes the apostrophe of `guard_formula` off again.
pub fn unguard_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| starts_formula(rest)).unwrap_or(cell)
}

fn starts_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}
