//! Telephone numbers in a text, as each country writes them.

use super::wording::pattern;
use super::{Found, Subject};
use crate::render::words;
use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Digits below which a number may as well be a count: `130 500 people`.
const LONG_MIN: usize = 9;

/// How a region's people write numbers.
struct Numbering {
    region: Option<&'static str>,
    written: Regex,
    /// Short numbers that belong to everybody: nobody has to publish them.
    public: &'static [&'static str],
}

/// From nine digits on, behind a plus, a zero, a bracket or 1 8…: two numbers in a row are two.
const ANYWHERE: &str = r"(?:\+\d|\b0|\(\d|\b1[ .-]?8)(?:(?:[ ().-]{0,3}|/)\d){8,14}\b";
/// Ten or eleven digits.
const BRITISH: &str = r"(?:\+44[ .-]{0,2}(?:\(0\)[ .-]{0,2})?|\(0|\b0)(?:(?:[ ().-]{0,3}|/)\d){9,10}\b";
/// Directory enquiries, and old numbers of eight digits.
const BRITISH_SHORT: &str = r"\b118[ -]?\d{3}\b|\b0[38]\d\d ?\d\d ?\d\d\b";
/// With the area's code or without, and with letters for digits.
const AMERICAN: &str = concat!(
    r"(?:\+?\b1[ ./-]{0,3}(?:\([2-9]\d\d\)|[2-9]\d\d)|\([2-9]\d\d\)|\b[2-9]\d\d)[ ./-]{0,3}\d{3}[ ./-]{0,3}\d{4}\b",
    r"|\b[2-9]\d\d-\d{4}\b|(?-i:\b1[.-][2-9]\d\d[.-][0-9A-Z]{3}[.-]?[0-9A-Z]{4}\b)"
);
/// 1300, 1800 and 190x with six digits, 13 with four, and ten digits behind an area's zero.
const AUSTRALIAN: &str = concat!(
    r"\b1(?:300|800|90\d)(?:[ -]?\d){6}\b|\b13 \d\d ?\d\d\b|\b13\d \d{3}\b",
    r"|(?:\+61[ .-]{0,2}(?:\(0\)[ .-]{0,2})?|\(0|\b0)(?:(?:[ ().-]{0,3}|/)\d){9}\b"
);
/// Nine digits without a zero before them, as in Spain and in Poland.
const NO_ZERO: &str = r"\b[2-9]\d\d[ -]\d{3}[ -]\d{3}\b|\b[2-9]\d{1,2}[ -]\d{2,3}[ -]\d\d[ -]\d\d\b";

static NUMBERINGS: LazyLock<[Numbering; 5]> = LazyLock::new(|| {
    let american = format!("{AMERICAN}|{ANYWHERE}");
    let of = |region, written: &str, public| Numbering { region, written: pattern(written), public };
    [
        of(
            Some("GB"),
            &format!("{BRITISH}|{ANYWHERE}|{BRITISH_SHORT}"),
            &["101", "105", "111", "112", "119", "159", "999", "7726"],
        ),
        of(Some("US"), &american, &["211", "311", "711", "811", "911", "988", "7726"]),
        of(Some("CA"), &american, &["211", "311", "711", "811", "911", "988", "7726"]),
        of(Some("AU"), &format!("{AUSTRALIAN}|{ANYWHERE}"), &["000", "106", "112", "7226"]),
        of(None, &format!("{NO_ZERO}|{ANYWHERE}"), &["110", "112"]),
    ]
});

