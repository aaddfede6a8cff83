//! Packs in the hands of software that knows nothing of Duly: what it reads are the published formats and the zip's paths.

use super::{incident_pack, person_pack};
use crate::support::{Lane, Setup, Stage, skipped};
use crate::told::{file, files, sequence};
use ct_merkle::RootHash;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use duly::model::state::Route;
use duly::report::pack::Audience;
use duly::store::sequencing::LogScope;
use duly_sandbox::ProviderConfig;
use serde_json::{Map, Value};
use sha2::Sha256;
use signed_note::{Note, StandardVerifier, VerifierList};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use tlog_tiles::{
    Checkpoint, Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree, record_hash,
};

/// Files of a pack by path, as a web server would serve them.
struct Files(BTreeMap<String, Vec<u8>>);

impl TileReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.0[&path(tile)].clone()).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// C2SP's path of a tile; tlog_tiles prints that of Go's sumdb, which has the height in front.
fn path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/data", "tile/entries", 1).replacen("tile/8/", "tile/", 1)
}

/// The checkpoint in a note that this key signed.
fn open_note(note: &[u8], vkey: &str) -> Checkpoint {
    let note = Note::from_bytes(note).unwrap();
    let verifier = StandardVerifier::new(vkey).unwrap();
    let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!(verified.len(), 1);
    let checkpoint = Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(Some(checkpoint.origin()), vkey.split('+').next());
    checkpoint
}

impl Files {
    fn of(pack: &[u8]) -> Self {
        Self(files(pack).into_iter().collect())
    }

    /// Every entry of so many, from the bundles alone.
    fn entries(&self, size: u64) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for number in 0..size.div_ceil(256) {
            let width = u32::try_from((size - number * 256).min(256)).unwrap();
            let mut rest = self.0[&path(&Tile::new(8, 0, number, width, true))].as_slice();
            while let Some((length, after)) = rest.split_at_checked(2) {
                let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(length.try_into().unwrap())));
                entries.push(entry.to_vec());
                rest = after;
            }
            assert!(rest.is_empty());
        }
        assert_eq!(entries.len() as u64, size);
        entries
    }
}

/// Enough for several tiles on two levels, each with three events at least.
const PEOPLE: u32 = 200;

