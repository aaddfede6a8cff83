//! Batches that nobody has signed for as handed over: they wait for somebody, and after their time that is an alarm. Those of
//! a rehearsal wait for nobody.

use crate::dispatch::batches::{Lost, lost};
use crate::provider::Account;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// A lane's folder as it stands.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Carried {
    /// Lane.
    pub lane: String,
    /// Whether people are reached by it.
    #[serde(rename = "live")]
    pub is_live: bool,
    /// Messages in no batch yet.
    pub waiting: usize,
    /// Closed batches for people without a docket; `None`: the folder cannot be read here.
    pub batches: Option<Vec<Uncarried>>,
    /// What the folder lacks that was written to it; more than nothing is an alarm: it is an older copy.
    pub lacks: Lost,
}

/// A batch without a docket.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Uncarried {
    /// Name.
    pub batch: String,
    /// Messages.
    pub messages: usize,
    /// When its docket is or was due.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// Whether it is an alarm.
    #[serde(rename = "late")]
    pub is_late: bool,
}

/// Looks into the folders of all lanes that have one, and for every single message where `each` is set.
pub async fn carried(store: &Store, accounts: &BTreeMap<String, Arc<Account>>, each: bool) -> Vec<Carried> {
    let mut all = Vec::new();
    for account in accounts.values() {
        let Some(batches) = account.provider.batches() else { continue };
        // Who only looks may look from a machine that has no such folder.
        let found = batches.list().await.ok();
        let lacks = lost(store, &account.name, batches, each).await.unwrap_or_default();
        let now = OffsetDateTime::now_utc();
        let waiting = found.as_ref().map_or(0, |found| found.waiting);
        let uncarried = found.map(|found| {
            let open = found.closed.into_iter().filter(|batch| batch.is_live && !batch.is_handed_over);
            open.map(|batch| Uncarried {
                messages: batch.references.len(),
                is_late: now >= batch.due_at,
                due_at: batch.due_at,
                batch: batch.name,
            })
            .collect()
        });
        all.push(Carried { lane: account.name.clone(), is_live: account.is_live, waiting, batches: uncarried, lacks });
    }
    all
}
