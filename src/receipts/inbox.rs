//! Receipts are kept in batches: one commit for all that came within a few milliseconds.

use crate::model::causes::with_causes;
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
    /// Starts the task that writes; it ends with the inbox. Refused receipts are counted over `every_ms`.
    pub fn start(store: ReceiptStore, every_ms: i64) -> Self {
        let (waiting, receiver) = mpsc::channel(BATCH * 4);
        tokio::spawn(write(store, receiver, every_ms));
        Self { waiting }
    }

    /// Keeps one receipt; `true` once it is committed.
    pub async fn keep(&self, receipt: NewReceipt) -> bool {
        let (answer, committed) = oneshot::channel();
        self.waiting.send((receipt, answer)).await.is_ok() && committed.await.unwrap_or(false)
    }
}

async fn write(store: ReceiptStore, mut waiting: mpsc::Receiver<Waiting>, every_ms: i64) {
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
        let kept = keep_all(&store, &receipts, every_ms).await;
        for (answer, is_kept) in answers.into_iter().zip(kept) {
            // A provider that hung up meanwhile sends the receipt again: a replay, which moves nothing.
            if answer.send(is_kept).is_err() {
                tracing::debug!("a provider did not wait for its answer");
            }
        }
    }
}

/// Keeps receipts together, and one by one where they cannot be kept together: a bad one must not keep others out.
async fn keep_all(store: &ReceiptStore, receipts: &[NewReceipt], every_ms: i64) -> Vec<bool> {
    if store.insert_receipts(receipts, every_ms).await.is_ok() {
        return vec![true; receipts.len()];
    }
    let mut kept = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        let result = store.insert_receipts(std::slice::from_ref(receipt), every_ms).await;
        if let Err(error) = &result {
            tracing::error!(error = with_causes(&error), "a receipt was not kept; its provider is told to send it again");
        }
        kept.push(result.is_ok());
    }
    kept
}
