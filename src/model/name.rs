//! Names that people read: what may stand in them, and when two of them look alike.

use unicode_normalization::UnicodeNormalization;

/// Longest short name, bytes.
const SLUG_BYTES_MAX: usize = 63;

/// Whether a text is a short name of a controller or incident, by the rule that the database has too.
pub fn is_slug(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=SLUG_BYTES_MAX).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(fits)
}

/// Whether every character of a text can be seen where it is printed: no control, no line end, no mark that turns the
/// direction of reading, nothing invisible.
pub fn is_visible(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_unseen(c))
}

/// Format characters, separators of lines, and what Unicode lets programs leave out of sight.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What is left of a name without the differences that nobody sees: width, case and spaces.
pub fn look(name: &str) -> String {
    let folded = name.nfkc().collect::<String>().to_uppercase().to_lowercase();
    folded.nfkc().filter(|c| !c.is_whitespace() && !is_unseen(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_fits_into_an_address_and_nothing_else_does() {
        for good in ["a", "n-2026", "0", &"x".repeat(63)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", "a\0", "é", &"x".repeat(64)] {
            assert!(!is_slug(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_no_part_of_a_name() {
        for good in ["Ann Price", "Siân O’Brien", "Łukasz", "李小龙", "PO Box 118, Northmere"] {
            assert!(is_visible(good), "{good}");
        }
        for bad in ["a\nb", "\u{1b}[2J", "a\u{200b}b", "a\u{202e}b", "a\u{ad}b", "a\u{2028}b", "\u{feff}a", "a\0", "a\u{e0041}b"]
        {
            assert!(!is_visible(bad), "{bad:?}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_look() {
        for alike in ["ann price", "ANN  PRICE", "AnnPrice", "Ａｎｎ Price", "Ann\u{a0}Price", "Ann\u{200b} Price"] {
            assert_eq!(look(alike), look("Ann Price"), "{alike:?}");
        }
        assert_eq!(look("Weiß"), look("WEISS"));
        assert_ne!(look("Ann Price"), look("Anne Price"));
    }
}
