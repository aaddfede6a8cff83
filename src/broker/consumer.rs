//! Takes jobs in batches and acknowledges each when its outcome is committed.

use super::{BrokerError, SendJob, queue_of};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A job with the tag that acknowledges it.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// Message; `None` for a job that cannot be read, which is acknowledged and forgotten.
    pub message: Option<Uuid>,
    /// Delivery tag on this channel.
    pub tag: u64,
}

/// A consumer of one lane.
pub struct BatchConsumer {
    channel: Channel,
    consumer: Consumer,
    batch_size_max: usize,
    linger: Duration,
    pending: Vec<Job>,
    window: Arc<AckWindow>,
}

impl BatchConsumer {
    /// Starts to consume with manual acknowledgement; what is taken is entered in `window`.
    pub async fn start(
        channel: Channel,
        lane: &str,
        prefetch: u16,
        batch_size_max: usize,
        linger: Duration,
        window: Arc<AckWindow>,
    ) -> Result<Self, BrokerError> {
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let queue = queue_of(lane);
        let consumer = channel
            .basic_consume(queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        Ok(Self { channel, consumer, batch_size_max, linger, pending: Vec::new(), window })
    }

    /// The next batch: waits for a first job, then at most the linger time for more. `None` once the channel closed.
    /// May be cancelled at any await: what was taken stays for the next call.
    pub async fn next_batch(&mut self) -> Option<Vec<Job>> {
        if self.pending.is_empty() {
            let first = self.consumer.next().await?.ok()?;
            self.take(&first);
        }
        let until = tokio::time::Instant::now() + self.linger;
        while self.pending.len() < self.batch_size_max {
            match tokio::time::timeout_at(until, self.consumer.next()).await {
                Ok(Some(Ok(delivery))) => self.take(&delivery),
                _ => break,
            }
        }
        Some(std::mem::take(&mut self.pending))
    }

    fn take(&mut self, delivery: &Delivery) {
        let job: Option<SendJob> = serde_json::from_slice(&delivery.data).ok();
        self.window.taken(delivery.delivery_tag);
        self.pending.push(Job { message: job.map(|j| j.message), tag: delivery.delivery_tag });
    }

    /// Takes nothing more; what was taken can still be acknowledged.
    pub async fn stop(&self) -> Result<(), BrokerError> {
        self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
        Ok(())
    }
}

/// Which deliveries can be acknowledged: all up to the contiguous mark in one frame, and singly past a mark that has
/// not moved for `PATIENCE`, so that one long call never starves the prefetch.
#[derive(Debug, Default)]
pub struct AckWindow {
    inner: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    open: BTreeSet<u64>,
    settled: BTreeSet<u64>,
    moved: Option<Instant>,
}

impl AckWindow {
    /// How long a mark may stand still before tags behind it are acknowledged singly.
    pub const PATIENCE: Duration = Duration::from_millis(250);

    fn lock(&self) -> std::sync::MutexGuard<'_, Window> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self, tag: u64) {
        self.lock().open.insert(tag);
    }

    /// Marks tags as settled and acknowledges what can be.
    pub async fn settle(&self, channel: &Channel, tags: &[u64]) -> Result<(), BrokerError> {
        let frames = self.lock().settle(tags, Instant::now());
        for (tag, multiple) in frames {
            channel.basic_ack(tag, BasicAckOptions { multiple }).await?;
        }
        Ok(())
    }
}

impl Window {
    /// The frames to send: tag, and whether it stands for all before it.
    fn settle(&mut self, tags: &[u64], now: Instant) -> Vec<(u64, bool)> {
        for tag in tags.iter().filter(|tag| self.open.remove(tag)) {
            self.settled.insert(*tag);
        }
        let behind = match self.open.first() {
            Some(oldest) => self.settled.split_off(oldest),
            None => BTreeSet::new(),
        };
        let contiguous = std::mem::replace(&mut self.settled, behind);
        let mut frames: Vec<(u64, bool)> = contiguous.last().map(|mark| (*mark, true)).into_iter().collect();
        let stands = now.duration_since(*self.moved.get_or_insert(now)) >= AckWindow::PATIENCE;
        if !frames.is_empty() {
            self.moved = Some(now);
        } else if stands {
            frames.extend(std::mem::take(&mut self.settled).into_iter().map(|tag| (tag, false)));
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(tags: std::ops::RangeInclusive<u64>) -> Window {
        Window { open: tags.collect(), ..Window::default() }
    }

    #[test]
    fn everything_up_to_the_oldest_open_job_is_acknowledged_in_one_frame() {
        let mut window = window(1..=5);
        let now = Instant::now();
        assert_eq!(window.settle(&[2, 3], now), []);
        assert_eq!(window.settle(&[1], now), [(3, true)]);
        assert_eq!(window.settle(&[5, 4], now), [(5, true)]);
    }

    #[test]
    fn one_long_call_does_not_hold_back_the_others() {
        let mut window = window(1..=3);
        let now = Instant::now();
        assert_eq!(window.settle(&[2], now), []);
        assert_eq!(window.settle(&[3], now + AckWindow::PATIENCE), [(2, false), (3, false)]);
        assert_eq!(window.settle(&[1, 1], now + AckWindow::PATIENCE), [(1, true)]);
    }
}
