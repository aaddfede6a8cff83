//! What Twilio's words mean (`message_enum_status`), and those of its errors that change the meaning of a word
//! (twilio.com/docs/api/errors/30001 … 30036).

use crate::model::state::{Channel, MessageState as S};
use crate::provider::wire::text_at;
use crate::provider::{ClaimedBy, Word, find_word};
use serde_json::Value;

/// Statuses, and statuses with an error that says more.
pub const WORDS: &[Word] = &[
    row("accepted", Some(S::Accepted), ClaimedBy::Provider, "Twilio holds it and has chosen no sender yet"),
    row("scheduled", Some(S::Accepted), ClaimedBy::Provider, "Twilio holds it until its time"),
    row("queued", Some(S::Accepted), ClaimedBy::Provider, "it waits in Twilio's queue"),
    row("sending", Some(S::Accepted), ClaimedBy::Provider, "Twilio is handing it to the network"),
    row("sent", Some(S::Sent), ClaimedBy::Network, "the nearest network took it"),
    row("delivered", Some(S::DeliveredToHandset), ClaimedBy::Network, "the network reported delivery"),
    row(
        "read",
        Some(S::DeliveredToHandset),
        ClaimedBy::Network,
        "the network reported delivery, and the handset that it was opened",
    ),
    row("undelivered", Some(S::Failed), ClaimedBy::Network, "the network reported that it was not delivered"),
    // unconfirmed: under which of the two statuses the error comes.
    row(
        "undelivered 30002",
        Some(S::Failed),
        ClaimedBy::Provider,
        "it was not sent: the account was suspended, and the lane rests",
    ),
    row("undelivered 30003", Some(S::Failed), ClaimedBy::Network, "the handset was off or out of reach; it may be reached later"),
    row("undelivered 30004", Some(S::Failed), ClaimedBy::Network, "the recipient or the network blocks the sender"),
    row("undelivered 30005", Some(S::Failed), ClaimedBy::Network, "the number is not in use"),
    row("undelivered 30006", Some(S::Failed), ClaimedBy::Network, "the number is a landline, or the network cannot be reached"),
    row("undelivered 30007", Some(S::Failed), ClaimedBy::Network, "the network took it for spam: look at sender and text"),
    row("undelivered 30008", Some(S::Failed), ClaimedBy::Network, "the network gave no reason"),
    row("failed", Some(S::Failed), ClaimedBy::Provider, "it never left Twilio"),
    row("failed 30001", Some(S::Failed), ClaimedBy::Provider, "it never left Twilio: the sender's queue was full"),
    row(
        "failed 30002",
        Some(S::Failed),
        ClaimedBy::Provider,
        "it never left Twilio: the account was suspended, and the lane rests",
    ),
    row("failed 30036", Some(S::Expired), ClaimedBy::Provider, "it never left Twilio: its validity ended in the queue"),
    row("canceled", Some(S::Failed), ClaimedBy::Provider, "it was taken back and never left Twilio"),
    // Some of its recipients have it, and who they are is not said.
    row("partially_delivered", None, ClaimedBy::Network, "nothing about this person"),
];

/// Those by which nobody's text is sent.
pub const SUSPENDED: &[&str] = &["failed 30002", "undelivered 30002"];

const fn row(word: &'static str, state: Option<S>, claimed_by: ClaimedBy, proves: &'static str) -> Word {
    Word { channel: Channel::Sms, word, state, claimed_by, proves }
}

/// The word of a status and its error, and what it means: with the error where that has a row of its own.
pub fn of(status: &str, error: Option<&str>) -> (String, Option<S>) {
    let coded = error.map(|error| format!("{status} {error}"));
    let row = coded.and_then(|coded| find_word(WORDS, Channel::Sms, &coded)).or_else(|| find_word(WORDS, Channel::Sms, status));
    match row {
        Some(row) => (row.word.to_owned(), row.state),
        None => (status.to_owned(), None),
    }
}

/// The word of a message as the API shows it.
pub fn read(message: &Value) -> (String, Option<S>) {
    let error = message.get("error_code").and_then(Value::as_u64).map(|code| code.to_string());
    of(&text_at(message, "/status").unwrap_or_default(), error.as_deref())
}
