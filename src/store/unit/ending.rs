//! Somebody's decision ends a notice, and with it whatever of it has not left.

use super::{Note, Pending, Unit};
use crate::model::ending::{Ending, Hindrance, REOPENED, end, reopen, reopened_fields};
use crate::model::person::printed_id;
use crate::model::state::{MessageState, NoticeState};
use crate::model::step::Cause;
use crate::store::plan::lock_people;
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

/// Why a decision was not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReopened {
    /// No plan covers them in this phase.
    NoNotice,
    /// Nobody decided about it: it stands so.
    NotDecided(NoticeState),
    /// The person's key is destroyed: nothing of theirs can be sent again.
    Erased,
    /// The notice is of this plan, which was withdrawn, and a message of it may have left all the same.
    PlanWithdrawn(i32),
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
            return Err(StoreError::missing("person of this incident", &printed_id(person_id)));
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

/// What became of a notice about which a decision was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reopened {
    /// How it stands.
    pub notice: NoticeState,
    /// The plan that was withdrawn meanwhile and let the person go: another one may take them.
    pub let_go: Option<i32>,
}

impl Store {
    /// Takes back the decision that ended a person's notice; what it had cancelled waits again. Whose plan was withdrawn
    /// is in no plan then.
    pub async fn reopen_notice(
        &self,
        incident: IncidentKey,
        (person_id, phase): (Uuid, i32),
        by: Decider,
    ) -> Result<Result<Reopened, NotReopened>, StoreError> {
        let mut tx = self.pool.begin().await?;
        // Not while a plan is made: it has counted the people whom no plan covers.
        lock_people(&mut tx, incident).await?;
        let mut unit = self.unit_in(tx, incident, &[person_id], Wait::Wait).await?;
        let Reopening { from, to, again, let_go } = match unit.may_reopen(person_id, phase).await? {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let mut detail = reopened_fields(phase, to);
        detail.insert("command".to_owned(), json!(by.command_id.to_string()));
        detail.insert("user".to_owned(), json!(by.user_id.to_string()));
        let pending = unit.event(Some(person_id), REOPENED, detail)?;
        let pending = unit.ending(pending, (Some(person_id), phase), (from, to));
        unit.pending.push(pending);
        for message_id in again {
            unit.apply(message_id, Cause::Reopened, Note::default())?;
        }
        // If we die before this the decision stands; after it whoever is owed a message is sent one as before.
        unit.commit().await?;
        Ok(Ok(Reopened { notice: to, let_go }))
    }

    /// Whether a decision could be taken back at this moment.
    pub async fn check_reopening(
        &self,
        incident: IncidentKey,
        (person_id, phase): (Uuid, i32),
    ) -> Result<Result<(), NotReopened>, StoreError> {
        let mut unit = self.unit(incident, &[person_id], Wait::Wait).await?;
        Ok(unit.may_reopen(person_id, phase).await?.map(|_| ()))
    }
}

/// What taking a decision back does: states before and after, messages that wait again, and who lets the person go.
pub(super) struct Reopening {
    from: NoticeState,
    to: NoticeState,
    again: Vec<Uuid>,
    let_go: Option<i32>,
}

impl Unit {
    /// What taking back the decision would do.
    pub(super) async fn may_reopen(&mut self, person_id: Uuid, phase: i32) -> Result<Result<Reopening, NotReopened>, StoreError> {
        let Some(person) = self.people.get(&person_id) else {
            return Err(StoreError::missing("person of this incident", &printed_id(person_id)));
        };
        let is_erased = person.is_erased;
        let Some((case, ids)) = self.notice_case(person_id, phase) else { return Ok(Err(NotReopened::NoNotice)) };
        let Some((to, again)) = reopen(&case) else { return Ok(Err(NotReopened::NotDecided(case.notice))) };
        if is_erased {
            return Ok(Err(NotReopened::Erased));
        }
        // The withdrawal let go whom nobody had decided about, and the database does so now with this notice. What may have
        // left (the database came back older once) keeps it where it is.
        let let_go = self.withdrawn_plan(person_id, phase).await?;
        let is_unsent = case.messages.iter().all(|m| m.state == MessageState::Cancelled && m.attempt == 0);
        if let Some(plan_no) = let_go.filter(|_| !is_unsent) {
            return Ok(Err(NotReopened::PlanWithdrawn(plan_no)));
        }
        let again = again.into_iter().filter_map(|i| ids.get(i).copied()).collect();
        Ok(Ok(Reopening { from: case.notice, to, again, let_go }))
    }

    /// The notice's plan, if it was withdrawn: it carries no message any more.
    async fn withdrawn_plan(&mut self, person_id: Uuid, phase: i32) -> Result<Option<i32>, StoreError> {
        let plan_no = self.notices.get(&(person_id, phase)).map_or(0, |notice| notice.plan_no);
        let state = sqlx::query_scalar!(
            "select state from plan where controller_id = $1 and incident_no = $2 and plan_no = $3",
            self.incident.controller_id,
            self.incident.incident_no,
            plan_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok((state == "withdrawn").then_some(plan_no))
    }

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
