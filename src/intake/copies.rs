//! Copies of a person that are not sealed under the person's own key: quarantined rows and jobs that could not be read.

use crate::model::contact::PersonRecord;
use crate::model::seal::{Key, SealError, open_with};
use crate::store::erase::SealedCopy;
use crate::store::incident::Incident;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Knows one person's copies by the external reference.
pub struct Seeker {
    master: Key,
    incident_key: Key,
    intake_secret: Key,
    reference: String,
}

impl Seeker {
    /// Seeks copies of the person with this normal reference.
    pub fn new(master: &Key, incident: &Incident, incident_key: &Key, reference: &str) -> Result<Self, SealError> {
        Ok(Self {
            master: master.clone(),
            incident_key: incident_key.clone(),
            intake_secret: incident_key.unwrap_key(&incident.intake_secret_key, "intake")?,
            reference: reference.to_owned(),
        })
    }

    /// Whether a copy is this person's; `None` where it does not open.
    pub fn is_theirs(&self, copy: SealedCopy<'_>) -> Option<bool> {
        let plain = match copy {
            SealedCopy::Row { wrapped_key, sealed } => {
                self.incident_key.unwrap_key(wrapped_key, "list").ok()?.open("row", sealed).ok()?
            }
            SealedCopy::Job { sealed } => self.master.open("rejected job", sealed).ok()?,
        };
        Some(self.names_person(&plain))
    }

    /// A row is pairs of column and cell; a job is an object, that may hold another one sealed to the incident. Which
    /// incident a rejected job was meant for is often what was wrong with it: here the reference alone decides.
    fn names_person(&self, plain: &[u8]) -> bool {
        match serde_json::from_slice(plain) {
            Ok(value) => self.has_reference(&value),
            Err(_) => self.has_word(plain),
        }
    }

    fn has_reference(&self, value: &Value) -> bool {
        let is_it = |text: &str| PersonRecord::normal_reference(text) == self.reference;
        match value {
            Value::Object(fields) => fields.iter().any(|(name, value)| match (name.as_str(), value) {
                ("external_reference", Value::String(text)) => is_it(text),
                ("sealed", Value::String(text)) => self.has_sealed(text),
                _ => self.has_reference(value),
            }),
            Value::Array(items) => match items.as_slice() {
                [Value::String(column), Value::String(cell)] => column == "external_reference" && is_it(cell),
                items => items.iter().any(|item| self.has_reference(item)),
            },
            _ => false,
        }
    }

    fn has_sealed(&self, text: &str) -> bool {
        let opened = STANDARD.decode(text).ok().and_then(|sealed| open_with(&self.intake_secret, &sealed).ok());
        opened.is_some_and(|plain| self.names_person(&plain))
    }

    /// Bytes that are no JSON: the reference stands in them as a word of its own.
    fn has_word(&self, plain: &[u8]) -> bool {
        let text = String::from_utf8_lossy(plain);
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        text.match_indices(&self.reference)
            .any(|(at, found)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + found.len()..].chars().next()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::seal::{generate_pair, seal_to};
    use serde_json::json;

    fn seeker() -> (Seeker, [u8; 32]) {
        let (public, intake_secret) = generate_pair();
        let (master, incident_key) = (Key::generate(), Key::generate());
        (Seeker { master, incident_key, intake_secret, reference: "PN1".to_owned() }, public)
    }

    #[test]
    fn a_person_is_found_in_rows_jobs_sealed_jobs_and_broken_bytes_and_nobody_else_is() {
        let (seeker, public) = seeker();
        let sealed = STANDARD.encode(seal_to(&public, br#"{"job_id":"1","person":{"external_reference":" PN1 "}}"#).unwrap());
        let names = |bytes: &[u8]| seeker.names_person(bytes);

        assert!(names(br#"[["external_reference","PN1"],["town","Leeds"]]"#));
        assert!(names(br#"{"job":{"person":{"external_reference":"PN1"}}}"#));
        assert!(names(json!({"sealed": sealed}).to_string().as_bytes()));
        assert!(names(br#"{"external_reference":"PN1", broken"#));

        assert!(!names(br#"[["external_reference","PN2"],["town","PN1"]]"#));
        assert!(!names(br#"{"external_reference":"PN12", broken"#));
        assert!(!names(br#"{"sealed":"not base64"}"#));
    }

    #[test]
    fn a_copy_that_does_not_open_is_not_taken_for_somebody_elses() {
        let (seeker, _) = seeker();
        assert_eq!(seeker.is_theirs(SealedCopy::Job { sealed: b"altered" }), None);
    }
}
