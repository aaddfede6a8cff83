//! `file`: batches for any printer or gateway, in a folder; for tonight, when no contract is signed.
//!
//! A message is taken when it is durable in the folder; the file system says which batch has it ([`spool`]). What becomes
//! of a batch a named person declares: a signed docket, a result file. Nothing here ever reaches anybody by itself.

pub mod batch;
mod cell;
mod disk;
pub mod error;
pub mod spool;
#[cfg(test)]
mod tests;

use super::batches::{BatchError, BatchList, Batches, ClosedBatch};
use super::frozen::{Frozen, Request, Thawed};
use super::guarded::MayStart;
use super::wire::ReadBack;
use super::{
    CallResult, CancelOutcome, CancelWindow, Capabilities, Check, ClaimedBy, Detail, Item, LetterLimits, LookUp, LookupStrength,
    Outbound, Pause, Provider, RawReceipt, ReadReceipt, ReceiptProof, ReceiptRefusal, Refusal, Seen, Sought, StatusAnswer, Word,
    find_word,
};
use crate::config::Lane;
use crate::model::causes::with_causes;
use crate::model::email;
use crate::model::state::{Channel, MessageState as S};
use crate::model::step::Answer;
use batch::{FROM, FROM_NAME, LIVE, Making, Manifest, POSTAGE};
use error::SpoolError;
use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use spool::{Limits, Place, Put, Spool};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The word that chooses it, and the first line of its frozen messages.
pub const KIND: &str = "file";
/// A message of the folder is as large as this at most.
const BYTES_MAX: usize = 10_000_000;
/// Our words for what only the folder knows.
const WAITING: &str = "waiting";
const BATCHED: &str = "batched";
const CANCELLED: &str = "cancelled";

/// The words of a result file.
pub const WORDS: &[Word] = &[
    row(Channel::Letter, "printed", S::Printed, "a named person declared that it was printed"),
    row(Channel::Letter, "handed_to_carrier", S::HandedToCarrier, "a named person declared that it was posted"),
    row(Channel::Letter, "returned", S::Returned, "a named person declared that it came back"),
    row(Channel::Letter, "failed", S::Failed, "a named person declared that it was not posted"),
    row(Channel::Sms, "sent", S::Sent, "a named person declared that the gateway sent it"),
    row(Channel::Sms, "delivered", S::DeliveredToHandset, "a named person declared that the gateway says that it was delivered"),
    row(Channel::Sms, "expired", S::Expired, "a named person declared that the gateway gave it up"),
    row(Channel::Sms, "failed", S::Failed, "a named person declared that it was not delivered"),
    row(Channel::Email, "sent", S::Sent, "a named person declared that the gateway sent it"),
    row(Channel::Email, "delivered", S::CarrierDelivered, "a named person declared that the recipient's mail server took it"),
    row(Channel::Email, "returned", S::Returned, "a named person declared that it bounced"),
    row(Channel::Email, "failed", S::Failed, "a named person declared that it was not delivered"),
];

const fn row(channel: Channel, word: &'static str, state: S, proves: &'static str) -> Word {
    Word { channel, word, state: Some(state), claimed_by: ClaimedBy::Person, proves }
}

/// A lane's folder as a provider.
pub struct Folder {
    spool: Arc<Spool>,
    making: Making,
    limits: Limits,
    docket_due: Duration,
    /// Longest wait for the folder.
    wait: Duration,
    ready: std::path::PathBuf,
    /// Whether it is known to be an older copy: what it does not know may have left.
    is_older: AtomicBool,
    capabilities: Capabilities,
}

impl Folder {
    /// The folder of a lane; otherwise which setting is wrong, and what with it.
    pub fn new(name: &str, lane: &Lane, channel: Channel, timeout: Duration) -> Result<Self, (&'static str, &'static str)> {
        if lane.folder.as_os_str().is_empty() {
            return Err(("folder", "must be the folder that batches are written to"));
        }
        if lane.batch_messages_max == 0 || lane.batch_messages_max > 10_000 {
            return Err(("batch_messages_max", "must lie between 1 and 10000"));
        }
        let limits = Limits {
            messages_max: usize::try_from(lane.batch_messages_max).unwrap_or(1),
            wait: Duration::from_secs(lane.batch_seconds),
        };
        Ok(Self {
            spool: Arc::new(Spool::new(&lane.folder, name)),
            making: Making { channel, is_live: lane.live },
            limits,
            docket_due: Duration::from_secs(lane.docket_minutes.saturating_mul(60)),
            // What is still waited for when the caller has given up would come too late for its answer.
            wait: timeout / 2,
            ready: lane.folder.join("ready"),
            is_older: AtomicBool::new(false),
            capabilities: capabilities(),
        })
    }

