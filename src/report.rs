//! What officers and auditors read: progress and a person's story, in words that say only what is known.

pub mod pack;
pub mod progress;
pub mod story;
pub mod words;

use crate::store::StoreError;
use duly_ledger::EventError;

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event on record is not in its one spelling.
    #[error("an event on record cannot be read")]
    Event(#[from] EventError),
}

impl ReportError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Event(_) => "run `duly audit`: it names every event that was altered",
        }
    }
}
