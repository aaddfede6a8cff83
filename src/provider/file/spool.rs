//! The folder of a lane, and why a message stands in exactly one batch of it however often somebody dies.
//!
//! ```text
//! lock          who holds it changes the folder; the system takes it from a process that dies
//! writing/      a message in the making: nothing that counts
//! waiting/      REFERENCE: taken, and in no batch yet
//! cancelled/    REFERENCE: taken back before it was in a batch; empty
//! making/       NAME/: a batch in the making: nothing that counts
//! batches/      NAME.json: the batch's manifest. With it the batch is closed; it is never changed or deleted
//! ready/        NAME/: what is carried away, and may be deleted then
//! dockets/      NAME.json: the signed docket
//! ```
//! A message is taken when its file is renamed into `waiting`, and leaves it when `batches` names it. What a death leaves
//! behind is finished or thrown away by whoever changes the folder next. File names are references and numbers.

use super::batch::{self, Manifest};
use super::disk::{sync, write};
use super::error::SpoolError;
use crate::failpoint::reach_blocking as reach;
use crate::provider::guarded::MayStart;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Between two tries to take the lock.
const TRY_AGAIN: Duration = Duration::from_millis(5);
/// What was being written for so long is nobody's any more.
const LEFT_AFTER: Duration = Duration::from_secs(3600);
/// Who holds it changes the folder; it has the lane's name.
const LOCK: &str = "lock";
/// Folders of a lane's folder.
const FOLDERS: [&str; 7] = ["writing", "waiting", "cancelled", "making", "batches", "ready", "dockets"];

/// When a batch is closed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages of one batch, at most.
    pub messages_max: usize,
    /// How long a message waits for others.
    pub wait: Duration,
}

/// What became of a message that was handed in.
#[derive(Debug)]
pub enum Put {
    /// It is in the folder.
    Taken,
    /// It was there already.
    Again,
    /// It was not to leave any more; nothing was taken.
    Refused(&'static str),
    /// It is in the folder, unless the machine loses its power now.
    Unsure,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In no batch yet.
    Waiting,
    /// In the batch of this name.
    In(String),
    /// Taken back.
    Cancelled,
    /// Nowhere.
    Absent,
}

/// A lane's folder.
pub struct Spool {
    folder: PathBuf,
    lane: String,
    index: Mutex<Index>,
    /// Where a test lets it die.
    #[cfg(test)]
    pub dies_at: Option<&'static str>,
}

/// Batches by the references of their messages, as far as they were read.
#[derive(Default)]
struct Index {
    batch_of: HashMap<String, String>,
    read: BTreeSet<String>,
}

/// The folder, held: dropped with its lock.
struct Held<'a> {
    index: MutexGuard<'a, Index>,
    _lock: File,
}