async fn told_many() -> Stage {
    let provider = ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..ProviderConfig::default() };
    let lanes = vec![Lane { provider, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { people: PEOPLE, routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain_to_the_end().await;
    process.terminate().await;
    sequence(&stage).await;
    stage
}

/// So many more leaves.
async fn grow(stage: &Stage, leaves: usize) {
    let scope = LogScope::Incident(stage.incident.key.controller_id, stage.incident.key.incident_no);
    for _ in 0..leaves {
        stage.office.store.insert_event(scope, "log.marked", Map::new()).await.unwrap();
    }
    sequence(stage).await;
}

fn vkey(stage: &Stage) -> String {
    let archive = duly::evidence::Archive::open(&stage.office.settings, &stage.office.store).unwrap();
    archive.signer(&format!("duly.test/{}", stage.incident.incident_id)).unwrap().vkey().to_string()
}

/// Signature, tiles, bundles, and the way of each leaf to the root, by two programs.
fn read_whole(pack: &Files, vkey: &str) -> (Checkpoint, Vec<Vec<u8>>) {
    let checkpoint = open_note(&pack.0["checkpoint"], vkey);
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let entries = pack.entries(size);
    let reader = TileHashReader::new(size, root, pack);
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    entries.iter().for_each(|entry| tree.push(entry.clone()));
    let signed = RootHash::<Sha256>::new(root.0.into(), size);
    assert!(tree.root() == signed);
    for (index, entry) in (0u64..).zip(&entries) {
        let proof = prove_record(size, index, &reader).unwrap();
        check_record(&proof, size, root, index, record_hash(entry)).unwrap();
        signed.verify_inclusion(entry, index, &tree.prove_inclusion(usize::try_from(index).unwrap())).unwrap();
    }
    let tiles = Tile::new_tiles(8, 0, size);
    let named: Vec<String> = tiles.iter().map(path).collect();
    assert!(named.iter().any(|name| name.starts_with("tile/1/")) && named.len() > 3, "{named:?}");
    let data =
        tiles.iter().filter(|tile| tile.level() == 0).map(|tile| path(&Tile::new(8, 0, tile.level_index(), tile.width(), true)));
    let mut wanted: Vec<String> = data.chain(named.clone()).collect();
    wanted.sort();
    let held: Vec<String> = pack.0.keys().filter(|name| name.starts_with("tile/")).cloned().collect();
    assert_eq!(held, wanted, "what tlog_tiles would write of a log of this size, and nothing else");
    for tile in &tiles {
        assert_eq!(tile.read_data(&reader).unwrap(), pack.0[&path(tile)], "{}", path(tile));
    }
    (checkpoint, entries)
}

/// The newer log goes on from the older one.
fn goes_on(pack: &Files, newer: &(Checkpoint, Vec<Vec<u8>>), older: &(Checkpoint, Vec<Vec<u8>>)) {
    let ((new, entries), (old, before)) = (newer, older);
    let (size, from) = (new.size(), old.size());
    assert!(from < size && entries.starts_with(before));
    let proof = prove_tree(size, from, &TileHashReader::new(size, *new.hash(), pack)).unwrap();
    check_tree(&proof, size, *new.hash(), from, *old.hash()).unwrap();
    check_tree(&proof, size, *new.hash(), from, Hash([7; 32])).unwrap_err();
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    entries.iter().for_each(|entry| tree.push(entry.clone()));
    let proof = tree.prove_consistency(usize::try_from(size - from).unwrap());
    let old_root = RootHash::<Sha256>::new(old.hash().0.into(), from);
    RootHash::<Sha256>::new(new.hash().0.into(), size).verify_consistency(&old_root, &proof).unwrap();
}

/// RFC 6962 root over lines, by ct-merkle.
fn root_of_lines(text: &[u8]) -> (u64, String) {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').for_each(|line| tree.push(line.to_vec()));
    (tree.len(), hex::encode(tree.root().as_bytes()))
}

#[tokio::test]
async fn software_of_others_reads_whole_packs_of_a_growing_log() {
    let stage = told_many().await;
    let vkey = vkey(&stage);
    let mut before: Option<(Checkpoint, Vec<Vec<u8>>)> = None;
    for more in [0, 3, 300] {
        grow(&stage, more).await;
        let pack = Files::of(&incident_pack(&stage, Audience::Regulator, false).await);
        let read = read_whole(&pack, &vkey);
        if let Some(before) = &before {
            goes_on(&pack, &read, before);
        }
        let frozen =
            read.1.iter().map(|entry| serde_json::from_slice::<Value>(entry).unwrap()).find(|e| e["k"] == "list.frozen").unwrap();
        let (count, root) = root_of_lines(&pack.0["manifest.jsonl"]);
        assert_eq!((frozen["d"]["count"].as_u64(), frozen["d"]["root"].as_str()), (Some(count), Some(root.as_str())));
        before = Some(read);
    }
    assert!(before.unwrap().0.size() > 768, "three full tiles");
}

/// Index, hashes and checkpoint of a C2SP tlog-proof file.
fn read_proof(text: &str) -> (u64, Vec<Hash>, &str) {
    let (head, note) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
    let index = lines.next().unwrap().strip_prefix("index ").unwrap().parse().unwrap();
    (index, lines.map(|line| Hash::parse_hash(line).unwrap()).collect(), note)
}

#[tokio::test]
async fn software_of_others_reads_a_person_s_pack() {
    let stage = told_many().await;
    let vkey = vkey(&stage);
    let id = sqlx::query_scalar("select person_id from person order by person_id offset 50 limit 1")
        .fetch_one(&stage.owner)
        .await
        .unwrap();
    let pack = Files::of(&person_pack(&stage, id, &[], false).await.unwrap());

    let proofs: Vec<&String> = pack.0.keys().filter(|name| name.ends_with(".tlog-proof")).collect();
    assert!(proofs.len() > 5, "{proofs:?}");
    let mut frozen = None;
    for name in proofs {
        let (index, proof, note) = read_proof(std::str::from_utf8(&pack.0[name]).unwrap());
        assert_eq!(note.as_bytes(), pack.0["checkpoint"], "{name}");
        let checkpoint = open_note(note.as_bytes(), &vkey);
        let leaf = &pack.0[&name.replace(".tlog-proof", ".json")];
        check_record(&proof, checkpoint.size(), *checkpoint.hash(), index, record_hash(leaf)).unwrap();
        check_record(&proof, checkpoint.size(), *checkpoint.hash(), index + 1, record_hash(leaf)).unwrap_err();
        let event: Value = serde_json::from_slice(leaf).unwrap();
        frozen = frozen.or_else(|| (event["k"] == "list.frozen").then(|| event["d"]["root"].as_str().unwrap().to_owned()));
    }
    let proof = String::from_utf8(pack.0["manifest-line.proof"].clone()).unwrap();
    let mut lines = proof.lines();
    let mut number = |name: &str| -> u64 { lines.next().unwrap().strip_prefix(name).unwrap().parse().unwrap() };
    let (_, index, size) = (number("list "), number("index "), number("size "));
    let hashes: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).unwrap()).collect();
    let root = Hash(hex::decode(frozen.unwrap()).unwrap().try_into().unwrap());
    check_record(&hashes, size, root, index, record_hash(&pack.0["manifest-line.json"])).unwrap();
}

