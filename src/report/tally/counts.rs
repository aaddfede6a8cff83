//! What became of calls that were not known, of rows that could not become people, and of comparisons with providers.

use crate::model::state::{Channel, MessageState};
use duly_ledger::{Event, micros_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// Plans that the content check refused.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Refused {
    /// When, microseconds.
    pub at: Vec<i64>,
    /// By rule: in how many of them it found something.
    pub rules: BTreeMap<String, u64>,
}

impl Refused {
    pub(super) fn take(&mut self, event: &Event) {
        self.at.push(event.at_micros);
        let said = ["errors", "warnings"].into_iter().filter_map(|key| event.detail.get(key)?.as_str());
        for (rule, _) in said.flat_map(|rules| rules.split(',')).filter_map(|part| part.split_once(':')) {
            *self.rules.entry(rule.to_owned()).or_default() += 1;
        }
    }
}

/// A provider's own statement beside the log.
#[derive(Debug, Clone)]
pub struct Compared {
    /// When it was compared, microseconds.
    pub at: i64,
    /// Whose account it is of.
    pub lane: String,
    /// The lane's channel.
    pub channel: Channel,
    /// SHA-256 of the file, hex.
    pub hash: String,
    /// Messages that the provider says it took.
    pub theirs: u64,
    /// Messages that the log says were taken.
    pub ours: u64,
    /// Up to when, microseconds.
    pub as_of: i64,
}

impl Compared {
    /// What an event tells; `None` for one whose fields are not those of its kind.
    pub(super) fn read(event: &Event) -> Option<Self> {
        let text = |key: &str| event.detail.get(key).and_then(Value::as_str);
        let number = |key: &str| event.detail.get(key).and_then(Value::as_u64);
        Some(Self {
            at: event.at_micros,
            lane: text("lane")?.to_owned(),
            channel: text("channel")?.parse().ok()?,
            hash: text("hash")?.to_owned(),
            theirs: number("theirs")?,
            ours: number("ours")?,
            as_of: micros_of(text("as_of")?)?,
        })
    }

    /// Whether both counts are the same.
    pub fn agrees(&self) -> bool {
        self.ours == self.theirs
    }
}

/// Calls of which nobody knew how they ended, and what became of them.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Unknowns {
    /// Calls that ended without an answer that proves anything.
    pub made: u64,
    /// Resolved by the provider's own record: it had the message.
    pub found: u64,
    /// Resolved by the provider's own record: it had never had it.
    pub absent: u64,
    /// Resolved by the plan's rule: on to the next step.
    pub rule: u64,
    /// Repeated under a key by which the provider makes one of both.
    pub repeated: u64,
    /// Settled by a provider's report, or by an answer that came late.
    pub settled: u64,
    /// Put to a person.
    pub asked: u64,
    /// A person decided to send again.
    pub send_again: u64,
    /// A person decided to go on.
    pub next_step: u64,
    /// Messages not known, or asked about, at the moment.
    pub open: u64,
}

impl Unknowns {
    /// How a call that was not known ended, where its own event does not say so.
    pub(super) fn ends(&mut self, event: &Event, from: MessageState, to: Option<MessageState>) {
        let is_open = |state| matches!(state, MessageState::Unknown | MessageState::Asked);
        match (event.kind.as_str(), to) {
            // A report came before the call ended: nothing was left to be found out.
            ("message.unknown", to) if to != Some(MessageState::Unknown) => self.settled += 1,
            ("message.resolved" | "message.decided", _) => {}
            ("message.intent", Some(_)) if is_open(from) => self.repeated += 1,
            (_, Some(to)) if is_open(from) && !is_open(to) => self.settled += 1,
            _ => {}
        }
    }
}

/// Rows that could not become people when they came, and what became of them. A correction that could not become a person
/// either is the same row again.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Quarantine {
    /// Rows of the controller's lists and jobs.
    pub rows: u64,
    /// Of them discarded: somebody decided that they are nobody.
    pub discarded: u64,
    /// Of them still waiting; nobody of them is told.
    pub waiting: u64,
}

impl Quarantine {
    /// Rows that became people, or repeats of people, by a correction.
    pub fn corrected(&self) -> u64 {
        self.rows.saturating_sub(self.discarded + self.waiting)
    }
}
