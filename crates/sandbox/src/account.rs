//! The memory of one provider account: messages as its API shows them, and the record of physical effects.

use crate::config::{FaultKind, ProviderConfig};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// One physical message: the ground truth of "nobody lost, nobody told twice".
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Physical {
    /// Provider account.
    pub provider: String,
    /// `sms` or `letter`.
    pub channel: String,
    /// Number, or address lines joined by line ends.
    pub destination: String,
    /// SHA-256 of the text or of the PDF, hex.
    pub content_sha256: String,
    /// The reference it came with; for reading only, the comparison does not use it.
    pub reference: String,
}

struct Stored {
    reference: String,
    status: &'static str,
    made: Instant,
}

struct KeptKey {
    body: u64,
    id: String,
    since: Instant,
}

#[derive(Default)]
struct Memory {
    messages: HashMap<String, Stored>,
    by_reference: HashMap<String, Vec<String>>,
    keys: HashMap<String, KeptKey>,
    requests: HashMap<String, u32>,
    arrivals: Vec<Instant>,
    record: Vec<Physical>,
}

/// What became of a submit.
pub(crate) struct Produced {
    pub id: String,
    pub is_new: bool,
}

pub(crate) struct Account {
    pub name: String,
    settings: RwLock<Arc<ProviderConfig>>,
    in_flight: AtomicU64,
    fired: Vec<AtomicU64>,
    memory: Mutex<Memory>,
}

impl Account {
    pub(crate) fn new(name: &str, settings: Arc<ProviderConfig>) -> Self {
        let fired = FaultKind::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            name: name.to_owned(),
            settings: RwLock::new(settings),
            in_flight: AtomicU64::new(0),
            fired,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Arc<ProviderConfig> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, settings: Arc<ProviderConfig>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Counts a fault that is about to fire, unless it has fired `times` times already.
    pub(crate) fn count_fault(&self, kind: FaultKind, times: Option<u64>) -> bool {
        let Some(fired) = self.fired.get(kind as usize) else { return false };
        let next = |n: u64| times.is_none_or(|times| n < times).then_some(n + 1);
        fired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    pub(crate) fn faults(&self) -> BTreeMap<FaultKind, u64> {
        let counted = FaultKind::ALL.iter().zip(&self.fired).map(|(kind, n)| (*kind, n.load(Ordering::Relaxed)));
        counted.filter(|(_, n)| *n > 0).collect()
    }

    /// Counts a submit of this reference; 1 for the first.
    pub(crate) fn count_request(&self, reference: &str) -> u32 {
        let mut memory = self.memory();
        memory.arrivals.push(Instant::now());
        let n = memory.requests.entry(reference.to_owned()).or_insert(0);
        *n += 1;
        *n
    }

    pub(crate) fn knows(&self, reference: &str) -> bool {
        self.memory().by_reference.contains_key(reference)
    }

    /// Produces the message under a new `id`, or replays it where the account honours its key.
    pub(crate) fn produce(&self, id: String, physical: Physical, key: Option<&str>, body: &[u8]) -> Produced {
        let settings = self.settings();
        let key = key.filter(|_| settings.idempotent);
        let body = key.map_or(0, |_| hash(body));
        let life = Duration::from_millis(settings.key_life_ms);
        let mut memory = self.memory();
        let kept = key.and_then(|key| memory.keys.get(key)).filter(|kept| kept.body == body && kept.since.elapsed() < life);
        if let Some(kept) = kept {
            return Produced { id: kept.id.clone(), is_new: false };
        }
        let now = Instant::now();
        if let Some(key) = key {
            memory.keys.insert(key.to_owned(), KeptKey { body, id: id.clone(), since: now });
        }
        memory.messages.insert(id.clone(), Stored { reference: physical.reference.clone(), status: "queued", made: now });
        memory.by_reference.entry(physical.reference.clone()).or_default().push(id.clone());
        memory.record.push(physical);
        Produced { id, is_new: true }
    }

    pub(crate) fn set_status(&self, id: &str, status: &'static str) {
        if let Some(message) = self.memory().messages.get_mut(id) {
            message.status = status;
        }
    }

    /// Messages of a reference that a look-up may see by now: id and status. `None` where there is no look-up.
    pub(crate) fn look_up(&self, reference: &str) -> Option<Vec<(String, &'static str)>> {
        let settings = self.settings();
        if !settings.lookup {
            return None;
        }
        let lag = Duration::from_millis(settings.lookup_lag_ms);
        let memory = self.memory();
        let ids = memory.by_reference.get(reference).into_iter().flatten();
        let visible = ids.filter_map(|id| memory.messages.get_key_value(id)).filter(|(_, message)| message.made.elapsed() >= lag);
        Some(visible.map(|(id, message)| (id.clone(), message.status)).collect())
    }

    /// Reference and status of one message, where the account has look-ups.
    pub(crate) fn find(&self, id: &str) -> Option<(String, &'static str)> {
        if !self.settings().lookup {
            return None;
        }
        self.memory().messages.get(id).map(|message| (message.reference.clone(), message.status))
    }

    pub(crate) fn record(&self) -> Vec<Physical> {
        self.memory().record.clone()
    }

    pub(crate) fn requests(&self) -> Vec<(String, u32)> {
        self.memory().requests.iter().map(|(reference, n)| (reference.clone(), *n)).collect()
    }

    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.memory().arrivals.clone()
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::SeqCst)
    }
}

/// A submit that was received and not answered.
pub(crate) struct InFlight(Arc<Account>);

impl InFlight {
    pub(crate) fn enter(account: &Arc<Account>) -> Self {
        account.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(account.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
