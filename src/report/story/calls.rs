//! Which calls of a person's messages have no end that is known, as far as the events were read: of a message with such a
//! call nothing may be said that only its later calls show.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How a message is told from others of its person: phase, channel, reason, ordinal.
type Key = (u64, String, String, u64);

/// The calls of one message.
#[derive(Debug, Default)]
struct Calls {
    /// For each call the first one that had its bytes and key; its own number where it repeats none.
    first: BTreeMap<u64, u64>,
    /// Calls of which nobody knows how they ended.
    open: BTreeSet<u64>,
}

impl Calls {
    fn first_of(&self, call: u64) -> u64 {
        self.first.get(&call).copied().unwrap_or(call)
    }

    /// The provider's word on one of several with the same key is its word on all of them.
    fn close_all(&mut self, call: u64) {
        let of = self.first_of(call);
        let rest: BTreeSet<u64> = self.open.iter().copied().filter(|open| self.first_of(*open) != of).collect();
        self.open = rest;
    }
}

/// The calls of all messages of one person.
#[derive(Debug, Default)]
pub(super) struct OpenCalls(BTreeMap<Key, Calls>);

impl OpenCalls {
    /// Takes the next event; answers whether there is now a call of its message of which nobody knows how it ended.
    pub(super) fn take(&mut self, kind: &str, detail: &Map<String, Value>) -> bool {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| detail.get(name).and_then(Value::as_u64).unwrap_or(0);
        let key = (number("phase"), text("channel").to_owned(), text("reason").to_owned(), number("ordinal"));
        let (calls, call) = (self.0.entry(key).or_default(), number("attempt"));
        match (kind, text("ground")) {
            ("message.intent", _) => {
                let repeats = detail.get("repeat").and_then(Value::as_bool) == Some(true);
                let first = if repeats { calls.first_of(call.saturating_sub(1)) } else { call };
                calls.first.insert(call, first);
            }
            ("message.unknown", _) => {
                calls.open.insert(call);
            }
            ("message.rejected", _) | ("message.resolved", "absent") => calls.close_all(call),
            // Of a repeat it says nothing about the call that it repeats.
            ("message.not_taken" | "message.lane_stopped", _) => {
                calls.open.remove(&call);
            }
            _ => {}
        }
        !calls.open.is_empty()
    }

    /// Whether a message on this channel has such a call.
    pub(super) fn is_open(&self, phase: i32, channel: &str) -> bool {
        let is_of = |key: &Key| i64::try_from(key.0) == Ok(i64::from(phase)) && key.1 == channel;
        self.0.iter().any(|(key, calls)| is_of(key) && !calls.open.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whether a call is open after each of these events of one message.
    fn after(events: &[(&str, Value)]) -> Vec<bool> {
        let mut calls = OpenCalls::default();
        let take = |(kind, detail): &(&str, Value)| calls.take(kind, detail.as_object().unwrap_or(&Map::new()));
        events.iter().map(take).collect()
    }

    fn call(attempt: u64, repeat: bool) -> (&'static str, Value) {
        ("message.intent", json!({"attempt": attempt, "repeat": repeat}))
    }

    fn said(kind: &'static str, attempt: u64) -> (&'static str, Value) {
        (kind, json!({"attempt": attempt, "ground": "absent"}))
    }

    #[test]
    fn a_call_stays_open_until_something_is_known_of_it() {
        let (unknown, not_taken) = (said("message.unknown", 1), said("message.not_taken", 2));
        let again = [call(1, false), unknown.clone(), call(2, false), not_taken.clone(), said("message.exhausted", 2)];
        assert_eq!(after(&again), [false, true, true, true, true], "what a later call shows says nothing of it");
        let repeated = [call(1, false), unknown.clone(), call(2, true), not_taken];
        assert_eq!(after(&repeated), [false, true, true, true], "a repeat that was not taken neither");
        let refused = [call(1, false), unknown.clone(), call(2, true), said("message.rejected", 2)];
        assert_eq!(after(&refused), [false, true, true, false], "one answer for the same key");
        let absent = [call(1, false), unknown.clone(), said("message.resolved", 1)];
        assert_eq!(after(&absent), [false, true, false]);
        assert_eq!(after(&[call(1, false), unknown, said("message.not_taken", 1)]), [false, true, false], "a late answer");
    }
}
