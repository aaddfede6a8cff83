//! The zip around a pack, read as if somebody wished us ill: limits hold while reading, not by what it says of itself.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// Most entries of a pack.
const ENTRIES_MAX: usize = 100_000;
/// Longest name, bytes.
const NAME_MAX: usize = 200;
/// Largest entry that is read as lines.
const LINES_MAX: u64 = 4 << 30;
/// Beyond this size nothing may have been packed to less than a 20th: commitments cannot be.
const UNPACKED_FREELY: u64 = 64 << 20;
const RATIO_MAX: u64 = 20;
/// How the end of a zip's directory begins, and its size without a comment.
const END_MARK: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
/// As far from the end of a file as the longest comment lets it stand.
const TAIL_MAX: u64 = 65_557;
/// Longest line of a manifest.
const LINE_MAX: usize = 8192;

/// Why a pack cannot be read on.
#[derive(Debug)]
pub enum PackError {
    /// Not a zip, or the disk failed: nothing was checked.
    Unreadable(String),
    /// It breaks a rule that every pack keeps.
    Hostile {
        /// The entry, where it is one.
        file: Option<String>,
        /// What is wrong.
        what: String,
    },
}

impl PackError {
    fn of(file: &str, what: impl Into<String>) -> Self {
        Self::Hostile { file: Some(file.to_owned()), what: what.into() }
    }
}

/// An open pack.
pub struct Pack<R> {
    zip: ZipArchive<R>,
    looked_at: HashSet<String>,
}

impl<R: Read + Seek> Pack<R> {
    /// Opens a zip and refuses names that a pack cannot have.
    pub fn open(mut reader: R) -> Result<Self, PackError> {
        check_end(&mut reader)?;
        let mut zip = ZipArchive::new(reader).map_err(|e| PackError::Unreadable(format!("it is no zip file ({e})")))?;
        let hostile = |what: &str| PackError::Hostile { file: None, what: what.to_owned() };
        // Where a folder does not tell cases apart, whoever unpacks it elsewhere would write one over the other.
        let mut names: Vec<Vec<u8>> = zip.file_names_raw().map(<[u8]>::to_ascii_lowercase).collect();
        names.sort_unstable();
        if zip.has_duplicate_names() || names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(hostile("two entries have one name"));
        }
        if zip.len() > ENTRIES_MAX {
            return Err(hostile("it has more than 100,000 entries"));
        }
        if !zip.file_names_raw().all(is_name) {
            return Err(hostile("an entry has a name that is no plain path"));
        }
        if zip.validate_header_consistency().is_err() {
            return Err(hostile("what the directory says of an entry is not what stands before it"));
        }
        if zip.has_overlapping_entries().unwrap_or(true) {
            return Err(hostile("two entries share bytes"));
        }
        let mut first = u64::MAX;
        let (mut size, mut packed) = (0_u64, 1_u64);
        for index in 0..zip.len() {
            let file = zip.by_index_raw(index).map_err(|e| PackError::Unreadable(format!("its directory is damaged ({e})")))?;
            // Whoever unpacks it elsewhere would write through the link.
            if file.is_symlink() {
                return Err(hostile("an entry is a link to somewhere else"));
            }
            let is_stored = file.compression() == CompressionMethod::Stored;
            if file.encrypted() || !(is_stored || file.compression() == CompressionMethod::Deflated) {
                return Err(hostile("an entry is encrypted, or packed in a way that a pack may not use"));
            }
            if is_stored && file.size() != file.compressed_size() {
                return Err(hostile("an entry that is not packed has two sizes"));
            }
            first = first.min(file.header_start());
            size = size.saturating_add(file.size());
            packed = packed.saturating_add(file.compressed_size());
        }
        if zip.offset() > 0 || first > 0 {
            return Err(hostile("something stands before its first entry"));
        }
        if size > UNPACKED_FREELY.max(packed.saturating_mul(RATIO_MAX)) {
            return Err(hostile("it unpacks to more than 20 times its size"));
        }
        Ok(Self { zip, looked_at: HashSet::new() })
    }

    /// Names of all entries, in ASCII order.
    pub fn names(&self) -> Vec<String> {
        let raw = self.zip.file_names_raw().filter_map(|name| std::str::from_utf8(name).ok());
        let mut names: Vec<String> = raw.map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is an entry of this name.
    pub fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// Names that nobody asked for.
    pub fn not_looked_at(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| !self.looked_at.contains(name)).collect()
    }

    /// A whole entry of at most `limit` bytes; `None` where there is none.
    pub fn read(&mut self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, PackError> {
        let mut bytes = Vec::new();
        let Some(file) = self.entry(name)? else { return Ok(None) };
        let said = file.size();
        let read = file.take(limit as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|e| PackError::of(name, format!("it cannot be unpacked ({e})")))?;
        if bytes.len() > limit {
            return Err(PackError::of(name, format!("it unpacks to more than {limit} bytes")));
        }
        if bytes.len() as u64 != said {
            return Err(PackError::of(name, "it unpacks to another size than it says"));
        }
        Ok(Some(bytes))
    }

    /// As `read`, for text of 1 MiB at most.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, PackError> {
        let bytes = self.read(name, 1 << 20)?;
        bytes.map(|b| String::from_utf8(b).map_err(|_| PackError::of(name, "it is not UTF-8"))).transpose()
    }

    /// Hands over each line without its line end, until `take` has had enough; whether there is such an entry.
    pub fn lines(&mut self, name: &str, mut take: impl FnMut(&[u8]) -> Result<(), String>) -> Result<bool, PackError> {
        let Some(file) = self.entry(name)? else { return Ok(false) };
        let packed = file.compressed_size().max(1);
        let limit = LINES_MAX.min(UNPACKED_FREELY.max(packed.saturating_mul(RATIO_MAX)));
        let mut reader = BufReader::with_capacity(1 << 16, file.take(limit));
        let (mut line, mut total) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line);
            let read = read.map_err(|e| PackError::of(name, format!("it cannot be unpacked ({e})")))?;
            total += read as u64;
            if read == 0 {
                return Ok(true);
            }
            match line.strip_suffix(b"\n") {
                Some(whole) => take(whole).map_err(|what| PackError::of(name, what))?,
                None if line.len() > LINE_MAX => return Err(PackError::of(name, "a line is too long")),
                None if total == limit => return Err(PackError::of(name, "it unpacks to more than it may")),
                None => return Err(PackError::of(name, "its last line does not end")),
            }
            if total == limit {
                return Err(PackError::of(name, "it unpacks to more than it may"));
            }
        }
    }

    fn entry(&mut self, name: &str) -> Result<Option<zip::read::ZipFile<'_, R>>, PackError> {
        if self.has(name) {
            self.looked_at.insert(name.to_owned());
        }
        match self.zip.by_name(name) {
            Ok(file) => Ok(Some(file)),
            Err(ZipError::FileNotFound) => Ok(None),
            Err(error) => Err(PackError::of(name, format!("it cannot be opened ({error})"))),
        }
    }
}

