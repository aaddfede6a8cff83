//! The unit of work of every move: lock people, decide with `step`, write events, commit.
//!
//! The event is the only way to write a fact: each decision becomes one event, whose insert moves the message, the
//! notice and the person's head by trigger. A state that is not what this unit read fails the whole statement.

use super::lane_health::LaneNews;
use super::{Deadlines, StoreError};
use crate::model::state::{Channel, Content, MessageState, Misfit, NoticeState, Reason, Route};
use crate::model::step::{Case, Cause, Effect, Message, Step, closes_at, step};
use duly_ledger::{Event, leaf_hash};
use serde_json::{Map, Value, json};
use sqlx::{Postgres, Transaction};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Which people a unit may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Skip people that somebody else works on; for claims.
    Skip,
    /// Wait; for facts that must be recorded.
    Wait,
}

/// One incident's place in every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentKey {
    /// Tenant.
    pub controller_id: Uuid,
    /// Number inside this database.
    pub incident_no: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub last_n: i64,
    pub last_leaf: Option<[u8; 32]>,
    pub version: i32,
    pub is_erased: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct MessageRow {
    pub message_id: Uuid,
    pub person_id: Uuid,
    pub phase: i32,
    pub ordinal: i32,
    pub plan_no: i32,
    pub lane: Option<String>,
    /// Commitment to what it says.
    pub content: [u8; 32],
    pub model: Message,
}

#[derive(Debug, Clone)]
struct Notice {
    route: Route,
    plan_no: i32,
    profile: String,
    state: NoticeState,
}

/// What ends a notice: channel, content, least state.
type Closing = Vec<(Channel, Content, MessageState)>;

struct Pending {
    person_id: Option<Uuid>,
    n: Option<i64>,
    kind: Cow<'static, str>,
    message: Option<(Uuid, MessageState, MessageState)>,
    message_id: Option<Uuid>,
    phase: Option<i32>,
    notice: Option<(NoticeState, NoticeState)>,
    plan: Option<(i32, &'static str, &'static str)>,
    alerted: bool,
    attempt: Option<i32>,
    due_in_ms: Option<i64>,
    lease_in_ms: Option<i64>,
    /// The reconciliation that brings it back from the published log; `None`: it is written now.
    restored_id: Option<Uuid>,
    body: Vec<u8>,
    leaf: [u8; 32],
}

impl Pending {
    /// An event that moves nothing.
    fn plain(person_id: Option<Uuid>, n: Option<i64>, kind: Cow<'static, str>, (body, leaf): (Vec<u8>, [u8; 32])) -> Self {
        Self {
            person_id,
            n,
            kind,
            message: None,
            message_id: None,
            phase: None,
            notice: None,
            plan: None,
            alerted: false,
            attempt: None,
            due_in_ms: None,
            lease_in_ms: None,
            restored_id: None,
            body,
            leaf,
        }
    }
}

/// An open transaction with locked people, and the events that it will write.
pub struct Unit {
    pub(crate) tx: Transaction<'static, Postgres>,
    pub(crate) incident: IncidentKey,
    pub(crate) incident_id: Uuid,
    pub(crate) now_micros: i64,
    pub(crate) people: HashMap<Uuid, Person>,
    pub(crate) messages: HashMap<Uuid, MessageRow>,
    notices: HashMap<(Uuid, i32), Notice>,
    prepared: HashMap<(Uuid, i32, Channel), (Content, [u8; 32])>,
    /// By plan and profile.
    closing: HashMap<(i32, String), Closing>,
    pending: Vec<Pending>,
    created: Vec<MessageRow>,
    pub(crate) alarms: Vec<(Uuid, &'static str)>,
    misfits: Vec<(Uuid, i32, Misfit)>,
    pub(crate) lane_news: BTreeMap<String, LaneNews>,
    pub(crate) deadlines: Deadlines,
}

/// What one decision adds to its event: fields of `d`, and times that differ from the usual.
#[derive(Debug, Default)]
pub struct Note {
    /// Further fields of `d`; never a value of a person's.
    pub detail: Map<String, Value>,
    /// Milliseconds until the message is due, if not the usual.
    pub due_in_ms: Option<i64>,
}

impl Unit {
    fn content(&self, person_id: Uuid, phase: i32, channel: Channel) -> Result<(Content, [u8; 32]), StoreError> {
        self.prepared.get(&(person_id, phase, channel)).cloned().ok_or(StoreError::Corrupt { what: "prepared content" })
    }

    /// What ends a person's notice on a channel, by the profile that the plan has for them.
    fn closes_at(
        &self,
        person_id: Uuid,
        phase: i32,
        channel: Channel,
        content: Content,
    ) -> Result<Option<MessageState>, StoreError> {
        let notice = self.notices.get(&(person_id, phase)).ok_or(StoreError::Corrupt { what: "notice" })?;
        let table = self.closing.get(&(notice.plan_no, notice.profile.clone()));
        Ok(closes_at(table.ok_or(StoreError::Corrupt { what: "closing table" })?, channel, content))
    }

