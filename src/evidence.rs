//! The logs of what happened: sequenced, signed, and copied to a place outside the database before anybody sees them.
//!
//! Every fact is an event already, in the transaction that made it true. Here the events take their places in a
//! Merkle tree per incident, so that nobody can change, drop or insert one afterwards without its showing.

pub mod anchor;
mod delays;
pub mod high_water;
pub mod keys;
pub mod moment;
pub mod outside;
pub mod restore;
pub mod publisher;
pub mod self_audit;
pub mod sequencer;
mod tree;

use crate::config::{Settings, SettingsError};
use crate::store::log::u64_of;
use crate::store::{Store, StoreError};
use duly_ledger::{Checkpoint, Note, NoteError, Signer};
use keys::{Known, LogKeys, PublicKey};
use outside::{Outside, OutsideError};
use std::time::Duration;

/// Why the logs do not go on.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The place outside.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// An event could not be written.
    #[error("an event could not be encoded")]
    Event(#[from] duly_ledger::EventError),
    /// A checkpoint could not be signed.
    #[error("a checkpoint could not be signed")]
    Note(#[from] NoteError),
    /// The stored tree contradicts itself, or the place outside holds something else than this log.
    #[error("the log `{origin}` contradicts itself: {what}")]
    Contradiction {
        /// The log.
        origin: String,
        /// What does not fit.
        what: &'static str,
    },
    /// The key in force is not at hand.
    #[error("the log `{origin}` is signed by the key {key}, which is not in the settings")]
    KeyMissing {
        /// The log.
        origin: String,
        /// Its public half, hex.
        key: String,
    },
    /// The key that signed the newest checkpoint is not known.
    #[error("the newest checkpoint of the log `{origin}` is signed by no key of the settings")]
    KeyUnknown {
        /// The log.
        origin: String,
    },
    /// The settings would let a log begin under a key that was changed for another.
    #[error("the log `{origin}` would begin under the key {key}, which was left for {newest}")]
    KeyRetired {
        /// The log.
        origin: String,
        /// Public half of the key of the settings, hex.
        key: String,
        /// The one that took its place.
        newest: String,
    },
    /// What was published cannot be read any more.
    #[error("the copy outside of the log `{origin}` cannot be read: {what}")]
    Copy {
        /// The log.
        origin: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Another process gives events their places.
    #[error("another process still leads the sequencer")]
    Led,
    /// No leaf later than a report's moment was published in time.
    #[error("the moment has not ended in the log: no later event was published within 30 s")]
    NotEnded,
    /// The place outside is taken.
    #[error("`evidence.outside` holds the logs of another installation, {theirs}")]
    OtherInstallation {
        /// Its id.
        theirs: uuid::Uuid,
    },
    /// The place outside knows nothing of this database, which was copied there before.
    #[error("`evidence.outside` has no mark of this database: it was lost, or the setting names another place")]
    OutsideLost,
    /// The database is older than what was published.
    #[error("the database holds the log `{origin}` up to {ours} events, but {theirs} were published")]
    Behind {
        /// The log.
        origin: String,
        /// Leaves here.
        ours: u64,
        /// Leaves outside.
        theirs: u64,
    },
}

impl EvidenceError {
    /// Whether one log is odd: others can go on meanwhile. A database that came back older stops all of them.
    pub(crate) fn is_of_one_log(&self) -> bool {
        match self {
            Self::Contradiction { .. } | Self::KeyMissing { .. } | Self::KeyUnknown { .. } | Self::KeyRetired { .. } => true,
            Self::Store(error) => error.is_refusal(),
            _ => false,
        }
    }

    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Store(error) => error.remedy().to_owned(),
            Self::Settings(error) => error.remedy(),
            Self::Outside(error) => error.remedy().into(),
            Self::Event(_) | Self::Note(_) => "report this as a fault of Duly".into(),
            Self::Contradiction { .. } => {
                "run `duly audit`; check that `evidence.outside`, `keys.log_file` and `keys.log_next_file` belong to this database".into()
            }
            Self::KeyMissing { .. } | Self::KeyUnknown { .. } => {
                "name that key by `keys.log_file`, and the new one by `keys.log_next_file` until every log has changed to it: `duly log key --all`"
                    .into()
            }
            Self::KeyRetired { .. } => {
                "the settings are of an earlier day, or name the keys the other way round: name the newer key by `keys.log_file`, take the old one out of `keys.log_next_file`, and restart or run the command again"
                    .into()
            }
            Self::Copy { .. } => {
                "bring `evidence.outside` back as it was; if it is lost for ever, `duly restore reconcile --new-generation`"
                    .into()
            }
            Self::Led => "stop every `duly serve` and run the command again".into(),
            Self::NotEnded => "see whether `duly serve scheduler` says why it publishes nothing, and ask again".into(),
            Self::OtherInstallation { .. } => {
                "give this installation a place of its own that is empty, or move those logs away and keep them: they are evidence".into()
            }
            Self::OutsideLost => {
                "name the place that the logs were copied to; if it is lost for ever, nobody knows whether this database was restored, so somebody must say it: `duly restore reconcile --database current|older`".into()
            }
            Self::Behind { .. } => {
                "the database was restored to an earlier moment: run `duly restore reconcile` before anything is sent".into()
            }
        }
    }
}