/// A pack ends with its directory and the end of that. Who searches for it elsewhere may find another one than others do.
fn check_end(reader: &mut (impl Read + Seek)) -> Result<(), PackError> {
    let hostile = |what: &str| Err(PackError::Hostile { file: None, what: what.to_owned() });
    let unread = |e| PackError::Unreadable(format!("it cannot be read ({e})"));
    let size = reader.seek(SeekFrom::End(0)).map_err(unread)?;
    let tail = read_at(reader, size.saturating_sub(TAIL_MAX), TAIL_MAX).map_err(unread)?;
    if !tail.windows(END_MARK.len()).any(|bytes| bytes == END_MARK) {
        return Err(PackError::Unreadable("it is no zip file: it has no directory at its end".into()));
    }
    let end = tail.split_at_checked(tail.len().saturating_sub(END_SIZE)).map(|(_, end)| end).unwrap_or_default();
    if !end.starts_with(END_MARK) || !end.ends_with(&[0, 0]) {
        return hostile("something stands behind its directory");
    }
    let mut directory = (number_at(end, 16, 4), number_at(end, 12, 4), size.saturating_sub(END_SIZE as u64));
    let locator = read_at(reader, directory.2.saturating_sub(20), 20).map_err(unread)?;
    if locator.starts_with(b"PK\x06\x07") {
        // More entries or bytes than its numbers of 32 bits can say.
        let at = number_at(&locator, 8, 8);
        let long = read_at(reader, at, 56).map_err(unread)?;
        directory = (number_at(&long, 48, 8), number_at(&long, 40, 8), at);
    }
    reader.rewind().map_err(unread)?;
    let (at, length, end) = directory;
    if at.checked_add(length) != Some(end) { hostile("its directory does not stand where it must") } else { Ok(()) }
}

fn read_at(reader: &mut (impl Read + Seek), at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.seek(SeekFrom::Start(at))?;
    reader.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A number of so many bytes, the lowest first; all that is not there is 0.
fn number_at(bytes: &[u8], at: usize, width: usize) -> u64 {
    let bytes = bytes.get(at..at + width).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn is_name(name: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b".-_/".contains(b);
    // A dot at its end is forgotten by some systems.
    let is_part = |part: &[u8]| !part.is_empty() && !part.ends_with(b".") && !part.windows(2).any(|two| two == b"..");
    name.len() <= NAME_MAX && name.iter().all(plain) && name.split(|b| *b == b'/').all(is_part)
}