    /// The profile that a person is told under.
    pub(crate) fn profile(&self, person_id: Uuid, phase: i32) -> Option<&str> {
        self.notices.get(&(person_id, phase)).map(|notice| notice.profile.as_str())
    }

    /// The notice of a message with all its messages, and the message's index among them.
    pub fn case(&self, message_id: Uuid) -> Option<(Case, usize, Vec<Uuid>)> {
        let row = self.messages.get(&message_id)?;
        let (case, ids) = self.notice_case(row.person_id, row.phase)?;
        let index = ids.iter().position(|id| *id == message_id)?;
        Some((case, index, ids))
    }

    /// A notice with all its messages.
    fn notice_case(&self, person_id: Uuid, phase: i32) -> Option<(Case, Vec<Uuid>)> {
        let notice = self.notices.get(&(person_id, phase))?;
        let mut rows: Vec<&MessageRow> =
            self.messages.values().filter(|m| m.person_id == person_id && m.phase == phase).collect();
        rows.sort_by_key(|m| m.message_id);
        let ids: Vec<Uuid> = rows.iter().map(|m| m.message_id).collect();
        let messages = rows.into_iter().map(|m| m.model.clone()).collect();
        Some((Case { notice: notice.state, route: notice.route, messages }, ids))
    }

    /// Decides with `step`, remembers the event, and follows the effects; nothing is written before `commit`.
    pub fn apply(&mut self, message_id: Uuid, cause: Cause, note: Note) -> Result<Step, StoreError> {
        let Some((case, index, ids)) = self.case(message_id) else { return Ok(Step::default()) };
        let decided = step(&case, index, cause);
        if decided.message.is_none() && !cause.is_fact() {
            return Ok(decided);
        }
        self.remember(message_id, cause, &decided, note)?;
        for effect in &decided.effects {
            match *effect {
                Effect::Create(channel) => self.create(message_id, channel)?,
                Effect::Reopen(i) => {
                    self.apply(ids[i], Cause::Reopened, Note::default())?;
                }
                Effect::Cancel(i) => {
                    self.apply(ids[i], Cause::Cancelled, Note::default())?;
                }
                Effect::PossibleDuplicate => self.alarms.push((message_id, "possible_duplicate")),
                Effect::Misfit(misfit) => {
                    let attempt = self.messages.get(&message_id).map_or(0, |m| m.model.attempt);
                    self.misfits.push((message_id, i32::try_from(attempt).unwrap_or(i32::MAX), misfit));
                }
            }
        }
        Ok(decided)
    }

    fn remember(&mut self, message_id: Uuid, cause: Cause, decided: &Step, note: Note) -> Result<(), StoreError> {
        let Some(row) = self.messages.get(&message_id).cloned() else { return Ok(()) };
        let attempt = cause.attempt(row.model.attempt);
        let mut detail = note.detail;
        detail.extend(cause.fields());
        detail.insert("attempt".into(), json!(attempt));
        detail.insert("channel".into(), json!(row.model.channel.as_str()));
        detail.insert("ordinal".into(), json!(row.ordinal));
        detail.insert("phase".into(), json!(row.phase));
        detail.insert("reason".into(), json!(row.model.reason.as_str()));
        if let Some(to) = decided.message {
            detail.insert("to".into(), json!(to.as_str()));
        }
        if decided.effects.contains(&Effect::PossibleDuplicate) {
            detail.insert("possible_duplicate".into(), json!(true));
        }
        if let Some(to) = decided.notice {
            detail.insert("notice".into(), json!(to.as_str()));
        }
        let pending = self.event(Some(row.person_id), cause.kind(decided.message.is_some()), detail)?;
        self.pending.push(self.moving(pending, &row, (cause, decided), note.due_in_ms));
        self.settle(message_id, cause, decided, attempt);
        Ok(())
    }

    /// An event with the moves that its cause makes.
    fn moving(&self, pending: Pending, row: &MessageRow, (cause, decided): (Cause, &Step), due_in_ms: Option<i64>) -> Pending {
        let attempt = cause.attempt(row.model.attempt);
        let notice_from = self.notices.get(&(row.person_id, row.phase)).map(|n| n.state);
        let after = decided.message.map(|to| Message { state: to, ..row.model.clone() });
        let (due_in_ms, lease_in_ms) = after.map_or((None, None), |after| self.times(&after, due_in_ms));
        Pending {
            message_id: Some(row.message_id),
            message: decided.message.map(|to| (row.message_id, row.model.state, to)),
            phase: Some(row.phase),
            notice: notice_from.zip(decided.notice),
            alerted: decided.alerted,
            attempt: matches!(cause, Cause::Claimed { .. }).then(|| i32::try_from(attempt).unwrap_or(i32::MAX)),
            due_in_ms,
            lease_in_ms,
            ..pending
        }
    }

