//! Size of a text message: GSM 7-bit or UCS-2, by 3GPP TS 23.038 and 23.040.

/// The basic table of 3GPP TS 23.038, without the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Characters that take an escape and a second septet.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How a text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsEncoding {
    /// 7 bits, 160 in one segment, 153 in each of several.
    Gsm7,
    /// 16 bits, 70 in one segment, 67 in each of several.
    Ucs2,
}

/// What a text costs in segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsSize {
    /// Encoding of the whole text.
    pub encoding: SmsEncoding,
    /// Septets or 16-bit units.
    pub units: usize,
    /// Segments.
    pub segments: usize,
}

/// Measures a text; a pair (escape and character, or two surrogates) never straddles two segments.
pub fn measure(text: &str) -> SmsSize {
    let septets: Option<Vec<usize>> = text.chars().map(septets).collect();
    match septets {
        Some(widths) => size(SmsEncoding::Gsm7, &widths, 160, 153),
        None => size(SmsEncoding::Ucs2, &text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

/// Whether a character keeps a text in the 7-bit alphabet.
pub fn is_basic(c: char) -> bool {
    septets(c).is_some()
}

/// Septets of one character; `None`: the table has none for it. Most characters of a text are letters and spaces.
fn septets(c: char) -> Option<usize> {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' => Some(1),
        c if BASIC.contains(c) => Some(1),
        c if EXTENSION.contains(c) => Some(2),
        _ => None,
    }
}

fn size(encoding: SmsEncoding, widths: &[usize], single: usize, part: usize) -> SmsSize {
    let units: usize = widths.iter().sum();
    if units <= single {
        return SmsSize { encoding, units, segments: 1 };
    }
    let (mut segments, mut used) = (1, 0);
    for width in widths {
        if used + width > part {
            segments += 1;
            used = 0;
        }
        used += width;
    }
    SmsSize { encoding, units, segments }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_the_standard_at_each_boundary() {
        let segments = |text: String| measure(&text).segments;
        assert_eq!([160, 161, 306, 307].map(|n| segments("a".repeat(n))), [1, 2, 2, 3]);
        assert_eq!([70, 71, 134, 135].map(|n| segments("ŵ".repeat(n))), [1, 2, 2, 3]);
        assert_eq!([80, 81].map(|n| segments("€".repeat(n))), [1, 2]);
    }

    #[test]
    fn a_pair_never_straddles_two_segments() {
        // 152 septets, then an escape pair that would take the 153rd and 154th.
        let text = format!("{}€{}", "a".repeat(152), "a".repeat(152));
        assert_eq!(measure(&text).segments, 3);
        assert_eq!(measure(&format!("{}😀{}", "ŵ".repeat(66), "ŵ".repeat(66))).segments, 3);
    }
}
