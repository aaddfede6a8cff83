//! The figures of the published format, section "Vectors": what stands there is what this code makes.

#![expect(clippy::unwrap_used, reason = "tests")]

use duly_ledger::verify::{Options, Trust, verify};
use duly_ledger::{
    Event, Frontier, KeyChange, ManifestLine, PersonKey, Signer, commit, encode_bundle, field_key, inclusion_path, leaf_hash,
    to_hex,
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

const FORMAT: &str = include_str!("../../../docs/evidence-format.md");
const INC: &str = "019355a0-0000-7000-8000-000000000002";
const PERSON: [u8; 16] = [0xab; 16];

/// So many bytes, each one more than the one before.
fn rising(first: u8) -> [u8; 32] {
    std::array::from_fn(|i| first.wrapping_add(i as u8))
}

/// Three leaves: a log that opens, and a hold of one person, set and lifted.
fn leaves(origin: &str) -> Vec<Vec<u8>> {
    let id = |n: u8| format!("019355a0-0000-7000-8000-0000000000{n:02x}");
    let hold = json!({"command": id(0xc0), "hold": id(0xdd), "user": id(0xa1)});
    let opened = json!({"format": 1, "generation": 1, "kind": "incident", "origin": origin});
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    for (i, (kind, n, detail)) in
        (1u8..).zip([("log.opened", None, opened), ("hold.set", Some(1), hold.clone()), ("hold.lifted", Some(2), hold)])
    {
        let event = Event {
            id: id(i),
            inc: INC.into(),
            kind: kind.into(),
            n,
            person: n.map(|_| PERSON),
            prev: n.filter(|n| *n > 1).and_then(|_| leaves.last()).map(|leaf| leaf_hash(leaf)),
            at_micros: 1_795_473_605_000_000 + i64::from(i),
            detail: detail.as_object().unwrap().clone(),
        };
        leaves.push(event.to_bytes().unwrap());
    }
    leaves
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn of_the_log(out: &mut String) {
    let origin = format!("duly.test/{INC}");
    let signer = Signer::new(&origin, &rising(0)).unwrap();
    writeln!(out, "seed of the log's key = {}\nvkey = {}", to_hex(&rising(0)), signer.vkey()).unwrap();
    let leaves = leaves(&origin);
    let hashes: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut tree = Frontier::new();
    for (i, (leaf, hash)) in leaves.into_iter().zip(&hashes).enumerate() {
        tree.append(*hash);
        writeln!(out, "leaf {i} = {}\nits hash = {}\nroot of {} = {}", text(leaf), to_hex(hash), i + 1, to_hex(&tree.root()))
            .unwrap();
    }
    let path: Vec<String> = inclusion_path(&hashes, 1).iter().map(|hash| to_hex(hash)).collect();
    writeln!(out, "path of leaf 1 among 3 = {}", path.join(" ")).unwrap();
    writeln!(out, "checkpoint = {}", signer.sign_checkpoint(3, tree.root()).replace('\n', "\\n")).unwrap();
    let change = KeyChange::sign(&origin, 3, &rising(0), &rising(0x20));
    let said = |name: &str| change[name].as_str().unwrap().to_owned();
    writeln!(out, "log.key_changed as leaf 3: new = {}", said("new")).unwrap();
    writeln!(out, "old_signature = {}\nnew_signature = {}", said("old_signature"), said("new_signature")).unwrap();
}

fn of_a_person(out: &mut String) {
    let key = PersonKey::new(rising(0x40));
    let (number, rendered) = ("+447700900123", "Dear Ada,\nyour data was stolen.\n");
    writeln!(out, "K_p = {}", to_hex(key.as_bytes())).unwrap();
    writeln!(out, "k_f of sms = {}", to_hex(&field_key(&key, "sms"))).unwrap();
    writeln!(out, "C of sms, {number} = {}", to_hex(&commit(&key, "sms", number.as_bytes()))).unwrap();
    writeln!(out, "k_f of content = {}", to_hex(&field_key(&key, "content"))).unwrap();
    let hash = Sha256::digest(rendered);
    writeln!(out, "SHA-256 of {} = {}", rendered.replace('\n', "\\n"), to_hex(&hash)).unwrap();
    writeln!(out, "C of content, of these 32 bytes = {}", to_hex(&commit(&key, "content", &hash))).unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), commit(&key, name, value.as_bytes()));
    let commitments = BTreeMap::from([field("external_reference", "PAY 0001"), field("sms", number)]);
    let line = ManifestLine { person: PERSON, commitments }.to_bytes().unwrap();
    let root = to_hex(&leaf_hash(&line));
    writeln!(out, "manifest line, external_reference PAY 0001 = {}\nroot of that list = {root}", text(line)).unwrap();
    let statement = format!("duly/list/v1\n{INC}\n1\n1\n{root}\n");
    let signature = SigningKey::from_bytes(&rising(0x60)).sign(statement.as_bytes()).to_bytes();
    writeln!(out, "seed of the controller's list key = {}", to_hex(&rising(0x60))).unwrap();
    writeln!(out, "signature of list 1 over {} = {}", statement.replace('\n', "\\n"), to_hex(&signature)).unwrap();
    let spelt = json!({"a": "Ł\u{1f4e8}\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}", "b": [1, -2, null, true, {}]}).to_string();
    write!(out, "one spelling = {spelt}\nits SHA-256 = {}", to_hex(&Sha256::digest(&spelt))).unwrap();
}

#[test]
fn the_vectors_of_the_published_format_are_what_the_code_makes() {
    let mut made = String::new();
    of_the_log(&mut made);
    of_a_person(&mut made);
    let published = FORMAT.split("\n## Vectors\n").nth(1).and_then(|rest| rest.split("```").nth(1)).unwrap_or_default();
    assert_eq!(published, format!("text\n{made}\n"), "the document must hold:\n{made}");
}

#[test]
fn the_three_leaves_with_their_tile_and_checkpoint_are_a_good_pack() {
    let origin = format!("duly.test/{INC}");
    let (signer, leaves) = (Signer::new(&origin, &rising(0)).unwrap(), leaves(&origin));
    let (mut tree, mut tile) = (Frontier::new(), Vec::new());
    for hash in leaves.iter().map(|leaf| leaf_hash(leaf)) {
        tree.append(hash);
        tile.extend(hash);
    }
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let checkpoint = signer.sign_checkpoint(3, tree.root()).into_bytes();
    for (name, bytes) in
        [("checkpoint", checkpoint), ("tile/0/000.p/3", tile), ("tile/entries/000.p/3", encode_bundle(&leaves).unwrap())]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    let report = verify(zip.finish().unwrap(), &Trust::Vkeys(vec![signer.vkey().clone()]), &Options::default());
    assert_eq!(report.exit_code(), 0, "{report}");
}
