//! A provider's own record beside ours: the same messages to the same places, no more and no fewer.

use super::Finding;
use crate::model::state::{Channel, MessageState};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A message that was ever in a call: its send-once key, and what its frozen request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendKey {
    /// The message; one for each send-once key.
    pub message_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Number, or address lines joined by line ends.
    pub destination: String,
    /// SHA-256 of the content, hex.
    pub content_sha256: String,
    /// Where the message stands.
    pub state: MessageState,
}

/// One physical message, as a provider's record shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Produced {
    /// Channel word.
    pub channel: String,
    /// Number, or address lines joined by line ends.
    pub destination: String,
    /// SHA-256 of the content, hex.
    pub content_sha256: String,
}

/// What both sides say of one triple of channel, destination and content.
#[derive(Debug, Default)]
struct Sides {
    produced: usize,
    taken: Vec<Uuid>,
    possible: Vec<Uuid>,
    others: Vec<Uuid>,
}

/// Whether a message in this state may have left, though nobody knows.
fn may_have_left(state: MessageState) -> bool {
    matches!(state, MessageState::Sending | MessageState::Unknown | MessageState::Asked | MessageState::Superseded)
}

/// Demands of each triple that the record shows every message that we say was taken, and beyond these at most those
/// that may have been. Places are message ids; a destination never stands in a finding.
pub fn compare(sends: &[SendKey], record: &[Produced]) -> Vec<Finding> {
    let mut triples: BTreeMap<(&str, &str, &str), Sides> = BTreeMap::new();
    for send in sends {
        let sides = triples.entry((send.channel.as_str(), &send.destination, &send.content_sha256)).or_default();
        match send.state {
            state if state.is_taken() => sides.taken.push(send.message_id),
            state if may_have_left(state) => sides.possible.push(send.message_id),
            _ => sides.others.push(send.message_id),
        }
    }
    for produced in record {
        triples.entry((&produced.channel, &produced.destination, &produced.content_sha256)).or_default().produced += 1;
    }
    triples.into_iter().filter_map(|((channel, _, content), sides)| judge(channel, content, &sides)).collect()
}

fn judge(channel: &str, content: &str, sides: &Sides) -> Option<Finding> {
    let most = sides.taken.len() + sides.possible.len();
    let named = sides.taken.iter().chain(&sides.possible).chain(&sides.others).next();
    // A message that nobody here knows is named by its channel and the start of its content's hash.
    let place = named.map_or_else(|| format!("{channel} {}", content.get(..12).unwrap_or(content)), Uuid::to_string);
    let code = match named {
        None => "not_ours",
        Some(_) if sides.produced > most => "sent_twice",
        Some(_) if sides.produced < sides.taken.len() => "never_sent",
        Some(_) => return None,
    };
    Some(Finding {
        code,
        place: format!("{place}: {} on record, {} taken, {} possible", sides.produced, sides.taken.len(), sides.possible.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(n: u128, state: MessageState) -> SendKey {
        SendKey {
            message_id: Uuid::from_u128(n),
            channel: Channel::Sms,
            destination: "+447400123456".into(),
            content_sha256: "ab".repeat(32),
            state,
        }
    }

    fn produced(times: usize) -> Vec<Produced> {
        vec![Produced { channel: "sms".into(), destination: "+447400123456".into(), content_sha256: "ab".repeat(32) }; times]
    }

    fn codes(states: &[MessageState], times: usize) -> Vec<&'static str> {
        let sends: Vec<SendKey> = (0..).zip(states).map(|(n, state)| send(n, *state)).collect();
        compare(&sends, &produced(times)).iter().map(|f| f.code).collect()
    }

    #[test]
    fn the_record_shows_what_was_taken_and_at_most_what_may_have_been() {
        use MessageState::*;
        assert!(codes(&[Accepted], 1).is_empty());
        assert!(codes(&[Accepted, DeliveredToHandset], 2).is_empty());
        assert!(codes(&[Unknown], 0).is_empty() && codes(&[Unknown], 1).is_empty());
        assert!(codes(&[Ready, Rejected], 0).is_empty());
        assert_eq!(codes(&[Accepted], 2), ["sent_twice"]);
        assert_eq!(codes(&[Superseded], 2), ["sent_twice"]);
        assert_eq!(codes(&[Ready], 1), ["sent_twice"]);
        assert_eq!(codes(&[Overdue], 0), ["never_sent"]);
        assert_eq!(codes(&[], 1), ["not_ours"]);
    }

    #[test]
    fn a_finding_names_no_destination() {
        let found = compare(&[], &produced(1));
        assert!(!found[0].place.contains("7400"), "{}", found[0].place);
    }
}
