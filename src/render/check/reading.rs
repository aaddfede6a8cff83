//! A rendered text, read once: the forms of it that all rules search.
//!
//! Patterns look at `plain`, which is ASCII, so that a name such as Siân slows no rule down and no look-alike hides a word.

use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;

/// Stands for a letter beyond ASCII; no pattern names it.
pub(super) const LETTER: char = 'q';
/// Stands for any other sign beyond ASCII: no letter, no space.
const SIGN: char = '\u{1}';

/// A text in the forms in which rules search it.
#[derive(Debug)]
pub struct Reading<'a> {
    plain: Cow<'a, str>,
    /// Places from which on `plain` and the text are apart: (in `plain`, in the text), ascending.
    shifts: Vec<(usize, usize)>,
    /// Letters and digits alone, in lower case.
    bare: String,
    /// Of each byte of `bare`, whether a word or number begins there.
    begins: Vec<bool>,
}

impl<'a> Reading<'a> {
    /// Reads a text.
    pub fn of(text: &'a str) -> Self {
        let mut reading = Self {
            plain: Cow::Borrowed(text),
            shifts: Vec::new(),
            bare: String::with_capacity(text.len()),
            begins: Vec::with_capacity(text.len()),
        };
        reading.squeeze(text);
        if !text.is_ascii() {
            reading.fold(text);
        }
        reading
    }

    /// The text in ASCII: letters keep their case, those of other scripts are one and the same, digits are digits, spaces
    /// and hyphens are what they look like, and what nobody sees is gone.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// The place in the text of one in `plain`.
    pub fn place(&self, at: usize) -> usize {
        let before = self.shifts.partition_point(|(plain, _)| *plain <= at);
        let (plain, text) = before.checked_sub(1).and_then(|i| self.shifts.get(i)).copied().unwrap_or_default();
        text + (at - plain)
    }

    /// Whether a value stands in it, however it is spaced or hyphenated, and not inside a longer word or number.
    /// `value` has letters and digits alone, in lower case, as [`squeezed`] makes it.
    pub fn holds(&self, value: &str) -> bool {
        let is_digit = value.starts_with(|c: char| c.is_ascii_digit());
        let mut from = 0;
        while let Some(found) = self.bare.get(from..).filter(|_| !value.is_empty()).and_then(|rest| rest.find(value)) {
            let at = from + found;
            // The tail of a number counts: +44 7400 123456 is the number 07400 123456.
            let begins = is_digit || self.begins.get(at) == Some(&true);
            if begins && self.begins.get(at + value.len()).is_none_or(|begins| *begins) {
                return true;
            }
            from = at + self.bare[at..].chars().next().map_or(1, char::len_utf8);
        }
        false
    }

    fn squeeze(&mut self, text: &str) {
        let mut is_new = true;
        for c in text.chars() {
            if !c.is_alphanumeric() {
                is_new = true;
                continue;
            }
            if c.is_ascii() {
                self.bare.push(c.to_ascii_lowercase());
                self.begins.push(is_new);
            } else {
                self.bare.extend(c.to_lowercase());
                self.begins.resize(self.bare.len(), is_new);
            }
            is_new = false;
        }
    }

    fn fold(&mut self, text: &str) {
        let mut plain = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if c.is_ascii() {
                plain.push(c);
                continue;
            }
            plain.extend(folded(c));
            self.shifts.push((plain.len(), at + c.len_utf8()));
        }
        self.plain = Cow::Owned(plain);
    }
}

/// One sign beyond ASCII, as patterns see it; `None`: nobody sees it.
fn folded(c: char) -> Option<char> {
    let lower = || c.to_lowercase().next().filter(char::is_ascii);
    Some(match c {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => return None,
        '\u{17f}' => 's',
        '\u{2010}' | '\u{2011}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        // Forms as wide as a Chinese character: the same signs.
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(SIGN),
        c if c.is_whitespace() => ' ',
        c if c.is_numeric() => '0',
        c if c.is_alphabetic() => lower().unwrap_or(LETTER),
        c if is_combining_mark(c) => LETTER,
        _ => SIGN,
    })
}

/// Letters and digits alone, in lower case.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_plain_text_is_one_in_the_text() {
        let text = "Siân Ŵyn\u{200b}, call 0808\u{a0}157 0199 — 日本 now";
        let reading = Reading::of(text);
        assert_eq!(reading.plain(), "Siqn qyn, call 0808 157 0199 \u{1} qq now");
        for word in ["Si", "call", "157", "now"] {
            assert_eq!(reading.plain().find(word).map(|at| reading.place(at)), text.find(word), "{word}");
        }
        assert_eq!(reading.place(reading.plain().len()), text.len());
        assert_eq!(Reading::of("plain").place(3), 3);
    }

    #[test]
    fn what_looks_like_a_word_reads_like_it() {
        assert_eq!(Reading::of("ｂｉｔ．ｌｙ don’t \u{212a}ey ur\u{ad}gent ٠٨").plain(), "bit.ly don't key urgent 00");
    }

    #[test]
    fn a_value_is_found_however_it_is_spaced_and_not_inside_a_longer_one() {
        let reading = Reading::of("Your No. PN-004 2117, or 07400 123 456; Älva's code ab1");
        for value in ["pn0042117", "400123456", "7400123456", "älva", "ab1"] {
            assert!(reading.holds(value), "{value}");
        }
        for value in ["0042", "n0042117", "pn004211", "40012345", "lva", "", "ab"] {
            assert!(!reading.holds(value), "{value}");
        }
        assert!(Reading::of("xab ab").holds("ab"));
    }
}
