//! Who stands in the manifests, and what the log has told of each so far.

use super::lines::Columns;
use super::report::Equation;
use super::states::{Channel, NoticeState, Reason, State, Word};
use std::collections::HashMap;

/// Most messages of one person: a hostile log has more than anybody could be sent.
pub const MESSAGES_MAX: usize = 100;

/// One frozen list as the pack has it.
#[derive(Debug)]
pub struct List {
    /// Number.
    pub number: u64,
    /// Its manifest.
    pub lines: Columns,
    /// Count and root as `list.frozen` says, once it has said so.
    pub frozen: Option<(u64, [u8; 32])>,
}

/// What names a message among those of its person: the send-once key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageKey {
    /// Phase.
    pub phase: u32,
    /// Ordinal of its reason.
    pub ordinal: u32,
    /// Channel.
    pub channel: Channel,
    /// Reason.
    pub reason: Reason,
}

/// What the log has told of a message so far.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its name.
    pub key: MessageKey,
    /// Where it stands.
    pub state: State,
    /// Whether anything has proved that a provider took it.
    pub is_accepted: bool,
    /// Number of its newest attempt.
    pub attempt: u64,
    /// Plan of its newest intent.
    pub plan: Option<u64>,
    /// Legal profile of its newest intent, by its place among those that the log has named.
    pub profile: Option<u16>,
    /// Generation, leaf and time of its newest intent.
    pub intent: (u64, u64, i64),
    /// As many restores as were reconciled when the log told that one may have forgotten a call of it.
    pub forgotten: Option<u64>,
    next: u32,
}

#[derive(Debug, Clone)]
struct Person {
    n: u64,
    prev: [u8; 32],
    holds: u32,
    is_erased: bool,
    first_message: u32,
    newest_phase: u32,
    notice: NoticeState,
}

const NOTHING: u32 = u32::MAX;

impl Person {
    const NEW: Self = Self {
        n: 0,
        prev: [0; 32],
        holds: 0,
        is_erased: false,
        first_message: NOTHING,
        newest_phase: 1,
        notice: NoticeState::Open,
    };
}

/// All people: those of the manifests, then strangers, in the order in which they came.
#[derive(Debug, Default)]
pub struct People {
    /// The frozen lists.
    pub lists: Vec<List>,
    /// Person, list, line: ascending by person.
    index: Vec<([u8; 16], u32, u32)>,
    people: Vec<Person>,
    strangers: HashMap<[u8; 16], usize>,
    messages: Vec<Message>,
    later_notices: HashMap<(usize, u32), NoticeState>,
}

