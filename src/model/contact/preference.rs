//! Language, format and jurisdiction: stored in one spelling.

use super::clean;
use super::fault::Fault;

/// Longest word for a format, characters.
const FORMAT_CHARS_MAX: usize = 40;

const LANGUAGES: &[(&str, &str)] = &[
    ("english", "en"),
    ("saesneg", "en"),
    ("welsh", "cy"),
    ("cymraeg", "cy"),
    ("gaelic", "gd"),
    ("irish", "ga"),
    ("polish", "pl"),
    ("french", "fr"),
    ("german", "de"),
    ("spanish", "es"),
    ("portuguese", "pt"),
    ("italian", "it"),
    ("romanian", "ro"),
    ("greek", "el"),
    ("ukrainian", "uk"),
    ("russian", "ru"),
    ("turkish", "tr"),
    ("arabic", "ar"),
    ("urdu", "ur"),
    ("punjabi", "pa"),
    ("bengali", "bn"),
    ("gujarati", "gu"),
    ("hindi", "hi"),
    ("vietnamese", "vi"),
    ("chinese", "zh"),
    ("somali", "so"),
    ("lithuanian", "lt"),
];

const NATIONS: &[(&str, &str)] = &[
    ("UK", "GB"),
    ("ENGLAND", "GB-ENG"),
    ("WALES", "GB-WLS"),
    ("CYMRU", "GB-WLS"),
    ("SCOTLAND", "GB-SCT"),
    ("NORTHERN IRELAND", "GB-NIR"),
];

/// A BCP 47 tag in its usual spelling; empty: `en`.
pub fn language(text: &str) -> Result<String, Fault> {
    let text = clean(text).to_lowercase().replace('_', "-");
    if text.is_empty() {
        return Ok("en".to_owned());
    }
    if let Some((_, tag)) = LANGUAGES.iter().find(|(name, _)| *name == text) {
        return Ok((*tag).to_owned());
    }
    let fault = Fault { column: "language", code: "unknown_language" };
    let mut subtags = text.split('-');
    let primary = subtags.next().filter(|s| matches!(s.len(), 2 | 3) && is_alpha(s)).ok_or(fault)?;
    let mut tag = primary.to_owned();
    for subtag in subtags {
        if subtag.is_empty() || subtag.len() > 8 || !subtag.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(fault);
        }
        tag.push('-');
        match subtag.len() {
            2 => tag.push_str(&subtag.to_uppercase()),
            4 if is_alpha(subtag) => tag.push_str(&format!("{}{}", subtag[..1].to_uppercase(), &subtag[1..])),
            _ => tag.push_str(subtag),
        }
    }
    Ok(tag)
}

/// A format as one lower-case word with hyphens; empty: `standard`.
pub fn format(text: &str) -> Result<String, Fault> {
    let word = clean(text).to_lowercase().replace([' ', '_'], "-");
    let fits = word.len() <= FORMAT_CHARS_MAX && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match word.as_str() {
        "" => Ok("standard".to_owned()),
        _ if fits => Ok(word),
        _ => Err(Fault { column: "format", code: "unknown_format" }),
    }
}

/// An ISO 3166 country or subdivision; empty: the country of the address.
pub fn jurisdiction(text: &str, country: &str) -> Result<String, Fault> {
    let text = clean(text).to_uppercase();
    if text.is_empty() {
        return Ok(country.to_owned());
    }
    if let Some((_, code)) = NATIONS.iter().find(|(name, _)| *name == text) {
        return Ok((*code).to_owned());
    }
    let (head, part) = text.split_once('-').map_or((text.as_str(), None), |(head, part)| (head, Some(part)));
    let part_fits = part.is_none_or(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()));
    if super::country::is_code(head) && part_fits {
        Ok(text)
    } else {
        Err(Fault { column: "jurisdiction", code: "unknown_jurisdiction" })
    }
}

fn is_alpha(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphabetic())
}
