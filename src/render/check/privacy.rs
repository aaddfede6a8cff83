//! Nothing of what was lost stands in the message, and nothing on its outside tells who writes.

use super::reading::{Reading, squeezed};
use super::wording::pattern;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::contact::PersonRecord;
use crate::model::email;
use crate::model::state::Channel;
use crate::render::variables::Variable;
use crate::render::words;
use regex::bytes::Regex;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Letters and digits below which a value stands in many a text by chance.
const VALUE_MIN: usize = 4;
/// Digits at the end of a telephone number that are the same with its country's code and without.
const PHONE_DIGITS: usize = 8;
/// Of a sensitive column's value with a digit; shorter ones stand in every text.
const CODE_MIN: usize = 3;
/// Of a sensitive column's value without digits, which may be a word of the text.
const WORDS_MIN: usize = 5;
/// Characters of a text that a list of mails shows behind the subject.
const PREVIEW_CHARS: usize = 100;
/// Letters below which a word of a name tells nobody's occupation.
const WORD_MIN: usize = 4;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C060",
        severity: Severity::Error,
        says: "a sensitive value of the person's own is printed",
        source: "GOV.UK Notify: assume that anyone could read it",
        is_confirmed: true,
        remedy: "name the kind of data, never the value: take the field out of the template or the text",
        check: Check::Message(leaks),
    },
    Rule {
        id: "C061",
        severity: Severity::Error,
        says: "somebody who sees the screen or the envelope learns who writes",
        source: "Farley v Paymaster: plain envelopes; GOV.UK Notify's guidance",
        is_confirmed: true,
        remedy: "in discreet mode write the employer's name only inside the letter, and choose a sender that does not tell",
        check: Check::Message(tells_who_writes),
    },
];

/// One value that may not be printed.
struct Value {
    field: String,
    /// Letters and digits alone, in lower case.
    squeezed: String,
    /// What else must be true of a value that stands in the text, because a text may have it by chance.
    only: Only,
}

/// When a value that stands in a text is the person's.
enum Only {
    /// Nobody writes it by chance.
    Always,
    /// Of letters alone, it is a word in another case: it counts as its list has it, or behind the name of a number.
    AsWritten(String),
    /// So short that it stands in every text: it counts behind the name of a number alone, such as `your pay number is 7`.
    Named,
    /// An address is the controller's or an authority's own where a text for such addresses prints it too.
    Elsewhere,
}

/// Values that a forger could use, and those of columns that were marked sensitive: never the name by which somebody is
/// addressed.
fn sensitive(person: &PersonRecord) -> Vec<Value> {
    let value = |field: &str, text: &str, only| Value { field: field.to_owned(), squeezed: squeezed(text), only };
    let reference = person.external_reference.trim();
    // A capital that begins a word is the language's; further ones are a code's.
    let is_code = reference.chars().count() >= VALUE_MIN && reference.chars().skip(1).any(char::is_uppercase);
    let only = match has_digit(reference) && squeezed(reference).len() >= VALUE_MIN {
        true => Only::Always,
        false if is_code && !has_digit(reference) => Only::AsWritten(reference.to_owned()),
        false => Only::Named,
    };
    let mut values = vec![value("external_reference", reference, only)];
    if let Some(phone) = &person.phone {
        let digits = squeezed(phone);
        // +44 7400 123456 is written 07400 123456: what the two have in common.
        let common: String = digits.chars().skip(digits.len().saturating_sub(PHONE_DIGITS)).collect();
        values.push(value("phone", &common, Only::Always));
    }
    // The window is no part of a letter's text: an address in it is a value like any other.
    let lines = person.address.iter().flatten().filter(|line| has_digit(line) && squeezed(line).len() >= VALUE_MIN);
    values.extend(lines.map(|line| value("address", line, Only::Elsewhere)));
    values.extend(person.email.iter().map(|email| value("email", email, Only::Always)));
    for (name, cell) in person.columns.iter().filter(|(_, cell)| cell.column.sensitive) {
        let dates = cell.day().into_iter().flat_map(words::dates);
        let forms = dates.chain([cell.value.clone()]).map(|form| squeezed(&form)).collect::<BTreeSet<_>>();
        let tells = |value: &String| value.chars().count() >= if has_digit(value) { CODE_MIN } else { WORDS_MIN };
        values.extend(forms.into_iter().filter(tells).map(|form| value(name, &form, Only::Always)));
    }
    values
}

fn has_digit(value: &str) -> bool {
    value.chars().any(|c| c.is_ascii_digit())
}

/// What is called by a number, up to where the number stands.
static NAMES_NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:(?:no|nr|ref|id)\b\.?|(?:reference|referenz\w*|referencia|r.f.rence|cyfeirnod|\w*nummer|num.ro|n.mero|numer|rhif|number|code|badge|collar|payroll|warrant)\b)[ :#()'-]{0,3}(?:(?:(?:no|nr)\b\.?|(?:is|was|of|number|ist|est|es|to|yw)\b)[ :#'-]{0,3}){0,2}",
    )
});

