//! Every signed note that somebody outside could have seen, kept from the first look to the last.

use super::{archive, one_more_event, origin, outside, signer, stage};
use crate::support::Stage;
use duly::evidence::sequencer;
use duly_ledger::{Checkpoint, Frontier, bundle_entries, entry_bundles, leaf_hash};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pause of the thread that looks meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// Notes by origin.
type Notes = BTreeMap<String, BTreeSet<Vec<u8>>>;

/// Somebody who looks at the copy outside all the time and forgets nothing.
pub struct Seen {
    outside: PathBuf,
    notes: Arc<Mutex<Notes>>,
    is_over: Arc<AtomicBool>,
    looks: Option<JoinHandle<()>>,
}

impl Seen {
    pub fn from_now(stage: &Stage) -> Self {
        let outside = PathBuf::from(&stage.office.settings.evidence.outside);
        let (notes, is_over) = (Arc::new(Mutex::new(Notes::new())), Arc::new(AtomicBool::new(false)));
        let (folder, kept, stop) = (outside.clone(), notes.clone(), is_over.clone());
        let looks = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                look(&folder, &kept);
                std::thread::sleep(LOOK);
            }
        });
        Self { outside, notes, is_over, looks: Some(looks) }
    }

    /// Looks now, whatever the thread is doing.
    pub fn look(&self) {
        look(&self.outside, &self.notes);
    }

    /// What was seen and may not be: two notes of one size, a note that is not on record, or one whose root is not that of the
    /// first leaves of what lies outside now. Where there is none any two notes are consistent.
    pub async fn contradictions(&self, stage: &Stage) -> Vec<String> {
        self.look();
        let notes = self.notes.lock().unwrap().clone();
        let mut found = Vec::new();
        for (origin, notes) in &notes {
            let on_record =
                "select c.note from checkpoint c join log_generation g using (log_no, generation) where g.origin = $1";
            let on_record: Vec<String> = sqlx::query_scalar(on_record).bind(origin).fetch_all(&stage.owner).await.unwrap();
            let mut sizes = BTreeMap::new();
            for note in notes {
                let Checkpoint { origin: of, size, root, .. } =
                    Checkpoint::open(note, &[signer(stage, origin).vkey().clone()]).unwrap();
                assert_eq!(&of, origin);
                found.extend(sizes.insert(size, root).map(|_| format!("{size} was signed twice")));
                let is_kept = on_record.iter().any(|kept| kept.as_bytes() == note.as_slice());
                found.extend((!is_kept).then(|| format!("{size} is not on record")));
            }
            let roots = roots(&self.outside.join(origin), sizes.keys().copied().collect());
            found.extend(
                sizes.iter().filter(|(size, root)| roots.get(*size) != Some(*root)).map(|(n, _)| format!("{n} has another root")),
            );
        }
        found
    }

    /// How many sizes of a log were seen, of which none contradicts another.
    pub async fn holds(&self, stage: &Stage, origin: &str) -> usize {
        assert_eq!(self.contradictions(stage).await, Vec::<String>::new());
        self.notes.lock().unwrap().get(origin).map_or(0, BTreeSet::len)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if self.looks.take().is_some_and(|looks| looks.join().is_err()) {
            eprintln!("nobody looked at the notes any more");
        }
    }
}

/// A note comes under its name whole: whatever is read is one.
fn look(outside: &Path, notes: &Mutex<Notes>) {
    for host in std::fs::read_dir(outside).into_iter().flatten().flatten() {
        for log in std::fs::read_dir(host.path()).into_iter().flatten().flatten() {
            let Ok(note) = std::fs::read(log.path().join("checkpoint")) else { continue };
            let origin = format!("{}/{}", host.file_name().display(), log.file_name().display());
            notes.lock().unwrap().entry(origin).or_default().insert(note);
        }
    }
}

/// As the place outside does: whoever reads meanwhile sees the old file or the new one.
fn put_whole(place: &Path, bytes: &[u8]) {
    let aside = place.with_extension("new");
    std::fs::write(&aside, bytes).unwrap();
    std::fs::rename(aside, place).unwrap();
}

/// Roots at these sizes of the log that lies in a folder.
fn roots(folder: &Path, sizes: BTreeSet<u64>) -> BTreeMap<u64, [u8; 32]> {
    let mut tree = Frontier::new();
    let mut roots = BTreeMap::new();
    for bundle in entry_bundles(sizes.last().copied().unwrap_or_default()) {
        let bytes = std::fs::read(folder.join(bundle.to_string())).unwrap();
        for entry in bundle_entries(&bytes) {
            tree.append(leaf_hash(entry.unwrap()));
            if sizes.contains(&tree.size()) {
                roots.insert(tree.size(), tree.root());
            }
        }
    }
    roots
}

#[tokio::test]
async fn whoever_looked_outside_finds_another_note_of_a_size_and_one_that_nobody_has_on_record() {
    let stage = stage().await;
    let (archive, place) = (archive(&stage), outside(&stage, "checkpoint"));
    sequencer::run_once(archive.clone()).await.unwrap();
    let true_note = std::fs::read(&place).unwrap();
    let size = Checkpoint::open(&true_note, &[signer(&stage, &origin(&stage)).vkey().clone()]).unwrap().size;
    let seen = Seen::from_now(&stage);
    seen.look();
    for at in [size, size - 1] {
        put_whole(&place, signer(&stage, &origin(&stage)).sign_checkpoint(at, [7; 32]).as_bytes());
        seen.look();
    }
    put_whole(&place, &true_note);
    one_more_event(&stage).await;
    sequencer::run_once(archive).await.unwrap();

    let found = seen.contradictions(&stage).await;
    for what in [
        format!("{size} was signed twice"),
        format!("{size} is not on record"),
        format!("{} is not on record", size - 1),
        format!("{} has another root", size - 1),
    ] {
        assert!(found.contains(&what), "{what}: {found:?}");
    }
}
