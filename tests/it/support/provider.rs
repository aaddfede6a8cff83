//! A sandbox in this process, and the classes of what providers can do.

use super::background;
use super::stage::Lane;
use duly_sandbox::{Face, ProviderConfig, SandboxConfig, SandboxState, serve, serve_mail};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a lagging provider hides a new message from look-ups, ms.
pub const LAG_MS: u64 = 600;

/// A key in the form of GOV.UK Notify's.
pub const NOTIFY_KEY: &str = "key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";

/// The settings by which the lane of this name speaks the wire format of its provider's face.
pub fn face_settings(name: &str, provider: &ProviderConfig) -> String {
    let (kind, account, template) = match provider.face {
        Face::Plain => ("sandbox", "", ""),
        Face::Notify => ("notify", "", "f33517ff-2a88-4f6e-b855-c550268ce08a"),
        Face::Twilio => ("twilio", "AC00000000000000000000000000000000", ""),
        Face::Lob => ("lob", "", ""),
        Face::Stannp => ("stannp", "", ""),
        // Whoever logs in says as whom.
        Face::Smtp => ("smtp", name, ""),
    };
    // What is told by receipts alone in the sandbox's own tests is asked of a real provider too.
    let poll_seconds = u32::from(provider.face != Face::Plain);
    let api_key = provider.api_key.as_deref().unwrap_or("sandbox-key");
    let secret = provider.secret.as_deref().unwrap_or("sandbox-secret");
    format!(
        "provider = \"{kind}\"\naccount = \"{account}\"\ntemplate = \"{template}\"\napi_key = \"{api_key}\"\n\
         receipt_secret = \"{secret}\"\npoll_seconds = {poll_seconds}\n"
    )
}

/// What a provider can do about a call whose end is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Honours our key, has no look-up.
    Idempotent,
    /// Finds a message as soon as it is made.
    StrongLookup,
    /// Finds a message some time after it was made.
    LaggingLookup,
    /// Finds a message that it made, and proves nothing where it finds none: Twilio.
    WeakLookup,
    /// Neither.
    Nothing,
}

impl Capability {
    /// Whether an unknown call is looked up.
    pub fn looks_up(self) -> bool {
        matches!(self, Self::StrongLookup | Self::LaggingLookup | Self::WeakLookup)
    }

    /// Whether what was never made is called again without a person.
    pub fn calls_again(self) -> bool {
        !matches!(self, Self::WeakLookup | Self::Nothing)
    }

    /// A provider of this class, without receipts and faults; its messages stay `queued` for as long as a test lasts.
    pub fn provider(self) -> ProviderConfig {
        let lookup_lag_ms = if self == Self::LaggingLookup { LAG_MS } else { 0 };
        ProviderConfig {
            face: if self == Self::WeakLookup { Face::Twilio } else { Face::Plain },
            idempotent: self == Self::Idempotent,
            lookup: self.looks_up(),
            lookup_lag_ms,
            receipts: false,
            receipt_delay_ms: 3_600_000,
            ..ProviderConfig::default()
        }
    }
}

/// Twilio, which is not asked of its own accord how messages stand that it took.
const UNASKED: &str =
    "provider = \"twilio\"\naccount = \"AC00000000000000000000000000000000\"\napi_key = \"sandbox-key\"\npoll_seconds = 86400\n";

/// An SMS lane of this class.
pub fn lane(capability: Capability) -> Lane {
    let extra = if capability == Capability::WeakLookup { UNASKED } else { "" };
    Lane { provider: capability.provider(), extra, ..Lane::named("sms") }
}

/// A running sandbox.
pub struct Sandbox {
    pub state: Arc<SandboxState>,
    pub url: String,
    /// Where it takes mail.
    pub mail_url: String,
    tasks: [tokio::task::JoinHandle<Result<(), duly_sandbox::SandboxError>>; 2],
}

impl Sandbox {
    /// Starts one with these providers on a free port.
    pub async fn start(providers: BTreeMap<String, ProviderConfig>) -> Self {
        let state = Arc::new(SandboxState::new(SandboxConfig { providers, ..SandboxConfig::default() }));
        let listener = background::listener().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mail = background::listener().await;
        let mail_url = format!("smtp://{}", mail.local_addr().unwrap());
        let tasks = [
            background::serve(serve(state.clone(), listener, std::future::pending())),
            background::serve(serve_mail(state.clone(), mail, std::future::pending())),
        ];
        Self { state, url, mail_url, tasks }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|task| task.abort());
    }
}