/// Ends and says as the example in Python did.
fn python(stage: &Stage, packs: &[&[u8]], vkey: &str) -> (bool, String) {
    let mut command = Command::new(std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned()));
    let mut paths = packs.iter().enumerate().map(|(n, pack)| {
        let path = stage.folder.path().join(format!("pack.{n}.zip"));
        std::fs::write(&path, pack).unwrap();
        path
    });
    command.arg("examples/check_pack.py").arg(paths.next().unwrap()).arg(vkey).args(paths);
    let done = command.stdin(Stdio::null()).output().unwrap();
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

/// The pack with its files changed, not packed.
fn altered(pack: &[u8], change: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
    let mut copy = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, mut bytes) in files(pack) {
        change(&name, &mut bytes);
        copy.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut copy, &bytes).unwrap();
    }
    copy.finish().unwrap().into_inner()
}

#[tokio::test]
async fn the_python_example_reads_a_pack_and_refuses_a_changed_one() {
    let python3 = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has =
        Command::new(&python3).args(["-c", "import cryptography"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !has {
        skipped(&format!("{python3} has no cryptography; nobody runs examples/check_pack.py"));
        return;
    }
    let stage = told_many().await;
    let vkey = vkey(&stage);
    let older = incident_pack(&stage, Audience::Regulator, false).await;
    grow(&stage, 30).await;
    let pack = incident_pack(&stage, Audience::Regulator, false).await;

    let size = open_note(&file(&pack, "checkpoint"), &vkey).size();
    let said = python(&stage, &[&pack, &older], &vkey);
    assert_eq!(said, (true, format!("good: {size} leaves, {PEOPLE} people, {{'notified': {PEOPLE}}}\n")));
    let key_file = stage.folder.path().join("log.vkey");
    std::fs::write(&key_file, format!("{vkey}\n")).unwrap();
    assert_eq!(python(&stage, &[&pack, &older], key_file.to_str().unwrap()), said);
    let nowhere = "bad: nowhere is no vkey, and no file with one\n".to_owned();
    assert_eq!(python(&stage, &[&pack], "nowhere"), (false, nowhere));
    assert_eq!(python(&stage, &[&older, &pack], &vkey), (false, "bad: this log does not go on from the older pack\n".to_owned()));
    for (name, what) in [
        ("checkpoint", "bad: "),
        ("tile/entries/000", "bad: tile/0/000 is not made of the leaves"),
        ("tile/0/001", "bad: tile/0/001 is not made of the leaves"),
        ("manifest.jsonl", "bad: list 1 is another"),
    ] {
        let changed = altered(&pack, |file, bytes| {
            if file == name {
                // Of a checkpoint its size: the last bits of base64 may stand for nothing.
                let lines: usize = bytes.split_inclusive(|b| *b == b'\n').take(2).map(<[u8]>::len).sum();
                let end = if name == "checkpoint" { lines } else { bytes.len() };
                let at = bytes[..end].iter().rposition(u8::is_ascii_digit).unwrap();
                bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            }
        });
        let (is_good, said) = python(&stage, &[&changed], &vkey);
        assert!(!is_good && said.starts_with(what), "{name}: {said}");
    }
}
