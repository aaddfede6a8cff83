//! The bytes of an event: a JSON object that anyone can read and nobody can write in two ways.
//!
//! Keys in ASCII order, no whitespace, ASCII strings, integers below 2^53, no floats, at most 4096 bytes. The leaf
//! hash is over exactly these bytes; a reader never writes them again in order to hash.

use crate::hash::to_hex;
use serde_json::{Map, Value};

/// Largest event, bytes.
pub(crate) const BYTES_MAX: usize = 4096;
/// Largest integer that every JSON reader keeps.
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why bytes are not an event, or an event has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A string outside printable ASCII, or one that needs escaping.
    #[error("an event holds a string that is not plain ASCII")]
    NotAscii,
    /// A float, or an integer of 2^53 or more.
    #[error("an event holds a number that is not a small integer")]
    NotInteger,
    /// Too long.
    #[error("an event of {0} bytes is longer than 4096")]
    TooLong(usize),
    /// A time outside the years 0000 to 9999.
    #[error("an event's time is out of range")]
    Time,
    /// `n`, `person` and `prev` do not go together: all absent, or `prev` absent exactly at n = 1.
    #[error("an event's place in its person's chain is contradictory")]
    Chain,
    /// Not JSON, or fields are missing or of the wrong kind.
    #[error("the bytes are not an event")]
    Malformed,
    /// Another spelling of an event: order, whitespace, a key twice.
    #[error("the bytes are not canonical")]
    NotCanonical,
}

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// UUIDv7 of this event, hyphenated.
    pub id: String,
    /// UUIDv7 of the incident, hyphenated.
    pub inc: String,
    /// What kind of fact, for example `message.intent`.
    pub kind: String,
    /// 1.. of this person; `None` for the incident's own events.
    pub n: Option<u64>,
    /// The person.
    pub person: Option<[u8; 16]>,
    /// Leaf hash of the person's event before.
    pub prev: Option<[u8; 32]>,
    /// Microseconds since 1970, UTC, by the database's clock.
    pub at_micros: i64,
    /// What the kind adds.
    pub detail: Map<String, Value>,
}

impl Event {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EventError> {
        match (self.n, self.person, self.prev) {
            (None, None, None) | (Some(1), Some(_), None) => {}
            (Some(2..), Some(_), Some(_)) => {}
            _ => return Err(EventError::Chain),
        }
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"{\"d\":");
        write_object(&mut out, &self.detail)?;
        for (key, value) in [("id", &self.id), ("inc", &self.inc), ("k", &self.kind)] {
            write_field(&mut out, key, value)?;
        }
        if let (Some(n), Some(person)) = (self.n, &self.person) {
            if n > INTEGER_MAX {
                return Err(EventError::NotInteger);
            }
            out.extend_from_slice(format!(",\"n\":{n}").as_bytes());
            write_field(&mut out, "p", &to_hex(person))?;
            match &self.prev {
                Some(prev) => write_field(&mut out, "prev", &to_hex(prev))?,
                None => out.extend_from_slice(b",\"prev\":null"),
            }
        }
        write_field(&mut out, "t", &time_text(self.at_micros)?)?;
        out.extend_from_slice(b",\"v\":1}");
        if out.len() > BYTES_MAX { Err(EventError::TooLong(out.len())) } else { Ok(out) }
    }

    /// Reads an event and refuses every spelling but the canonical one.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        if bytes.len() > BYTES_MAX {
            return Err(EventError::TooLong(bytes.len()));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|_| EventError::Malformed)?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or(EventError::Malformed);
        let person = value.get("p").map(|p| from_hex::<16>(p.as_str())).transpose()?;
        let prev = match value.get("prev") {
            None | Some(Value::Null) => None,
            Some(prev) => Some(from_hex::<32>(prev.as_str())?),
        };
        let event = Self {
            id: text("id")?,
            inc: text("inc")?,
            kind: text("k")?,
            n: value.get("n").and_then(Value::as_u64),
            person,
            prev,
            at_micros: micros_of(&text("t")?).ok_or(EventError::Malformed)?,
            detail: value.get("d").and_then(Value::as_object).cloned().ok_or(EventError::Malformed)?,
        };
        if event.to_bytes()? == bytes { Ok(event) } else { Err(EventError::NotCanonical) }
    }
}

/// Whether bytes are an object in the event's JSON profile, whatever it says.
pub(crate) fn is_canonical(bytes: &[u8]) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_slice(bytes) else { return false };
    let mut written = Vec::with_capacity(bytes.len());
    bytes.len() <= BYTES_MAX && write_object(&mut written, &object).is_ok() && written == bytes
}

