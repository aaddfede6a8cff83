//! The ways by which a controller gets checkpoints of its logs: a folder, mail, a signed webhook.
//!
//! A checkpoint names a log, a size and a hash; there is nothing of any person in it. Whoever keeps one can later show
//! that a log was changed before it.

use super::http::{HttpError, post};
use crate::evidence::outside::{Outside, OutsideError};
use crate::store::anchor::{LogNow, Occasion};
use hmac::{Hmac, KeyInit, Mac};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use time::OffsetDateTime;

/// Why a checkpoint was not handed over. No text here carries an address.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] OutsideError),
    /// No answer to the webhook.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The webhook said no.
    #[error("the webhook answered {0}")]
    Status(StatusCode),
    /// The relay did not take the mail; its own words may name somebody and are not repeated.
    #[error("the mail relay {what}")]
    Mail {
        /// What it did.
        what: &'static str,
    },
    /// The mail or the signature could not be made.
    #[error("the hand-over could not be written")]
    Unwritable,
}

impl HandOverError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Folder(_) => "check the recipient's `folder`: this user must be able to write there",
            Self::Http(_) | Self::Status(_) => "check the recipient's `webhook_url` with its operator; it is tried again",
            Self::Mail { .. } => "check `hand_over.smtp_…` and the recipient's `mail` with the relay's log; it is tried again",
            Self::Unwritable => "check `hand_over.mail_from` and the recipient's `mail`",
        }
    }
}

/// One way to one recipient.
pub enum Way {
    /// A file per checkpoint in a folder or bucket.
    Folder(Outside),
    /// Mail through a relay.
    Mail {
        /// The relay.
        relay: AsyncSmtpTransport<Tokio1Executor>,
        /// Sender.
        from: Mailbox,
        /// Recipient.
        to: Mailbox,
    },
    /// JSON by POST, signed.
    Webhook {
        /// Client.
        http: Client,
        /// Where.
        url: Url,
        /// Shared secret of the signature.
        secret: SecretString,
    },
}

impl Way {
    /// Its word in tables and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::Mail { .. } => "mail",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// Hands the newest checkpoint of a log over.
    pub async fn hand_over(&self, log: &LogNow, occasion: Occasion, now: OffsetDateTime) -> Result<(), HandOverError> {
        match self {
            Self::Folder(folder) => {
                let name = format!("{}-{}-{}.checkpoint", log.log_id, log.generation, log.size);
                Ok(folder.put(&name, log.note.clone().into_bytes()).await?)
            }
            Self::Mail { relay, from, to } => {
                let mail = mail(log, occasion, from, to).map_err(|_| HandOverError::Unwritable)?;
                relay.send(mail).await.map(drop).map_err(|error| HandOverError::Mail { what: said(&error) })
            }
            Self::Webhook { http, url, secret } => {
                let body = webhook_body(log, occasion).into_bytes();
                let headers = signed(secret, now.unix_timestamp(), &body).ok_or(HandOverError::Unwritable)?;
                let answer = post(http, url, headers, body).await?;
                if answer.status.is_success() { Ok(()) } else { Err(HandOverError::Status(answer.status)) }
            }
        }
    }
}

fn said(error: &lettre::transport::smtp::Error) -> &'static str {
    match error {
        error if error.is_permanent() => "refused the mail for good",
        error if error.is_transient() => "refused the mail for now",
        error if error.is_timeout() => "did not answer in time",
        error if error.is_tls() => "has no certificate that is trusted",
        _ => "could not be reached or did not understand",
    }
}

fn mail(log: &LogNow, occasion: Occasion, from: &Mailbox, to: &Mailbox) -> Result<Message, lettre::error::Error> {
    let text = format!(
        "This is a checkpoint of the evidence log {}\nat {} events. Occasion: {}.\n\n{}\n\
         Please keep this mail. It holds no personal data. With it anybody can later show whether an event up to\n\
         this size was changed, dropped or inserted afterwards: duly-verify --known-checkpoint FILE PACK\n",
        log.origin,
        log.size,
        occasion.word(),
        log.note
    );
    let file = Attachment::new(format!("{}.checkpoint", log.size)).body(log.note.clone(), ContentType::TEXT_PLAIN);
    Message::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(format!("Checkpoint of {} at {} events ({})", log.origin, log.size, occasion.word()))
        .multipart(MultiPart::mixed().singlepart(SinglePart::plain(text)).singlepart(file))
}

fn webhook_body(log: &LogNow, occasion: Occasion) -> String {
    json!({
        "checkpoint": log.note, "generation": log.generation, "log": log.log_id, "occasion": occasion.word(),
        "origin": log.origin, "size": log.size,
    })
    .to_string()
}

/// `X-Duly-Signature` is the hexadecimal HMAC-SHA-256 of `X-Duly-Timestamp`, a full stop, and the body.
fn signed(secret: &SecretString, at_seconds: i64, body: &[u8]) -> Option<HeaderMap> {
    let stamp = at_seconds.to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    Some(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("x-duly-timestamp"), HeaderValue::from_str(&stamp).ok()?),
        (HeaderName::from_static("x-duly-signature"), HeaderValue::from_str(&signature).ok()?),
    ]))
}
