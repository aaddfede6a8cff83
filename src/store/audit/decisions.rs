//! What people decided: every plan, hold and close rests on a signature.

use super::Snapshot;
use crate::model::statement::{meant_for, plan_command, signed_words};
use crate::model::user_key;
use crate::store::StoreError;
use duly_ledger::Event;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// Which moves plan events make, and what must be signed for each; the database has the same as `plan_move`.
pub(super) const PLAN_MOVES: &[(&str, &str, &str, &str)] = &[
    ("plan.approved", "plan approve", "prepared", "approved"),
    ("plan.started", "plan go", "approved", "running"),
    ("plan.paused", "plan pause", "running", "paused"),
    ("plan.resumed", "plan resume", "paused", "running"),
    ("plan.withdrawn", "plan withdraw", "prepared", "withdrawn"),
    ("plan.withdrawn", "plan withdraw", "approved", "withdrawn"),
];

/// A signed command as it is kept.
pub(super) struct SignedCommand {
    pub user_id: Uuid,
    /// What was signed; `None` where the signature does not hold, or was made for another installation.
    words: Option<Value>,
}

impl SignedCommand {
    /// Whether this user signed exactly these words while their key was good.
    pub fn says(&self, user_id: Uuid, words: &Value) -> bool {
        self.words_of(user_id) == Some(words)
    }

    /// What this user signed while their key was good.
    pub fn words_of(&self, user_id: Uuid) -> Option<&Value> {
        self.words.as_ref().filter(|_| self.user_id == user_id)
    }
}

/// A plan's event with what its row moved.
pub(super) struct PlanEvent<'a> {
    pub incident_id: Uuid,
    pub event: &'a Event,
    pub moved: Option<(i32, &'a str, &'a str)>,
    /// Hashes of plans, by number.
    pub hashes: &'a HashMap<i32, Vec<u8>>,
    pub commands: &'a HashMap<Uuid, SignedCommand>,
}

impl PlanEvent<'_> {
    /// The code of what does not hold.
    pub fn judge(&self) -> Option<&'static str> {
        let detail = &self.event.detail;
        let plan_no = detail.get("plan").and_then(Value::as_i64).and_then(|no| i32::try_from(no).ok());
        let hash = plan_no.and_then(|no| self.hashes.get(&no));
        let (Some(plan_no), Some(hash)) = (plan_no, hash) else { return Some("event_of_another") };
        if detail.get("hash").and_then(Value::as_str) != Some(hex::encode(hash).as_str()) {
            return Some("event_of_another");
        }
        let of_kind = || PLAN_MOVES.iter().filter(|(kind, ..)| *kind == self.event.kind);
        let rule = of_kind().find(|(.., from, _)| self.moved.is_none_or(|moved| moved.1 == *from)).or_else(|| of_kind().next());
        let fits = match (rule, self.moved) {
            (Some((.., from, to)), Some(moved)) => moved == (plan_no, from, to),
            // The first of two approvals moves nothing.
            (Some((kind, ..)), None) => *kind == "plan.approved",
            (None, moved) => moved.is_none(),
        };
        if !fits {
            return Some("move_not_allowed");
        }
        let command = rule.map_or("plan prepare", |(_, command, ..)| command);
        (!self.is_signed(command, plan_no, hash)).then_some("event_not_signed")
    }

    fn is_signed(&self, command: &str, plan_no: i32, hash: &[u8]) -> bool {
        let Some((user_id, command_id)) = read_decider(self.event) else { return false };
        let Some(signed) = self.commands.get(&command_id) else { return false };
        if command != "plan prepare" {
            return signed.says(user_id, &plan_command(command, self.incident_id, plan_no, hash));
        }
        // What was asked for stands in the statement; the plan that came of it had no hash yet.
        let says = |field: &str| signed.words.as_ref().and_then(|w| w.get(field)).and_then(Value::as_str).map(str::to_owned);
        signed.user_id == user_id
            && says("command").as_deref() == Some(command)
            && says("incident") == Some(self.incident_id.to_string())
    }
}

/// Who decided what an event tells, and by which signed command.
pub(super) fn read_decider(event: &Event) -> Option<(Uuid, Uuid)> {
    let id = |field: &str| event.detail.get(field)?.as_str()?.parse().ok();
    Some((id("user")?, id("command")?))
}

impl Snapshot {
    /// Those of the signed commands that are there.
    pub(super) async fn read_commands(&mut self, ids: &[Uuid]) -> Result<HashMap<Uuid, SignedCommand>, StoreError> {
        let rows = sqlx::query!(
            r#"select c.command_id, c.user_id, c.statement, c.signature, u.public_key, coalesce(u.revoked_at > c.at, true) as "is_good!",
                      i.installation_id
                 from signed_command c join app_user u on u.user_id = c.user_id cross join installation i where c.command_id = any($1)"#,
            ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let commands = rows.into_iter().map(|row| {
            let key = <[u8; 32]>::try_from(row.public_key).ok();
            let signature = <[u8; 64]>::try_from(row.signature).ok();
            let holds = key.zip(signature).is_some_and(|(key, signature)| user_key::verify(&key, &row.statement, &signature));
            let is_ours = meant_for(&row.statement) == Some(row.installation_id);
            let words = if row.is_good && holds && is_ours { signed_words(&row.statement) } else { None };
            (row.command_id, SignedCommand { user_id: row.user_id, words })
        });
        Ok(commands.collect())
    }
}