impl Spool {
    /// The folder of a lane; nothing is touched before something is asked of it.
    pub fn new(folder: &Path, lane: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            lane: lane.to_owned(),
            index: Mutex::default(),
            #[cfg(test)]
            dies_at: None,
        }
    }

    /// A point between two steps, at which a test may kill.
    fn step(&self, name: &'static str) -> io::Result<()> {
        reach(name);
        #[cfg(test)]
        if self.dies_at == Some(name) {
            return Err(io::Error::other("died"));
        }
        Ok(())
    }

    fn at(&self, folder: &str, name: &str) -> PathBuf {
        self.folder.join(folder).join(name)
    }

    /// Makes the folders of a lane that is new. Nothing else does: where a disk is not mounted, an empty folder must not
    /// look like one that never had a message.
    pub fn set_up(&self, wait: Duration) -> Result<(), SpoolError> {
        for name in FOLDERS {
            DirBuilder::new().recursive(true).mode(0o700).create(self.folder.join(name))?;
        }
        // Whoever died here left it without a name.
        if fs::metadata(self.folder.join(LOCK)).is_ok_and(|lock| lock.len() == 0) {
            fs::remove_file(self.folder.join(LOCK))?;
        }
        match write(&self.folder.join(LOCK), self.lane.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            written => written?,
        }
        sync(&self.folder)?;
        self.hold(wait).map(drop)
    }

    /// Takes the lock within `wait`.
    fn hold(&self, wait: Duration) -> Result<Held<'_>, SpoolError> {
        let until = Instant::now() + wait;
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = match OpenOptions::new().read(true).write(true).open(self.folder.join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SpoolError::NotSetUp),
            opened => opened?,
        };
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(TRY_AGAIN),
                Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        if io::read_to_string(&lock)? != self.lane {
            return Err(SpoolError::Foreign);
        }
        self.read_new(&mut index)?;
        Ok(Held { index, _lock: lock })
    }

    /// Reads the batches that were closed since.
    fn read_new(&self, index: &mut Index) -> Result<(), SpoolError> {
        for name in self.names("batches")? {
            let Some(batch) = name.strip_suffix(".json").filter(|batch| !index.read.contains(*batch)) else { continue };
            let manifest = Manifest::read(&fs::read(self.at("batches", &name))?)?;
            let references = manifest.messages.into_iter().map(|message| (message.reference, batch.to_owned()));
            index.batch_of.extend(references);
            index.read.insert(batch.to_owned());
        }
        Ok(())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, SpoolError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder.join(folder))? {
            names.extend(entry?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Takes a message under its reference, if `may_start` allows it at the last moment. Under a reference that is there
    /// already nothing is taken: a call that somebody slept over makes no second message.
    pub fn put(&self, reference: &str, bytes: &[u8], may_start: &MayStart, wait: Duration) -> Result<Put, SpoolError> {
        let name = format!("{reference}.{:016x}", rand::random::<u64>());
        // Before a letter is written into a folder that may be nobody's.
        drop(self.hold(wait)?);
        write(&self.at("writing", &name), bytes)?;
        self.step("entry_written")?;
        let held = self.hold(wait)?;
        if self.place(&held.index, reference)? != Place::Absent {
            fs::remove_file(self.at("writing", &name))?;
            return Ok(Put::Again);
        }
        if let Err(code) = may_start() {
            fs::remove_file(self.at("writing", &name))?;
            return Ok(Put::Refused(code));
        }
        fs::rename(self.at("writing", &name), self.at("waiting", reference))?;
        self.step("entry_placed")?;
        Ok(if sync(&self.folder.join("waiting")).is_ok() { Put::Taken } else { Put::Unsure })
    }

    /// Where a message stands.
    pub fn find(&self, reference: &str, wait: Duration) -> Result<Place, SpoolError> {
        let held = self.hold(wait)?;
        self.place(&held.index, reference)
    }

    fn place(&self, index: &Index, reference: &str) -> Result<Place, SpoolError> {
        if let Some(batch) = index.batch_of.get(reference) {
            return Ok(Place::In(batch.clone()));
        }
        for (folder, place) in [("waiting", Place::Waiting), ("cancelled", Place::Cancelled)] {
            if self.at(folder, reference).try_exists()? {
                return Ok(place);
            }
        }
        Ok(Place::Absent)
    }

    /// The names of all closed batches, as the folder has them now: this process may remember more.
    pub fn closed(&self, wait: Duration) -> Result<BTreeSet<String>, SpoolError> {
        let _held = self.hold(wait)?;
        Ok(self.names("batches")?.iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect())
    }

    /// How many of these references the folder knows nothing of.
    pub fn count_missing(&self, references: &[String], wait: Duration) -> Result<usize, SpoolError> {
        let held = self.hold(wait)?;
        let mut missing = 0;
        for reference in references {
            missing += usize::from(self.place(&held.index, reference)? == Place::Absent);
        }
        Ok(missing)
    }

    /// Takes a message back that is in no batch yet, and says where it stands then.
    pub fn cancel(&self, reference: &str, wait: Duration) -> Result<Place, SpoolError> {
        let held = self.hold(wait)?;
        if self.place(&held.index, reference)? == Place::Waiting {
            fs::rename(self.at("waiting", reference), self.at("cancelled", reference))?;
            sync(&self.folder.join("cancelled"))?;
            sync(&self.folder.join("waiting"))?;
        }
        let place = self.place(&held.index, reference)?;
        if place == Place::Cancelled {
            self.empty(reference)?;
        }
        Ok(place)
    }

    /// What was taken back is remembered without its content.
    fn empty(&self, reference: &str) -> io::Result<()> {
        OpenOptions::new().write(true).truncate(true).open(self.at("cancelled", reference))?.sync_all()
    }

    /// Finishes what somebody left, and closes every batch that is full or has waited long enough.
    pub fn close_due(&self, limits: Limits, make: &batch::Making, wait: Duration) -> Result<Vec<String>, SpoolError> {
        let mut closed = Vec::new();
        loop {
            let held = self.hold(wait)?;
            self.recover(&held.index)?;
            let waiting = self.waiting()?;
            let is_full = waiting.len() >= limits.messages_max;
            let is_old = waiting.first().is_some_and(|(since, _)| since.elapsed().unwrap_or_default() >= limits.wait);
            if !is_full && !is_old {
                return Ok(closed);
            }
            let next = waiting.into_iter().take(limits.messages_max).map(|(_, reference)| reference).collect();
            closed.push(self.close(&held.index, next, make)?);
        }
    }

    /// What is in no batch yet, oldest first.
    fn waiting(&self) -> Result<Vec<(SystemTime, String)>, SpoolError> {
        let mut waiting = Vec::new();
        for reference in self.names("waiting")? {
            waiting.push((fs::metadata(self.at("waiting", &reference))?.modified()?, reference));
        }
        waiting.sort_unstable();
        Ok(waiting)
    }

    /// Finishes batches that are closed and throws away what never was one.
    fn recover(&self, index: &Index) -> Result<(), SpoolError> {
        for name in self.names("making")? {
            match index.read.contains(&name) {
                true => self.make_ready(&name)?,
                false => fs::remove_dir_all(self.at("making", &name))?,
            }
        }
        for reference in self.names("waiting")?.iter().filter(|reference| index.batch_of.contains_key(*reference)) {
            fs::remove_file(self.at("waiting", reference))?;
        }
        for reference in self.names("cancelled")? {
            if fs::metadata(self.at("cancelled", &reference))?.len() > 0 {
                self.empty(&reference)?;
            }
        }
        for name in self.names("writing")? {
            let path = self.at("writing", &name);
            let is_left = fs::metadata(&path)
                .and_then(|data| data.modified())
                .is_ok_and(|at| at.elapsed().unwrap_or_default() > LEFT_AFTER);
            if is_left {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn close(&self, index: &Index, references: Vec<String>, make: &batch::Making) -> Result<String, SpoolError> {
        let number = index.read.iter().filter_map(|name| name.split('-').next()?.parse::<u64>().ok()).max().unwrap_or(0) + 1;
        let mut read = Vec::with_capacity(references.len());
        for reference in references {
            let frozen = fs::read(self.at("waiting", &reference))?;
            read.push((reference, frozen));
        }
        // No batch holds both what is for people and what is a rehearsal: the others wait for the next one.
        let is_live = read.first().is_some_and(|(_, frozen)| make.is_for_people(frozen));
        let (references, frozen): (Vec<_>, Vec<_>) =
            read.into_iter().filter(|(_, frozen)| make.is_for_people(frozen) == is_live).unzip();
        let name = batch::name(number, &references);
        let batch = make.batch(&name, &self.lane, &references, &frozen)?;
        let folder = self.at("making", &name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        for (file, bytes) in &batch.files {
            write(&folder.join(file), bytes)?;
        }
        sync(&folder)?;
        self.step("batch_made")?;
        // With this rename the batch is closed, and what it names has left.
        self.replace(&name, &batch.manifest, "batches")?;
        self.step("batch_closed")?;
        self.make_ready(&name)?;
        self.step("batch_ready")?;
        for reference in &references {
            fs::remove_file(self.at("waiting", reference))?;
        }
        Ok(name)
    }

    fn make_ready(&self, name: &str) -> Result<(), SpoolError> {
        fs::rename(self.at("making", name), self.at("ready", name))?;
        Ok(sync(&self.folder.join("ready"))?)
    }

    /// Every closed batch: its manifest's bytes, and its docket where it has one; and how many messages are in none.
    pub fn list(&self, wait: Duration) -> Result<(Vec<Listed>, usize), SpoolError> {
        let held = self.hold(wait)?;
        let mut listed = Vec::new();
        for name in &held.index.read {
            let manifest = fs::read(self.at("batches", &format!("{name}.json")))?;
            let docket = match fs::read(self.at("dockets", &format!("{name}.json"))) {
                Ok(docket) => Some(docket),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error.into()),
            };
            listed.push(Listed { manifest, docket });
        }
        let waiting = self.names("waiting")?.into_iter().filter(|reference| !held.index.batch_of.contains_key(reference)).count();
        Ok((listed, waiting))
    }

    /// Lays a docket beside its batch.
    pub fn keep_docket(&self, name: &str, docket: &[u8], wait: Duration) -> Result<(), SpoolError> {
        let _held = self.hold(wait)?;
        self.replace(name, docket, "dockets")
    }

    /// Puts a whole file into a folder, or nothing.
    fn replace(&self, name: &str, bytes: &[u8], folder: &str) -> Result<(), SpoolError> {
        let name = format!("{name}.json");
        let being_written = self.at("writing", &name);
        // Whoever died over it held the lock: it is nobody's.
        if being_written.exists() {
            fs::remove_file(&being_written)?;
        }
        write(&being_written, bytes)?;
        fs::rename(being_written, self.at(folder, &name))?;
        Ok(sync(&self.folder.join(folder))?)
    }
}

/// A closed batch as its files tell of it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The docket's bytes.
    pub docket: Option<Vec<u8>>,
}
