//! Phone numbers by libphonenumber's rules.

use super::clean;
use super::fault::Fault;
use phonenumber::{Mode, Type, metadata::DATABASE};
use unicode_normalization::UnicodeNormalization;

/// A valid number.
pub struct Phone {
    /// E.164.
    pub e164: String,
    /// Whether it can take a text message.
    pub takes_texts: bool,
}

/// Reads a number; without a country code it is one of `region`. Nothing is guessed: a wrong guess tells a stranger.
pub fn check(text: &str, region: &str) -> Result<Option<Phone>, Fault> {
    let text = clean(text);
    if text.is_empty() {
        return Ok(None);
    }
    let fault = Fault { column: "phone", code: "invalid_phone" };
    let text = if text.is_ascii() { text } else { text.nfkc().map(ascii_digit).collect() };
    // `07… / 07…` and `07… or 07…` are two numbers: which one is right is not ours to say.
    if text.chars().any(|c| matches!(c, '/' | ';' | ',' | '|' | '&')) || text.to_ascii_lowercase().contains(" or ") {
        return Err(fault);
    }
    // A number that names its country must not lose the zero that ours would put in front, as Rome's 06.
    let region = if text.trim_start().starts_with('+') { None } else { region.parse().ok() };
    let number = phonenumber::parse(region, &text).map_err(|_| fault)?;
    let kind = number.number_type(&DATABASE);
    // Where zeros belong to the number, as in Italy, the metadata know only its length; a mobile there has none.
    let is_valid = match number.national().zeros() {
        0 => kind != Type::Unknown || number.is_valid(),
        zeros => kind != Type::Mobile && (6..=12).contains(&(number.national().value().to_string().len() + usize::from(zeros))),
    };
    if !is_valid {
        return Err(fault);
    }
    let takes_texts = matches!(kind, Type::Mobile | Type::FixedLineOrMobile | Type::Voip);
    Ok(Some(Phone { e164: number.format().mode(Mode::E164).to_string(), takes_texts }))
}

/// The country of a number in E.164; `None` where several share its code, or nobody knows it.
pub fn country(e164: &str) -> Option<String> {
    phonenumber::parse(None, e164).ok()?.country().id().map(|id| id.as_ref().to_owned())
}

fn ascii_digit(c: char) -> char {
    let zero = match c {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{966}'..='\u{96f}' => 0x966,
        _ => return c,
    };
    char::from_digit(c as u32 - zero, 10).unwrap_or(c)
}