    /// Keeps what this unit has read in step with what it will write.
    fn settle(&mut self, message_id: Uuid, cause: Cause, decided: &Step, attempt: u32) {
        let Some(row) = self.messages.get_mut(&message_id) else { return };
        if let Some(to) = decided.message {
            row.model.state = to;
        }
        if let Cause::Claimed { is_repeat } = cause {
            row.model.attempt = attempt;
            if !is_repeat {
                row.model.fresh = attempt;
            }
        }
        if let (Some(to), Some(notice)) = (decided.notice, self.notices.get_mut(&(row.person_id, row.phase))) {
            notice.state = to;
        }
    }

    fn times(&self, after: &Message, due_in_ms: Option<i64>) -> (Option<i64>, Option<i64>) {
        let d = self.deadlines;
        match after.state {
            MessageState::Sending => (Some(d.lease_ms), Some(d.lease_ms)),
            MessageState::Ready => (Some(due_in_ms.unwrap_or(0)), None),
            MessageState::Unknown => (Some(due_in_ms.unwrap_or(d.unknown_ms)), None),
            MessageState::Asked => (Some(d.asked_ms), None),
            _ if after.awaits_news() => (Some(d.no_news_ms), None),
            MessageState::Overdue => (Some(d.overdue_ms), None),
            _ => (None, None),
        }
    }

    fn create(&mut self, after: Uuid, channel: Channel) -> Result<(), StoreError> {
        let Some(before) = self.messages.get(&after).cloned() else { return Ok(()) };
        let (content, commitment) = self.content(before.person_id, before.phase, channel)?;
        let model = Message {
            channel,
            reason: Reason::Escalation,
            state: MessageState::Ready,
            attempt: 0,
            fresh: 0,
            closes_at: self.closes_at(before.person_id, before.phase, channel, content)?,
        };
        let row = MessageRow { message_id: Uuid::now_v7(), ordinal: 1, lane: None, content: commitment, model, ..before };
        self.messages.insert(row.message_id, row.clone());
        self.created.push(row);
        Ok(())
    }

    /// Remembers an event that moves nothing, of a person or of the incident itself.
    pub(crate) fn plain_event(
        &mut self,
        person_id: Option<Uuid>,
        kind: &'static str,
        detail: Map<String, Value>,
    ) -> Result<(), StoreError> {
        let pending = self.event(person_id, kind, detail)?;
        self.pending.push(pending);
        Ok(())
    }

    /// Remembers an event of the incident itself, which may move a plan.
    pub fn incident_event(
        &mut self,
        kind: &'static str,
        detail: Map<String, Value>,
        plan: Option<(i32, &'static str, &'static str)>,
    ) -> Result<(), StoreError> {
        let mut pending = self.event(None, kind, detail)?;
        pending.plan = plan;
        self.pending.push(pending);
        Ok(())
    }

    fn event(
        &mut self,
        person_id: Option<Uuid>,
        kind: &'static str,
        mut detail: Map<String, Value>,
    ) -> Result<Pending, StoreError> {
        let head = person_id.and_then(|id| self.people.get_mut(&id));
        // Without the key nothing can be committed to: the leaf says why.
        if head.as_ref().is_some_and(|p| p.is_erased) {
            detail.insert("erased".into(), json!(true));
        }
        let n = head.as_ref().map(|p| p.last_n + 1);
        let body = Event {
            id: Uuid::now_v7().to_string(),
            inc: self.incident_id.to_string(),
            kind: kind.to_owned(),
            n: n.and_then(|n| u64::try_from(n).ok()),
            person: person_id.map(|id| *id.as_bytes()),
            prev: head.as_ref().and_then(|p| p.last_leaf),
            at_micros: self.now_micros,
            detail,
        }
        .to_bytes()?;
        let leaf = leaf_hash(&body);
        if let (Some(head), Some(n)) = (head, n) {
            head.last_n = n;
            head.last_leaf = Some(leaf);
        }
        Ok(Pending::plain(person_id, n, Cow::Borrowed(kind), (body, leaf)))
    }

    /// Writes new messages, then the events in rounds of one per person, and commits.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.insert_created().await?;
        self.insert_alarms().await?;
        // Lanes come after people and before the log, everywhere.
        let news = std::mem::take(&mut self.lane_news);
        self.settle_lanes(news).await?;
        let mut rest = std::mem::take(&mut self.pending);
        while !rest.is_empty() {
            let mut seen = std::collections::HashSet::new();
            let (round, later) = rest.into_iter().partition(|p: &Pending| p.person_id.is_none_or(|id| seen.insert(id)));
            self.insert_events(round).await?;
            rest = later;
        }
        self.tx.commit().await?;
        Ok(())
    }
}

mod bring_back;
mod ending;
mod read;
mod write;

pub use ending::{NotEnded, NotReopened, Reopened};

pub(crate) fn word<T: std::str::FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt { what: "word" })
}

pub(crate) fn hash(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt { what: "hash" })
}
