//! Publishes a file as jobs, for controllers without a system of their own that does.

use super::message::{Job, Target, read_job, wrap};
use crate::broker::BrokerError;
use crate::broker::intake::{INTAKE, publish};
use crate::intake::csv::{ListError, Mapping, count, file, open};
use crate::model::seal::SealError;
use lapin::Channel;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Jobs that are published before their confirms are awaited.
const BATCH: usize = 512;

/// A line of the file that cannot become a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Line of JSON, or data row of CSV.
    pub line: u64,
    /// Code.
    pub code: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.line, self.code)
    }
}

/// Why a file was not published, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The file.
    #[error(transparent)]
    List(#[from] ListError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Lines that are no jobs; nothing was published.
    #[error("lines that are no jobs: {}", shown(lines))]
    Unreadable {
        /// All of them.
        lines: Vec<Unreadable>,
    },
    /// The broker refused one.
    #[error("the broker took {published} jobs and then no more")]
    NotConfirmed {
        /// Confirmed jobs.
        published: u64,
    },
}

impl PublishError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::List(error) => error.remedy(),
            Self::Broker(error) => error.remedy(),
            Self::Seal(_) => "check the incident's intake key with `duly job key`",
            Self::Unreadable { .. } => "write one `{\"job_id\": …, \"person\": {…}}` a line, or a CSV; nothing was published",
            Self::NotConfirmed { .. } => {
                "look at the queue duly.intake, then publish the file again: jobs that came before stay the same"
            }
        }
    }
}

fn shown(lines: &[Unreadable]) -> String {
    let first: Vec<String> = lines.iter().take(20).map(Unreadable::to_string).collect();
    let more = lines.len().saturating_sub(first.len());
    if more > 0 { format!("{} … and {more} more", first.join(", ")) } else { first.join(", ") }
}

type Line = (u64, Result<Job, &'static str>);

/// Refuses a file with a line that is no job.
pub fn check_file(path: &Path, mapping: &Mapping) -> Result<(), PublishError> {
    let mut unreadable = Vec::new();
    for line in read(path, mapping)? {
        let (line, job) = line?;
        unreadable.extend(job.err().map(|code| Unreadable { line, code }));
    }
    match unreadable.is_empty() {
        true => Ok(()),
        false => Err(PublishError::Unreadable { lines: unreadable }),
    }
}

/// Publishes JSON lines or a CSV, each person as a job of its own; answers how many. A file with a line that is no job
/// is not published at all.
pub async fn publish_file(channel: &Channel, path: &Path, mapping: &Mapping, target: &Target) -> Result<u64, PublishError> {
    check_file(path, mapping)?;
    let mut published = 0;
    let mut lines = read(path, mapping)?;
    loop {
        let mut bodies = Vec::with_capacity(BATCH);
        for line in lines.by_ref().take(BATCH) {
            let (line, job) = line?;
            let job = job.map_err(|code| PublishError::Unreadable { lines: vec![Unreadable { line, code }] })?;
            bodies.push(wrap(&job, target)?);
        }
        let confirmed = publish(channel, INTAKE, &bodies).await?;
        published += confirmed as u64;
        if confirmed < bodies.len() {
            return Err(PublishError::NotConfirmed { published });
        }
        if bodies.len() < BATCH {
            return Ok(published);
        }
    }
}

fn read(path: &Path, mapping: &Mapping) -> Result<Box<dyn Iterator<Item = Result<Line, ListError>> + Send>, ListError> {
    let mut first = [0; 1];
    let read = file(path)?.read(&mut first)?;
    if read == 1 && first[0] == b'{' {
        let lines = BufReader::new(file(path)?).lines();
        let numbered = (1..).zip(lines).filter(|(_, line)| line.as_ref().map_or(true, |l| !l.trim().is_empty()));
        return Ok(Box::new(numbered.map(|(n, line)| Ok((n, read_line(&line?))))));
    }
    // The same file makes the same jobs, so that publishing it again changes nothing.
    let name = hex::encode(&count(file(path)?)?.hash[..16]);
    let mut rows = open(file(path)?, mapping)?;
    rows.check_own()?;
    let jobs = std::iter::from_fn(move || rows.next_raw());
    Ok(Box::new(
        jobs.map(move |row| row.map(|(n, person)| (n, person.map(|person| Job { job_id: format!("{name}:{n}"), person })))),
    ))
}

fn read_line(line: &str) -> Result<Job, &'static str> {
    read_job(&serde_json::from_str(line).map_err(|_| "not_json")?)
}