    /// As `with`, where the folder's memory is trusted.
    async fn with_memory<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Spool, Duration) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        if self.is_older.load(Ordering::SeqCst) { Err(SpoolError::Older) } else { self.with(act).await }
    }

    /// Does something with the folder off the async threads.
    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Spool, Duration) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let (spool, wait) = (self.spool.clone(), self.wait);
        let done = tokio::task::spawn_blocking(move || act(&spool, wait)).await;
        done.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        name: "batches in a folder",
        channels: &[Channel::Sms, Channel::Letter, Channel::Email],
        // A repeat is none as long as the folder is there; that a look-up tells is enough.
        idempotent_for: None,
        lookup: LookupStrength::Strong { lag: Duration::ZERO },
        receipts: ReceiptProof::None,
        receipts_have_time: false,
        names_callback: false,
        polling: false,
        per_second_max: None,
        per_day_max: None,
        text_chars_max: None,
        letters: Some(LetterLimits { pages_max: 10, bytes_max: BYTES_MAX, postage_classes: &["first", "second", "economy"] }),
        shows_letter: None,
        cancel_within: Some(CancelWindow::UntilMade),
        retention: None,
        delivered_means: "what a named person declared and signed: nobody here saw it",
        cut_off: "",
        words: WORDS,
        test_mode: "as long as the lane is not live, its files say NOT-LIVE",
    }
}

impl Provider for Folder {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Frozen, Refusal> {
        self.capabilities.check(&outbound.item)?;
        let (headers, body) = match outbound.item {
            Item::Sms { from, text, .. } => (vec![(FROM, from)], text.as_bytes().to_vec()),
            Item::Email { from, from_name, subject, text, .. } => {
                (vec![(FROM, from), (FROM_NAME, from_name)], email::join(subject, text).into_bytes())
            }
            // What cannot be joined with others would keep its whole batch from being made.
            Item::Letter { pdf, postage_class, .. } => match duly_letter::join(&[pdf]) {
                Ok(_) => (vec![(POSTAGE, postage_class)], pdf.to_vec()),
                Err(_) => return Err(Refusal { code: "pdf" }),
            },
        };
        if outbound.item.channel() != self.making.channel {
            return Err(Refusal { code: "channel" });
        }
        if !headers.iter().all(|(_, value)| email::is_header(value)) {
            return Err(Refusal { code: "header" });
        }
        let live = if self.making.is_live { "true" } else { "false" };
        let headers = headers.into_iter().chain([(LIVE, live)]).map(|(name, value)| (name, value.to_owned())).collect();
        let path = format!("/waiting/{}", outbound.reference);
        Ok(Request { method: "PUT", path, headers, body, destination: Some(outbound.item.destination()) }.freeze(KIND))
    }

    /// | folder | answer |
    /// |---|---|
    /// | has the message, now or from before | `accepted`, our reference is its id |
    /// | held by somebody else all the time | `not_taken` |
    /// | cannot be used: full, gone, another lane's, an older copy | `lane_stopped` |
    /// | has it, and may not keep it | `unknown` |
    fn submit(&self, frozen: Frozen, may_start: MayStart) -> BoxFuture<'_, CallResult> {
        async move {
            let name = |frozen: &Frozen| Some(frozen.thaw()?.path.strip_prefix("/waiting/")?.to_owned());
            let Some(reference) = name(&frozen).filter(|name| is_reference(name)) else {
                return CallResult::new(Answer::NotTaken, "not_frozen");
            };
            let id = reference.clone();
            let put = self.with_memory(move |spool, wait| spool.put(&reference, frozen.bytes(), &may_start, wait)).await;
            crate::failpoint::reach("response_read").await;
            match put {
                Ok(Put::Taken) => CallResult::accepted(id, "taken"),
                Ok(Put::Again) => CallResult::accepted(id, "taken_before"),
                Ok(Put::Refused(code)) => CallResult::new(Answer::NotTaken, code),
                Ok(Put::Unsure) => CallResult::new(Answer::Unknown, "not_synced"),
                Err(SpoolError::Locked) => CallResult::new(Answer::NotTaken, "locked"),
                Err(error) => {
                    let code = if matches!(error, SpoolError::Older) { "folder_older" } else { "folder" };
                    tracing::error!(error = with_causes(&error), remedy = error.remedy(), "the folder of a lane cannot be used");
                    CallResult::new(Answer::LaneStopped, code).pausing(Pause::Minute)
                }
            }
        }
        .boxed()
    }

    fn look_up<'a>(&'a self, sought: Sought<'a>) -> BoxFuture<'a, LookUp> {
        async move {
            if !is_reference(sought.reference) {
                return LookUp::CannotKnow;
            }
            let reference = sought.reference.to_owned();
            let id = reference.clone();
            let (word, status) = match self.with_memory(move |spool, wait| spool.find(&reference, wait)).await {
                Ok(Place::Waiting) => (WAITING, S::Accepted),
                Ok(Place::In(_)) => (BATCHED, S::Accepted),
                Ok(Place::Cancelled) => (CANCELLED, S::Failed),
                Ok(Place::Absent) => return LookUp::Absent,
                Err(_) => return LookUp::CannotKnow,
            };
            let reference = Some(id.clone());
            LookUp::Found(vec![Seen {
                provider_id: id,
                reference,
                word: word.to_owned(),
                status: Some(status),
                detail: Detail::default(),
            }])
        }
        .boxed()
    }

    fn fetch_status<'a>(&'a self, _: &'a str) -> BoxFuture<'a, StatusAnswer> {
        async { StatusAnswer::CannotKnow }.boxed()
    }

    /// As long as it is in no batch.
    fn cancel<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, CancelOutcome> {
        async move {
            let reference = provider_id.to_owned();
            if !is_reference(&reference) {
                return CancelOutcome::Unknown;
            }
            match self.with_memory(move |spool, wait| spool.cancel(&reference, wait)).await {
                Ok(Place::Cancelled) => CancelOutcome::Cancelled,
                Ok(Place::In(_)) => CancelOutcome::TooLate,
                Ok(Place::Waiting | Place::Absent) | Err(_) => CancelOutcome::Unknown,
            }
        }
        .boxed()
    }

    /// Sets the folder up where it is new.
    fn check(&self) -> BoxFuture<'_, Check> {
        async {
            match self.with(Spool::set_up).await {
                Ok(_) => Check::Good,
                Err(SpoolError::Locked) => Check::Unreachable,
                Err(SpoolError::Foreign) => {
                    Check::Unfit("its folder belongs to another lane: give each lane a folder of its own")
                }
                Err(SpoolError::Older) => Check::Unfit("its folder is an older copy: put the newest one back"),
                Err(SpoolError::Io(_) | SpoolError::NotSetUp) => Check::Unfit("its folder cannot be written by this user"),
                Err(SpoolError::Make(_)) => Check::Unfit("its folder has a manifest that is not as Duly wrote it"),
            }
        }
        .boxed()
    }

    fn parse_receipt(&self, _: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        Err(ReceiptRefusal::BadSignature)
    }

    fn batches(&self) -> Option<&dyn Batches> {
        Some(self)
    }
}

