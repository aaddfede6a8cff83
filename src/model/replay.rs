//! Replays what events tell of one person through `step`, and refuses every move that it does not allow.

use super::cause::{Unreadable, read_attempt};
use super::ending::{Ending, end, reopen};
use super::state::{Channel, MessageState, NoticeState, Reason, Route};
use super::step::{Case, Cause, Decision, Effect, Limit, Message, step};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How a message is told from others of its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// Phase of the notice.
    pub phase: u32,
    /// Channel.
    pub channel: Channel,
    /// Why it exists.
    pub reason: Reason,
    /// Ordinal for this reason.
    pub ordinal: u32,
}

/// What a plan opened for a person: where a replay begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Channels of the notice.
    pub route: Route,
    /// Whether nothing could be prepared, so that there is no message.
    pub has_problem: bool,
    /// What ends the notice, for each channel that does.
    pub closes_at: BTreeMap<Channel, MessageState>,
}

/// Why an event is no step that the model allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It tells of no cause.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It speaks of a notice or message that does not exist at that point.
    #[error("an event speaks of a message that is not there")]
    NoSuchMessage,
    /// The cause moves nothing here, or something else than the event says.
    #[error("an event moves a message as the model does not")]
    Message,
    /// The notice would move otherwise.
    #[error("an event moves a notice as the model does not")]
    Notice,
    /// The attempt is not the one that the cause speaks of.
    #[error("an event names another attempt")]
    Attempt,
    /// An event that had to follow is missing.
    #[error("an event that follows from the one before is missing")]
    Owed,
}

/// What one event moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The message.
    pub key: MessageKey,
    /// Its states before and after.
    pub message: Option<(MessageState, MessageState)>,
    /// The notice's states before and after.
    pub notice: Option<(NoticeState, NoticeState)>,
    /// Whether the person was alerted by it.
    pub alerted: bool,
}

#[derive(Debug, Clone)]
struct Phase {
    case: Case,
    keys: Vec<MessageKey>,
    /// Attempts that count against nobody's limit, by message.
    uncounted: BTreeSet<(usize, u32)>,
    /// Attempts up to this one are spent by message: somebody decided to send again after them.
    counted_from: BTreeMap<usize, u32>,
    opening: Opening,
    alerted: bool,
}

/// One person's notices and messages, as the events so far leave them.
#[derive(Debug, Clone)]
pub struct Replay {
    phases: BTreeMap<u32, Phase>,
    /// Events that must come next, the first one last.
    owed: Vec<(MessageKey, Cause)>,
    /// Messages for which *possible duplicate* must have been raised.
    pub alarms: Vec<MessageKey>,
}

impl Replay {
    /// Begins where plans opened notices, by phase.
    pub fn new(openings: BTreeMap<u32, Opening>) -> Self {
        let phases = openings.into_iter().map(|(phase, opening)| (phase, Phase::new(phase, opening))).collect();
        Self { phases, owed: Vec::new(), alarms: Vec::new() }
    }

    /// Takes the next event of a message.
    pub fn event(&mut self, kind: &str, detail: &Map<String, Value>) -> Result<Moved, Refusal> {
        let cause = Cause::read(kind, detail)?;
        let key = read_key(detail)?;
        if self.owed.pop().is_some_and(|owed| owed != (key, cause)) {
            return Err(Refusal::Owed);
        }
        let phase = self.phases.get_mut(&key.phase).ok_or(Refusal::NoSuchMessage)?;
        let index = phase.keys.iter().position(|k| *k == key).ok_or(Refusal::NoSuchMessage)?;
        let before = phase.case.messages.get(index).ok_or(Refusal::NoSuchMessage)?.clone();
        let notice_before = phase.case.notice;
        if read_attempt(detail)? != cause.attempt(before.attempt) {
            return Err(Refusal::Attempt);
        }
        phase.check_count(index, cause, detail)?;
        let decided = step(&phase.case, index, cause);
        if decided.message != read_state(detail, "to")?
            || (decided.message.is_none() && !cause.is_fact())
            || kind != cause.kind(decided.message.is_some())
        {
            return Err(Refusal::Message);
        }
        if decided.notice != read_state(detail, "notice")? {
            return Err(Refusal::Notice);
        }
        phase.take(index, cause, decided.message, decided.notice);
        phase.alerted |= decided.alerted;
        for effect in decided.effects.iter().rev() {
            match *effect {
                Effect::Create(channel) => phase.create(key.phase, channel, Reason::Escalation),
                Effect::Reopen(i) => self.owed.extend(phase.keys.get(i).map(|k| (*k, Cause::Reopened))),
                Effect::Cancel(i) => self.owed.extend(phase.keys.get(i).map(|k| (*k, Cause::Cancelled))),
                Effect::PossibleDuplicate => self.alarms.push(key),
                Effect::Misfit(_) => {}
            }
        }
        let notice = decided.notice.map(|to| (notice_before, to));
        Ok(Moved { key, message: decided.message.map(|to| (before.state, to)), notice, alerted: decided.alerted })
    }

    /// Takes a decision that ends a notice: its phase, and the notice's states before and after.
    pub fn decide(&mut self, ending: Ending, phase: u32) -> Result<(u32, NoticeState, NoticeState), Refusal> {
        if !self.owed.is_empty() {
            return Err(Refusal::Owed);
        }
        let of = self.phases.get_mut(&phase).ok_or(Refusal::NoSuchMessage)?;
        let (before, cancelled) = (of.case.notice, end(&of.case, ending).map_err(|_| Refusal::Notice)?);
        of.case.notice = ending.state();
        self.owed.extend(cancelled.iter().rev().filter_map(|i| Some((*of.keys.get(*i)?, Cause::Cancelled))));
        Ok((phase, before, ending.state()))
    }

