//! What the fields of an event may hold.

use crate::event::micros_of;
use crate::hash::from_hex;
use crate::verify::scan::{Plain, from_uuid};
use crate::verify::states::{Channel, NoticeState, Reason, State, Word};

/// What a field may hold.
#[derive(Clone, Copy)]
pub(super) enum Is {
    /// From 0 on.
    Count,
    /// From 1 on: what is numbered.
    Number,
    /// From 1 to 2^32 - 1: a phase, or an ordinal.
    Small,
    Zero,
    Hash,
    Signature,
    Uuid,
    /// As an event's own time is written.
    Time,
    Flag,
    /// `true`, or absent.
    True,
    /// An HTTP status or a fact of the transport.
    Code,
    /// A row's number, or a job's keyed hash.
    Row,
    /// Any, but not an empty one.
    Text,
    /// Also an empty one.
    AnyText,
    /// Rules of the content check, each with how often it found something.
    Rules,
    Word(&'static [&'static str]),
    Channel,
    Reason,
    State,
    /// A state that a provider's report leads to.
    Report,
    Notice,
}

impl Is {
    /// Whether a value is one of these.
    pub(super) fn fits(self, value: &Plain) -> bool {
        match (self, *value) {
            (Self::Count, Plain::Number(n)) => n >= 0,
            (Self::Number | Self::Row, Plain::Number(n)) => n > 0,
            (Self::Small, Plain::Number(n)) => u32::try_from(n).is_ok_and(|n| n > 0),
            (Self::Zero, Plain::Number(n)) => n == 0,
            (Self::Hash, Plain::Text(text)) => from_hex::<32>(text).is_some(),
            (Self::Signature, Plain::Text(text)) => from_hex::<64>(text).is_some(),
            (Self::Uuid, Plain::Text(text)) => from_uuid(text).is_some(),
            (Self::Time, Plain::Text(text)) => micros_of(text).is_some(),
            (Self::Flag, Plain::Flag(_)) | (Self::True, Plain::Flag(true)) | (Self::AnyText, Plain::Text(_)) => true,
            (Self::Text, Plain::Text(text)) => !text.is_empty(),
            (Self::Row, Plain::Text(text)) => {
                !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            (Self::Code, Plain::Text(text)) => {
                !text.is_empty()
                    && text.len() <= 32
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            }
            (Self::Rules, Plain::Text(text)) => text.split(',').all(|part| {
                let is_count =
                    |n: &str| n.len() <= 16 && !n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty();
                part.split_once(':').is_some_and(|(rule, times)| !rule.is_empty() && is_count(times))
            }),
            (Self::Word(words), Plain::Text(text)) => words.contains(&text),
            (Self::Channel, Plain::Text(text)) => Channel::of(text).is_some(),
            (Self::Reason, Plain::Text(text)) => Reason::of(text).is_some(),
            (Self::State, Plain::Text(text)) => State::of(text).is_some(),
            (Self::Report, Plain::Text(text)) => State::of(text).is_some_and(|state| state.rank().is_some()),
            (Self::Notice, Plain::Text(text)) => {
                matches!(NoticeState::of(text), Some(NoticeState::Open | NoticeState::Notified | NoticeState::Unreachable))
            }
            _ => false,
        }
    }
}
