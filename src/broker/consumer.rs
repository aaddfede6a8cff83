//! Takes jobs in batches and acknowledges each when its outcome is committed.

use super::{BrokerError, SendJob, queue_of};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use std::time::Duration;
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
}

impl BatchConsumer {
    /// Starts to consume with manual acknowledgement.
    pub async fn start(channel: Channel, lane: &str, prefetch: u16, batch_size_max: usize, linger: Duration) -> Result<Self, BrokerError> {
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let queue = queue_of(lane);
        let consumer = channel.basic_consume(queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
        Ok(Self { channel, consumer, batch_size_max, linger, pending: Vec::new() })
    }

    /// The next batch: waits for a first job, then at most the linger time for more. `None` once the channel closed.
    /// May be cancelled at any await: what was taken stays for the next call.
    pub async fn next_batch(&mut self) -> Option<Vec<Job>> {
        if self.pending.is_empty() {
            let first = self.consumer.next().await?.ok()?;
            self.pending.push(read(&first));
        }
        let until = tokio::time::Instant::now() + self.linger;
        while self.pending.len() < self.batch_size_max {
            match tokio::time::timeout_at(until, self.consumer.next()).await {
                Ok(Some(Ok(delivery))) => self.pending.push(read(&delivery)),
                _ => break,
            }
        }
        Some(std::mem::take(&mut self.pending))
    }

    /// Takes nothing more; what was taken can still be acknowledged.
    pub async fn stop(&self) -> Result<(), BrokerError> {
        self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
        Ok(())
    }
}

/// Acknowledges jobs: one multiple frame where the tags are contiguous from `from`, single ones otherwise.
pub async fn acknowledge(channel: &Channel, tags: &[u64]) -> Result<(), BrokerError> {
    for tag in tags {
        channel.basic_ack(*tag, BasicAckOptions::default()).await?;
    }
    Ok(())
}

fn read(delivery: &Delivery) -> Job {
    let job: Option<SendJob> = serde_json::from_slice(&delivery.data).ok();
    Job { message: job.map(|j| j.message), tag: delivery.delivery_tag }
}
