//! The bytes of a job, `duly.job.v1`: an envelope that names the incident, and one person sealed to its intake key.

use crate::intake::csv::column_names;
use crate::model::column::is_name;
use crate::model::contact::RawPerson;
use crate::model::name::is_slug;
use crate::model::seal::{SealError, seal_to};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The one version.
pub const FORMAT: &str = "duly.job.v1";
/// Longest job, bytes.
const JOB_BYTES_MAX: usize = 128 * 1024;
/// Longest `job_id`, characters.
const JOB_ID_CHARS_MAX: usize = 128;
const PERSON_FIELDS: &[&str] = &[
    "external_reference",
    "first_name",
    "last_name",
    "phone",
    "email",
    "address",
    "town",
    "postcode",
    "country",
    "language",
    "format",
    "jurisdiction",
    "columns",
];
/// Columns beside Duly's own that one job may bring.
const COLUMNS_MAX: usize = 50;

/// Every code of a job that cannot be read, with what to do about it.
pub const REMEDIES: &[(&str, &str)] = &[
    ("not_json", "publish one JSON object in UTF-8, as docs/duly.job.v1.schema.json describes it"),
    ("too_large", "publish one person for each job, at most 128 KiB and 50 columns of your own"),
    ("wrong_version", "set `format` to `duly.job.v1`"),
    ("missing_field", "give `format`, `controller`, `incident`, and `sealed`; within it `job_id` and `person`"),
    ("unknown_field", "take out the field or column that docs/duly.job.v1.schema.json does not know, or mend its name"),
    (
        "wrong_type",
        "write every field as text, the address as a list of lines, a column as text or as `type`, `sensitive` and `value`",
    ),
    (
        "unknown_incident",
        "check controller and incident; `duly controller list` and `duly incident list` name them; then publish the job again",
    ),
    ("incident_closed", "run `duly incident reopen`, then `duly job retry`: it is kept until then"),
    ("does_not_open", "seal the job to the key that `duly job key` prints for this incident, then publish it again"),
    ("plain_refused", "seal the job to the incident's intake key, or set `intake.accept_plain = true`"),
];

/// What to do about a rejected job.
pub fn remedy(code: &str) -> &'static str {
    REMEDIES.iter().find(|(c, _)| *c == code).map_or("publish the job again", |(_, remedy)| remedy)
}

/// What a job says before it is opened.
pub struct Envelope {
    controller: String,
    incident: String,
    /// The person.
    pub content: Content,
}

/// The inside of a job.
pub enum Content {
    /// A sealed box.
    Sealed(Vec<u8>),
    /// JSON that nobody sealed.
    Plain(Value),
}

impl Envelope {
    /// `controller/incident`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.controller, self.incident)
    }
}

/// One person of a job, with the job's identity.
#[derive(Serialize)]
pub struct Job {
    /// Identity within the incident.
    pub job_id: String,
    /// The person as written.
    pub person: RawPerson,
}

/// Where jobs go and how they are sealed.
pub struct Target {
    /// Controller's slug.
    pub controller: String,
    /// Incident's slug.
    pub incident: String,
    /// Its intake key; `None` publishes plain jobs.
    pub public_key: Option<[u8; 32]>,
}

/// Reads the envelope, or says by code why not.
pub fn read_envelope(body: &[u8], accept_plain: bool) -> Result<Envelope, &'static str> {
    if body.len() > JOB_BYTES_MAX {
        return Err("too_large");
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| "not_json")?;
    let envelope = value.as_object().ok_or("not_json")?;
    // First, for another version may have other fields.
    if text(envelope, "format")? != FORMAT {
        return Err("wrong_version");
    }
    only(envelope, &["format", "controller", "incident", "sealed", "job"])?;
    let content = match (envelope.get("sealed"), envelope.get("job")) {
        (Some(Value::String(sealed)), None) => Content::Sealed(STANDARD.decode(sealed).map_err(|_| "does_not_open")?),
        (Some(_), None) => return Err("wrong_type"),
        (None, Some(job)) if accept_plain => Content::Plain(job.clone()),
        (None, Some(_)) => return Err("plain_refused"),
        (Some(_), Some(_)) => return Err("unknown_field"),
        (None, None) => return Err("missing_field"),
    };
    let name = |field: &str| text(envelope, field).and_then(|n| if is_slug(&n) { Ok(n) } else { Err("unknown_incident") });
    Ok(Envelope { controller: name("controller")?, incident: name("incident")?, content })
}

