//! What a user signs for a command: canonical bytes that serve once and for nothing else.

use super::person::printed_id;
use super::state::TellsOtherwise;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// How far a statement's time may lie from the database's when it is kept, seconds.
pub const AGE_SECONDS_MAX: i64 = 600;

/// The bytes to be signed: the command with its arguments, the installation that it is meant for, the database's time and
/// 16 random bytes.
///
/// Keys in ASCII order, no whitespace. `command` is an object with at least `command`, the words as typed, and
/// `incident`, the incident's id, where there is one; never personal data.
pub fn statement(command: &Value, installation: Uuid, at: OffsetDateTime, nonce: [u8; 16]) -> Vec<u8> {
    let mut fields: Map<String, Value> = command.as_object().cloned().unwrap_or_default();
    fields.insert("at".into(), json!(at.format(&Rfc3339).unwrap_or_default()));
    fields.insert("installation".into(), json!(installation));
    fields.insert("nonce".into(), json!(hex::encode(nonce)));
    fields.insert("v".into(), json!(1));
    Value::Object(fields).to_string().into_bytes()
}

/// What somebody signed, the command with its arguments, without installation, time, nonce and version; `None` for bytes
/// that are no canonical statement. `signed_words` of the database takes the same away.
pub fn signed_words(statement: &[u8]) -> Option<Value> {
    made_at(statement)?;
    let Value::Object(mut fields) = serde_json::from_slice(statement).ok()? else { return None };
    // A second spelling, or a key twice, could be read in two ways.
    if Value::Object(fields.clone()).to_string().as_bytes() != statement {
        return None;
    }
    fields.retain(|key, _| !matches!(key.as_str(), "at" | "installation" | "nonce" | "v"));
    Some(Value::Object(fields))
}

/// `plan approve`, `go`, `pause`, `resume` or `withdraw`, over the plan's hash.
pub fn plan_command(command: &str, incident_id: Uuid, plan_no: i32, hash: &[u8]) -> Value {
    json!({"command": command, "incident": incident_id, "plan": plan_no, "hash": hex::encode(hash)})
}

/// Adds a user: the public half is signed too, so that nobody can put another key under this name.
pub fn user_add(name: &str, public_key: &[u8]) -> Value {
    json!({"command": "user add", "name": name, "public": hex::encode(public_key)})
}

/// Sets how a controller's letters look, by the hash of all of it.
pub fn controller_set(controller: &str, letterhead: &[u8; 32]) -> Value {
    json!({"command": "controller set", "controller": controller, "letterhead": hex::encode(letterhead)})
}

/// Signs for a draft that somebody has read.
pub fn template_review(template: &str, hash: &[u8; 32]) -> Value {
    json!({"command": "template review", "template": template, "hash": hex::encode(hash)})
}

/// Revokes a user's key.
pub fn user_revoke(name: &str) -> Value {
    json!({"command": "user revoke", "name": name})
}

/// Adds a controller: under what name, sender and address it writes.
pub fn controller_add(slug: &str, name: &str, sms_sender: &str, address: &[String]) -> Value {
    json!({"command": "controller add", "controller": slug, "name": name, "sms_sender": sms_sender, "address": address})
}

/// Adds an incident: what its plans need is signed before there is any. `approvals`: of other people than who prepares.
pub fn incident_add(controller: &str, incident_id: Uuid, approvals: i32) -> Value {
    json!({"command": "incident add", "controller": controller, "incident": incident_id, "approvals_required": approvals})
}

