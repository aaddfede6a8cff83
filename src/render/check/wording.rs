//! Words that must not stand in a message: what was never filled in, what sells, what frightens, what asks for secrets.

use super::abroad;
use super::known::PartText;
use super::reading::Reading;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::state::Channel;
use regex::bytes::{Match, Regex, RegexSet};
use std::sync::LazyLock;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C020",
        severity: Severity::Error,
        says: "a placeholder was not filled in",
        source: "UK GDPR Art. 34(2), 12(1): clear and plain language; what is approved is what is read",
        is_confirmed: true,
        remedy: "give the field a value, or take it out of the template",
        check: Check::Message(placeholder),
    },
    Rule {
        id: "C021",
        severity: Severity::Error,
        says: "a character is printed as its HTML name",
        source: "UK GDPR Art. 12(1), 5(1)(d): intelligible, and with the right name",
        is_confirmed: true,
        remedy: "write the character itself in the list or the text",
        check: Check::Message(html_name),
    },
    Rule {
        id: "C031",
        severity: Severity::Warning,
        says: "a word that few readers know",
        source: "UK GDPR Art. 12(1), 34(2): clear and plain language",
        is_confirmed: true,
        remedy: "say in common words what happened: what was taken, when, from where",
        check: Check::Message(jargon),
    },
    Rule {
        id: "C031",
        severity: Severity::Warning,
        says: "a nature that only says `an incident`",
        source: "UK GDPR Art. 12(1), 34(2): clear and plain language",
        is_confirmed: true,
        remedy: "say in common words what happened: what was taken, when, from where",
        check: Check::Part(vague),
    },
    Rule {
        id: "C040",
        severity: Severity::Error,
        says: "words that sell",
        source: "EDPB 9/2022 section III.C: a message of its own",
        is_confirmed: false,
        remedy: "take them out: a notice carries nothing else",
        check: Check::Message(marketing),
    },
    Rule {
        id: "C053",
        severity: Severity::Error,
        says: "it asks for a secret or for data",
        source: "NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "never ask for data in a notice: a forger would; a warning says `never` or `not` in the same clause as what is asked for",
        check: Check::Message(super::asks::asks),
    },
    Rule {
        id: "C054",
        severity: Severity::Error,
        says: "words that press",
        source: "NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "say calmly what to do: words that press are the mark of a forger",
        check: Check::Message(presses),
    },
    Rule {
        id: "C093",
        severity: Severity::Error,
        says: "sample wording",
        source: "UODO Bank Millennium: a notice without its content is no notice",
        is_confirmed: true,
        remedy: "write what happened in your own incident",
        check: Check::Message(sample),
    },
];

/// Patterns that are looked for at once, and then one by one for their places.
pub(super) struct Patterns {
    all: RegexSet,
    pub each: Vec<Regex>,
}

impl Patterns {
    /// The patterns are of this program: one that does not compile is found by its first test.
    #[expect(clippy::expect_used, reason = "constants, each compiled by a test")]
    pub(super) fn new(patterns: &[&str]) -> Self {
        let plain = patterns.iter().map(|p| format!("(?i-u){p}"));
        let each: Vec<Regex> = plain.clone().map(|p| Regex::new(&p).expect("a pattern of this file")).collect();
        Self { all: RegexSet::new(plain).expect("the same patterns"), each }
    }

    fn find<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Match<'t>> {
        let any = self.all.is_match(text.as_bytes());
        self.each.iter().filter(move |_| any).filter_map(move |pattern| pattern.find(text.as_bytes()))
    }
}

static PLACEHOLDERS: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[r"\{\{|\}\}", r"\$\{", r"<<|>>", r"%[sd]\b", r"__\w+__", r"\bundefined\b", r"\bnull\b", r"(?-i:\bNaN\b)"])
});

/// UK GDPR Art. 34(2), 12(1) and law.md section 3 (no unresolved variable): a template engine, a mail merge or a program left
/// something, and the part says less than was approved.
fn placeholder(subject: &Subject<'_>, found: &mut Vec<Found>) {
    note(subject, &PLACEHOLDERS, "a placeholder was not filled in", found);
}

static HTML_NAMES: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::new(&[r"&(amp|lt|gt|quot|apos|nbsp|#\d{1,5}|#x[0-9a-f]{1,4});"]));

/// UK GDPR Art. 12(1), 5(1)(d) and law.md sections 2.4 (A1) and 9: `O&#39;Brien` is nobody's name, and no text is HTML, an
/// email's neither.
fn html_name(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for hit in HTML_NAMES.find(subject.reading.plain()) {
        found.push(Found::at(subject, hit.start(), ""));
    }
}