/// Reads the inside of a job.
pub fn read_job(value: &Value) -> Result<Job, &'static str> {
    let job = value.as_object().ok_or("wrong_type")?;
    only(job, &["job_id", "person"])?;
    let job_id = text(job, "job_id")?;
    if job_id.chars().count() > JOB_ID_CHARS_MAX {
        return Err("too_large");
    }
    let mut person = job.get("person").ok_or("missing_field")?.as_object().ok_or("wrong_type")?.clone();
    only(&person, PERSON_FIELDS)?;
    person.retain(|_, value| !value.is_null());
    check_columns(person.get("columns"))?;
    let person = serde_json::from_value(Value::Object(person)).map_err(|_| "wrong_type")?;
    Ok(Job { job_id, person })
}

/// Columns of the controller's own, by names that templates can print and that are none of Duly's.
fn check_columns(columns: Option<&Value>) -> Result<(), &'static str> {
    let Some(columns) = columns.and_then(Value::as_object) else { return Ok(()) };
    let is_taken = |name: &str| PERSON_FIELDS.contains(&name) || column_names().any(|known| known == name);
    match columns.len() > COLUMNS_MAX {
        true => Err("too_large"),
        false if columns.keys().any(|name| !is_name(name) || is_taken(name)) => Err("unknown_field"),
        false => Ok(()),
    }
}

/// The bytes of a job for the broker.
pub fn wrap(job: &Job, target: &Target) -> Result<Vec<u8>, SealError> {
    let mut envelope = json!({"format": FORMAT, "controller": target.controller, "incident": target.incident});
    match &target.public_key {
        Some(key) => envelope["sealed"] = json!(STANDARD.encode(seal_to(key, &serde_json::to_vec(job).unwrap_or_default())?)),
        None => envelope["job"] = json!(job),
    }
    Ok(envelope.to_string().into_bytes())
}

fn text(object: &Map<String, Value>, field: &str) -> Result<String, &'static str> {
    match object.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) | None => Err("missing_field"),
        Some(_) => Err("wrong_type"),
    }
}

