//! The queues of intake: jobs come in, jobs that cannot be read are announced, jobs that cannot be kept end as dead.

use super::{BrokerError, OUTSTANDING_MAX, confirm_all};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use std::time::Duration;

/// Where jobs come in.
pub const INTAKE: &str = "duly.intake";
/// Where jobs end that were delivered too often.
pub const DEAD: &str = "duly.intake.dead";
/// Where jobs that cannot be read are announced, without a value.
pub const REJECTED: &str = "duly.intake.rejected";

/// Deliveries of one job before the broker moves it to `duly.intake.dead`.
const DELIVERY_LIMIT: i64 = 20;
/// Jobs that may wait; publishers are refused beyond, so that nobody's list is dropped silently.
const JOBS_MAX: i64 = 10_000_000;
/// Announcements that may wait; the oldest go first, for the table `rejected_job` is the truth.
const ANNOUNCEMENTS_MAX: i64 = 100_000;
/// Batches that the broker hands out ahead.
const BATCHES_AHEAD: usize = 4;

/// Declares the three quorum queues with every argument explicit, and asks for confirms.
pub async fn declare(channel: &Channel) -> Result<(), BrokerError> {
    // A job is a person: it moves to the dead queue at least once, or stays.
    let jobs = [
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ("x-max-length", AMQPValue::LongLongInt(JOBS_MAX)),
        ("x-overflow", text("reject-publish")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(DEAD)),
        ("x-dead-letter-strategy", text("at-least-once")),
    ];
    let dead = [
        ("x-delivery-limit", AMQPValue::LongLongInt(1_000_000)),
        ("x-max-length", AMQPValue::LongLongInt(JOBS_MAX)),
        ("x-overflow", text("reject-publish")),
    ];
    let rejected = [
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ("x-max-length", AMQPValue::LongLongInt(ANNOUNCEMENTS_MAX)),
        ("x-overflow", text("drop-head")),
    ];
    declare_queue(channel, DEAD, dead).await?;
    declare_queue(channel, INTAKE, jobs).await?;
    declare_queue(channel, REJECTED, rejected).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(())
}

async fn declare_queue<const N: usize>(
    channel: &Channel,
    name: &str,
    arguments: [(&str, AMQPValue); N],
) -> Result<(), BrokerError> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, table).await?;
    Ok(())
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// Publishes bodies: mandatory, persistent, confirmed. Returns how many of them, from the first on, the broker holds.
pub async fn publish(channel: &Channel, queue: &str, bodies: &[Vec<u8>]) -> Result<usize, BrokerError> {
    let mut confirmed = 0;
    for window in bodies.chunks(OUTSTANDING_MAX) {
        let taken = confirm_all(channel, queue, window).await?.into_iter().take_while(|taken| *taken).count();
        confirmed += taken;
        if taken < window.len() {
            break;
        }
    }
    Ok(confirmed)
}

/// A job as it came.
pub struct JobDelivery {
    /// Its bytes; personal data unless the publisher sealed them.
    pub body: Vec<u8>,
    /// Delivery tag on this channel.
    pub tag: u64,
}

/// Takes jobs in batches.
pub struct JobConsumer {
    channel: Channel,
    consumer: Consumer,
    batch_size_max: usize,
    linger: Duration,
    pending: Vec<JobDelivery>,
}

impl JobConsumer {
    /// Starts to consume with manual acknowledgement.
    pub async fn start(channel: Channel, batch_size_max: usize, linger: Duration) -> Result<Self, BrokerError> {
        let prefetch = u16::try_from(batch_size_max * BATCHES_AHEAD).unwrap_or(u16::MAX);
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let consumer =
            channel.basic_consume(INTAKE.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
        Ok(Self { channel, consumer, batch_size_max, linger, pending: Vec::new() })
    }

    /// The next batch: waits for a first job, then at most the linger time for more. `None` once the channel closed.
    /// May be cancelled at any await: what was taken stays for the next call.
    pub async fn next_batch(&mut self) -> Option<Vec<JobDelivery>> {
        if self.pending.is_empty() {
            let first = self.consumer.next().await?.ok()?;
            self.pending.push(taken(first));
        }
        let until = tokio::time::Instant::now() + self.linger;
        while self.pending.len() < self.batch_size_max {
            match tokio::time::timeout_at(until, self.consumer.next()).await {
                Ok(Some(Ok(delivery))) => self.pending.push(taken(delivery)),
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

    /// Acknowledges a batch, oldest first; those in `refused` go back, until the delivery limit moves them to `duly.intake.dead`.
    pub async fn settle(&self, tags: &[u64], refused: &[u64]) -> Result<(), BrokerError> {
        if let (true, Some(last)) = (refused.is_empty(), tags.last()) {
            self.channel.basic_ack(*last, BasicAckOptions { multiple: true }).await?;
            return Ok(());
        }
        for tag in tags {
            if refused.contains(tag) {
                self.channel.basic_nack(*tag, BasicNackOptions { requeue: true, multiple: false }).await?;
            } else {
                self.channel.basic_ack(*tag, BasicAckOptions { multiple: false }).await?;
            }
        }
        Ok(())
    }
}

fn taken(delivery: Delivery) -> JobDelivery {
    JobDelivery { tag: delivery.delivery_tag, body: delivery.data }
}
