//! Sending: the scheduler decides who goes when, the worker does it, the resolver finds out what is not known.

mod backoff;
pub mod batches;
mod call;
mod confirm;
pub mod draft;
mod every;
mod gate;
pub mod harvest;
mod matching;
pub mod pace;
mod parallel;
pub mod plan;
pub mod recall;
mod recorder;
mod repeat;
pub mod resolver;
pub mod scheduler;
mod sender;
mod shown;
mod told;
pub mod worker;

use crate::config::{Settings, SettingsError};
use crate::model::health::HealthRules;
use crate::model::seal::Key;
use crate::provider::Account;
use crate::render::message::Composer;
use crate::store::{Deadlines, Store, StoreError};
use pace::Paces;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Everything that the roles share.
pub struct Office {
    /// Settings in force.
    pub settings: Settings,
    /// The database.
    pub store: Store,
    /// Master key.
    pub master: Key,
    /// Accounts by lane.
    pub accounts: BTreeMap<String, Arc<Account>>,
    /// What their vendors take in a second.
    pub paces: Paces,
    /// Renderer.
    pub composer: Composer,
}

/// Why a role stopped.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] crate::broker::BrokerError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A key or sealed value.
    #[error(transparent)]
    Seal(#[from] crate::model::seal::SealError),
    /// A template.
    #[error(transparent)]
    Render(#[from] crate::render::RenderError),
    /// A lane's folder.
    #[error(transparent)]
    Batches(#[from] crate::provider::BatchError),
    /// A provider account.
    #[error(transparent)]
    Account(#[from] crate::provider::choose::AccountError),
}

impl DispatchError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Store(error) => error.remedy().to_owned(),
            Self::Broker(error) => error.remedy().to_owned(),
            Self::Settings(error) => error.remedy(),
            Self::Seal(error) => error.remedy().to_owned(),
            Self::Render(error) => error.remedy().to_owned(),
            Self::Batches(error) => error.remedy().to_owned(),
            Self::Account(error) => error.remedy(),
        }
    }
}

impl Office {
    /// Connects to everything that sending needs.
    pub async fn open(settings: Settings) -> Result<Self, DispatchError> {
        use secrecy::ExposeSecret;
        let accounts = accounts(&settings)?;
        let store =
            Store::connect(settings.database.url.expose_secret(), settings.database.connections, deadlines(&settings)).await?;
        let mut templates = crate::render::TemplateSet::load(&settings.templates.folders())?;
        store.list_reviews().await?.iter().for_each(|review| templates.admit(&review.template_hash));
        let paces = Paces::of(&accounts);
        Ok(Self { master: settings.master_key()?, store, accounts, paces, composer: Composer::new(templates), settings })
    }
}

/// The provider accounts of the settings, by lane.
pub fn accounts(settings: &Settings) -> Result<BTreeMap<String, Arc<Account>>, DispatchError> {
    let timeout = Duration::from_millis(settings.dispatch.request_timeout_ms);
    let is_reachable = !settings.receipts.url.is_empty();
    let account = |(name, lane): (&String, &crate::config::Lane)| {
        Ok((name.clone(), Arc::new(Account::new(name, lane, timeout, is_reachable)?)))
    };
    settings.lanes.iter().map(account).collect()
}

/// The states' deadlines by the settings.
pub fn deadlines(settings: &Settings) -> Deadlines {
    let d = &settings.dispatch;
    const DAY_MS: i64 = 86_400_000;
    Deadlines {
        lease_ms: d.lease_ms,
        queue_lease_ms: d.queue_lease_ms,
        unknown_ms: d.unknown_after_ms,
        no_news_ms: d.no_news_after_ms,
        asked_ms: DAY_MS,
        overdue_ms: d.overdue_again_ms,
        health: HealthRules {
            window_ms: settings.health.window_ms,
            bad_min: settings.health.bad_min,
            bad_percent: settings.health.bad_percent,
            rest_min_ms: settings.health.rest_min_ms,
            rest_max_ms: settings.health.rest_max_ms,
        },
        laid_aside_ms: settings.receipts.unmatched_retention_days * DAY_MS,
        laid_aside_max: settings.receipts.laid_aside_per_day_max,
    }
}
