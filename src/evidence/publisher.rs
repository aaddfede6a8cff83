//! Copies what is signed to the place outside: bundles and tiles first, the checkpoint last, and only then it counts.
//!
//! Each step may be repeated: the same files are written with the same bytes. If we die in between, the next round
//! finds the checkpoint without its publication and copies again.

use super::keys::Known;
use super::{Archive, EvidenceError, Outer};
use crate::failpoint;
use crate::store::log::{Unpublished, i64_of, u64_of};
use crate::store::sequencing::LogScope;
use duly_ledger::{Layer, TILE_WIDTH, Tile, changed_tiles, completed_tiles, encode_bundle, tile_at};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Files written at once; more of them in one folder wait for each other.
const AT_ONCE: usize = 4;
/// Bundles read from the database at once.
const BUNDLES: u64 = 16;

/// How often a growing log is noted in the system's log.
const NOTE_EVERY: Duration = Duration::from_secs(60);

impl Recent {
    /// Those of it that stand from `first` on, if it reaches to `end`.
    fn between(&self, first: u64, end: u64) -> &[Vec<u8>] {
        let at = |place: u64| usize::try_from(place.saturating_sub(self.first)).unwrap_or(usize::MAX);
        if end <= self.first { &[] } else { self.bodies.get(at(first)..at(end)).unwrap_or_default() }
    }
}

/// Copies what is signed, and keeps the register.
#[derive(Default)]
pub struct Publisher {
    noted: HashMap<String, Noted>,
    /// What was signed just now, by number and generation of its log: it need not be read again.
    recent: HashMap<(i32, i32), Recent>,
}

/// When this process last noted a log, and whether it has had news since.
struct Noted {
    at: Instant,
    has_news: bool,
}

/// The last events of a log.
#[derive(Default)]
struct Recent {
    first: u64,
    bodies: Vec<Vec<u8>>,
}

impl Publisher {
    /// Keeps the newest events of a log until they are published.
    pub fn expect(&mut self, (log_no, generation, size): (i32, i32, u64), bodies: Vec<Vec<u8>>) {
        let first = size - bodies.len() as u64;
        let recent = self.recent.entry((log_no, generation)).or_default();
        if recent.first + recent.bodies.len() as u64 == first {
            recent.bodies.extend(bodies);
        } else {
            *recent = Recent { first, bodies };
        }
    }