fn only(object: &Map<String, Value>, fields: &[&str]) -> Result<(), &'static str> {
    if object.keys().all(|key| fields.contains(&key.as_str())) { Ok(()) } else { Err("unknown_field") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::column::{Column, ColumnType};
    use crate::model::seal::{Key, open_with};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn envelope(change: impl Fn(&mut Value)) -> Vec<u8> {
        let mut value = json!({"format": FORMAT, "controller": "northmere", "incident": "n-2026", "sealed": "AA=="});
        change(&mut value);
        value.to_string().into_bytes()
    }

    #[test]
    fn each_broken_envelope_has_its_code() {
        let code = |body: &[u8]| read_envelope(body, false).err();
        assert_eq!(code(&envelope(|_| {})), None);
        assert_eq!(code(b"{"), Some("not_json"));
        assert_eq!(code(b"[1]"), Some("not_json"));
        assert_eq!(code(b"\xff{}"), Some("not_json"));
        assert_eq!(code(&envelope(|v| v["format"] = json!("duly.job.v2"))), Some("wrong_version"));
        assert_eq!(code(&envelope(|v| v["incident"] = json!(""))), Some("missing_field"));
        assert_eq!(code(&envelope(|v| v["incident"] = json!(7))), Some("wrong_type"));
        assert_eq!(code(&envelope(|v| v["controller"] = json!("northmere\0"))), Some("unknown_incident"));
        assert_eq!(code(&envelope(|v| v["incident"] = json!("Northmere/2026"))), Some("unknown_incident"));
        assert_eq!(code(&envelope(|v| v["phnoe"] = json!(""))), Some("unknown_field"));
        assert_eq!(code(&envelope(|v| v["sealed"] = json!("not base64"))), Some("does_not_open"));
        assert_eq!(
            code(&json!({"format": FORMAT, "job": {}, "controller": "c", "incident": "i"}).to_string().into_bytes()),
            Some("plain_refused")
        );
        assert_eq!(code(&vec![b' '; JOB_BYTES_MAX + 1]), Some("too_large"));
    }

    /// What publishers read and what is read here are one format.
    #[test]
    fn the_published_schema_names_exactly_the_fields_that_are_read() {
        let schema: Value = serde_json::from_str(include_str!("../../../docs/duly.job.v1.schema.json")).unwrap();
        let names = |of: &str| schema.pointer(of).unwrap().as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let mut full = RawPerson::default();
        full.columns.push(("pay_grade".into(), Column::default(), "7".into()));
        let read: BTreeSet<String> = json!(full).as_object().unwrap().keys().cloned().collect();
        assert_eq!(names("/$defs/person/properties"), read);
        for (field, shape) in schema["$defs"]["person"]["properties"].as_object().unwrap() {
            let value = match shape["type"][0].as_str() {
                Some("array") => json!(["x"]),
                Some("object") => json!({"x": "x"}),
                _ => json!("x"),
            };
            for value in [value, Value::Null] {
                assert!(read_job(&json!({"job_id": "1", "person": {field: value}})).is_ok(), "{field}");
            }
            assert_eq!(read_job(&json!({"job_id": "1", "person": {field: 7}})).err(), Some("wrong_type"), "{field}");
        }
        for (of, whole) in [
            ("/$defs/job", json!({"job_id": "1", "person": {}})),
            ("", json!({"format": FORMAT, "controller": "c", "incident": "i", "job": {"job_id": "1", "person": {}}})),
        ] {
            let read = |value: &Value| match of {
                "" => read_envelope(value.to_string().as_bytes(), true).err(),
                _ => read_job(value).err(),
            };
            assert_eq!(read(&whole), None, "{of}");
            assert!(names(&format!("{of}/properties")).is_superset(&whole.as_object().unwrap().keys().cloned().collect()));
            for field in schema.pointer(&format!("{of}/required")).unwrap().as_array().unwrap() {
                let mut less = whole.clone();
                less.as_object_mut().unwrap().remove(field.as_str().unwrap());
                assert!(read(&less).is_some(), "{field} of `{of}`");
            }
        }
    }

    #[test]
    fn each_broken_job_has_its_code_and_null_is_absent() {
        let code = |value: Value| read_job(&value).err();
        assert_eq!(
            code(json!({"job_id": "1", "person": {"last_name": "Price", "phone": null, "address": ["1 High Street"]}})),
            None
        );
        assert_eq!(code(json!({"person": {}})), Some("missing_field"));
        assert_eq!(code(json!({"job_id": "1"})), Some("missing_field"));
        assert_eq!(code(json!({"job_id": "1", "person": {"phnoe": "x"}})), Some("unknown_field"));
        assert_eq!(code(json!({"job_id": "1", "person": {"phone": 7}})), Some("wrong_type"));
        assert_eq!(code(json!("x")), Some("wrong_type"));
    }

    #[test]
    fn a_job_brings_columns_of_its_own_in_bounds_and_by_names_that_templates_can_print() {
        let read =
            |columns: Value| read_job(&json!({"job_id": "1", "person": {"columns": columns}})).map(|job| job.person.columns);
        let joined = json!({"type": "date", "sensitive": true, "value": "2026-11-09"});
        let date = Column { kind: ColumnType::Date, sensitive: true };
        let both = read(json!({"pay_number_type": "old", "joined": joined, "left": null, "gone": {"value": null}})).unwrap();
        assert_eq!(
            both,
            [("joined".to_owned(), date, "2026-11-09".to_owned()), ("pay_number_type".into(), Column::default(), "old".into())]
        );
        for name in ["Pay", "pay-grade", "name", "phone", "address", "address_1", "columns", ""] {
            assert_eq!(read(json!({name: "x"})).err(), Some("unknown_field"), "{name}");
        }
        for odd in
            [json!(7), json!({"value": 7}), json!({}), json!({"type": "list", "value": "x"}), json!({"value": "x", "y": 1})]
        {
            assert_eq!(read(json!({"x": odd})).err(), Some("wrong_type"), "{odd}");
        }
        let many = |n: usize| Value::Object((0..n).map(|i| (format!("c{i}"), json!("x"))).collect());
        assert_eq!(read(many(COLUMNS_MAX)).map(|columns| columns.len()), Ok(COLUMNS_MAX));
        assert_eq!(read(many(COLUMNS_MAX + 1)).err(), Some("too_large"));
    }

    /// Whoever writes by the schema is read, and what it forbids is not.
    #[test]
    fn the_published_schema_bounds_columns_as_they_are_read() {
        let schema: Value = serde_json::from_str(include_str!("../../../docs/duly.job.v1.schema.json")).unwrap();
        let columns = &schema["$defs"]["person"]["properties"]["columns"];
        assert_eq!(columns["maxProperties"], json!(COLUMNS_MAX));
        let taken = columns["propertyNames"]["not"]["enum"].as_array().unwrap();
        assert_eq!(columns["propertyNames"]["pattern"], json!("^[a-z][a-z0-9_]{0,39}$"));
        for name in PERSON_FIELDS.iter().copied().chain(column_names()) {
            assert!(taken.contains(&json!(name)), "{name}");
        }
        for name in taken.iter().filter_map(Value::as_str) {
            assert_eq!(
                read_job(&json!({"job_id": "1", "person": {"columns": {name: "x"}}})).err(),
                Some("unknown_field"),
                "{name}"
            );
        }
        let cell = &columns["additionalProperties"]["oneOf"][1];
        let types = cell["properties"]["type"]["enum"].as_array().unwrap();
        assert!(types.iter().all(|word| ColumnType::of(word.as_str().unwrap()).is_some()), "{types:?}");
    }

    #[test]
    fn what_is_wrapped_is_read_again_by_the_holder_of_the_key_only() {
        let (public, secret) = crate::model::seal::generate_pair();
        let columns = vec![("pay_grade".to_owned(), Column { sensitive: true, ..Column::default() }, "7".to_owned())];
        let person = RawPerson { last_name: "Price".into(), columns: columns.clone(), ..RawPerson::default() };
        let job = Job { job_id: "j-1".into(), person };
        let body = wrap(&job, &Target { controller: "c".into(), incident: "i".into(), public_key: Some(public) }).unwrap();

        assert!(!String::from_utf8_lossy(&body).contains("Price"));
        let Content::Sealed(sealed) = read_envelope(&body, false).unwrap().content else { unreachable!() };
        let read = read_job(&serde_json::from_slice(&open_with(&secret, &sealed).unwrap()).unwrap()).unwrap();
        assert_eq!((read.job_id.as_str(), read.person.last_name.as_str(), read.person.columns), ("j-1", "Price", columns));
        assert!(open_with(&Key::generate(), &sealed).is_err());
    }

    #[test]
    fn every_code_has_a_remedy_of_its_own() {
        let remedies: std::collections::HashSet<&str> = REMEDIES.iter().map(|(code, _)| remedy(code)).collect();
        assert_eq!(remedies.len(), REMEDIES.len());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_get_a_code_and_never_a_panic(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Err(code) = read_envelope(&body, true) {
                prop_assert!(REMEDIES.iter().any(|(c, _)| *c == code));
            }
        }
    }
}
