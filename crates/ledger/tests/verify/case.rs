//! Makes small complete packs: events first, everything else from them.

use duly_ledger::verify::{Options, Report, Trust, Word, verify};
use duly_ledger::{
    Appender, Checkpoint, Event, Layer, ManifestBuilder, ManifestLine, Note, PersonKey, Signer, commit, encode_bundle,
    entry_bundles, leaf_hash, tile_at, to_hex,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

pub const INC: &str = "019355a0-0000-7000-8000-000000000002";
pub const ALICE: &str = "019355a0-0000-7000-8000-00000000000a";
pub const BOB: &str = "019355a0-0000-7000-8000-00000000000b";
pub const COMMAND: &str = "019355a0-0000-7000-8000-0000000000ff";
/// 2026-11-24T08:44:37Z.
const START: i64 = 1_795_509_877_000_000;

pub fn origin() -> String {
    format!("duly.test/{INC}")
}

pub fn signer(origin: &str) -> Signer {
    Signer::new(origin, &[7; 32]).unwrap()
}

pub fn trust() -> Trust {
    Trust::Vkeys(vec![signer(&origin()).vkey().clone()])
}

pub fn person(id: u8) -> [u8; 16] {
    [id; 16]
}

pub fn key(id: u8) -> PersonKey {
    PersonKey::new([id ^ 0x55; 32])
}

pub fn phone(id: u8) -> String {
    format!("+4477009001{id:02}")
}

pub fn reference(id: u8) -> String {
    format!("PAY {id:04}")
}

pub fn committed(id: u8, field: &str, value: &[u8]) -> String {
    to_hex(&commit(&key(id), field, value))
}

/// The hash of what somebody is told.
pub fn content(id: u8, channel: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(format!("Dear {id}, by {channel}")).into()
}

pub fn manifest_line(id: u8) -> ManifestLine {
    let field = |name: &str, value: &str| (name.to_owned(), commit(&key(id), name, value.as_bytes()));
    let commitments = BTreeMap::from([
        field("external_reference", &reference(id)),
        field("sms", &phone(id)),
        field("letter", "1 High St\nLondon"),
    ]);
    ManifestLine { person: person(id), commitments }
}

pub fn contents_line(id: u8) -> ManifestLine {
    let of = |channel: &str| (channel.to_owned(), commit(&key(id), "content", &content(id, channel)));
    ManifestLine { person: person(id), commitments: BTreeMap::from([of("sms"), of("letter")]) }
}

/// Lines with their ends, count and root.
pub fn lines(of: impl IntoIterator<Item = ManifestLine>) -> (Vec<u8>, u64, String) {
    let (mut bytes, mut builder) = (Vec::new(), ManifestBuilder::default());
    for line in of {
        builder.push(&line).unwrap();
        bytes.extend(line.to_bytes().unwrap());
        bytes.push(b'\n');
    }
    (bytes, builder.count(), to_hex(&builder.root()))
}

/// A log in the making, with the other files of its pack.
#[derive(Clone, Default)]
pub struct Case {
    pub events: Vec<Event>,
    /// Whether `n` and `prev` are made right when the pack is written.
    pub keeps_chain: bool,
    /// Bytes that stand in a leaf instead of its event.
    pub raw: BTreeMap<usize, Vec<u8>>,
    pub files: BTreeMap<String, Vec<u8>>,
    /// Every byte of the seed that signs the checkpoint; 0: the usual one.
    pub seed: u8,
}

impl Case {
    /// Adds an event; its leaf.
    pub fn push(&mut self, kind: &str, of: Option<u8>, detail: Value) -> usize {
        let i = self.events.len();
        self.events.push(Event {
            id: format!("019355a0-0000-7000-8000-{i:012x}"),
            inc: INC.into(),
            kind: kind.into(),
            n: of.map(|_| 1),
            person: of.map(person),
            prev: None,
            at_micros: START + 1_000_000 * i64::try_from(i).unwrap(),
            detail: detail.as_object().unwrap().clone(),
        });
        i
    }

    /// Adds an event of a message, with the fields that all of them have.
    pub fn tell(&mut self, id: u8, kind: &str, message: (&str, &str, u64), more: Value) -> usize {
        let (channel, reason, attempt) = message;
        let mut detail = json!({"attempt": attempt, "channel": channel, "ordinal": 1, "phase": 1, "reason": reason});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.push(kind, Some(id), detail)
    }

    /// Adds the intent of a call.
    pub fn intent(&mut self, id: u8, message: (&str, &str, u64), is_repeat: bool) -> usize {
        let (channel, ..) = message;
        let address = if channel == "sms" { phone(id) } else { "1 High St\nLondon".into() };
        let more = json!({
            "content": committed(id, "content", &content(id, channel)), "destination": committed(id, channel, address.as_bytes()),
            "plan": 1, "profile": "uk-gdpr", "repeat": is_repeat, "to": "sending",
        });
        self.tell(id, "message.intent", message, more)
    }

    /// Changes a field of `d`; `null` takes it out.
    pub fn set(&mut self, leaf: usize, field: &str, value: Value) {
        let detail: &mut Map<String, Value> = &mut self.events[leaf].detail;
        if value.is_null() {
            detail.remove(field)
        } else {
            detail.insert(field.into(), value)
        };
    }

    /// The bytes of every leaf.
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        let mut heads: HashMap<[u8; 16], (u64, [u8; 32])> = HashMap::new();
        let mut leaves = Vec::new();
        for (i, event) in self.events.iter().enumerate() {
            let mut event = event.clone();
            if let (Some(person), true) = (event.person, self.keeps_chain) {
                let head = heads.get(&person);
                (event.n, event.prev) = (Some(head.map_or(1, |(n, _)| n + 1)), head.map(|(_, leaf)| *leaf));
            }
            let bytes = self.raw.get(&i).cloned().unwrap_or_else(|| event.to_bytes().unwrap());
            if let (Some(person), Some(n)) = (event.person, event.n) {
                heads.insert(person, (n, leaf_hash(&bytes)));
            }
            leaves.push(bytes);
        }
        leaves
    }

    /// All files of the pack.
    pub fn pack_files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files.clone();
        files.extend(log_files("", &origin(), &self.leaves()));
        if self.seed > 0 {
            sign_again(&mut files, "checkpoint", self.seed);
        }
        files
    }

    pub fn report(&self) -> Report {
        check(&self.pack_files())
    }

    /// Code and leaf of every finding.
    pub fn found(&self) -> Vec<(&'static str, Option<u64>)> {
        found(&self.report())
    }
}