    /// Takes a decision back: its phase, and the notice's states before and after. `to` is what the event says.
    pub fn take_back(&mut self, to: NoticeState, phase: u32) -> Result<(u32, NoticeState, NoticeState), Refusal> {
        if !self.owed.is_empty() {
            return Err(Refusal::Owed);
        }
        let of = self.phases.get_mut(&phase).ok_or(Refusal::NoSuchMessage)?;
        let before = of.case.notice;
        let (_, again) = reopen(&of.case).filter(|(notice, _)| *notice == to).ok_or(Refusal::Notice)?;
        of.case.notice = to;
        self.owed.extend(again.iter().rev().filter_map(|i| Some((*of.keys.get(*i)?, Cause::Reopened))));
        Ok((phase, before, to))
    }

    /// Ends the replay; an event that had to follow must not be missing.
    pub fn finish(&self) -> Result<(), Refusal> {
        if self.owed.is_empty() { Ok(()) } else { Err(Refusal::Owed) }
    }

    /// Every message with its state and the number of its newest attempt.
    pub fn messages(&self) -> impl Iterator<Item = (MessageKey, MessageState, u32)> + '_ {
        self.phases.values().flat_map(|p| p.keys.iter().zip(&p.case.messages).map(|(k, m)| (*k, m.state, m.attempt)))
    }

    /// Every notice: phase, state, and whether the person was alerted.
    pub fn notices(&self) -> impl Iterator<Item = (u32, NoticeState, bool)> + '_ {
        self.phases.iter().map(|(phase, p)| (*phase, p.case.notice, p.alerted))
    }
}

impl Phase {
    fn new(number: u32, opening: Opening) -> Self {
        let first = if opening.has_problem { &[] } else { opening.route.first_channels() };
        let case = Case { notice: NoticeState::Open, route: opening.route, messages: Vec::new() };
        let mut phase =
            Self { case, keys: Vec::new(), uncounted: BTreeSet::new(), counted_from: BTreeMap::new(), opening, alerted: false };
        for channel in first {
            phase.create(number, *channel, Reason::First);
        }
        phase
    }

    fn create(&mut self, phase: u32, channel: Channel, reason: Reason) {
        self.keys.push(MessageKey { phase, channel, reason, ordinal: 1 });
        let closes_at = self.opening.closes_at.get(&channel).copied();
        self.case.messages.push(Message { channel, reason, state: MessageState::Ready, attempt: 0, fresh: 0, closes_at });
    }

    /// Keeps the count of attempts as the limit has it, and refuses an event that counted otherwise.
    fn check_count(&mut self, index: usize, cause: Cause, detail: &Map<String, Value>) -> Result<(), Refusal> {
        match cause {
            Cause::Answered { attempt, answer, .. } => {
                let code = detail.get("code").and_then(Value::as_str).unwrap_or_default();
                if !answer.counts(code) {
                    self.uncounted.insert((index, attempt));
                }
            }
            Cause::GaveUp(Limit::Attempts { tries, .. }) => {
                let from = self.counted_from.get(&index).copied().unwrap_or(0);
                let uncounted = self.uncounted.iter().filter(|(i, attempt)| *i == index && *attempt > from).count();
                let attempts = self.newest_attempt(index).saturating_sub(from);
                if u32::try_from(uncounted).ok().and_then(|n| attempts.checked_sub(n)) != Some(tries) {
                    return Err(Refusal::Attempt);
                }
            }
            Cause::Decided(Decision::SendAgain) => {
                self.counted_from.insert(index, self.newest_attempt(index));
            }
            _ => {}
        }
        Ok(())
    }

    fn newest_attempt(&self, index: usize) -> u32 {
        self.case.messages.get(index).map_or(0, |m| m.attempt)
    }

    fn take(&mut self, index: usize, cause: Cause, message: Option<MessageState>, notice: Option<NoticeState>) {
        self.case.notice = notice.unwrap_or(self.case.notice);
        let Some(taken) = self.case.messages.get_mut(index) else { return };
        taken.state = message.unwrap_or(taken.state);
        if let Cause::Claimed { is_repeat } = cause {
            taken.attempt += 1;
            taken.fresh = if is_repeat { taken.fresh } else { taken.attempt };
        }
    }
}

/// Which message an event speaks of.
pub fn read_key(detail: &Map<String, Value>) -> Result<MessageKey, Unreadable> {
    let text = |name: &str| detail.get(name).and_then(Value::as_str).ok_or(Unreadable::Field);
    let number =
        |name: &str| detail.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or(Unreadable::Field);
    Ok(MessageKey {
        phase: number("phase")?,
        channel: text("channel")?.parse().map_err(|_| Unreadable::Field)?,
        reason: text("reason")?.parse().map_err(|_| Unreadable::Field)?,
        ordinal: number("ordinal")?,
    })
}

/// A state that an event names; `None` where it names none.
pub fn read_state<T: std::str::FromStr>(detail: &Map<String, Value>, name: &str) -> Result<Option<T>, Unreadable> {
    let Some(value) = detail.get(name) else { return Ok(None) };
    value.as_str().and_then(|word| word.parse().ok()).map(Some).ok_or(Unreadable::Field)
}
