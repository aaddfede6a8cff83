//! A provider's own record beside ours: the same messages to the same places, no more and no fewer.

use super::Finding;
use crate::model::state::{Channel, MessageState};
use duly_ledger::{PersonKey, commit_under, field_key};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// By what a message is recognised in a provider's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// What its frozen request carries; the record's references are not looked at.
    Carries {
        /// Number, or address lines joined by line ends.
        destination: String,
        /// SHA-256 of the content, hex.
        content_sha256: String,
    },
    /// Its request is lost with a database that came back older: where it went, and what its content must open.
    Promised {
        /// Number, or address lines joined by line ends.
        destination: String,
        /// What was approved.
        content: Promise,
    },
    /// Its person is erased: only the accounts and the references that it had there are left. Where it went and with
    /// which words cannot be compared any more, only that it was made and how often.
    Named(Vec<(String, String)>),
}

/// A commitment to a content, with the key that opens it for whoever has the content's hash. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Promise {
    key: [u8; 32],
    commitment: [u8; 32],
}

impl std::fmt::Debug for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Promise(…)")
    }
}

impl Promise {
    /// The person's key and the commitment that was made with it.
    pub fn new(key: &PersonKey, commitment: [u8; 32]) -> Self {
        Self { key: field_key(key, "content"), commitment }
    }

    /// Whether this is the SHA-256, hex, of the content.
    fn is_kept_by(&self, content_sha256: &str) -> bool {
        hex::decode(content_sha256).is_ok_and(|hash| commit_under(&self.key, &hash) == self.commitment)
    }
}

/// A message that was ever in a call, one for each send-once key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendKey {
    /// The message.
    pub message_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// What it is recognised by.
    pub mark: Mark,
    /// Where the message stands.
    pub state: MessageState,
}

/// One physical message, as a provider's record shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Produced {
    /// The account, named like its lane.
    pub account: String,
    /// The reference that it came with.
    pub reference: String,
    /// Channel word.
    pub channel: String,
    /// Number, or address lines joined by line ends.
    pub destination: String,
    /// SHA-256 of the content, hex.
    pub content_sha256: String,
}

/// What is counted together: one triple of channel, destination and content, or one message of which no content is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Same<'a> {
    Triple(&'a str, &'a str, &'a str),
    Message(Uuid),
}

/// What both sides say of it.
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

/// Demands that the record shows every message that we say was taken, and beyond these at most those that may have
/// been. Places are message ids; a destination never stands in a finding.
pub fn compare(sends: &[SendKey], record: &[Produced]) -> Vec<Finding> {
    let mut counted: BTreeMap<Same<'_>, Sides> = BTreeMap::new();
    let mut erased: HashMap<(&str, &str, &str), Uuid> = HashMap::new();
    let mut at: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
    for made in record {
        at.entry((&made.channel, &made.destination)).or_default().push(&made.content_sha256);
    }
    for send in sends {
        let same = match &send.mark {
            Mark::Carries { destination, content_sha256 } => Same::Triple(send.channel.as_str(), destination, content_sha256),
            Mark::Promised { destination, content } => {
                let places = at.get(&(send.channel.as_str(), destination.as_str())).into_iter().flatten();
                let kept = places.copied().find(|hash| content.is_kept_by(hash));
                kept.map_or(Same::Message(send.message_id), |hash| Same::Triple(send.channel.as_str(), destination, hash))
            }
            Mark::Named(names) => {
                erased.extend(names.iter().map(|(account, reference)| {
                    ((send.channel.as_str(), account.as_str(), reference.as_str()), send.message_id)
                }));
                Same::Message(send.message_id)
            }
        };
        let sides = counted.entry(same).or_default();
        match send.state {
            // What its provider gave up, or gave back, it may never have made.
            MessageState::Failed => sides.possible.push(send.message_id),
            state if state.is_taken() => sides.taken.push(send.message_id),
            state if may_have_left(state) => sides.possible.push(send.message_id),
            _ => sides.others.push(send.message_id),
        }
    }
    for made in record {
        let of_erased = erased.get(&(made.channel.as_str(), made.account.as_str(), made.reference.as_str()));
        let triple = Same::Triple(&made.channel, &made.destination, &made.content_sha256);
        counted.entry(of_erased.map_or(triple, |id| Same::Message(*id))).or_default().produced += 1;
    }
    counted.into_iter().filter_map(|(same, sides)| judge(same, &sides)).collect()
}

