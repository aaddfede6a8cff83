//! `duly pack incident`: the whole log of an incident, and what its events name by hash.

use super::archive::Archive;
use super::{Audience, Lack, PackError, names, openings, words};
use crate::model::seal::Key;
use crate::report::replay::replay_whole;
use crate::report::summary::summary;
use crate::report::{certificate, document, promised, rehearsal};
use crate::store::anchor::Anchor;
use crate::store::incident::Incident;
use crate::store::log::{Published, i64_of, u64_of};
use crate::store::{Store, StoreError};
use duly_ledger::{Event, Layer, encode_bundle, hash_tiles, tile_at};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, Write};
use uuid::Uuid;

/// Bundles read at once.
const BUNDLES: u64 = 16;
/// People read at once.
const PEOPLE: i64 = 5000;

/// What a pack holds.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Packed {
    /// Name of the log.
    pub origin: String,
    /// Leaves of the newest generation.
    pub events: i64,
    /// Numbers of the lists.
    pub lists: BTreeSet<i32>,
    /// Numbers of the plans.
    pub plans: BTreeSet<i32>,
    /// What stands beside the log in other packs, and not in this one.
    pub missing: Vec<Lack>,
    /// What plans say of lanes that tell nobody.
    pub rehearsal: Vec<String>,
}

/// What a pack is to hold.
pub struct Wanted<'a> {
    /// For whom.
    pub audience: Audience,
    /// The incident's key, where everybody's external reference is to be opened.
    pub openings: Option<&'a Key>,
    /// Hears of leaves written, and how many there are.
    pub progress: &'a (dyn Fn(i64, i64) + Sync),
}

/// Writes the pack at the newest published checkpoint, with nothing opened.
pub async fn write<W: Write + Seek>(store: &Store, incident: &Incident, audience: Audience, out: W) -> Result<Packed, PackError> {
    write_wanted(store, incident, &Wanted { audience, openings: None, progress: &|_, _| {} }, out).await
}

/// Writes the pack at the newest published checkpoint.
pub async fn write_wanted<W: Write + Seek>(
    store: &Store,
    incident: &Incident,
    wanted: &Wanted<'_>,
    out: W,
) -> Result<Packed, PackError> {
    let audience = wanted.audience;
    let published = store.list_published(incident.incident_id).await?;
    let (newest, older) = published.split_last().ok_or(PackError::NothingPublished)?;
    let mut pack = Writer { store, incident, wanted, zip: Archive::new(out) };
    for log in older {
        pack.log(log, &format!("generation/{}/", log.generation)).await?;
    }
    pack.log(newest, "").await?;
    let mut packed = Packed {
        origin: newest.origin.clone(),
        events: newest.size,
        lists: BTreeSet::new(),
        plans: BTreeSet::new(),
        missing: Vec::new(),
        rehearsal: Vec::new(),
    };
    for log in &published {
        for event in store.list_frozen_and_prepared(incident.key, log).await? {
            let event = match Event::parse(&event) {
                Ok(event) => event,
                Err(error) => {
                    packed.missing.push(Lack::of("what an event of a list or plan names", error.into())?);
                    continue;
                }
            };
            let number = |key: &str| event.detail.get(key).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
            packed.lists.extend(number("list"));
            packed.plans.extend(number("plan"));
        }
    }
    for list in &packed.lists {
        pack.manifest(*list).await?;
    }
    let mut texts = BTreeSet::new();
    for plan in &packed.plans {
        texts.extend(pack.plan(*plan).await?);
    }
    pack.texts(&texts).await?;
    if let Some(key) = wanted.openings {
        openings::write(store, incident.key, key, &packed.lists, &mut pack.zip).await?;
    }
    pack.anchors(newest).await?;
    match pack.for_people(&published).await {
        Ok(rehearsal) => packed.rehearsal = rehearsal,
        Err(error) => packed.missing.push(Lack::of("summary.html and certificate.pdf", error)?),
    }
    pack.zip.put("policy.example", words::policy(&newest.origin).as_bytes())?;
    let about = json!({"for": audience.as_str(), "format": 1, "kind": "incident", "origin": newest.origin, "size": newest.size});
    pack.zip.put("pack.json", about.to_string().as_bytes())?;
    pack.zip.put("README.txt", words::readme(audience, &newest.origin, &packed.rehearsal, &packed.missing).as_bytes())?;
    pack.zip.finish()?;
    Ok(packed)
}

