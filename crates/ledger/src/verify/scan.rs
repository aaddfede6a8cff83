//! Reads an event without building it: borrowed fields, and nothing but the canonical spelling.
//!
//! Values of `d` are plain here. An event with nested values is canonical too, but of no kind that is known.

use crate::event::{BYTES_MAX, INTEGER_MAX, micros_of};
use crate::hash::from_hex;

/// A value of `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain<'a> {
    /// A string.
    Text(&'a str),
    /// An integer.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// `null`.
    Null,
}

/// Where an event stands in its person's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 1, 2, …
    pub n: u64,
    /// The person.
    pub person: [u8; 16],
    /// Leaf hash of the event before; `None` at n = 1.
    pub prev: Option<[u8; 32]>,
}

/// An event, borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<'a> {
    /// Its id.
    pub id: &'a str,
    /// The log's id.
    pub inc: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its place in a person's chain.
    pub place: Option<Place>,
    /// Microseconds since 1970.
    pub at_micros: i64,
    /// `d`, ascending by name.
    pub detail: Vec<(&'a str, Plain<'a>)>,
}

impl<'a> Fact<'a> {
    /// A value of `d`.
    pub fn get(&self, name: &str) -> Option<Plain<'a>> {
        self.detail.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    /// A string of `d`.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        if let Some(Plain::Text(text)) = self.get(name) { Some(text) } else { None }
    }

    /// An integer of `d` that is not negative.
    pub fn number(&self, name: &str) -> Option<u64> {
        if let Some(Plain::Number(number)) = self.get(name) { u64::try_from(number).ok() } else { None }
    }

    /// Whether `d` says `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(Plain::Flag(true))
    }

    /// Bytes of `d` in hexadecimal.
    pub fn hex<const N: usize>(&self, name: &str) -> Option<[u8; N]> {
        from_hex(self.text(name)?)
    }
}

/// A hyphenated UUID in lower case.
pub fn from_uuid(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    if digits.len() != 36 || [8, 13, 18, 23].iter().any(|i| digits.get(*i) != Some(&b'-')) {
        return None;
    }
    let mut plain = [0; 32];
    let mut rest = digits.iter().enumerate().filter(|(i, _)| ![8, 13, 18, 23].contains(i)).map(|(_, digit)| *digit);
    plain.iter_mut().for_each(|digit| *digit = rest.next().unwrap_or(b'-'));
    from_hex(std::str::from_utf8(&plain).ok()?)
}

