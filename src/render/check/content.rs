//! The parts that a profile demands: there, not blank, and none that it forbids.

use super::known::PartText;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::profile::{Demand, ElementRule};
use crate::model::state::Content;
use crate::model::texts::has_text;

/// Letters that the text of a duty to explain has at least.
const EXPLAINS_MIN: usize = 20;
/// Letters that any part has at least.
const SAYS_MIN: usize = 2;
/// Parts that explain something in sentences.
pub(super) const EXPLAINING: &[&str] = &["nature", "consequences", "measures", "advice"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C001",
        severity: Severity::Error,
        says: "a part that the law demands is missing",
        source: "the profile's law",
        is_confirmed: true,
        remedy: "mark the part in the template with `{{#element \"…\"}}` and give the incident its text",
        check: Check::Message(missing),
    },
    Rule {
        id: "C002",
        severity: Severity::Error,
        says: "a part that the law demands is blank",
        source: "the profile's law",
        is_confirmed: true,
        remedy: "give the incident or the person the text that this part prints",
        check: Check::Message(blank),
    },
    Rule {
        id: "C003",
        severity: Severity::Error,
        says: "a part that the law forbids is there",
        source: "the profile's law",
        is_confirmed: true,
        remedy: "take the part out of the template of this profile",
        check: Check::Message(forbidden),
    },
    Rule {
        id: "C004",
        severity: Severity::Warning,
        says: "a part that the law's guidance recommends is missing",
        source: "the profile's guidance",
        is_confirmed: true,
        remedy: "add the part to the template, or write why it is left out",
        check: Check::Message(not_recommended),
    },
    Rule {
        id: "C005",
        severity: Severity::Error,
        says: "a part stands twice",
        source: "UK GDPR Art. 34(2): each part once, so that what is checked is what is read",
        is_confirmed: true,
        remedy: "mark each part once for each language",
        check: Check::Message(doubled),
    },
    Rule {
        id: "C070",
        severity: Severity::Error,
        says: "a part stands in another language than its template declares",
        source: "UK GDPR Art. 34(2): clear and plain language",
        is_confirmed: true,
        remedy: "write the text in that language, in the incident's table of that language",
        check: Check::Part(other_language),
    },
];

/// Whether a rule's condition holds for this incident.
pub(super) fn applies(subject: &Subject<'_>, rule: &ElementRule) -> bool {
    let is_exposed = |kind: &String| subject.facts.exposed.iter().any(|own| own.eq_ignore_ascii_case(kind));
    let exposed = rule.when_exposed.is_empty() || rule.when_exposed.iter().any(is_exposed);
    exposed && (!rule.when_source || subject.facts.is_source)
}

/// What the profile demands of this message.
pub(super) fn demanded<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a ElementRule> {
    subject.profile.elements.iter().filter(move |rule| {
        let demands = match rule.demand {
            Demand::Required => true,
            Demand::IfKnown => has_text(subject.texts, "", rule.id.as_str()),
            Demand::Recommended | Demand::Forbidden => false,
        };
        demands && subject.content == Content::Full && applies(subject, rule)
    })
}

/// UK GDPR Art. 34(2) and its like: a message that claims to say everything has every part, in each of its languages.
fn missing(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for rule in demanded(subject) {
        for language in subject.languages {
            if subject.parts(&rule.id, language).next().is_none() {
                let what = format!("`{}` is missing in `{language}`", rule.id);
                found.push(Found::element(&rule.id, 0, what).by(subject.profile));
            }
        }
    }
}

/// The same: a part that is there says something. Parts that print nothing for one person are found here.
fn blank(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for part in &subject.message.parts {
        let letters = subject.message.of(part).chars().filter(|c| c.is_alphanumeric()).count();
        let least = if EXPLAINING.contains(&part.id.as_str()) { EXPLAINS_MIN } else { SAYS_MIN };
        if letters < least {
            let what = format!("`{}` has {letters} letters, fewer than {least}", part.id);
            found.push(Found::element(&part.id, subject.message.line(part.range.start), what).by(subject.profile));
        }
    }
}

