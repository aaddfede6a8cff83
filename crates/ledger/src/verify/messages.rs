//! Messages: never to where they cannot move, never a second time, never without a running plan, under a hold, without
//! a cause, with other content or to another address than was approved, and nothing reported that was never called.

use super::kinds::Kind;
use super::people::{MESSAGES_MAX, Message, MessageKey};
use super::report::{Code, Finding};
use super::scan::Fact;
use super::states::{Channel, NoticeState, Reason, State, Word};
use super::world::World;

/// How long a call may stay open at the end of the log, microseconds.
const OPEN_CALL_MAX: i64 = 3_600_000_000;

fn key_of(fact: &Fact) -> Option<MessageKey> {
    Some(MessageKey {
        phase: fact.number("phase").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)?,
        ordinal: fact.number("ordinal").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)?,
        channel: fact.text("channel").and_then(Channel::of)?,
        reason: fact.text("reason").and_then(Reason::of)?,
    })
}

impl World {
    /// An event of a message: what it claims, then what it moves.
    pub(super) fn message_event(&mut self, kind: Kind, fact: &Fact, number: usize) {
        let Some(key) = key_of(fact) else { return self.find(Code::Fields, "its `phase` or `ordinal` is no number from 1 on") };
        let Some(before) = self.people.message(number, key).cloned() else {
            return self.find(Code::Pack, format!("the person has more than {MESSAGES_MAX} messages"));
        };
        if kind == Kind::Intent {
            self.check_intent(fact, number, &before);
        } else if fact.number("attempt") > Some(before.attempt) {
            self.find(Code::Move, "it speaks of an attempt that was never claimed");
        }
        let to = fact.text("to").and_then(State::of);
        self.check_move(kind, fact, &before, to);
        self.check_called(kind, fact, &before, to);
        self.check_shown(kind, fact, number, &before);
        self.settle(kind, fact, number, key, to);
        match fact.text("notice").and_then(NoticeState::of) {
            Some(notice) => self.check_notice(number, &before, to.unwrap_or(before.state), notice),
            None => self.check_kept(number, &before, to.unwrap_or(before.state)),
        }
    }

    /// Nobody can report what was never called: but what left before a restore, and was found after it.
    fn check_called(&mut self, kind: Kind, fact: &Fact, before: &Message, to: Option<State>) {
        let is_report = kind == Kind::Shown || is_acceptance(kind, fact) || to.is_some_and(|to| to.rank().is_some());
        let is_found = before.forgotten.is_some_and(|reconciled| !self.is_whole || self.reconciled > reconciled);
        if is_report && before.attempt == 0 && !is_found {
            self.find(Code::Move, format!("{} of a message that was never called", kind.as_str()));
        }
    }

    /// Whoever says that a provider showed the same bytes says so of what the plan says for this person.
    fn check_shown(&mut self, kind: Kind, fact: &Fact, number: usize, before: &Message) {
        if kind != Kind::Shown || fact.text("ground") != Some("same_bytes") {
            return;
        }
        let (Some((lines, at)), Some(plan)) = (self.people.line(number), before.plan) else { return };
        let planned = lines.people.get(at).and_then(|person| self.planned_content(plan, person, before.key.channel));
        if planned.is_some_and(|planned| planned != fact.hex("content")) {
            self.find(
                Code::WrongContent,
                format!("it shows the same bytes as plan {plan} has for this person, and they are others"),
            );
        }
    }

