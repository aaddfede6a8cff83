//! What can happen next: to workers, on the network, in time, at the resolver, by receipts and by people.

use super::setup::{Class, Safeguard, Setup};
use super::world::{Call, KEY_GONE, LEASE_EXPIRED, Looked, MARGIN_PASSED, Net, Reply, SEND_BY_PASSED, Worker, World};
use duly::model::state::MessageState;
use duly::model::step::{Cause, Decision, Limit, Recall};

/// What happened, for people who read a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub what: &'static str,
    pub m: u8,
    pub call: u8,
}

/// Collects the worlds that can follow one.
pub struct Next<'a> {
    pub setup: &'a Setup,
    pub now: World,
    pub found: Vec<(Move, World)>,
}

impl Next<'_> {
    /// All worlds that can follow; one that is the same is none.
    pub fn all(mut self) -> Vec<(Move, World)> {
        for worker in 0..2 {
            self.work(worker);
        }
        for m in 0..self.now.count {
            for call in 0..self.now.mails[usize::from(m)].attempt {
                self.travel(m, call);
                self.pass(m, call);
            }
            self.sweep(m);
            self.resolve(m);
            self.report(m);
            self.age_key(m);
        }
        self.commit_look_up();
        self.hold();
        self.found
    }

    fn add(&mut self, what: &'static str, m: u8, call: u8, change: impl FnOnce(&mut World)) {
        let mut after = self.now;
        change(&mut after);
        after.normalise(self.setup);
        if after != self.now {
            self.found.push((Move { what, m, call }, after));
        }
    }

    fn work(&mut self, w: usize) {
        let setup = self.setup;
        let idle = move |world: &mut World| world.workers[w] = Worker::Idle;
        match self.now.workers[w] {
            Worker::Idle => self.draft(w),
            Worker::Drafted { m, is_repeat } => self.add("claims", m, 0, |world| {
                let claimed = world.claim(setup, m, is_repeat);
                world.workers[w] = claimed.map_or(Worker::Idle, |call| Worker::Claimed { m, call });
            }),
            Worker::Claimed { m, call } => {
                self.add("finds that it may not start, or cannot connect", m, call, |world| {
                    idle(world);
                    world.record(setup, m, call, Some(Reply::NotTaken));
                });
                let in_time = self.clock(m, call) < SEND_BY_PASSED || !setup.keeps(Safeguard::SendBy);
                if in_time && setup.window {
                    self.add("checks the clock", m, call, |world| world.workers[w] = Worker::Checked { m, call });
                } else if in_time {
                    self.add("writes", m, call, |world| world.write(w, m, call));
                }
            }
            Worker::Checked { m, call } => self.add("writes", m, call, |world| world.write(w, m, call)),
            Worker::Written { m, call } => {
                if let Net::Answer(reply) = self.now.mails[usize::from(m)].calls[usize::from(call)].net {
                    self.add("records the answer", m, call, |world| {
                        idle(world);
                        world.record(setup, m, call, Some(reply));
                    });
                }
                self.add("gives up waiting", m, call, |world| {
                    idle(world);
                    world.record(setup, m, call, None);
                });
            }
        }
        if self.now.workers[w] != Worker::Idle && self.now.crashes < setup.crashes {
            self.add("crashes", 0, 0, |world| {
                idle(world);
                world.crashes += 1;
            });
        }
    }

    /// The broker may deliver a job at any time, in any order, any number of times, or never.
    fn draft(&mut self, w: usize) {
        for m in 0..self.now.count {
            let mail = self.now.mails[usize::from(m)];
            if mail.attempt >= self.setup.calls {
                continue;
            }
            if mail.state == MessageState::Ready && (!self.now.hold || self.setup.keeps(Safeguard::HoldInClaim)) {
                self.add("reads a job", m, 0, |world| world.workers[w] = Worker::Drafted { m, is_repeat: false });
            }
            let by_resolver = self.setup.class == Class::Idempotent && mail.may_repeat(self.setup);
            if mail.state == MessageState::Unknown && (by_resolver || !self.setup.keeps(Safeguard::RoadNeverRepeats)) {
                self.add("means to repeat", m, 0, |world| world.workers[w] = Worker::Drafted { m, is_repeat: true });
            }
        }
    }

    fn clock(&self, m: u8, call: u8) -> u8 {
        self.now.mails[usize::from(m)].calls[usize::from(call)].clock
    }

    /// A request arrives and is answered, or is lost.
    fn travel(&mut self, m: u8, call: u8) {
        let (class, mail) = (self.setup.class, self.now.mails[usize::from(m)]);
        if !matches!(mail.calls[usize::from(call)].net, Net::Flying { .. }) {
            return;
        }
        let mut arrive = |what, made: u8, net| {
            self.add(what, m, call, |world| {
                let mail = world.mail(m);
                mail.produced |= made;
                mail.calls[usize::from(call)].net = net;
            });
        };
        arrive("is lost on the way, or refused by an error that proves nothing", 0, Net::Nothing);
        arrive("is answered 429", 0, Net::Answer(Reply::NotTaken));
        if class == Class::Idempotent && mail.produced != 0 && mail.key < KEY_GONE {
            let id = mail.produced.trailing_zeros() as u8;
            arrive("is answered as the first time", 0, Net::Answer(Reply::Accepted { id }));
            arrive("is answered 409", 0, Net::Answer(Reply::Conflict));
        } else {
            arrive("is produced and accepted", 1 << call, Net::Answer(Reply::Accepted { id: call }));
            arrive("is produced, and its answer is lost", 1 << call, Net::Nothing);
            arrive("is rejected", 0, Net::Answer(Reply::Rejected));
        }
    }

    /// Time passes for a call; calls of one message were claimed in order.
    fn pass(&mut self, m: u8, call: u8) {
        let mail = self.now.mails[usize::from(m)];
        let Call { clock, net } = mail.calls[usize::from(call)];
        let is_first = mail.calls[..usize::from(call)].iter().all(|earlier| earlier.clock > clock);
        if clock == MARGIN_PASSED || !is_first {
            return;
        }
        let (produced, endless) = (mail.produced, self.setup.endless_network);
        self.add(["send_by passes", "the lease ends", "the margin passes"][usize::from(clock)], m, call, |world| {
            let mail = world.mail(m);
            let one = &mut mail.calls[usize::from(call)];
            one.clock = clock + 1;
            if one.clock == MARGIN_PASSED {
                // What was written in time has arrived by now, or never will, and a look-up shows it.
                mail.visible |= produced & (1 << call);
                if net == (Net::Flying { late: false }) && !endless {
                    one.net = Net::Nothing;
                }
            }
        });
    }

    fn age_key(&mut self, m: u8) {
        let mail = self.now.mails[usize::from(m)];
        let early_arrived = (0..mail.attempt).all(|call| mail.early & (1 << call) == 0 || self.clock(m, call) == MARGIN_PASSED);
        let may_age =
            self.setup.class == Class::Idempotent && mail.attempt > 0 && mail.key < KEY_GONE && (mail.key == 0 || early_arrived);
        if may_age {
            self.add("the key ages", m, mail.key, |world| world.mail(m).key += 1);
        }
    }

    fn sweep(&mut self, m: u8) {
        let (setup, mail) = (self.setup, self.now.mails[usize::from(m)]);
        let cause = match mail.state {
            MessageState::Sending if mail.clock() >= LEASE_EXPIRED => Cause::LeaseExpired { attempt: mail.attempt.into() },
            MessageState::Accepted => Cause::NoNews,
            MessageState::Ready => {
                // As `store::due::give_up`: calls that the provider put off do not count.
                let tries = u32::from(mail.attempt).saturating_sub(mail.denied.count_ones());
                let limit = setup.calls.into();
                self.add("has used up its attempts", m, mail.attempt, |world| {
                    world.apply(setup, m, Cause::GaveUp(Limit::Attempts { tries, limit }));
                });
                Cause::GaveUp(Limit::Deadline)
            }
            _ => return,
        };
        self.add("is swept", m, mail.attempt, |world| world.apply(setup, m, cause));
    }

    fn resolve(&mut self, m: u8) {
        let (setup, mail) = (self.setup, self.now.mails[usize::from(m)]);
        match (mail.state, setup.class) {
            (MessageState::Unknown, Class::Strong | Class::Lagging) => self.look_up(m),
            (MessageState::Unknown, Class::Idempotent) if mail.key > 0 => {
                self.add("is asked about", m, 0, |world| world.apply(setup, m, Cause::Ask))
            }
            (MessageState::Unknown, Class::None) => {
                self.add("is asked about", m, 0, |world| world.apply(setup, m, Cause::Ask));
                self.add("goes on by the plan's rule", m, 0, |world| world.apply(setup, m, Cause::NextStep));
            }
            (MessageState::Asked, _) => {
                self.add("is decided: next step", m, 0, |world| world.apply(setup, m, Cause::Decided(Decision::NextStep)));
            }
            _ => {}
        }
    }

    /// The provider reads now; the answer is committed now, or by a resolver that froze in between.
    fn look_up(&mut self, m: u8) {
        let (setup, mail) = (self.setup, self.now.mails[usize::from(m)]);
        let looked = Looked { m, attempt: mail.attempt, found: mail.visible };
        let counts = mail.clock() == MARGIN_PASSED || !setup.keeps(Safeguard::Margin);
        if looked.found == 0 && !counts && setup.keeps(Safeguard::MarginWhenSent) {
            return;
        }
        if self.now.looked.is_none() {
            self.add("is looked up", m, mail.attempt, |world| world.looked = Some(looked));
        }
        self.add("is looked up and settled", m, mail.attempt, |world| world.settle(setup, looked));
    }

    fn commit_look_up(&mut self) {
        let setup = self.setup;
        if let Some(looked) = self.now.looked {
            self.add("is settled by its look-up", looked.m, looked.attempt, |world| {
                world.looked = None;
                world.settle(setup, looked);
            });
            self.add("has its look-up forgotten", looked.m, looked.attempt, |world| world.looked = None);
        }
        for m in 0..self.now.count {
            let late = self.now.mails[usize::from(m)];
            if setup.class == Class::Lagging && late.produced != late.visible {
                self.add("can be found", m, 0, |world| world.mail(m).visible = late.produced);
            }
        }
    }

    /// Receipts come at any time after production, repeated and contradicting.
    fn report(&mut self, m: u8) {
        let (setup, mail) = (self.setup, self.now.mails[usize::from(m)]);
        let reports = if m == 0 {
            [MessageState::Failed, MessageState::DeliveredToHandset]
        } else {
            [MessageState::HandedToCarrier, MessageState::Returned]
        };
        for id in (0..mail.attempt).filter(|id| mail.produced & (1 << id) != 0) {
            for report in reports {
                self.add(report.as_str(), m, id, |world| {
                    let other_id = world.learn(setup, m, id);
                    world.apply(setup, m, Cause::Reported { report, other_id });
                });
            }
            // Somebody takes back what its provider is known to hold.
            if mail.known & (1 << id) != 0 {
                self.add("is taken back", m, id, |world| world.apply(setup, m, Cause::Recalled(Recall::Cancelled)));
            }
        }
    }

    fn hold(&mut self) {
        if self.setup.holds && !self.now.was_held {
            self.add("a hold is set", 0, 0, |world| (world.hold, world.was_held) = (true, true));
        }
        if self.now.hold {
            self.add("the hold is lifted", 0, 0, |world| world.hold = false);
        }
    }
}

impl World {
    fn write(&mut self, w: usize, m: u8, call: u8) {
        let one = &mut self.mail(m).calls[usize::from(call)];
        one.net = Net::Flying { late: one.clock >= SEND_BY_PASSED };
        self.workers[w] = Worker::Written { m, call };
    }

    /// As `dispatch::resolver`: what a look-up found, or that it found nothing late enough.
    fn settle(&mut self, setup: &Setup, looked: Looked) {
        let m = looked.m;
        if looked.found != 0 {
            let others = (0..8)
                .filter(|id| looked.found & (1 << id) != 0)
                .map(|id| self.learn(setup, m, id))
                .filter(|other| *other)
                .count();
            return self.apply(setup, m, Cause::Found { other_id: others > 0 });
        }
        let mail = self.mails[usize::from(m)];
        // Without the safeguard the margin is judged now, though the provider was asked before it.
        let counts = setup.keeps(Safeguard::MarginWhenSent) || mail.clock() == MARGIN_PASSED;
        let attempt = if setup.keeps(Safeguard::AbsenceOfCurrent) { looked.attempt } else { mail.attempt };
        if counts {
            self.apply(setup, m, Cause::Absent { attempt: attempt.into() });
        }
    }
}
