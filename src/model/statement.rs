//! What a user signs for a command: canonical bytes that serve once and for nothing else.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How far a statement's time may lie from the database's when it is kept, seconds.
pub const AGE_SECONDS_MAX: i64 = 600;

/// The bytes to be signed: the command with its arguments, the database's time and 16 random bytes.
///
/// Keys in ASCII order, no whitespace. `command` is an object with at least `command`, the words as typed, and
/// `incident`, the incident's id, where there is one; never personal data.
pub fn statement(command: &Value, at: OffsetDateTime, nonce: [u8; 16]) -> Vec<u8> {
    let mut fields: Map<String, Value> = command.as_object().cloned().unwrap_or_default();
    fields.insert("at".into(), json!(at.format(&Rfc3339).unwrap_or_default()));
    fields.insert("nonce".into(), json!(hex::encode(nonce)));
    fields.insert("v".into(), json!(1));
    Value::Object(fields).to_string().into_bytes()
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
        let bytes = statement(&json!({"plan": 3, "command": "plan go"}), at, [7; 16]);

        assert_eq!(
            String::from_utf8_lossy(&bytes),
            r#"{"at":"1970-01-01T00:00:00Z","command":"plan go","nonce":"07070707070707070707070707070707","plan":3,"v":1}"#
        );
        assert_eq!(made_at(&bytes), Some(at));
        assert_eq!(made_at(b"approve"), None);
        assert_eq!(made_at(br#"{"at":"1970-01-01T00:00:00Z","command":"plan go"}"#), None);
    }
}