/// Reads an event; `None` for bytes that are none, are not canonical, or have nested values in `d`.
pub fn scan(bytes: &[u8]) -> Option<Fact<'_>> {
    let text = std::str::from_utf8(bytes).ok().filter(|t| t.len() <= BYTES_MAX)?;
    let mut rest = Rest(text);
    rest.expect("{\"d\":")?;
    let detail = rest.plain_object()?;
    let id = rest.field(",\"id\":")?;
    let inc = rest.field(",\"inc\":")?;
    let kind = rest.field(",\"k\":")?;
    let place = if rest.0.starts_with(",\"n\":") { Some(rest.place()?) } else { None };
    let at_micros = micros_of(rest.field(",\"t\":")?)?;
    rest.expect(",\"v\":1}")?;
    rest.0.is_empty().then_some(Fact { id, inc, kind, place, at_micros, detail })
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn expect(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn field(&mut self, name: &str) -> Option<&'a str> {
        self.expect(name)?;
        self.string()
    }

    fn string(&mut self) -> Option<&'a str> {
        self.expect("\"")?;
        let plain = |b: &u8| (0x20..0x7f).contains(b) && *b != b'"' && *b != b'\\';
        let end = self.0.bytes().position(|b| !plain(&b))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        self.expect("\"")?;
        Some(text)
    }

    fn integer(&mut self) -> Option<i64> {
        let end = self.0.bytes().position(|b| !b.is_ascii_digit() && b != b'-')?;
        let (digits, rest) = self.0.split_at_checked(end)?;
        let number: i64 = digits.parse().ok()?;
        let has_one_spelling = match digits.strip_prefix('-') {
            Some(positive) => !positive.starts_with('0'),
            None => digits == "0" || !digits.starts_with('0'),
        };
        self.0 = rest;
        (has_one_spelling && number.unsigned_abs() <= INTEGER_MAX).then_some(number)
    }

    fn place(&mut self) -> Option<Place> {
        self.expect(",\"n\":")?;
        let n = self.integer().and_then(|n| u64::try_from(n).ok())?;
        let person = from_hex(self.field(",\"p\":")?)?;
        let prev = match self.expect(",\"prev\":null") {
            Some(()) => None,
            None => Some(from_hex(self.field(",\"prev\":")?)?),
        };
        (n > 0 && (n == 1) == prev.is_none()).then_some(Place { n, person, prev })
    }

    fn plain_object(&mut self) -> Option<Vec<(&'a str, Plain<'a>)>> {
        let mut fields: Vec<(&str, Plain)> = Vec::with_capacity(16);
        self.expect("{")?;
        if self.expect("}").is_some() {
            return Some(fields);
        }
        loop {
            let name = self.string()?;
            // Ascending, so no name stands twice.
            if fields.last().is_some_and(|(last, _)| *last >= name) {
                return None;
            }
            self.expect(":")?;
            fields.push((name, self.plain()?));
            if self.expect("}").is_some() {
                return Some(fields);
            }
            self.expect(",")?;
        }
    }

    fn plain(&mut self) -> Option<Plain<'a>> {
        match self.0.as_bytes().first()? {
            b'"' => self.string().map(Plain::Text),
            b't' => self.expect("true").map(|()| Plain::Flag(true)),
            b'f' => self.expect("false").map(|()| Plain::Flag(false)),
            b'n' => self.expect("null").map(|()| Plain::Null),
            _ => self.integer().map(Plain::Number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use proptest::prelude::*;
    use serde_json::Value;

    fn is_plain(event: &Event) -> bool {
        event.detail.values().all(|value| !value.is_object() && !value.is_array())
    }

    /// The scanner and the builder are two readers of one format: they must not differ on any bytes.
    fn agree(bytes: &[u8]) {
        let (scanned, parsed) = (scan(bytes), Event::parse(bytes).ok().filter(is_plain));
        assert_eq!(scanned.is_some(), parsed.is_some(), "{}", String::from_utf8_lossy(bytes));
        let (Some(fact), Some(event)) = (scanned, parsed) else { return };
        assert_eq!((fact.id, fact.inc, fact.kind, fact.at_micros), (&*event.id, &*event.inc, &*event.kind, event.at_micros));
        assert_eq!(
            fact.place.map(|place| (place.n, place.person, place.prev)),
            event.n.zip(event.person).map(|(n, p)| (n, p, event.prev))
        );
        let values: Vec<(&str, Value)> = fact.detail.iter().map(|(name, value)| (*name, value_of(value))).collect();
        assert_eq!(values.len(), event.detail.len());
        assert!(values.iter().all(|(name, value)| event.detail.get(*name) == Some(value)));
    }

    fn value_of(plain: &Plain) -> Value {
        match *plain {
            Plain::Text(text) => text.into(),
            Plain::Number(number) => number.into(),
            Plain::Flag(flag) => flag.into(),
            Plain::Null => Value::Null,
        }
    }

    const GOLDEN: &str = include_str!("../../tests/kinds.jsonl");

    #[test]
    fn the_scanner_reads_every_golden_event_as_the_builder_does() {
        GOLDEN.lines().for_each(|line| agree(line.as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_changed_byte_is_read_alike(line in 0..GOLDEN.lines().count(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = GOLDEN.lines().nth(line).unwrap_or_default().as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            agree(&bytes);
        }

        #[test]
        fn an_exchanged_part_is_read_alike(line in 0..GOLDEN.lines().count(), from in "(\"attempt\":1|\"v\":1|null|\"n\":[0-9]|T08|11-24|\"to\")", to in "(\"attempt\":(01|-1|-0|1e1|9007199254740991|9007199254740992)|\"v\":[12]|null|\"n\":[0-9]|T24|02-29|\"a\"|\\{\\}|\\[\\])") {
            let text = GOLDEN.lines().nth(line).unwrap_or_default();
            agree(text.replacen(&from, &to, 1).as_bytes());
        }
    }
}
