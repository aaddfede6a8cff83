//! Jobs from `duly.intake`: one person each, taken in batches, acknowledged when their fate is committed.

mod message;
mod publish;
mod retry;

pub use message::{Job, REMEDIES, Target, read_envelope, read_job, remedy, wrap};
pub use publish::{PublishError, Unreadable, check_file, publish_file};
pub use retry::{Retried, Retry};

use super::list::insert;
use super::rows::RowKeys;
use crate::broker::intake::{JobConsumer, JobDelivery, REJECTED, declare, publish as publish_bodies};
use crate::broker::{BrokerError, connect};
use crate::model::causes::with_causes;
use crate::model::seal::{Key, SealError, open_with};
use crate::store::incident::Incident;
use crate::store::job::NewRejected;
use crate::store::list::{NewList, NewRow, OpenList};
use crate::store::{Store, StoreError};
use lapin::Channel;
use message::Content;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Jobs in one transaction.
const BATCH: usize = 200;
/// How long a batch waits for more jobs.
const LINGER: Duration = Duration::from_millis(5);
/// Pauses between tries while the database or the broker is away.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How much of a rejected job is kept, bytes.
const REJECTED_BYTES_MAX: usize = 1024 * 1024;

/// Why a batch was not taken; it stays with the broker.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A thread died.
    #[error("a batch of jobs was not read")]
    Reading,
    /// The broker did not confirm.
    #[error("the broker did not take the announcement of a rejected job")]
    NotConfirmed,
}

impl JobError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Broker(error) => error.remedy(),
            Self::Store(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::Reading | Self::NotConfirmed => "start the role again: jobs that were not acknowledged come again",
        }
    }
}

/// What the role `intake` needs.
pub struct Intake {
    /// The database.
    pub store: Store,
    /// Master key.
    pub master: Key,
    /// RabbitMQ.
    pub broker_url: SecretString,
    /// Whether jobs that nobody sealed are taken.
    pub accept_plain: bool,
}

/// An incident that jobs come for.
struct Desk {
    incident: Incident,
    keys: RowKeys,
    secret: Key,
    list: OpenList,
}

/// Where a job's incident stands.
enum Place {
    Open(Box<Desk>),
    Closed,
    Unknown,
}

/// What opens and seals the jobs of incidents, by name; `None`: the incident is closed.
type Keys = HashMap<Arc<str>, Option<(Key, RowKeys)>>;

