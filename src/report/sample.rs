//! An auditor's sample: people drawn so that anybody can draw them again, each traced from the list to the end state.
//!
//! The draw: SHA-256(seed as UTF-8 ‖ the person's id, 16 bytes); the people with the smallest hashes are the sample.
//! Nobody can choose whom it takes without choosing the seed, and the seed comes from the auditor.

mod proof;

use super::ReportError;
use super::document::{Block, Document, Section, figure};
use super::figures::{date, ground, people, said, when};
use super::promised::Promised;
use super::rehearsal::{self, with_rehearsal};
use super::replay::{Leaf, Replay, visit};
use super::statement;
use super::tally::Tally;
use crate::model::person::printed_id;
use crate::model::state::{Channel, MessageState, NoticeState};
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::unit::IncidentKey;
use duly_ledger::{Frontier, leaf_hash, to_hex};
use proof::Provers;
pub use proof::{LeafProof, Sibling, SignedAt};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// People read at once.
const PAGE: i64 = 5000;

/// Rank of a person in a draw; the smallest are taken.
pub fn rank(seed: &str, person: &[u8; 16]) -> [u8; 32] {
    Sha256::new().chain_update(seed).chain_update(person).finalize().into()
}

/// Where a person stands in a frozen list.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Place {
    /// List.
    pub list: u64,
    /// Index of the manifest's line, from 0.
    pub index: u64,
    /// The line.
    pub line: String,
}

/// One event of a person with its place in the log.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Step {
    /// Generation of the log.
    pub generation: i32,
    /// Index of the leaf.
    pub leaf: u64,
    /// Leaf hash, hex.
    pub hash: String,
    /// Number in the person's chain.
    pub n: u64,
    /// When, microseconds since 1970.
    pub at: i64,
    /// Kind.
    pub kind: String,
    /// What it adds.
    pub detail: Value,
}

/// A person of the sample.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Traced {
    /// `p_…`.
    pub person: String,
    /// Rank in the draw, hex.
    pub rank: String,
    /// Line of the list.
    pub place: Place,
    /// Whether the person's events number 1, 2, … and each names the one before by its hash.
    pub chain_holds: bool,
    /// End state word, or `open`.
    pub end: String,
    /// Events in order.
    pub steps: Vec<Step>,
    /// Of the last of them; `None` where there is none.
    pub proof: Option<LeafProof>,
}

/// The sample.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Sample {
    /// The auditor's seed.
    pub seed: String,
    /// People of all frozen lists.
    pub population: u64,
    /// Whether each list's manifest, read again line by line, has the root that the log froze.
    pub manifests_hold: bool,
    /// Signed checkpoints over everything that belongs to the moment, the smallest of each generation.
    pub checkpoints: Vec<SignedAt>,
    /// The people, by rank.
    pub people: Vec<Traced>,
}

/// Draws and traces.
pub async fn sample(
    store: &Store,
    incident: &Incident,
    replay: &Replay,
    (size, seed): (usize, &str),
) -> Result<Sample, ReportError> {
    let mut draw = Draw { seed, size, taken: BTreeMap::new(), population: 0, manifests_hold: true };
    for list in &replay.tally.lists {
        draw.list(store, incident.key, list.list, &list.root).await?;
    }
    let mut traced: HashMap<PersonId, Trace> = draw.taken.values().map(|(person, _)| (*person, Trace::default())).collect();
    let generations = store.list_published(incident.incident_id).await?;
    let mut read: BTreeMap<i32, u64> = BTreeMap::new();
    visit(store, &generations, replay.as_of, |leaf| {
        read.insert(leaf.generation, leaf.index + 1);
        if let Some(trace) = leaf.event.person.and_then(|person| traced.get_mut(&person)) {
            trace.take(&leaf);
        }
    })
    .await?;
    let mut provers = Provers::new(store, &generations, &read).await?;
    let mut people = Vec::new();
    for ((rank, _), (person, place)) in draw.taken {
        let Trace { is_broken, last, steps } = traced.remove(&person).unwrap_or_default();
        let end = replay.tally.notice_of(&person).0.as_str().to_owned();
        let proof = match &last {
            Some((_, bytes)) => provers.prove(steps.last(), bytes).await?,
            None => None,
        };
        let person = printed_id(Uuid::from_bytes(person));
        people.push(Traced { person, rank: to_hex(&rank), place, chain_holds: !is_broken, end, steps, proof });
    }
    let (population, manifests_hold) = (draw.population, draw.manifests_hold);
    Ok(Sample { seed: seed.to_owned(), population, manifests_hold, checkpoints: provers.signed(), people })
}

/// A person, as leaves name them.
type PersonId = [u8; 16];
/// Where a person comes in the draw.
type Rank = [u8; 32];

