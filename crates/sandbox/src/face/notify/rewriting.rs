//! What the vendor makes of texts before it sends them, step by step as its own code does (alphagov/notifications-utils
//! a9af02ae: `template.py`, `formatters.py`, `sanitise_text.py`).

use unicode_normalization::UnicodeNormalization;

/// Signs of GSM 03.38 and letters of Welsh: they stay.
const ALLOWED: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€àèìòùẁỳÀÈÌÒÙẀỲáéíóúẃýÁÉÍÓÚẂÝäëïöüẅÿÄËÏÖÜẄŸâêîôûŵŷÂÊÎÔÛŴŶ";
/// What ends a line.
const LINE_ENDS: &[char] = &['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// A text message as it leaves.
pub(super) fn text(text: &str) -> String {
    let text = without_space_before_marks(text).replace("\r\n", "\n");
    let lines: Vec<String> = text.split(LINE_ENDS).map(one_space).collect();
    let mut text = lines.join("\n");
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    text.trim().chars().map(sign).collect()
}

/// The subject of an email as it leaves: quotes bent, and dashes between spaces made one.
pub(super) fn subject(subject: &str) -> String {
    let bent = bent(&without_space_before_marks(subject));
    let words: Vec<&str> = bent.split_whitespace().collect();
    let last = words.len().saturating_sub(1);
    let dashed = words.iter().enumerate().map(|(i, word)| {
        let is_dash = word.chars().count() <= 3 && word.chars().all(|c| "-–—".contains(c));
        if is_dash && i > 0 && i < last { "–" } else { word }
    });
    one_space(&dashed.collect::<Vec<_>>().join(" "))
}

fn without_space_before_marks(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if matches!(c, ',' | '.') {
            kept.truncate(kept.trim_end_matches([' ', '\t']).len());
        }
        kept.push(c);
    }
    kept
}

fn is_widthless(c: char) -> bool {
    matches!(c, '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// Runs of spaces of any kind as one, none at the ends.
fn one_space(line: &str) -> String {
    let wide: String = line.chars().filter(|c| !is_widthless(*c)).collect();
    wide.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One sign as a telephone of its provider's can show it.
fn sign(c: char) -> String {
    if ALLOWED.contains(c) {
        return c.to_string();
    }
    if let Some(base) = base(c) {
        let base = if ALLOWED.contains(base) { base } else { '?' };
        return base.to_string();
    }
    match c {
        '‑' | '–' | '—' | '−' => "-",
        '…' => "...",
        '‘' | '’' | '‚' => "'",
        '“' | '”' | '„' => "\"",
        '\u{a0}' | '\u{202f}' | '\t' => " ",
        'Ł' => "L",
        'ł' => "l",
        c if is_widthless(c) => "",
        _ => "?",
    }
    .to_owned()
}

/// The first of the signs that a sign is made of, where it is made of others: `ế` of `ê` and an accent.
fn base(c: char) -> Option<char> {
    let one = std::iter::once(c);
    let same: String = one.clone().nfc().collect();
    if same != c.to_string() {
        return same.chars().next();
    }
    let parts: Vec<char> = one.nfd().collect();
    let (_, before) = parts.split_last().filter(|(_, before)| !before.is_empty())?;
    before.iter().copied().nfc().next()
}

/// Quotes as a typographer sets them.
fn bent(text: &str) -> String {
    let mut last = ' ';
    let quote = |c: char| {
        let opens = last.is_whitespace() || "([{-–—".contains(last);
        last = c;
        match (c, opens) {
            ('"', true) => '“',
            ('"', false) => '”',
            ('\'', true) => '‘',
            ('\'', false) => '’',
            (c, _) => c,
        }
    };
    text.chars().map(quote).collect()
}

#[cfg(test)]
mod tests {
    use super::{subject, text};

    /// From tests/test_sanitise_text.py of notifications-utils; tests/test_formatters.py has those of dashes.
    #[test]
    fn signs_become_what_the_vendors_own_tests_say() {
        for (given, sent) in [
            ("ç", "c"),
            ("a–b—c…", "a-b-c..."),
            ("\u{200b}a", "a"),
            ("‘a’ “b”", "'a' \"b\""),
            ("a\u{a0}b\tc", "a b c"),
            ("😬 ↉ 嶲", "? ? ?"),
            ("à € â Ŷ ë Ò í", "à € â Ŷ ë Ò í"),
            ("Łōdź", "Lodz"),
            ("It Just Works™", "It Just Works?"),
            ("ế ṩ \u{212b}", "ê ? Å"),
        ] {
            assert_eq!(text(given), sent, "{given}");
        }
        for (given, sent) in [
            ("triple --- dash", "triple – dash"),
            ("quadruple ---- dash", "quadruple ---- dash"),
            ("em — dash", "em – dash"),
            ("2004-2008", "2004-2008"),
            ("King's \"news\" , and (\"so\")", "King’s “news”, and (“so”)"),
        ] {
            assert_eq!(subject(given), sent, "{given}");
        }
    }

    #[test]
    fn spaces_stand_alone_and_none_before_a_mark() {
        assert_eq!(text("  a  b \r\n c , d . \n\n\n\n\u{2060}e\u{202f} f \n"), "a b\nc, d.\n\ne f");
    }
}
