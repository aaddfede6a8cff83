//! Events that a restored database forgot come back from the published log, with their bytes as they are.

use super::{MessageRow, Pending, StoreError, Unit};
use crate::model::cause::{read_attempt, speaks_of_a_message};
use crate::model::ending::{Ending, read_reopened, reopen};
use crate::model::replay::{read_key, read_state};
use crate::model::step::{Case, Cause, Effect, Step, step};
use duly_ledger::{Event, leaf_hash};
use std::borrow::Cow;
use uuid::Uuid;

impl Unit {
    /// Takes the next published event of a person. It moves what it tells where `step` allows that here; where it does
    /// not (the message's plan is forgotten too) it stands in the chain and moves nothing.
    pub(crate) fn bring_back(&mut self, event: &Event, body: &[u8], restored_id: Uuid) -> Result<(), StoreError> {
        let person_id = event.person.map(Uuid::from_bytes);
        let n = event.n.and_then(|n| i64::try_from(n).ok());
        let leaf = leaf_hash(body);
        if let Some(head) = person_id.and_then(|id| self.people.get_mut(&id)) {
            if n != Some(head.last_n + 1) || event.prev != head.last_leaf {
                return Err(StoreError::Forbidden {
                    what: "this database has written events of people of whom the published log tells others",
                    remedy: "restore the backup once more, and run `duly restore reconcile` before anything else",
                });
            }
            head.last_n += 1;
            head.last_leaf = Some(leaf);
        }
        let plain = Pending::plain(person_id, n, Cow::Owned(event.kind.clone()), (body.to_vec(), leaf));
        let mut pending = Pending { restored_id: Some(restored_id), ..plain };
        if let Some(Ok((ending, phase))) = Ending::read(&event.kind, &event.detail) {
            // The cancellations that follow it have events of their own, which come next.
            if let Some((phase, from)) = person_id.and_then(|id| self.may_end(id, i32::try_from(phase).ok()?, ending).ok()) {
                pending = self.ending(pending, (person_id, phase), (from, ending.state()));
            }
        }
        if let Some(Ok((to, phase))) = read_reopened(&event.kind, &event.detail) {
            // So do the messages that wait again with a decision that was taken back.
            let phase = i32::try_from(phase).unwrap_or_default();
            let case = person_id.and_then(|id| self.notice_case(id, phase)).map(|(case, _)| case);
            let may = |case: &Case| reopen(case).is_some_and(|(stands, _)| stands == to);
            if let Some(from) = case.filter(may).map(|case| case.notice) {
                pending = self.ending(pending, (person_id, phase), (from, to));
            }
        }
        if let Some((row, cause, decided)) = self.retrace(event) {
            pending = self.moving(pending, &row, (cause, &decided), None);
            self.pending.push(pending);
            self.settle(row.message_id, cause, &decided, cause.attempt(row.model.attempt));
            return self.follow(row.message_id, &decided);
        }
        self.pending.push(pending);
        Ok(())
    }

    /// What the event decided, if it can be decided here in the same way.
    fn retrace(&self, event: &Event) -> Option<(MessageRow, Cause, Step)> {
        if !speaks_of_a_message(&event.kind) {
            return None;
        }
        let person_id = Uuid::from_bytes(event.person?);
        let (cause, key) = (Cause::read(&event.kind, &event.detail).ok()?, read_key(&event.detail).ok()?);
        let is_it = |m: &&MessageRow| {
            m.person_id == person_id
                && u32::try_from(m.phase) == Ok(key.phase)
                && u32::try_from(m.ordinal) == Ok(key.ordinal)
                && (m.model.channel, m.model.reason) == (key.channel, key.reason)
        };
        let row = self.messages.values().find(is_it)?.clone();
        let (case, index, _) = self.case(row.message_id)?;
        let decided = step(&case, index, cause);
        let same = read_attempt(&event.detail) == Ok(cause.attempt(row.model.attempt))
            && read_state(&event.detail, "to") == Ok(decided.message)
            && read_state(&event.detail, "notice") == Ok(decided.notice)
            && (decided.message.is_some() || cause.is_fact())
            && event.kind == cause.kind(decided.message.is_some());
        same.then_some((row, cause, decided))
    }

    /// Rows that follow. A message that is cancelled or reopened with it has an event of its own, which comes next.
    fn follow(&mut self, message_id: Uuid, decided: &Step) -> Result<(), StoreError> {
        for effect in &decided.effects {
            match *effect {
                Effect::Create(channel) => self.create(message_id, channel)?,
                Effect::Reopen(_) | Effect::Cancel(_) => {}
                Effect::PossibleDuplicate => self.alarms.push((message_id, "possible_duplicate")),
                Effect::Misfit(misfit) => {
                    let attempt = self.messages.get(&message_id).map_or(0, |m| m.model.attempt);
                    self.misfits.push((message_id, i32::try_from(attempt).unwrap_or(i32::MAX), misfit));
                }
            }
        }
        Ok(())
    }
}
