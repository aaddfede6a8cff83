//! Who may have receipts: read anew each second for whoever asks, known or not, so that the time of an answer tells nothing.

use crate::store::StoreError;
use crate::store::receipt::{ReceiptControllers, ReceiptStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a reading serves.
const FRESH: Duration = Duration::from_secs(1);

/// The controllers, and the database's clock.
pub struct Directory {
    store: ReceiptStore,
    newest: Mutex<Option<(Arc<ReceiptControllers>, Instant)>>,
}

impl Directory {
    /// Nothing is read yet.
    pub fn new(store: ReceiptStore) -> Self {
        Self { store, newest: Mutex::default() }
    }

    /// The controllers, with the database's time of now in seconds: signatures are never judged by this machine's clock.
    pub async fn read(&self) -> Result<(Arc<ReceiptControllers>, i64), StoreError> {
        let mut newest = self.newest.lock().await;
        let (controllers, read_at) = match newest.as_ref().filter(|(_, read_at)| read_at.elapsed() < FRESH) {
            Some(fresh) => fresh.clone(),
            None => {
                // Before the query: the clock may seem slow by a round trip, never fast.
                let read_at = Instant::now();
                newest.insert((Arc::new(self.store.list_receipt_controllers().await?), read_at)).clone()
            }
        };
        let elapsed = i64::try_from(read_at.elapsed().as_micros()).unwrap_or(0);
        let now_micros = controllers.now_micros + elapsed;
        Ok((controllers, now_micros.div_euclid(1_000_000)))
    }
}
