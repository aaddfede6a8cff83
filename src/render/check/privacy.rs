//! Nothing of what was lost stands in the message, and nothing on its outside tells who writes.

use super::reading::squeezed;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::contact::PersonRecord;
use crate::model::email;
use crate::model::state::Channel;
use crate::render::variables::Variable;
use std::collections::BTreeSet;

/// Letters and digits below which a value says nothing of anybody.
const VALUE_MIN: usize = 4;
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

/// Values that a forger could use, and those of columns that were marked sensitive: never the name by which somebody is
/// addressed.
fn sensitive(person: &PersonRecord, channel: Channel) -> Vec<(String, String)> {
    let mut values = vec![("external_reference".to_owned(), squeezed(&person.external_reference))];
    if let Some(phone) = &person.phone {
        let digits = squeezed(phone);
        // +44 7400 123456 is written 07400 123456: what the two have in common.
        values.push(("phone".to_owned(), digits.chars().skip(digits.len().saturating_sub(9)).collect()));
    }
    // A letter prints the address in its window; a text message has no use for one.
    if channel == Channel::Sms {
        values.extend(person.address.iter().flatten().map(|line| ("address".to_owned(), squeezed(line))));
    }
    let has_digit = |value: &str| value.chars().any(|c| c.is_ascii_digit());
    values.retain(|(_, value)| value.len() >= VALUE_MIN && has_digit(value));
    values.extend(person.email.iter().map(|email| ("email".to_owned(), squeezed(email))));
    for (name, cell) in person.columns.iter().filter(|(_, cell)| cell.column.sensitive) {
        let forms = [squeezed(&cell.value), squeezed(&cell.printed())].into_iter().collect::<BTreeSet<_>>();
        let tells = |value: &String| value.chars().count() >= if has_digit(value) { CODE_MIN } else { WORDS_MIN };
        values.extend(forms.into_iter().filter(tells).map(|value| (name.clone(), value)));
    }
    values
}

/// GOV.UK Notify, NCSC: letters list kinds of data, never values; what was lost is not sent once more.
fn leaks(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let code = squeezed(subject.reference_code);
    let is_sensitive = |column: &str| subject.person.columns.get(column).is_some_and(|cell| cell.column.sensitive);
    let named: BTreeSet<&str> = subject.variables.iter().filter_map(Variable::column).filter(|name| is_sensitive(name)).collect();
    found.extend(named.iter().map(|name| Found::whole(format!("the template prints the sensitive column `{name}`"))));
    for (field, value) in sensitive(subject.person, subject.channel) {
        if code != value && !named.contains(field.as_str()) && subject.reading.holds(&value) {
            found.push(Found::whole(format!("the person's own `{field}` is printed")));
        }
    }
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