/// What else is signed for with an incident: its short name, its profile, and SHA-256 of its texts' JSON, hex.
pub fn incident_words((slug, profile, texts): (&str, &str, &Value)) -> [(&'static str, Value); 3] {
    [("slug", json!(slug)), ("profile", json!(profile)), ("texts", json!(hex::encode(Sha256::digest(texts.to_string()))))]
}

/// A command with further arguments.
pub fn with(mut command: Value, further: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    if let Value::Object(words) = &mut command {
        words.extend(further.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    command
}

/// Closes an incident; `reason`: why, although something is open.
pub fn incident_close(incident_id: Uuid, reason: Option<&str>) -> Value {
    json!({"command": "incident close", "incident": incident_id, "reason": reason})
}

/// Reopens a closed incident.
pub fn incident_reopen(incident_id: Uuid, reason: &str) -> Value {
    json!({"command": "incident reopen", "incident": incident_id, "reason": reason})
}

/// Sets a hold on an incident, or on one person of it.
pub fn hold_set(incident_id: Uuid, person_id: Option<Uuid>, reason: &str) -> Value {
    let person = person_id.map(printed_id);
    json!({"command": "hold set", "incident": incident_id, "person": person, "reason": reason})
}

/// Decides that no notice is owed to a person, in a phase.
pub fn person_exempt(incident_id: Uuid, (person_id, phase): (Uuid, i32), reason: &str) -> Value {
    let person = printed_id(person_id);
    json!({"command": "person exempt", "incident": incident_id, "person": person, "phase": phase, "reason": reason})
}

/// Says that a person was told in another way.
pub fn person_told(incident_id: Uuid, (person_id, phase): (Uuid, i32), how: TellsOtherwise, reason: &str) -> Value {
    let (person, how) = (printed_id(person_id), how.as_str().replace('_', "-"));
    json!({"command": "person told", "how": how, "incident": incident_id, "person": person, "phase": phase, "reason": reason})
}

/// Takes back a decision that ended a person's notice.
pub fn person_reopen(incident_id: Uuid, (person_id, phase): (Uuid, i32), reason: &str) -> Value {
    let person = printed_id(person_id);
    json!({"command": "person reopen", "incident": incident_id, "person": person, "phase": phase, "reason": reason})
}

/// Compares a provider's own statement with the log: both figures, the file and the moment are signed, as the event tells them.
pub fn provider_statement(incident_id: Uuid, told: Map<String, Value>) -> Value {
    let mut words = told;
    words.insert("command".into(), json!("provider statement"));
    words.insert("incident".into(), json!(incident_id));
    Value::Object(words)
}

/// Lifts a hold.
pub fn hold_lift(hold_id: Uuid) -> Value {
    json!({"command": "hold lift", "hold": hold_id})
}

/// The installation that a statement is meant for; `None` where it names none: it could count anywhere.
pub fn meant_for(statement: &[u8]) -> Option<Uuid> {
    let value: Value = serde_json::from_slice(statement).ok()?;
    value.get("installation")?.as_str()?.parse().ok()
}

/// When a statement says that it was made; `None` for bytes that are no statement.
pub fn made_at(statement: &[u8]) -> Option<OffsetDateTime> {
    let value: Value = serde_json::from_slice(statement).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    // A statement without command or nonce could mean anything, any number of times.
    text("command").filter(|c| !c.is_empty())?;
    text("nonce").filter(|n| n.len() == 32)?;
    OffsetDateTime::parse(text("at")?, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_canonical_and_says_when_it_was_made() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let bytes = statement(&json!({"plan": 3, "command": "plan go"}), Uuid::from_u128(5), at, [7; 16]);

        assert_eq!(
            String::from_utf8_lossy(&bytes),
            concat!(
                r#"{"at":"1970-01-01T00:00:00Z","command":"plan go","installation":"00000000-0000-0000-0000-000000000005","#,
                r#""nonce":"07070707070707070707070707070707","plan":3,"v":1}"#
            )
        );
        assert_eq!(meant_for(&bytes), Some(Uuid::from_u128(5)));
        assert_eq!(meant_for(br#"{"command":"plan go"}"#), None);
        assert_eq!(made_at(&bytes), Some(at));
        assert_eq!(signed_words(&bytes), Some(json!({"command": "plan go", "plan": 3})));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(signed_words(text.replace("\"plan\":3", "\"plan\":3,\"plan\":3").as_bytes()), None);
        assert_eq!(signed_words(text.replace("\"plan\":3", "\"plan\": 3").as_bytes()), None);
        assert_eq!(made_at(b"approve"), None);
        assert_eq!(made_at(br#"{"at":"1970-01-01T00:00:00Z","command":"plan go"}"#), None);
    }
}
