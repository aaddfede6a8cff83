//! Findings of all people together, each told once with the people whom it concerns.

use super::{Finding, Severity, is_sample};
use crate::model::person::printed_id;
use crate::render::template::Template;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Fewest characters of a reason.
const REASON_CHARS_MIN: usize = 10;
/// Fewest words of a reason, of two letters or more.
const REASON_WORDS_MIN: usize = 2;

/// What the check of a plan found.
#[derive(Debug, Clone, Default)]
pub struct Report(BTreeMap<(Finding, Place), Concerned>);

/// Under which law and in which languages somebody reads what was found; both empty: the plan as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Profile id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// Language of the message, or languages joined by `+`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
}

/// The people whom a finding concerns.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Concerned {
    /// How many; 0 where nobody in particular reads it, as a preview's reader.
    pub people: u64,
    /// Their person ids, all of them: whoever mends a list needs each.
    #[serde(serialize_with = "person_ids")]
    pub person_ids: Vec<Uuid>,
}

impl Place {
    /// Of whatever is made with a template.
    pub fn of(template: &Template) -> Self {
        Self { profile: template.profile.clone(), language: template.languages.join("+") }
    }
}

fn person_ids<S: Serializer>(ids: &[Uuid], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(|id| printed_id(*id)))
}

impl Concerned {
    /// Counts a person once, whichever of their messages it is found in.
    fn add(&mut self, person: Uuid) {
        if !person.is_nil() && self.person_ids.last() != Some(&person) {
            self.people += 1;
            self.person_ids.push(person);
        }
    }
}

/// A finding with its people, as printed.
#[derive(Debug, Clone, Serialize)]
pub struct Line<'a> {
    /// The finding.
    #[serde(flatten)]
    pub finding: &'a Finding,
    /// Where it was made.
    #[serde(flatten)]
    pub place: &'a Place,
    /// By what it is accepted with a reason; `None`: it must be mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// Its people.
    #[serde(flatten)]
    pub concerned: &'a Concerned,
}

/// By what a warning is accepted: its rule, its part, the law and the language, such as `C004/dates/uk-gdpr/en`, so that
/// nobody accepts by it what they have not seen.
fn key(finding: &Finding, place: &Place) -> Option<String> {
    let parts = [finding.rule, finding.element.as_deref().unwrap_or_default(), &place.profile, &place.language];
    let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (finding.severity == Severity::Warning).then(|| named.join("/"))
}

/// The reason that somebody gave for a warning by its key, in whatever case they wrote it.
pub fn reason_for<'a>(key: &str, reasons: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let given = reasons.iter().find(|(given, _)| given.eq_ignore_ascii_case(key));
    given.map(|(_, reason)| reason.as_str()).filter(|reason| is_reason(reason))
}

/// Whether a text says why; a letter, a word or sample wording says nothing.
pub fn is_reason(text: &str) -> bool {
    let is_word = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() >= 2;
    let words = text.split_whitespace().filter(is_word).count();
    words >= REASON_WORDS_MIN && text.trim().chars().count() >= REASON_CHARS_MIN && !is_sample(text)
}

impl Report {
    /// What a preview showed, whose reader does not exist or asked for nothing.
    pub fn of_preview(template: &Template, findings: Vec<Finding>) -> Self {
        let mut report = Self::default();
        report.add(Uuid::nil(), findings.into_iter().map(|finding| (Place::of(template), finding)));
        report
    }

    /// Adds what one person's messages showed; nil: a reader who does not exist.
    pub fn add(&mut self, person: Uuid, findings: impl IntoIterator<Item = (Place, Finding)>) {
        findings.into_iter().for_each(|(place, finding)| self.0.entry((finding, place)).or_default().add(person));
    }

    /// Adds what all of these people share.
    pub fn add_of_all(&mut self, people: &[Uuid], (place, finding): (Place, Finding)) {
        let concerned = self.0.entry((finding, place)).or_default();
        people.iter().for_each(|person| concerned.add(*person));
    }

    /// Adds what concerns the plan as a whole: messages by their number, and nobody in particular.
    pub fn add_count(&mut self, finding: Finding, messages: u64) {
        self.0.entry((finding, Place::default())).or_default().people += messages;
    }

    /// The findings, errors first, then by rule.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.0.iter().map(|((finding, place), concerned)| Line { finding, place, accept: key(finding, place), concerned })
    }

    /// The findings as `--json` prints them.
    pub fn to_json(&self) -> Value {
        json!(self.lines().collect::<Vec<_>>())
    }

    /// SHA-256 of that.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.to_json().to_string()).into()
    }

    /// How often rules found what `counts`: people of each finding, added up; one of the plan as a whole counts at least once.
    pub fn times(&self, counts: impl Fn(&Line<'_>) -> bool) -> BTreeMap<&'static str, u64> {
        let mut times = BTreeMap::new();
        for line in self.lines().filter(counts) {
            *times.entry(line.finding.rule).or_default() += line.concerned.people.max(1);
        }
        times
    }

    /// Whether something has to be mended before anybody may approve.
    pub fn has_errors(&self) -> bool {
        self.0.keys().any(|(finding, _)| finding.severity == Severity::Error)
    }

    /// Keys of the warnings for which nobody has given a reason.
    pub fn unexplained(&self, reasons: &BTreeMap<String, String>) -> Vec<String> {
        let mut keys: Vec<String> = self.lines().filter_map(|line| line.accept).collect();
        keys.retain(|key| reason_for(key, reasons).is_none());
        keys.dedup();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(rule: &'static str, element: Option<&str>) -> Finding {
        Finding {
            severity: Severity::Warning,
            rule,
            element: element.map(str::to_owned),
            line: 7,
            what: "what".to_owned(),
            source: "source".to_owned(),
            is_confirmed: true,
            remedy: "remedy",
        }
    }

    #[test]
    fn a_reason_accepts_what_it_was_given_for_and_nothing_else() {
        let place = |profile: &str, language: &str| Place { profile: profile.to_owned(), language: language.to_owned() };
        let mut report = Report::default();
        report.add(
            Uuid::from_u128(1),
            [
                (place("uk-gdpr", "en"), warning("C004", Some("dates"))),
                (place("uk-gdpr", "en"), warning("C004", Some("data_types"))),
                (place("uk-gdpr", "de"), warning("C004", Some("dates"))),
                (place("eu-gdpr", "en"), warning("C004", Some("dates"))),
            ],
        );
        report.add_count(warning("Q001", None), 3);
        let given = |key: &str| BTreeMap::from([(key.to_owned(), "nobody knows it yet".to_owned())]);

        let all =
            ["C004/data_types/uk-gdpr/en", "C004/dates/eu-gdpr/en", "C004/dates/uk-gdpr/de", "C004/dates/uk-gdpr/en", "Q001"];
        assert_eq!(report.unexplained(&BTreeMap::new()), all);
        assert_eq!(report.unexplained(&given("C004")), all);
        for accepted in all {
            let rest: Vec<&str> = all.into_iter().filter(|key| *key != accepted).collect();
            assert_eq!(report.unexplained(&given(&accepted.to_lowercase())), rest);
        }
    }

    #[test]
    fn a_letter_a_word_and_sample_wording_are_no_reason() {
        for text in ["", "x", "approved", "x x x x x x x", "ok ok", "TBC by our lawyers"] {
            assert!(!is_reason(text), "{text}");
        }
        assert!(is_reason("the statute is quoted") && is_reason("nid yw'n hysbys"));
    }
}
