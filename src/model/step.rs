//! One function decides every move of a message and what follows from it for the notice.
//!
//! `step` is pure: the store runs it inside guarded updates, the model checker explores it, and `audit` replays
//! real traces through it. What it cannot know (holds, approval, clocks, leases) is checked where it is called.

#[cfg(test)]
mod tests;

use super::state::{Channel, Content, MessageState, Misfit, NoticeState, Reason, Route};

/// What `step` sees of one message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    /// Channel.
    pub channel: Channel,
    /// Why it exists.
    pub reason: Reason,
    /// Present state.
    pub state: MessageState,
    /// Number of the newest attempt, 0 before the first.
    pub attempt: u32,
    /// Number of the newest attempt that was no repeat, 0 before the first.
    pub fresh: u32,
    /// The state that ends the notice, by the profile's table for this channel and content; `None`: it never does.
    pub closes_at: Option<MessageState>,
}

impl Message {
    /// Whether the newest attempt repeats an unknown one under the provider's guarantee.
    pub fn is_repeat(&self) -> bool {
        self.attempt > self.fresh
    }

    /// Whether more news is due in its state: it is on its way, or posted where the profile counts delivery only.
    pub fn awaits_news(&self) -> bool {
        use MessageState::{Accepted, HandedToCarrier, Printed, Sent};
        let counts_later = || self.closes_at.is_some_and(|least| least.report_rank() > HandedToCarrier.report_rank());
        matches!(self.state, Accepted | Sent | Printed) || (self.state == HandedToCarrier && counts_later())
    }

    fn closes(&self) -> bool {
        let Some(least) = self.closes_at else { return false };
        self.state == least
            || (self.state != MessageState::Returned
                && self.state.report_rank().zip(least.report_rank()).is_some_and(|(is, must)| is > must))
    }
}

/// A notice with all its messages: the unit that a decision looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Case {
    /// State of the notice.
    pub notice: NoticeState,
    /// Channels of the notice.
    pub route: Route,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// What a call to a provider tells. There is no sixth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The provider took it and named it.
    Accepted,
    /// The provider will never take it.
    Rejected,
    /// Proven not processed; the only answer that is retried by itself.
    NotTaken,
    /// Not processed, and nothing else on this lane will be.
    LaneStopped,
    /// All else.
    Unknown,
}

/// How long a lane rests whose provider takes nothing; each rest without a good call between is longer than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// A minute: bad credentials, no credit, a redirect. The first call after it is the second look.
    Minute,
    /// Until the day ends, UTC: its daily limit is used up.
    UtcDay,
    /// As long as the settings say: many calls ended badly.
    Sick,
    /// As long as its provider asks that is out of service, and no longer than the settings' longest rest.
    Asked(std::time::Duration),
}

/// Codes of calls that were not taken and are no attempts of the message's: the provider asked us to wait, or we did
/// not begin.
pub const UNCOUNTED: &[&str] = &["429", "send_by", "hold_changed", "no_lane"];

impl Answer {
    /// Whether a call that ended so counts against the attempt limit of its message.
    pub fn counts(self, code: &str) -> bool {
        match self {
            Self::LaneStopped => false,
            Self::NotTaken => !UNCOUNTED.contains(&code),
            Self::Accepted | Self::Rejected | Self::Unknown => true,
        }
    }
}

/// What ended our trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Our deadline for sending.
    Deadline,
    /// So many calls counted, of as many as are allowed.
    Attempts { tries: u32, limit: u32 },
}

impl Limit {
    fn is_reached(self) -> bool {
        match self {
            Self::Deadline => true,
            Self::Attempts { tries, limit } => tries >= limit,
        }
    }
}

/// What a person decides about an unknown call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Send again, and answer for a possible second message.
    SendAgain,
    /// Go on with the next step of the route.
    NextStep,
}

/// What a provider says to whoever takes a message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recall {
    /// It will not leave.
    Cancelled,
    /// It left, or is being made.
    TooLate,
    /// No answer that means anything: it may leave.
    Unknown,
}

