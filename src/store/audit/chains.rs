//! One person's chain: bytes, order, moves, and what the tables say in the end.

use super::Finding;
use super::let_go::LetGo;
use super::people::Stored;
use crate::model::cause::speaks_of_a_message;
use crate::model::ending::{Ending, read_reopened};
use crate::model::person::printed_id;
use crate::model::replay::{Moved, Refusal, Replay};
use crate::model::state::NoticeState;
use duly_ledger::{Event, leaf_hash};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// An event with what its row moved.
pub(super) struct EventRow {
    pub n: i64,
    pub kind: String,
    pub message_id: Option<Uuid>,
    pub message: Option<(String, String)>,
    pub notice_phase: Option<i32>,
    pub notice: Option<(String, String)>,
    pub alerted: bool,
    pub attempt: Option<i32>,
    /// Whether it was brought back after a restore: what the provider said is then told by the event alone.
    pub is_brought_back: bool,
    pub body: Vec<u8>,
    pub leaf: Vec<u8>,
}

/// The audit of one person.
pub(super) struct PersonAudit<'a> {
    incident_id: String,
    person_id: Uuid,
    stored: &'a Stored,
    replay: Replay,
    /// Notices that a withdrawn plan let go, by phase: what the tables have now begins after them.
    let_go: BTreeMap<u32, LetGo>,
    head: Option<[u8; 32]>,
    /// A chain or move that does not fit would only be followed by others.
    is_lost: bool,
    outcomes: HashSet<(Uuid, i32, String)>,
    /// Those of them whose row was lost in a restore.
    bare: HashSet<(Uuid, i32, String)>,
    receipts: HashMap<(Uuid, String), i64>,
    findings: Vec<Finding>,
}

impl<'a> PersonAudit<'a> {
    pub fn new(incident_id: Uuid, person_id: Uuid, stored: &'a Stored) -> Self {
        Self {
            incident_id: incident_id.to_string(),
            person_id,
            stored,
            replay: Replay::new(stored.openings.clone()),
            let_go: BTreeMap::new(),
            head: None,
            is_lost: false,
            outcomes: HashSet::new(),
            bare: HashSet::new(),
            receipts: HashMap::new(),
            findings: Vec::new(),
        }
    }

    pub fn run(mut self) -> Vec<Finding> {
        for (before, row) in self.stored.events.iter().enumerate() {
            self.take(before, row);
        }
        let last = self.stored.events.last().map_or(0, |row| row.n);
        if last != self.stored.last_n || self.head.map(|leaf| leaf.to_vec()) != self.stored.last_leaf {
            self.bad("head_differs", self.stored.last_n);
        }
        if !self.is_lost {
            if self.replay.finish().is_err() || self.let_go.values().any(|notice| !notice.is_settled()) {
                self.bad("event_missing", last);
            }
            self.compare_messages();
            self.compare_notices();
            self.compare_words_of_providers();
        }
        self.findings
    }

    fn bad(&mut self, code: &'static str, n: i64) {
        self.findings.push(Finding { code, place: format!("{}/{n}", printed_id(self.person_id)) });
    }

    fn take(&mut self, before: usize, row: &EventRow) {
        let leaf = leaf_hash(&row.body);
        if leaf.as_slice() != row.leaf {
            self.bad("leaf_differs", row.n);
        }
        match Event::parse(&row.body) {
            Ok(event) => self.take_event(before, row, &event),
            Err(_) => {
                self.bad("event_not_canonical", row.n);
                self.is_lost = true;
            }
        }
        self.head = Some(leaf);
    }

    fn take_event(&mut self, before: usize, row: &EventRow, event: &Event) {
        let follows = event.prev == self.head
            && i64::try_from(before + 1) == Ok(row.n)
            && event.n.and_then(|n| i64::try_from(n).ok()) == Some(row.n);
        if !follows {
            self.bad("chain_broken", row.n);
            self.is_lost = true;
        }
        if event.inc != self.incident_id || event.person != Some(*self.person_id.as_bytes()) || event.kind != row.kind {
            self.bad("event_of_another", row.n);
        }
        if self.is_lost {
            return;
        }
        // Its plan or list was lost as well: it is in the log and could be applied to nothing; its person is held.
        if row.is_brought_back && row.message_id.is_none() && speaks_of_a_message(&event.kind) {
            self.is_lost = true;
            return;
        }
        if let Some(phase) = LetGo::phase(event).filter(|phase| self.stored.let_go.get(phase).is_some_and(|n| row.n <= *n)) {
            if !self.let_go.entry(phase).or_default().take(row, event) {
                self.bad("move_not_allowed", row.n);
                self.is_lost = true;
            }
            return;
        }
        if let Some(decided) = Ending::read(&event.kind, &event.detail) {
            let decided = decided.map_err(Refusal::from);
            return self.take_decision(row, |replay| decided.and_then(|(ending, phase)| replay.decide(ending, phase)));
        }
        if let Some(taken_back) = read_reopened(&event.kind, &event.detail) {
            let taken_back = taken_back.map_err(Refusal::from);
            return self.take_decision(row, |replay| taken_back.and_then(|(to, phase)| replay.take_back(to, phase)));
        }
        if !speaks_of_a_message(&event.kind) {
            if row.message.is_some() || row.notice.is_some() || row.alerted {
                self.bad("move_differs", row.n);
            }
            return;
        }
        match self.replay.event(&event.kind, &event.detail) {
            Ok(moved) => self.compare_row(row, event, &moved),
            Err(refusal) => {
                self.bad(if refusal == Refusal::Owed { "event_missing" } else { "move_not_allowed" }, row.n);
                self.is_lost = true;
            }
        }
    }

