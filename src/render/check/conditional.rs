//! What a part has to say where a law's condition makes it due: how long an offer lasts, and how credit agencies are reached.

use super::content::demanded;
use super::wording::pattern;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::profile::ElementRule;
use crate::render::marked::Part;
use regex::bytes::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C001",
        severity: Severity::Error,
        says: "an offer is shorter than the law demands",
        source: "the profile's law",
        is_confirmed: true,
        remedy: "offer what the law demands, and write how many months it lasts: `offer_months` under `[facts]`, and the same in the text",
        check: Check::Message(short_offer),
    },
    Rule {
        id: "C001",
        severity: Severity::Error,
        says: "the credit agencies cannot be reached",
        source: "the profile's law",
        is_confirmed: true,
        remedy: "write a toll-free number and a postal address of each agency that the text names, and publish the numbers: `phones` under `[published]`",
        check: Check::Message(agencies_out_of_reach),
    },
];

/// Parts of a demanded rule, each with its text.
fn parts<'a>(subject: &'a Subject<'_>, rule: &'a ElementRule) -> impl Iterator<Item = (&'a Part, &'a str)> {
    subject.message.parts_of(&rule.id).map(|part| (part, subject.message.of(part)))
}

/// Cal. Civ. Code 1798.82(d)(2)(G) (12 months), M.G.L. c.93H s.3A (18 months): free, and for at least so long.
fn short_offer(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let offered = subject.facts.offer_months;
    for rule in demanded(subject).filter(|rule| rule.months_min > 0) {
        if offered < rule.months_min {
            let what = format!("`{}` lasts {offered} months (`offer_months`), less than {}", rule.id, rule.months_min);
            found.push(Found::element(&rule.id, 0, what).by(subject.profile));
            continue;
        }
        for (part, text) in parts(subject, rule) {
            let said = months(text);
            if !said.is_empty() && !said.contains(&offered) {
                let what = format!("`{}` speaks of other months than `offer_months`, which says {offered}", rule.id);
                found.push(Found::element(&rule.id, subject.message.line(part.range.start), what).by(subject.profile));
            }
        }
    }
}

static MONTHS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(\d{1,3}|one|two|three|four|five|six|twelve|eighteen|twenty-four)[ -](?:full )?(month|year)s?\b")
});

/// The months of which a text speaks.
fn months(text: &str) -> BTreeSet<u32> {
    let said = MONTHS.captures_iter(text.as_bytes()).filter_map(|said| {
        let word = |at: usize| said.get(at).and_then(|m| std::str::from_utf8(m.as_bytes()).ok()).map(str::to_lowercase);
        let (count, unit) = (word(1)?, word(2)?);
        let count = match count.as_str() {
            "one" => 1,
            "two" => 2,
            "three" => 3,
            "four" => 4,
            "five" => 5,
            "six" => 6,
            "twelve" => 12,
            "eighteen" => 18,
            "twenty-four" => 24,
            digits => digits.parse().ok()?,
        };
        Some(if unit == "year" { 12 * count } else { count })
    });
    said.collect()
}

static TOLL_FREE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:\b1[ .-]{0,3})?(?:\(|\b)8(?:00|33|44|55|66|77|88)\)?[ .-]{0,3}\d{3}[ .-]{0,3}\d{4}\b"));
static POSTAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?-i:\b[A-Z]{2}),? \d{5}(?:-\d{4})?\b"));
static AGENCIES: LazyLock<[Regex; 3]> = LazyLock::new(|| [r"\bEquifax\b", r"\bExperian\b", r"\bTrans ?Union\b"].map(pattern));

/// Cal. Civ. Code 1798.82(d)(2)(F): the toll-free numbers and addresses of the major credit reporting agencies.
fn agencies_out_of_reach(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for rule in demanded(subject).filter(|rule| rule.id == "credit_agencies") {
        for (part, text) in parts(subject, rule) {
            let text = text.as_bytes();
            let named = AGENCIES.iter().filter(|agency| agency.is_match(text)).count().max(1);
            let (numbers, addresses) = (TOLL_FREE.find_iter(text).count(), POSTAL.find_iter(text).count());
            if numbers < named || addresses < named {
                let what = format!(
                    "`credit_agencies` has {numbers} toll-free numbers and {addresses} postal addresses, and {named} of each are due"
                );
                found.push(Found::element(&rule.id, subject.message.line(part.range.start), what).by(subject.profile));
            }
        }
    }
}
