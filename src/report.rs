//! What officers and auditors read: progress and a person's story, in words that say only what is known.

pub mod carried;
pub mod certificate;
mod copies;
pub mod document;
pub mod figures;
mod obstacles;
pub mod pack;
pub mod progress;
pub mod promised;
pub mod question;
mod reasons;
pub mod regulator;
pub mod rehearsal;
pub mod replay;
pub mod sample;
pub mod statement;
pub mod story;
pub mod summary;
pub mod tally;
pub mod witness;
pub mod words;

use crate::store::StoreError;
use duly_ledger::{EventError, ManifestError};

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event on record is not in its one spelling.
    #[error("an event on record cannot be read")]
    Event(#[from] EventError),
    /// A leaf of a log is no event; nothing can be added up past it.
    #[error("leaf {leaf} of the log `{origin}` is no event that can be read")]
    Unreadable {
        /// Name of the log.
        origin: String,
        /// Index of the leaf.
        leaf: u64,
        /// Why.
        source: EventError,
    },
    /// A manifest line cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Nothing of the log belongs to the moment.
    #[error("the log has no event of that moment or before")]
    NothingYet,
    /// Something that the log names is not on record.
    #[error("{what} is not on record any more, or was altered")]
    Missing {
        /// What.
        what: String,
    },
    /// No plan was made under the profile.
    #[error("no plan of this incident was made under the profile `{profile}`")]
    OtherProfile {
        /// The profile that was asked for.
        profile: String,
    },
    /// A provider's statement cannot be read.
    #[error("the provider's statement cannot be read: {what}")]
    Statement {
        /// What is wrong.
        what: String,
    },
}

impl ReportError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Unreadable { .. } => {
                "run `duly audit`, which says what else was altered; `duly pack incident` gives the log as it is to whoever must look into it"
            }
            Self::Event(_) | Self::Missing { .. } | Self::Manifest(_) => {
                "run `duly audit`: it names everything that was altered or lost"
            }
            Self::NothingYet => "give a later `--as-of`, or start `duly serve scheduler`: it signs what has happened",
            Self::OtherProfile { .. } => "see `duly plan show` for the profile of each plan",
            Self::Statement { .. } => {
                "write a CSV file with the heading `channel,count` and a line for each channel: sms, letter, email"
            }
        }
    }
}