fn write_field(out: &mut Vec<u8>, key: &str, value: &str) -> Result<(), EventError> {
    out.push(b',');
    write_string(out, key)?;
    out.push(b':');
    write_string(out, value)
}

fn write_string(out: &mut Vec<u8>, text: &str) -> Result<(), EventError> {
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\') {
        return Err(EventError::NotAscii);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

fn write_object(out: &mut Vec<u8>, object: &Map<String, Value>) -> Result<(), EventError> {
    let mut keys: Vec<&String> = object.keys().collect();
    keys.sort_unstable();
    out.push(b'{');
    for (i, key) in keys.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(out, key)?;
        out.push(b':');
        write_value(out, object.get(key).unwrap_or(&Value::Null))?;
    }
    out.push(b'}');
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: &Value) -> Result<(), EventError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => match number.as_i64() {
            Some(i) if i.unsigned_abs() <= INTEGER_MAX => out.extend_from_slice(i.to_string().as_bytes()),
            _ => return Err(EventError::NotInteger),
        },
        Value::String(text) => write_string(out, text)?,
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(out, item)?;
            }
            out.push(b']');
        }
        Value::Object(object) => write_object(out, object)?,
    }
    Ok(())
}

fn from_hex<const N: usize>(text: Option<&str>) -> Result<[u8; N], EventError> {
    let text = text.filter(|t| t.len() == 2 * N && t.is_ascii()).ok_or(EventError::Malformed)?;
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| EventError::Malformed)?;
    }
    Ok(bytes)
}

/// `2026-11-23T22:40:05.000001Z`. Civil date from days, after Howard Hinnant's published algorithm.
pub fn time_text(micros: i64) -> Result<String, EventError> {
    let (days, of_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = civil(days);
    if !(0..=9999).contains(&year) {
        return Err(EventError::Time);
    }
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{fraction:06}Z"))
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// Microseconds since 1970 of a time as `time_text` writes it; `None` for every other spelling and for no date.
pub fn micros_of(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let has_marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if text.len() != 27 || has_marks.iter().any(|(i, mark)| text.get(*i) != Some(mark)) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        text.get(range)?.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let yoe = y.rem_euclid(400);
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * m + 2) / 5 + day - 1;
    let days = y.div_euclid(400) * 146_097 + doe - 719_468;
    let is_time = hour < 24 && minute < 60 && second < 60 && civil(days) == (year, month, day);
    is_time.then_some(((days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000) + number(20..26)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Event {
        Event {
            id: "019355a0-0000-7000-8000-000000000001".into(),
            inc: "019355a0-0000-7000-8000-000000000002".into(),
            kind: "message.intent".into(),
            n: Some(1),
            person: Some([0xab; 16]),
            prev: None,
            at_micros: 1_764_024_005_000_001,
            detail: json!({"channel": "sms", "attempt": 1}).as_object().unwrap().clone(),
        }
    }

    #[test]
    fn an_event_has_golden_bytes_and_reads_back() {
        let golden = concat!(
            r#"{"d":{"attempt":1,"channel":"sms"},"id":"019355a0-0000-7000-8000-000000000001","#,
            r#""inc":"019355a0-0000-7000-8000-000000000002","k":"message.intent","n":1,"#,
            r#""p":"abababababababababababababababab","prev":null,"t":"2025-11-24T22:40:05.000001Z","v":1}"#
        );
        assert_eq!(String::from_utf8(sample().to_bytes().unwrap()).unwrap(), golden);
        assert_eq!(Event::parse(golden.as_bytes()), Ok(sample()));
    }

    #[test]
    fn another_spelling_is_refused() {
        let text = String::from_utf8(sample().to_bytes().unwrap()).unwrap();
        for other in [
            text.replace(":1,", ": 1,"),
            text.replace("\"n\":1", "\"n\":1,\"n\":1"),
            text.replace("\"attempt\":1", "\"attempt\":1.5"),
        ] {
            assert!(Event::parse(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn personal_text_cannot_slip_in_as_unicode_or_length() {
        let mut event = sample();
        event.detail.insert("x".into(), json!("Łukasz"));
        assert_eq!(event.to_bytes(), Err(EventError::NotAscii));
        event.detail.insert("x".into(), json!("a".repeat(5000)));
        assert!(matches!(event.to_bytes(), Err(EventError::TooLong(_))));
    }
}