/// Lets another key sign a checkpoint of a pack.
pub fn sign_again(files: &mut BTreeMap<String, Vec<u8>>, name: &str, seed: u8) {
    let text = Note::parse(&files[name]).unwrap().text().to_owned();
    let of: Checkpoint = text.parse().unwrap();
    let signer = Signer::new(&of.origin, &[seed; 32]).unwrap();
    files.insert(name.to_owned(), signer.sign_checkpoint(of.size, of.root).into_bytes());
}

pub fn found(report: &Report) -> Vec<(&'static str, Option<u64>)> {
    report.findings.kept.iter().map(|f| (f.code.as_str(), f.leaf)).collect()
}

/// Tiles, bundles and checkpoint of a log.
pub fn log_files(prefix: &str, origin: &str, leaves: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let (size, mut log) = (leaves.len() as u64, Appender::new());
    leaves.iter().for_each(|leaf| log.append(leaf_hash(leaf)));
    for growth in log.take_growth() {
        let tile = tile_at(Layer::Hashes(growth.level), growth.tile, size).unwrap();
        files.insert(format!("{prefix}{}", tile.path()), growth.hashes);
    }
    for (bundle, entries) in entry_bundles(size).zip(leaves.chunks(256)) {
        files.insert(format!("{prefix}{}", bundle.path()), encode_bundle(entries).unwrap());
    }
    files.insert(format!("{prefix}checkpoint"), signer(origin).sign_checkpoint(size, log.root()).into_bytes());
    files
}

pub fn check(files: &BTreeMap<String, Vec<u8>>) -> Report {
    check_with(files, &Options::default())
}

pub fn check_with(files: &BTreeMap<String, Vec<u8>>, options: &Options) -> Report {
    verify(Cursor::new(zipped(files)), &trust(), options)
}

pub fn zipped(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