    /// Publishes the newest checkpoint of every log that has one nobody has seen. A log that contradicts itself keeps
    /// no other back; it is what the error tells in the end.
    pub async fn publish(&mut self, archive: &Archive) -> Result<(), EvidenceError> {
        let mut odd = None;
        for log in archive.store.list_unpublished().await? {
            let recent = self.recent.remove(&(log.log_no, log.generation)).unwrap_or_default();
            let from = u64_of(log.published);
            let copy = Copy::new(archive, log, from, recent).await?;
            match copy.run().await {
                Ok(()) => self.note(&copy).await?,
                Err(error) if error.is_of_one_log() => odd = odd.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        odd.map_or(Ok(()), Err)
    }

    /// Whoever anchors the system's log anchors all logs: it has their checkpoints, once a minute while they grow by more than
    /// our own audits, which would make it grow for ever.
    async fn note(&mut self, copy: &Copy<'_>) -> Result<(), EvidenceError> {
        if copy.log.kind == "system" {
            return Ok(());
        }
        if let Some(noted) = self.noted.get_mut(&copy.log.origin) {
            noted.has_news = noted.has_news || copy.has_news().await?;
            if !noted.has_news || noted.at.elapsed() < NOTE_EVERY {
                return Ok(());
            }
        }
        let detail =
            [("origin", json!(copy.log.origin)), ("root", json!(hex::encode(&copy.log.root))), ("size", json!(copy.log.size))];
        let detail = detail.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        copy.archive.store.insert_event(LogScope::System, "checkpoint.noted", detail).await?;
        self.noted.insert(copy.log.origin.clone(), Noted { at: Instant::now(), has_news: false });
        Ok(())
    }
}

/// Copies every log whole once more, also what was copied before: the place outside was lost.
pub async fn copy_again(archive: &Archive) -> Result<(), EvidenceError> {
    for log in archive.store.list_signed().await? {
        copy_whole(archive, log).await?;
    }
    Ok(())
}

/// Looks whether the copy of each log has all its files and the newest published checkpoint, and copies those whole that do not;
/// returns how many did not.
pub async fn mend(archive: &Archive) -> Result<usize, EvidenceError> {
    let mut mended = 0;
    for log in archive.store.list_signed().await? {
        if !lacks_files(archive, &log).await? {
            continue;
        }
        // As it is by now: the files of a tile that was not full go once it is.
        let is_it = |now: &Unpublished| (now.log_no, now.generation) == (log.log_no, log.generation);
        let Some(now) = archive.store.list_signed().await?.into_iter().find(is_it) else { continue };
        if lacks_files(archive, &now).await? {
            let remedy = "find out who takes files away from `evidence.outside`, or puts older ones there: a restored database needs them as they were published";
            tracing::error!(origin = now.origin, remedy, "the copy outside of a log was not whole, and is written again");
            copy_whole(archive, now).await?;
            mended += 1;
        }
    }
    Ok(mended)
}

async fn lacks_files(archive: &Archive, log: &Unpublished) -> Result<bool, EvidenceError> {
    let there = archive.outside.list_files(&log.origin).await?;
    let names = changed_tiles(0, u64_of(log.published)).map(|tile| tile.to_string());
    let lacks_one = names.chain((log.published > 0).then(|| "checkpoint".to_owned())).any(|name| !there.contains(&name));
    Ok(lacks_one || archive.is_outside_older(&log.origin, log.published).await?)
}

async fn copy_whole(archive: &Archive, log: Unpublished) -> Result<(), EvidenceError> {
    Copy::new(archive, log, 0, Recent::default()).await?.run().await
}

struct Copy<'a> {
    archive: &'a Archive,
    known: Known,
    log: Unpublished,
    from: u64,
    size: u64,
    recent: Recent,
}

impl<'a> Copy<'a> {
    /// Of what is signed of a log from `from` on, by the key that was its at that size.
    async fn new(archive: &'a Archive, log: Unpublished, from: u64, recent: Recent) -> Result<Self, EvidenceError> {
        let changes = archive.store.list_key_changes(log.log_no).await?;
        let known = Known::new(&changes, archive.keys(), log.generation, log.size);
        Ok(Self { archive, known, from, size: u64_of(log.size), log, recent })
    }

    async fn run(&self) -> Result<(), EvidenceError> {
        self.check_note()?;
        self.copy_bundles().await?;
        self.copy_tiles().await?;
        failpoint::reach("tiles_published").await;
        self.copy_checkpoint().await?;
        failpoint::reach("checkpoint_published").await;
        self.archive.store.insert_publication(self.log.log_no, self.log.generation, self.log.size).await?;
        self.put_newest().await?;
        self.remove_partial_tiles().await
    }

    async fn has_news(&self) -> Result<bool, EvidenceError> {
        let (log_no, generation) = (self.log.log_no, self.log.generation);
        Ok(self.archive.store.has_news(log_no, generation, i64_of(self.from), self.log.size).await?)
    }

    /// Nothing is published that the log's key in force did not sign: the row may have been written by another hand.
    fn check_note(&self) -> Result<(), EvidenceError> {
        let opened = self.known.open(&self.log.origin, self.log.generation, self.log.note.as_bytes());
        let is_ours = opened.is_some_and(|(c, _)| c.size == self.size && c.root.as_slice() == self.log.root);
        if is_ours {
            Ok(())
        } else {
            Err(self.contradiction("a checkpoint is not signed by the key that was this log's at its size"))
        }
    }