/// M.G.L. c.93H s.3(b) must not say what happened; nobody's notice carries marketing (EDPB 9/2022).
fn forbidden(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for part in &subject.message.parts {
        if subject.profile.element(&part.id).is_some_and(|rule| rule.demand == Demand::Forbidden) {
            let what = format!("`{}` is forbidden", part.id);
            found.push(Found::element(&part.id, subject.message.line(part.range.start), what).by(subject.profile));
        }
    }
}

/// Recital 86 and the guidance of the authorities: what a reader needs beside what the law demands.
fn not_recommended(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for rule in &subject.profile.elements {
        let is_due = rule.demand == Demand::Recommended && subject.content == Content::Full && applies(subject, rule);
        // Where to complain has a rule of its own.
        let mut languages = subject.languages.iter();
        let missing = languages.find(|language| subject.parts(&rule.id, language).next().is_none());
        if let (true, Some(language)) = (is_due && rule.id != "complaint_right", missing) {
            found.push(Found::element(&rule.id, 0, format!("`{}` is missing in `{language}`", rule.id)).by(subject.profile));
        }
    }
}

/// UK GDPR Art. 34(2) and law.md section 3 (each element present once): a part that stands twice could say two things, and only
/// one would be approved in good faith.
fn doubled(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for (index, part) in subject.message.parts.iter().enumerate() {
        let before = &subject.message.parts[..index];
        if before.iter().any(|other| other.id == part.id && other.language == part.language) {
            let what = format!("`{}` stands twice", part.id);
            found.push(Found::element(&part.id, subject.message.line(part.range.start), what));
        }
    }
}

/// Short words by which a language is told from another; letters beyond ASCII as they are.
#[rustfmt::skip]
const SHORT_WORDS: &[(&str, &[&str])] = &[
    ("en", &["the", "and", "of", "to", "your", "was", "have", "that", "this", "with", "is"]),
    ("cy", &["yn", "yr", "ac", "eich", "wedi", "gan", "mae", "ein", "ar", "chi", "hwn", "nid", "bod"]),
    ("de", &["der", "die", "das", "und", "ist", "nicht", "wir", "sie", "ihre", "mit", "von", "wurde", "ein", "eine", "den", "was", "im"]),
    ("fr", &["le", "la", "les", "des", "et", "est", "une", "nous", "vous", "votre", "dans", "avec", "pour", "qui", "sont", "de", "un"]),
    ("es", &["el", "la", "los", "las", "una", "que", "del", "por", "con", "para", "hemos", "usted", "sus", "su", "de", "un", "ha", "y", "está", "se"]),
    ("pl", &["nie", "jest", "na", "oraz", "przez", "został", "są", "lub", "się", "że", "pod", "z", "w", "i", "to", "do", "od"]),
];
/// Words of another language that a text of one's own may quote.
const QUOTED_MAX: usize = 1;
/// English words that a text in a language without a list may have.
const UNKNOWN_MAX: usize = 3;

/// Each part reads like the language in which it is declared (SI 2023/1041, standards 3 to 5; Art. 34(2)).
fn other_language(part: &PartText<'_>) -> Option<String> {
    if !EXPLAINING.contains(&part.id) {
        return None;
    }
    let text = part.text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).collect();
    let primary = part.language.split('-').next().unwrap_or_default();
    let own = SHORT_WORDS.iter().find(|(language, _)| *language == primary).map(|(_, list)| *list);
    let count = |list: &[&str], but: &[&str]| words.iter().filter(|word| list.contains(word) && !but.contains(word)).count();
    let mut others = SHORT_WORDS.iter().filter(|(language, _)| *language != primary).map(|(_, list)| *list);
    let is_other = match own {
        // A word that both languages have speaks for neither.
        Some(own) => others.any(|list| count(list, own) > count(own, list).max(QUOTED_MAX)),
        // Its neighbours share its words; English is what is left over from somebody's sample.
        None => count(SHORT_WORDS[0].1, &[]) > UNKNOWN_MAX,
    };
    is_other.then(|| format!("`{}` does not read like `{}`", part.id, part.language))
}