fn judge(same: Same<'_>, sides: &Sides) -> Option<Finding> {
    let most = sides.taken.len() + sides.possible.len();
    let named = sides.taken.iter().chain(&sides.possible).chain(&sides.others).next().copied();
    // A message that nobody here knows is named by its channel and the start of its content's hash.
    let place = match (named, same) {
        (Some(id), _) | (None, Same::Message(id)) => id.to_string(),
        (None, Same::Triple(channel, _, content)) => format!("{channel} {}", content.get(..12).unwrap_or(content)),
    };
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
            mark: Mark::Carries { destination: "+447400123456".into(), content_sha256: "ab".repeat(32) },
            state,
        }
    }

    fn produced(times: usize) -> Vec<Produced> {
        let one = Produced {
            account: "sms".into(),
            reference: "r1".into(),
            channel: "sms".into(),
            destination: "+447400123456".into(),
            content_sha256: "ab".repeat(32),
        };
        vec![one; times]
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
    fn an_erased_persons_messages_are_counted_by_the_names_that_are_left() {
        use MessageState::*;
        let erased = |n, reference: &str, state| {
            let names = vec![("sms".to_owned(), reference.to_owned()), ("sms-spare".to_owned(), reference.to_owned())];
            SendKey { mark: Mark::Named(names), ..send(n, state) }
        };
        let found = |sends: &[SendKey], times| compare(sends, &produced(times)).iter().map(|f| f.code).collect::<Vec<_>>();
        assert!(found(&[erased(1, "r1", Accepted)], 1).is_empty());
        assert_eq!(found(&[erased(1, "r1", Accepted)], 2), ["sent_twice"]);
        assert_eq!(found(&[erased(1, "r1", Accepted)], 0), ["never_sent"]);
        // Nobody hides behind somebody erased: another reference is not theirs, nor theirs on another channel.
        assert_eq!(found(&[erased(1, "r2", Accepted)], 1), ["not_ours", "never_sent"]);
        let letter = SendKey { channel: Channel::Letter, ..erased(1, "r1", Accepted) };
        assert_eq!(found(&[letter], 1), ["not_ours", "never_sent"]);
        // One of two who share an address and a text.
        let other = Produced { reference: "r9".into(), ..produced(1)[0].clone() };
        assert_eq!(compare(&[erased(1, "r1", Accepted), send(2, Accepted)], &[produced(1), vec![other]].concat()), []);
    }

    #[test]
    fn a_message_whose_request_is_lost_is_known_by_where_it_went_and_by_what_was_promised() {
        use MessageState::*;
        let key = PersonKey::new([7; 32]);
        let promised = |n, content: [u8; 32], destination: &str, state| {
            let content = Promise::new(&key, duly_ledger::commit(&key, "content", &content));
            SendKey { mark: Mark::Promised { destination: destination.into(), content }, ..send(n, state) }
        };
        let found = |sends: &[SendKey], times| compare(sends, &produced(times)).iter().map(|f| f.code).collect::<Vec<_>>();
        let (said, number) = ([0xab; 32], "+447400123456");
        assert!(found(&[promised(1, said, number, Accepted)], 1).is_empty());
        assert!(found(&[promised(1, said, number, Unknown)], 0).is_empty());
        assert!(found(&[promised(1, said, number, Accepted), send(2, Accepted)], 2).is_empty());
        assert_eq!(found(&[promised(1, said, number, Accepted)], 2), ["sent_twice"]);
        assert_eq!(found(&[promised(1, said, number, Accepted)], 0), ["never_sent"]);
        assert_eq!(found(&[promised(1, [0xac; 32], number, Accepted)], 1), ["not_ours", "never_sent"]);
        assert_eq!(found(&[promised(1, said, "+447400999999", Accepted)], 1), ["not_ours", "never_sent"]);
        assert_eq!(format!("{:?}", Promise::new(&key, said)), "Promise(…)");
    }

    #[test]
    fn a_finding_names_no_destination() {
        let found = compare(&[], &produced(1));
        assert!(!found[0].place.contains("7400"), "{}", found[0].place);
    }
}
