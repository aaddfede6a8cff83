//! Nothing of what was lost stands in the message, and nothing on its outside tells who writes.

use super::{Found, Rule, Severity, Subject};
use crate::model::contact::PersonRecord;
use crate::model::state::Channel;

/// Letters and digits below which a value says nothing of anybody.
const VALUE_MIN: usize = 4;
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
        check: leaks,
    },
    Rule {
        id: "C061",
        severity: Severity::Error,
        says: "somebody who sees the screen or the envelope learns who writes",
        source: "Farley v Paymaster: plain envelopes; GOV.UK Notify's guidance",
        is_confirmed: true,
        remedy: "in discreet mode write the employer's name only inside the letter, and choose a sender that does not tell",
        check: tells_who_writes,
    },
];

/// Values that a forger could use: never the name by which somebody is addressed.
fn sensitive(person: &PersonRecord, channel: Channel) -> Vec<(&'static str, String)> {
    let mut values = vec![("external_reference", squeeze(&person.external_reference))];
    if let Some(phone) = &person.phone {
        let digits = squeeze(phone);
        // +44 7400 123456 is written 07400 123456: what the two have in common.
        values.push(("phone", digits.chars().skip(digits.len().saturating_sub(9)).collect()));
    }
    // A letter prints the address in its window; a text message has no use for one.
    if channel == Channel::Sms {
        values.extend(person.address.iter().flatten().map(|line| ("address", squeeze(line))));
    }
    values.retain(|(_, value)| value.len() >= VALUE_MIN && value.chars().any(|c| c.is_ascii_digit()));
    values
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// GOV.UK Notify, NCSC: letters list kinds of data, never values; what was lost is not sent once more.
fn leaks(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let code = squeeze(subject.reference_code);
    for (field, value) in sensitive(subject.person, subject.channel) {
        if code != value && holds(&subject.message.text, &value) {
            found.push(Found::whole(format!("the person's own `{field}` is printed")));
        }
    }
}

/// Whether the text holds a value, however it is spaced or hyphenated, and not inside a longer word or number.
fn holds(text: &str, value: &str) -> bool {
    let wanted: Vec<char> = value.chars().collect();
    let letters: Vec<(char, bool)> = {
        let mut breaks_before = true;
        let mut letters = Vec::with_capacity(text.len());
        for c in text.chars() {
            if c.is_alphanumeric() {
                letters.extend(c.to_lowercase().map(|c| (c, breaks_before)));
                breaks_before = false;
            } else {
                breaks_before = true;
            }
        }
        letters
    };
    letters.windows(wanted.len()).enumerate().any(|(at, window)| {
        let is_phone_tail = window.first().is_some_and(|(c, _)| c.is_ascii_digit());
        let ends = letters.get(at + wanted.len()).is_none_or(|(_, breaks)| *breaks);
        (window[0].1 || is_phone_tail) && ends && window.iter().map(|(c, _)| c).eq(&wanted)
    })
}

/// For police the sender's name on the outside discloses the occupation: in discreet mode it stands inside only.
fn tells_who_writes(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if !subject.facts.discreet || subject.channel == Channel::Letter {
        // A letter's outside is read from the laid-out page.
        return;
    }
    let own = subject.controller_name.split_whitespace().filter(|word| word.chars().count() >= WORD_MIN);
    let words: Vec<String> = own.chain(subject.facts.discreet_words.iter().map(String::as_str)).map(str::to_lowercase).collect();
    let text = subject.message.text.to_lowercase();
    let tells = |text: &str| {
        words
            .iter()
            .any(|word| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == word) || text.contains(&format!(" {word} ")))
    };
    if tells(&text) {
        found.push(Found::whole("the text names who writes"));
    }
    if tells(&subject.sms_sender.to_lowercase()) {
        found.push(Found::whole("the sender names who writes"));
    }
}
