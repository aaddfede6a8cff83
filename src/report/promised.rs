//! What the log names by hash: the plans' texts, and the wording that they bind. Bytes of another hash are refused.

use super::ReportError;
use super::document::Section;
use super::figures::people as told;
use super::tally::{List, Tally};
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
    /// SHA-256 of its text, hex.
    pub hash: String,
    /// Its text.
    pub body: Value,
    /// The legal profiles that its people are told under, each with how many they are.
    pub profiles: Vec<(Profile, u64)>,
    /// Templates and the incident's texts.
    pub wordings: Vec<Wording>,
    /// The profiles' own texts: name with version, and hash.
    pub rules: Vec<(String, String)>,
}

impl Promised {
    /// Whether somebody is told under a profile.
    pub fn is_under(&self, profile: &str) -> bool {
        self.body.get("profiles").and_then(|profiles| profiles.get(profile)).is_some()
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
        let hash = plan.hash.clone();
        let mut promised = Promised { plan: *number, hash, profiles: Vec::new(), wordings: Vec::new(), rules: Vec::new(), body };
        promised.read(store).await?;
        plans.push(promised);
    }
    Ok(plans)
}

impl Promised {
    async fn read(&mut self, store: &Store) -> Result<(), ReportError> {
        let one = |key: &str| self.body.get(key).and_then(Value::as_str).map(str::to_owned);
        let templates = self.body.get("templates").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let hashes: Vec<String> = templates.map(str::to_owned).chain(one("texts")).collect();
        for hash in hashes {
            let (name, text) = wording(store, &hash).await?;
            self.wordings.push(Wording { name, hash, text });
        }
        for law in self.body.get("profiles").and_then(Value::as_object).into_iter().flat_map(|laws| laws.values()) {
            let people = law.get("jurisdictions").and_then(Value::as_object).into_iter().flatten();
            let people = people.filter_map(|(_, n)| n.as_u64()).sum();
            let hash = law.get("text").and_then(Value::as_str).unwrap_or_default();
            let (name, text) = wording(store, hash).await?;
            let profile = Profile::parse(&text).ok();
            let version = profile.as_ref().map_or_else(String::new, |profile| format!(", version {}", profile.version));
            self.rules.push((format!("{name}{version}"), hash.to_owned()));
            self.profiles.extend(profile.map(|profile| (profile, people)));
        }
        Ok(())
    }
}

/// The laws of all plans, each version once with its people: `UK GDPR (profile uk-gdpr 1): 4,812 people`.
pub fn laws(plans: &[&Promised]) -> Vec<(String, String)> {
    let mut laws: Vec<(&Profile, u64)> = Vec::new();
    for (profile, people) in plans.iter().flat_map(|plan| &plan.profiles) {
        match laws.iter_mut().find(|(known, _)| (&known.id, &known.version) == (&profile.id, &profile.version)) {
            Some((_, all)) => *all += people,
            None => laws.push((profile, *people)),
        }
    }
    let line = |(p, people): (&Profile, u64)| format!("{} (profile {} {}): {}", p.law, p.id, p.version, told(people));
    laws.into_iter().map(|law| ("Law".to_owned(), line(law))).collect()
}

/// What stands behind each hash: lists, plans, and the templates, texts and profiles that the plans bind.
pub fn named(plans: &[&Promised], lists: &[List]) -> Section {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, name: String, hash: &str| {
        let row = vec![what.to_owned(), name, hash.to_owned()];
        if !rows.contains(&row) {
            rows.push(row);
        }
    };
    lists.iter().for_each(|list| row("list", format!("list {}", list.list), &list.root));
    plans.iter().for_each(|plan| row("plan", format!("plan {}", plan.plan), &plan.hash));
    for wording in plans.iter().flat_map(|plan| &plan.wordings) {
        row(if wording.name.ends_with(".hbs") { "template" } else { "texts" }, wording.name.clone(), &wording.hash);
    }
    plans.iter().flat_map(|plan| &plan.rules).for_each(|(name, hash)| row("profile", name.clone(), hash));
    Section::new("Names and hashes").table(
        "Of a list the root of its manifest, of everything else the SHA-256 of its bytes",
        &["what", "name", "hash"],
        rows,
        &[],
    )
}

async fn wording(store: &Store, hash: &str) -> Result<(String, String), ReportError> {
    let missing = || ReportError::Missing { what: format!("the text with the hash {hash}") };
    let text = store.find_text(&hex::decode(hash).map_err(|_| missing())?).await?.ok_or_else(missing)?;
    if hex::encode(Sha256::digest(&text.body)) != hash {
        return Err(missing());
    }
    Ok((text.name, String::from_utf8_lossy(&text.body).into_owned()))
}
