//! Rules of channels: no links in a text message, a sender that readers can know.

use super::contact::DOMAIN_ENDS;
use super::wording::pattern;
use super::{Check, Found, Rule, Severity, Subject};
use crate::model::contact::email::is_address;
use crate::model::state::{Channel, Content};
use crate::render::sms;
use regex::bytes::Regex;
use std::sync::LazyLock;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C050",
        severity: Severity::Error,
        says: "a link in a text message",
        source: "NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "take it out and name the page in words; or have it allowed by name: `sms_links = true` under `[published]`",
        check: Check::Message(link),
    },
    Rule {
        id: "C052",
        severity: Severity::Error,
        says: "a shortened link",
        source: "NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "nobody can see where a shortened link leads: write the controller's own domain",
        check: Check::Message(shortened),
    },
    Rule {
        id: "C056",
        severity: Severity::Error,
        says: "the sender is none that networks and readers accept",
        source: "UK networks' sender rules of 2023, GOV.UK Service Manual; NCSC guidance on breach messages",
        is_confirmed: true,
        remedy: "text messages: 3 to 11 letters, digits, hyphens, the controller's name in it (`duly controller`); emails: `email_sender` under `[published]`, at one of its `domains`",
        check: Check::Message(sender),
    },
    Rule {
        id: "C057",
        severity: Severity::Warning,
        says: "a text message of more segments than networks and telephones join as one",
        source: "GOV.UK Notify's table of prices: each segment is charged, and none of its texts has more than six; 3GPP TS 23.040",
        is_confirmed: false,
        remedy: "write shorter texts, or tell these people by letter or email; where it has to be so long, say why and look at what it costs (`plan show`)",
        check: Check::Message(segments),
    },
    Rule {
        id: "C080",
        severity: Severity::Warning,
        says: "this message alone cannot end the duty to tell",
        source: "the profile's table of channels that close",
        is_confirmed: true,
        remedy: "keep a letter or an email in the route: until then the person counts as alerted, not as notified",
        check: Check::Message(only_alerts),
    },
    Rule {
        id: "C081",
        severity: Severity::Error,
        says: "the breach may have opened this channel to others",
        source: "EDPB 9/2022; ICO audit toolkit",
        is_confirmed: true,
        remedy: "choose a route without it, or correct `compromised_channels` under `[facts]`",
        check: Check::Message(compromised),
    },
];

/// Segments that networks and telephones usually join.
const SEGMENTS_MAX: usize = 10;

static LINK: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"\bhttps?://|\bwww\.|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:{DOMAIN_ENDS})\b(?:/\S*)?")));

/// NCSC and the GOV.UK Service Manual: readers are told not to follow links in messages about a breach.
fn link(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.channel != Channel::Sms || subject.published.sms_links {
        return;
    }
    let plain = subject.reading.plain();
    for hit in LINK.find_iter(plain.as_bytes()) {
        let is_mail = plain[..hit.start()].ends_with('@');
        if !is_mail {
            found.push(Found::at(subject, hit.start(), "a link in a text message"));
        }
    }
}

static SHORTENERS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(bit\.ly|tinyurl\.com|t\.co|goo\.gl|ow\.ly|is\.gd|buff\.ly|rebrand\.ly|cutt\.ly|shorturl\.at|tiny\.cc|lnkd\.in|rb\.gy|t\.ly|s\.id)\b",
    )
});

/// The same: nobody can see where such a link leads, in whatever channel.
fn shortened(subject: &Subject<'_>, found: &mut Vec<Found>) {
    for hit in SHORTENERS.find_iter(subject.reading.plain().as_bytes()) {
        found.push(Found::at(subject, hit.start(), "a shortened link"));
    }
}

/// Senders that networks block or that say nothing.
const GENERIC: &[&str] =
    &["INFO", "ALERT", "ALERTS", "VERIFY", "SMS", "NOTICE", "NOTIFY", "SECURE", "SECURITY", "BANK", "POLICE", "GOV", "TEXT"];

/// The strictest common subset of the networks' rules: sources differ on spaces, points and ampersands.
fn sender(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.channel == Channel::Email {
        return email_sender(subject, found);
    }
    let sender = subject.sms_sender;
    let fits = (3..=11).contains(&sender.len())
        && sender.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && sender.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && sender.bytes().any(|b| b.is_ascii_alphabetic());
    if subject.channel == Channel::Sms && (!fits || GENERIC.contains(&sender.to_uppercase().as_str())) {
        found.push(Found::whole(format!("`{sender}` is no sender that networks and readers accept")));
    }
}

/// P1: an email comes from an address that was published, at a domain that the reader can look up.
fn email_sender(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let sender = &subject.published.email_sender;
    let is_known = sender.rsplit_once('@').is_some_and(|(_, domain)| subject.known.has_domain(domain));
    if sender.is_empty() {
        found.push(Found::whole("`email_sender` is not published"));
    } else if !is_address(sender) || !is_known {
        found.push(Found::whole(format!("`{sender}` is no address at a domain that was published")));
    }
}

/// GOV.UK Notify's prices and 3GPP TS 23.040: the controller pays each segment, and the reader's network and telephone have to
/// join them. The standard counts to 255; more than ten are often cut, or come apart and out of order.
fn segments(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.channel != Channel::Sms {
        return;
    }
    let text = subject.message.text.trim();
    if sms::measure(text).segments <= SEGMENTS_MAX {
        return;
    }
    // One such letter, in a name for example, takes more than twice the segments for the whole text.
    let basic: String = text.chars().map(|c| if sms::is_basic(c) { c } else { 'x' }).collect();
    found.push(Found::whole(match sms::measure(&basic).segments <= SEGMENTS_MAX {
        true => format!("more than {SEGMENTS_MAX} segments, by letters beyond the basic alphabet of text messages"),
        false => format!("more than {SEGMENTS_MAX} segments"),
    }));
}

/// 45 CFR 164.404(d), Cal. Civ. Code 1798.82(j): some laws never accept a text message; no law accepts an alert.
fn only_alerts(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.profile.closes(subject.channel, subject.content) {
        return;
    }
    if subject.content == Content::Alert {
        return found.push(Found::whole(format!(
            "`{}` is an alert only: it says that something happened, and not what",
            subject.channel
        )));
    }
    let what = format!("`{}` does not end a notice under `{}`", subject.channel, subject.profile.id);
    found.push(match subject.profile.not_closing(subject.channel) {
        Some(row) => {
            Found { source: Some((row.source.clone(), row.confirmed)), ..Found::whole(format!("{what}: {}", row.reason)) }
        }
        None => Found::whole(what),
    });
}

/// Cal. Civ. Code 1798.82(j), EDPB 9/2022: never through what the breach opened.
fn compromised(subject: &Subject<'_>, found: &mut Vec<Found>) {
    if subject.facts.compromised_channels.iter().any(|channel| channel == subject.channel.as_str()) {
        found.push(Found::whole(format!("`{}` is compromised", subject.channel)));
    }
}