/// Why a message may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A worker claims the call; a repeat starts from `unknown`.
    Claimed { is_repeat: bool },
    /// The call of `attempt` ended; `other_id` if another provider id is already known for this message.
    Answered { attempt: u32, answer: Answer, other_id: bool },
    /// The lease of the call of `attempt` ran out.
    LeaseExpired { attempt: u32 },
    /// The database came back older: the call may have taken place in the time that it forgot.
    Restored,
    /// The provider knows our reference.
    Found { other_id: bool },
    /// The provider does not know our reference, and was asked late enough after the call of `attempt`
    /// (`dispatch::resolver::Absence::counts`).
    Absent { attempt: u32 },
    /// The provider can neither look up nor repeat: a person must decide.
    Ask,
    /// As `Ask`, but the plan says to go on with the next step.
    NextStep,
    /// A person decided.
    Decided(Decision),
    /// A receipt or a polled status; always one with a `report_rank`.
    Reported { report: MessageState, other_id: bool },
    /// Somebody takes it back, and its provider is asked; nothing moves.
    RecallAsked,
    /// What its provider said to that.
    Recalled(Recall),
    /// Its provider showed the letter that it has; nothing moves.
    Shown,
    /// No news when news was due.
    NoNews,
    /// Our deadline or attempt limit ended before a provider took it.
    GaveUp(Limit),
    /// It cannot leave as it is; nothing moves, and somebody must see to it.
    Unfit(Misfit),
    /// The step that this message replaces is alive again, or somebody ended the notice.
    Cancelled,
    /// The step that this message replaces failed again.
    Reopened,
}

/// What must happen in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Create the next step of the route.
    Create(Channel),
    /// Apply `Cause::Reopened` to this message.
    Reopen(usize),
    /// Apply `Cause::Cancelled` to this message.
    Cancel(usize),
    /// Raise the alarm *possible duplicate*.
    PossibleDuplicate,
    /// Show the misfit until the message's next attempt.
    Misfit(Misfit),
}

/// The decision: at most one move of the message, at most one of the notice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// New state of the message.
    pub message: Option<MessageState>,
    /// New state of the notice.
    pub notice: Option<NoticeState>,
    /// Whether this is a person's alert by SMS.
    pub alerted: bool,
    /// What must happen with it.
    pub effects: Vec<Effect>,
}

/// Decides what `cause` means for message `index` of `case`.
pub fn step(case: &Case, index: usize, cause: Cause) -> Step {
    let Some(message) = case.messages.get(index) else { return Step::default() };
    let is_decided = case.notice.is_decided();
    let mut effects = own_effects(message, cause);
    let to = next_state(message, cause, is_decided).filter(|&to| message.state.can_become(to));
    let Some(to) = to else {
        return Step { effects, ..Step::default() };
    };
    let mut after = case.clone();
    after.messages[index].state = to;
    effects.extend(if is_decided { taken_back(&after) } else { route_effects(&after) });
    let creates = effects.iter().any(|e| matches!(e, Effect::Create(_) | Effect::Reopen(_)));
    Step {
        message: Some(to),
        notice: next_notice(&after, creates),
        alerted: message.channel == Channel::Sms && to == MessageState::DeliveredToHandset,
        effects,
    }
}

/// Whether an escalation still has its reason; looked at again by the claim of the escalation.
pub fn escalation_is_due(case: &Case, index: usize) -> bool {
    let Some(message) = case.messages.get(index).filter(|_| !case.notice.is_decided()) else { return false };
    message.reason != Reason::Escalation
        || case
            .messages
            .iter()
            .any(|before| case.route.next_after(before.channel) == Some(message.channel) && needs_next_step(before.state))
}

fn next_state(message: &Message, cause: Cause, is_decided: bool) -> Option<MessageState> {
    use MessageState::*;
    let state = message.state;
    match cause {
        // Nobody is sent to whose notice somebody ended.
        Cause::Claimed { .. } | Cause::Reopened if is_decided => None,
        Cause::Claimed { is_repeat: false } => (state == Ready).then_some(Sending),
        Cause::Claimed { is_repeat: true } => (state == Unknown).then_some(Sending),
        // `accepted` of any attempt settles the message; every other answer counts only for the current one.
        Cause::Answered { answer: Answer::Accepted, .. } | Cause::Found { .. } => reported(message, Accepted),
        Cause::Answered { attempt, answer, .. } => answered(message, answer).filter(|_| attempt == message.attempt),
        Cause::LeaseExpired { attempt } => (state == Sending && attempt == message.attempt).then_some(Unknown),
        Cause::Restored => matches!(state, Ready | Sending).then_some(Unknown),
        // A look-up that somebody slept over says nothing of a call that was claimed since.
        Cause::Absent { attempt } => (state == Unknown && attempt == message.attempt).then_some(Ready),
        Cause::Ask => (state == Unknown).then_some(Asked),
        Cause::NextStep => (state == Unknown).then_some(Superseded),
        Cause::Decided(Decision::SendAgain) => (state == Asked).then_some(Ready),
        Cause::Decided(Decision::NextStep) => (state == Asked).then_some(Superseded),
        Cause::Reported { report, .. } => reported(message, report),
        // As the provider's own word for it: what left all the same, or came before, is known to say more.
        Cause::Recalled(Recall::Cancelled) => reported(message, Failed),
        Cause::RecallAsked | Cause::Recalled(Recall::TooLate | Recall::Unknown) | Cause::Shown => None,
        Cause::NoNews => message.awaits_news().then_some(Overdue),
        Cause::GaveUp(limit) => (state == Ready && limit.is_reached()).then_some(Exhausted),
        Cause::Unfit(_) => None,
        Cause::Cancelled => (state == Ready && (is_decided || message.reason == Reason::Escalation)).then_some(Cancelled),
        Cause::Reopened => (state == Cancelled).then_some(Ready),
    }
}