struct Writer<'a, W: Write + Seek> {
    store: &'a Store,
    incident: &'a Incident,
    wanted: &'a Wanted<'a>,
    zip: Archive<W>,
}

impl<W: Write + Seek> Writer<'_, W> {
    /// A generation of the log, as C2SP tlog-tiles has it.
    async fn log(&mut self, log: &Published, prefix: &str) -> Result<(), PackError> {
        let size = u64_of(log.size);
        self.zip.put(&format!("{prefix}checkpoint"), log.note.as_bytes())?;
        for first in (0..size).step_by(usize::try_from(BUNDLES * 256).unwrap_or(4096)) {
            let end = (first + BUNDLES * 256).min(size);
            let entries = self.store.list_entries(log.log_no, log.generation, i64_of(first), i64_of(end)).await?;
            if entries.len() as u64 != end - first {
                return Err(PackError::Missing { what: format!("an event of the log `{}`", log.origin) });
            }
            for (n, chunk) in (first / 256..).zip(entries.chunks(256)) {
                let Some(tile) = tile_at(Layer::Entries, n, size) else { continue };
                self.zip.put(&format!("{prefix}{tile}"), &encode_bundle(chunk)?)?;
            }
            (self.wanted.progress)(i64_of(end), log.size);
        }
        for tile in hash_tiles(size) {
            let hashes = self.store.load_tile(log.log_no, log.generation, tile).await?;
            let hashes = hashes.ok_or_else(|| PackError::Missing { what: format!("a tile of the log `{}`", log.origin) })?;
            self.zip.put_hashes(&format!("{prefix}{tile}"), &hashes)?;
        }
        Ok(())
    }

    /// What others have said of its checkpoints: the first time stamp of each size, and every witness's lines.
    async fn anchors(&mut self, log: &Published) -> Result<(), PackError> {
        let mut by_size: BTreeMap<i64, Vec<Anchor>> = BTreeMap::new();
        for anchor in self.store.list_anchors(log.log_id, log.generation, log.size).await? {
            by_size.entry(anchor.size).or_default().push(anchor);
        }
        for (size, anchors) in by_size {
            let of = |kind: &'static str| anchors.iter().filter(move |anchor| anchor.kind == kind);
            if let Some(anchor) = anchors.first() {
                self.zip.put(&format!("anchors/{size}.checkpoint"), &anchor.checkpoint)?;
            }
            if let Some(stamp) = of("tsa").next() {
                self.zip.put(&format!("anchors/{size}.tsr"), &stamp.response)?;
            }
            let lines: Vec<&[u8]> = of("witness").map(|anchor| anchor.response.as_slice()).collect();
            if !lines.is_empty() {
                self.zip.put(&format!("anchors/{size}.cosig"), &lines.concat())?;
            }
        }
        Ok(())
    }

    async fn manifest(&mut self, list: i32) -> Result<(), PackError> {
        self.zip.begin(&if list == 1 { "manifest.jsonl".to_owned() } else { format!("manifest.{list}.jsonl") })?;
        let mut after = Uuid::nil();
        loop {
            let rows = self.store.list_manifest(self.incident.key, list, after, PEOPLE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.person_id;
            for row in &rows {
                let mut line = row.line()?.to_bytes()?;
                line.push(b'\n');
                self.zip.append(&line)?;
            }
        }
    }

    /// A plan, who signed it, and what it promised; returns the hashes of its texts.
    async fn plan(&mut self, plan_no: i32) -> Result<BTreeSet<String>, PackError> {
        let plan = match self.store.load_plan(self.incident.key, plan_no).await {
            Err(StoreError::Missing { .. }) => {
                return Err(PackError::Missing { what: format!("plan {plan_no}, of which the log tells,") });
            }
            plan => plan?,
        };
        self.zip.put(&format!("plans/{plan_no}.json"), &plan.body)?;
        let approvals = self.store.list_signed_approvals(self.incident.key, plan_no).await?;
        for (i, approval) in approvals.iter().enumerate() {
            let file = json!({
                "key": hex::encode(&approval.public_key),
                "signature": hex::encode(&approval.signature),
                "statement": String::from_utf8_lossy(&approval.statement),
                "user": approval.user_id,
            });
            self.zip.put(&format!("approvals/{plan_no}-{}.json", i + 1), file.to_string().as_bytes())?;
        }
        self.contents(plan_no).await?;
        let body: Value = serde_json::from_slice(&plan.body).unwrap_or_default();
        let templates = body.get("templates").and_then(Value::as_array).cloned().unwrap_or_default();
        let laws = body.get("profiles").and_then(Value::as_object).into_iter().flat_map(|laws| laws.values());
        let others = laws.filter_map(|law| law.get("text")).chain(body.get("texts"));
        Ok(templates.iter().chain(others).filter_map(Value::as_str).map(str::to_owned).collect())
    }

    async fn contents(&mut self, plan_no: i32) -> Result<(), PackError> {
        self.zip.begin(&format!("contents.{plan_no}.jsonl"))?;
        let mut after = Uuid::nil();
        loop {
            let rows = self.store.list_promised_contents(self.incident.key, plan_no, after, PEOPLE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.person_id;
            let mut people: BTreeMap<Uuid, BTreeMap<String, [u8; 32]>> = BTreeMap::new();
            for row in &rows {
                let commitment = crate::store::unit::hash(&row.commitment)?;
                people.entry(row.person_id).or_default().insert(row.channel.clone(), commitment);
            }
            for (person, commitments) in people {
                let mut line = duly_ledger::ManifestLine { person: *person.as_bytes(), commitments }.to_bytes()?;
                line.push(b'\n');
                self.zip.append(&line)?;
            }
        }
    }

    /// What people read; nothing in it is evidence. Both files or none. Returns what must be known with its counts.
    async fn for_people(&mut self, published: &[Published]) -> Result<Vec<String>, PackError> {
        let replay = replay_whole(self.store, published).await?;
        let plans = promised::load(self.store, self.incident.key, &replay.tally).await?;
        let audience = self.wanted.audience;
        let page = document::html(&summary(self.incident, audience, &replay, &plans));
        let names = names(self.store, audience).await?;
        let certificate = certificate::of_incident(self.incident, audience, &replay, &plans, &names);
        let ident = format!("{} {} {}", replay.standing.origin, replay.standing.size, audience.as_str());
        let typeset = tokio::task::spawn_blocking(move || document::pdf(&certificate, &ident)).await;
        let typeset = typeset.map_err(std::io::Error::other)??;
        self.zip.put("summary.html", page.as_bytes())?;
        self.zip.put("certificate.pdf", &typeset)?;
        Ok(rehearsal::lines(&replay.tally, &plans))
    }

    async fn texts(&mut self, hashes: &BTreeSet<String>) -> Result<(), PackError> {
        for hash in hashes {
            let bytes = hex::decode(hash).unwrap_or_default();
            let text = self.store.find_text(&bytes).await?;
            let text = text.ok_or_else(|| PackError::Missing { what: format!("the text {hash}") })?;
            let extension = text.name.rsplit_once('.').map_or("txt", |(_, extension)| extension);
            self.zip.put(&format!("texts/{hash}.{extension}"), &text.body)?;
        }
        Ok(())
    }
}