    async fn copy_bundles(&self) -> Result<(), EvidenceError> {
        let mut first = self.from / 256 * 256;
        while first < self.size {
            let end = (first + BUNDLES * 256).min(self.size);
            let entries = self.entries(first, end).await?;
            let bundles = entries.chunks(usize::from(TILE_WIDTH)).zip(first / 256..);
            let files = bundles.filter_map(|(chunk, n)| Some((tile_at(Layer::Entries, n, end)?, encode_bundle(chunk))));
            let files = files.map(|(tile, bytes)| Ok((tile, bytes.map_err(|_| self.contradiction("an event is too long"))?)));
            self.put_all(files.collect::<Result<_, EvidenceError>>()?).await?;
            first = end;
        }
        Ok(())
    }

    async fn entries(&self, first: u64, end: u64) -> Result<Vec<Vec<u8>>, EvidenceError> {
        let known = self.recent.between(first, end);
        let end_of_rest = end - known.len() as u64;
        let mut entries = Vec::new();
        if end_of_rest > first {
            let (store, log) = (&self.archive.store, &self.log);
            entries = store.list_entries(log.log_no, log.generation, i64_of(first), i64_of(end_of_rest)).await?;
        }
        entries.extend_from_slice(known);
        if entries.len() as u64 != end - first {
            return Err(self.contradiction("an event is missing"));
        }
        Ok(entries)
    }

    async fn copy_tiles(&self) -> Result<(), EvidenceError> {
        let mut files = Vec::new();
        for tile in changed_tiles(self.from, self.size).filter(|tile| !tile.is_entries()) {
            let hashes = self.archive.store.load_tile(self.log.log_no, self.log.generation, tile).await?;
            files.push((tile, hashes.ok_or_else(|| self.contradiction("a tile is missing"))?));
        }
        self.put_all(files).await
    }

    /// The older of two sequencers may come to this point late: where a newer checkpoint lies, it leaves it there.
    async fn copy_checkpoint(&self) -> Result<(), EvidenceError> {
        let there = self.archive.outside_of(&self.known, &self.log.origin, self.log.generation).await?;
        failpoint::reach("checkpoint_compared").await;
        if there.is_some_and(|Outer { checkpoint, .. }| checkpoint.size >= self.size) {
            return Ok(());
        }
        self.put_checkpoint(&self.log.note).await
    }

    /// Whoever stood still between its look and its put has put an older checkpoint over a newer one. So each looks again after
    /// its last word: what lies outside is the newest that is published, whichever of two processes comes last.
    async fn put_newest(&self) -> Result<(), EvidenceError> {
        let origin = &self.log.origin;
        while let Some(newest) = self.archive.store.find_published(origin).await? {
            // Nor here is anything put that the log's key did not sign.
            let opened = self.known.open(origin, self.log.generation, newest.note.as_bytes());
            let is_ours = opened.is_some_and(|(checkpoint, _)| checkpoint.size == u64_of(newest.size));
            if !is_ours || !self.archive.is_outside_older(origin, newest.size).await? {
                break;
            }
            self.put_checkpoint(&newest.note).await?;
        }
        Ok(())
    }

    async fn put_checkpoint(&self, note: &str) -> Result<(), EvidenceError> {
        Ok(self.archive.outside.put(&format!("{}/checkpoint", self.log.origin), note.as_bytes().to_vec()).await?)
    }

    /// Partial tiles have served once the full one is there, and a checkpoint that needs it.
    async fn remove_partial_tiles(&self) -> Result<(), EvidenceError> {
        for tile in completed_tiles(self.from, self.size) {
            self.archive.outside.remove_below(&format!("{}/{tile}.p", self.log.origin)).await?;
        }
        Ok(())
    }

    async fn put_all(&self, files: Vec<(Tile, Vec<u8>)>) -> Result<(), EvidenceError> {
        let puts = files
            .into_iter()
            .map(|(tile, bytes)| async move { self.archive.outside.put(&format!("{}/{tile}", self.log.origin), bytes).await });
        Ok(stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await?)
    }

    fn contradiction(&self, what: &'static str) -> EvidenceError {
        EvidenceError::Contradiction { origin: self.log.origin.clone(), what }
    }
}
