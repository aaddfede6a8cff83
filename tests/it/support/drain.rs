//! Waiting until a run has nothing to do, by asking the database.

use super::stage::Stage;
use super::wait::within;
use std::time::Duration;

/// Longest wait for a run of a test.
const LONGEST: Duration = Duration::from_secs(180);

/// What is left to do, in one snapshot: a message that moves between two counts would stand in neither of them.
macro_rules! left {
    ($states:literal) => {
        concat!(
            "select (select count(*) from message where state in (",
            $states,
            ") or due_at <= duly_now()) + (select count(*) from receipt where due_at <= duly_now())"
        )
    };
}
/// Messages that are still in our hands, to be sent, being sent, or not known; and what the sweep would look after now.
const IN_HAND: &str = left!("'ready', 'sending', 'unknown'");
/// The same, and messages that wait for news of their provider.
const OPEN: &str = left!("'ready', 'sending', 'unknown', 'accepted', 'sent', 'printed', 'overdue'");

impl Stage {
    /// Runs until every message has left our hands and nothing is due.
    pub async fn drain(&self) {
        within(LONGEST, "every message has left our hands", async || (self.count(IN_HAND).await == 0).then_some(())).await;
    }

    /// The same, and until every message that a provider took has had its last news.
    pub async fn drain_to_the_end(&self) {
        within(LONGEST, "every message has had its last news", async || (self.count(OPEN).await == 0).then_some(())).await;
    }

    /// Whether every event has its place in a log and every log is copied outside.
    pub async fn is_published(&self) -> bool {
        self.count("select count(*) from event_inbox").await == 0
            && self.office.store.list_unpublished().await.unwrap().is_empty()
    }

    /// Waits until a process at work has published every event.
    pub async fn drain_the_logs(&self) {
        within(LONGEST, "every event is published", async || self.is_published().await.then_some(())).await;
    }

    /// A count by the owner.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.owner).await.unwrap()
    }

    /// Words that a query finds, by the owner.
    pub async fn words(&self, query: &'static str) -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(&self.owner).await.unwrap()
    }

    /// States of all messages in the order of their making.
    pub async fn states(&self) -> Vec<String> {
        self.words("select state from message order by message_id").await
    }
}
