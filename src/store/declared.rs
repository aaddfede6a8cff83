//! What a named person declares of messages that no provider reports: dockets and result files, signed.

use super::quarantine::Decider;
use super::unit::{IncidentKey, Note, Wait, word};
use super::{Store, StoreError};
use crate::model::state::MessageState;
use crate::model::step::Cause;
use serde_json::json;
use uuid::Uuid;

/// A message by its name at a lane.
#[derive(Debug, Clone)]
pub struct Named {
    /// Our reference.
    pub reference: String,
    /// Place in every key.
    pub incident: IncidentKey,
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Present state.
    pub state: MessageState,
}

/// What is declared of one message.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// How it stands; `Accepted` where it moves nothing and is only told.
    pub report: MessageState,
}

impl Store {
    /// Messages of a lane by their references; what is not known is missing.
    pub async fn list_named(&self, lane: &str, references: &[String]) -> Result<Vec<Named>, StoreError> {
        let rows = sqlx::query!(
            r#"select distinct on (m.message_id) a.reference, m.controller_id, m.incident_no, m.message_id, m.person_id, m.state
                 from attempt a
                 join message m on m.controller_id = a.controller_id and m.incident_no = a.incident_no and m.message_id = a.message_id
                where a.reference = any($2) and a.lane = $1 order by m.message_id"#,
            lane,
            references
        )
        .fetch_all(&self.pool)
        .await?;
        let named = rows.into_iter().map(|row| {
            let incident = IncidentKey { controller_id: row.controller_id, incident_no: row.incident_no };
            let state = word(&row.state)?;
            Ok(Named { reference: row.reference, incident, message_id: row.message_id, person_id: row.person_id, state })
        });
        named.collect()
    }

    /// Puts on record, with each message, what a signed command declares of it. Returns how many moved.
    pub async fn declare(&self, incident: IncidentKey, declared: &[Declared], by: Decider) -> Result<usize, StoreError> {
        let people: Vec<Uuid> = declared.iter().map(|one| one.person_id).collect();
        let mut unit = self.unit(incident, &people, Wait::Wait).await?;
        let mut moved = 0;
        for one in declared {
            let mut note = Note::default();
            note.detail.insert("ground".into(), json!("declared"));
            note.detail.insert("command".into(), json!(by.command_id.to_string()));
            note.detail.insert("user".into(), json!(by.user_id.to_string()));
            let cause = Cause::Reported { report: one.report, other_id: false };
            moved += usize::from(unit.apply(one.message_id, cause, note)?.message.is_some());
        }
        unit.commit().await?;
        Ok(moved)
    }
}
