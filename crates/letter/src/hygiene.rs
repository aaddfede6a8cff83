//! What may be printed: text in NFC, without characters that show nothing or change how others show.

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory as Category, Script};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// Marks that may follow one letter beyond what composes into it: a vowel and a tone, a shadda and a vowel.
const MARKS_MAX: usize = 2;

/// Characters that cannot be printed as they are meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text has characters that cannot be printed as they are meant: {0}")]
pub struct Unprintable(
    /// Code points, as `U+0000 U+0001`.
    pub String,
);

/// The value as it will be printed: NFC, each break of line one space, without hints that show nothing (soft hyphen,
/// zero-width space, direction marks, variation selectors). Refused are characters that would mislead (overrides of
/// direction), that no reader would recognise (control, private use, unassigned, the replacement character), and marks
/// that stand on no letter of their script or pile up.
pub fn printable(value: &str) -> Result<String, Unprintable> {
    let tidied = tidy(value);
    let mut refused = BTreeSet::new();
    let mut base = None;
    let mut marks = 0;
    for c in tidied.chars() {
        match category(c) {
            Category::NonspacingMark | Category::SpacingMark => {
                let (own, is_first) = (script(c), marks == 0);
                let belongs = base.is_some_and(|base| own == Script::Inherited || own == base);
                // A script that writes its vowels as marks may have several; marks of no script pile up on one letter.
                marks += usize::from(own == Script::Inherited);
                if !belongs || marks > MARKS_MAX || (is_first && base.is_none()) {
                    refused.insert(c);
                }
            }
            // Joiners shape the letters before and after them; elsewhere `tidy` has taken them out.
            Category::Format if is_joiner(c) => {}
            Category::Control
            | Category::Format
            | Category::PrivateUse
            | Category::Unassigned
            | Category::Surrogate
            | Category::EnclosingMark => {
                refused.insert(c);
            }
            category => {
                if matches!(c, '\u{fffc}' | '\u{fffd}') {
                    refused.insert(c);
                }
                base = is_letter(category).then(|| script(c));
                marks = 0;
            }
        }
    }
    if refused.is_empty() { Ok(tidied) } else { Err(Unprintable(code_points(refused))) }
}

/// NFC without what shows nothing; what must be refused stays, for `printable` to find.
pub(crate) fn tidy(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut joins = false;
    for c in value.nfc() {
        match c {
            '\r' | '\n' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c if is_joiner(c) => {
                if joins {
                    out.push(c);
                }
                continue;
            }
            c if shows_nothing(c) => continue,
            c => out.push(c),
        }
        joins = is_joined(c);
    }
    // What was taken out may have kept a mark from its letter.
    if out.len() == value.len() { out } else { out.nfc().collect() }
}

/// `U+0041 U+0042`.
pub(crate) fn code_points(chars: impl IntoIterator<Item = char>) -> String {
    let codes: Vec<String> = chars.into_iter().map(|c| format!("U+{:04X}", u32::from(c))).collect();
    codes.join(" ")
}

fn shows_nothing(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202c}' | '\u{2060}'
        | '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Scripts whose letters a joiner or its opposite shapes.
fn is_joined(c: char) -> bool {
    const COMMON: [Script; 3] = [Script::Common, Script::Inherited, Script::Latin];
    const UNJOINED: [Script; 5] = [Script::Greek, Script::Cyrillic, Script::Han, Script::Hiragana, Script::Katakana];
    !c.is_ascii() && !COMMON.contains(&script(c)) && !UNJOINED.contains(&script(c))
}

fn is_letter(category: Category) -> bool {
    matches!(
        category,
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::ModifierLetter
            | Category::OtherLetter
    )
}

fn category(c: char) -> Category {
    CodePointMapData::<Category>::new().get(c)
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}
