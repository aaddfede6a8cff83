//! Closes the batches of lanes that write to a folder. Every worker does, since every worker can; the folder's lock lets
//! one at a time.
//!
//! The folder says which messages have left. So that an older copy of it, which somebody put back, is not believed, the
//! database remembers what was written to it.

use super::{DispatchError, Office};
use crate::model::causes::with_causes;
use crate::provider::{Account, Batches};
use crate::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks for every single message.
const EACH_MESSAGE_EVERY: Duration = Duration::from_secs(60);

/// What a folder lacks that its lane wrote to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lost {
    /// Closed batches.
    pub batches: usize,
    /// Messages that it took.
    pub messages: usize,
}

impl Lost {
    /// Whether it lacks anything.
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// Compares a lane's folder with what the database remembers of it: its batches, and its messages too where `each` is set.
pub async fn lost(store: &Store, lane: &str, batches: &dyn Batches, each: bool) -> Result<Lost, DispatchError> {
    // Read before the folder, so that what is written meanwhile is no difference.
    let noted = store.list_lane_batches(lane).await?;
    let taken = if each { store.list_taken_by(lane).await? } else { Vec::new() };
    let closed = batches.names().await?;
    Ok(Lost { batches: noted.difference(&closed).count(), messages: batches.count_missing(taken).await? })
}

/// Whether what a folder does not know may have left all the same.
pub(super) async fn is_older(office: &Office, account: &Account) -> Result<bool, DispatchError> {
    let Some(batches) = account.provider.batches() else { return Ok(false) };
    let lost = lost(&office.store, &account.name, batches, true).await?;
    batches.stand_still(lost.is_any());
    Ok(lost.is_any())
}

/// Looks after the folders until `stop`. If we die here, the next look of anybody finishes what was begun.
pub async fn run(office: Arc<Office>, stop: CancellationToken) {
    let has_folder = |account: &&Arc<Account>| account.provider.batches().is_some();
    let mut folders: Vec<Folder> = office.accounts.values().filter(has_folder).cloned().map(Folder::new).collect();
    while !folders.is_empty() && !stop.is_cancelled() {
        for folder in &mut folders {
            if let Err(error) = folder.look_after(&office).await {
                let (lane, error) = (&folder.account.name, with_causes(&error));
                tracing::warn!(lane, error, "no batch was closed; what waits is tried again");
            }
        }
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
    }
}

/// A lane's folder as one worker looks after it.
struct Folder {
    account: Arc<Account>,
    /// When every message was looked for, and all were there.
    whole_at: Option<Instant>,
}

impl Folder {
    fn new(account: Arc<Account>) -> Self {
        Self { account, whole_at: None }
    }

    async fn look_after(&mut self, office: &Office) -> Result<(), DispatchError> {
        let (lane, Some(batches)) = (&self.account.name, self.account.provider.batches()) else { return Ok(()) };
        let each = self.whole_at.is_none_or(|at| at.elapsed() >= EACH_MESSAGE_EVERY);
        let lost = lost(&office.store, lane, batches, each).await?;
        batches.stand_still(lost.is_any());
        if lost.is_any() {
            self.whole_at = None;
            let Lost { batches, messages } = lost;
            let remedy = "put its newest copy back; `duly batch list` says what is missing";
            tracing::error!(lane, batches, messages, remedy, "the folder of a lane is an older copy: nothing is taken or closed");
            return Ok(());
        }
        self.whole_at = if each { Some(Instant::now()) } else { self.whole_at };
        let closed = batches.close_due().await?;
        closed.iter().for_each(|batch| tracing::info!(lane, batch, "a batch is ready to be carried"));
        // If we die here, the next look notes them: it compares all that there are.
        let (noted, all) = (office.store.list_lane_batches(lane).await?, batches.names().await?);
        let fresh: Vec<String> = all.difference(&noted).cloned().collect();
        if !fresh.is_empty() {
            office.store.note_lane_batches(lane, &fresh).await?;
        }
        Ok(())
    }
}
