//! Receipts are kept in batches: one commit for all that came within a few milliseconds.

use crate::store::receipt::{NewReceipt, ReceiptStore};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Receipts in one transaction.
const BATCH: usize = 200;
/// How long the first receipt of a batch waits for others.
const LINGER: Duration = Duration::from_millis(5);

type Waiting = (NewReceipt, oneshot::Sender<bool>);

/// The way to the database for receipts.
pub struct Inbox {
    waiting: mpsc::Sender<Waiting>,
}

impl Inbox {
    /// Starts the task that writes; it ends with the inbox.
    pub fn start(store: ReceiptStore) -> Self {
        let (waiting, receiver) = mpsc::channel(BATCH * 4);
        tokio::spawn(write(store, receiver));
        Self { waiting }
    }

    /// Keeps one receipt; `true` once it is committed.
    pub async fn keep(&self, receipt: NewReceipt) -> bool {
        let (answer, committed) = oneshot::channel();
        self.waiting.send((receipt, answer)).await.is_ok() && committed.await.unwrap_or(false)
    }
}

async fn write(store: ReceiptStore, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH {
            match tokio::time::timeout_at(until, waiting.recv()).await {
                Ok(Some(next)) => batch.push(next),
                _ => break,
            }
        }
        let (receipts, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let kept = store.insert_receipts(&receipts).await;
        if let Err(error) = &kept {
            tracing::error!(error = %error, receipts = receipts.len(), "receipts were not kept; the providers send them again");
        }
        for answer in answers {
            // A provider that hung up meanwhile sends the receipt again: a replay, which moves nothing.
            if answer.send(kept.is_ok()).is_err() {
                tracing::debug!("a provider did not wait for its answer");
            }
        }
    }
}