/// What a job is.
enum Verdict {
    Row(Arc<str>, Box<NewRow>),
    Rejected(&'static str),
}

/// Takes jobs until `stop`; reconnects by itself.
pub async fn run(intake: Arc<Intake>, stop: CancellationToken) -> Result<(), JobError> {
    let mut pause = PAUSE_MIN;
    while !stop.is_cancelled() {
        match consume(&intake, &stop).await {
            Ok(()) => pause = PAUSE_MIN,
            Err(error) => {
                tracing::warn!(error = with_causes(&error), "the consumer of duly.intake stopped and starts again");
                wait(&stop, pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
    Ok(())
}

async fn wait(stop: &CancellationToken, pause: Duration) {
    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(pause) => {} }
}

async fn consume(intake: &Arc<Intake>, stop: &CancellationToken) -> Result<(), JobError> {
    let (connection, channel) = connect(intake.broker_url.expose_secret()).await?;
    declare(&channel).await?;
    let mut consumer = JobConsumer::start(channel.clone(), BATCH, LINGER).await?;
    let mut taker = Taker { intake: intake.clone(), channel, desks: HashMap::new(), closed: HashSet::new() };
    loop {
        let batch = tokio::select! {
            () = stop.cancelled() => break,
            batch = consumer.next_batch() => batch.ok_or_else(|| BrokerError::from(lapin::Error::from(std::io::Error::other("the consumer was closed"))))?,
        };
        let tags: Vec<u64> = batch.iter().map(|job| job.tag).collect();
        let Some(refused) = taker.take_until_known(batch, stop).await? else { break };
        // If we die before this, the batch comes again and is known.
        consumer.settle(&tags, &refused).await?;
    }
    consumer.stop().await?;
    connection.close(200, "stopped".into()).await.map_err(BrokerError::from)?;
    Ok(())
}

struct Taker {
    intake: Arc<Intake>,
    channel: Channel,
    desks: HashMap<Arc<str>, Desk>,
    closed: HashSet<Arc<str>>,
}

impl Taker {
    /// Tries until the batch's fate is known; giving it back while the database is away would only use up its deliveries.
    async fn take_until_known(
        &mut self,
        batch: Vec<JobDelivery>,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<u64>>, JobError> {
        let batch = Arc::new(batch);
        let mut pause = PAUSE_MIN;
        loop {
            match self.take(&batch).await {
                Ok(refused) => return Ok(Some(refused)),
                Err(JobError::Store(error)) => {
                    tracing::warn!(error = with_causes(&error), jobs = batch.len(), "a batch of jobs is tried again")
                }
                Err(error) => return Err(error),
            }
            wait(stop, pause).await;
            if stop.is_cancelled() {
                return Ok(None);
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Gives every job of a batch its fate; answers the tags of jobs that the database refuses by themselves.
    async fn take(&mut self, batch: &Arc<Vec<JobDelivery>>) -> Result<Vec<u64>, JobError> {
        self.open_desks(batch).await?;
        let open = self.desks.iter().map(|(name, d)| (name.clone(), Some((d.secret.clone(), d.keys.clone()))));
        let desks: Keys = open.chain(self.closed.iter().map(|name| (name.clone(), None))).collect();
        let (shared, accept_plain) = (batch.clone(), self.intake.accept_plain);
        let verdicts = tokio::task::spawn_blocking(move || {
            shared.iter().map(|job| judge(&job.body, accept_plain, &desks)).collect::<Vec<_>>()
        });
        let verdicts = verdicts.await.map_err(|_| JobError::Reading)?;
        let mut rows: HashMap<Arc<str>, Vec<(u64, NewRow)>> = HashMap::new();
        let mut rejected = Vec::new();
        for (job, verdict) in batch.iter().zip(verdicts) {
            match verdict {
                Verdict::Row(desk, row) => rows.entry(desk).or_default().push((job.tag, *row)),
                Verdict::Rejected(code) => rejected.push(self.sealed(code, &job.body)),
            }
        }
        let mut refused = Vec::new();
        for (desk, rows) in rows {
            refused.extend(self.insert(&desk, rows).await?);
        }
        self.reject(&rejected).await?;
        Ok(refused)
    }

    /// Finds the incidents that a batch names and that are not at hand yet.
    async fn open_desks(&mut self, batch: &[JobDelivery]) -> Result<(), JobError> {
        self.closed.clear();
        let names = batch.iter().filter_map(|job| read_envelope(&job.body, self.intake.accept_plain).ok()).map(|e| e.name());
        for name in names {
            if self.desks.contains_key(name.as_str()) {
                continue;
            }
            match open_desk(&self.intake.store, &self.intake.master, &name).await? {
                Place::Open(desk) => drop(self.desks.insert(name.into(), *desk)),
                Place::Closed => drop(self.closed.insert(name.into())),
                Place::Unknown => {}
            }
        }
        Ok(())
    }

    /// Inserts the rows of one incident in one transaction. Where the database refuses what one of them holds, each goes
    /// alone, so that one bad job stops nobody else's.
    async fn insert(&mut self, name: &Arc<str>, rows: Vec<(u64, NewRow)>) -> Result<Vec<u64>, StoreError> {
        let Some(desk) = self.desks.get_mut(name) else { return Ok(Vec::new()) };
        let store = &self.intake.store;
        let (tags, rows): (Vec<u64>, Vec<NewRow>) = rows.into_iter().unzip();
        match insert(store, &desk.incident, &mut desk.list, &rows).await {
            Ok(_) => return Ok(Vec::new()),
            Err(error) if error.is_about_values() => {}
            // Closed since the desk was opened: the next try finds that, and rejects its jobs.
            Err(StoreError::Closed) => {
                self.desks.remove(name);
                return Err(StoreError::Closed);
            }
            Err(error) => return Err(error),
        }
        let mut refused = Vec::new();
        for (tag, row) in tags.into_iter().zip(&rows) {
            match insert(store, &desk.incident, &mut desk.list, std::slice::from_ref(row)).await {
                Ok(_) => {}
                Err(error) if error.is_about_values() => {
                    tracing::error!(
                        error = with_causes(&error),
                        "the database refuses a job; after its last delivery it lies in duly.intake.dead"
                    );
                    refused.push(tag);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    fn sealed(&self, code: &'static str, body: &[u8]) -> NewRejected {
        let kept = body.get(..REJECTED_BYTES_MAX).unwrap_or(body);
        NewRejected {
            code,
            body_hash: self.intake.master.search_hash("rejected job", body),
            sealed: self.intake.master.seal("rejected job", kept),
        }
    }

    /// Keeps rejected jobs, then announces them. If we die in between, the jobs come again and are announced again.
    async fn reject(&self, jobs: &[NewRejected]) -> Result<(), JobError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let kept = self.intake.store.insert_rejected(jobs).await?;
        let bodies: Vec<Vec<u8>> = kept
            .iter()
            .map(|job| json!({"id": job.id, "code": job.code, "hash": hex::encode(&job.hash)}).to_string().into_bytes())
            .collect();
        let confirmed = publish_bodies(&self.channel, REJECTED, &bodies).await?;
        if confirmed == bodies.len() { Ok(()) } else { Err(JobError::NotConfirmed) }
    }
}

/// The incident of a name, with its open list and what its rows are sealed under, where it takes jobs.
async fn open_desk(store: &Store, master: &Key, name: &str) -> Result<Place, JobError> {
    let incident = match store.load_incident(name).await {
        Ok(incident) if incident.closed_at.is_some() => return Ok(Place::Closed),
        Ok(incident) => incident,
        Err(StoreError::Missing { .. }) => return Ok(Place::Unknown),
        // A name that the database cannot even look for is nobody's: to wait for it would stop all who come behind.
        Err(error) if error.is_about_values() => return Ok(Place::Unknown),
        Err(error) => return Err(error.into()),
    };
    let key = master.unwrap_key(&incident.wrapped_key, "incident")?;
    let secret = key.unwrap_key(&incident.intake_secret_key, "intake")?;
    let wrapped = key.wrap(&Key::generate(), "list");
    let new = NewList { source: "jobs", file_hash: None, row_count: None, wrapped_key: &wrapped, columns: &json!({}) };
    let list = store.find_or_open_list(incident.key, &new).await?;
    let keys = RowKeys { list: key.unwrap_key(&list.wrapped_key, "list")?, incident: key };
    Ok(Place::Open(Box::new(Desk { incident, keys, secret, list })))
}

/// Opens, checks and seals one job.
fn judge(body: &[u8], accept_plain: bool, desks: &Keys) -> Verdict {
    let read = || {
        let envelope = read_envelope(body, accept_plain)?;
        let (name, desk) = desks.get_key_value(envelope.name().as_str()).ok_or("unknown_incident")?;
        let (secret, keys) = desk.as_ref().ok_or("incident_closed")?;
        let job = match envelope.content {
            Content::Plain(job) => read_job(&job)?,
            Content::Sealed(sealed) => {
                let opened = open_with(secret, &sealed).map_err(|_| "does_not_open")?;
                read_job(&serde_json::from_slice(&opened).map_err(|_| "not_json")?)?
            }
        };
        Ok(Verdict::Row(name.clone(), Box::new(keys.job_row(&job))))
    };
    read().unwrap_or_else(Verdict::Rejected)
}
