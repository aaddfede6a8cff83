//! What a person's chain tells of a notice that a withdrawn plan let go. The plan had never gone, so there are decisions, what
//! they cancelled, and their taking back, and nothing that left.

use super::chains::EventRow;
use crate::model::cause::{read_attempt, speaks_of_a_message};
use crate::model::ending::{Ending, read_reopened};
use crate::model::replay::{MessageKey, read_key};
use crate::model::state::NoticeState;
use duly_ledger::Event;
use std::collections::BTreeSet;

/// Such a notice, as its events so far leave it.
pub(super) struct LetGo {
    notice: NoticeState,
    cancelled: BTreeSet<MessageKey>,
}

impl Default for LetGo {
    fn default() -> Self {
        Self { notice: NoticeState::Open, cancelled: BTreeSet::new() }
    }
}

impl LetGo {
    /// The phase of the notice that an event is about; `None` for an event about none.
    pub fn phase(event: &Event) -> Option<u32> {
        let phase = event.detail.get("phase")?.as_u64().and_then(|phase| u32::try_from(phase).ok())?;
        let is_decision =
            Ending::read(&event.kind, &event.detail).is_some() || read_reopened(&event.kind, &event.detail).is_some();
        (is_decision || speaks_of_a_message(&event.kind)).then_some(phase)
    }

    /// Takes the next event; `false`: nothing of the kind may stand here, or its row moved something else.
    pub fn take(&mut self, row: &EventRow, event: &Event) -> bool {
        let moved = |pair: &Option<(String, String)>, from: &str, to: &str| {
            pair.as_ref().is_some_and(|(before, after)| before == from && after == to)
        };
        if let Some(Ok((ending, _))) = Ending::read(&event.kind, &event.detail) {
            let is_fit = self.notice == NoticeState::Open && moved(&row.notice, "open", ending.state().as_str());
            self.notice = ending.state();
            return is_fit && row.message_id.is_none();
        }
        if let Some(Ok((to, _))) = read_reopened(&event.kind, &event.detail) {
            let is_fit = self.notice.is_decided() && to == NoticeState::Open;
            let from = std::mem::replace(&mut self.notice, to);
            return is_fit && moved(&row.notice, from.as_str(), "open") && row.message_id.is_none();
        }
        let Ok(key) = read_key(&event.detail) else { return false };
        let is_told = |to: &str| event.detail.get("to").is_some_and(|word| word == to) && read_attempt(&event.detail) == Ok(0);
        let is_of_message = row.message_id.is_some() && row.notice.is_none();
        is_of_message
            && match event.kind.as_str() {
                "message.cancelled" => {
                    let is_fit = is_told("cancelled") && moved(&row.message, "ready", "cancelled");
                    is_fit && self.notice.is_decided() && self.cancelled.insert(key)
                }
                "message.reopened" => {
                    let is_fit = is_told("ready") && moved(&row.message, "cancelled", "ready");
                    is_fit && self.notice == NoticeState::Open && self.cancelled.remove(&key)
                }
                _ => false,
            }
    }

    /// Whether everything that was decided was taken back, with all that it had cancelled.
    pub fn is_settled(&self) -> bool {
        self.notice == NoticeState::Open && self.cancelled.is_empty()
    }
}