/// What the logs need.
pub struct Archive {
    /// The database.
    pub store: Store,
    /// The place outside.
    pub outside: Outside,
    keys: LogKeys,
    host: String,
    interval: Duration,
    batch: i64,
    audit_every: Duration,
    audit_sealed_every: Duration,
}

impl Archive {
    /// Opens the place outside and the key that signs.
    pub fn open(settings: &Settings, store: &Store) -> Result<Self, EvidenceError> {
        let evidence = &settings.evidence;
        Ok(Self {
            store: store.clone(),
            outside: Outside::open(&evidence.outside)?,
            keys: LogKeys::open(settings)?,
            host: evidence.host.clone(),
            interval: Duration::from_millis(evidence.interval_ms),
            batch: i64::from(evidence.batch_size_max),
            audit_every: Duration::from_secs(60 * evidence.audit_every_minutes),
            audit_sealed_every: Duration::from_secs(3600 * evidence.audit_sealed_every_hours),
        })
    }

    /// The keys that sign.
    pub fn keys(&self) -> &LogKeys {
        &self.keys
    }

    /// Signs under the name of a log with the key under which new logs begin.
    pub fn signer(&self, origin: &str) -> Result<Signer, EvidenceError> {
        self.keys.signer(origin, &self.keys.newest())
    }

    /// The newest checkpoint of a log's generation at the place outside; `None` where there is none.
    async fn outside_of(&self, known: &Known, origin: &str, generation: i32) -> Result<Option<Outer>, EvidenceError> {
        let Some(note) = self.outside.get(&format!("{origin}/checkpoint")).await? else { return Ok(None) };
        match (known.open(origin, generation, &note), String::from_utf8(note)) {
            (Some((checkpoint, by)), Ok(note)) => Ok(Some(Outer { checkpoint, note, by })),
            _ => Err(EvidenceError::Contradiction {
                origin: origin.to_owned(),
                what: "the checkpoint outside is not signed by the key that was this log's at its size",
            }),
        }
    }

    /// Whether the checkpoint outside says that the log is shorter than so many leaves. One that says nothing at all is for
    /// whoever opens it.
    async fn is_outside_older(&self, origin: &str, size: i64) -> Result<bool, EvidenceError> {
        let note = self.outside.get(&format!("{origin}/checkpoint")).await?;
        let said = note.and_then(|note| Note::parse(&note).ok()?.text().parse::<Checkpoint>().ok());
        Ok(said.is_some_and(|said| said.size < u64_of(size)))
    }

    /// The name of a log's generation.
    fn origin(&self, log_id: uuid::Uuid, generation: i32) -> String {
        match generation {
            1 => format!("{}/{log_id}", self.host),
            later => format!("{}/{log_id}/{later}", self.host),
        }
    }
}

/// A checkpoint at the place outside.
struct Outer {
    checkpoint: Checkpoint,
    /// Its bytes.
    note: String,
    /// The key that signed it.
    by: PublicKey,
}
