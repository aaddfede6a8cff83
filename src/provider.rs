//! Providers: what is sent, what their answers mean, what they can tell afterwards.
//!
//! One request per attempt: no redirect is followed and nothing is retried inside; the scheduler decides.

pub mod guarded;
pub mod sandbox;

use crate::model::state::MessageState;
use crate::model::step::Answer;
use std::time::Duration;

/// How a call ended, in the provider-neutral words of the design.
#[derive(Debug, Clone)]
pub struct CallResult {
    /// What the answer means.
    pub answer: Answer,
    /// The provider's name for the message.
    pub provider_id: Option<String>,
    /// HTTP status or transport fact.
    pub code: String,
    /// When the provider asks to be tried again.
    pub retry_after: Option<Duration>,
    /// Whether nothing else on this lane will be taken either: bad credentials, no credit, a redirect.
    pub stops_lane: bool,
}

impl CallResult {
    /// A result without id.
    pub fn new(answer: Answer, code: impl Into<String>) -> Self {
        Self { answer, provider_id: None, code: code.into(), retry_after: None, stops_lane: false }
    }
}

/// What a look-up by reference or id tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// Known: ids, and the neutral status of the first where its word is known.
    Found(Vec<String>, Option<MessageState>),
    /// Not known at this moment.
    Absent,
    /// No answer that means anything.
    CannotKnow,
}

/// What a provider promises; scheduler and resolver read this and nothing else.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// A repeat under the same key is safe for this long after the first claim.
    pub idempotent_for: Option<Duration>,
    /// Messages can be found by reference, this long after they were made.
    pub lookup_lag: Option<Duration>,
}
