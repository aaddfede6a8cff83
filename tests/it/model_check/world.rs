//! The modelled world: what is stored, what is on its way, who holds what. Every move of a message is `step`'s.

use super::setup::{Class, Property, Safeguard, Setup};
use duly::model::state::{Channel, MessageState, NoticeState, Reason, Route};
use duly::model::step::{Answer, Case, Cause, Effect, Message, escalation_is_due, step};

/// Calls that a message may have in the largest run.
pub const CALLS: usize = 3;
/// Time of a call, in the order in which it passes.
pub const SEND_BY_PASSED: u8 = 1;
pub const LEASE_EXPIRED: u8 = 2;
pub const MARGIN_PASSED: u8 = 3;
/// Life of a provider's key: relied on, not relied on any more, gone.
pub const KEY_GONE: u8 = 2;

/// A request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Net {
    Nothing,
    /// Written in time, or after `send_by`.
    Flying {
        late: bool,
    },
    /// Answered; the id is the number of the physical message.
    Answer(Reply),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reply {
    Accepted { id: u8 },
    Rejected,
    NotTaken,
    Conflict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    pub clock: u8,
    pub net: Net,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mail {
    pub state: MessageState,
    pub attempt: u8,
    pub fresh: u8,
    pub calls: [Call; CALLS],
    /// Calls claimed while the key was relied on, as bits.
    pub early: u8,
    pub key: u8,
    /// Physical messages, by the call that made them.
    pub produced: u8,
    /// Those that a look-up shows by now.
    pub visible: u8,
    /// Those whose provider id is on record.
    pub known: u8,
    /// Calls with `not_taken` on record.
    pub denied: u8,
    pub alarm: bool,
}

/// What a worker holds; nothing of it survives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Worker {
    Idle,
    /// Has read a draft that may be claimed.
    Drafted {
        m: u8,
        is_repeat: bool,
    },
    Claimed {
        m: u8,
        call: u8,
    },
    /// Has looked at the clock for the last time.
    Checked {
        m: u8,
        call: u8,
    },
    Written {
        m: u8,
        call: u8,
    },
}

/// An answer to a look-up that is not committed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Looked {
    pub m: u8,
    pub attempt: u8,
    pub found: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub notice: NoticeState,
    pub mails: [Mail; 2],
    pub count: u8,
    pub workers: [Worker; 2],
    pub looked: Option<Looked>,
    pub hold: bool,
    pub was_held: bool,
    pub crashes: u8,
    /// Properties that the last moves broke, as bits.
    pub broken: u16,
}

const EMPTY: Mail = Mail {
    state: MessageState::Ready,
    attempt: 0,
    fresh: 0,
    calls: [Call { clock: 0, net: Net::Nothing }; CALLS],
    early: 0,
    key: 0,
    produced: 0,
    visible: 0,
    known: 0,
    denied: 0,
    alarm: false,
};

impl World {
    pub fn start() -> Self {
        Self {
            notice: NoticeState::Open,
            mails: [EMPTY; 2],
            count: 1,
            workers: [Worker::Idle; 2],
            looked: None,
            hold: false,
            was_held: false,
            crashes: 0,
            broken: 0,
        }
    }

