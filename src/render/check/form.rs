//! The form that a law prescribes: title, headings, type.

use super::{Check, Found, Rule, Severity, Subject};
use crate::model::state::Channel;
use crate::render::marked::Part;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C010",
        severity: Severity::Error,
        says: "the title or the headings are not those of the law, in its order, each over what it announces",
        source: "Cal. Civ. Code 1798.82(d)(1)",
        is_confirmed: false,
        remedy: "write the title and the headings word for word as the profile has them, and under each heading a part with its text",
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

/// Cal. Civ. Code 1798.82(d)(1): the title, and five headings in their order, each on a line of its own and over a part that
/// says something: a closing or an empty line under a heading is no information under it.
fn headings(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let form = &subject.profile.form;
    if subject.channel == Channel::Sms {
        return;
    }
    let source = || Some((form.source.clone(), form.confirmed));
    let text = &subject.message.text;
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        (start, line.trim_start_matches(['=', ' ']).trim())
    });
    let mut places = Vec::new();
    for wanted in (!form.title.is_empty()).then_some(&form.title).into_iter().chain(&form.headings) {
        let Some((start, _)) = lines.find(|(_, line)| line == wanted) else {
            let what = format!("the line `{wanted}` is missing, or stands before its turn");
            found.push(Found { source: source(), ..Found::whole(what) });
            return;
        };
        places.push((start, wanted));
    }
    let headings = &places[places.len() - form.headings.len()..];
    for (place, (start, heading)) in headings.iter().enumerate() {
        let end = headings.get(place + 1).map_or(text.len(), |(next, _)| *next);
        let says =
            |part: &Part| (*start..end).contains(&part.range.start) && subject.message.of(part).contains(char::is_alphanumeric);
        if !subject.message.parts.iter().any(says) {
            let line = subject.message.line(*start);
            found.push(Found {
                source: source(),
                line,
                ..Found::whole(format!("`{heading}` stands over no part of the notice"))
            });
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
