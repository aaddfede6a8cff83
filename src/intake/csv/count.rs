//! A reader of its own that only counts: one side of the equation, so it shares nothing with the one that imports.

use super::ListError;
use sha2::{Digest, Sha256};
use std::io::Read;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Data rows, without the header and blank ones.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
    /// The last row's quote is never closed.
    pub ends_in_quote: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Plain,
    Quoted,
    QuoteInQuoted,
}

struct Counter {
    separator: u8,
    place: Place,
    lines: u64,
    is_blank: bool,
}

/// Counts data rows.
pub fn count_rows(input: impl Read) -> Result<u64, ListError> {
    Ok(count(input)?.rows)
}

/// Counts and hashes in one pass.
pub fn count(mut input: impl Read) -> Result<Counted, ListError> {
    let mut head = Vec::new();
    input.by_ref().take(64 * 1024).read_to_end(&mut head)?;
    let mut hasher = Sha256::new();
    let mut counter = Counter { separator: separator(&head), place: Place::Start, lines: 0, is_blank: true };
    let mut bytes = head.len() as u64;
    hasher.update(&head);
    let without_mark = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    without_mark.iter().for_each(|byte| counter.take(*byte));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        bytes += n as u64;
        hasher.update(&buffer[..n]);
        buffer[..n].iter().for_each(|byte| counter.take(*byte));
    }
    let ends_in_quote = counter.place == Place::Quoted;
    counter.end_line();
    Ok(Counted { rows: counter.lines.saturating_sub(1), bytes, hash: hasher.finalize().into(), ends_in_quote })
}

impl Counter {
    fn take(&mut self, byte: u8) {
        let ends = matches!(byte, b'\r' | b'\n');
        self.place = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::QuoteInQuoted,
            (Place::Quoted, _) | (Place::QuoteInQuoted | Place::Start, b'"') => Place::Quoted,
            (_, _) if ends => return self.end_line(),
            (_, byte) if byte == self.separator => Place::Start,
            _ => Place::Plain,
        };
        self.is_blank &= byte == self.separator || ends || matches!(byte, b'"' | b' ' | b'\t');
    }

    fn end_line(&mut self) {
        self.lines += u64::from(!self.is_blank);
        (self.place, self.is_blank) = (Place::Start, true);
    }
}

fn separator(head: &[u8]) -> u8 {
    const CANDIDATES: [u8; 3] = *b",;\t";
    let (mut is_quoted, mut has_text) = (false, false);
    let mut line: Vec<u8> = Vec::new();
    for byte in head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head) {
        is_quoted ^= *byte == b'"';
        if matches!(byte, b'\r' | b'\n') && !is_quoted {
            if has_text {
                break;
            }
            line.clear();
        } else if !is_quoted {
            line.push(*byte);
        }
        has_text |= !CANDIDATES.contains(byte) && !b" \r\n\"".contains(byte);
    }
    let count = |wanted: u8| line.iter().filter(|byte| **byte == wanted).count();
    // The last of equals is taken: comma before semicolon before tab.
    CANDIDATES.into_iter().rev().max_by_key(|wanted| count(*wanted)).unwrap_or(b',')
}
