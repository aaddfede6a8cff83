//! What is known of a person's contacts: checked as such, without refusing real people.

mod country;
pub mod email;
mod envelope;
mod fault;
mod phone;
mod postal;
mod preference;

pub use fault::Fault;
// An auditor cleans a list in the same way, with the small crate alone.
pub use duly_ledger::{clean, guard_formula, unguard_formula};

use super::column::{Cell, Column, unchecked};
use super::state::Channel;
use super::zone::zones;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest external reference, characters.
const REFERENCE_CHARS_MAX: usize = 128;
/// Longest full name, characters; real surnames of 60 have room.
const NAME_CHARS_MAX: usize = 200;
/// Letters and digits that cannot be mistaken for one another.
const CODE_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The fields of a row or job, as read.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawPerson {
    /// External reference.
    pub external_reference: String,
    /// First name.
    pub first_name: String,
    /// Last name, or the whole name.
    pub last_name: String,
    /// Phone as written.
    pub phone: String,
    /// Email address as written.
    pub email: String,
    /// Address lines before the town.
    pub address: Vec<String>,
    /// Town.
    pub town: String,
    /// Postcode.
    pub postcode: String,
    /// Country as written; empty: GB.
    pub country: String,
    /// Language; empty: en.
    pub language: String,
    /// Format; empty: standard.
    pub format: String,
    /// Jurisdiction; empty: the country.
    pub jurisdiction: String,
    /// Cells of the list's own columns, as read, and those of a job. Left out where there are none: the keyed hash of a
    /// job that was taken before has to stay the same.
    #[serde(with = "unchecked", skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<(String, Column, String)>,
}

/// A person who can be told; sealed as JSON, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// The controller's own name for the person.
    pub external_reference: String,
    /// Full name.
    pub name: String,
    /// E.164.
    pub phone: Option<String>,
    /// Email address. Left out where there is none: the keyed hash of a record that was taken before has to stay the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Lines under the name, the postcode and foreign country among them.
    pub address: Option<Vec<String>>,
    /// BCP 47.
    pub language: String,
    /// Format preference.
    pub format: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// What the list says beside it, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Cell>,
}

impl std::fmt::Debug for PersonRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonRecord(…)")
    }
}

/// A checked row: the person, and what the number can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The person.
    pub record: PersonRecord,
    /// Whether a text message can reach the number; false for landlines and where there is none.
    pub takes_texts: bool,
}

impl PersonRecord {
    /// An external reference as it is stored and hashed.
    pub fn normal_reference(text: &str) -> String {
        clean(text)
    }

    /// Checks a row; all its faults at once.
    pub fn check(raw: &RawPerson) -> Result<Checked, Vec<Fault>> {
        let mut faults = broken_texts(raw);
        let reference = clean(&raw.external_reference);
        check_reference(&reference, &mut faults);
        let name = clean(&format!("{} {}", raw.first_name, raw.last_name));
        check_name(&name, &mut faults);
        let country = keep(country::find(&raw.country), &mut faults);
        let region = country.map_or("GB", |c| c.code);
        let phone = keep(phone::check(&raw.phone, region), &mut faults).flatten();
        let address = country.map_or(Ok(None), |country| postal::check(raw, country));
        let email = keep(email::check(&raw.email), &mut faults).flatten();
        let takes_texts = phone.as_ref().is_some_and(|p| p.takes_texts);
        let is_reachable = takes_texts || email.is_some();
        let address = match address {
            // Somebody of no fixed abode can be told by text message or email.
            Err(fault) if fault.code == "no_fixed_abode" && is_reachable => None,
            other => keep(other, &mut faults).flatten(),
        };
        if faults.is_empty() && address.is_none() && !is_reachable {
            let code = if phone.is_some() { "phone_takes_no_texts" } else { "no_way_to_reach" };
            faults.push(Fault { column: "phone", code });
        }
        let language = keep(preference::language(&raw.language), &mut faults);
        let format = keep(preference::format(&raw.format), &mut faults);
        let columns = check_columns(raw, &mut faults);
        let jurisdiction = keep(preference::jurisdiction(&raw.jurisdiction, region), &mut faults);
        let (Some(language), Some(format), Some(jurisdiction), true) = (language, format, jurisdiction, faults.is_empty()) else {
            return Err(faults);
        };
        let phone = phone.map(|p| p.e164);
        let record = Self { external_reference: reference, name, phone, email, address, language, format, jurisdiction, columns };
        if record.address.is_some() && !envelope::fits(&record.address_block()) {
            return Err(vec![Fault { column: "address_1", code: "address_too_long" }]);
        }
        Ok(Checked { record, takes_texts })
    }

