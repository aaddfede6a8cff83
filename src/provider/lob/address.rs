//! An address of the United States: lines of an envelope as the fields that Lob asks for.

use crate::provider::multipart::{Multipart, Part, text};

/// Names of the country that may stand in the last line.
const COUNTRY: &[&str] = &["UNITED STATES OF AMERICA", "UNITED STATES", "USA", "U.S.A.", "US"];
/// Longest name, characters.
const NAME_MAX: usize = 40;
/// Longest first and second line together, characters (`address_length_exceeds_limit`).
const LINES_MAX: usize = 50;

/// Name, one or two lines, city, state, ZIP code.
#[derive(Debug, PartialEq, Eq)]
pub struct UsAddress {
    name: String,
    line1: String,
    line2: String,
    city: String,
    state: String,
    zip: String,
}

impl UsAddress {
    /// Reads lines that end in `Portland, OR 97201`, or in `Portland, OR` and `97201`, the country perhaps behind them;
    /// `None` where they are no such address, or too long for Lob.
    pub fn parse(lines: &[String]) -> Option<Self> {
        let mut lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
        if lines.last().is_some_and(|line| COUNTRY.contains(&line.to_uppercase().as_str())) {
            lines.pop();
        }
        let (rest, zip) = last_word(&mut lines).filter(|(_, zip)| is_zip(zip))?;
        lines.extend((!rest.is_empty()).then_some(rest));
        let (city, state) = last_word(&mut lines).filter(|(_, state)| is_state(state))?;
        let city = match city.trim_end_matches([',', ' ']) {
            "" => lines.pop()?.trim_end_matches([',', ' ']),
            city => city,
        };
        let (name, line1, line2) = match lines[..] {
            [name, line1] => (name, line1, ""),
            [name, line1, line2] => (name, line1, line2),
            _ => return None,
        };
        let length = |text: &str| text.chars().count();
        let fits =
            length(name) <= NAME_MAX && length(line1) + length(line2) <= LINES_MAX && !line1.is_empty() && !city.is_empty();
        let [name, line1, line2, city, zip] = [name, line1, line2, city, zip].map(str::to_owned);
        fits.then(|| Self { name, line1, line2, city, state: state.to_uppercase(), zip })
    }

    /// The fields of a form.
    pub fn write(&self, who: &str, form: Multipart) -> Multipart {
        form.text(&format!("{who}[name]"), &self.name)
            .text(&format!("{who}[address_line1]"), &self.line1)
            .text(&format!("{who}[address_line2]"), &self.line2)
            .text(&format!("{who}[address_city]"), &self.city)
            .text(&format!("{who}[address_state]"), &self.state)
            .text(&format!("{who}[address_zip]"), &self.zip)
    }

    /// Reads those fields back.
    pub fn read(who: &str, form: &[Part<'_>]) -> Option<Self> {
        let field = |name: &str| text(form, &format!("{who}[{name}]")).map(str::to_owned);
        Some(Self {
            name: field("name")?,
            line1: field("address_line1")?,
            line2: field("address_line2").unwrap_or_default(),
            city: field("address_city")?,
            state: field("address_state")?,
            zip: field("address_zip")?,
        })
    }
}

/// Takes the last line; what stands before its last word, and that word.
fn last_word<'a>(lines: &mut Vec<&'a str>) -> Option<(&'a str, &'a str)> {
    let line = lines.pop()?;
    Some(line.rsplit_once(' ').unwrap_or(("", line)))
}

fn is_zip(text: &str) -> bool {
    let is_digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('-') {
        Some((five, four)) => is_digits(five, 5) && is_digits(four, 4),
        None => is_digits(text, 5),
    }
}

fn is_state(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(lines: &str) -> Option<UsAddress> {
        UsAddress::parse(&lines.split('\n').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_same_address_is_read_from_each_way_of_writing_it() {
        let expected = parse("Ann Price\n1 Main St\nPortland, OR 97201").unwrap();
        for lines in [
            "Ann Price\n1 Main St\nPortland OR 97201\nUSA",
            "Ann Price\n1 Main St\nPortland, or\n97201\nUNITED STATES OF AMERICA",
            "Ann Price\n1 Main St\nPortland\nOR\n97201",
            "Ann Price\n1 Main St\nPortland,\nOR 97201",
        ] {
            assert_eq!(parse(lines).as_ref(), Some(&expected), "{lines}");
        }
        assert_eq!((expected.city.as_str(), expected.state.as_str(), expected.line2.as_str()), ("Portland", "OR", ""));
        assert_eq!(parse("A B\n1 Main St\nApt 2\nSt. Louis, MO 63101-1234").unwrap().zip, "63101-1234");
    }

    #[test]
    fn what_is_no_address_of_the_country_is_refused() {
        let long = "x".repeat(51);
        for lines in [
            "",
            "Ann Price",
            "Ann Price\nPortland, OR 97201",
            "Ann Price\n1 High Street\nLeeds\nLS1 4AP",
            "Ann Price\n1 Main St\nPortland\n97201",
            "Ann Price\n1 Main St\nPortland, OR 9720",
            "Ann Price\n1\n2\n3\nPortland, OR 97201",
            &format!("Ann Price\n{long}\nPortland, OR 97201"),
            &format!("{long}\n1 Main St\nPortland, OR 97201"),
        ] {
            assert_eq!(parse(lines), None, "{lines}");
        }
    }
}
