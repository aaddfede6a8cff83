//! What is known of a person's contacts: checked as such, without refusing real people.

use phonenumber::Mode;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// One wrong field of a row: place and code, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Column.
    pub column: &'static str,
    /// Stable code.
    pub code: &'static str,
}

impl Fault {
    /// One sentence that tells the reader what to do.
    pub fn remedy(code: &str) -> &'static str {
        match code {
            "missing_reference" => "give the person a reference that is theirs alone in this incident, such as a pay number",
            "missing_name" => "give at least one name",
            "invalid_phone" => "write the number with its country code, such as +44 7700 900123, or leave it empty",
            "invalid_postcode" => "correct the postcode, such as SW1A 1AA, or set the country",
            "unknown_country" => "write the two-letter country code, such as GB or IE",
            "address_too_short" => "give street and town, or leave the whole address empty",
            "no_way_to_reach" => "give a phone number or a postal address",
            "no_fixed_abode" => "give a phone number or a care-of address: no letter can be sent to no fixed abode",
            "not_utf8" => "save the file as UTF-8 and import it again",
            "wrong_cells" => "give the row as many cells as the header",
            "duplicate_reference" => "the same reference stands elsewhere with other fields: decide which one is right",
            _ => "correct the field and import the row again",
        }
    }
}

/// The cells of a row, as read.
#[derive(Default)]
pub struct RawPerson {
    /// External reference.
    pub external_reference: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Phone as written.
    pub phone: String,
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
    /// Lines under the name, the postcode and foreign country among them.
    pub address: Option<Vec<String>>,
    /// BCP 47.
    pub language: String,
    /// Format preference.
    pub format: String,
    /// Jurisdiction.
    pub jurisdiction: String,
}

impl std::fmt::Debug for PersonRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonRecord(…)")
    }
}

impl PersonRecord {
    /// Checks a row; all its faults at once.
    pub fn check(raw: &RawPerson) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut keep = |result: Result<Option<String>, Fault>| result.unwrap_or_else(|fault| { faults.push(fault); None });
        let reference = clean(&raw.external_reference);
        let name = clean(&format!("{} {}", raw.first_name, raw.last_name));
        let country = keep(country(&raw.country)).unwrap_or_else(|| "GB".to_owned());
        let phone = keep(phone(&raw.phone, &country));
        let postcode = keep(postcode(&raw.postcode, &country));
        let wrong = !faults.is_empty();
        if reference.is_empty() || reference.chars().count() > 128 {
            faults.push(Fault { column: "external_reference", code: "missing_reference" });
        }
        if name.is_empty() {
            faults.push(Fault { column: "last_name", code: "missing_name" });
        }
        let mut address = None;
        match address_lines(raw, postcode.as_deref(), &country) {
            Ok(lines) => address = lines,
            Err(fault) if fault.code != "no_fixed_abode" || phone.is_none() => faults.push(fault),
            Err(_) => {}
        }
        if phone.is_none() && address.is_none() && faults.is_empty() && !wrong {
            faults.push(Fault { column: "phone", code: "no_way_to_reach" });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let or = |text: &str, default: &str| Some(clean(text)).filter(|t| !t.is_empty()).unwrap_or_else(|| default.to_owned());
        Ok(Self {
            external_reference: reference,
            name,
            phone,
            address,
            language: or(&raw.language, "en"),
            format: or(&raw.format, "standard"),
            jurisdiction: or(&raw.jurisdiction, &country),
        })
    }

    /// The envelope: the name, then the address lines.
    pub fn address_block(&self) -> Vec<String> {
        std::iter::once(self.name.clone()).chain(self.address.iter().flatten().cloned()).collect()
    }

    /// Where a message of this channel goes: the number, or the envelope's lines joined by line ends.
    pub fn destination(&self, channel: super::state::Channel) -> Option<String> {
        match channel {
            super::state::Channel::Sms => self.phone.clone(),
            super::state::Channel::Letter => self.address.as_ref().map(|_| self.address_block().join("\n")),
            super::state::Channel::Email => None,
        }
    }
}

/// NFC, without controls, bidi marks and zero-width characters, inner whitespace collapsed.
impl PersonRecord {
    /// An external reference as it is stored and hashed.
    pub fn normal_reference(text: &str) -> String {
        clean(text)
    }
}

fn clean(text: &str) -> String {
    let kept = text.nfc().filter(|c| {
        !c.is_control() || c.is_whitespace()
    });
    let kept: String = kept
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'))
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn phone(text: &str, country: &str) -> Result<Option<String>, Fault> {
    let fault = Fault { column: "phone", code: "invalid_phone" };
    let text = clean(text);
    if text.is_empty() {
        return Ok(None);
    }
    let region = country.parse().ok();
    let number = phonenumber::parse(region, text).map_err(|_| fault)?;
    if !number.is_valid() {
        return Err(fault);
    }
    Ok(Some(number.format().mode(Mode::E164).to_string()))
}

fn country(text: &str) -> Result<Option<String>, Fault> {
    let text = clean(text).to_uppercase();
    match text.as_str() {
        "" | "UK" | "GB" | "ENGLAND" | "WALES" | "SCOTLAND" | "NORTHERN IRELAND" | "UNITED KINGDOM" | "BFPO" => Ok(Some("GB".to_owned())),
        "IRELAND" => Ok(Some("IE".to_owned())),
        code if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) && code.parse::<phonenumber::country::Id>().is_ok() => Ok(Some(text)),
        _ => Err(Fault { column: "country", code: "unknown_country" }),
    }
}

