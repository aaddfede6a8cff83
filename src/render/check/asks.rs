//! A demand for a secret or for data, and the denial that makes it a warning: only one in the same clause.

use super::wording::pattern;
use super::{Found, Subject, abroad};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// How one language demands, and how it denies.
pub(super) struct Asking {
    /// What a reader is told to do.
    verbs: Regex,
    /// Such a verb, and the nearest secret behind it in the sentence.
    asks: Regex,
    /// What makes it a warning.
    denies: Regex,
    /// Words with which another clause begins, right before the verb.
    turns: Regex,
}

impl Asking {
    pub(super) fn new([verbs, secrets]: [&str; 2], denies: &str, turns: &str) -> Self {
        Self {
            verbs: pattern(&format!(r"\b(?:{verbs})\b")),
            asks: pattern(&format!(r"\b(?:{verbs})\b[^.!?]{{0,40}}?\b(?:{secrets})")),
            denies: pattern(&format!(r"\b(?:{denies})\b")),
            turns: pattern(turns),
        }
    }
}

static ENGLISH: LazyLock<Asking> = LazyLock::new(|| {
    Asking::new(
        [
            "reply|respond|text|send|enter|confirm|provide|give|tell|update|verify",
            r"(?:passwords?|pass ?codes?|PIN|bank (?:account|details)|card (?:number|details)|account number|security (?:code|answers?)|date of birth|National Insurance number|Social Security number|personal (?:details|data|information))\b",
        ],
        r"never|not|nobody|no one|anyone who|if (?:somebody|anybody|someone|anyone)|peidiwch|byth|\w+n't",
        concat!(
            r"\b(?:please|kindly|until|unless|before|once|otherwise)\b[^,;:]*$",
            r"|\b(?:and|but|so|then)\s+(?:(?:then|now|just|simply|also|instead)\s+)*(?:(?:you|we)\b[^,;:]*)?$"
        ),
    )
});

/// How a clause ends that a parenthesis interrupts: `Do not, even if you are asked, give …`.
static OPEN_DENIAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:\b(?:not|never|nie|niemals|jamais|nunca|nigdy)|n't)\s*$"));
/// What a denied verb of a list is: `Never share, send or confirm …`.
static LISTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:share|give|send|tell|text|phone|ring|call|email|post|write|reply|respond|enter|confirm|provide|disclose|reveal|ask|message|visit|update|verify)(?: (?:you|us|to|in|out|anybody|anyone|somebody))?\s*$",
    )
});
static OR: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:n?or)\b"));

/// P1, NCSC (no personal details asked): a message that asks trains its readers to answer the next one, which is a forger's.
pub(super) fn asks(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let plain = subject.reading.plain();
    for asking in std::iter::once(&*ENGLISH).chain(abroad::of(subject).map(|words| &words.asking)) {
        for hit in asking.asks.find_iter(plain.as_bytes()) {
            // The verb nearest to the secret asks for it; one before it may be another clause's.
            let verb = asking.verbs.find_iter(hit.as_bytes()).last().map_or(0, |verb| verb.start()) + hit.start();
            let clause = clause(subject, asking, verb);
            let end = plain[verb..hit.end()].find([',', ';', ':', '(', ')', '\n']).map_or(hit.end(), |at| verb + at);
            if !asking.denies.is_match(&plain.as_bytes()[clause..end]) {
                found.push(Found::at(subject, hit.start(), "it asks for a secret or for data"));
            }
        }
    }
}

/// Where the clause of a verb begins.
fn clause(subject: &Subject<'_>, asking: &Asking, verb: usize) -> usize {
    let plain = subject.reading.plain();
    let is_dash = |at: usize| subject.message.text[subject.reading.place(at)..].starts_with(['–', '—', '…']);
    let ends = |at: usize, c: char| matches!(c, '.' | '!' | '?' | ';' | ':' | '\n') || (c == '\u{1}' && is_dash(at));
    let sentence = plain[..verb].char_indices().rev().find(|(at, c)| ends(*at, *c)).map_or(0, |(at, c)| at + c.len_utf8());
    let sentence = plain[sentence..verb].rfind(" - ").map_or(sentence, |at| sentence + at + 3);
    let segments: Vec<usize> = plain[sentence..verb].match_indices([',', '(', ')']).map(|(at, _)| sentence + at).collect();
    let mut start = segments.last().map_or(sentence, |at| at + 1);
    // A list of verbs has one denial before all of them.
    let mut is_list = OR.is_match(&plain.as_bytes()[start..verb]);
    for (place, end) in segments.iter().enumerate().rev() {
        let begin = place.checked_sub(1).and_then(|before| segments.get(before)).map_or(sentence, |at| at + 1);
        let segment = &plain.as_bytes()[begin..*end];
        is_list &= LISTED.is_match(segment);
        if is_list || OPEN_DENIAL.is_match(segment) {
            start = begin;
        }
    }
    let turned = asking.turns.find(&plain.as_bytes()[start..verb]);
    turned.map_or(start, |turn| start + turn.start())
}
