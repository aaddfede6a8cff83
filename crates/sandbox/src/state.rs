//! The sandbox's memory: messages as the API shows them, and the record of physical effects.

use crate::config::{FaultKind, SandboxConfig};
use crate::faults::fires;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

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

pub(crate) struct Stored {
    pub id: String,
    pub provider: String,
    pub reference: String,
    pub status: String,
    pub made: Instant,
}

#[derive(Default)]
struct Inner {
    config: SandboxConfig,
    messages: HashMap<String, Stored>,
    by_reference: HashMap<(String, String), Vec<String>>,
    record: Vec<Physical>,
    requests: HashMap<(String, String), u32>,
    counts: BTreeMap<String, BTreeMap<FaultKind, u64>>,
    in_flight: BTreeMap<String, u64>,
    held: HashSet<String>,
}

/// Shared by all connections.
#[derive(Default)]
pub struct SandboxState {
    inner: Mutex<Inner>,
}

impl SandboxState {
    /// A sandbox with nothing sent.
    pub fn new(config: SandboxConfig) -> Self {
        Self { inner: Mutex::new(Inner { config, ..Inner::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its configuration.
    pub fn config(&self) -> SandboxConfig {
        self.lock().config.clone()
    }

    /// Replaces the configuration; what was sent stays.
    pub fn set_config(&self, config: SandboxConfig) {
        self.lock().config = config;
    }

    /// Counts a submit of this reference; 1 for the first.
    pub(crate) fn count_request(&self, provider: &str, reference: &str) -> u32 {
        let mut inner = self.lock();
        let n = inner.requests.entry((provider.to_owned(), reference.to_owned())).or_insert(0);
        *n += 1;
        *n
    }

    /// Whether a fault fires now; counts it.
    pub(crate) fn fault(&self, provider: &str, reference: &str, request: u32, kind: FaultKind) -> Option<u64> {
        let mut inner = self.lock();
        let settings = inner.config.providers.get(provider)?;
        let ms = fires(inner.config.seed, provider, settings, reference, request, kind)?;
        *inner.counts.entry(provider.to_owned()).or_default().entry(kind).or_insert(0) += 1;
        Some(ms)
    }

    /// Produces the message, or replays it where the provider honours keys. Returns its id and whether it is new.
    pub(crate) fn produce(&self, physical: Physical) -> (String, bool) {
        let mut inner = self.lock();
        let key = (physical.provider.clone(), physical.reference.clone());
        let settings = inner.config.providers.get(&physical.provider).cloned().unwrap_or_default();
        if settings.idempotent {
            let replayed = inner.by_reference.get(&key).and_then(|ids| ids.last()).and_then(|id| inner.messages.get(id));
            if let Some(known) = replayed.filter(|m| m.made.elapsed().as_millis() < u128::from(settings.key_life_ms)) {
                return (known.id.clone(), false);
            }
        }
        let id = format!("sb_{:08x}", inner.messages.len() + 1);
        let (provider, reference) = key.clone();
        inner.messages.insert(id.clone(), Stored { id: id.clone(), provider, reference, status: "queued".into(), made: Instant::now() });
        inner.by_reference.entry(key).or_default().push(id.clone());
        inner.record.push(physical);
        (id, true)
    }

    pub(crate) fn set_status(&self, id: &str, status: &str) {
        if let Some(message) = self.lock().messages.get_mut(id) {
            message.status = status.to_owned();
        }
    }

    /// Messages of a reference that a look-up may see by now: id and status.
    pub(crate) fn look_up(&self, provider: &str, reference: &str) -> Option<Vec<(String, String)>> {
        let inner = self.lock();
        let settings = inner.config.providers.get(provider).filter(|p| p.lookup)?;
        let ids = inner.by_reference.get(&(provider.to_owned(), reference.to_owned()));
        let visible = ids.into_iter().flatten().filter_map(|id| inner.messages.get(id));
        let old_enough = visible.filter(|m| m.made.elapsed().as_millis() >= u128::from(settings.lookup_lag_ms));
        Some(old_enough.map(|m| (m.id.clone(), m.status.clone())).collect())
    }

    /// Reference and status of one message, where the provider has look-ups.
    pub(crate) fn find(&self, provider: &str, id: &str) -> Option<(String, String)> {
        let inner = self.lock();
        inner.config.providers.get(provider).filter(|p| p.lookup)?;
        inner.messages.get(id).filter(|m| m.provider == provider).map(|m| (m.reference.clone(), m.status.clone()))
    }

    /// Every physical message.
    pub fn record(&self) -> Vec<Physical> {
        self.lock().record.clone()
    }

    /// How often each fault fired, by provider.
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<FaultKind, u64>> {
        self.lock().counts.clone()
    }

    /// Submits by `provider reference`.
    pub fn requests(&self) -> BTreeMap<String, u32> {
        self.lock().requests.iter().map(|((p, r), n)| (format!("{p} {r}"), *n)).collect()
    }

    /// Submits received and not answered, by provider.
    pub fn in_flight(&self) -> BTreeMap<String, u64> {
        self.lock().in_flight.clone()
    }

    pub(crate) fn enter(&self, provider: &str) {
        *self.lock().in_flight.entry(provider.to_owned()).or_insert(0) += 1;
    }

    pub(crate) fn leave(&self, provider: &str) {
        if let Some(n) = self.lock().in_flight.get_mut(provider) {
            *n = n.saturating_sub(1);
        }
    }

    /// Holds or releases the answers of a provider, after production.
    pub fn hold(&self, provider: &str, is_held: bool) {
        let mut inner = self.lock();
        if is_held { inner.held.insert(provider.to_owned()) } else { inner.held.remove(provider) };
    }

    pub(crate) fn is_held(&self, provider: &str) -> bool {
        self.lock().held.contains(provider)
    }
}
