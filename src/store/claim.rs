//! The claim: the one transaction that allows a call, or claims nothing.

use super::unit::{IncidentKey, Note, Unit, Wait};
use super::{Store, StoreError};
use crate::model::state::MessageState;
use crate::model::step::{Cause, escalation_is_due};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A call that a worker wants to make.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Version of the person that was rendered.
    pub version: i32,
    /// A repeat's window; `None`: a first call, and the message must be `ready`.
    pub repeat: Option<RepeatWindow>,
    /// Lane.
    pub lane: String,
    /// Messages a day that its lane may be handed, by all workers together.
    pub per_day: Option<i64>,
    /// Derived reference, also the idempotency key.
    pub reference: String,
    /// Frozen request, sealed under the person's key.
    pub request: Vec<u8>,
    /// Commitment to the SHA-256 of the content.
    pub content: [u8; 32],
    /// Commitment to the number or address.
    pub destination: [u8; 32],
}

impl Intent {
    /// What its leaf says of it.
    fn commitments(&self) -> Map<String, Value> {
        let fields = [("content", self.content), ("destination", self.destination)];
        fields.into_iter().map(|(name, commitment)| (name.to_owned(), json!(hex::encode(commitment)))).collect()
    }
}

/// When a call may be repeated under its provider's guarantee; looked at in the claim itself, because whoever decided
/// to repeat may have slept since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatWindow {
    /// Milliseconds after the newest `send_by`: until then the original may still arrive.
    pub after_send_by_ms: i64,
    /// Milliseconds after the first claim: from then on the request might arrive after the key's life.
    pub until_ms: i64,
}

/// A call that may be made now, until `send_by` by the worker's own monotonic clock.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Index of the intent.
    pub index: usize,
    /// Number of the attempt: the token of its lease.
    pub attempt: u32,
}

impl Store {
    /// Claims calls of one incident: checks state, reason, version, holds and approval under the locks, stores the
    /// frozen requests with their intents, or claims nothing for a row that does not fit.
    pub async fn claim(&self, incident: IncidentKey, intents: &[Intent], send_by_ms: i64) -> Result<Vec<Claimed>, StoreError> {
        let people: Vec<Uuid> = intents.iter().map(|i| i.person_id).collect();
        let mut unit = self.unit(incident, &people, Wait::Skip).await?;
        let held = unit.held_people(&people).await?;
        let (running, nights) = unit.running_plans().await?;
        let messages: Vec<Uuid> = intents.iter().map(|i| i.message_id).collect();
        let asleep = unit.asleep(&messages, &nights).await?;
        let too_early_or_late = unit.outside_repeat_window(intents).await?;
        // Locked last: a lane's row is waited for with the people in hand, and never the other way round.
        let mut room = unit.room_today(intents).await?;
        let mut closed = unit.closed_lanes(&intents.iter().map(|i| i.lane.as_str()).collect()).await?;
        let mut claimed = Vec::new();
        let mut taken = HashSet::new();
        for (index, intent) in intents.iter().enumerate() {
            let is_stopped = !held.permits(intent.person_id)
                || closed.is_closed(&intent.lane)
                || too_early_or_late.contains(&intent.message_id)
                || asleep.contains(&intent.message_id);
            if is_stopped || !room.has_room(intent) || !unit.fits(intent, &running) || !taken.insert(intent.message_id) {
                continue;
            }
            let mut note = Note { detail: intent.commitments(), due_in_ms: None };
            if let Some(row) = unit.messages.get(&intent.message_id) {
                note.detail.insert("plan".into(), json!(row.plan_no));
                note.detail.insert("profile".into(), json!(unit.profile(row.person_id, row.phase)));
            }
            let decided = unit.apply(intent.message_id, Cause::Claimed { is_repeat: intent.repeat.is_some() }, note)?;
            if decided.message == Some(MessageState::Sending) {
                let attempt = unit.messages.get(&intent.message_id).map_or(0, |m| m.model.attempt);
                claimed.push(Claimed { index, attempt });
                room.take(intent);
                closed.take(&intent.lane);
            }
        }
        unit.take_today(&room).await?;
        unit.insert_attempts(intents, &claimed, send_by_ms).await?;
        crate::failpoint::reach("before_claim_commit").await;
        // If we die before this commit nothing was claimed; after it the lease leads to `unknown`.
        unit.commit().await?;
        crate::failpoint::reach("claim_committed").await;
        Ok(claimed)
    }
}

/// Who may not be sent to at this moment.
struct Held {
    everyone: bool,
    people: HashSet<Uuid>,
}

impl Held {
    fn permits(&self, person_id: Uuid) -> bool {
        !self.everyone && !self.people.contains(&person_id)
    }
}

