//! An email as the bytes that are approved: its subject, an empty line, its text. One commitment so covers both, and
//! nobody can change a subject behind an approver's back.

/// Longest subject, characters: longer ones are cut on most screens, and none has to be folded.
pub const SUBJECT_CHARS_MAX: usize = 150;

const BETWEEN: &str = "\n\n";

/// Subject and text as one.
pub fn join(subject: &str, text: &str) -> String {
    format!("{subject}{BETWEEN}{text}")
}

/// Subject and text of such bytes; `None` where they are no email.
pub fn part(content: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(content).ok()?.split_once(BETWEEN).filter(|(subject, _)| is_subject(subject))
}

/// Whether a text can be a subject: one line, with nothing in it that could begin another header.
pub fn is_subject(text: &str) -> bool {
    (1..=SUBJECT_CHARS_MAX).contains(&text.chars().count()) && is_header(text)
}

/// Whether a text is safe as the value of a header: a line end in it would let its writer add headers and recipients.
pub fn is_header(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_and_text_come_back_as_they_were_joined() {
        let joined = join("Your data: Ŵ", "Dear Ann,\n\nWe write.\n");
        assert_eq!(part(joined.as_bytes()), Some(("Your data: Ŵ", "Dear Ann,\n\nWe write.\n")));
        for other in ["", "no text", "\n\ntext", "two\nlines\n\ntext"] {
            assert_eq!(part(other.as_bytes()), None, "{other}");
        }
        assert_eq!(part(b"\xff\n\nx"), None);
    }

    #[test]
    fn no_line_end_of_any_kind_stands_in_a_header() {
        for bad in ["a\r\nBcc: b@example.org", "a\nb", "a\rb", "a\u{0}b", "a\u{85}b", "a\u{2028}b", "a\tb", "\u{7f}"] {
            assert!(!is_header(bad) && !is_subject(bad), "{bad:?}");
        }
        assert!(is_header("Northmere Police – «Hölle»") && !is_subject("") && !is_subject(&"a".repeat(151)));
    }
}
