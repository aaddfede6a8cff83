//! A C2SP tlog-witness: it signs that it has seen a checkpoint, and never one that contradicts what it saw before.

use super::http::{HttpError, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use duly_ledger::{Note, NoteError, NoteSignature, Vkey, verify_cosignatures};
use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode, Url};

/// Type of the body of a 409: the size that the witness has.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// 404.
    #[error("the witness does not know this log")]
    UnknownLog,
    /// 403.
    #[error("the witness does not trust the key of this log")]
    UntrustedKey,
    /// 422: the tree that it has seen is not the beginning of this one.
    #[error("the witness has seen another tree of this log")]
    Inconsistent,
    /// It has seen more than there is here.
    #[error("the witness has seen {theirs} events of this log, and there are {ours} here")]
    Ahead {
        /// Leaves that it has seen.
        theirs: u64,
        /// Leaves here.
        ours: u64,
    },
    /// It says another size each time.
    #[error("the witness does not say which size it has")]
    Unsteady,
    /// Another status.
    #[error("the witness answered {0}")]
    Status(StatusCode),
    /// 200 without its signature.
    #[error("the witness's answer holds no cosignature of its key")]
    Unsigned,
    /// 200 with a signature that does not hold, or no signature line.
    #[error("the witness's cosignature does not hold")]
    Cosignature(#[source] NoteError),
}

impl WitnessError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Http(_) | Self::Status(_) | Self::Unsteady => "check the witness's URL and whether it is up; it is asked again",
            Self::UnknownLog | Self::UntrustedKey => "give the witness's operator the log's vkey",
            Self::Inconsistent | Self::Ahead { .. } => {
                "stop and find out why: the database was restored, or somebody signs with this log's key elsewhere"
            }
            Self::Unsigned | Self::Cosignature(_) => "compare the witness's vkey in the settings with the one that it publishes",
        }
    }
}

/// What a witness says of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnessed {
    /// Its signature lines, checked.
    Cosigned(String),
    /// Nothing yet: this is the size that it has seen.
    Has(u64),
}

/// A witness.
#[derive(Debug, Clone)]
pub struct Witness {
    http: Client,
    url: Url,
    key: Vkey,
}

impl Witness {
    /// A witness by its submission prefix and key.
    pub fn new(http: Client, prefix: &Url, key: Vkey) -> Self {
        let mut url = prefix.clone();
        url.set_path(&format!("{}/add-checkpoint", prefix.path().trim_end_matches('/')));
        Self { http, url, key }
    }

    /// Its name in evidence, that of its key.
    pub fn name(&self) -> &str {
        self.key.name()
    }

    /// Shows it a checkpoint, with the proof that it continues the one of `old` leaves.
    pub async fn show(&self, old: u64, proof: &[[u8; 32]], checkpoint: &str) -> Result<Witnessed, WitnessError> {
        let mut body = format!("old {old}\n");
        for hash in proof {
            body.push_str(&BASE64_STANDARD.encode(hash));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(checkpoint);
        let answer = post(&self.http, &self.url, HeaderMap::new(), body.into_bytes()).await?;
        match answer.status {
            StatusCode::OK => self.cosigned(checkpoint, &answer.body).map(Witnessed::Cosigned),
            StatusCode::CONFLICT if answer.content_type == SIZE_TYPE => {
                let size = std::str::from_utf8(&answer.body).ok().and_then(|text| text.trim_end().parse().ok());
                size.map(Witnessed::Has).ok_or(WitnessError::Unsteady)
            }
            StatusCode::NOT_FOUND => Err(WitnessError::UnknownLog),
            StatusCode::FORBIDDEN => Err(WitnessError::UntrustedKey),
            StatusCode::UNPROCESSABLE_ENTITY => Err(WitnessError::Inconsistent),
            other => Err(WitnessError::Status(other)),
        }
    }

    /// The lines of this witness's key; nothing is kept that does not hold.
    fn cosigned(&self, checkpoint: &str, answer: &[u8]) -> Result<String, WitnessError> {
        let text = std::str::from_utf8(answer).map_err(|_| WitnessError::Cosignature(NoteError::Malformed))?;
        let lines: Result<Vec<NoteSignature>, _> = text.lines().map(str::parse).collect();
        let mut lines = lines.map_err(WitnessError::Cosignature)?;
        lines.retain(|line| line.name == self.key.name() && line.key_id == self.key.id());
        let note = Note::parse(checkpoint.as_bytes()).map_err(WitnessError::Cosignature)?;
        let seen = verify_cosignatures(note.text(), &lines, &self.key).map_err(WitnessError::Cosignature)?;
        seen.ok_or(WitnessError::Unsigned)?;
        Ok(lines.iter().map(ToString::to_string).collect())
    }
}