/// UK postcodes are checked by shape and normalised; others are kept as written.
fn postcode(text: &str, country: &str) -> Result<Option<String>, Fault> {
    let text = clean(text).to_uppercase();
    if text.is_empty() || country != "GB" {
        return Ok(Some(text).filter(|t| !t.is_empty()));
    }
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let fault = Fault { column: "postcode", code: "invalid_postcode" };
    if let Some(number) = tight.strip_prefix("BFPO") {
        return if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) { Ok(Some(format!("BFPO {number}"))) } else { Err(fault) };
    }
    let bytes = tight.as_bytes();
    if !tight.is_ascii() || !(5..=7).contains(&bytes.len()) {
        return Err(fault);
    }
    let (outward, inward) = tight.split_at(tight.len() - 3);
    let inward_fits = inward.as_bytes()[0].is_ascii_digit() && inward.bytes().skip(1).all(|b| b.is_ascii_uppercase());
    let outward_fits = outward == "GIR"
        || (outward.as_bytes()[0].is_ascii_uppercase()
            && outward.bytes().all(|b| b.is_ascii_alphanumeric())
            && outward.bytes().any(|b| b.is_ascii_digit()));
    if inward_fits && outward_fits { Ok(Some(format!("{outward} {inward}"))) } else { Err(fault) }
}

fn address_lines(raw: &RawPerson, postcode: Option<&str>, country: &str) -> Result<Option<Vec<String>>, Fault> {
    let mut lines: Vec<String> = raw.address.iter().chain([&raw.town]).map(|line| clean(line)).filter(|line| !line.is_empty()).collect();
    if lines.iter().any(|line| matches!(line.to_uppercase().as_str(), "NFA" | "NO FIXED ABODE" | "NO FIXED ADDRESS")) {
        return Err(Fault { column: "address_1", code: "no_fixed_abode" });
    }
    if lines.is_empty() && postcode.is_none() {
        return Ok(None);
    }
    let Some(postcode) = postcode else {
        return if country == "GB" { Err(Fault { column: "postcode", code: "invalid_postcode" }) } else { foreign(lines, country) };
    };
    if lines.is_empty() {
        return Err(Fault { column: "address_1", code: "address_too_short" });
    }
    lines.push(postcode.to_owned());
    if country == "GB" { Ok(Some(lines)) } else { foreign(lines, country) }
}

fn foreign(mut lines: Vec<String>, country: &str) -> Result<Option<Vec<String>>, Fault> {
    lines.push(country.to_owned());
    if lines.len() < 2 { Err(Fault { column: "address_1", code: "address_too_short" }) } else { Ok(Some(lines)) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn raw() -> RawPerson {
        RawPerson {
            external_reference: "PN1".into(),
            first_name: "Siân".into(),
            last_name: "O'Brien-Ŵyn".into(),
            phone: "07400 123456".into(),
            address: vec!["1 Heol y Bont".into()],
            town: "Aberystwyth".into(),
            postcode: "sy232ax".into(),
            ..RawPerson::default()
        }
    }

    #[test]
    fn a_real_person_is_taken_and_normalised() {
        let person = PersonRecord::check(&raw()).unwrap();
        assert_eq!(person.phone.as_deref(), Some("+447400123456"));
        assert_eq!(person.address_block(), ["Siân O'Brien-Ŵyn", "1 Heol y Bont", "Aberystwyth", "SY23 2AX"]);
        assert_eq!(format!("{person:?}"), "PersonRecord(…)");
    }

    #[test]
    fn each_wrong_field_is_named_and_no_value_is() {
        let bad = RawPerson { external_reference: " ".into(), phone: "12".into(), postcode: "NOPE".into(), ..raw() };
        let codes: Vec<&str> = PersonRecord::check(&bad).unwrap_err().iter().map(|f| f.code).collect();
        assert!(codes.contains(&"missing_reference") && codes.contains(&"invalid_phone") && codes.contains(&"invalid_postcode"), "{codes:?}");
    }

    #[test]
    fn single_names_forces_and_no_fixed_abode_are_told_apart() {
        assert!(PersonRecord::check(&RawPerson { first_name: String::new(), last_name: "O".into(), ..raw() }).is_ok());
        let forces = PersonRecord::check(&RawPerson { postcode: "bfpo 58".into(), ..raw() }).unwrap();
        assert!(forces.address_block().contains(&"BFPO 58".to_owned()));
        let homeless = RawPerson { address: vec!["No Fixed Abode".into()], town: String::new(), postcode: String::new(), ..raw() };
        assert_eq!(PersonRecord::check(&homeless).unwrap().address, None);
        let unreachable = RawPerson { phone: String::new(), ..homeless };
        assert_eq!(PersonRecord::check(&unreachable).unwrap_err()[0].code, "no_fixed_abode");
    }
}
