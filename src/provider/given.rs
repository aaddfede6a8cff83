//! What a provider shows of a message later, held against the request that it was given.

use super::{Count, Detail, read_content};
use crate::render::sms::measure;
use duly_letter::count_pages;
use sha2::{Digest, Sha256};

/// What is shown otherwise than this frozen request gave it, the code of an alarm; empty where nothing is. `None` where
/// there is nothing to compare. Takes as long as reading a letter.
pub fn is_as_given(frozen: &[u8], detail: &Detail) -> Option<&'static str> {
    if let Some(code) = detail.differs {
        return Some(code);
    }
    if detail.content.is_none() && detail.parts.is_none() {
        return None;
    }
    let (ours, _) = read_content(frozen)?;
    if detail.content.is_some_and(|theirs| theirs != <[u8; 32]>::from(Sha256::digest(&ours))) {
        return Some("text_differs");
    }
    match detail.parts {
        Some(Count::Segments(theirs))
            if std::str::from_utf8(&ours).is_ok_and(|text| is_other(theirs, measure(text).segments)) =>
        {
            Some("segments_differ")
        }
        Some(Count::Sheets(theirs)) if count_pages(&ours).is_some_and(|pages| theirs != pages.div_ceil(2)) => {
            Some("sheets_differ")
        }
        _ => Some(""),
    }
}

fn is_other(theirs: u32, ours: usize) -> bool {
    usize::try_from(theirs) != Ok(ours)
}

/// The SHA-256 of a text that is shown; `None` where none is, or it was taken out of the record meanwhile.
pub(super) fn content(text: Option<&str>) -> Option<[u8; 32]> {
    text.filter(|text| !text.is_empty()).map(|text| Sha256::digest(text).into())
}

impl Count {
    /// The figure.
    pub fn figure(self) -> u32 {
        let (Self::Segments(n) | Self::Sheets(n)) = self;
        n
    }
}
