//! Taking messages back that their provider holds and has not let go. What is not confirmed is not taken back: a lost
//! answer is unknown, and the message counts as it did until its provider says more.

use super::pace::Paces;
use crate::model::state::MessageState;
use crate::model::step::{Cause, Recall};
use crate::provider::{Account, CancelOutcome, CancelWindow};
use crate::store::quarantine::Decider;
use crate::store::recall::Recallable;
use crate::store::unit::{IncidentKey, Note};
use crate::store::{Store, StoreError};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Requests at once.
const CONCURRENT: usize = 8;

/// What became of a message that somebody wanted back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recalled {
    /// Its provider says that it will not leave.
    Cancelled,
    /// It left, or is being made.
    TooLate,
    /// No answer that means anything: it may leave.
    Unknown,
    /// Its provider takes nothing back by request; it was not asked.
    Unsupported,
    /// No provider is known to hold it; nobody was asked.
    NotThere,
}

impl Recalled {
    /// The word on screens and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::TooLate => "too_late",
            Self::Unknown => "unknown",
            Self::Unsupported => "unsupported",
            Self::NotThere => "not_there",
        }
    }
}

/// What can be said without asking; `None`: its provider must be asked.
pub fn foresee(accounts: &BTreeMap<String, Arc<Account>>, message: &Recallable) -> Option<Recalled> {
    let is_held =
        matches!(message.state, MessageState::Accepted | MessageState::Sent | MessageState::Printed | MessageState::Overdue);
    let account = message.lane.as_ref().and_then(|lane| accounts.get(lane));
    match (account, &message.provider_id) {
        _ if message.state.is_report() && !is_held => Some(Recalled::TooLate),
        (Some(account), Some(_)) if is_held => match account.capabilities().cancel_within {
            None => Some(Recalled::Unsupported),
            // By its provider's own word; asked all the same it would say so.
            Some(CancelWindow::Stated(window)) if u64::try_from(message.age_seconds).unwrap_or(0) > window.as_secs() => {
                Some(Recalled::TooLate)
            }
            Some(_) => None,
        },
        _ => Some(Recalled::NotThere),
    }
}

/// Takes messages back, each asked for once, and says of each what became of it.
pub async fn recall(
    store: &Store,
    accounts: &BTreeMap<String, Arc<Account>>,
    incident: IncidentKey,
    messages: Vec<Recallable>,
    by: Decider,
) -> Result<Vec<(Recallable, Recalled)>, StoreError> {
    let paces = &Paces::of(accounts);
    futures::stream::iter(messages)
        .map(|message| async move {
            let recalled = match foresee(accounts, &message) {
                Some(known) => known,
                None => {
                    if let Some(lane) = &message.lane {
                        paces.ask(lane).await;
                    }
                    ask(store, accounts, incident, &message, by).await?
                }
            };
            Ok((message, recalled))
        })
        .buffered(CONCURRENT)
        .try_collect()
        .await
}

async fn ask(
    store: &Store,
    accounts: &BTreeMap<String, Arc<Account>>,
    incident: IncidentKey,
    message: &Recallable,
    by: Decider,
) -> Result<Recalled, StoreError> {
    let account = message.lane.as_ref().and_then(|lane| accounts.get(lane));
    let (Some(account), Some(id)) = (account, message.provider_id.as_deref()) else { return Ok(Recalled::NotThere) };
    // If we die between these two, the answer is unknown: the provider's own word will come by a receipt or when it is asked.
    store.apply_one(incident, message.person_id, message.message_id, Cause::RecallAsked, note(by)).await?;
    crate::failpoint::reach("recall_asked").await;
    let (answer, recalled) = match account.provider.cancel(id).await {
        CancelOutcome::Cancelled => (Recall::Cancelled, Recalled::Cancelled),
        CancelOutcome::TooLate | CancelOutcome::Unsupported => (Recall::TooLate, Recalled::TooLate),
        CancelOutcome::Unknown => (Recall::Unknown, Recalled::Unknown),
    };
    crate::failpoint::reach("recall_answered").await;
    store.apply_one(incident, message.person_id, message.message_id, Cause::Recalled(answer), note(by)).await?;
    Ok(recalled)
}

fn note(by: Decider) -> Note {
    let mut note = Note::default();
    for (name, id) in [("command", by.command_id), ("user", by.user_id)] {
        note.detail.insert(name.into(), json!(id.to_string()));
    }
    note
}
