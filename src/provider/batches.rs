//! What a provider can do that writes messages into batches for somebody to carry, instead of sending them.

use super::Word;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// Batches of a lane.
pub trait Batches: Send + Sync {
    /// Closes every batch that is full or has waited long enough, and returns their names; any worker may, at any time.
    fn close_due(&self) -> BoxFuture<'_, Result<Vec<String>, BatchError>>;

    /// Every closed batch, and how many messages are in none yet.
    fn list(&self) -> BoxFuture<'_, Result<BatchList, BatchError>>;

    /// The names of all closed batches.
    fn names(&self) -> BoxFuture<'_, Result<BTreeSet<String>, BatchError>>;

    /// How many of these references it knows nothing of.
    fn count_missing(&self, references: Vec<String>) -> BoxFuture<'_, Result<usize, BatchError>>;

    /// Takes nothing, closes nothing and knows nothing as long as it is known that its memory lacks something: what is
    /// "not there" in an older copy may have been carried away.
    fn stand_still(&self, lacks_something: bool);

    /// Lays the signed docket beside a batch: from now on it waits for nobody.
    fn keep_docket<'a>(&'a self, batch: &'a str, docket: Vec<u8>) -> BoxFuture<'a, Result<(), BatchError>>;

    /// What a word of a result file means.
    fn meaning(&self, word: &str) -> Option<&'static Word>;

    /// The words that a result file may have.
    fn words(&self) -> Vec<&'static str>;
}

/// Batches at one moment.
#[derive(Debug, Clone, Default)]
pub struct BatchList {
    /// Closed batches, oldest first.
    pub closed: Vec<ClosedBatch>,
    /// Messages that are in none yet.
    pub waiting: usize,
}

/// A closed batch.
#[derive(Debug, Clone)]
pub struct ClosedBatch {
    /// Name.
    pub name: String,
    /// When it was closed.
    pub closed_at: OffsetDateTime,
    /// When its docket is due; after that it is an alarm.
    pub due_at: OffsetDateTime,
    /// References of its messages, in order.
    pub references: Vec<String>,
    /// SHA-256 of its manifest, hex.
    pub manifest_sha256: String,
    /// The file to be carried, by its path; whoever carried it away may have taken it from there.
    pub file: String,
    /// SHA-256 of that file as it was closed, hex.
    pub file_sha256: String,
    /// Whether somebody signed that it was handed over.
    pub is_handed_over: bool,
    /// Whether it was made for people; what is a rehearsal is carried nowhere, and nobody can sign for it.
    pub is_live: bool,
}

/// Why batches cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("the batches of the lane cannot be used")]
pub struct BatchError(#[from] super::file::error::SpoolError);

impl BatchError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        self.0.remedy()
    }
}
