//! A large pack: everybody gets one text message that arrives, five events each. The bench makes it too.

use super::case::*;
use duly_ledger::{Event, ManifestBuilder, ManifestLine, commit, leaf_hash, to_hex};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn id_of(i: u32) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(i.to_be_bytes()).into();
    let mut id = [0; 16];
    id[..4].copy_from_slice(&i.to_be_bytes());
    id[4..].copy_from_slice(&hash[..12]);
    id
}

struct Writer {
    leaves: Vec<Vec<u8>>,
}

impl Writer {
    fn push(&mut self, kind: &str, chain: Option<([u8; 16], u64, Option<[u8; 32]>)>, detail: serde_json::Value) -> [u8; 32] {
        let i = self.leaves.len();
        let hash: [u8; 32] = Sha256::digest(i.to_be_bytes()).into();
        let hex = to_hex(&hash);
        let event = Event {
            id: format!("{}-{}-7{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30]),
            inc: INC.into(),
            kind: kind.into(),
            n: chain.map(|(_, n, _)| n),
            person: chain.map(|(id, ..)| id),
            prev: chain.and_then(|(.., prev)| prev),
            at_micros: 1_795_509_877_000_000 + i64::try_from(i).unwrap() * 200,
            detail: detail.as_object().unwrap().clone(),
        };
        let bytes = event.to_bytes().unwrap();
        let leaf = leaf_hash(&bytes);
        self.leaves.push(bytes);
        leaf
    }
}

/// The files of a pack of so many people, and 5 events more than 5 for each.
pub fn pack(people: u32) -> BTreeMap<String, Vec<u8>> {
    let commitment =
        |i: u32, field: &str, value: &str| commit(&key(u8::try_from(i % 251).unwrap()), field, format!("{i}{value}").as_bytes());
    let line = |i: u32, fields: &[&str]| ManifestLine {
        person: id_of(i),
        commitments: fields.iter().map(|field| ((*field).to_owned(), commitment(i, field, ""))).collect(),
    };
    let file = |fields: &[&str]| {
        let (mut bytes, mut builder) = (Vec::new(), ManifestBuilder::default());
        for i in 0..people {
            let line = line(i, fields);
            builder.push(&line).unwrap();
            bytes.extend(line.to_bytes().unwrap());
            bytes.push(b'\n');
        }
        (bytes, to_hex(&builder.root()))
    };
    let (manifest, root) = file(&["external_reference", "letter", "name", "sms"]);
    let (contents, contents_root) = file(&["letter", "sms"]);
    let mut case = Case { keeps_chain: true, files: BTreeMap::from([("manifest.jsonl".into(), manifest)]), ..Case::default() };
    case.push("log.opened", None, json!({"format": 1, "generation": 1, "kind": "incident", "origin": origin()}));
    case.push(
        "list.frozen",
        None,
        json!({"count": people, "duplicates": 0, "list": 1, "quarantined": 0, "root": root, "rows": people}),
    );
    super::story::large_plan(&mut case, people, &root, &contents_root);
    case.files.insert("contents.1.jsonl".into(), contents);
    let mut writer = Writer { leaves: case.leaves() };
    for i in 0..people {
        let mut head = (1, None);
        for (kind, more) in [
            (
                "message.intent",
                json!({"content": to_hex(&commitment(i, "sms", "")), "destination": to_hex(&commitment(i, "sms", "")), "plan": 1, "profile": "uk-gdpr", "repeat": false, "to": "sending"}),
            ),
            ("message.accepted", json!({"code": "201", "to": "accepted"})),
            ("receipt", json!({"status": "sent", "to": "sent"})),
            ("receipt", json!({"notice": "notified", "status": "delivered_to_handset", "to": "delivered_to_handset"})),
            ("receipt.late", json!({"status": "sent"})),
        ] {
            let mut detail = json!({"attempt": 1, "channel": "sms", "ordinal": 1, "phase": 1, "reason": "first"});
            detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let leaf = writer.push(kind, Some((id_of(i), head.0, head.1)), detail);
            head = (head.0 + 1, Some(leaf));
        }
    }
    let mut files = case.files;
    files.extend(log_files("", &origin(), &writer.leaves));
    files
}