/// A number of a few digits, which is one only by what is to be done with it.
static SHORT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:call|dial|ring|phone)(?: us| them)?(?: on| at)?:? (\d{3,6})\b|\b(?:text|send|reply|forward|message)\b[^.!?\n\d]{0,40}\bto:? (\d{3,6})\b",
    )
});
static LONGER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[ ./-]?\(?\d"));
static DAY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\(?\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d\b"));

/// F5 and P1 (GDPR Art. 12(5), NCSC): a number in a notice is published beforehand, and calling it is free or an ordinary
/// call. Which digits are a number, and which of them cost, is the country's whose law it is.
pub(super) fn phone(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let region = words::region(&subject.profile.id);
    let Some(numbering) = NUMBERINGS.iter().find(|numbering| numbering.region == region) else { return };
    let plain = subject.reading.plain();
    for hit in numbering.numbers(plain) {
        let digits = national(&plain[hit.clone()], region);
        if costs(&digits, region) {
            found.push(Found::at(subject, hit.start, "a number that costs the caller"));
        } else if !subject.known.has_phone(&digits) {
            found.push(Found::at(subject, hit.start, "a telephone number that was not published"));
        }
    }
}

impl Numbering {
    /// Where numbers stand.
    fn numbers(&self, plain: &str) -> Vec<Range<usize>> {
        let bytes = plain.as_bytes();
        let mut numbers: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        while let Some(hit) = self.written.find_at(bytes, from) {
            // A day such as 09.11.2026 is no number, whatever stands behind it.
            if let Some(day) = DAY.find(&bytes[hit.start()..]) {
                from = hit.start() + day.end();
                continue;
            }
            from = hit.end();
            let is_long = bytes[hit.range()].iter().filter(|b| b.is_ascii_digit()).count() >= LONG_MIN;
            if is_long || !is_count(&plain[hit.end()..]) {
                numbers.push(hit.range());
            }
        }
        let short = SHORT.captures_iter(bytes).filter_map(|hit| hit.get(1).or(hit.get(2))).map(|hit| hit.range());
        let short = short.filter(|hit| !LONGER.is_match(&bytes[hit.end..]) && !is_count(&plain[hit.end..]));
        let short = short.filter(|hit| !self.public.contains(&&plain[hit.clone()]));
        let short: Vec<_> = short.filter(|hit| !numbers.iter().any(|number| number.contains(&hit.start))).collect();
        numbers.extend(short);
        numbers
    }
}

/// Whether what stands behind some digits says what they count: `people`, `letters`.
fn is_count(after: &str) -> bool {
    let word = after.strip_prefix(' ').unwrap_or_default();
    let word = &word[..word.bytes().take_while(u8::is_ascii_lowercase).count()];
    matches!(word, "of" | "people" | "staff" | "men" | "women" | "children")
        || word.len() > 3 && word.ends_with('s') && word != "this"
}

/// Numbers that cost more than a call, by how they begin in the country: the same digits are a town's elsewhere.
fn costs(digits: &str, region: Option<&str>) -> bool {
    let begins = |starts: &[&str]| starts.iter().any(|start| digits.starts_with(start));
    match region {
        Some("GB") => begins(&["084", "087", "09", "070", "118"]),
        // 976 stands behind an area's code, or alone.
        Some("US" | "CA") => begins(&["900", "976"]) || digits.len() == 10 && digits[3..].starts_with("976"),
        Some("AU") => begins(&["190"]),
        _ => begins(&["0900"]),
    }
}

/// Digits as dialled in the country, for the United Kingdom, North America and Australia.
pub(super) fn national(number: &str, region: Option<&str>) -> String {
    let mut digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if matches!(region, Some("US" | "CA")) && digits.len() < 10 && number.contains(|c: char| c.is_ascii_uppercase()) {
        digits = number.chars().filter_map(key).collect();
    }
    let is_abroad = number.trim_start().starts_with('+') || digits.starts_with("00");
    let bare = digits.trim_start_matches('0');
    match (is_abroad, bare.strip_prefix("44"), bare.strip_prefix("61"), digits.strip_prefix('1')) {
        (true, Some(rest), ..) => format!("0{}", rest.trim_start_matches('0')),
        (true, _, Some(rest), _) if region == Some("AU") && rest.starts_with('1') => rest.to_owned(),
        (true, _, Some(rest), _) if region == Some("AU") => format!("0{}", rest.trim_start_matches('0')),
        (_, _, _, Some(rest)) if rest.len() == 10 => rest.to_owned(),
        _ => digits,
    }
}

/// The key of a telephone that has this digit or capital on it.
fn key(c: char) -> Option<char> {
    const KEYS: &[u8; 26] = b"22233344455566677778889999";
    match c {
        'A'..='Z' => KEYS.get(usize::from(u8::try_from(c).ok()? - b'A')).map(|key| char::from(*key)),
        _ => c.is_ascii_digit().then_some(c),
    }
}
