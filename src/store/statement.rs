//! Providers' own statements of what they took: what a lane's messages are, and the event of a comparison.

use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::unit::{IncidentKey, word};
use super::{Store, StoreError};
use crate::model::state::{Channel, Reason};
use duly_ledger::time_text;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A provider's count beside ours.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Whose account the statement is of.
    pub lane: String,
    /// The lane's channel.
    pub channel: Channel,
    /// SHA-256 of the file, hex.
    pub hash: String,
    /// Messages that the provider says it took.
    pub theirs: u64,
    /// Messages of the lane that the log says were taken.
    pub ours: u64,
    /// Up to when they are counted, as an event's time is written.
    pub as_of: String,
}

impl Comparison {
    /// What is signed for and told, the same in both.
    pub fn fields(&self) -> Map<String, Value> {
        let Self { lane, channel, hash, theirs, ours, as_of } = self;
        let fields =
            json!({"lane": lane, "channel": channel.as_str(), "hash": hash, "theirs": theirs, "ours": ours, "as_of": as_of});
        fields.as_object().cloned().unwrap_or_default()
    }

    /// The time of a moment (microseconds since 1970) as events write it.
    pub fn moment(micros: i64) -> Result<String, StoreError> {
        time_text(micros).map_err(|_| StoreError::Corrupt { what: "time" })
    }
}

/// A message of a lane, by its send-once key.
#[derive(Debug, Clone)]
pub struct LaneMessage {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Phase.
    pub phase: u32,
    /// Channel.
    pub channel: Channel,
    /// Reason.
    pub reason: Reason,
    /// Ordinal.
    pub ordinal: u32,
}

impl Store {
    /// Messages of a lane after `after`, ascending by id. No event names the lane of a message: its row does.
    pub async fn list_lane_messages(
        &self,
        incident: IncidentKey,
        lane: &str,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<LaneMessage>, StoreError> {
        let rows = sqlx::query!(
            "select message_id, person_id, phase, channel, reason, ordinal from message
              where controller_id = $1 and incident_no = $2 and lane = $3 and message_id > $4 order by message_id limit $5",
            incident.controller_id,
            incident.incident_no,
            lane,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let message = |row: (Uuid, Uuid, i32, String, String, i32)| {
            let (message_id, person_id, phase, channel, reason, ordinal) = row;
            let (phase, ordinal) = (u32::try_from(phase).unwrap_or(0), u32::try_from(ordinal).unwrap_or(0));
            Ok(LaneMessage { message_id, person_id, phase, channel: word(&channel)?, reason: word(&reason)?, ordinal })
        };
        rows.into_iter().map(|r| message((r.message_id, r.person_id, r.phase, r.channel, r.reason, r.ordinal))).collect()
    }

    /// Writes that somebody compared a provider's statement with the log.
    pub async fn record_statement(&self, incident: IncidentKey, told: &Comparison, by: Decider) -> Result<(), StoreError> {
        let mut detail = told.fields();
        detail.insert("command".to_owned(), json!(by.command_id));
        detail.insert("user".to_owned(), json!(by.user_id));
        self.insert_event(LogScope::Incident(incident.controller_id, incident.incident_no), "statement.compared", detail).await
    }
}
