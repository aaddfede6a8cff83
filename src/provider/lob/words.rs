//! What Lob's words mean. Its events (`letter.in_transit`) and its tracking events (`In Transit`) have one word each for
//! the same thing; here both are written as the event without `letter.`.

use crate::model::state::{Channel, MessageState as S};
use crate::provider::wire::text_at;
use crate::provider::{ClaimedBy, Word, find_word};
use serde_json::Value;

/// Statuses, events and tracking events.
pub const WORDS: &[Word] = &[
    row("processed", Some(S::Accepted), ClaimedBy::Provider, "Lob holds the file and is rendering it"),
    row("created", Some(S::Accepted), ClaimedBy::Provider, "Lob holds the letter"),
    row("rendered", Some(S::Accepted), ClaimedBy::Provider, "the file was rendered; nothing is on paper"),
    row("rendered_pdf", Some(S::Accepted), ClaimedBy::Provider, "the file was rendered; nothing is on paper"),
    row("rendered_thumbnails", None, ClaimedBy::Provider, "nothing about the letter"),
    row("viewed", None, ClaimedBy::Provider, "somebody opened a code in the letter; who, is not said"),
    row("informed_delivery.email_sent", None, ClaimedBy::Carrier, "the carrier announced the letter by email"),
    row("failed", Some(S::Failed), ClaimedBy::Provider, "the file cannot be rendered: nothing is printed"),
    row("rejected", Some(S::Failed), ClaimedBy::Provider, "the printer refused it: nothing is mailed"),
    row("deleted", Some(S::Failed), ClaimedBy::Provider, "it was taken back: nothing is printed"),
    row("mailed", Some(S::HandedToCarrier), ClaimedBy::Carrier, "the carrier accepted it"),
    row("in_transit", Some(S::HandedToCarrier), ClaimedBy::Carrier, "scanned where it set out"),
    row("in_local_area", Some(S::HandedToCarrier), ClaimedBy::Carrier, "scanned where it is to be delivered from"),
    row("processed_for_delivery", Some(S::HandedToCarrier), ClaimedBy::Carrier, "due in the mailbox within a working day"),
    row("re-routed", Some(S::HandedToCarrier), ClaimedBy::Carrier, "sent on to another address: look at this address"),
    row("international_exit", Some(S::HandedToCarrier), ClaimedBy::Carrier, "left the country; no more news will come"),
    row("delivered", Some(S::CarrierDelivered), ClaimedBy::Carrier, "the carrier's GPS unit left the delivery area"),
    row("returned_to_sender", Some(S::Returned), ClaimedBy::Carrier, "on its way back"),
    row("certified.mailed", Some(S::HandedToCarrier), ClaimedBy::Carrier, "the carrier accepted it"),
    row("certified.in_transit", Some(S::HandedToCarrier), ClaimedBy::Carrier, "on its way"),
    row("certified.in_local_area", Some(S::HandedToCarrier), ClaimedBy::Carrier, "near its destination"),
    row("certified.processed_for_delivery", Some(S::HandedToCarrier), ClaimedBy::Carrier, "out for delivery"),
    row("certified.pickup_available", Some(S::HandedToCarrier), ClaimedBy::Carrier, "waits to be collected: nobody has it yet"),
    row(
        "certified.issue",
        Some(S::HandedToCarrier),
        ClaimedBy::Carrier,
        "the carrier has a problem with it: look at this address",
    ),
    row("certified.re-routed", Some(S::HandedToCarrier), ClaimedBy::Carrier, "sent on to another address: look at this address"),
    row("certified.delivered", Some(S::CarrierDelivered), ClaimedBy::Carrier, "the carrier recorded its delivery"),
    row("certified.returned_to_sender", Some(S::Returned), ClaimedBy::Carrier, "on its way back"),
];

const fn row(word: &'static str, state: Option<S>, claimed_by: ClaimedBy, proves: &'static str) -> Word {
    Word { channel: Channel::Letter, word, state, claimed_by, proves }
}

/// What a word means.
pub fn state(word: &str) -> Option<S> {
    find_word(WORDS, Channel::Letter, word).and_then(|row| row.state)
}

/// The word of a letter as the API shows it: its last tracking event, or how its file stands.
pub fn read(letter: &Value) -> (String, Option<S>) {
    let is_deleted = letter.get("deleted").and_then(Value::as_bool) == Some(true);
    let tracked = letter.get("tracking_events").and_then(Value::as_array).and_then(|events| events.last());
    let tracked = tracked.and_then(|event| text_at(event, "/name")).map(|name| name.to_lowercase().replace(' ', "_"));
    let word = match (is_deleted, tracked) {
        (true, _) => "deleted".to_owned(),
        (false, Some(tracked)) => tracked,
        (false, None) => text_at(letter, "/status").unwrap_or_default(),
    };
    let state = state(&word);
    (word, state)
}
