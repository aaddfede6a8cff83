//! `duly pack person`: what the log says of one person, each event with its proof, what was opened on request, and the
//! pages for people.

use super::archive::Archive;
use super::{Audience, Lack, PackError, names, words};
use crate::model::contact::PersonRecord;
use crate::model::seal::Key;
use crate::model::state::{Channel, NoticeState};
use crate::provider::read_content;
use crate::report::certificate::{self, OfPerson};
use crate::report::story::{self, Told};
use crate::report::tally::Tally;
use crate::report::words::{WITHOUT_CALL, notice};
use crate::report::{document, promised, rehearsal};
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::log::{Published, u64_of};
use crate::store::pack::Placed;
use crate::store::proof::Proofs;
use crate::store::story::PersonCard;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use duly_ledger::{Checkpoint, Event, PersonKey, ProofFile, field_key, inclusion_path, leaf_hash};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
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

/// What a pack holds.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Events of the person.
    pub events: usize,
    /// What stands beside them in other packs, and not in this one.
    pub missing: Vec<Lack>,
    /// What plans say of lanes that tell nobody.
    pub rehearsal: Vec<String>,
}

/// Writes the pack at the newest published checkpoint.
pub async fn write<W: Write + Seek>(
    store: &Store,
    incident: &Incident,
    wanted: &Wanted<'_>,
    out: W,
) -> Result<Packed, PackError> {
    let published = store.list_published(incident.incident_id).await?;
    let (log, older) = published.split_last().ok_or(PackError::NothingPublished)?;
    for generation in older {
        if !store.list_placed_of(incident.key, wanted.person_id, generation).await?.is_empty() {
            return Err(PackError::OlderGeneration);
        }
    }
    let card = store.load_person_card(incident.key, wanted.person_id).await?;
    let mut zip = Archive::new(out);
    let about = json!({"for": wanted.audience.as_str(), "format": 1, "kind": "person", "origin": log.origin,
        "p": wanted.person_id.simple().to_string(), "size": log.size});
    zip.put("pack.json", about.to_string().as_bytes())?;
    zip.put("checkpoint", log.note.as_bytes())?;
    let mut proofs = Proofs::new(store, log.log_no, log.generation, u64_of(log.size));
    let events = store.list_placed_of(incident.key, wanted.person_id, log).await?;
    let of_incident = store.list_placed_of_incident(incident.key, log).await?;
    let indexes: Vec<u64> = events.iter().chain(&of_incident).map(|event| u64_of(event.seq)).collect();
    proofs.fetch(&indexes).await?;
    for (n, event) in (1..).zip(&events) {
        put(&mut zip, &format!("events/{n}"), event, &mut proofs, &log.note).await?;
    }
    for event in &of_incident {
        put(&mut zip, &format!("log/{}", event.seq), event, &mut proofs, &log.note).await?;
    }
    manifest_line(store, incident, wanted.person_id, card.list_no, &mut zip).await?;
    let mut opened = BTreeMap::new();
    if let Some(incident_key) = wanted.key {
        let sealed = store.load_sealed_person(incident.key, wanted.person_id).await?.ok_or(PackError::Erased)?;
        let key = incident_key.unwrap_key(&sealed.wrapped_key, "person")?;
        let record: PersonRecord =
            serde_json::from_slice(&key.open("contact", &sealed.contact)?).map_err(|_| PackError::Erased)?;
        opened = open(store, incident, wanted, (&key, &record), &mut zip).await?;
    }
    let pages = Pages { store, incident, wanted, log, card: &card, opened: &opened };
    let (mut missing, mut rehearsal) = (Vec::new(), Vec::new());
    match pages.write(&events, &of_incident, &mut zip).await {
        Ok(lines) => rehearsal = lines,
        Err(error) => missing.push(Lack::of("story.txt and certificate.pdf", error)?),
    }
    zip.put("README.txt", words::person_readme(wanted.audience, &log.origin, &rehearsal, &missing).as_bytes())?;
    zip.finish()?;
    Ok(Packed { events: events.len(), missing, rehearsal })
}

/// What people read; nothing in it is evidence. Both files or none; with what must be known with them.
struct Pages<'a> {
    store: &'a Store,
    incident: &'a Incident,
    wanted: &'a Wanted<'a>,
    log: &'a Published,
    card: &'a PersonCard,
    opened: &'a BTreeMap<String, String>,
}

