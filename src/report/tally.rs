//! What a pass over the log adds up to: people, messages, plans, lists, holds, and what was not known for a while.

mod counts;
mod decided;

pub use counts::{Compared, Quarantine, Refused, Unknowns};
pub use decided::{Decided, Hold, What};

use crate::model::state::{Channel, MessageState, NoticeState, Reason, TellsOtherwise};
use duly_ledger::Event;
use duly_ledger::verify::Equation;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Days since 1970, UTC.
pub type Day = i64;

const DAY_MICROS: i64 = 86_400_000_000;

/// A frozen list.
#[derive(Debug, Clone)]
pub struct List {
    /// Number.
    pub list: u64,
    /// When it was frozen, microseconds.
    pub at: i64,
    /// People.
    pub people: u64,
    /// Rows until then.
    pub rows: u64,
    /// Of them repeats of a person.
    pub duplicates: u64,
    /// Of them rows that waited.
    pub quarantined: u64,
    /// Root of its manifest, hex.
    pub root: String,
    /// Whether the controller signed it.
    pub is_signed: bool,
    /// People of all lists before it, and rows of them that it corrects; `None` for the first.
    pub amends: Option<(u64, u64)>,
}

/// A plan: its hash and what was done with it, in order.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// SHA-256 of its text, hex.
    pub hash: String,
    /// Time, what (`prepared`, `approved`…), and who.
    pub moves: Vec<(i64, String, String)>,
}

impl Plan {
    /// When it was first `what`.
    pub fn first(&self, what: &str) -> Option<i64> {
        self.moves.iter().find(|(_, word, _)| word == what).map(|(at, ..)| *at)
    }
}

#[derive(Debug, Clone)]
struct Person {
    phase: u32,
    notice: NoticeState,
    /// The message whose event said so; a decision names none.
    by: Option<(Channel, Reason, u32)>,
    otherwise: Option<TellsOtherwise>,
    /// The signed command of a decision.
    command: Option<Uuid>,
    at: i64,
}

/// Send-once key within an incident.
pub(super) type MessageKey = ([u8; 16], u32, Channel, Reason, u32);

#[derive(Debug, Clone)]
struct Message {
    state: MessageState,
    reached: u32,
    calls: u32,
    /// Whether the log has a call of it, a hand-over that somebody signed for, or says that a restore may have lost its call.
    was_called: bool,
}

impl Message {
    fn was_taken(&self) -> bool {
        MessageState::ALL.iter().any(|s| s.report_rank().is_some() && self.reached & bit(*s) > 0)
    }
}

/// One channel's messages.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// Messages that were in a call at least once.
    pub messages: u64,
    /// Calls, repeats among them.
    pub calls: u64,
    /// Messages that a provider took.
    pub taken: u64,
    /// Messages that are said to have been taken, and of which the log has no call: they count in no other line.
    pub uncalled: u64,
    /// Messages that their provider gave back before they left; they failed for nobody's fault.
    pub taken_back: u64,
    /// Messages by each state that they ever reached.
    pub reached: BTreeMap<MessageState, u64>,
    /// Messages by the state that they are in.
    pub standing: BTreeMap<MessageState, u64>,
}