/// A person's chain so far.
#[derive(Default)]
struct Trace {
    is_broken: bool,
    /// Hash and bytes of its newest leaf.
    last: Option<([u8; 32], Vec<u8>)>,
    steps: Vec<Step>,
}

impl Trace {
    fn take(&mut self, leaf: &Leaf<'_>) {
        let last = self.last.as_ref().map(|(hash, _)| *hash);
        self.is_broken |= leaf.event.prev != last || leaf.event.n != Some(self.steps.len() as u64 + 1);
        self.last = Some((leaf.hash, leaf.bytes.to_vec()));
        self.steps.push(step(leaf));
    }
}

struct Draw<'a> {
    seed: &'a str,
    size: usize,
    taken: BTreeMap<(Rank, PersonId), (PersonId, Place)>,
    population: u64,
    manifests_hold: bool,
}

impl Draw<'_> {
    /// Takes part of a list into the draw; the list is that of its root, or it is said.
    async fn list(&mut self, store: &Store, incident: IncidentKey, list: u64, root: &str) -> Result<(), ReportError> {
        let number = i32::try_from(list).unwrap_or(i32::MAX);
        let (mut tree, mut after) = (Frontier::new(), Uuid::nil());
        loop {
            let rows = store.list_manifest(incident, number, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.person_id;
            for row in &rows {
                let line = row.line()?;
                let bytes = line.to_bytes()?;
                let place = Place { list, index: tree.size(), line: String::from_utf8_lossy(&bytes).into_owned() };
                tree.append(leaf_hash(&bytes));
                self.taken.insert((rank(self.seed, &line.person), line.person), (line.person, place));
                if self.taken.len() > self.size {
                    self.taken.pop_last();
                }
            }
        }
        self.population += tree.size();
        self.manifests_hold &= to_hex(&tree.root()) == root;
        Ok(())
    }
}

fn step(leaf: &Leaf<'_>) -> Step {
    Step {
        generation: leaf.generation,
        leaf: leaf.index,
        hash: to_hex(&leaf.hash),
        n: leaf.event.n.unwrap_or_default(),
        at: leaf.event.at_micros,
        kind: leaf.event.kind.clone(),
        detail: json!(leaf.event.detail),
    }
}

/// Those of the sample whom the log calls notified without a call.
fn without_call(replay: &Replay, sample: &Sample) -> Option<String> {
    let uncalled = super::regulator::people_ids(&replay.tally.uncalled);
    let drawn: Vec<&str> =
        sample.people.iter().map(|p| p.person.as_str()).filter(|id| uncalled.iter().any(|of| of == id)).collect();
    (!drawn.is_empty())
        .then(|| format!("CALLED NOTIFIED BY A LOG THAT HAS NO CALL TO THEM, and counted as open: {}.", drawn.join(", ")))
}

/// The sample as a work paper.
pub fn paper(incident: &Incident, replay: &Replay, promised: &[Promised], sample: &Sample) -> Document {
    let mut about = vec![("Incident".to_owned(), format!("{}/{}", incident.controller_slug, incident.slug))];
    about.extend(ground(replay));
    about.push(("Seed".to_owned(), sample.seed.clone()));
    about.push(("Drawn".to_owned(), format!("{} of {}", people(sample.people.len() as u64), figure(sample.population))));
    let broken = sample.people.iter().filter(|p| !p.chain_holds).count();
    let ends: BTreeSet<&str> = sample.people.iter().map(|p| p.end.as_str()).collect();
    let count = |end: &str| figure(sample.people.iter().filter(|p| p.end == end).count() as u64);
    let result = Section::new("Result")
        .table(
            "End states of the sample",
            &["state", "people"],
            ends.into_iter().map(|end| vec![end.to_owned(), count(end)]).collect(),
            &[1],
        )
        .list([
            if sample.manifests_hold {
                "Each list, read again line by line, has the root that the log froze."
            } else {
                "A LIST HAS ANOTHER ROOT THAN THE LOG FROZE."
            }
            .to_owned(),
            if sample.people.iter().all(|p| p.steps.is_empty()) {
                "No event tells of these people yet: there is no chain to be checked.".to_owned()
            } else if broken == 0 {
                "Each chain of events numbers 1, 2, … and names the event before by its hash.".to_owned()
            } else {
                format!("{broken} CHAINS OF EVENTS ARE BROKEN.")
            },
        ]);
    let result = without_call(replay, sample).into_iter().fold(result, Section::text);
    let result = rehearsal::lines(&replay.tally, promised).into_iter().fold(result, Section::text);
    let method = Section::new("How it was drawn").text(
        "For each person of the frozen lists: SHA-256 of the seed (UTF-8) followed by the person's id (16 bytes). The people with the smallest hashes are the sample, in that order. Whoever has the manifests and the seed draws the same people.",
    );
    let mut sections = vec![result, method, plans(&replay.tally)];
    sections.extend(statement::section(&replay.tally));
    sections.push(by_hand(sample));
    sections.extend(sample.people.iter().zip(1..).map(|(traced, number)| section(traced, number)));
    let lead =
        format!("{} traced from the list to where they stand, as of {}.", people(sample.people.len() as u64), said(replay.as_of));
    Document {
        title: "Work paper: people drawn from the log and traced".to_owned(),
        lead: with_rehearsal(lead, &replay.tally, promised),
        date: date(replay.as_of),
        about,
        sections,
        foot: "Made by Duly from the log and the frozen lists. No personal data: people stand under random ids, their data as commitments.".to_owned(),
    }
}

