//! How the reader reaches somebody, checks that the message is real, and complains.

use super::known::PartText;
use super::wording::pattern;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::profile::Demand;
use crate::model::state::Content;
use regex::bytes::Regex;
use std::sync::LazyLock;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C051",
        severity: Severity::Error,
        says: "a domain that the controller did not publish",
        source: "NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "write the controller's own domain, or publish this one: `domains` under `[published]`",
        check: Check::Message(domain),
    },
    Rule {
        id: "C055",
        severity: Severity::Error,
        says: "a telephone number that was not published, or that costs the caller",
        source: "GDPR Art. 12(5); NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "use a freephone or ordinary number and publish it: `phones` under `[published]`",
        check: Check::Message(super::phone::phone),
    },
    Rule {
        id: "C090",
        severity: Severity::Error,
        says: "the contact has no name",
        source: "GDPR Art. 33(3)(b): name and contact details",
        is_confirmed: true,
        remedy: "write the name of the data protection officer or of another contact, with a telephone number, an email or an address",
        check: Check::Part(nameless),
    },
    Rule {
        id: "C090",
        severity: Severity::Error,
        says: "there is no way to reach the contact",
        source: "GDPR Art. 33(3)(b): name and contact details",
        is_confirmed: true,
        remedy: "write a telephone number, an email or an address of the data protection officer or of another contact",
        check: Check::Part(unreachable),
    },
    Rule {
        id: "C091",
        severity: Severity::Error,
        says: "the reader cannot check that the message is real",
        source: "NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "print the reference code and say how to reach the controller by a way that the reader finds without the message",
        check: Check::Message(unverifiable),
    },
    Rule {
        id: "C092",
        severity: Severity::Warning,
        says: "the authority to complain to is missing",
        source: "ICO guidance; GDPR Art. 77",
        is_confirmed: true,
        remedy: "add the part `complaint_right`, or write why it is left out",
        check: Check::Message(no_authority),
    },
];

/// How the name of a machine may end that stands alone in a text: those of the laws' countries, and those that forgers like.
pub(super) const DOMAIN_ENDS: &str = "uk|com|org|net|gov|police|wales|cymru|scot|eu|info|ly|co|gl|me|io|ie|us|ca|au|de|fr|es|pl|it|nl|be|at|pt|se|dk|fi|gr|ro|cz|hu|sk|bg|hr|si|ee|lv|lt|lu|mt|cy|ch|link|xyz|online|site|app|dev|top|biz|click|live|help|support|shop|cc|tk";
/// Names of machines wherever they may stand: behind a scheme, `www.` or `@` whatever they end in, alone by their end.
static DOMAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"https?://(?:[^\s/@]*@)?[^\s/?#:,;()<>\[\]*"']+|(?:\bwww\.|@)[a-z0-9][a-z0-9.-]*\.[a-z]{{2,24}}\b|\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{DOMAIN_ENDS})\b"#
    ))
});

/// P1: links and addresses lead to the controller's own, registered domains, or to an authority that it published.
fn domain(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let plain = subject.reading.plain();
    for hit in DOMAIN.find_iter(plain.as_bytes()) {
        if !subject
            .known
            .has_domain(host(&subject.message.text[subject.reading.place(hit.start())..subject.reading.place(hit.end())]))
        {
            found.push(Found::at(subject, hit.start(), "a domain that was not published"));
        }
    }
    if let Some(page) = subject.check_page
        && !reqwest::Url::parse(page).is_ok_and(|url| url.domain().is_some_and(|name| subject.known.has_domain(name)))
    {
        found.push(Found::element("how_to_check_real", 0, "the controller's check page is at a domain that was not published"));
    }
}

/// The name alone: without the scheme, whoever would log in, and the point that ends a sentence.
fn host(text: &str) -> &str {
    let name = text.split_once("://").map_or(text, |(_, rest)| rest);
    name.rsplit('@').next().unwrap_or(name).trim_end_matches('.')
}

static REACHES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\d[\d ()-]{6,}\d|\S+@\S+\.\S+|\bwww\.|https?://|\b[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}\b|\b\d{5}(-\d{4})?\b|\b\d{2}-\d{3}\b",
    )
});

/// Parts that say whom to ask.
const CONTACTS: &[&str] = &["contact_dpo", "contact_general"];

/// Art. 33(3)(b): the name of who answers. A department's number alone is not a name.
fn nameless(part: &PartText<'_>) -> Option<String> {
    let capitals = part.text.split_whitespace().filter(|word| word.chars().next().is_some_and(char::is_uppercase)).count();
    // The sentence's own first word is one capital; in German each noun is one more.
    let least = if part.language == "de" { 4 } else { 3 };
    (part.id == "contact_dpo" && capitals < least).then(|| format!("`{}` names nobody", part.id))
}

/// Art. 33(3)(b), 45 CFR 164.404(c)(1)(E): and how to reach them.
fn unreachable(part: &PartText<'_>) -> Option<String> {
    let is_cut_off = CONTACTS.contains(&part.id) && !REACHES.is_match(part.text.as_bytes());
    is_cut_off.then(|| format!("`{}` has no telephone number, email, page or address", part.id))
}

/// P2, P3: a code that stands in the message, and words that say how to check it, for the readers of each language: in an
/// alert too.
fn unverifiable(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for (id, what) in [("how_to_check_real", "how to check that it is real"), ("ref_code", "which code to give")] {
        let demands = subject.profile.element(id).map(|rule| rule.demand);
        let is_missing = subject.languages.iter().any(|language| subject.parts(id, language).next().is_none());
        if demands == Some(Demand::Required) && is_missing {
            found.push(Found::element(id, 0, format!("it does not say {what}")).by(subject.profile));
        }
    }
    if !subject.message.text.contains(subject.reference_code) {
        found.push(Found::element("ref_code", 0, "the reference code is not in the text"));
    }
}

/// ICO guidance, Art. 77: people are told where to complain.
fn no_authority(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let recommends = subject.profile.element("complaint_right").is_some_and(|rule| rule.demand == Demand::Recommended);
    let is_missing = subject.languages.iter().any(|language| subject.parts("complaint_right", language).next().is_none());
    if recommends && subject.content == Content::Full && is_missing {
        found.push(Found::element("complaint_right", 0, "the authority to complain to is missing").by(subject.profile));
    }
}
