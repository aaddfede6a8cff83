//! The address as it stands in the window of an envelope.

/// Lines that the window of a UK DL envelope holds, the name among them.
pub const LINES_MAX: usize = 7;
/// Width of a line, hundredths of an em; the window is 86 mm wide and the type 10 pt.
const WIDTH_MAX: u32 = 2350;

/// The name and the address lines: long ones broken, short ones joined while there are too many.
pub fn block(name: &str, address: &[String]) -> Vec<String> {
    let mut lines = broken(name);
    let names = lines.len();
    lines.extend(address.iter().flat_map(|line| broken(line)));
    while lines.len() > LINES_MAX {
        // The name stands alone, and so do postcode and country at the end.
        let last = lines.len().saturating_sub(2);
        let joined =
            (names..last).filter_map(|i| Some((i, format!("{}, {}", lines.get(i)?, lines.get(i + 1).filter(|_| i + 1 < last)?))));
        let Some((i, line)) = joined.filter(|(_, line)| width(line) <= WIDTH_MAX).min_by_key(|(_, line)| width(line)) else {
            break;
        };
        lines[i] = line;
        lines.remove(i + 1);
    }
    lines
}

/// Whether a block fits the window.
pub fn fits(lines: &[String]) -> bool {
    lines.len() <= LINES_MAX
}

/// Breaks a line between words, and a word that is longer than a line by a hyphen.
fn broken(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let current = lines.last().map_or(0, |l| width(l));
        if current > 0 && current + width(word) + 26 > WIDTH_MAX {
            lines.push(String::new());
        }
        for piece in pieces(word) {
            if piece.starts_at_new_line {
                lines.push(String::new());
            }
            if let Some(last) = lines.last_mut() {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(&piece.text);
            }
        }
    }
    lines
}

struct Piece {
    text: String,
    starts_at_new_line: bool,
}

fn pieces(word: &str) -> Vec<Piece> {
    let mut pieces = vec![Piece { text: String::new(), starts_at_new_line: false }];
    let mut so_far = 0;
    for c in word.chars() {
        so_far += char_width(c);
        if so_far + 32 > WIDTH_MAX && !unicode_normalization::char::is_combining_mark(c) {
            if let Some(last) = pieces.last_mut() {
                last.text.push('-');
            }
            pieces.push(Piece { text: String::new(), starts_at_new_line: true });
            so_far = char_width(c);
        }
        if let Some(last) = pieces.last_mut() {
            last.text.push(c);
        }
    }
    pieces
}

fn width(text: &str) -> u32 {
    text.chars().map(char_width).sum()
}

/// A little more than what the letter's type needs, hundredths of an em.
fn char_width(c: char) -> u32 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | '\'' | '’' | ' ' => 30,
        'f' | 'r' | 't' | 's' | '-' => 46,
        'm' | 'M' | 'W' | 'w' | '@' | '%' => 95,
        'A'..='Z' => 74,
        '\u{1100}'.. => 100,
        c if c.is_uppercase() => 78,
        _ => 61,
    }
}