fn plans(tally: &Tally) -> Section {
    let rows = tally.plans.iter().flat_map(|(number, plan)| {
        plan.moves.iter().map(move |(at, what, user)| vec![number.to_string(), what.clone(), when(*at), user.clone()])
    });
    Section::new("Plans").table("What was done with the plans", &["plan", "what", "time", "user"], rows.collect(), &[])
}

/// How an auditor checks one person without us.
fn by_hand(sample: &Sample) -> Section {
    let section = Section::new("How to check one by hand").list([
        "Node: SHA-256 of a zero byte followed by the leaf, byte for byte as printed. That is its hash.",
        "For each row of the path, in order: SHA-256 of a byte 01 followed by the row's hash and the node (row says left), or by the node and the row's hash (right). The result is the next node.",
        "The last node, in base64, is the third line of the checkpoint of that size below; the checkpoint's signature is checked with the log's key (C2SP signed note).",
        "The leaf names the person's event before it by its hash (`prev`), that one the one before, and so on: the table of events has all of these hashes in `--json`.",
    ]);
    sample.checkpoints.iter().fold(section, |section, signed| {
        let caption = format!("Checkpoint of {} leaves", figure(signed.size));
        section.block(Block::Copy { caption, text: signed.note.clone() })
    })
}

fn chain(traced: &Traced) -> &'static str {
    match (traced.chain_holds, traced.steps.is_empty()) {
        (true, true) => "none yet",
        (true, false) => "holds",
        (false, _) => "BROKEN",
    }
}

fn section(traced: &Traced, number: usize) -> Section {
    let facts = vec![
        ("List line".to_owned(), format!("list {}, index {}", traced.place.list, traced.place.index)),
        ("Rank".to_owned(), traced.rank.clone()),
        ("Chain".to_owned(), chain(traced).to_owned()),
        ("End state".to_owned(), traced.end.clone()),
    ];
    let row = |s: &Step| {
        vec![s.n.to_string(), s.leaf.to_string(), when(s.at), said_of(s), s.hash.get(..16).unwrap_or_default().to_owned()]
    };
    let section = Section::new(&format!("{number}. {}", traced.person)).facts(facts);
    if traced.steps.is_empty() {
        return section.text("No event tells of this person yet: nothing was sent.");
    }
    let section = section.table(
        "Events (leaf: index in the log; hash: its first 16 digits)",
        &["n", "leaf", "time", "what", "hash"],
        traced.steps.iter().map(row).collect(),
        &[0, 1],
    );
    let Some(proof) = &traced.proof else { return section };
    let row = |s: &Sibling| vec![s.side.to_owned(), s.hash.clone()];
    section.block(Block::Copy { caption: format!("Leaf {}", proof.leaf), text: proof.bytes.clone() }).table(
        &format!("Path from leaf {} to the checkpoint of {} leaves", proof.leaf, figure(proof.size)),
        &["side", "hash"],
        proof.path.iter().map(row).collect(),
        &[],
    )
}

/// An event in a few words.
fn said_of(step: &Step) -> String {
    let field = |key: &str| step.detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let whole = |key: &str| step.detail.get(key).and_then(Value::as_u64).unwrap_or_default();
    let mut parts = vec![step.kind.clone()];
    let channel = field("channel").parse::<Channel>().ok();
    parts.extend(channel.map(|channel| super::words::noun(channel).to_owned()));
    parts.extend((step.kind == "message.intent").then(|| format!("plan {}, attempt {}", whole("plan"), whole("attempt"))));
    for key in ["code", "ground"] {
        parts.extend(Some(field(key)).filter(|text| !text.is_empty()).map(str::to_owned));
    }
    let to = channel.zip(field("to").parse::<MessageState>().ok());
    parts.extend(to.map(|(channel, to)| super::words::message(channel, to, None)));
    parts.extend(field("notice").parse::<NoticeState>().ok().map(|to| super::words::notice(to).to_owned()));
    parts.join("; ")
}
