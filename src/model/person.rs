//! How a person is shown: one word, derived from facts by one function.

use super::state::NoticeState;

/// The words of every summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The law does not require it.
    Exempt,
    /// Taken back.
    Withdrawn,
}

impl ShownState {
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
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// State of the notice; `Open` where there is none yet.
    pub notice: NoticeState,
    /// A message waits for a decision, or none could be prepared.
    pub needs_decision: bool,
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
        NoticeState::Open if facts.needs_decision => ShownState::NeedsDecision,
        NoticeState::Open if facts.was_sent => ShownState::UnderWay,
        NoticeState::Open => ShownState::Waiting,
    }
}
