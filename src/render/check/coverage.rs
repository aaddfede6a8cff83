//! Language × format × channel × profile: everybody has a template, or the gap is named.

use super::{Check, Finding, Place, Rule, Severity};
use crate::model::contact::PersonRecord;
use crate::model::state::{Channel, Content};
use crate::model::texts::Facts;
use crate::render::template::{TemplateSet, Want};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Districts of a postcode area that lie in Wales, where not all of it does.
const WELSH_DISTRICTS: &[(&str, std::ops::RangeInclusive<u32>)] =
    &[("SY", 10..=10), ("SY", 15..=25), ("CH", 1..=1), ("CH", 4..=8), ("HR", 3..=3), ("HR", 5..=5)];
/// Postcode areas that lie in Wales, some with a few streets beyond the border.
const WELSH_AREAS: &[&str] = &["CF", "LD", "LL", "NP", "SA"];

/// What one person's message needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// Profile id.
    pub profile: String,
    /// Channel.
    pub channel: Channel,
    /// What it must say.
    pub content: Content,
    /// Language, or languages joined by `+`.
    pub language: String,
    /// Format.
    pub format: String,
}

impl Wish {
    /// The wish of a person: their own language and format; Welsh beside English where the controller owes it.
    pub fn of(person: &PersonRecord, profile: &str, channel: Channel, content: Content, facts: &Facts) -> Self {
        let is_welsh = person.language == "cy" || (facts.welsh_standards && person.language == "en" && lives_in_wales(person));
        let language = if is_welsh { "en+cy".to_owned() } else { person.language.clone() };
        Self { profile: profile.to_owned(), channel, content, language, format: person.format.clone() }
    }

    /// Where whatever is found in it was found.
    pub fn place(&self) -> Place {
        Place { profile: self.profile.clone(), language: self.language.clone() }
    }

    /// The same, for looking up its template.
    pub fn want(&self) -> Want<'_> {
        Want {
            profile: &self.profile,
            channel: self.channel,
            content: self.content,
            language: &self.language,
            format: &self.format,
        }
    }
}

/// Standards 3 to 5 of SI 2023/1041: who lives in Wales gets both where the preference is not known.
fn lives_in_wales(person: &PersonRecord) -> bool {
    let postcode = person.address.iter().flatten().rev().find_map(|line| split_postcode(line));
    person.jurisdiction == "GB-WLS"
        || postcode.is_some_and(|(area, district)| {
            WELSH_AREAS.contains(&area.as_str())
                || WELSH_DISTRICTS.iter().any(|(a, districts)| *a == area && districts.contains(&district))
        })
}

/// `Aberystwyth SY23 2AX` → `SY`, 23.
fn split_postcode(line: &str) -> Option<(String, u32)> {
    let line = line.trim().to_uppercase();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (inward, rest) = words.split_last()?;
    let outward = match rest.last() {
        Some(outward) if is_inward(inward) => outward,
        // Written in one, or only its first half.
        _ => inward
            .split_at_checked(inward.len().saturating_sub(3))
            .filter(|(_, end)| is_inward(end))
            .map_or(*inward, |(begin, _)| begin),
    };
    let area: String = outward.chars().take_while(char::is_ascii_alphabetic).collect();
    let district: String = outward[area.len()..].chars().take_while(char::is_ascii_digit).collect();
    ((1..=2).contains(&area.len())).then_some((area, district.parse().ok()?))
}

/// `2AX`.
fn is_inward(word: &str) -> bool {
    matches!(word.as_bytes(), [digit, letters @ ..] if digit.is_ascii_digit() && letters.len() == 2 && letters.iter().all(u8::is_ascii_alphabetic))
}

/// Collects wishes, so that each gap is named once with the people behind it.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<Wish, Vec<Uuid>>);

impl Coverage {
    /// Adds one person's wish.
    pub fn add(&mut self, person: Uuid, wish: Wish) {
        self.0.entry(wish).or_default().push(person);
    }

    /// The gaps of a controller's people, each with its people.
    pub fn gaps<'a>(
        &'a self,
        controller: &'a str,
        templates: &'a TemplateSet,
    ) -> impl Iterator<Item = (Place, Finding, &'a [Uuid])> + 'a {
        let gaps = self.0.iter().filter(|(wish, _)| templates.find(controller, wish.want()).is_err());
        gaps.map(|(wish, people)| (wish.place(), gap(controller, templates, wish), people.as_slice()))
    }
}

pub(super) const RULES: &[Rule] = &[NO_LANGUAGE, NO_WELSH, NO_FORMAT];

const NO_LANGUAGE: Rule = Rule {
    id: "C070",
    severity: Severity::Error,
    says: "there is no template in a person's language",
    source: "UK GDPR Art. 34(2), 12(1)",
    is_confirmed: true,
    remedy: "write a template in this language and have it reviewed; drafts lie in templates/drafts",
    check: Check::Elsewhere,
};
const NO_WELSH: Rule = Rule {
    id: "C071",
    severity: Severity::Error,
    says: "there is no template in Welsh beside English",
    source: "SI 2023/1041 standards 3 to 5",
    is_confirmed: true,
    remedy: "write a template that holds English and Welsh in one document, reviewed by a Welsh speaker",
    check: Check::Elsewhere,
};
const NO_FORMAT: Rule = Rule {
    id: "C072",
    severity: Severity::Error,
    says: "there is no template in a person's accessible format",
    source: "Equality Act 2010 s.20(6), s.29; Osman v DWP",
    is_confirmed: false,
    remedy: "write a template of this format, or tell these people by hand and mark them so",
    check: Check::Elsewhere,
};

/// C070 language, C071 Welsh beside English, C072 an accessible format: never silently another one.
fn gap(controller: &str, templates: &TemplateSet, wish: &Wish) -> Finding {
    let standard = Want { format: "standard", ..wish.want() };
    let rule = if templates.find(controller, standard).is_ok() {
        NO_FORMAT
    } else if wish.language.split('+').any(|language| language == "cy") {
        NO_WELSH
    } else {
        NO_LANGUAGE
    };
    rule.finding(format!(
        "there is no {} in `{}`, format `{}`, under `{}`, that says everything it must ({})",
        wish.channel, wish.language, wish.format, wish.profile, wish.content
    ))
}
