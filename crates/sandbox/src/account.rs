//! The memory of one provider account: messages as its API shows them, and the record of physical effects.

use crate::config::{Fault, FaultKind, ProviderConfig};
use crate::face::{Asked, Shown, Trouble, Vendor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Letters of which the PDF is kept, the newest: a run of many thousands must not fill the memory.
const LETTERS_KEPT: usize = 500;

/// One physical message: the ground truth of "nobody lost, nobody told twice".
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Physical {
    /// Provider account.
    pub provider: String,
    /// `sms`, `email` or `letter`.
    pub channel: String,
    /// Number, email address, or address lines joined by line ends.
    pub destination: String,
    /// SHA-256 of the text, of an email's subject and text, or of the PDF, hex.
    pub content_sha256: String,
    /// The reference it came with; for reading only, the comparison does not use it.
    pub reference: String,
}

struct Stored {
    reference: String,
    status: &'static str,
    made: Instant,
    shown: Value,
}

impl Stored {
    fn show(&self, id: &str) -> Shown {
        let (reference, status) = (self.reference.clone(), self.status.to_owned());
        Shown { id: id.to_owned(), reference, status, shown: self.shown.clone() }
    }
}

struct KeptKey {
    body: u64,
    id: String,
    since: Instant,
}

#[derive(Default)]
struct Memory {
    messages: HashMap<String, Stored>,
    references: HashSet<String>,
    found_by: HashMap<String, Vec<String>>,
    keys: HashMap<String, KeptKey>,
    requests: HashMap<String, u32>,
    destinations: HashMap<String, String>,
    fired_of: HashMap<(FaultKind, String), u64>,
    arrivals: Vec<Instant>,
    record: Vec<(String, Physical)>,
    failed_receipts: usize,
    letters: VecDeque<(String, Vec<u8>)>,
    let_in: VecDeque<Instant>,
    /// Submits of a day that were let in.
    today: (Option<time::Date>, u64),
    over_limit: u64,
}

/// What became of a submit.
pub(crate) struct Produced {
    pub message: Shown,
    pub is_new: bool,
}

pub(crate) struct Account {
    pub name: String,
    settings: RwLock<Arc<ProviderConfig>>,
    in_flight: AtomicU64,
    questions: AtomicU64,
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
            questions: AtomicU64::new(0),
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

    /// Counts a fault that is about to fire, unless it has fired `times` times already: for its message, or for all.
    pub(crate) fn count_fault(&self, fault: &Fault) -> bool {
        let Some(fired) = self.fired.get(fault.kind as usize) else { return false };
        let next = |n: u64, times: Option<u64>| times.is_none_or(|times| n < times).then_some(n + 1);
        let Some(name) = &fault.of else {
            return fired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| next(n, fault.times)).is_ok();
        };
        let mut memory = self.memory();
        let of_it = memory.fired_of.entry((fault.kind, name.clone())).or_insert(0);
        let Some(counted) = next(*of_it, fault.times) else { return false };
        *of_it = counted;
        fired.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// How often a fault of this message alone fired.
    pub(crate) fn faults_of(&self, kind: FaultKind, name: &str) -> u64 {
        self.memory().fired_of.get(&(kind, name.to_owned())).copied().unwrap_or(0)
    }

    pub(crate) fn faults(&self) -> BTreeMap<FaultKind, u64> {
        let counted = FaultKind::ALL.iter().zip(&self.fired).map(|(kind, n)| (*kind, n.load(Ordering::Relaxed)));
        counted.filter(|(_, n)| *n > 0).collect()
    }

    /// Counts a submit of this reference; 1 for the first.
    pub(crate) fn count_request(&self, reference: &str, destination: &str) -> u32 {
        let mut memory = self.memory();
        memory.arrivals.push(Instant::now());
        memory.destinations.insert(reference.to_owned(), destination.to_owned());
        let n = memory.requests.entry(reference.to_owned()).or_insert(0);
        *n += 1;
        *n
    }

    /// What else a message is called that is asked for by `key`: by its id, its reference, or its number.
    pub(crate) fn names(&self, key: &str) -> Vec<String> {
        let memory = self.memory();
        let reference = memory.messages.get(key).map_or(key, |message| &message.reference);
        let number = key.split(' ').next().unwrap_or_default().to_owned();
        memory.destinations.get(reference).cloned().into_iter().chain([reference.to_owned(), number]).collect()
    }

    /// Lets a submit in, or a question where the provider counts them, or says why not: too many came within its own limits. Who
    /// is refused does not count.
    pub(crate) fn let_in(&self, now: time::OffsetDateTime, is_submit: bool) -> Result<(), Trouble> {
        let (settings, vendor) = (self.settings(), self.vendor());
        let limits = settings.limits.as_deref().unwrap_or(vendor.limits());
        let per_day = settings.per_day.or_else(|| vendor.per_day(&settings.channel));
        let mut memory = self.memory();
        if memory.today.0 != Some(now.date()) {
            memory.today = (Some(now.date()), 0);
        }
        let longest = limits.iter().map(|limit| limit.ms).max().unwrap_or(0);
        let at = Instant::now();
        while memory.let_in.front().is_some_and(|came| at.duration_since(*came) > Duration::from_millis(longest)) {
            memory.let_in.pop_front();
        }
        let over = limits.iter().find_map(|limit| {
            let window = Duration::from_millis(limit.ms);
            let within = memory.let_in.iter().filter(|came| at.duration_since(**came) < window);
            let (many, first) = within.fold((0, None), |(n, first), came| (n + 1, first.or(Some(*came))));
            let frees = window.saturating_sub(first.map_or(Duration::ZERO, |came| at.duration_since(came)));
            (many >= limit.many).then(|| Trouble::TooMany(u64::try_from(frees.as_millis()).unwrap_or(u64::MAX)))
        });
        let over = over.or_else(|| per_day.filter(|most| is_submit && memory.today.1 >= *most).map(|_| Trouble::TooManyToday));
        if let Some(trouble) = over {
            memory.over_limit += 1;
            return Err(trouble);
        }
        memory.let_in.push_back(at);
        memory.today.1 += u64::from(is_submit);
        Ok(())
    }

    /// Submits, and questions that count, that came beyond the provider's limits.
    pub(crate) fn over_limit(&self) -> u64 {
        self.memory().over_limit
    }

    pub(crate) fn knows(&self, reference: &str) -> bool {
        self.memory().references.contains(reference)
    }

    pub(crate) fn vendor(&self) -> &'static dyn Vendor {
        self.settings().face.vendor()
    }

    /// Produces the message under a new `id`, or replays it where the account honours its key.
    pub(crate) fn produce(&self, id: String, asked: Asked, body: &[u8]) -> Produced {
        let settings = self.settings();
        let key = asked.key.clone().filter(|_| settings.idempotent);
        let body = key.as_ref().map_or(0, |_| hash(body));
        let life = Duration::from_millis(settings.key_life_ms);
        let mut memory = self.memory();
        let kept = key.as_ref().and_then(|key| memory.keys.get(key));
        let kept = kept.filter(|kept| kept.body == body && kept.since.elapsed() < life);
        if let Some(message) = kept.and_then(|kept| Some(memory.messages.get(&kept.id)?.show(&kept.id))) {
            return Produced { message, is_new: false };
        }
        if let Some(key) = key {
            memory.keys.insert(key, KeptKey { body, id: id.clone(), since: Instant::now() });
        }
        let first_word = settings.face.vendor().first_word();
        let message = memory.keep(&id, &asked, first_word);
        if let Some(letter) = asked.letter {
            memory.letters.truncate(LETTERS_KEPT - 1);
            memory.letters.push_front((id.clone(), letter));
        }
        memory.record.push((id, asked.physical));
        Produced { message, is_new: true }
    }

    /// Keeps a message of which nothing is printed or sent.
    pub(crate) fn keep(&self, id: &str, asked: &Asked, status: &'static str) -> Shown {
        self.memory().keep(id, asked, status)
    }

    /// Moves a message on; false where it was taken back.
    pub(crate) fn set_status(&self, id: &str, status: &'static str) -> bool {
        let cancelled = self.vendor().cancelled_word();
        let mut memory = self.memory();
        let Some(message) = memory.messages.get_mut(id).filter(|message| message.status != cancelled) else { return false };
        message.status = status;
        true
    }

    /// Takes a message back, if its life has not begun: then nothing of it was printed or sent.
    pub(crate) fn cancel(&self, id: &str) -> Option<(Shown, bool)> {
        let vendor = self.vendor();
        let mut memory = self.memory();
        let message = memory.messages.get_mut(id)?;
        let in_time = message.status == vendor.first_word();
        if in_time {
            message.status = vendor.cancelled_word();
        }
        let shown = message.show(id);
        if in_time {
            memory.record.retain(|(other, _)| other != id);
        }
        Some((shown, in_time))
    }

    /// A letter that was taken and is not printed: it stays known, and nothing of it is on record.
    pub(crate) fn unmake(&self, id: &str) {
        self.memory().record.retain(|(other, _)| other != id);
    }

    /// Counts what is asked of messages that exist: each question draws its faults anew.
    pub(crate) fn count_question(&self) -> u32 {
        u32::try_from(self.questions.fetch_add(1, Ordering::SeqCst)).unwrap_or(u32::MAX)
    }

    /// Messages that a look-up may see by now. `None` where there is no look-up.
    pub(crate) fn look_up(&self, key: &str) -> Option<Vec<Shown>> {
        let settings = self.settings();
        if !settings.lookup {
            return None;
        }
        let lag = Duration::from_millis(settings.lookup_lag_ms);
        let memory = self.memory();
        let ids = memory.found_by.get(key).into_iter().flatten();
        let visible = ids.filter_map(|id| memory.messages.get_key_value(id)).filter(|(_, message)| message.made.elapsed() >= lag);
        Some(visible.map(|(id, message)| message.show(id)).collect())
    }

    /// One message, where the account has look-ups.
    pub(crate) fn find(&self, id: &str) -> Option<Shown> {
        if !self.settings().lookup {
            return None;
        }
        self.memory().messages.get(id).map(|message| message.show(id))
    }

    /// One letter with the PDF that was given, where it is kept.
    pub(crate) fn letter(&self, id: &str) -> Option<(Shown, Vec<u8>)> {
        let memory = self.memory();
        let (_, pdf) = memory.letters.iter().find(|(kept, _)| kept == id)?;
        Some((memory.messages.get(id)?.show(id), pdf.clone()))
    }

    /// A message as its receipts show it.
    pub(crate) fn show(&self, id: &str) -> Option<Shown> {
        self.memory().messages.get(id).map(|message| message.show(id))
    }

    /// The id of the message that was produced last.
    pub(crate) fn newest_id(&self) -> Option<String> {
        self.memory().record.last().map(|(id, _)| id.clone())
    }

    /// The newest message that is called otherwise, by its id and by what it is found by.
    pub(crate) fn other_than(&self, key: &str) -> Option<Shown> {
        let memory = self.memory();
        let own = memory.found_by.get(key);
        let is_other = |id: &&String| *id != key && own.is_none_or(|ids| !ids.contains(id));
        let id = memory.record.iter().rev().map(|(id, _)| id).find(is_other)?;
        memory.messages.get(id).map(|message| message.show(id))
    }

    /// Counts a try of a receipt that failed.
    pub(crate) fn count_failed_receipt(&self) {
        self.memory().failed_receipts += 1;
    }

    pub(crate) fn failed_receipts(&self) -> usize {
        self.memory().failed_receipts
    }

    /// Somebody subscribed again.
    pub(crate) fn forget_failed_receipts(&self) {
        self.memory().failed_receipts = 0;
    }

    pub(crate) fn record(&self) -> Vec<Physical> {
        self.memory().record.iter().map(|(_, physical)| physical.clone()).collect()
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

impl Memory {
    fn keep(&mut self, id: &str, asked: &Asked, status: &'static str) -> Shown {
        let reference = asked.physical.reference.clone();
        let stored = Stored { reference: reference.clone(), status, made: Instant::now(), shown: asked.shown.clone() };
        let shown = stored.show(id);
        self.messages.insert(id.to_owned(), stored);
        self.references.insert(reference);
        for key in &asked.found_by {
            self.found_by.entry(key.clone()).or_default().push(id.to_owned());
        }
        shown
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
