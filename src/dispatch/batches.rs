//! Closes the batches of lanes that write to a folder. Every worker does, since every worker can; the folder's lock lets
//! one at a time.

use super::Office;
use crate::model::causes::with_causes;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks after the folders until `stop`. If we die here, the next look of anybody finishes what was begun.
pub async fn run(office: Arc<Office>, stop: CancellationToken) {
    let accounts: Vec<_> = office.accounts.values().filter(|account| account.provider.batches().is_some()).collect();
    while !accounts.is_empty() && !stop.is_cancelled() {
        for account in &accounts {
            let Some(batches) = account.provider.batches() else { continue };
            match batches.close_due().await {
                Ok(closed) => {
                    closed.iter().for_each(|batch| tracing::info!(lane = account.name, batch, "a batch is ready to be carried"))
                }
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::warn!(lane = account.name, error, "no batch was closed; what waits is tried again");
                }
            }
        }
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
    }
}
