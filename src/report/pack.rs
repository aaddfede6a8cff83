//! Packs: plain zips that prove, to somebody who does not trust us, with software that is not ours.
//!
//! docs/evidence-format.md says what stands where. The same checkpoint gives the same bytes of evidence; the pages for people
//! beside it also say who stands on a list that is not frozen, and which checkpoint is outside, when the pack is made.

mod archive;
pub mod incident;
mod openings;
pub mod person;
mod words;

use super::ReportError;
use super::story::Names;
use crate::model::causes::with_causes;
use crate::model::seal::SealError;
use crate::store::{Store, StoreError};
use duly_ledger::{EventError, ManifestError};
use std::str::FromStr;

/// Why a pack was not written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The summary beside the evidence.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The certificate beside the evidence.
    #[error("the certificate cannot be typeset")]
    Certificate(#[from] duly_letter::LetterError),
    /// A key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Everything personal of the person is destroyed.
    #[error("the person's key is destroyed: nothing of theirs can be opened any more")]
    Erased,
    /// The person has no such value.
    #[error("the list has no field `{field}` of this person")]
    NoField {
        /// Field.
        field: String,
    },
    /// Events of the person stand in an older generation of the log.
    #[error("events of this person stand in an older generation of the log, which a person's pack does not hold")]
    OlderGeneration,
    /// An event on record is not in its one spelling.
    #[error("an event on record cannot be read")]
    Event(#[from] EventError),
    /// A manifest line cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An event is longer than its format allows.
    #[error(transparent)]
    Bundle(#[from] duly_ledger::BundleError),
    /// The file.
    #[error("the pack cannot be written")]
    Write(#[from] std::io::Error),
    /// The zip.
    #[error("the pack cannot be written")]
    Zip(#[from] zip::result::ZipError),
    /// Nothing is signed yet.
    #[error("no checkpoint of this incident is published yet")]
    NothingPublished,
    /// Something that the log names is not on record.
    #[error("{what} is not on record any more")]
    Missing {
        /// What.
        what: String,
    },
}

impl PackError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Report(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::Event(_) | Self::Bundle(_) | Self::Missing { .. } => {
                "run `duly audit`: it names everything that was altered or lost"
            }
            Self::Erased => "make the pack without `--open` and `--messages`: the proof stands without them",
            Self::NoField { .. } => "open `external_reference`, `name`, `sms`, `email` or `letter`, as far as the list has them",
            Self::OlderGeneration => "make the pack of the incident with `duly pack incident`: it holds all generations",
            Self::Certificate(_) => "report this as a fault of Duly with the command that you ran",
            Self::Manifest(_) => "report this as a fault of Duly with the command that you ran",
            Self::Write(_) | Self::Zip(_) => "check that the folder exists, has room and may be written by this user",
            Self::NothingPublished => "start `duly serve scheduler`, or wait a second: it signs what has happened",
        }
    }
}

/// Files beside the evidence that could not be made: the log itself is always whole.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Lack {
    /// Their names.
    pub files: String,
    /// Why; never personal data.
    pub why: String,
}

impl Lack {
    /// What `error` kept from being made. What is no matter of that file stays an error: the disk, or a database that is gone.
    fn of(files: &str, error: PackError) -> Result<Self, PackError> {
        match &error {
            PackError::Write(_) | PackError::Zip(_) => Err(error),
            PackError::Store(refused) | PackError::Report(ReportError::Store(refused)) if !refused.is_refusal() => Err(error),
            _ => Ok(Self { files: files.to_owned(), why: with_causes(&error) }),
        }
    }
}

/// For whom a pack is; it changes the words beside the evidence, never the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audience {
    /// The supervisory authority.
    #[default]
    Regulator,
    /// A court.
    Court,
    /// The affected person.
    Person,
}

impl Audience {
    /// The word of `--for`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regulator => "regulator",
            Self::Court => "court",
            Self::Person => "person",
        }
    }
}

impl FromStr for Audience {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "regulator" => Ok(Self::Regulator),
            "court" => Ok(Self::Court),
            "person" => Ok(Self::Person),
            _ => Err("write `regulator`, `court` or `person`".to_owned()),
        }
    }
}

/// Names of users for the pages beside the evidence. An affected person is not told who worked on the notification.
async fn names(store: &Store, audience: Audience) -> Result<Names, StoreError> {
    if audience == Audience::Person {
        return Ok(Names::new());
    }
    Ok(store.list_users().await?.into_iter().map(|user| (user.user_id.to_string(), user.name)).collect())
}