impl Batches for Folder {
    fn close_due(&self) -> BoxFuture<'_, Result<Vec<String>, BatchError>> {
        let (limits, making) = (self.limits, self.making);
        async move { Ok(self.with_memory(move |spool, wait| spool.close_due(limits, &making, wait)).await?) }.boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<BatchList, BatchError>> {
        async move {
            let (listed, waiting) = self.with(Spool::list).await?;
            let mut closed = Vec::with_capacity(listed.len());
            for one in listed {
                let manifest = Manifest::read(&one.manifest).map_err(SpoolError::from)?;
                closed.push(ClosedBatch {
                    due_at: manifest.closed_at + self.docket_due,
                    closed_at: manifest.closed_at,
                    file: self.ready.join(&manifest.batch).join(&manifest.file).display().to_string(),
                    name: manifest.batch,
                    file_sha256: manifest.sha256,
                    references: manifest.messages.into_iter().map(|message| message.reference).collect(),
                    manifest_sha256: hex::encode(Sha256::digest(&one.manifest)),
                    is_handed_over: one.docket.is_some(),
                    is_live: manifest.live,
                });
            }
            Ok(BatchList { closed, waiting })
        }
        .boxed()
    }

    fn names(&self) -> BoxFuture<'_, Result<BTreeSet<String>, BatchError>> {
        async move { Ok(self.with(Spool::closed).await?) }.boxed()
    }

    fn count_missing(&self, references: Vec<String>) -> BoxFuture<'_, Result<usize, BatchError>> {
        async move { Ok(self.with(move |spool, wait| spool.count_missing(&references, wait)).await?) }.boxed()
    }

    fn stand_still(&self, lacks_something: bool) {
        self.is_older.store(lacks_something, Ordering::SeqCst);
    }

    fn keep_docket<'a>(&'a self, batch: &'a str, docket: Vec<u8>) -> BoxFuture<'a, Result<(), BatchError>> {
        let batch = batch.to_owned();
        async move { Ok(self.with(move |spool, wait| spool.keep_docket(&batch, &docket, wait)).await?) }.boxed()
    }

    fn meaning(&self, word: &str) -> Option<&'static Word> {
        find_word(WORDS, self.making.channel, word)
    }

    fn words(&self) -> Vec<&'static str> {
        WORDS.iter().filter(|row| row.channel == self.making.channel).map(|row| row.word).collect()
    }
}

/// Whether a text is a reference of ours: it becomes the name of a file.
fn is_reference(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Reads a frozen message back.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let destination = request.destination.clone()?;
    if request.headers.iter().any(|(name, _)| *name == POSTAGE) {
        return Some(ReadBack::pdf(destination, request.body.to_vec()));
    }
    Some(ReadBack::text(&destination, std::str::from_utf8(request.body).ok()?))
}