    /// A decision that ends a notice, or takes that back; of one that was brought back and could be applied to nothing the
    /// person is held.
    fn take_decision(
        &mut self,
        row: &EventRow,
        decide: impl FnOnce(&mut Replay) -> Result<(u32, NoticeState, NoticeState), Refusal>,
    ) {
        if row.is_brought_back && row.notice.is_none() {
            self.is_lost = true;
            return;
        }
        match decide(&mut self.replay) {
            Ok((phase, from, to)) => {
                let same = row.notice == Some((from.as_str().to_owned(), to.as_str().to_owned()))
                    && row.notice_phase.map(i64::from) == Some(phase.into())
                    && row.message.is_none()
                    && row.message_id.is_none();
                if !same {
                    self.bad("move_differs", row.n);
                }
            }
            Err(refusal) => {
                self.bad(if refusal == Refusal::Owed { "event_missing" } else { "move_not_allowed" }, row.n);
                self.is_lost = true;
            }
        }
    }

    /// The row moved what the bytes tell, and nothing else.
    fn compare_row(&mut self, row: &EventRow, event: &Event, moved: &Moved) {
        let message = self.stored.messages.iter().find(|m| m.key == moved.key).map(|m| m.message_id);
        let words = |(from, to): (&'static str, &'static str)| (from.to_owned(), to.to_owned());
        let attempt = event.detail.get("attempt").and_then(Value::as_i64);
        let claims = event.kind == "message.intent";
        let same = row.message == moved.message.map(|(from, to)| words((from.as_str(), to.as_str())))
            && row.notice == moved.notice.map(|(from, to)| words((from.as_str(), to.as_str())))
            && (row.notice.is_none() || row.notice_phase.map(i64::from) == Some(moved.key.phase.into()))
            && row.message_id == message
            && (!claims || row.attempt.map(i64::from) == attempt)
            && row.alerted == moved.alerted;
        if !same {
            self.bad("move_differs", row.n);
        }
        self.count_word(row, event, attempt);
    }

    /// Remembers what a provider said by this event, to be found again among outcomes and receipts.
    fn count_word(&mut self, row: &EventRow, event: &Event, attempt: Option<i64>) {
        let Some(message_id) = row.message_id else { return };
        let ground = event.detail.get("ground").and_then(Value::as_str);
        let attempt = attempt.and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
        match event.kind.strip_prefix("message.") {
            Some("unknown") if matches!(ground, Some("lease" | "restored")) => {}
            Some(word @ ("accepted" | "rejected" | "not_taken" | "lane_stopped" | "unknown")) => {
                let outcome = (message_id, attempt, word.to_owned());
                if row.is_brought_back {
                    self.bare.insert(outcome.clone());
                }
                let is_first = self.outcomes.insert(outcome);
                if !is_first {
                    self.bad("event_without_outcome", row.n);
                }
            }
            // A status that we asked for came without a receipt.
            None if ground.is_none() && !row.is_brought_back => {
                let status = event.detail.get("status").and_then(Value::as_str).unwrap_or_default();
                *self.receipts.entry((message_id, status.to_owned())).or_insert(0) += 1;
            }
            _ => {}
        }
    }

    fn compare_messages(&mut self) {
        let expected: Vec<_> = self.replay.messages().collect();
        for (key, state, attempt) in &expected {
            match self.stored.messages.iter().find(|m| m.key == *key) {
                None => self.bad("message_missing", self.stored.last_n),
                Some(row) if row.state == *state && i64::from(row.attempt) == i64::from(*attempt) => {}
                Some(row) => {
                    self.findings.push(Finding { code: "message_differs_from_events", place: row.message_id.to_string() })
                }
            }
        }
        for row in &self.stored.messages {
            let alarms = self.replay.alarms.iter().filter(|key| **key == row.key).count();
            if alarms > 0 && row.alarms == 0 {
                self.findings.push(Finding { code: "alarm_missing", place: row.message_id.to_string() });
            }
            if !expected.iter().any(|(key, _, _)| *key == row.key) {
                self.findings.push(Finding { code: "message_without_cause", place: row.message_id.to_string() });
            }
        }
    }

    fn compare_notices(&mut self) {
        let expected: Vec<_> = self.replay.notices().collect();
        for row in &self.stored.notices {
            let same = expected
                .iter()
                .any(|(phase, state, alerted)| *phase == row.phase && state.as_str() == row.state && *alerted == row.is_alerted);
            if !same {
                self.bad("notice_differs_from_events", self.stored.last_n);
            }
        }
    }

    fn compare_words_of_providers(&mut self) {
        let place = |message: &Uuid| message.to_string();
        let mut found = Vec::new();
        for (message, _, _) in self.outcomes.difference(&self.stored.outcomes).filter(|outcome| !self.bare.contains(outcome)) {
            found.push(Finding { code: "event_without_outcome", place: place(message) });
        }
        for (message, _, _) in self.stored.outcomes.difference(&self.outcomes) {
            found.push(Finding { code: "outcome_without_event", place: place(message) });
        }
        for (key, told) in &self.receipts {
            if self.stored.receipts.get(key).copied().unwrap_or(0) < *told {
                found.push(Finding { code: "event_without_receipt", place: place(&key.0) });
            }
        }
        for (key, stored) in &self.stored.receipts {
            if self.receipts.get(key).copied().unwrap_or(0) < *stored {
                found.push(Finding { code: "receipt_without_event", place: place(&key.0) });
            }
        }
        self.findings.extend(found);
    }
}
