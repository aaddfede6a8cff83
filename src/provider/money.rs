//! Prices as vendors write them.

use super::Cost;

/// Digits behind the point of thousandths of a hundredth.
const DIGITS: usize = 5;

/// `0.81` of a currency of a hundred parts, as thousandths of such a part; `None` where it is no price, or finer.
pub fn cost(decimal: &str, currency: &str) -> Option<Cost> {
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    let part = part.trim_end_matches('0');
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_currency = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_alphabetic());
    if whole.is_empty() || part.len() > DIGITS || !is_number(whole) || !is_number(part) || !is_currency {
        return None;
    }
    let milli = format!("{whole}{part:0<DIGITS$}").parse().ok()?;
    Some(Cost { milli, currency: currency.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_exactly() {
        for (text, milli) in [("0.81", 81_000), ("0.04000", 4_000), ("1", 100_000), ("12.34567", 1_234_567), ("0.00", 0)] {
            assert_eq!(cost(text, "gbp"), Some(Cost { milli, currency: "GBP".into() }), "{text}");
        }
        for text in ["", ".5", "-1", "0.000001", "1e3", "99999999999999999999"] {
            assert_eq!(cost(text, "GBP"), None, "{text}");
        }
        assert_eq!(cost("1", ""), None);
    }
}
