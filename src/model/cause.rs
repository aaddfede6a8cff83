//! What an event tells of a cause, and the cause that an event tells of: one place, so that what was written can be
//! replayed.

use super::state::{MessageState, Misfit};
use super::step::{Answer, Cause, Decision, Limit, Recall};
use serde_json::{Map, Value, json};

/// Why an event tells of no cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No kind of a message's event.
    #[error("the kind of an event is not known")]
    Kind,
    /// A field that the kind needs is missing, or of another kind.
    #[error("an event lacks a field that its kind needs")]
    Field,
}

/// Whether events of this kind tell what happened to a message.
pub fn speaks_of_a_message(kind: &str) -> bool {
    kind.starts_with("message.") || matches!(kind, "receipt" | "receipt.late")
}

impl Cause {
    /// The event's kind; `moves` is whether the message got a new state.
    pub fn kind(self, moves: bool) -> &'static str {
        match self {
            Self::Claimed { .. } => "message.intent",
            Self::Answered { answer: Answer::Accepted, .. } => "message.accepted",
            Self::Answered { answer: Answer::Rejected, .. } => "message.rejected",
            Self::Answered { answer: Answer::NotTaken, .. } => "message.not_taken",
            Self::Answered { answer: Answer::LaneStopped, .. } => "message.lane_stopped",
            Self::Answered { answer: Answer::Unknown, .. } | Self::LeaseExpired { .. } | Self::Restored => "message.unknown",
            Self::Found { .. } | Self::Absent { .. } | Self::NextStep => "message.resolved",
            Self::Ask => "message.asked",
            Self::Decided(_) => "message.decided",
            Self::Reported { .. } if moves => "receipt",
            Self::Reported { .. } => "receipt.late",
            Self::RecallAsked => "message.recall",
            Self::Recalled(_) => "message.recalled",
            Self::Shown => "message.shown",
            Self::NoNews => "message.overdue",
            Self::GaveUp(_) => "message.exhausted",
            Self::Unfit(_) => "message.unfit",
            Self::Cancelled => "message.cancelled",
            Self::Reopened => "message.reopened",
        }
    }

    /// The attempt that it speaks of, where the message's newest is `newest`.
    pub fn attempt(self, newest: u32) -> u32 {
        match self {
            Self::Claimed { .. } => newest.saturating_add(1),
            Self::Answered { attempt, .. } | Self::LeaseExpired { attempt } | Self::Absent { attempt } => attempt,
            _ => newest,
        }
    }

    /// Whether it is worth an event even where it moves nothing: somebody outside said so, or somebody must act.
    pub fn is_fact(self) -> bool {
        matches!(
            self,
            Self::Answered { .. }
                | Self::Found { .. }
                | Self::Reported { .. }
                | Self::RecallAsked
                | Self::Recalled(_)
                | Self::Shown
                | Self::Unfit(_)
        )
    }

    /// Fields of `d` that tell it from other causes of its kind, beside `attempt`.
    pub fn fields(self) -> Map<String, Value> {
        let own = match self {
            Self::Claimed { is_repeat } => Some(("repeat", json!(is_repeat))),
            Self::Answered { answer: Answer::Unknown, .. } => Some(("ground", json!("answer"))),
            Self::LeaseExpired { .. } => Some(("ground", json!("lease"))),
            Self::Restored => Some(("ground", json!("restored"))),
            Self::Found { .. } => Some(("ground", json!("found"))),
            Self::Absent { .. } => Some(("ground", json!("absent"))),
            Self::NextStep => Some(("ground", json!("rule"))),
            Self::Decided(Decision::SendAgain) => Some(("ground", json!("send_again"))),
            Self::Decided(Decision::NextStep) => Some(("ground", json!("next_step"))),
            Self::Reported { report, .. } => Some(("status", json!(report.as_str()))),
            Self::Recalled(Recall::Cancelled) => Some(("ground", json!("cancelled"))),
            Self::Recalled(Recall::TooLate) => Some(("ground", json!("too_late"))),
            Self::Recalled(Recall::Unknown) => Some(("ground", json!("unknown"))),
            Self::GaveUp(Limit::Deadline) => Some(("ground", json!("deadline"))),
            Self::GaveUp(Limit::Attempts { .. }) => Some(("ground", json!("attempts"))),
            Self::Unfit(misfit) => Some(("ground", json!(misfit.as_str()))),
            _ => None,
        };
        let counted = match self {
            Self::GaveUp(Limit::Attempts { tries, limit }) => vec![("tries", json!(tries)), ("limit", json!(limit))],
            _ => Vec::new(),
        };
        let other_id = self.names_another_id().then_some(("other_id", Value::Bool(true)));
        own.into_iter().chain(counted).chain(other_id).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn names_another_id(self) -> bool {
        matches!(
            self,
            Self::Answered { other_id: true, .. } | Self::Found { other_id: true } | Self::Reported { other_id: true, .. }
        )
    }

    /// Reads an event of a message back.
    pub fn read(kind: &str, detail: &Map<String, Value>) -> Result<Self, Unreadable> {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).ok_or(Unreadable::Field);
        let attempt = read_attempt(detail)?;
        let other_id = detail.contains_key("other_id");
        let answered = |answer| Ok(Self::Answered { attempt, answer, other_id });
        match kind {
            "message.intent" => {
                let is_repeat = detail.get("repeat").and_then(Value::as_bool).ok_or(Unreadable::Field)?;
                Ok(Self::Claimed { is_repeat })
            }
            "message.accepted" => answered(Answer::Accepted),
            "message.rejected" => answered(Answer::Rejected),
            "message.not_taken" => answered(Answer::NotTaken),
            "message.lane_stopped" => answered(Answer::LaneStopped),
            "message.unknown" if text("ground")? == "lease" => Ok(Self::LeaseExpired { attempt }),
            "message.unknown" if text("ground")? == "restored" => Ok(Self::Restored),
            "message.unknown" => answered(Answer::Unknown),
            "message.resolved" => match text("ground")? {
                "found" => Ok(Self::Found { other_id }),
                "absent" => Ok(Self::Absent { attempt }),
                "rule" => Ok(Self::NextStep),
                _ => Err(Unreadable::Field),
            },
            "message.asked" => Ok(Self::Ask),
            "message.decided" => match text("ground")? {
                "send_again" => Ok(Self::Decided(Decision::SendAgain)),
                "next_step" => Ok(Self::Decided(Decision::NextStep)),
                _ => Err(Unreadable::Field),
            },
            "receipt" | "receipt.late" => {
                let report: MessageState = text("status")?.parse().map_err(|_| Unreadable::Field)?;
                Ok(Self::Reported { report, other_id })
            }
            "message.recall" => Ok(Self::RecallAsked),
            "message.recalled" => match text("ground")? {
                "cancelled" => Ok(Self::Recalled(Recall::Cancelled)),
                "too_late" => Ok(Self::Recalled(Recall::TooLate)),
                "unknown" => Ok(Self::Recalled(Recall::Unknown)),
                _ => Err(Unreadable::Field),
            },
            "message.shown" => Ok(Self::Shown),
            "message.overdue" => Ok(Self::NoNews),
            "message.exhausted" => match text("ground")? {
                "deadline" => Ok(Self::GaveUp(Limit::Deadline)),
                "attempts" => {
                    let (tries, limit) = (read_count(detail, "tries")?, read_count(detail, "limit")?);
                    Ok(Self::GaveUp(Limit::Attempts { tries, limit }))
                }
                _ => Err(Unreadable::Field),
            },
            "message.unfit" => Ok(Self::Unfit(text("ground")?.parse::<Misfit>().map_err(|_| Unreadable::Field)?)),
            "message.cancelled" => Ok(Self::Cancelled),
            "message.reopened" => Ok(Self::Reopened),
            _ => Err(Unreadable::Kind),
        }
    }
}

