//! What the log names by hash: the plans' texts, and the wording that they bind. Bytes of another hash are refused.

use super::ReportError;
use super::tally::Tally;
use crate::model::profile::Profile;
use crate::store::Store;
use crate::store::unit::IncidentKey;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A wording with its name and hash.
#[derive(Debug, Clone)]
pub struct Wording {
    /// File name.
    pub name: String,
    /// SHA-256, hex.
    pub hash: String,
    /// The wording.
    pub text: String,
}

/// A plan as it was signed.
#[derive(Debug, Clone)]
pub struct Promised {
    /// Number.
    pub plan: u64,
    /// Its text.
    pub body: Value,
    /// The legal profile that it was made under.
    pub profile: Option<Profile>,
    /// Templates and the incident's texts.
    pub wordings: Vec<Wording>,
}

impl Promised {
    /// Name of the legal profile.
    pub fn profile_id(&self) -> &str {
        self.body.get("profile").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Reads the plans that the log names.
pub async fn load(store: &Store, incident: IncidentKey, tally: &Tally) -> Result<Vec<Promised>, ReportError> {
    let mut plans = Vec::new();
    for (number, plan) in &tally.plans {
        let missing = || ReportError::Missing { what: format!("the text of plan {number} with the hash {}", plan.hash) };
        let stored = store.load_plan(incident, i32::try_from(*number).map_err(|_| missing())?).await?;
        if hex::encode(Sha256::digest(&stored.body)) != plan.hash {
            return Err(missing());
        }
        let body: Value = serde_json::from_slice(&stored.body).map_err(|_| missing())?;
        let mut promised = Promised { plan: *number, profile: None, wordings: Vec::new(), body };
        promised.read(store).await?;
        plans.push(promised);
    }
    Ok(plans)
}

impl Promised {
    async fn read(&mut self, store: &Store) -> Result<(), ReportError> {
        let one = |key: &str| self.body.get(key).and_then(Value::as_str).map(str::to_owned);
        let templates = self.body.get("templates").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let (profile, hashes) = (one("profile_text"), templates.map(str::to_owned).chain(one("texts")).collect::<Vec<_>>());
        for hash in hashes {
            let (name, text) = wording(store, &hash).await?;
            self.wordings.push(Wording { name, hash, text });
        }
        if let Some(hash) = profile {
            self.profile = Profile::parse(&wording(store, &hash).await?.1).ok();
        }
        Ok(())
    }
}

async fn wording(store: &Store, hash: &str) -> Result<(String, String), ReportError> {
    let missing = || ReportError::Missing { what: format!("the text with the hash {hash}") };
    let text = store.find_text(&hex::decode(hash).map_err(|_| missing())?).await?.ok_or_else(missing)?;
    if hex::encode(Sha256::digest(&text.body)) != hash {
        return Err(missing());
    }
    Ok((text.name, String::from_utf8_lossy(&text.body).into_owned()))
}