/// What the log says up to a moment.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Events.
    pub events: u64,
    /// Newest time of an event, microseconds.
    pub newest: i64,
    /// Events by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Frozen lists.
    pub lists: Vec<List>,
    /// Plans by number.
    pub plans: BTreeMap<u64, Plan>,
    /// Holds by id.
    pub holds: BTreeMap<String, Hold>,
    /// Channels.
    pub traffic: BTreeMap<Channel, Traffic>,
    /// People whose duty was fulfilled, by day.
    pub notified_days: BTreeMap<Day, u64>,
    /// When the incident was closed (`true`) and reopened, in order, microseconds.
    pub closes: Vec<(i64, bool)>,
    /// Plans that the content check refused.
    pub refused: Refused,
    /// Providers' statements that were compared, in order.
    pub statements: Vec<Compared>,
    /// Calls not known.
    pub unknowns: Unknowns,
    /// Rows that could not become people.
    pub quarantine: Quarantine,
    /// People on lists that were not frozen at the moment. No event tells of them: counted beside the log.
    pub unfrozen: u64,
    /// People by the channel whose message ended their notice as notified.
    pub notified_by_channel: BTreeMap<Channel, u64>,
    /// People whom the log calls notified and of whom it has no call: they are counted as open.
    pub uncalled: BTreeSet<[u8; 16]>,
    /// Decisions that end somebody's notice, and holds, in order.
    pub decided: Vec<Decided>,
    /// People of whom somebody said that they were told in another way.
    pub told_otherwise: BTreeMap<TellsOtherwise, u64>,
    /// Alarms of a possible duplicate.
    pub possible_duplicates: u64,
    /// Answers that refused, by code.
    pub refusals: BTreeMap<String, u64>,
    /// People of the frozen lists by how they stand.
    pub people: Equation,
    /// When each notified person was, ascending, microseconds.
    pub notified_at: Vec<i64>,
    waited: HashSet<String>,
    persons: HashMap<[u8; 16], Person>,
    messages: HashMap<MessageKey, Message>,
}

