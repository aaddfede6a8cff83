//! The form that a law prescribes: title, headings, type.

use super::{Check, Found, Rule, Severity, Subject};
use crate::model::state::Channel;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C010",
        severity: Severity::Error,
        says: "the title or the headings are not those of the law, in its order",
        source: "Cal. Civ. Code 1798.82(d)(1)",
        is_confirmed: false,
        remedy: "write the title and the headings word for word as the profile has them",
        check: Check::Message(headings),
    },
    Rule {
        id: "C011",
        severity: Severity::Error,
        says: "the type is too small",
        source: "Cal. Civ. Code 1798.82(d)(1)",
        is_confirmed: false,
        remedy: "print the letter in a larger size",
        check: Check::Message(small_type),
    },
];

/// Cal. Civ. Code 1798.82(d)(1): the title, and five headings in their order, each on a line of its own.
fn headings(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let form = &subject.profile.form;
    if subject.channel == Channel::Sms {
        return;
    }
    let mut lines = subject.message.text.lines().enumerate().map(|(n, line)| (n + 1, line.trim_start_matches(['=', ' ']).trim()));
    let title = (!form.title.is_empty()).then_some(&form.title);
    for wanted in title.into_iter().chain(&form.headings) {
        if !lines.any(|(_, line)| line == wanted) {
            let source = Some((form.source.clone(), form.confirmed));
            found.push(Found { source, ..Found::whole(format!("the line `{wanted}` is missing, or stands before its turn")) });
            return;
        }
    }
}

/// Cal. Civ. Code 1798.82(d)(1): type of 10 points or more, as it was laid out.
fn small_type(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let form = &subject.profile.form;
    if subject.channel == Channel::Letter && subject.font_pt > 0.0 && subject.font_pt < form.font_pt_min {
        let source = Some((form.source.clone(), form.confirmed));
        let what = format!("the smallest type has {} points, less than {}", subject.font_pt, form.font_pt_min);
        found.push(Found { source, ..Found::whole(what) });
    }
}