/// What an answer other than `accepted` means for its own, current attempt.
fn answered(message: &Message, answer: Answer) -> Option<MessageState> {
    use MessageState::{Asked, Ready, Rejected, Sending, Unknown};
    match (message.state, answer) {
        (Sending | Unknown | Asked, Answer::Rejected) => Some(Rejected),
        // A repeat that was not taken says nothing of the call that it repeats; a late `not_taken` reopens nothing.
        (Sending, Answer::NotTaken | Answer::LaneStopped) if !message.is_repeat() => Some(Ready),
        (Sending, _) => Some(Unknown),
        _ => None,
    }
}

/// Of a message that was never called nobody can say that it left.
fn reported(message: &Message, report: MessageState) -> Option<MessageState> {
    let may_have_left = message.attempt > 0 || message.state.may_have_left_uncalled();
    (may_have_left && message.state.report_rank() < report.report_rank()).then_some(report)
}

fn own_effects(message: &Message, cause: Cause) -> Vec<Effect> {
    if let Cause::Unfit(misfit) = cause {
        return vec![Effect::Misfit(misfit)];
    }
    let is_alarm = match cause {
        // Accepted, although another call was claimed since without the provider's guarantee.
        Cause::Answered { answer: Answer::Accepted, other_id, attempt } => other_id || attempt < message.fresh,
        Cause::Found { other_id } | Cause::Reported { other_id, .. } => other_id,
        _ => false,
    };
    if is_alarm { vec![Effect::PossibleDuplicate] } else { Vec::new() }
}

fn needs_next_step(state: MessageState) -> bool {
    state.is_dead() || state == MessageState::Overdue
}

/// Of a notice that somebody ended nothing waits to be sent.
fn taken_back(after: &Case) -> Vec<Effect> {
    let is_ready = |i: &usize| after.messages.get(*i).is_some_and(|m| m.state == MessageState::Ready);
    (0..after.messages.len()).filter(is_ready).map(Effect::Cancel).collect()
}

/// What the route asks for: a next step where one failed, and none where it did not.
fn route_effects(after: &Case) -> Vec<Effect> {
    let step_of = |before: &Message| {
        let next = after.route.next_after(before.channel)?;
        let Some(i) = after.messages.iter().position(|m| m.channel == next) else {
            return needs_next_step(before.state).then_some(Effect::Create(next));
        };
        match after.messages[i].state {
            MessageState::Cancelled if needs_next_step(before.state) => Some(Effect::Reopen(i)),
            // Also where the next step comes back to `ready` after its reason went away.
            MessageState::Ready if before.state.is_taken() && !needs_next_step(before.state) => Some(Effect::Cancel(i)),
            _ => None,
        }
    };
    after.messages.iter().filter_map(step_of).collect()
}

/// Whether no news came and the next step took the message's place: late news still counts, but nobody waits for it.
fn is_replaced(case: &Case, message: &Message) -> bool {
    let next = case.route.next_after(message.channel);
    needs_next_step(message.state) && case.messages.iter().any(|m| Some(m.channel) == next)
}

fn next_notice(after: &Case, creates: bool) -> Option<NoticeState> {
    let to = standing(after, creates);
    (to != after.notice && !after.notice.is_decided()).then_some(to)
}

/// How a notice stands by its messages alone; `creates`: a further one is made.
pub(super) fn standing(after: &Case, creates: bool) -> NoticeState {
    let told = after.messages.iter().any(Message::closes);
    let may_still_tell = |m: &Message| m.closes_at.is_some() && !m.state.is_dead() && !is_replaced(after, m);
    let hope = creates || after.messages.iter().any(may_still_tell);
    match (told, hope) {
        (true, _) => NoticeState::Notified,
        (false, true) => NoticeState::Open,
        (false, false) => NoticeState::Unreachable,
    }
}

/// The profile's answer for one channel and content, as `step` needs it.
pub fn closes_at(closing: &[(Channel, Content, MessageState)], channel: Channel, content: Content) -> Option<MessageState> {
    closing.iter().find(|(c, t, _)| *c == channel && *t == content).map(|(_, _, state)| *state)
}