    pub fn open_mails(&self) -> impl Iterator<Item = u8> + '_ {
        (0..self.count).filter(|&m| !self.mails[usize::from(m)].state.is_settled())
    }

    pub fn mail(&mut self, m: u8) -> &mut Mail {
        &mut self.mails[usize::from(m)]
    }

    pub fn breaks(&mut self, property: Property) {
        self.broken |= 1 << property as u16;
    }

    fn case(&self, setup: &Setup) -> Case {
        let message = |m: u8| {
            let mail = &self.mails[usize::from(m)];
            let (channel, reason, closes_at) = if m == 0 {
                (Channel::Sms, Reason::First, MessageState::DeliveredToHandset)
            } else {
                (Channel::Letter, Reason::Escalation, MessageState::HandedToCarrier)
            };
            Message {
                channel,
                reason,
                state: mail.state,
                attempt: mail.attempt.into(),
                fresh: mail.fresh.into(),
                closes_at: Some(closes_at),
            }
        };
        let route = if setup.escalates { Route::SmsThenLetter } else { Route::Sms };
        Case { notice: self.notice, route, messages: (0..self.count).map(message).collect() }
    }

    /// As `store::unit`: decide with `step`, move, follow the effects. A run without a safeguard of `step`'s lies to it.
    pub fn apply(&mut self, setup: &Setup, m: u8, cause: Cause) {
        let decided = step(&self.case(setup), m.into(), cause);
        let mut to = decided.message;
        if !setup.keeps(Safeguard::UnknownBeforeRetry) && to == Some(MessageState::Unknown) {
            to = Some(MessageState::Ready);
        }
        let took_back = self.mails[usize::from(m)].state == MessageState::Superseded && to == Some(MessageState::Accepted);
        if let Some(to) = to.filter(|_| setup.keeps(Safeguard::FirstStepTakenBack) || !took_back) {
            self.mail(m).state = to;
        }
        if let Some(to) = decided.notice {
            self.notice = to;
        }
        for effect in decided.effects {
            match effect {
                Effect::Create(_) => {
                    self.mails[1] = EMPTY;
                    self.count = 2;
                }
                Effect::Reopen(i) => self.apply(setup, i as u8, Cause::Reopened),
                Effect::Cancel(i) if setup.keeps(Safeguard::EscalationLooksAgain) => self.apply(setup, i as u8, Cause::Cancelled),
                Effect::Cancel(_) => {}
                Effect::PossibleDuplicate => self.mail(m).alarm = true,
                Effect::Misfit(_) => {}
            }
        }
    }

    /// As `store::outcome::record_outcomes`.
    pub fn record(&mut self, setup: &Setup, m: u8, call: u8, reply: Option<Reply>) {
        let (answer, other_id) = match reply {
            Some(Reply::Accepted { id }) => (Answer::Accepted, self.learn(setup, m, id)),
            Some(Reply::Rejected) => (Answer::Rejected, false),
            Some(Reply::NotTaken) => (Answer::NotTaken, false),
            Some(Reply::Conflict) if !setup.keeps(Safeguard::ConflictIsUnknown) => (Answer::Rejected, false),
            Some(Reply::Conflict) | None => (Answer::Unknown, false),
        };
        let mail = self.mails[usize::from(m)];
        if answer == Answer::NotTaken {
            self.mail(m).denied |= 1 << call;
        }
        let is_current = call + 1 == mail.attempt;
        let is_ignored = answer == Answer::Accepted
            && (!setup.keeps(Safeguard::LateAccepted) && mail.state != MessageState::Sending
                || !setup.keeps(Safeguard::AnyAccepted) && !is_current);
        if is_ignored {
            return;
        }
        let lies = answer != Answer::Accepted && !setup.keeps(Safeguard::OnlyCurrent);
        let attempt = if lies { mail.attempt } else { call + 1 };
        self.apply(setup, m, Cause::Answered { attempt: attempt.into(), answer, other_id });
    }

    /// As `store::outcome::is_other`: puts a provider id on record and says whether another one was there.
    pub fn learn(&mut self, setup: &Setup, m: u8, id: u8) -> bool {
        let others = self.mails[usize::from(m)].known & !(1 << id);
        self.mail(m).known |= 1 << id;
        others != 0 && setup.keeps(Safeguard::ComparesIds)
    }

    /// As `store::claim`: all guards and the intent in one transaction. Returns the call that may be made.
    pub fn claim(&mut self, setup: &Setup, m: u8, is_repeat: bool) -> Option<u8> {
        let before = self.mails[usize::from(m)];
        let reason_holds = escalation_is_due(&self.case(setup), m.into()) || !setup.keeps(Safeguard::EscalationLooksAgain);
        let hold_counts = setup.keeps(if is_repeat { Safeguard::HoldInRepeat } else { Safeguard::HoldInClaim });
        let repeat_fits = !is_repeat || !setup.keeps(Safeguard::KeyInClaim) || before.may_repeat(setup);
        if !reason_holds || before.attempt >= setup.calls || (self.hold && hold_counts) || !repeat_fits {
            return None;
        }
        self.apply(setup, m, Cause::Claimed { is_repeat });
        let mail = self.mails[usize::from(m)];
        let fits = mail.state == MessageState::Sending && before.state != MessageState::Sending;
        if !fits && setup.keeps(Safeguard::ClaimCompares) {
            return None;
        }
        if self.hold {
            self.breaks(if is_repeat { Property::P5r } else { Property::P5 });
        }
        let first = self.mails[0].state;
        if m == 1 && first.is_taken() && !first.is_dead() && first != MessageState::Overdue {
            self.breaks(Property::P6);
        }
        let call = mail.attempt;
        let mail = self.mail(m);
        mail.state = MessageState::Sending;
        mail.attempt += 1;
        if !is_repeat || !setup.keeps(Safeguard::RepeatStaysUnknown) {
            mail.fresh = mail.attempt;
        }
        mail.calls[usize::from(call)] = Call { clock: 0, net: Net::Nothing };
        mail.early |= u8::from(mail.key == 0) << call;
        Some(call)
    }

    /// Puts equal situations into one form: workers are alike, and the time of a call that nothing hangs on has passed.
    pub fn normalise(&mut self, setup: &Setup) {
        self.workers.sort_unstable();
        for m in 0..self.count {
            let workers = self.workers;
            let mail = self.mail(m);
            let is_waiting = matches!(mail.state, MessageState::Sending | MessageState::Unknown);
            for call in 0..mail.attempt {
                let is_held = workers.iter().any(|w| w.holds(m, call));
                let one = &mut mail.calls[usize::from(call)];
                if !is_held && matches!(one.net, Net::Answer(_)) {
                    one.net = Net::Nothing;
                }
                if !is_held && one.net == Net::Nothing && (call + 1 != mail.attempt || !is_waiting) {
                    one.clock = MARGIN_PASSED;
                }
            }
            if setup.class != Class::Lagging {
                mail.visible = mail.produced;
            }
            if setup.class != Class::Idempotent {
                (mail.early, mail.key) = (0, 0);
            }
        }
    }
}

impl Mail {
    /// Time of the newest call.
    pub fn clock(&self) -> u8 {
        self.attempt.checked_sub(1).map_or(MARGIN_PASSED, |call| self.calls[usize::from(call)].clock)
    }

    /// As `store::claim` for a repeat: well inside the key's life, and not before the original can no longer arrive.
    pub fn may_repeat(&self, setup: &Setup) -> bool {
        let last = match () {
            () if !setup.keeps(Safeguard::KeyLife) => KEY_GONE,
            () if !setup.keeps(Safeguard::KeyMargin) => 1,
            () => 0,
        };
        self.key <= last && (self.clock() == MARGIN_PASSED || !setup.keeps(Safeguard::RepeatAfterMargin))
    }
}

impl Worker {
    pub fn holds(self, m: u8, call: u8) -> bool {
        matches!(self, Self::Claimed { m: a, call: b } | Self::Checked { m: a, call: b } | Self::Written { m: a, call: b } if (a, b) == (m, call))
    }
}
