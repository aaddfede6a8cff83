//! What is the same for everybody who is told under one profile: made once, before anybody's message is read.

use super::phone::national;
use super::readability::is_english;
use super::{Check, Subject, rules};
use crate::model::texts::Published;
use crate::render::words;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

/// Different words of parts that are remembered: an incident has a few dozen, and one whose parts name people has as many
/// as people.
const REMEMBERED_MAX: usize = 2_000;

/// What was published, ready to compare, and what was said of parts whose words are not one person's alone.
#[derive(Default)]
pub struct Known {
    /// In lower case.
    domains: Vec<String>,
    /// As dialled in the country.
    phones: BTreeSet<String>,
    hasher: RandomState,
    judged: RwLock<HashMap<u64, Vec<Judged>>>,
}

/// The words of one part, for rules that look at nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartText<'a> {
    /// The part's name in the profile.
    pub id: &'a str,
    /// The language that it is declared in.
    pub language: &'a str,
    /// Its words.
    pub text: &'a str,
}

impl PartText<'_> {
    /// Whether it is declared to be English.
    pub fn is_english(&self) -> bool {
        is_english(self.language)
    }
}

/// What each rule of parts says of these words, by the rule's place among all.
type Said = Arc<[(usize, String)]>;

struct Judged {
    id: String,
    language: String,
    text: String,
    said: Said,
}

impl Known {
    /// Of what a controller published, for people under a profile.
    pub fn of(published: &Published, profile: &str) -> Self {
        let region = words::region(profile);
        Self {
            domains: published.domains.iter().map(|domain| domain.to_lowercase()).collect(),
            phones: published.phones.iter().map(|phone| national(phone, region)).collect(),
            ..Self::default()
        }
    }

    /// The domain or one above it was published.
    pub(super) fn has_domain(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let is_own = |own: &String| name.strip_suffix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.domains.iter().any(is_own)
    }

    /// The number, as dialled in the country, was published.
    pub(super) fn has_phone(&self, digits: &str) -> bool {
        self.phones.contains(digits)
    }

    /// What rules of parts say of each part of a message, by the part's place; parts of which nothing is said are left out.
    pub(super) fn judge(&self, subject: &Subject<'_>) -> Vec<(usize, Said)> {
        let first = subject.languages.first().map_or("", String::as_str);
        let parts = subject.message.parts.iter().enumerate().map(|(place, part)| {
            let language = if part.language.is_empty() { first } else { &part.language };
            let part = PartText { id: &part.id, language, text: subject.message.of(part) };
            (place, self.said(&part))
        });
        parts.filter(|(_, said)| !said.is_empty()).collect()
    }

    fn said(&self, part: &PartText<'_>) -> Said {
        let hash = self.hasher.hash_one(part);
        let known = self.judged.read().unwrap_or_else(PoisonError::into_inner);
        // The words themselves are compared: two texts of one hash are two texts.
        if let Some(judged) = known.get(&hash).into_iter().flatten().find(|judged| judged.of() == *part) {
            return judged.said.clone();
        }
        let has_room = known.len() < REMEMBERED_MAX;
        drop(known);
        let said = say(part);
        if has_room {
            let mut known = self.judged.write().unwrap_or_else(PoisonError::into_inner);
            known.entry(hash).or_default().push(Judged::new(part, said.clone()));
        }
        said
    }
}

fn say(part: &PartText<'_>) -> Said {
    let of_parts = rules().enumerate().filter_map(|(place, rule)| match rule.check {
        Check::Part(check) => check(part).map(|what| (place, what)),
        Check::Message(_) | Check::Elsewhere => None,
    });
    of_parts.collect()
}

impl Judged {
    fn new(part: &PartText<'_>, said: Said) -> Self {
        let (id, language, text) = (part.id.to_owned(), part.language.to_owned(), part.text.to_owned());
        Self { id, language, text, said }
    }

    fn of(&self) -> PartText<'_> {
        PartText { id: &self.id, language: &self.language, text: &self.text }
    }
}
