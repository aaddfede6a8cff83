//! How a person is shown: one word, derived from facts by one function.

use super::state::{Channel, MessageState, NoticeState, Route};
use uuid::Uuid;

/// The only name of a person in logs, addresses and evidence: `p_` and the 32 digits of their id.
pub fn printed_id(person_id: Uuid) -> String {
    format!("p_{}", person_id.simple())
}

/// The words of every summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShownState {
    /// Nothing sent yet.
    Waiting,
    /// Sent, not ended.
    UnderWay,
    /// Somebody must decide.
    NeedsDecision,
    /// A hold covers the person.
    Held,
    /// Told, as the profile counts it.
    Notified,
    /// A substitute or public notice is due.
    Unreachable,
    /// No notice is owed.
    Exempt,
    /// Told in another way.
    Withdrawn,
}

impl ShownState {
    /// Every word, in the order of summaries.
    pub const ALL: &[Self] = &[
        Self::Notified,
        Self::UnderWay,
        Self::Waiting,
        Self::NeedsDecision,
        Self::Held,
        Self::Unreachable,
        Self::Exempt,
        Self::Withdrawn,
    ];

    /// The key used in summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "under_way",
            Self::NeedsDecision => "needs_decision",
            Self::Held => "held",
            Self::Notified => "notified",
            Self::Unreachable => "unreachable",
            Self::Exempt => "exempt",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What is known of a person's notice and messages.
#[derive(Debug, Clone)]
pub struct Facts {
    /// State of the notice; `Open` where there is none yet.
    pub notice: NoticeState,
    /// Route of the notice; `None` where there is none yet.
    pub route: Option<Route>,
    /// Its messages: channel and state.
    pub messages: Vec<(Channel, MessageState)>,
    /// No message could be prepared, or one cannot leave as it is.
    pub has_problem: bool,
    /// A call was claimed at some time.
    pub was_sent: bool,
    /// A hold covers the person.
    pub is_held: bool,
}

/// The one function that turns facts into the word shown.
pub fn shown_state(facts: &Facts) -> ShownState {
    match facts.notice {
        NoticeState::Notified => ShownState::Notified,
        NoticeState::Unreachable => ShownState::Unreachable,
        NoticeState::Exempt => ShownState::Exempt,
        NoticeState::Withdrawn => ShownState::Withdrawn,
        NoticeState::Open if facts.is_held => ShownState::Held,
        NoticeState::Open if needs_decision(facts) => ShownState::NeedsDecision,
        NoticeState::Open if facts.was_sent => ShownState::UnderWay,
        NoticeState::Open => ShownState::Waiting,
    }
}

/// Nothing happens by itself any more: no message could be made, a question is open, or the last step of the route
/// is overdue and nothing else that could tell the person is on its way.
fn needs_decision(facts: &Facts) -> bool {
    let is_asked = facts.messages.iter().any(|(_, state)| *state == MessageState::Asked);
    facts.has_problem || is_asked || facts.route.is_some_and(|route| is_stuck(route, &facts.messages))
}

fn is_stuck(route: Route, messages: &[(Channel, MessageState)]) -> bool {
    let is_last = |channel: Channel| route.next_after(channel).is_none();
    let has_hope = |(channel, state): &(Channel, MessageState)| {
        let only_alerts = route == Route::SmsAndLetter && *channel == Channel::Sms;
        !only_alerts && !state.is_dead() && *state != MessageState::Overdue
    };
    messages.iter().any(|(channel, state)| *state == MessageState::Overdue && is_last(*channel)) && !messages.iter().any(has_hope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageState::{Accepted, Asked, Failed, HandedToCarrier, Overdue, Ready};

    fn shown(route: Route, messages: &[(Channel, MessageState)]) -> ShownState {
        let notice = NoticeState::Open;
        shown_state(&Facts {
            notice,
            route: Some(route),
            messages: messages.to_vec(),
            has_problem: false,
            was_sent: true,
            is_held: false,
        })
    }

    #[test]
    fn an_overdue_message_needs_a_decision_only_when_no_step_is_left() {
        let (sms, letter) = (Channel::Sms, Channel::Letter);

        assert_eq!(shown(Route::Letter, &[(letter, Overdue)]), ShownState::NeedsDecision);
        assert_eq!(shown(Route::SmsThenLetter, &[(sms, Overdue), (letter, Ready)]), ShownState::UnderWay);
        assert_eq!(shown(Route::SmsThenLetter, &[(sms, Overdue), (letter, Overdue)]), ShownState::NeedsDecision);
        assert_eq!(shown(Route::SmsThenLetter, &[(sms, Failed), (letter, Overdue)]), ShownState::NeedsDecision);
        assert_eq!(shown(Route::SmsThenLetter, &[(sms, Accepted), (letter, Overdue)]), ShownState::UnderWay);
        assert_eq!(shown(Route::SmsAndLetter, &[(sms, Overdue), (letter, HandedToCarrier)]), ShownState::UnderWay);
        assert_eq!(shown(Route::SmsAndLetter, &[(sms, Accepted), (letter, Overdue)]), ShownState::NeedsDecision);
        assert_eq!(shown(Route::Letter, &[(letter, Asked)]), ShownState::NeedsDecision);
    }
}
