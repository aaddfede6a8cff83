//! Postal addresses: UK ones by the shape of their postcode, others by what the post needs, forces and no fixed abode
//! told apart.

use super::RawPerson;
use super::clean;
use super::country::Country;
use super::fault::Fault;

/// Longest line, characters; the envelope breaks what is too wide.
const LINE_CHARS_MAX: usize = 100;
/// The health service's code for no fixed abode.
const NO_FIXED_ABODE_CODE: &str = "ZZ993VZ";

/// The lines under the name, `None` where no address is given.
pub fn check(raw: &RawPerson, country: Country) -> Result<Option<Vec<String>>, Fault> {
    let cells = raw.address.iter().chain([&raw.town]);
    let mut lines: Vec<String> =
        cells.flat_map(|cell| cell.split(['\n', '\r'])).map(line).filter(|l| l.chars().any(char::is_alphanumeric)).collect();
    let postcode = clean(&raw.postcode).to_uppercase();
    let homeless = lines.iter().any(|l| says_no_fixed_abode(l)) || tight(&postcode) == NO_FIXED_ABODE_CODE;
    if homeless && !lines.iter().any(|l| says_care_of(l)) {
        return Err(Fault { column: "address_1", code: "no_fixed_abode" });
    }
    lines.retain(|l| !says_no_fixed_abode(l));
    if lines.is_empty() && postcode.is_empty() {
        return Ok(None);
    }
    if lines.iter().any(|l| l.chars().count() > LINE_CHARS_MAX) {
        return Err(Fault { column: "address_1", code: "address_too_long" });
    }
    if country.is_domestic() { domestic(lines, &postcode).map(Some) } else { abroad(lines, &postcode, country).map(Some) }
}

fn line(text: &str) -> String {
    clean(text).trim_end_matches([',', ' ']).to_owned()
}

fn says_no_fixed_abode(line: &str) -> bool {
    let line = line.to_uppercase();
    matches!(
        line.trim_start_matches("OF ").trim_end_matches('.'),
        "NFA" | "N.F.A" | "NO FIXED ABODE" | "NO FIXED ADDRESS" | "DIM CYFEIRIAD SEFYDLOG"
    )
}

fn says_care_of(line: &str) -> bool {
    let line = line.to_lowercase();
    line.starts_with("c/o") || line.starts_with("care of")
}

fn domestic(mut lines: Vec<String>, postcode: &str) -> Result<Vec<String>, Fault> {
    while lines.last().is_some_and(|l| is_home_country(l)) {
        lines.pop();
    }
    let fault = |code| Fault { column: "postcode", code };
    let postcode = match postcode {
        // Some lists write the postcode, or the number of a forces' post office, as the last line.
        "" => lines.pop_if(|l| uk_postcode(l).is_some()).and_then(|l| uk_postcode(&l)).ok_or(fault("missing_postcode"))?,
        written => uk_postcode(written).ok_or(fault("invalid_postcode"))?,
    };
    lines.retain(|l| uk_postcode(l).as_ref() != Some(&postcode));
    if lines.is_empty() {
        return Err(Fault { column: "address_1", code: "address_too_short" });
    }
    lines.push(postcode);
    Ok(lines)
}

fn abroad(mut lines: Vec<String>, postcode: &str, country: Country) -> Result<Vec<String>, Fault> {
    if bfpo(&tight(postcode)).is_some() || lines.iter().any(|l| bfpo(&tight(l)).is_some()) {
        return Err(Fault { column: "country", code: "bfpo_with_country" });
    }
    if lines.last().is_some_and(|l| l.to_uppercase() == country.name) {
        lines.pop();
    }
    if lines.is_empty() {
        return Err(Fault { column: "address_1", code: "address_too_short" });
    }
    if !postcode.is_empty() {
        lines.push(postcode.to_owned());
    }
    lines.push(country.name.to_owned());
    Ok(lines)
}

fn is_home_country(line: &str) -> bool {
    matches!(
        line.to_uppercase().as_str(),
        "UK" | "U.K."
            | "GB"
            | "UNITED KINGDOM"
            | "GREAT BRITAIN"
            | "ENGLAND"
            | "WALES"
            | "CYMRU"
            | "SCOTLAND"
            | "NORTHERN IRELAND"
    )
}

fn tight(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect()
}

fn bfpo(tight: &str) -> Option<String> {
    let number = tight.strip_prefix("BFPO")?;
    let fits = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| format!("BFPO {number}"))
}

/// A UK postcode by its shape, `SW1A 1AA`; also the forces' and the overseas territories'.
fn uk_postcode(text: &str) -> Option<String> {
    let tight = tight(text);
    if let Some(forces) = bfpo(&tight) {
        return Some(forces);
    }
    if !tight.is_ascii() || !(5..=7).contains(&tight.len()) {
        return None;
    }
    let (outward, inward) = tight.split_at(tight.len() - 3);
    // A letter, B digit.
    let shape: String = outward
        .bytes()
        .map(|b| {
            if b.is_ascii_uppercase() {
                'A'
            } else if b.is_ascii_digit() {
                'B'
            } else {
                '?'
            }
        })
        .collect();
    let outward_fits = match shape.as_str() {
        "AB" | "ABB" | "AAB" | "AABB" | "ABA" | "AABA" => true,
        "AAAA" => inward == "1ZZ",
        _ => outward == "GIR",
    };
    let inward_fits = inward.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && inward.bytes().skip(1).all(|b| b.is_ascii_uppercase() && !b"CIKMOV".contains(&b));
    (outward_fits && inward_fits && !outward.starts_with("ZZ")).then(|| format!("{outward} {inward}"))
}
