//! A notice that somebody ends by a decision: no notice is owed, or the person was told in another way.
//!
//! It never ends a notice of which a message may be leaving, and while it stands nothing is sent, whatever becomes known. It
//! may be taken back: then the notice stands as its messages say, and what it had cancelled waits again.

use super::cause::Unreadable;
use super::state::{MessageState, NoticeState, Reason, TellsOtherwise};
use super::step::{Case, escalation_is_due, standing};
use serde_json::{Map, Value, json};

/// What somebody decided about a person's notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// No notice is owed.
    Exempt,
    /// The person was told in another way.
    Told(TellsOtherwise),
}

/// Why a notice cannot be ended by a decision now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// It has ended otherwise.
    Ended(NoticeState),
    /// A call may be under way, or nobody knows how one ended.
    OnTheRoad(MessageState),
    /// A provider has a message of it, and news is due.
    AwaitsNews(MessageState),
}

impl Ending {
    /// The state that the notice gets.
    pub fn state(self) -> NoticeState {
        match self {
            Self::Exempt => NoticeState::Exempt,
            Self::Told(_) => NoticeState::Withdrawn,
        }
    }

    /// The event's kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Exempt => "notice.exempt",
            Self::Told(_) => "notice.withdrawn",
        }
    }

    /// Fields of `d` of the event, beside who decided.
    pub fn fields(self, phase: i32) -> Map<String, Value> {
        let mut fields =
            Map::from_iter([("notice".to_owned(), json!(self.state().as_str())), ("phase".to_owned(), json!(phase))]);
        if let Self::Told(how) = self {
            fields.insert("ground".to_owned(), json!(how.as_str()));
        }
        fields
    }

    /// Reads an event back: what was decided, and of which phase; `None` for an event of another kind.
    pub fn read(kind: &str, detail: &Map<String, Value>) -> Option<Result<(Self, u32), Unreadable>> {
        let ending = match kind {
            "notice.exempt" => Ok(Self::Exempt),
            "notice.withdrawn" => {
                let how = detail.get("ground").and_then(Value::as_str).and_then(|word| word.parse().ok());
                how.map(Self::Told).ok_or(Unreadable::Field)
            }
            _ => return None,
        };
        let phase = detail.get("phase").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        Some(ending.and_then(|ending| phase.map(|phase| (ending, phase)).ok_or(Unreadable::Field)))
    }
}

/// Whether a decision may end the notice; answers which messages are cancelled with it: those that have not left.
pub fn end(case: &Case, ending: Ending) -> Result<Vec<usize>, Hindrance> {
    if !case.notice.can_become(ending.state()) {
        return Err(Hindrance::Ended(case.notice));
    }
    for message in &case.messages {
        match message.state {
            MessageState::Ready => {}
            state if state.is_in_hand() => return Err(Hindrance::OnTheRoad(state)),
            state if message.awaits_news() => return Err(Hindrance::AwaitsNews(state)),
            _ => {}
        }
    }
    Ok((0..case.messages.len()).filter(|i| case.messages[*i].state == MessageState::Ready).collect())
}

/// The kind of the event that takes a decision back.
pub const REOPENED: &str = "notice.reopened";

/// Fields of `d` of that event, beside who decided.
pub fn reopened_fields(phase: i32, to: NoticeState) -> Map<String, Value> {
    Map::from_iter([("notice".to_owned(), json!(to.as_str())), ("phase".to_owned(), json!(phase))])
}

/// Reads that event back: how the notice stands then, and of which phase; `None` for an event of another kind.
pub fn read_reopened(kind: &str, detail: &Map<String, Value>) -> Option<Result<(NoticeState, u32), Unreadable>> {
    let to = detail.get("notice").and_then(Value::as_str).and_then(|word| word.parse().ok());
    let phase = detail.get("phase").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    (kind == REOPENED).then(|| to.zip(phase).ok_or(Unreadable::Field))
}

