//! The sandbox as tests and the demo hold it: its configuration, its accounts and what they did.

use crate::account::{Account, Physical};
use crate::config::{Fault, FaultKind, SandboxConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Reads the address in the window of a letter, as a machine at a printer's would; none: no address was found.
pub type WindowReader = Arc<dyn Fn(&[u8]) -> Option<String> + Send + Sync>;

/// Shared by all connections.
pub struct SandboxState {
    config: RwLock<Arc<SandboxConfig>>,
    accounts: RwLock<BTreeMap<String, Arc<Account>>>,
    held: watch::Sender<BTreeSet<String>>,
    last_id: AtomicU64,
    window: RwLock<Option<WindowReader>>,
    started: Instant,
}

impl Default for SandboxState {
    fn default() -> Self {
        Self::new(SandboxConfig::default())
    }
}

impl SandboxState {
    /// A sandbox with nothing sent.
    pub fn new(config: SandboxConfig) -> Self {
        let state = Self {
            config: RwLock::default(),
            accounts: RwLock::default(),
            held: watch::Sender::default(),
            last_id: AtomicU64::new(0),
            window: RwLock::default(),
            started: Instant::now(),
        };
        state.set_config(config);
        state
    }

    /// Its configuration.
    pub fn config(&self) -> Arc<SandboxConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the configuration; what was sent stays.
    pub fn set_config(&self, config: SandboxConfig) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        for (name, settings) in &config.providers {
            let settings = Arc::new(settings.clone());
            accounts.entry(name.clone()).or_insert_with(|| Arc::new(Account::new(name, settings.clone()))).set(settings);
        }
        accounts.retain(|name, _| config.providers.contains_key(name));
        drop(accounts);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Says where receipts go from now on; none: nowhere.
    pub fn set_callback(&self, callback: Option<String>) {
        self.set_config(SandboxConfig { callback, ..SandboxConfig::clone(&self.config()) });
    }

    /// Replaces the faults of one provider.
    pub fn set_faults(&self, provider: &str, faults: Vec<Fault>) {
        let mut config = SandboxConfig::clone(&self.config());
        if let Some(settings) = config.providers.get_mut(provider) {
            settings.faults = faults;
        }
        self.set_config(config);
    }

    pub(crate) fn account(&self, provider: &str) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(provider).cloned()
    }

    fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Says how the window of a letter is read, for faces whose requests name no address; without a reader their
    /// letters go on record without one.
    pub fn set_window_reader(&self, reader: WindowReader) {
        *self.window.write().unwrap_or_else(PoisonError::into_inner) = Some(reader);
    }

    pub(crate) fn read_window(&self, pdf: &[u8]) -> Option<String> {
        let reader = self.window.read().unwrap_or_else(PoisonError::into_inner).clone();
        reader.map_or(Some(String::new()), |reader| reader(pdf))
    }

    /// Tries of receipts that failed, of a provider.
    pub fn failed_receipts(&self, provider: &str) -> usize {
        self.account(provider).map_or(0, |account| account.failed_receipts())
    }

    /// Receipts of a provider that paused them are sent again.
    pub fn resubscribe(&self, provider: &str) {
        if let Some(account) = self.account(provider) {
            account.forget_failed_receipts();
        }
    }

    /// Every physical message, by provider in the order of production.
    pub fn record(&self) -> Vec<Physical> {
        self.accounts().iter().flat_map(|account| account.record()).collect()
    }

    /// How often each fault fired, by provider.
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<FaultKind, u64>> {
        let counted = self.accounts().into_iter().map(|account| (account.name.clone(), account.faults()));
        counted.filter(|(_, faults)| !faults.is_empty()).collect()
    }

    /// How often a fault fired, over all providers.
    pub fn fired(&self, kind: FaultKind) -> u64 {
        self.counts().values().filter_map(|faults| faults.get(&kind)).sum()
    }

    /// How often a fault of one message alone fired, over all providers.
    pub fn fired_of(&self, kind: FaultKind, name: &str) -> u64 {
        self.accounts().iter().map(|account| account.faults_of(kind, name)).sum()
    }

    /// Submits that came beyond a provider's own limits, and were refused for that.
    pub fn over_limit(&self, provider: &str) -> u64 {
        self.account(provider).map_or(0, |account| account.over_limit())
    }

    /// Submits by `provider reference`.
    pub fn requests(&self) -> BTreeMap<String, u32> {
        let accounts = self.accounts();
        let all =
            accounts.iter().flat_map(|account| account.requests().into_iter().map(|(r, n)| (format!("{} {r}", account.name), n)));
        all.collect()
    }

    /// When each submit of a provider came, since the sandbox was made.
    pub fn arrivals(&self, provider: &str) -> Vec<Duration> {
        let arrivals = self.account(provider).map(|account| account.arrivals()).unwrap_or_default();
        arrivals.into_iter().map(|at| at.saturating_duration_since(self.started.into_std())).collect()
    }

    /// Submits received and not answered, by provider.
    pub fn in_flight(&self) -> BTreeMap<String, u64> {
        self.accounts().into_iter().map(|account| (account.name.clone(), account.in_flight())).collect()
    }

    /// Holds or releases every answer to a submit of a provider, after what it does.
    pub fn hold(&self, provider: &str, is_held: bool) {
        self.held.send_modify(|held| {
            if is_held {
                held.insert(provider.to_owned())
            } else {
                held.remove(provider)
            };
        });
    }

    /// Waits until answers of the provider are not held.
    pub(crate) async fn released(&self, provider: &str) {
        if self.held.borrow().contains(provider) {
            let mut held = self.held.subscribe();
            // The sender lives as long as `self`: an error cannot come.
            if held.wait_for(|held| !held.contains(provider)).await.is_err() {
                tracing::error!("the sandbox forgot whom it holds");
            }
        }
    }
}
