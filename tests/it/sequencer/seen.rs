//! Every signed note that somebody outside could have seen, kept from the first look to the last.

use super::signer;
use crate::support::Stage;
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

    /// No size of a log was seen with two notes, each is the one on record, and its root is that of the first leaves of what
    /// lies outside now: so are any two of them consistent. Returns how many sizes were seen of a log.
    pub async fn holds(&self, stage: &Stage, origin: &str) -> usize {
        self.look();
        let notes = self.notes.lock().unwrap().clone();
        for (origin, notes) in &notes {
            let mut sizes = BTreeMap::new();
            for note in notes {
                let checkpoint = Checkpoint::open(note, &[signer(stage, origin).vkey().clone()]).unwrap();
                assert_eq!(&checkpoint.origin, origin);
                let another = sizes.insert(checkpoint.size, checkpoint.root);
                assert_eq!(another, None, "{origin}: {} was signed twice", checkpoint.size);
            }
            assert_eq!(roots(&self.outside.join(origin), sizes.keys().copied().collect()), sizes, "{origin}");
            let on_record =
                "select c.note from checkpoint c join log_generation g using (log_no, generation) where g.origin = $1";
            let on_record: Vec<String> = sqlx::query_scalar(on_record).bind(origin).fetch_all(&stage.owner).await.unwrap();
            let is_kept = |note: &&Vec<u8>| !on_record.iter().any(|kept| kept.as_bytes() == note.as_slice());
            assert_eq!(notes.iter().find(is_kept), None, "{origin}: seen, and not on record");
        }
        notes.get(origin).map_or(0, BTreeSet::len)
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
