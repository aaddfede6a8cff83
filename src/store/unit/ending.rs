//! Somebody's decision ends a notice, and with it whatever of it has not left.

use super::{Note, Pending, Unit};
use crate::model::ending::{Ending, Hindrance, end};
use crate::model::state::NoticeState;
use crate::model::step::Cause;
use crate::store::quarantine::Decider;
use crate::store::unit::{IncidentKey, Wait};
use crate::store::{Store, StoreError};
use serde_json::json;
use uuid::Uuid;

/// Why somebody's notice was not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotEnded {
    /// No plan covers them in this phase.
    NoNotice,
    /// Something of it stands in the way.
    Hindered(Hindrance),
}

impl Store {
    /// Ends a person's notice by a decision, under the person's lock: a claim is committed before and refuses it, or sees it.
    pub async fn end_notice(
        &self,
        incident: IncidentKey,
        (person_id, phase): (Uuid, i32),
        ending: Ending,
        by: Decider,
    ) -> Result<Result<(), NotEnded>, StoreError> {
        let mut unit = self.unit(incident, &[person_id], Wait::Wait).await?;
        if !unit.people.contains_key(&person_id) {
            return Err(StoreError::missing("person of this incident", &format!("p_{}", person_id.simple())));
        }
        let from = match unit.may_end(person_id, phase, ending) {
            Ok((_, from)) => from,
            Err(hindered) => return Ok(Err(hindered)),
        };
        let mut detail = ending.fields(phase);
        detail.insert("command".to_owned(), json!(by.command_id.to_string()));
        detail.insert("user".to_owned(), json!(by.user_id.to_string()));
        let waiting = unit.waiting(person_id, phase, ending);
        let pending = unit.event(Some(person_id), ending.kind(), detail)?;
        let pending = unit.ending(pending, (Some(person_id), phase), (from, ending.state()));
        unit.pending.push(pending);
        for message_id in waiting {
            unit.apply(message_id, Cause::Cancelled, Note::default())?;
        }
        // If we die before this everything is as before; after it nothing of the notice can be claimed.
        unit.commit().await?;
        Ok(Ok(()))
    }

    /// Whether a person's notice could be ended by a decision at this moment.
    pub async fn check_ending(
        &self,
        incident: IncidentKey,
        (person_id, phase): (Uuid, i32),
        ending: Ending,
    ) -> Result<Result<(), NotEnded>, StoreError> {
        let unit = self.unit(incident, &[person_id], Wait::Wait).await?;
        Ok(unit.may_end(person_id, phase, ending).map(|_| ()))
    }
}

impl Unit {
    /// The phase and the present state of a notice that the decision may end.
    pub(super) fn may_end(&self, person_id: Uuid, phase: i32, ending: Ending) -> Result<(i32, NoticeState), NotEnded> {
        let (case, _) = self.notice_case(person_id, phase).ok_or(NotEnded::NoNotice)?;
        end(&case, ending).map(|_| (phase, case.notice)).map_err(NotEnded::Hindered)
    }

    /// Messages that are cancelled with it.
    fn waiting(&self, person_id: Uuid, phase: i32, ending: Ending) -> Vec<Uuid> {
        let Some((case, ids)) = self.notice_case(person_id, phase) else { return Vec::new() };
        end(&case, ending).unwrap_or_default().into_iter().filter_map(|i| ids.get(i).copied()).collect()
    }

    /// The event with the notice's move; what this unit has read keeps in step.
    pub(super) fn ending(
        &mut self,
        pending: Pending,
        (person_id, phase): (Option<Uuid>, i32),
        (from, to): (NoticeState, NoticeState),
    ) -> Pending {
        if let Some(notice) = person_id.and_then(|id| self.notices.get_mut(&(id, phase))) {
            notice.state = to;
        }
        Pending { phase: Some(phase), notice: Some((from, to)), ..pending }
    }
}