    fn check_intent(&mut self, fact: &Fact, number: usize, before: &Message) {
        let is_repeat = fact.is_true("repeat");
        let plan = fact.number("plan").unwrap_or_default();
        if fact.number("attempt") != Some(before.attempt + 1) {
            self.find(Code::Move, format!("it is not attempt {}, which would be the next", before.attempt + 1));
        }
        match before.state {
            _ if before.is_accepted => self.find(Code::SecondSend, "the message had been accepted before"),
            State::Sending => self.find(Code::SecondSend, "another call of the same message is open"),
            State::Asked => self.find(Code::SecondSend, "a call, while a person must decide about the one before"),
            State::Unknown if !is_repeat => {
                self.find(Code::SecondSend, "a first call, while it is not known what became of the one before");
            }
            State::Ready if is_repeat => self.find(Code::Move, "it repeats a call, and there is none that is unknown"),
            _ => {}
        }
        if self.people.notice(number, before.key.phase).is_decided() {
            self.find(Code::NoCause, "a call, although somebody decided that this person is told no more");
        }
        if self.people.is_erased(number) {
            self.find(Code::Move, "a call, after the person's key was destroyed");
        }
        if !self.is_running(plan) {
            self.find(Code::NoPlan, format!("plan {plan} is not running"));
        }
        self.check_profile(fact, number, plan, before);
        if self.incident_holds > 0 || self.people.is_held(number) {
            self.find(Code::Held, "a hold stands");
        }
        self.check_list(number, plan);
        self.check_cause(number, plan, before);
        self.check_commitments(fact, number, plan, before.key.channel);
        self.channels.entry(before.key.channel).or_default().0 += 1;
        self.counted.repeats += u64::from(is_repeat);
    }

    /// A plan tells the people of its own lists, and nobody before their list is frozen.
    fn check_list(&mut self, number: usize, plan: u64) {
        let Some(list) = self.people.list(number).filter(|_| self.is_whole) else { return };
        let (list, is_frozen) = (list.number, list.frozen.is_some());
        if !is_frozen {
            self.find(Code::NoPlan, format!("list {list}, in which the person stands, was not frozen yet"));
        } else if !self.names_list(plan, list) {
            self.find(Code::NoPlan, format!("plan {plan} does not name list {list}, in which the person stands"));
        }
    }

    /// Whatever follows another message of the person has its cause.
    fn check_cause(&mut self, number: usize, plan: u64, before: &Message) {
        let key = before.key;
        if key.reason == Reason::Escalation && !self.people.has_cause(number, key) {
            self.find(Code::NoCause, "an escalation, while no other message of the notice has failed");
        } else if key.ordinal > 1 && !self.people.has_failed_before(number, key) {
            self.find(Code::NoCause, "a further message, while the one before it has not failed");
        } else if key.reason == Reason::Resend && !self.people.has_failed_on(number, key) {
            self.find(Code::NoCause, "it is sent again, while no message of the notice has failed on its channel");
        } else if key.reason != Reason::Correction && self.people.has_another_on(number, key) {
            self.find(Code::NoCause, "another message of the notice on its channel has not failed");
        } else if self.people.notice(number, key.phase) == NoticeState::Notified
            && !before.is_accepted
            && key.reason != Reason::Correction
            && !(key.channel == Channel::Sms && key.reason == Reason::First && self.may_alert(plan))
        {
            self.find(Code::NoCause, "the person was notified, and it corrects nothing");
        }
        if self.people.was_told_under(number, plan, key) {
            self.find(
                Code::NoCause,
                format!("a correction or further phase under plan {plan}, by which the person was told before"),
            );
        }
    }

    /// A call names a profile of its plan, and all calls of a notice the same.
    fn check_profile(&mut self, fact: &Fact, number: usize, plan: u64, before: &Message) {
        let named = fact.text("profile").unwrap_or_default();
        if !self.has_profile(plan, named) {
            self.find(Code::NoPlan, format!("plan {plan} tells nobody under the profile that it names"));
        }
        let known = self.people.profile(number, before.key.phase).and_then(|known| self.profiles.get(usize::from(known)));
        if known.is_some_and(|known| known != named) {
            self.find(Code::NoPlan, "an earlier call of this notice names another profile");
        }
    }

    /// The place of a profile among those that were named.
    fn profile_number(&mut self, fact: &Fact) -> Option<u16> {
        let named = fact.text("profile")?;
        let at = self.profiles.iter().position(|known| known == named).unwrap_or_else(|| {
            self.profiles.push(named.to_owned());
            self.profiles.len() - 1
        });
        u16::try_from(at).ok()
    }

    /// What is sent and where is what was approved and listed.
    fn check_commitments(&mut self, fact: &Fact, number: usize, plan: u64, channel: Channel) {
        let Some((lines, at)) = self.people.line(number) else { return };
        let listed = lines.of_channel(at, channel).copied();
        let planned = lines.people.get(at).and_then(|person| self.planned_content(plan, person, channel));
        if listed.is_none() || listed != fact.hex("destination") {
            self.find(Code::WrongDestination, "it goes to another number or address than the list has");
        }
        if planned.is_some_and(|planned| planned.is_none() || planned != fact.hex("content")) {
            self.find(Code::WrongContent, format!("it says something else than plan {plan} says for this person"));
        }
    }

