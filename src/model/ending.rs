//! A notice that somebody ends by a decision: no notice is owed, or the person was told in another way.
//!
//! It is final for sending, whatever becomes known later. It never ends a notice of which a message may be leaving.

use super::cause::Unreadable;
use super::state::{MessageState, NoticeState, TellsOtherwise};
use super::step::Case;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::{Channel, Reason, Route};
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

    #[test]
    fn a_decision_reads_back_from_its_event() {
        for ending in TellsOtherwise::ALL.iter().map(|&how| Ending::Told(how)).chain([Ending::Exempt]) {
            assert_eq!(Ending::read(ending.kind(), &ending.fields(1)), Some(Ok((ending, 1))));
        }
        assert_eq!(Ending::read("notice.withdrawn", &Ending::Exempt.fields(1)), Some(Err(Unreadable::Field)));
        assert_eq!(Ending::read("message.asked", &Map::new()), None);
    }
}