/// Words of the trade, whatever their case.
pub(super) static JARGON: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        r"\bexfiltrat\w*",
        r"\bthreat actors?\b",
        r"\bthreat vector\w*",
        r"\bdata subjects?\b",
        r"\bpersonally identifiable information\b",
        r"\bPII\b",
        r"\bmalicious actors?\b",
        r"\bincident response\b",
        r"\bremediat\w*",
        r"\bmitigat\w*",
        r"\bhereinafter\b|\bhereby\b|\bpursuant to\b",
        r"\butili[sz]\w*",
        r"\bin the event (of|that)\b",
    ])
});
/// Words of a sentence that only says that something happened.
const NATURE_WORDS_MIN: usize = 9;

/// Art. 34(2), 12(1): what happened, in words that a reader knows.
fn jargon(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.reads_english() {
        note(subject, &JARGON, "a word of the trade", found);
    }
}

/// Art. 34(2): `an incident` alone says nothing of what happened.
fn vague(part: &PartText<'_>) -> Option<String> {
    let is_nature = part.is_english() && part.id == "nature";
    let is_short = is_nature && part.text.split_whitespace().count() < NATURE_WORDS_MIN;
    (is_short && part.text.to_lowercase().contains("incident"))
        .then(|| "`nature` only says that there was an incident".to_owned())
}

pub(super) static SELLS: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        r"\bnewsletters?\b",
        r"\bunsubscribe\b",
        r"\bour (new|latest) (products?|services?|app)\b",
        r"\bspecial offers?\b|\bexclusive offers?\b",
        r"\b\d+ ?% off\b",
        r"\bdiscounts?\b",
        r"\bfollow us on\b",
        r"\bdownload our app\b",
        r"\brefer a friend\b",
        r"\bupgrade (now|today)\b",
        r"\bas a valued customer\b",
        r"\bcwsmer gwerthfawr\b",
    ])
});

/// EDPB 9/2022 section III.C, Reg. 611/2013 Art. 3(4): nothing else travels with a notice.
fn marketing(subject: &Subject<'_>, found: &mut Vec<Found>) {
    note(subject, &SELLS, "words that sell", found);
    abroad::of(subject).for_each(|words| note(subject, &words.sells, "words that sell", found));
}

pub(super) static PRESSES: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        r"\burgent(ly)?\b",
        r"\bimmediately\b",
        r"\bact (now|fast|today)\b",
        r"\bas soon as possible\b|\bASAP\b",
        r"\bwithin (the next )?(24|48|72) hours\b",
        r"\bfinal (notice|warning)\b",
        r"\byour account (will be|has been) (closed|suspended|locked|limited)\b",
        r"\bfailure to\b",
        r"!!",
        r"\bWARNING\b|\bALERT\b",
    ])
});

/// NCSC: panic words are how forged messages work. In a letter there is room to say calmly what is pressing.
fn presses(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.channel == Channel::Sms {
        note(subject, &PRESSES, "words that press", found);
        abroad::of(subject).for_each(|words| note(subject, &words.presses, "words that press", found));
    }
}

pub(super) static SAMPLES: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&[
        r"\[[^\]\n]{0,80}\]?",
        r"\bTB[CAD]\b",
        r"(?-i:\bTO ?DO\b)|\btodo:",
        r"\bX{3,}\b",
        r"\blorem ipsum\b",
        r"\bsample (text|wording)\b",
        r"\binsert (your|the|name|date|text)\b",
        r"\b(example\.(com|org|net)|test@)",
        r"\bJo Example\b|\bJohn Doe\b|\bJane Doe\b",
        r"_{3,}|\.{4,}",
    ])
});

/// UODO, Bank Millennium (GDPR Art. 34(2), law.md section 0): a notice without its content is no notice. Whatever was left of
/// somebody's template, in the words of the incident.
fn sample(subject: &Subject<'_>, found: &mut Vec<Found>) {
    note(subject, &SAMPLES, "sample wording", found);
}

/// Sample wording in a text that somebody wrote, before it stands in any message.
pub fn is_sample(text: &str) -> bool {
    SAMPLES.all.is_match(Reading::of(text).plain().as_bytes())
}

/// Notes each place in the template's and the incident's words. People are called Null, Alert or Discount: a person's own
/// name is never wording.
fn note(subject: &Subject<'_>, patterns: &Patterns, what: &str, found: &mut Vec<Found>) {
    let (text, plain) = (&subject.message.text, subject.reading.plain().as_bytes());
    if !patterns.all.is_match(plain) {
        return;
    }
    // A person may be called Null, and a code of older lists may read so.
    let is_own = |at: usize| {
        let own = [subject.person.name.as_str(), subject.reference_code];
        own.into_iter().flat_map(|own| text.match_indices(own)).any(|(start, own)| (start..start + own.len()).contains(&at))
    };
    for pattern in &patterns.each {
        if let Some(hit) = pattern.find_iter(plain).find(|hit| !is_own(subject.reading.place(hit.start()))) {
            found.push(Found::at(subject, hit.start(), what));
        }
    }
}

/// A pattern over plain text, whatever its case.
#[expect(clippy::expect_used, reason = "constants, each compiled by a test")]
pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(&format!("(?i-u){pattern}")).expect("a pattern of this program")
}
