//! The words that Duly uses, in code, tables and on screens.

use super::output::{Paint, fold};
use serde_json::{Value, json};

/// Word and meaning, in the order in which an incident meets them.
const WORDS: &[(&str, &str)] = &[
    ("controller", "the organisation that must notify"),
    ("incident", "one breach of one controller"),
    (
        "affected list",
        "a file or batch of people with its manifest (hash, row count, Merkle root); `plan prepare` freezes it; later people and corrections form a supplement with a manifest of its own",
    ),
    ("person", "one affected individual of one incident"),
    ("person id", "p_ and 32 digits, random; the only name of a person in logs, addresses and evidence"),
    (
        "external reference",
        "the controller's own name for the person, such as a pay number: personal data, sealed, found by keyed hash, read from a prompt or standard input",
    ),
    ("reference code", "printed in the message; lets its reader ask whether it is genuine"),
    ("quarantined row", "a row that cannot become a person yet; it waits for a correction and is counted"),
    ("profile", "the legal rule set of a jurisdiction, with its version; the program's own configuration is called settings"),
    ("phase", "1 and up: the law lets a controller tell people in several steps"),
    (
        "notice",
        "the duty to tell one person in one phase; it is open until it ends as notified, unreachable, exempt or withdrawn",
    ),
    (
        "route",
        "the channels of a notice: sms, letter, email, sms-and-letter (alert and notify), sms-then-letter and email-then-letter (escalate)",
    ),
    ("message", "one rendering of a notice for one channel and reason: first, escalation, resend, correction"),
    ("attempt", "one try to hand a message to a provider"),
    ("receipt", "what a provider later says of a message"),
    ("lane", "provider account and channel, urgent or normal: the unit of pace, health and queueing"),
    ("send reference", "the name of a message given to a provider, derived from the person's key"),
    ("rehearsal", "what goes through a lane that is not live: nobody is told by it, its states and counts show what would be"),
    ("run", "the sending of an approved plan, from go to its last end state"),
    ("batch", "what goes into one transaction; for print, a print batch"),
    (
        "plan",
        "what exactly goes to whom: list roots, template and profile versions, routes, senders, lanes, limits; prepared by one, approved by another, bound by its hash",
    ),
    (
        "task",
        "to tell somebody by hand whom no message reaches any more: a call, a visit, another's help; done when it is recorded that they were told",
    ),
    ("hold", "a stop set by someone who may, for an incident, a cohort or a person; the person still counts"),
    ("evidence event", "one fact, as a leaf of the log; a checkpoint is a signed head of that log, a pack a file that proves"),
];

/// States of a person as summaries show them.
const PERSON: &[(&str, &str)] = &[
    ("waiting", "nothing was sent yet"),
    ("under way", "sent, and the notice has not ended"),
    ("needs a decision", "nothing happens by itself any more: a person must decide"),
    ("held", "a hold covers the person"),
    ("notified", "told, as the profile counts it: by channel, content and what the carrier or network reported"),
    ("unreachable", "no step of the route is left; a substitute or public notice is due"),
    ("exempt", "somebody decided, with a reason, that no notice is owed; taken back, the notice is open again"),
    ("withdrawn", "told in another way, in person, by phone or by others; never counted as notified"),
];

/// How a call to a provider ends. There is no sixth.
const OUTCOMES: &[(&str, &str)] = &[
    ("accepted", "the provider took the message and named it"),
    ("rejected", "the provider will never take it"),
    ("not taken", "proven not processed; the only one that is tried again by itself"),
    ("lane stopped", "as not taken, and nothing else on this lane would be taken either: it pauses, nobody's attempt is spent"),
    (
        "unknown",
        "all else: never sent again blindly; ended by the provider's answer to our reference, by a receipt, by a repeat that the provider guarantees, or by a person",
    ),
];

/// Words with their meanings.
type Words = [(&'static str, &'static str)];

const SECTIONS: &[(&str, &str, &Words)] = &[
    ("words", "Words", WORDS),
    ("person_states", "A person is shown as", PERSON),
    ("outcomes", "A call to a provider ends as", OUTCOMES),
];

/// Widest line, characters.
const LINE: usize = 80;
/// Where meanings begin.
const INDENT: usize = 22;

/// The table for people.
pub fn as_text() -> String {
    let paint = Paint::stdout();
    let section = |(_, title, words): &(&str, &str, &[(&str, &str)])| {
        let lines: Vec<String> = words.iter().map(|(word, meaning)| line(paint, word, meaning)).collect();
        format!("{}\n{}", paint.strong(title), lines.join("\n"))
    };
    let twice = "\"Twice\" means two physical messages for the same incident, person, phase, channel, reason and ordinal, and nothing else.";
    let twice = fold(twice, LINE);
    format!("{}\n\n{twice}", SECTIONS.iter().map(section).collect::<Vec<_>>().join("\n\n"))
}

/// The table as data.
pub fn as_json() -> Value {
    let rows = |words: &[(&str, &str)]| {
        words.iter().map(|(word, meaning)| json!({"word": word, "meaning": meaning})).collect::<Vec<_>>()
    };
    SECTIONS.iter().map(|(key, _, words)| ((*key).to_owned(), json!(rows(words)))).collect::<serde_json::Map<_, _>>().into()
}

fn line(paint: Paint, word: &str, meaning: &str) -> String {
    let mut text = format!("  {}", paint.strong(&format!("{word:<width$}", width = INDENT - 2)));
    let mut column = INDENT;
    for (i, part) in meaning.split(' ').enumerate() {
        let length = part.chars().count() + 1;
        if i > 0 && column + length > LINE {
            text.push_str(&format!("\n{:INDENT$}", ""));
            column = INDENT;
        } else if i > 0 {
            text.push(' ');
        }
        text.push_str(part);
        column += length;
    }
    text
}
