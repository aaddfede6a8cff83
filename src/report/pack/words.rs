//! What a pack says of itself to people: what it proves, what it does not, how to check without us.

use super::{Audience, Lack};

/// What must be known of a rehearsal, and what is missing and why, as the end of a README; nothing where nothing is.
fn end(rehearsal: &[String], missing: &[Lack]) -> String {
    let rehearsal: String = rehearsal.iter().map(|line| format!("\nMind: {line}\n")).collect();
    let lines: String = missing.iter().map(|lack| format!("- {}: {}\n", lack.files, lack.why)).collect();
    match lines.is_empty() {
        true => rehearsal,
        false => format!(
            "{rehearsal}\nWhat could not be made for this pack, and why; the log in it is whole, and a verifier names what is wrong with it:\n{lines}"
        ),
    }
}

/// The pack's README.txt.
pub fn readme(audience: Audience, origin: &str, rehearsal: &[String], missing: &[Lack]) -> String {
    let end = end(rehearsal, missing);
    let reader = match audience {
        Audience::Regulator => "for a supervisory authority",
        Audience::Court => "for a court",
        Audience::Person => "for an affected person",
    };
    format!(
        "This is the evidence of a personal data breach's notification, {reader}.
Log: {origin}

What it proves, once it is verified with the log's key from elsewhere than this pack:
- every event that the sender recorded up to the checkpoint, in order, with nothing changed, dropped or inserted since;
- that the people are those of the lists as they were frozen, and who of them has been told, as far as is known;
- that nobody was sent the same message twice by the sender's own record, and that only approved words were sent.

What it does not prove:
- that a person has read anything; 'handed to the carrier' and 'reported delivered' are what providers said;
- that the list was complete when the controller handed it over;
- when an event happened, more closely than the time stamps and witnesses beside the checkpoint say;
- that nothing was sent without a record: compare the counts with the providers' own statements.

How to check it, without Duly:
- duly-verify PACK --key LOG.vkey            one small program, no network, no database
- verify.html in a browser                   drop the pack on it; an implementation of its own; tried in Chromium
- any software for C2SP tlog-tiles           checkpoint, tile/ and tile/entries/ are exactly that format

Get the log's key from the controller or the sender's published list, never from here.
The format: docs/evidence-format.md of Duly. No name, number or address of an affected person stands in this pack, unless opened on request (keys/).
{end}"
    )
}

/// An example of a verifier's policy, without any key: one from here would prove nothing.
pub fn policy(origin: &str) -> String {
    format!(
        "# UNTRUSTED. This file came with the pack; whoever made a false pack could have made it too.
# Write a policy of your own and put into it keys that you have from elsewhere. Then:
#   duly-verify PACK --policy YOUR.policy
#
# The log's key, as the controller or the sender's published list gives it; its name must be
#   {origin}
# log <vkey>
#
# Witnesses that you trust, as they themselves publish their keys:
# witness <name> <vkey>
# group <name> any <witness> <witness>
# quorum <name>
quorum none
"
    )
}

/// README.txt of a person's pack.
pub fn person_readme(audience: Audience, origin: &str, rehearsal: &[String], missing: &[Lack]) -> String {
    let end = end(rehearsal, missing);
    let reader = match audience {
        Audience::Person => "for the person whom it is about",
        Audience::Court => "about one person, for a court",
        Audience::Regulator => "about one person, for a supervisory authority",
    };
    format!(
        "This is what was recorded of one person's notification of a personal data breach, {reader}.
Log: {origin}

certificate.pdf what it comes to, for somebody to sign; nothing in it is evidence
story.txt       the events in sentences, for people; nothing in it is evidence
events/         what was recorded of the person, in order, each with a proof that it stands in the log
log/            the lists, plans and holds that it rests on, likewise
manifest-line   the person's line of the frozen list, with a proof that it stands in it
keys.json       only on request: values of the person, and what opens their commitments
messages/       only on request: what was sent, byte for byte

It proves what is in it, and that the person's events have no gap from 1 to the last one here.
It does not prove that nothing more followed, that nothing was sent twice, or that anybody opened a message.
For the first two a reader needs the pack of the whole incident.

How to check it, without Duly:
- duly-verify PACK --key LOG.vkey            one small program, no network, no database
- verify.html in a browser                   drop the pack on it; an implementation of its own; tried in Chromium
- any software that reads C2SP tlog-proof

Get the log's key from the controller or the sender's published list, never from here.
A pack with keys.json or messages/ holds personal data: keep it as you would keep the letter itself.
{end}"
    )
}
