//! What each word of Notify's means, whose word it is, and what it proves.

use crate::model::state::{Channel, MessageState as S};
use crate::provider::{ClaimedBy, Word};

/// Notify's words (`_notification_statuses.md`).
pub const WORDS: &[Word] = &[
    row(Channel::Sms, "created", Some(S::Accepted), ClaimedBy::Provider, "Notify holds it and has not passed it on"),
    row(
        Channel::Sms,
        "sending",
        Some(S::Sent),
        ClaimedBy::Provider,
        "Notify's text provider has it, and tries for up to 72 hours",
    ),
    row(Channel::Sms, "pending", Some(S::Sent), ClaimedBy::Network, "the network has it, and the handset has not answered"),
    row(Channel::Sms, "sent", Some(S::Sent), ClaimedBy::Provider, "handed over to a network abroad; no more news will come"),
    row(
        Channel::Sms,
        "delivered",
        Some(S::DeliveredToHandset),
        ClaimedBy::Network,
        "the network reported delivery to the handset",
    ),
    row(Channel::Sms, "permanent-failure", Some(S::Failed), ClaimedBy::Network, "the number is wrong, or the network refused it"),
    row(
        Channel::Sms,
        "temporary-failure",
        Some(S::Expired),
        ClaimedBy::Network,
        "not delivered in 72 hours; this is also the word where no receipt came",
    ),
    row(Channel::Sms, "technical-failure", Some(S::Failed), ClaimedBy::Provider, "it was not sent"),
    row(Channel::Email, "created", Some(S::Accepted), ClaimedBy::Provider, "Notify holds it and has not passed it on"),
    row(
        Channel::Email,
        "sending",
        Some(S::Sent),
        ClaimedBy::Provider,
        "Notify's mail provider has it, and tries for up to 72 hours",
    ),
    row(Channel::Email, "delivered", Some(S::CarrierDelivered), ClaimedBy::Network, "the recipient's mail server took it"),
    // A server that took it may refuse it later: like a letter that comes back, it takes `notified` back.
    row(
        Channel::Email,
        "permanent-failure",
        Some(S::Returned),
        ClaimedBy::Network,
        "it came back: a mail server refused it for good",
    ),
    row(Channel::Email, "temporary-failure", Some(S::Expired), ClaimedBy::Network, "the inbox is full, or the mail was refused"),
    row(Channel::Email, "technical-failure", Some(S::Failed), ClaimedBy::Provider, "it was not sent"),
    row(
        Channel::Letter,
        "pending-virus-check",
        Some(S::Accepted),
        ClaimedBy::Provider,
        "Notify holds the file and has not checked it",
    ),
    row(Channel::Letter, "created", Some(S::Accepted), ClaimedBy::Provider, "Notify holds the checked letter"),
    row(Channel::Letter, "accepted", Some(S::Accepted), ClaimedBy::Provider, "sent to the printer, and not printed yet"),
    row(
        Channel::Letter,
        "received",
        Some(S::HandedToCarrier),
        ClaimedBy::Provider,
        "the printer says that it printed and dispatched it; nobody says that it arrived",
    ),
    row(Channel::Letter, "returned-letter", Some(S::Returned), ClaimedBy::Carrier, "the envelope came back to the printer"),
    row(Channel::Letter, "validation-failed", Some(S::Failed), ClaimedBy::Provider, "nothing is printed: the file does not fit"),
    row(
        Channel::Letter,
        "virus-scan-failed",
        Some(S::Failed),
        ClaimedBy::Provider,
        "nothing is printed: the virus scan refused it",
    ),
    row(Channel::Letter, "permanent-failure", Some(S::Failed), ClaimedBy::Provider, "it cannot be printed and is not dispatched"),
    row(Channel::Letter, "cancelled", Some(S::Failed), ClaimedBy::Provider, "somebody cancelled it: not printed, not dispatched"),
    // "Do not try to send the letter again": Notify mends it, so that it is neither sent nor given up.
    row(Channel::Letter, "technical-failure", None, ClaimedBy::Provider, "not sent yet; Notify asks not to send it again"),
];

const fn row(channel: Channel, word: &'static str, state: Option<S>, claimed_by: ClaimedBy, proves: &'static str) -> Word {
    Word { channel, word, state, claimed_by, proves }
}
