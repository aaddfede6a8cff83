//! What a batch is: letters as one PDF, or messages as one CSV file, and a manifest that names each by its reference.

use super::cell::{plain, safe};
use super::error::MakeError;
use crate::model::email;
use crate::model::state::Channel;
use crate::provider::frozen::{Thawed, thaw};
use duly_letter::join;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// Headers of a frozen message.
pub const FROM: &str = "from";
pub const FROM_NAME: &str = "from-name";
pub const POSTAGE: &str = "postage-class";
/// Whether its lane was live when it was frozen, `true` or `false`.
pub const LIVE: &str = "live";

/// A batch as it is carried away, and as it is remembered: no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name.
    pub batch: String,
    /// Lane.
    pub lane: String,
    /// `sms`, `letter` or `email`.
    pub channel: String,
    /// Whether it is meant for people; what is not must not be printed or sent.
    pub live: bool,
    /// When it was closed, RFC 3339 UTC, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub closed_at: OffsetDateTime,
    /// The file with the messages.
    pub file: String,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Messages in order.
    pub messages: Vec<Entry>,
}

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Our reference.
    pub reference: String,
    /// SHA-256 of what was approved: of the letter's own PDF, of the text, hex.
    pub sha256: String,
    /// First and last page of a letter in the PDF, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<(usize, usize)>,
    /// Postage class of a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postage_class: Option<String>,
}

impl Manifest {
    /// Reads one.
    pub fn read(bytes: &[u8]) -> Result<Self, MakeError> {
        serde_json::from_slice(bytes).map_err(|_| MakeError::Unreadable)
    }
}

/// A batch in the making.
pub struct Batch {
    /// Files by name, the manifest among them.
    pub files: Vec<(String, Vec<u8>)>,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
}

/// How a lane's batches are made.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    /// Channel.
    pub channel: Channel,
    /// Whether people are reached by messages that do not say so themselves.
    pub is_live: bool,
}

/// The name of a batch, by its number and by what is in it.
pub fn name(number: u64, references: &[String]) -> String {
    let hash = hex::encode(Sha256::digest(references.join("\n")));
    format!("{number:06}-{}", &hash[..8])
}

impl Making {
    /// Whether a message is for people: what was frozen as a rehearsal stays one, whatever the lane is by now.
    pub fn is_for_people(&self, frozen: &[u8]) -> bool {
        let said = thaw(frozen).and_then(|request| header(&request, LIVE).map(|live| live == "true"));
        said.unwrap_or(self.is_live)
    }

    /// Makes a batch of frozen messages.
    pub fn batch(&self, name: &str, lane: &str, references: &[String], frozen: &[Vec<u8>]) -> Result<Batch, MakeError> {
        let mut requests = Vec::with_capacity(frozen.len());
        for bytes in frozen {
            requests.push(thaw(bytes).ok_or(MakeError::Unreadable)?);
        }
        let entry = |(reference, request): (&String, &Thawed<'_>)| Entry {
            reference: reference.clone(),
            sha256: hex::encode(Sha256::digest(request.body)),
            pages: None,
            postage_class: header(request, POSTAGE).map(str::to_owned),
        };
        let mut messages: Vec<Entry> = references.iter().zip(&requests).map(entry).collect();
        let (ending, bytes) = match self.channel {
            Channel::Letter => {
                let joined = join(&requests.iter().map(|request| request.body).collect::<Vec<_>>())?;
                messages.iter_mut().zip(joined.pages).for_each(|(entry, pages)| entry.pages = Some(pages));
                ("pdf", joined.pdf)
            }
            Channel::Sms => ("csv", texts(references, &requests)?),
            Channel::Email => ("csv", emails(references, &requests)?),
        };
        let live = frozen.first().map_or(self.is_live, |bytes| self.is_for_people(bytes));
        // Whoever sees the file alone must know.
        let file = format!("{}{name}.{ending}", if live { "" } else { "NOT-LIVE-" });
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let manifest = Manifest {
            batch: name.to_owned(),
            lane: lane.to_owned(),
            channel: self.channel.to_string(),
            live,
            closed_at: OffsetDateTime::now_utc(),
            file: file.clone(),
            sha256,
            messages,
        };
        let manifest = serde_json::to_vec_pretty(&manifest).map_err(|_| MakeError::Unreadable)?;
        Ok(Batch { files: vec![(file, bytes), ("manifest.json".to_owned(), manifest.clone())], manifest })
    }
}

/// A header of a frozen message.
pub fn header<'a>(request: &Thawed<'a>, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
}

/// `reference,to,from,text`: numbers as gateways take them, without the plus sign that a spreadsheet would compute.
fn texts(references: &[String], requests: &[Thawed<'_>]) -> Result<Vec<u8>, MakeError> {
    let row = |request: &Thawed<'_>| {
        let to = request.destination.clone().ok_or(MakeError::Unreadable)?;
        let text = std::str::from_utf8(request.body).map_err(|_| MakeError::Unreadable)?;
        let from = header(request, FROM).unwrap_or_default();
        Ok(vec![to.strip_prefix('+').unwrap_or(&to).to_owned(), safe(from), safe(text)])
    };
    table(&["reference", "to", "from", "text"], references, requests, row)
}

/// `reference,to,from,from_name,subject,text`.
fn emails(references: &[String], requests: &[Thawed<'_>]) -> Result<Vec<u8>, MakeError> {
    let row = |request: &Thawed<'_>| {
        let to = request.destination.clone().ok_or(MakeError::Unreadable)?;
        let (subject, text) = email::part(request.body).ok_or(MakeError::Unreadable)?;
        let [from, from_name] = [FROM, FROM_NAME].map(|name| header(request, name).unwrap_or_default());
        Ok([&to, from, from_name, subject, text].map(safe).into())
    };
    table(&["reference", "to", "from", "from_name", "subject", "text"], references, requests, row)
}

fn table(
    head: &[&str],
    references: &[String],
    requests: &[Thawed<'_>],
    row: impl Fn(&Thawed<'_>) -> Result<Vec<String>, MakeError>,
) -> Result<Vec<u8>, MakeError> {
    let mut table = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    table.write_record(head)?;
    for (reference, request) in references.iter().zip(requests) {
        table.write_record(std::iter::once(reference).chain(&row(request)?))?;
    }
    let bytes = table.into_inner().map_err(|_| MakeError::Unreadable)?;
    check(&bytes, requests)?;
    Ok(bytes)
}

/// Whoever reads the file back finds what was approved, or there is no file.
fn check(bytes: &[u8], requests: &[Thawed<'_>]) -> Result<(), MakeError> {
    let mut read = csv::Reader::from_reader(bytes);
    for (record, request) in read.records().zip(requests) {
        let record = record?;
        let content = match email::part(request.body).filter(|_| record.len() > 4) {
            Some((_, text)) => text.as_bytes(),
            None => request.body,
        };
        if record.iter().next_back().map(|cell| plain(cell).as_bytes()) != Some(content) {
            return Err(MakeError::Unreadable);
        }
    }
    Ok(())
}
