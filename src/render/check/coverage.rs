//! Language × format × channel × profile: everybody has a template, or the gap is named.

use super::{Finding, Place, Severity};
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

/// `SY23 2AX` → `SY`, 23.
fn split_postcode(line: &str) -> Option<(String, u32)> {
    let outward = line.trim().to_uppercase().split_whitespace().next()?.to_owned();
    let area: String = outward.chars().take_while(char::is_ascii_alphabetic).collect();
    let district: String = outward[area.len()..].chars().take_while(char::is_ascii_digit).collect();
    ((1..=2).contains(&area.len())).then_some((area, district.parse().ok()?))
}

/// Collects wishes, so that each gap is named once with the people behind it.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<Wish, Vec<Uuid>>);

impl Coverage {
    /// Adds one person's wish.
    pub fn add(&mut self, person: Uuid, wish: Wish) {
        self.0.entry(wish).or_default().push(person);
    }

    /// The gaps, each with its people.
    pub fn gaps<'a>(&'a self, templates: &'a TemplateSet) -> impl Iterator<Item = (Place, Finding, &'a [Uuid])> + 'a {
        let gaps = self.0.iter().filter(|(wish, _)| templates.find(wish.want()).is_err());
        gaps.map(|(wish, people)| (wish.place(), gap(templates, wish), people.as_slice()))
    }
}

/// C070 language, C071 Welsh beside English, C072 an accessible format: never silently another one.
fn gap(templates: &TemplateSet, wish: &Wish) -> Finding {
    let standard = Want { format: "standard", ..wish.want() };
    let what = format!(
        "there is no {} in `{}`, format `{}`, under `{}`, that says everything it must ({})",
        wish.channel, wish.language, wish.format, wish.profile, wish.content
    );
    let (rule, source, remedy) = if templates.find(standard).is_ok() {
        (
            "C072",
            "Equality Act 2010 s.20(6), s.29; Osman v DWP",
            "write a template of this format, or tell these people by hand and mark them so",
        )
    } else if wish.language.split('+').any(|language| language == "cy") {
        (
            "C071",
            "SI 2023/1041 standards 3 to 5",
            "write a template that holds English and Welsh in one document, reviewed by a Welsh speaker",
        )
    } else {
        (
            "C070",
            "UK GDPR Art. 34(2), 12(1)",
            "write a template in this language and have it reviewed; drafts lie in templates/drafts",
        )
    };
    let is_confirmed = rule != "C072";
    Finding { rule, severity: Severity::Error, element: None, line: 0, what, source: source.to_owned(), is_confirmed, remedy }
}
