//! What stands beside the evidence in an incident's pack, for people. Nothing in it is evidence; each figure can be counted
//! again from the pack.

use super::copies::copies;
use super::document::{Document, Section};
use super::figures::{answer, channels, date, ground, lists, standing, times};
use super::obstacles::obstacles;
use super::pack::Audience;
use super::promised::{Promised, laws};
use super::rehearsal::with_rehearsal;
use super::replay::Replay;
use super::statement;
use crate::store::incident::Incident;

/// What stands below every page of a pack.
pub(super) const FOOT: &str = "Made by Duly from the log in this pack. This page is no evidence by itself: check the pack.";

/// What the page is about and rests on.
pub(super) fn about(incident: &Incident, replay: &Replay, plans: &[Promised]) -> Vec<(String, String)> {
    let mut about = vec![
        ("Controller".to_owned(), incident.controller_name.clone()),
        ("Incident".to_owned(), format!("{}/{}", incident.controller_slug, incident.slug)),
    ];
    about.extend(laws(&plans.iter().collect::<Vec<_>>()));
    about.extend(ground(replay));
    about
}

/// `summary.html` of an incident's pack.
pub fn summary(incident: &Incident, audience: Audience, replay: &Replay, plans: &[Promised]) -> Document {
    let tally = &replay.tally;
    let title = match audience {
        Audience::Regulator => "Notification of a personal data breach: summary for the supervisory authority",
        Audience::Court => "Notification of a personal data breach: summary for the court",
        Audience::Person => "Notification of a personal data breach: how the affected people were told",
    };
    let mut sections = vec![standing(tally), times(tally), channels(tally), obstacles(tally), lists(tally)];
    sections.extend(statement::section(tally));
    sections.push(copies(incident, &plans.iter().collect::<Vec<_>>(), false));
    sections.push(proves(audience));
    sections.push(check());
    Document {
        title: title.to_owned(),
        lead: with_rehearsal(answer(tally), tally, plans),
        date: date(replay.as_of),
        about: about(incident, replay, plans),
        sections,
        foot: FOOT.to_owned(),
    }
}

/// What the evidence proves, and what not.
pub(super) fn proves(audience: Audience) -> Section {
    let section = Section::new("What this pack proves, and what it does not");
    let section = match audience {
        Audience::Court => section.text(
            "The record was made by a computer in the ordinary course of sending, each entry at the time of the act that it records. Whether that computer worked properly need not be presumed: the entries can be checked, and the draft statement of “duly report witness” says which programs, settings, errors and reconciliations stand behind them.",
        ),
        Audience::Regulator => section.text("Once the pack is verified with a key that did not come with it:"),
        Audience::Person => section.text("You can have this checked by anybody whom you trust. Once it is verified with a key that did not come with it:"),
    };
    section
        .list([
            "It proves every event that the sender recorded up to the checkpoint, in order; nothing was changed, dropped or inserted since.",
            "It proves that the people are those of the lists as they were frozen, and how the notice of each stands.",
            "It proves that by the sender's own record nobody was sent the same message twice, and that only approved words were sent.",
            "It does not prove that anybody opened a message: “posted” and “reported delivered” are what providers and carriers said.",
            "It does not prove that the lists were complete when the controller handed them over, and it holds nobody of a list that was not frozen.",
            "It does not prove that nothing was sent outside of this record: compare the counts with the providers' own statements.",
            "It does not prove times more closely than the time stamps and witnesses beside the checkpoint do.",
        ])
        .text("No name, number or address of an affected person stands in this pack, only commitments, unless something was opened on request in “keys/”.")
}

/// How its reader checks it without us.
pub(super) fn check() -> Section {
    Section::new("How to check it without Duly").list([
        "duly-verify PACK --key LOG.vkey: one small program, no network, no database.",
        "verify.html: open it in a browser (tried in Chromium), offline, and drop the pack on it. It shares no code with the program.",
        "Any software for C2SP tlog-tiles reads “checkpoint”, “tile/” and “tile/entries/”.",
        "Take the log's key from the controller or from the sender's published list, never from here.",
    ])
}
