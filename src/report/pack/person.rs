//! `duly pack person`: what the log says of one person, each event with its proof, and what was opened on request.

use super::archive::Archive;
use super::{Audience, PackError, words};
use crate::model::contact::PersonRecord;
use crate::model::seal::Key;
use crate::model::state::Channel;
use crate::provider::sandbox::read_content;
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::log::Published;
use crate::store::pack::Placed;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use duly_ledger::{Frontier, PersonKey, ProofFile, ProveError, Prover, Tile, field_key, leaf_hash};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{Seek, Write};
use uuid::Uuid;

/// People read at once.
const PAGE: i64 = 5000;

/// What a pack is to hold.
pub struct Wanted<'a> {
    /// For whom.
    pub audience: Audience,
    /// The person.
    pub person_id: Uuid,
    /// Fields to be opened.
    pub fields: &'a [String],
    /// Whether the messages' bytes are to be in it.
    pub messages: bool,
    /// The incident's key; needed where something is opened.
    pub key: Option<&'a Key>,
}

/// Writes the pack at the newest published checkpoint; returns how many events of the person are in it.
pub async fn write<W: Write + Seek>(store: &Store, incident: &Incident, wanted: &Wanted<'_>, out: W) -> Result<usize, PackError> {
    let published = store.list_published(incident.incident_id).await?;
    let (log, older) = published.split_last().ok_or(PackError::NothingPublished)?;
    for generation in older {
        if !store.list_placed_of(incident.key, wanted.person_id, generation).await?.is_empty() {
            return Err(PackError::OlderGeneration);
        }
    }
    let list_no = store.load_person_card(incident.key, wanted.person_id).await?.list_no;
    let mut zip = Archive::new(out);
    let about = json!({"for": wanted.audience.as_str(), "format": 1, "kind": "person", "origin": log.origin,
        "p": wanted.person_id.simple().to_string(), "size": log.size});
    zip.put("pack.json", about.to_string().as_bytes())?;
    zip.put("README.txt", words::person_readme(wanted.audience, &log.origin).as_bytes())?;
    zip.put("checkpoint", log.note.as_bytes())?;
    let mut proofs = Proofs { store, log, tiles: HashMap::new() };
    let events = store.list_placed_of(incident.key, wanted.person_id, log).await?;
    for (n, event) in (1..).zip(&events) {
        proofs.put(&mut zip, &format!("events/{n}"), event).await?;
    }
    for event in store.list_placed_of_incident(incident.key, log).await? {
        proofs.put(&mut zip, &format!("log/{}", event.seq), &event).await?;
    }
    manifest_line(store, incident, wanted.person_id, list_no, &mut zip).await?;
    if let Some(incident_key) = wanted.key {
        let sealed = store.load_sealed_person(incident.key, wanted.person_id).await?.ok_or(PackError::Erased)?;
        let key = incident_key.unwrap_key(&sealed.wrapped_key, "person")?;
        let record: PersonRecord =
            serde_json::from_slice(&key.open("contact", &sealed.contact)?).map_err(|_| PackError::Erased)?;
        open(store, incident, wanted, (&key, &record), &mut zip).await?;
    }
    zip.finish()?;
    Ok(events.len())
}

/// Proofs of one log, from its stored tiles.
struct Proofs<'a> {
    store: &'a Store,
    log: &'a Published,
    tiles: HashMap<(u8, u64), Vec<u8>>,
}

impl Proofs<'_> {
    /// Adds an event and its proof.
    async fn put<W: Write + Seek>(&mut self, zip: &mut Archive<W>, name: &str, event: &Placed) -> Result<(), PackError> {
        let index = u64::try_from(event.seq).unwrap_or_default();
        let proof = ProofFile { extra: None, index, path: self.path(index).await?, checkpoint: self.log.note.clone() };
        zip.put(&format!("{name}.json"), &event.body)?;
        zip.put(&format!("{name}.tlog-proof"), proof.to_string().as_bytes())
    }

    /// A tile that is missing is read and the proof made again: a few tiles serve all of a person's events.
    async fn path(&mut self, index: u64) -> Result<Vec<[u8; 32]>, PackError> {
        let size = u64::try_from(self.log.size).unwrap_or_default();
        loop {
            let known = &self.tiles;
            let read = |tile: Tile| known.get(&(tile.level(), tile.number())).cloned().ok_or(NotRead(tile));
            let tile = match Prover::new(size, read).inclusion(index) {
                Ok(path) => return Ok(path),
                Err(ProveError::Read(NotRead(tile))) => tile,
                Err(_) => return Err(PackError::Proof),
            };
            let hashes = self.store.load_tile(self.log.log_no, self.log.generation, tile).await?;
            self.tiles.insert((tile.level(), tile.number()), hashes.ok_or(PackError::Proof)?);
        }
    }
}