fn text<'a>(event: &'a Event, key: &str) -> &'a str {
    event.detail.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(event: &Event, key: &str) -> u64 {
    event.detail.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// A number that counts phases or ordinals: there is one entry for each person and message of a million.
fn small(event: &Event, key: &str) -> u32 {
    u32::try_from(number(event, key)).unwrap_or(u32::MAX)
}

fn bit(state: MessageState) -> u32 {
    MessageState::ALL.iter().position(|s| *s == state).map_or(0, |at| 1 << at)
}

impl Tally {
    /// Adds an event.
    pub fn take(&mut self, event: &Event) {
        self.events += 1;
        self.newest = self.newest.max(event.at_micros);
        match self.kinds.get_mut(&event.kind) {
            Some(count) => *count += 1,
            None => drop(self.kinds.insert(event.kind.clone(), 1)),
        }
        match event.kind.as_str() {
            "list.frozen" => self.lists.push(List {
                list: number(event, "list"),
                at: event.at_micros,
                people: number(event, "count"),
                rows: number(event, "rows"),
                duplicates: number(event, "duplicates"),
                quarantined: number(event, "quarantined"),
                root: text(event, "root").to_owned(),
                is_signed: false,
                amends: None,
            }),
            "list.amended" => {
                let (list, amends) = (number(event, "list"), (number(event, "count_before"), number(event, "corrected")));
                self.lists.iter_mut().filter(|l| l.list == list).for_each(|l| l.amends = Some(amends));
            }
            "list.signed" => {
                let signed = number(event, "list");
                self.lists.iter_mut().filter(|l| l.list == signed).for_each(|l| l.is_signed = true);
            }
            "hold.set" => {
                let commands = vec![text(event, "command").to_owned()];
                let hold = Hold { person: event.person, set_at: event.at_micros, lifted_at: None, commands };
                self.holds.insert(text(event, "hold").to_owned(), hold);
            }
            "hold.lifted" => {
                if let Some(hold) = self.holds.get_mut(text(event, "hold")) {
                    hold.lifted_at = Some(event.at_micros);
                    hold.commands.push(text(event, "command").to_owned());
                }
            }
            "incident.closed" => self.closes.push((event.at_micros, true)),
            "incident.reopened" => self.closes.push((event.at_micros, false)),
            "check.refused" => self.refused.take(event),
            "statement.compared" => self.statements.extend(Compared::read(event)),
            kind if kind.starts_with("row.") => self.row(kind, event),
            kind if kind.starts_with("plan.") => self.plan(kind, event),
            kind if kind.starts_with("notice.") => self.notice(event),
            kind if kind.starts_with("message.") || kind.starts_with("receipt") => self.message(event),
            _ => {}
        }
    }

    fn row(&mut self, kind: &str, event: &Event) {
        let place = |list: &str, row: &str| format!("{}/{}", number(event, list), event.detail.get(row).unwrap_or(&Value::Null));
        match kind {
            "row.quarantined" => {
                self.quarantine.rows += 1;
                self.quarantine.waiting += 1;
                self.waited.insert(place("list", "row"));
            }
            "row.corrected" => {
                self.quarantine.waiting = self.quarantine.waiting.saturating_sub(1);
                // The correction waits in its turn: it is no row more.
                self.quarantine.rows -= u64::from(self.waited.contains(&place("new_list", "new_row")));
            }
            "row.discarded" => {
                self.quarantine.waiting = self.quarantine.waiting.saturating_sub(1);
                self.quarantine.discarded += 1;
            }
            _ => {}
        }
    }

    fn plan(&mut self, kind: &str, event: &Event) {
        let plan = self.plans.entry(number(event, "plan")).or_default();
        text(event, "hash").clone_into(&mut plan.hash);
        let what = kind.strip_prefix("plan.").unwrap_or(kind).to_owned();
        plan.moves.push((event.at_micros, what, text(event, "user").to_owned()));
    }

    fn message(&mut self, event: &Event) {
        let Some(person) = event.person else { return };
        self.possible_duplicates += u64::from(event.detail.get("possible_duplicate") == Some(&Value::Bool(true)));
        self.unknown(event);
        if matches!(event.kind.as_str(), "message.rejected" | "message.not_taken" | "message.lane_stopped") {
            *self.refusals.entry(text(event, "code").to_owned()).or_default() += 1;
        }
        self.notice(event);
        let (Ok(channel), Ok(reason)) = (text(event, "channel").parse::<Channel>(), text(event, "reason").parse::<Reason>())
        else {
            return;
        };
        let key = (person, small(event, "phase"), channel, reason, small(event, "ordinal"));
        let message =
            self.messages.entry(key).or_insert(Message { state: MessageState::Ready, reached: 0, calls: 0, was_called: false });
        message.calls += u32::from(event.kind == "message.intent");
        message.was_called |= matches!(
            (event.kind.as_str(), text(event, "ground")),
            ("message.intent", _) | ("message.unknown", "restored") | ("receipt" | "receipt.late", "declared")
        );
        let to = text(event, "to").parse::<MessageState>().ok();
        self.unknowns.ends(event, message.state, to);
        let Some(to) = to else { return };
        self.traffic.entry(channel).or_default().taken_back += u64::from(event.kind == "message.recalled");
        message.state = to;
        message.reached |= bit(to);
    }

    fn notice(&mut self, event: &Event) {
        let (Some(person), Ok(to)) = (event.person, text(event, "notice").parse::<NoticeState>()) else { return };
        let phase = small(event, "phase");
        let fresh = Person { phase, notice: NoticeState::Open, by: None, otherwise: None, command: None, at: 0 };
        let now = self.persons.entry(person).or_insert(fresh);
        // A person counts by the newest phase.
        if phase >= now.phase {
            let message = text(event, "channel").parse().ok().zip(text(event, "reason").parse().ok());
            let by = message.map(|(channel, reason)| (channel, reason, small(event, "ordinal")));
            let otherwise = text(event, "ground").parse().ok();
            let command =
                text(event, "command").parse().ok().filter(|_| matches!(to, NoticeState::Exempt | NoticeState::Withdrawn));
            *now = Person { phase, notice: to, by, otherwise, command, at: event.at_micros };
        }
    }

    fn unknown(&mut self, event: &Event) {
        let ground = text(event, "ground");
        let counter = match (event.kind.as_str(), ground) {
            ("message.unknown", _) => &mut self.unknowns.made,
            ("message.resolved", "found") => &mut self.unknowns.found,
            ("message.resolved", "absent") => &mut self.unknowns.absent,
            ("message.resolved", "rule") => &mut self.unknowns.rule,
            ("message.asked", _) => &mut self.unknowns.asked,
            ("message.decided", "send_again") => &mut self.unknowns.send_again,
            ("message.decided", "next_step") => &mut self.unknowns.next_step,
            _ => return,
        };
        *counter += 1;
    }

    /// Adds up what only the end of the pass shows.
    pub fn finish(&mut self) {
        self.uncalled = self.find_uncalled();
        for ((_, _, channel, ..), message) in &self.messages {
            let traffic = self.traffic.entry(*channel).or_default();
            traffic.calls += u64::from(message.calls);
            if message.was_taken() && !message.was_called {
                traffic.uncalled += 1;
                continue;
            }
            traffic.messages += u64::from(message.calls > 0 || message.was_taken());
            traffic.taken += u64::from(message.was_taken());
            for state in MessageState::ALL.iter().filter(|s| message.reached & bit(**s) > 0) {
                *traffic.reached.entry(*state).or_default() += 1;
            }
            *traffic.standing.entry(message.state).or_default() += 1;
            self.unknowns.open += u64::from(matches!(message.state, MessageState::Unknown | MessageState::Asked));
        }
        for (_, person) in self.persons.iter().filter(|(id, _)| !self.uncalled.contains(*id)) {
            self.people.count(person.notice.as_str());
            if let (NoticeState::Withdrawn, Some(how)) = (person.notice, person.otherwise) {
                *self.told_otherwise.entry(how).or_default() += 1;
            }
            let what = match person.notice {
                NoticeState::Exempt => Some(What::Exempt),
                NoticeState::Withdrawn => Some(What::ToldOtherwise(person.otherwise)),
                _ => None,
            };
            let decided = what.zip(person.command);
            self.decided.extend(decided.map(|(what, command)| Decided { at: person.at, what, command: command.to_string() }));
            if person.notice == NoticeState::Notified {
                self.notified_at.push(person.at);
                person.by.into_iter().for_each(|(channel, ..)| *self.notified_by_channel.entry(channel).or_default() += 1);
                *self.notified_days.entry(person.at.div_euclid(DAY_MICROS)).or_default() += 1;
            }
        }
        self.decided.extend(self.holds.values().flat_map(Hold::decided));
        self.decided.sort();
        // Of most who are open no event tells anything: they are those of the lists who have not ended.
        self.people.people = self.lists.iter().map(|l| l.people).sum();
        self.people.open = self.people.people.saturating_sub(self.people.ended());
        self.notified_at.sort_unstable();
        self.lists.sort_by_key(|l| l.list);
    }

    /// People who are called notified by a message that nobody called, or by a decision while no message of that phase was.
    fn find_uncalled(&self) -> BTreeSet<[u8; 16]> {
        let notified = || self.persons.iter().filter(|(_, person)| person.notice == NoticeState::Notified);
        let decided: HashSet<([u8; 16], u32)> =
            notified().filter(|(_, person)| person.by.is_none()).map(|(id, person)| (*id, person.phase)).collect();
        let called = self.messages.iter().filter(|(key, message)| message.was_called && decided.contains(&(key.0, key.1)));
        let called: HashSet<[u8; 16]> = called.map(|(key, _)| key.0).collect();
        let is_called = |id: &[u8; 16], person: &Person| match person.by {
            Some((channel, reason, ordinal)) => {
                self.messages.get(&(*id, person.phase, channel, reason, ordinal)).is_some_and(|message| message.was_called)
            }
            None => called.contains(id),
        };
        notified().filter(|(id, person)| !is_called(id, person)).map(|(id, _)| *id).collect()
    }

    /// Whether a message was taken by its provider, and the log has a call of it.
    pub(super) fn was_taken(&self, key: &MessageKey) -> bool {
        self.messages.get(key).is_some_and(|message| message.was_taken() && message.was_called)
    }

    /// How a person's newest notice stands; `Open` where nothing is told of it, or where the log has no call to them.
    pub fn notice_of(&self, person: &[u8; 16]) -> (NoticeState, Option<i64>) {
        let told = self.persons.get(person).filter(|_| !self.uncalled.contains(person));
        told.map_or((NoticeState::Open, None), |p| (p.notice, Some(p.at)))
    }

    /// When the first list was frozen.
    pub fn frozen_at(&self) -> Option<i64> {
        self.lists.iter().map(|l| l.at).min()
    }

    /// When so many of a hundred of those notified were.
    pub fn notified_by(&self, percent: usize) -> Option<i64> {
        let last = self.notified_at.len().checked_sub(1)?;
        self.notified_at.get(last * percent / 100).copied()
    }
}
