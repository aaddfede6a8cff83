//! Records of a CSV file in bounded memory: a row without end is cut, counted and named, never kept whole.

use super::ListError;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::Read;

/// Longest row that is taken, bytes; what comes after is read and dropped, and the row is quarantined.
pub const ROW_BYTES_MAX: usize = 64 * 1024;
/// Most cells of a row.
const CELLS_MAX: usize = 256;
const BUFFER_BYTES: usize = 64 * 1024;

/// Reads records; the newest one stays in place until the next.
pub struct Records<R> {
    input: R,
    core: Reader,
    delimiter: u8,
    buffer: Vec<u8>,
    next: usize,
    filled: usize,
    bytes_read: u64,
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    cells: usize,
    is_too_long: bool,
    has_content: bool,
}

impl<R: Read> Records<R> {
    /// Looks at the first bytes: encoding, byte order mark, delimiter.
    pub fn open(input: R) -> Result<Self, ListError> {
        let mut records = Self {
            input,
            core: Reader::new(),
            delimiter: b',',
            buffer: vec![0; BUFFER_BYTES],
            next: 0,
            filled: 0,
            bytes_read: 0,
            text: vec![0; ROW_BYTES_MAX],
            text_len: 0,
            ends: vec![0; CELLS_MAX],
            cells: 0,
            is_too_long: false,
            has_content: false,
        };
        records.fill()?;
        let head = &records.buffer[..records.filled];
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(ListError::Utf16);
        }
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
            return Err(ListError::Spreadsheet);
        }
        if head.starts_with(b"\xef\xbb\xbf") {
            records.next = 3;
        }
        records.delimiter = find_delimiter(&records.buffer[records.next..records.filled]);
        records.core = ReaderBuilder::new().delimiter(records.delimiter).build();
        Ok(records)
    }

    /// Reads the next record that is not blank; false at the end.
    pub fn read(&mut self) -> Result<bool, ListError> {
        loop {
            if !self.read_any()? {
                return Ok(false);
            }
            if self.has_content {
                return Ok(true);
            }
        }
    }

    fn read_any(&mut self) -> Result<bool, ListError> {
        (self.text_len, self.cells, self.is_too_long, self.has_content) = (0, 0, false, false);
        let (mut spare, mut spare_ends) = ([0; 4096], [0; 64]);
        loop {
            if self.next == self.filled {
                self.fill()?;
            }
            let input = &self.buffer[self.next..self.filled];
            let full = self.is_too_long;
            let text: &mut [u8] = if full { &mut spare } else { &mut self.text[self.text_len..] };
            let ends: &mut [usize] = if full { &mut spare_ends } else { &mut self.ends[self.cells..] };
            let (result, used, written, ended) = self.core.read_record(input, text, ends);
            self.has_content |= text[..written].iter().any(|byte| !is_blank(*byte, self.delimiter));
            self.next += used;
            if !full {
                self.text_len += written;
                self.cells += ended;
            }
            match result {
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => self.is_too_long = true,
                ReadRecordResult::InputEmpty => {}
            }
        }
    }

    fn fill(&mut self) -> std::io::Result<()> {
        (self.next, self.filled) = (0, 0);
        while self.filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => break,
                Ok(n) => self.filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes_read += self.filled as u64;
        Ok(())
    }
}

impl<R> Records<R> {
    /// Cells of the newest record; of one that is too long, what was kept.
    pub fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let ends = &self.ends[..self.cells];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        // The cell in which a long record was cut has no end.
        let cut = self.is_too_long.then(|| (ends.last().copied().unwrap_or(0), self.text_len));
        starts.zip(ends.iter().copied()).chain(cut).map(|(start, end)| self.text.get(start..end).unwrap_or_default())
    }

    /// Whether the newest record was cut.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// Bytes read from the input.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}

/// Bytes of which a blank row consists; the separate reader of `count` has the same rule in its own words.
fn is_blank(byte: u8, delimiter: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"' | b'\r' | b'\n') || byte == delimiter
}

/// The most frequent of comma, semicolon and tab in the first line that is not blank, outside quotes.
fn find_delimiter(head: &[u8]) -> u8 {
    let (mut counts, mut is_quoted, mut has_text) = ([0u32; 3], false, false);
    for byte in head {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\r' | b'\n' if !is_quoted && has_text => break,
            b'\r' | b'\n' if !is_quoted => counts = [0; 3],
            b',' if !is_quoted => counts[0] += 1,
            b';' if !is_quoted => counts[1] += 1,
            b'\t' if !is_quoted => counts[2] += 1,
            _ => {}
        }
        has_text |= !matches!(byte, b',' | b';' | b'\t' | b' ' | b'\r' | b'\n' | b'"');
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|n| *n == most).map_or(b',', |i| b",;\t"[i])
}
