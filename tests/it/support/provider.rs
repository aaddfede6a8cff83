//! A sandbox in this process, and the classes of what providers can do.

use super::background;
use super::stage::Lane;
use duly_sandbox::{ProviderConfig, SandboxConfig, SandboxState, serve};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a lagging provider hides a new message from look-ups, ms.
pub const LAG_MS: u64 = 600;

/// What a provider can do about a call whose end is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Honours our key, has no look-up.
    Idempotent,
    /// Finds a message as soon as it is made.
    StrongLookup,
    /// Finds a message some time after it was made.
    LaggingLookup,
    /// Neither.
    Nothing,
}

impl Capability {
    /// A provider of this class, without receipts and faults; its messages stay `queued` for as long as a test lasts.
    pub fn provider(self) -> ProviderConfig {
        let lookup_lag_ms = if self == Self::LaggingLookup { LAG_MS } else { 0 };
        ProviderConfig {
            idempotent: self == Self::Idempotent,
            lookup: matches!(self, Self::StrongLookup | Self::LaggingLookup),
            lookup_lag_ms,
            receipts: false,
            receipt_delay_ms: 3_600_000,
            ..ProviderConfig::default()
        }
    }
}

/// An SMS lane of this class.
pub fn lane(capability: Capability) -> Lane {
    Lane { provider: capability.provider(), ..Lane::named("sms") }
}

/// A running sandbox.
pub struct Sandbox {
    pub state: Arc<SandboxState>,
    pub url: String,
    task: tokio::task::JoinHandle<Result<(), duly_sandbox::SandboxError>>,
}

impl Sandbox {
    /// Starts one with these providers on a free port.
    pub async fn start(providers: BTreeMap<String, ProviderConfig>) -> Self {
        let state = Arc::new(SandboxState::new(SandboxConfig { providers, ..SandboxConfig::default() }));
        let listener = background::listener().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = background::serve(serve(state.clone(), listener, std::future::pending()));
        Self { state, url, task }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}
