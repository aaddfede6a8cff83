//! An RFC 3161 time-stamping authority, asked over HTTP.

use super::authority::Roots;
use super::http::{HttpError, post};
use super::stamp::{self, Nonce, Stamp, StampError};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, Url};

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
pub enum TsaError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that is no stamp.
    #[error("the authority answered {0}")]
    Status(StatusCode),
    /// A stamp that is not to be relied on.
    #[error(transparent)]
    Stamp(#[from] StampError),
}

impl TsaError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Stamp(error) => error.remedy(),
            Self::Http(_) | Self::Status(_) => "check `anchors.tsa_url` and whether the authority is up; it is asked again",
        }
    }
}

/// An authority.
#[derive(Debug, Clone)]
pub struct Tsa {
    http: Client,
    url: Url,
    roots: Option<Roots>,
}

impl Tsa {
    /// An authority by its URL; without `roots` its signatures are not checked.
    pub fn new(http: Client, url: Url, roots: Option<Roots>) -> Self {
        Self { http, url, roots }
    }

    /// Its name in evidence: the URL's host.
    pub fn name(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Has a checkpoint stamped; the answer's bytes as they came, and what they say.
    pub async fn stamp(&self, checkpoint: &[u8]) -> Result<(Vec<u8>, Stamp), TsaError> {
        let nonce = Nonce::generate();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/timestamp-query"))]);
        let answer = post(&self.http, &self.url, headers, stamp::request(checkpoint, &nonce)?).await?;
        if answer.status != StatusCode::OK {
            return Err(TsaError::Status(answer.status));
        }
        let stamp = stamp::check(&answer.body, checkpoint, self.roots.as_ref(), Some(&nonce))?;
        Ok((answer.body, stamp))
    }
}
