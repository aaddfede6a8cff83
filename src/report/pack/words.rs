//! What a pack says of itself to people: what it proves, what it does not, how to check without us.

use super::Audience;

/// The pack's README.txt.
pub fn readme(audience: Audience, origin: &str) -> String {
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
- verify.html in any browser                 drop the pack on it; an implementation of its own
- any software for C2SP tlog-tiles           checkpoint, tile/ and tile/entries/ are exactly that format

Get the log's key from the controller or the sender's published list, never from here.
The format: docs/evidence-format.md of Duly. Personal data stand in no part of this pack, unless opened on request (keys/).
"
    )
}
