//! Jobs that could not be read are read again, once what kept them out is mended: a key, a name, a setting.

use super::{JobError, Keys, Place, Verdict, judge, open_desk};
use crate::intake::list::insert;
use crate::model::seal::Key;
use crate::store::Store;
use crate::store::job::KeptJob;
use crate::store::quarantine::Decider;
use std::sync::Arc;
use uuid::Uuid;

/// Jobs read at a time.
const PAGE: i64 = 200;

/// What a retry needs.
pub struct Retry<'a> {
    /// The database.
    pub store: &'a Store,
    /// Master key.
    pub master: &'a Key,
    /// Whether jobs that nobody sealed are taken.
    pub accept_plain: bool,
    /// Who, and by which signed command.
    pub by: Decider,
}

/// What became of the jobs.
#[derive(Debug, Default)]
pub struct Retried {
    /// Taken in: rows of their incidents from now on.
    pub taken: Vec<Uuid>,
    /// Still not read, with the code of why not.
    pub rejected: Vec<(Uuid, &'static str)>,
}

impl Retry<'_> {
    /// Reads the jobs that wait again, these or all. If we die in between, what was taken in is known the next time.
    pub async fn run(&self, only: Option<&[Uuid]>) -> Result<Retried, JobError> {
        let mut retried = Retried::default();
        let mut after = Uuid::nil();
        loop {
            let page = self.store.list_kept_jobs(only, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(retried) };
            after = last.id;
            for job in &page {
                match self.read(job).await? {
                    None => retried.taken.push(job.id),
                    Some(code) => retried.rejected.push((job.id, code)),
                }
            }
        }
    }

    /// `None` once the job is a row; else the code of why it cannot be read.
    async fn read(&self, job: &KeptJob) -> Result<Option<&'static str>, JobError> {
        // Only its beginning was kept.
        if job.code == "too_large" {
            return Ok(Some("too_large"));
        }
        let body = self.master.open("rejected job", &job.sealed)?;
        let (mut desk, mut keys) = (None, Keys::new());
        if let Ok(envelope) = super::read_envelope(&body, self.accept_plain) {
            match open_desk(self.store, self.master, &envelope.name()).await? {
                Place::Open(open) => {
                    keys.insert(Arc::from(envelope.name()), Some((open.secret.clone(), open.keys.clone())));
                    desk = Some(open);
                }
                Place::Closed => drop(keys.insert(Arc::from(envelope.name()), None)),
                Place::Unknown => {}
            }
        }
        let row = match judge(&body, self.accept_plain, &keys) {
            Verdict::Row(_, row) => row,
            Verdict::Rejected(code) => return Ok(Some(code)),
        };
        let Some(desk) = &mut desk else { return Ok(Some("unknown_incident")) };
        insert(self.store, &desk.incident, &mut desk.list, std::slice::from_ref(&*row)).await?;
        // Where its `job_id` was given twice, it waits under the identity that it got instead.
        let identities: Vec<Vec<u8>> = row.job.map(|job| job.if_reused).into_iter().chain([row.identity]).collect();
        self.store.record_taken(job.id, desk.incident.key, &identities, self.by).await?;
        Ok(None)
    }
}