/// How a notice stands once the decision about it is taken back, and which of its messages wait again, in this order;
/// `None`: nobody decided about it.
pub fn reopen(case: &Case) -> Option<(NoticeState, Vec<usize>)> {
    if !case.notice.is_decided() {
        return None;
    }
    // No message could be made, so none says how it stands: it was open, for somebody to do by hand, and is so again.
    if case.messages.is_empty() {
        return Some((NoticeState::Open, Vec::new()));
    }
    let mut after = Case { notice: NoticeState::Open, ..case.clone() };
    let mut again = Vec::new();
    // First what began the route: a step after it is due only where that one had failed before the decision.
    let (first, later): (Vec<usize>, Vec<usize>) =
        (0..case.messages.len()).partition(|i| case.messages.get(*i).is_some_and(|m| m.reason != Reason::Escalation));
    for i in first.into_iter().chain(later) {
        let is_due = escalation_is_due(&after, i);
        if let Some(message) = after.messages.get_mut(i).filter(|m| is_due && m.state == MessageState::Cancelled) {
            message.state = MessageState::Ready;
            again.push(i);
        }
    }
    // Who can end the notice comes first, so that no step in between finds it without hope.
    again.sort_by_key(|i| case.messages.get(*i).is_none_or(|message| message.closes_at.is_none()));
    Some((standing(&after, false), again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::{Channel, Route};
    use crate::model::step::{Answer, Cause, Decision, Effect, Limit, Message, Step, escalation_is_due, step};

    fn case(notice: NoticeState, state: MessageState) -> Case {
        let text = Message {
            channel: Channel::Sms,
            reason: Reason::First,
            state,
            attempt: 1,
            fresh: 1,
            closes_at: Some(MessageState::DeliveredToHandset),
        };
        Case { notice, route: Route::SmsThenLetter, messages: vec![text] }
    }

    const ENDINGS: [Ending; 2] = [Ending::Exempt, Ending::Told(TellsOtherwise::ByPhone)];

    #[test]
    fn nobody_is_called_ended_while_a_message_of_theirs_may_be_leaving_or_news_is_due() {
        use MessageState::*;
        for ending in ENDINGS {
            for &state in MessageState::ALL {
                // Posted counts as open here, because by this table delivery alone ends the notice.
                let is_open = matches!(state, Sending | Unknown | Asked | Accepted | Sent | Printed | HandedToCarrier);
                for notice in [NoticeState::Open, NoticeState::Unreachable] {
                    assert_eq!(end(&case(notice, state), ending).is_err(), is_open, "{state}");
                }
                for notice in [NoticeState::Notified, NoticeState::Exempt, NoticeState::Withdrawn] {
                    assert_eq!(end(&case(notice, state), ending), Err(Hindrance::Ended(notice)));
                }
            }
            assert_eq!(end(&case(NoticeState::Open, Ready), ending), Ok(vec![0]), "what waits is cancelled");
        }
    }

    #[test]
    fn whatever_becomes_known_of_somebody_who_was_ended_nothing_more_is_sent() {
        let mut causes = vec![
            Cause::Claimed { is_repeat: false },
            Cause::Claimed { is_repeat: true },
            Cause::Absent { attempt: 1 },
            Cause::NextStep,
            Cause::Decided(Decision::SendAgain),
            Cause::NoNews,
            Cause::GaveUp(Limit::Deadline),
            Cause::Reopened,
            Cause::Answered { attempt: 1, answer: Answer::NotTaken, other_id: false },
        ];
        causes.extend(MessageState::ALL.iter().map(|&report| Cause::Reported { report, other_id: false }));
        for ending in ENDINGS {
            for &state in MessageState::ALL {
                for &cause in &causes {
                    let case = case(ending.state(), state);
                    let Step { message, notice, effects, .. } = step(&case, 0, cause);
                    assert_ne!(message, Some(MessageState::Sending), "{state}: {cause:?}");
                    assert_eq!(notice, None, "{state}: {cause:?}");
                    assert!(!effects.iter().any(|e| matches!(e, Effect::Create(_) | Effect::Reopen(_))), "{state}: {cause:?}");
                    let is_taken_back = effects.contains(&Effect::Cancel(0));
                    assert_eq!(message == Some(MessageState::Ready), is_taken_back, "{state}: {cause:?}");
                    assert!(!escalation_is_due(&case, 0));
                }
            }
        }
    }

    /// Ends it, cancels what waits, takes it back, and lets wait again what does.
    fn ended_and_taken_back(mut case: Case) -> Case {
        for i in end(&case, Ending::Exempt).unwrap_or_default() {
            case.messages[i].state = MessageState::Cancelled;
        }
        case.notice = NoticeState::Exempt;
        let (to, again) = reopen(&case).unwrap_or((NoticeState::Exempt, Vec::new()));
        case.notice = to;
        for i in again {
            let Step { message, notice, effects, .. } = step(&case, i, Cause::Reopened);
            assert_eq!((message, notice), (Some(MessageState::Ready), None), "{case:?}");
            assert!(effects.is_empty(), "{effects:?}");
            case.messages[i].state = MessageState::Ready;
        }
        case
    }

    #[test]
    fn a_decision_that_is_taken_back_leaves_everything_as_it_was_before() {
        let letter = |reason, state| Message {
            channel: Channel::Letter,
            reason,
            state,
            attempt: 0,
            fresh: 0,
            closes_at: Some(MessageState::HandedToCarrier),
        };
        let alert = |state| Message { closes_at: None, ..case(NoticeState::Open, state).messages[0].clone() };
        let both = |text, state| Case {
            notice: NoticeState::Open,
            route: Route::SmsAndLetter,
            messages: vec![alert(text), letter(Reason::First, state)],
        };
        let then = |text, state| Case {
            messages: vec![alert(text), letter(Reason::Escalation, state)],
            ..case(NoticeState::Open, text)
        };
        for before in [
            case(NoticeState::Open, MessageState::Ready),
            Case { messages: Vec::new(), ..case(NoticeState::Open, MessageState::Ready) },
            both(MessageState::Ready, MessageState::Ready),
            both(MessageState::DeliveredToHandset, MessageState::Ready),
            then(MessageState::Overdue, MessageState::Ready),
            then(MessageState::Rejected, MessageState::Ready),
            Case { notice: NoticeState::Unreachable, ..then(MessageState::Rejected, MessageState::Returned) },
        ] {
            assert_eq!(ended_and_taken_back(before.clone()), before);
        }
        // What was reported meanwhile counts.
        let late = Case { notice: NoticeState::Withdrawn, ..case(NoticeState::Open, MessageState::DeliveredToHandset) };
        assert_eq!(reopen(&late), Some((NoticeState::Notified, vec![])));
        assert_eq!(reopen(&case(NoticeState::Open, MessageState::Ready)), None);
        let fields = reopened_fields(1, NoticeState::Open);
        assert_eq!(read_reopened(REOPENED, &fields), Some(Ok((NoticeState::Open, 1))));
        assert_eq!(read_reopened("notice.exempt", &fields), None);
    }

    #[test]
    fn a_decision_reads_back_from_its_event() {
        for ending in TellsOtherwise::ALL.iter().map(|&how| Ending::Told(how)).chain([Ending::Exempt]) {
            assert_eq!(Ending::read(ending.kind(), &ending.fields(1)), Some(Ok((ending, 1))));
        }
        assert_eq!(Ending::read("notice.withdrawn", &Ending::Exempt.fields(1)), Some(Err(Unreadable::Field)));
        assert_eq!(Ending::read("message.asked", &Map::new()), None);
    }
}