impl Pages<'_> {
    async fn write<W: Write + Seek>(
        &self,
        of_person: &[Placed],
        of_incident: &[Placed],
        zip: &mut Archive<W>,
    ) -> Result<Vec<String>, PackError> {
        let (store, audience) = (self.store, self.wanted.audience);
        let notices = store.list_notices_of(self.incident.key, self.wanted.person_id).await?;
        let mut tally = Tally::default();
        for placed in of_incident.iter().chain(of_person) {
            tally.take(&Event::parse(&placed.body)?);
        }
        tally.finish();
        tally.plans.retain(|number, _| notices.iter().any(|notice| u64::try_from(notice.plan_no) == Ok(*number)));
        let promised = promised::load(store, self.incident.key, &tally).await?;
        let class = |plan: &promised::Promised| {
            let class = plan.body.get("postage_class")?.as_str()?.to_owned();
            Some((i32::try_from(plan.plan).ok()?, class))
        };
        let postage = promised.iter().filter(|plan| plan.body.pointer("/parts/letter").is_some()).filter_map(class).collect();
        let names = names(store, audience).await?;
        let told = Told { card: self.card, notices: &notices, of_person, of_incident, names: &names, postage: &postage };
        let mut entries = story::by_log(&told)?;
        if tally.uncalled.contains(self.card.person_id.as_bytes()) {
            let said = entries.iter_mut().filter(|entry| entry.notice == Some(notice(NoticeState::Notified)));
            said.for_each(|entry| entry.notice = Some(WITHOUT_CALL));
        }
        let text = self.log.note.split_once("\n\n").map_or("", |(text, _)| text);
        let checkpoint: Checkpoint =
            format!("{text}\n").parse().map_err(|_| PackError::Missing { what: "the checkpoint's text".to_owned() })?;
        let latest = time::macros::datetime!(9999-12-31 0:00 UTC);
        let certificate = certificate::of_person(&OfPerson {
            incident: self.incident,
            audience,
            told: &told,
            entries: &entries,
            tally: &tally,
            promised: &promised,
            checkpoint: &checkpoint,
            outside: store.find_newest_outside(self.log.log_id, latest).await?.as_ref(),
            opened: self.opened,
            has_messages: self.wanted.messages,
        });
        let ident = format!("{} {} {} {}", self.log.origin, self.log.size, self.card.person_id, audience.as_str());
        let typeset = tokio::task::spawn_blocking(move || document::pdf(&certificate, &ident)).await;
        let typeset = typeset.map_err(std::io::Error::other)??;
        let rehearsal = rehearsal::lines(&tally, &promised);
        zip.put("story.txt", rehearsal::below(story::text(&told, &entries), &rehearsal).as_bytes())?;
        zip.put("certificate.pdf", &typeset)?;
        Ok(rehearsal)
    }
}

/// Adds an event and its proof.
async fn put<W: Write + Seek>(
    zip: &mut Archive<W>,
    name: &str,
    event: &Placed,
    proofs: &mut Proofs<'_>,
    note: &str,
) -> Result<(), PackError> {
    let index = u64_of(event.seq);
    let proof = ProofFile { extra: None, index, path: proofs.inclusion(index).await?, checkpoint: note.to_owned() };
    zip.put(&format!("{name}.json"), &event.body)?;
    zip.put(&format!("{name}.tlog-proof"), proof.to_string().as_bytes())
}

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
    for hash in inclusion_path(&leaves, index) {
        proof.push_str(&BASE64_STANDARD.encode(hash));
        proof.push('\n');
    }
    zip.put("manifest-line.json", &bytes)?;
    zip.put("manifest-line.proof", proof.as_bytes())
}

/// The fields of a manifest line with the values that they commit to.
fn values(record: &PersonRecord) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::from([("external_reference", record.external_reference.clone()), ("name", record.name.clone())]);
    values.extend(record.destination(Channel::Sms).map(|number| ("sms", number)));
    values.extend(record.destination(Channel::Email).map(|address| ("email", address)));
    values.extend(record.destination(Channel::Letter).map(|address| ("letter", address)));
    values
}

async fn open<W: Write + Seek>(
    store: &Store,
    incident: &Incident,
    wanted: &Wanted<'_>,
    (key, record): (&Key, &PersonRecord),
    zip: &mut Archive<W>,
) -> Result<BTreeMap<String, String>, PackError> {
    let commitments = PersonKey::new(*key.bytes());
    let (mut keys, mut opened, known) = (Map::new(), BTreeMap::new(), values(record));
    for field in wanted.fields {
        let value = known.get(field.as_str()).ok_or_else(|| PackError::NoField { field: field.clone() })?;
        keys.insert(field.clone(), json!(hex::encode(field_key(&commitments, field))));
        opened.insert(field.clone(), value.clone());
    }
    if wanted.messages {
        keys.insert("content".to_owned(), json!(hex::encode(field_key(&commitments, "content"))));
    }
    let file = json!({"k": Value::Object(keys), "p": wanted.person_id.simple().to_string(), "values": opened});
    zip.put("keys.json", file.to_string().as_bytes())?;
    if wanted.messages {
        for intent in store.list_intent_requests(incident.key, wanted.person_id).await? {
            let content = key.open("request", &intent.request).ok().and_then(|frozen| read_content(&frozen));
            let (bytes, ending) =
                content.ok_or_else(|| PackError::Missing { what: format!("the message of the intent {}", intent.n) })?;
            zip.put(&format!("messages/{}.{ending}", intent.n), &bytes)?;
        }
    }
    Ok(opened)
}