    fn check_move(&mut self, kind: Kind, fact: &Fact, before: &Message, to: Option<State>) {
        let status = fact.text("status").and_then(State::of);
        let (name, from) = (kind.as_str(), before.state);
        let Some(to) = to else {
            // What would have moved the message must say so.
            let report = match kind {
                Kind::ReceiptLate => status,
                Kind::Recalled => Some(State::Failed).filter(|_| fact.text("ground") == Some("cancelled")),
                _ => Some(State::Accepted).filter(|_| is_acceptance(kind, fact)),
            };
            let is_news = report.is_some_and(|report| from.may_become(report));
            let is_answer = matches!(kind, Kind::Rejected | Kind::NotTaken | Kind::LaneStopped | Kind::Unknown);
            let is_own_answer = is_answer && from == State::Sending && fact.number("attempt") == Some(before.attempt);
            if !kind.may_stay(fact) || is_news || is_own_answer {
                self.find(Code::Move, format!("{name} moves a message that is {} nowhere", from.as_str()));
            }
            return;
        };
        let leads = if kind == Kind::Receipt { status == Some(to) } else { kind.leads_to(fact).contains(&to) };
        if !leads || kind == Kind::ReceiptLate {
            self.find(Code::Move, format!("{name} does not lead to {}", to.as_str()));
        } else if from == State::Ready && to == State::Unknown && fact.text("ground") != Some("restored") {
            self.find(Code::Move, "a message that was never claimed cannot be unknown, but after a restore");
        } else if !from.may_become(to) && (kind != Kind::Intent || !is_second(from)) {
            self.find(Code::Move, format!("a message that is {} cannot become {}", from.as_str(), to.as_str()));
        }
    }

    fn settle(&mut self, kind: Kind, fact: &Fact, number: usize, key: MessageKey, to: Option<State>) {
        let at = self.at();
        let profile = if kind == Kind::Intent { self.profile_number(fact) } else { None };
        self.counted.possible_duplicates += u64::from(fact.is_true("possible_duplicate"));
        let reconciled = self.reconciled;
        let Some(message) = self.people.message(number, key) else { return };
        if kind == Kind::Unknown && fact.text("ground") == Some("restored") {
            message.forgotten = Some(reconciled);
        }
        if kind == Kind::Intent {
            message.attempt = fact.number("attempt").unwrap_or_default().max(message.attempt);
            message.plan = fact.number("plan");
            message.profile = profile;
            message.intent = (at.generation, at.leaf, fact.at_micros);
        }
        message.state = to.unwrap_or(message.state);
        let is_first = !message.is_accepted;
        message.is_accepted |= is_acceptance(kind, fact);
        if is_first && message.is_accepted {
            self.counted.without_call += u64::from(message.attempt == 0);
            self.channels.entry(key.channel).or_default().1 += 1;
        }
    }

    /// At the end: calls that nothing closed.
    pub(super) fn finish_calls(&mut self) {
        let newest = self.newest.map_or(0, |newest| newest.at_micros);
        let is_open = |m: &&Message| m.state == State::Sending && m.intent.2 < newest.saturating_sub(OPEN_CALL_MAX);
        let open: Vec<(u64, u64, i64)> = self.people.messages().iter().filter(is_open).map(|m| m.intent).collect();
        for (generation, leaf, _) in open {
            let finding = Finding::new(Code::OpenCall, "nothing closed this call within an hour of the log");
            self.findings.push(finding.leaf(generation, leaf));
        }
    }
}

/// Whether an event proves that a provider took the message.
fn is_acceptance(kind: Kind, fact: &Fact) -> bool {
    matches!(kind, Kind::Accepted | Kind::Receipt | Kind::ReceiptLate)
        || (kind == Kind::Resolved && fact.text("ground") == Some("found"))
}

/// States for which an intent is a second send rather than an impossible move.
fn is_second(from: State) -> bool {
    from.known().is_some() || matches!(from, State::Sending | State::Asked)
}