impl Value {
    /// Whether the text prints it as the person's.
    fn stands_in(&self, subject: &Subject<'_>) -> bool {
        if !subject.reading.holds(&self.squeezed) {
            return false;
        }
        match &self.only {
            Only::Always => true,
            Only::AsWritten(reference) => {
                // Whose reference is their name is addressed by it.
                !Reading::of(&subject.person.name).holds(&self.squeezed)
                    && (has_word(&subject.message.text, reference) || self.is_named_in(subject.reading.plain()))
            }
            Only::Named => self.is_named_in(subject.reading.plain()),
            Only::Elsewhere => !addresses(subject.texts).any(|text| Reading::of(text).holds(&self.squeezed)),
        }
    }

    /// Whether it stands behind what names a number.
    fn is_named_in(&self, plain: &str) -> bool {
        NAMES_NUMBER.find_iter(plain.as_bytes()).any(|name| {
            let mut rest = plain[name.end()..].chars();
            let mut wanted = self.squeezed.chars().peekable();
            let mut has_begun = false;
            while let Some(next) = wanted.peek().copied() {
                match rest.next() {
                    Some(c) if c.to_ascii_lowercase() == next => drop(wanted.next()),
                    Some(' ' | '-' | '/' | '.') if has_begun => {}
                    _ => return false,
                }
                has_begun = true;
            }
            !rest.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
        })
    }
}

/// Whether a text has these very letters as a word.
fn has_word(text: &str, word: &str) -> bool {
    let is_end = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    text.match_indices(word)
        .any(|(at, word)| is_end(text[..at].chars().next_back()) && is_end(text[at + word.len()..].chars().next()))
}

/// Texts that may print the address of a controller or an authority.
const ADDRESSES: &[&str] = &[
    "dpo_contact",
    "contact_address",
    "complaint_right",
    "credit_agencies",
    "regulator_contacts",
    "freeze_howto",
    "police_report",
];

/// These texts of the incident, in each of its languages.
fn addresses(texts: &Json) -> impl Iterator<Item = &str> {
    let tables = std::iter::once(texts).chain(texts.as_object().into_iter().flat_map(|fields| fields.values()));
    tables.flat_map(|table| ADDRESSES.iter().filter_map(|name| table.get(*name).and_then(Json::as_str)))
}

/// GOV.UK Notify, NCSC: letters list kinds of data, never values; what was lost is not sent once more.
fn leaks(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let code = squeezed(subject.reference_code);
    let is_sensitive = |column: &str| subject.person.columns.get(column).is_some_and(|cell| cell.column.sensitive);
    let named: BTreeSet<&str> = subject.variables.iter().filter_map(Variable::column).filter(|name| is_sensitive(name)).collect();
    found.extend(named.iter().map(|name| Found::whole(format!("the template prints the sensitive column `{name}`"))));
    let values = sensitive(subject.person).into_iter();
    let printed = values.filter(|v| code != v.squeezed && !named.contains(v.field.as_str()) && v.stands_in(subject));
    // Two lines of an address are one address.
    let fields: BTreeSet<String> = printed.map(|value| value.field).collect();
    found.extend(fields.into_iter().map(|field| Found::whole(format!("the person's own `{field}` is printed"))));
}

/// For police the sender's name on the outside discloses the occupation: in discreet mode it stands inside only.
fn tells_who_writes(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if !subject.facts.discreet {
        return;
    }
    if subject.channel == Channel::Letter {
        return window_tells(subject, found);
    }
    let own = subject.controller_name.split_whitespace().filter(|word| word.chars().count() >= WORD_MIN);
    let words: Vec<String> = own.chain(subject.facts.discreet_words.iter().map(String::as_str)).map(str::to_lowercase).collect();
    let outside = match subject.channel {
        // What a locked screen and a list of mails show: the subject, and how the text begins.
        Channel::Email => subject.message.text.chars().take(email::SUBJECT_CHARS_MAX + PREVIEW_CHARS).collect(),
        _ => subject.message.text.clone(),
    };
    let text = outside.to_lowercase();
    let tells = |text: &str| {
        words
            .iter()
            .any(|word| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == word) || text.contains(&format!(" {word} ")))
    };
    if tells(&text) {
        found.push(Found::whole("the text names who writes"));
    }
    let sender = if subject.channel == Channel::Email { subject.published.email_sender.as_str() } else { subject.sms_sender };
    if tells(&sender.to_lowercase()) {
        found.push(Found::whole("the sender names who writes"));
    }
}

/// A letter's outside is its window; that nothing else shows on it is read from the laid-out page.
fn window_tells(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let window = squeezed(&subject.person.address_block().concat());
    let words = subject.facts.discreet_words.iter().map(String::as_str).chain([subject.controller_name]);
    if words.map(squeezed).any(|word| word.chars().count() >= WORD_MIN && window.contains(&word)) {
        found.push(Found::whole("the address in the window names who writes"));
    }
}
