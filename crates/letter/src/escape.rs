//! Values in Typst markup: whatever a name holds prints as it is.

use crate::SIGNATURE;
use crate::hygiene::tidy;

/// Puts a backslash before every ASCII punctuation character: the lexer of Typst then sees none of its own signs. A value
/// with right-to-left letters is isolated, so that what stands beside it keeps its order.
pub fn escape(value: &str) -> String {
    let value = tidy(value);
    let mut out = String::with_capacity(value.len() * 2);
    let is_isolated = value.chars().any(is_right_to_left);
    out.extend(is_isolated.then_some('\u{2068}'));
    for c in value.chars().filter(|c| *c != SIGNATURE) {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out.extend(is_isolated.then_some('\u{2069}'));
    out
}

pub(crate) fn is_right_to_left(c: char) -> bool {
    use icu_properties::{CodePointMapData, props::BidiClass};
    matches!(CodePointMapData::<BidiClass>::new().get(c), BidiClass::RightToLeft | BidiClass::ArabicLetter)
}