    /// The envelope: the name, then the address lines, broken and joined so that they fit a window envelope.
    pub fn address_block(&self) -> Vec<String> {
        envelope::block(&self.name, self.address.as_deref().unwrap_or_default())
    }

    /// Whether a text message can reach the number.
    pub fn takes_texts(&self) -> bool {
        self.phone.as_deref().and_then(|phone| phone::check(phone, "GB").ok().flatten()).is_some_and(|phone| phone.takes_texts)
    }

    /// Zones of time in which it may be night for whoever carries this phone.
    pub fn zones(&self) -> Vec<String> {
        zones(&self.jurisdiction, self.phone.as_deref().and_then(phone::country).as_deref())
    }

    /// Where a message of this channel goes: the number, the email address, or the envelope's lines joined by line ends.
    pub fn destination(&self, channel: Channel) -> Option<String> {
        match channel {
            Channel::Sms => self.phone.clone(),
            Channel::Letter => self.address.as_ref().map(|_| self.address_block().join("\n")),
            Channel::Email => self.email.clone(),
        }
    }
}

/// Whether this is the ISO 3166-1 code of a country.
pub fn is_country(code: &str) -> bool {
    country::is_code(code)
}

/// The ISO 3166-1 code of a country by its name, as the last line of an address writes it.
pub fn country_code(name: &str) -> Option<&'static str> {
    country::find(name).ok().filter(|_| !name.trim().is_empty()).map(|country| country.code)
}

/// `ABC2-3EFG`: 38 random bits; the store draws again where one is taken. A digit in each half: nobody is sent a code that
/// reads as a word, and none reads as a placeholder (`NULL`).
pub fn draw_reference_code() -> String {
    loop {
        let random: [u8; 8] = rand::rng().random();
        let code = random.map(|b| CODE_ALPHABET[usize::from(b % 32)]);
        if code.chunks(4).all(|half| half.iter().any(u8::is_ascii_digit)) {
            let [first, second] = [&code[..4], &code[4..]].map(|half| String::from_utf8_lossy(half).into_owned());
            return format!("{first}-{second}");
        }
    }
}

fn keep<T>(result: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

fn check_reference(reference: &str, faults: &mut Vec<Fault>) {
    if reference.is_empty() {
        faults.push(Fault { column: "external_reference", code: "missing_reference" });
    } else if reference.chars().count() > REFERENCE_CHARS_MAX {
        faults.push(Fault { column: "external_reference", code: "reference_too_long" });
    }
}

fn check_name(name: &str, faults: &mut Vec<Fault>) {
    if !name.chars().any(char::is_alphanumeric) {
        faults.push(Fault { column: "last_name", code: "missing_name" });
    } else if name.chars().count() > NAME_CHARS_MAX {
        faults.push(Fault { column: "last_name", code: "name_too_long" });
    }
}

fn check_columns(raw: &RawPerson, faults: &mut Vec<Fault>) -> BTreeMap<String, Cell> {
    let mut cells = BTreeMap::new();
    for (name, column, text) in &raw.columns {
        match Cell::check(*column, text) {
            Ok(cell) => cells.extend(cell.map(|cell| (name.clone(), cell))),
            Err(code) => faults.push(Fault { column: "own", code }),
        }
    }
    cells
}

/// U+FFFD stands where another program lost a character: nobody is addressed by half a name.
fn broken_texts(raw: &RawPerson) -> Vec<Fault> {
    let cells = [
        ("external_reference", &raw.external_reference),
        ("first_name", &raw.first_name),
        ("last_name", &raw.last_name),
        ("town", &raw.town),
    ];
    let lines = raw.address.iter().map(|line| ("address_1", line));
    let broken = cells.into_iter().chain(lines).filter(|(_, text)| text.contains('\u{fffd}'));
    broken.map(|(column, _)| Fault { column, code: "broken_text" }).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