impl People {
    /// From the manifests of a pack; people who stand in two come back beside.
    pub fn new(lists: Vec<List>) -> (Self, Vec<[u8; 16]>) {
        let mut index = Vec::with_capacity(lists.iter().map(|list| list.lines.people.len()).sum());
        for (i, list) in (0..).zip(&lists) {
            index.extend((0..).zip(&list.lines.people).map(|(line, person)| (*person, i, line)));
        }
        index.sort_unstable();
        let twice = index.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0).collect();
        index.dedup_by_key(|(person, ..)| *person);
        let people = vec![Person::NEW; index.len()];
        (Self { lists, index, people, ..Self::default() }, twice)
    }

    /// Number of a person; a stranger gets one.
    pub fn number(&mut self, id: &[u8; 16]) -> usize {
        if let Some(known) = self.find(id) {
            return known;
        }
        *self.strangers.entry(*id).or_insert_with(|| {
            self.people.push(Person::NEW);
            self.people.len() - 1
        })
    }

    /// Number of a person of the manifests.
    pub fn find(&self, id: &[u8; 16]) -> Option<usize> {
        self.index.binary_search_by_key(id, |(person, ..)| *person).ok()
    }

    /// The person's manifest and line; `None` for a stranger.
    pub fn line(&self, number: usize) -> Option<(&Columns, usize)> {
        let (_, list, line) = *self.index.get(number)?;
        Some((&self.lists.get(list as usize)?.lines, line as usize))
    }

    /// The list in which the person stands; `None` for a stranger.
    pub fn list(&self, number: usize) -> Option<&List> {
        let (_, list, _) = *self.index.get(number)?;
        self.lists.get(list as usize)
    }

    /// Takes the next event of a chain; whether it follows.
    pub fn follow(&mut self, number: usize, n: u64, prev: Option<[u8; 32]>, leaf: [u8; 32]) -> bool {
        let Some(person) = self.people.get_mut(number) else { return false };
        let follows = n == person.n + 1 && (n == 1 || prev == Some(person.prev));
        (person.n, person.prev) = (n, leaf);
        follows
    }

    /// Sets (+1) or lifts (-1) a hold of a person.
    pub fn hold(&mut self, number: usize, by: i32) {
        if let Some(person) = self.people.get_mut(number) {
            person.holds = person.holds.saturating_add_signed(by);
        }
    }

    /// The person's key is destroyed: nothing more can be committed to.
    pub fn erase(&mut self, number: usize) {
        if let Some(person) = self.people.get_mut(number) {
            person.is_erased = true;
        }
    }

    /// Whether the person's key was destroyed.
    pub fn is_erased(&self, number: usize) -> bool {
        self.people.get(number).is_some_and(|person| person.is_erased)
    }

    /// Whether a hold of the person stands.
    pub fn is_held(&self, number: usize) -> bool {
        self.people.get(number).is_some_and(|person| person.holds > 0)
    }

    /// A message; made `ready` where nothing was told of it yet, but none beyond as many as a person may have.
    pub fn message(&mut self, number: usize, key: MessageKey) -> Option<&mut Message> {
        let first = self.people.get(number).map_or(NOTHING, |person| person.first_message);
        let (mut at, mut seen) = (first, 0);
        while let Some(message) = self.messages.get(at as usize) {
            if message.key == key {
                return self.messages.get_mut(at as usize);
            }
            (at, seen) = (message.next, seen + 1);
        }
        if seen >= MESSAGES_MAX {
            return None;
        }
        let new = u32::try_from(self.messages.len()).ok().filter(|at| *at != NOTHING)?;
        let person = self.people.get_mut(number)?;
        (person.first_message, person.newest_phase) = (new, person.newest_phase.max(key.phase));
        self.messages.push(Message {
            key,
            state: State::Ready,
            is_accepted: false,
            attempt: 0,
            plan: None,
            profile: None,
            intent: (0, 0, 0),
            forgotten: None,
            next: first,
        });
        self.messages.last_mut()
    }

    /// Whether another message of the notice is in a state that lets the next step follow.
    pub fn has_cause(&self, number: usize, key: MessageKey) -> bool {
        self.messages_of(number).any(|m| m.key != key && m.key.phase == key.phase && m.state.is_cause())
    }

    /// Whether the message with the ordinal before, of the same reason and channel, has failed.
    pub fn has_failed_before(&self, number: usize, key: MessageKey) -> bool {
        let before = MessageKey { ordinal: key.ordinal.saturating_sub(1), ..key };
        self.messages_of(number).any(|m| m.key == before && m.state.is_cause())
    }

    /// Whether another message of the notice has failed on the same channel.
    pub fn has_failed_on(&self, number: usize, key: MessageKey) -> bool {
        self.others_on(number, key).any(|m| m.state.is_cause())
    }

    /// Whether another message of the notice on the same channel has left, or may have, and has not failed.
    pub fn has_another_on(&self, number: usize, key: MessageKey) -> bool {
        self.others_on(number, key).any(|m| !m.state.is_cause() && !matches!(m.state, State::Ready | State::Cancelled))
    }

    fn others_on(&self, number: usize, key: MessageKey) -> impl Iterator<Item = &Message> {
        self.messages_of(number).filter(move |m| m.key != key && m.key.phase == key.phase && m.key.channel == key.channel)
    }

    /// Whether a correction or a further phase is sent under a plan that has told the person what came before it: each is
    /// approved by a plan of its own.
    pub fn was_told_under(&self, number: usize, plan: u64, key: MessageKey) -> bool {
        let is_before = |of: MessageKey| {
            of.phase < key.phase || (of.phase == key.phase && key.reason == Reason::Correction && of.reason != Reason::Correction)
        };
        self.messages_of(number).any(|m| m.plan == Some(plan) && is_before(m.key))
    }

    /// Whether a call of the notice is open, not known, or in question.
    pub fn is_leaving(&self, number: usize, phase: u32) -> bool {
        let is_open = |state: State| matches!(state, State::Sending | State::Unknown | State::Asked);
        self.messages_of(number).any(|m| m.key.phase == phase && is_open(m.state))
    }

    /// The profile that the calls of a notice name so far.
    pub fn profile(&self, number: usize, phase: u32) -> Option<u16> {
        self.messages_of(number).filter(|m| m.key.phase == phase).find_map(|m| m.profile)
    }

    /// All messages of a person.
    pub fn messages_of(&self, number: usize) -> impl Iterator<Item = &Message> {
        let first = self.people.get(number).and_then(|person| self.messages.get(person.first_message as usize));
        std::iter::successors(first, |message| self.messages.get(message.next as usize))
    }

    /// All messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// State of a notice.
    pub fn notice(&mut self, number: usize, phase: u32) -> NoticeState {
        match phase {
            1 => self.people.get(number).map_or(NoticeState::Open, |person| person.notice),
            later => self.later_notices.get(&(number, later)).copied().unwrap_or(NoticeState::Open),
        }
    }

    /// Moves a notice.
    pub fn set_notice(&mut self, number: usize, phase: u32, to: NoticeState) {
        if let Some(person) = self.people.get_mut(number) {
            person.newest_phase = person.newest_phase.max(phase);
        }
        match (phase, self.people.get_mut(number)) {
            (1, Some(person)) => person.notice = to,
            _ => {
                self.later_notices.insert((number, phase), to);
            }
        }
    }

    /// What became of a person in the newest phase.
    pub fn end_state(&self, number: usize) -> NoticeState {
        let Some(person) = self.people.get(number) else { return NoticeState::Open };
        match person.newest_phase {
            1 => person.notice,
            later => self.later_notices.get(&(number, later)).copied().unwrap_or(NoticeState::Open),
        }
    }

    /// Whether more than holds is told of a person.
    pub fn has_messages(&self, number: usize) -> bool {
        self.people.get(number).is_some_and(|person| person.first_message != NOTHING)
    }

    /// Number of the newest event of a person.
    pub fn newest(&self, number: usize) -> u64 {
        self.people.get(number).map_or(0, |person| person.n)
    }

    /// People of the manifests by what became of them.
    pub fn equation(&self) -> Equation {
        let mut sum = Equation { people: self.index.len() as u64, ..Equation::default() };
        for number in 0..self.index.len() {
            sum.count(self.end_state(number).as_str());
        }
        sum
    }

    /// People of the manifests without an end state.
    pub fn open(&self) -> impl Iterator<Item = [u8; 16]> {
        let is_open = |number: &usize| self.end_state(*number) == NoticeState::Open;
        (0..self.index.len()).filter(is_open).filter_map(|number| self.index.get(number).map(|(id, ..)| *id))
    }
}
