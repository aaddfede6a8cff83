//! One POST to somebody outside: no redirects, no retries inside, a deadline, and an answer that cannot fill the memory.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode, Url};
use std::time::Duration;

/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Why there is no answer. No text here carries a URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not reached, cut off, or too slow.
    #[error("no answer came")]
    NoAnswer(#[source] reqwest::Error),
    /// Longer than anything that is expected.
    #[error("the answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

impl HttpError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "check the address and whether the service is up; it is asked again",
            Self::TooLong => "check that the address is that of the service and not of a page",
        }
    }
}

/// An answer, whatever it says.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Content type; empty where there is none.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
}

/// A client for such calls; `timeout` is the longest wait for a whole answer.
pub fn client(timeout: Duration) -> Result<Client, HttpError> {
    let made =
        Client::builder().redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never()).timeout(timeout).build();
    made.map_err(HttpError::NoAnswer)
}

/// Posts and reads the answer.
pub async fn post(http: &Client, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, HttpError> {
    let no_answer = |error: reqwest::Error| HttpError::NoAnswer(error.without_url());
    let mut answer = http.post(url.clone()).headers(headers).body(body).send().await.map_err(no_answer)?;
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (status, mut read) = (answer.status(), Vec::new());
    while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
        if read.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(HttpError::TooLong);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Answer { status, content_type, body: read })
}