/// The number of the attempt in `d`.
pub fn read_attempt(detail: &Map<String, Value>) -> Result<u32, Unreadable> {
    read_count(detail, "attempt")
}

fn read_count(detail: &Map<String, Value>, name: &str) -> Result<u32, Unreadable> {
    detail.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or(Unreadable::Field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_cause() -> Vec<Cause> {
        let mut causes = vec![
            Cause::LeaseExpired { attempt: 3 },
            Cause::Absent { attempt: 3 },
            Cause::Restored,
            Cause::Ask,
            Cause::NextStep,
            Cause::Decided(Decision::SendAgain),
            Cause::Decided(Decision::NextStep),
            Cause::RecallAsked,
            Cause::Recalled(Recall::Cancelled),
            Cause::Recalled(Recall::TooLate),
            Cause::Recalled(Recall::Unknown),
            Cause::Shown,
            Cause::NoNews,
            Cause::GaveUp(Limit::Deadline),
            Cause::GaveUp(Limit::Attempts { tries: 5, limit: 4 }),
            Cause::Cancelled,
            Cause::Reopened,
        ];
        causes.extend(Misfit::ALL.iter().map(|&misfit| Cause::Unfit(misfit)));
        for flag in [false, true] {
            causes.extend([Cause::Claimed { is_repeat: flag }, Cause::Found { other_id: flag }]);
            for answer in [Answer::Accepted, Answer::Rejected, Answer::NotTaken, Answer::LaneStopped, Answer::Unknown] {
                causes.push(Cause::Answered { attempt: 3, answer, other_id: flag });
            }
            for &report in MessageState::ALL {
                causes.push(Cause::Reported { report, other_id: flag });
            }
        }
        causes
    }

    #[test]
    fn every_cause_reads_back_from_its_event() {
        for cause in every_cause() {
            for moves in [false, true] {
                let mut detail = cause.fields();
                detail.insert("attempt".into(), json!(cause.attempt(3)));
                assert!(speaks_of_a_message(cause.kind(moves)));
                assert_eq!(Cause::read(cause.kind(moves), &detail), Ok(cause));
            }
        }
    }

    #[test]
    fn an_event_of_another_kind_or_without_its_fields_tells_of_no_cause() {
        let detail = Map::from_iter([("attempt".to_owned(), json!(1))]);
        assert_eq!(Cause::read("plan.started", &detail), Err(Unreadable::Kind));
        assert_eq!(Cause::read("message.resolved", &detail), Err(Unreadable::Field));
        assert_eq!(Cause::read("message.asked", &Map::new()), Err(Unreadable::Field));
    }
}