impl Unit {
    async fn held_people(&mut self, people: &[Uuid]) -> Result<Held, StoreError> {
        let rows = sqlx::query!(
            "select person_id from hold where controller_id = $1 and incident_no = $2 and lifted_at is null
                and (person_id is null or person_id = any($3))",
            self.incident.controller_id,
            self.incident.incident_no,
            people
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let everyone = rows.iter().any(|row| row.person_id.is_none());
        Ok(Held { everyone, people: rows.into_iter().filter_map(|row| row.person_id).collect() })
    }

    /// Lanes of the plans that run, and the zones in which it is night by their hours.
    async fn running_plans(&mut self) -> Result<(HashMap<i32, Vec<String>>, HashMap<i32, Vec<String>>), StoreError> {
        let rows = sqlx::query!(
            r#"select plan_no, lanes, array(select z from unnest(zones) z where night_ends(z, quiet_from, quiet_until) is not null) as "night!"
                 from plan where controller_id = $1 and incident_no = $2 and state = 'running'
                and not exists (select from incident i where i.controller_id = $1 and i.incident_no = $2 and i.closed_at is not null)
                and not exists (select from restored r where r.reconciled_at is null)"#,
            self.incident.controller_id,
            self.incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|row| ((row.plan_no, row.lanes), (row.plan_no, row.night))).unzip())
    }

    /// Repeats that the provider's guarantee does not cover at this moment, by the database's clock. Where a restore lost the
    /// calls before the first one on record, the key may be older than that.
    async fn outside_repeat_window(&mut self, intents: &[Intent]) -> Result<HashSet<Uuid>, StoreError> {
        let windows: Vec<(Uuid, RepeatWindow)> = intents.iter().filter_map(|i| Some((i.message_id, i.repeat?))).collect();
        if windows.is_empty() {
            return Ok(HashSet::new());
        }
        let messages: Vec<Uuid> = windows.iter().map(|(id, _)| *id).collect();
        let after: Vec<i64> = windows.iter().map(|(_, w)| w.after_send_by_ms).collect();
        let until: Vec<i64> = windows.iter().map(|(_, w)| w.until_ms).collect();
        let rows = sqlx::query_scalar!(
            r#"select j.message_id as "message_id!" from unnest($3::uuid[], $4::bigint[], $5::bigint[]) as j (message_id, after_ms, until_ms)
                where not exists (select from attempt a where a.controller_id = $1 and a.incident_no = $2 and a.message_id = j.message_id
                    having max(a.send_by) + j.after_ms * interval '1 millisecond' < duly_now()
                       and min(a.claimed_at) + j.until_ms * interval '1 millisecond' > duly_now()
                       and not exists (select from restored_call r where r.controller_id = $1 and r.incident_no = $2 and r.message_id = j.message_id
                           and r.at < min(a.claimed_at)))"#,
            self.incident.controller_id,
            self.incident.incident_no,
            &messages,
            &after,
            &until
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// Guards of the claim that `step` cannot know: version, plan, approved bytes, reason of an escalation.
    fn fits(&mut self, intent: &Intent, running: &HashMap<i32, Vec<String>>) -> bool {
        let Some(row) = self.messages.get(&intent.message_id) else { return false };
        let Some(person) = self.people.get(&intent.person_id) else { return false };
        if !running.get(&row.plan_no).is_some_and(|lanes| lanes.contains(&intent.lane)) || person.version != intent.version {
            return false;
        }
        if row.content != intent.content || row.lane.as_deref() != Some(intent.lane.as_str()) {
            return false;
        }
        match self.case(intent.message_id) {
            Some((case, index, _)) => escalation_is_due(&case, index),
            None => false,
        }
    }

    async fn insert_attempts(&mut self, intents: &[Intent], claimed: &[Claimed], send_by_ms: i64) -> Result<(), StoreError> {
        let rows: Vec<(&Intent, i32)> =
            claimed.iter().filter_map(|c| Some((intents.get(c.index)?, i32::try_from(c.attempt).ok()?))).collect();
        let messages: Vec<Uuid> = rows.iter().map(|(i, _)| i.message_id).collect();
        let attempts: Vec<i32> = rows.iter().map(|(_, a)| *a).collect();
        let people: Vec<Uuid> = rows.iter().map(|(i, _)| i.person_id).collect();
        let lanes: Vec<String> = rows.iter().map(|(i, _)| i.lane.clone()).collect();
        let repeats: Vec<bool> = rows.iter().map(|(i, _)| i.repeat.is_some()).collect();
        let references: Vec<String> = rows.iter().map(|(i, _)| i.reference.clone()).collect();
        let requests: Vec<Vec<u8>> = rows.iter().map(|(i, _)| i.request.clone()).collect();
        sqlx::query!(
            "insert into attempt (controller_id, incident_no, message_id, attempt, person_id, lane, is_repeat, reference, request, send_by)
             select $1, $2, j.*, duly_now() + $3::bigint * interval '1 millisecond'
               from unnest($4::uuid[], $5::int[], $6::uuid[], $7::text[], $8::bool[], $9::text[], $10::bytea[]) as j",
            self.incident.controller_id,
            self.incident.incident_no,
            send_by_ms,
            &messages,
            &attempts,
            &people,
            &lanes,
            &repeats,
            &references,
            &requests
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