#[derive(Debug)]
struct NotRead(Tile);

/// The person's line of the frozen list, and its path to the list's root.
async fn manifest_line<W: Write + Seek>(
    store: &Store,
    incident: &Incident,
    person_id: Uuid,
    list_no: i32,
    zip: &mut Archive<W>,
) -> Result<(), PackError> {
    let (mut leaves, mut line, mut after) = (Vec::new(), None, Uuid::nil());
    loop {
        let rows = store.list_manifest(incident.key, list_no, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.person_id;
        for row in &rows {
            let bytes = row.line()?.to_bytes()?;
            let leaf = leaf_hash(&bytes);
            if row.person_id == person_id {
                line = Some((leaves.len(), bytes));
            }
            leaves.push(leaf);
        }
    }
    let (index, bytes) = line.ok_or_else(|| PackError::Missing { what: "the person's line of the list".to_owned() })?;
    let mut proof = format!("list {list_no}\nindex {index}\nsize {}\n", leaves.len());
    for hash in path(&leaves, index) {
        proof.push_str(&BASE64_STANDARD.encode(hash));
        proof.push('\n');
    }
    zip.put("manifest-line.json", &bytes)?;
    zip.put("manifest-line.proof", proof.as_bytes())
}

/// The path of a leaf to the root (RFC 6962, 2.1.1), the leaf's sibling first.
fn path(leaves: &[[u8; 32]], index: usize) -> Vec<[u8; 32]> {
    let (mut rest, mut at, mut path) = (leaves, index, Vec::new());
    while rest.len() > 1 {
        let (left, right) = rest.split_at(1 << (rest.len() - 1).ilog2());
        let (own, other) = if at < left.len() { (left, right) } else { (right, left) };
        at -= if at < left.len() { 0 } else { left.len() };
        let mut tree = Frontier::new();
        other.iter().for_each(|leaf| tree.append(*leaf));
        path.push(tree.root());
        rest = own;
    }
    path.reverse();
    path
}

/// The fields of a manifest line with the values that they commit to.
fn values(record: &PersonRecord) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::from([("external_reference", record.external_reference.clone()), ("name", record.name.clone())]);
    values.extend(record.destination(Channel::Sms).map(|number| ("sms", number)));
    values.extend(record.destination(Channel::Letter).map(|address| ("letter", address)));
    values
}

async fn open<W: Write + Seek>(
    store: &Store,
    incident: &Incident,
    wanted: &Wanted<'_>,
    (key, record): (&Key, &PersonRecord),
    zip: &mut Archive<W>,
) -> Result<(), PackError> {
    let commitments = PersonKey::new(*key.bytes());
    let (mut keys, mut opened, known) = (Map::new(), Map::new(), values(record));
    for field in wanted.fields {
        let value = known.get(field.as_str()).ok_or_else(|| PackError::NoField { field: field.clone() })?;
        keys.insert(field.clone(), json!(hex::encode(field_key(&commitments, field))));
        opened.insert(field.clone(), json!(value));
    }
    if wanted.messages {
        keys.insert("content".to_owned(), json!(hex::encode(field_key(&commitments, "content"))));
    }
    let file = json!({"k": Value::Object(keys), "p": wanted.person_id.simple().to_string(), "values": Value::Object(opened)});
    zip.put("keys.json", file.to_string().as_bytes())?;
    if wanted.messages {
        for intent in store.list_intent_requests(incident.key, wanted.person_id).await? {
            let content = key.open("request", &intent.request).ok().and_then(|frozen| read_content(&frozen));
            let (bytes, ending) =
                content.ok_or_else(|| PackError::Missing { what: format!("the message of the intent {}", intent.n) })?;
            zip.put(&format!("messages/{}.{ending}", intent.n), &bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use duly_ledger::verify_inclusion;

    #[test]
    fn each_line_of_a_list_leads_to_its_root() {
        for size in [1usize, 2, 3, 7, 8, 13] {
            let leaves: Vec<[u8; 32]> = (0..size).map(|i| leaf_hash(&[u8::try_from(i).unwrap_or_default()])).collect();
            let mut tree = Frontier::new();
            leaves.iter().for_each(|leaf| tree.append(*leaf));
            for (index, leaf) in leaves.iter().enumerate() {
                assert!(
                    verify_inclusion(leaf, index as u64, size as u64, &path(&leaves, index), &tree.root()),
                    "{index} of {size}"
                );
            }
        }
    }
}
