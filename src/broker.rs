//! RabbitMQ, the road: jobs may be lost, doubled, delayed or reordered, and nothing goes wrong.

pub mod consumer;
pub mod intake;
pub mod version;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Publishes that wait for their confirms at once.
const OUTSTANDING_MAX: usize = 512;
/// Longest wait for a window's confirms: a broker whose memory or disk is short takes nothing, and answers nothing.
const CONFIRM_MAX: Duration = Duration::from_secs(10);
/// Deliveries of one job before the broker gives it up; the lease in Postgres brings the message back.
const DELIVERY_LIMIT: i64 = 20;

/// What the broker refused.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The connection or channel failed.
    #[error("the broker cannot be reached or closed the channel")]
    Amqp(#[from] lapin::Error),
    /// The broker ended the consumer: its connection, channel or queue is gone.
    #[error("the broker closed the consumer")]
    ConsumerClosed,
    /// The broker is there and takes nothing.
    #[error("the broker has confirmed nothing for {} s", CONFIRM_MAX.as_secs())]
    Silent,
    /// The server is too old for the queues that Duly declares.
    #[error("RabbitMQ {version} is older than 3.10")]
    TooOld {
        /// Version it reports.
        version: String,
    },
}

impl BrokerError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Amqp(error) if error.to_string().contains("inequivalent arg") => {
                "a queue of this name was made with other arguments, perhaps by an older Duly: delete it by `rabbitmqctl delete_queue` with the name above; jobs to send are made again by themselves"
            }
            Self::Amqp(_) | Self::ConsumerClosed => {
                "check that RabbitMQ is up and `broker.url` right; nothing is lost while it is away"
            }
            Self::Silent => {
                "look at RabbitMQ's alarms (`rabbitmqctl status`): while its memory or disk is short it takes nothing; nothing is lost, and Duly goes on by itself once there is room"
            }
            Self::TooOld { .. } => "use RabbitMQ 3.10 or newer",
        }
    }
}

/// A job on a lane's queue: a name, never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendJob {
    /// Message.
    pub message: Uuid,
    /// Version of this format.
    pub v: u32,
}

/// Connects and opens a channel.
pub async fn connect(url: &str) -> Result<(Connection, Channel), BrokerError> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// The queue of a lane.
pub fn queue_of(lane: &str) -> String {
    format!("duly.send.{lane}.v1")
}

/// Declares a lane's quorum queue with every argument explicit: 3.10 and 4.x have other defaults.
pub async fn declare(channel: &Channel, lane: &str) -> Result<(), BrokerError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1_000_000));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("duly.dead".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue_of(lane).as_str().into(), options, arguments).await?;
    let mut dead = FieldTable::default();
    dead.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    dead.insert("x-max-length".into(), AMQPValue::LongLongInt(100_000));
    // The oldest go first, and whoever looks at one and puts it back does not use it up: RabbitMQ 4 would after 20 times.
    dead.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    dead.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(1_000_000));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("duly.dead".into(), options, dead).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(())
}

/// Publishes jobs to a lane: mandatory, persistent, confirmed. Returns how many were confirmed; the lease of the
/// others simply runs out.
pub async fn publish(channel: &Channel, lane: &str, messages: &[Uuid]) -> Result<usize, BrokerError> {
    let job = |message: &Uuid| serde_json::to_vec(&SendJob { message: *message, v: 1 }).unwrap_or_default();
    let mut confirmed = 0;
    for window in messages.chunks(OUTSTANDING_MAX) {
        let jobs: Vec<Vec<u8>> = window.iter().map(job).collect();
        confirmed += confirm_all(channel, &queue_of(lane), &jobs).await?.into_iter().filter(|taken| *taken).count();
    }
    Ok(confirmed)
}

/// Publishes a window of bodies and says of each whether the broker holds it. After `Silent` the channel is not to be
/// used again: what it was given may still be taken.
async fn confirm_all(channel: &Channel, queue: &str, bodies: &[Vec<u8>]) -> Result<Vec<bool>, BrokerError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirming = async {
        let mut waiting = Vec::with_capacity(bodies.len());
        for body in bodies {
            let properties = BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
            waiting.push(channel.basic_publish("".into(), queue.into(), options, body, properties).await?);
        }
        let mut taken = Vec::with_capacity(waiting.len());
        for confirm in waiting {
            let confirmation = confirm.await?;
            taken.push(confirmation.is_ack() && confirmation.take_message().is_none());
        }
        Ok(taken)
    };
    timeout(CONFIRM_MAX, confirming).await.unwrap_or(Err(BrokerError::Silent))
}
