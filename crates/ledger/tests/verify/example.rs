//! The two packs of examples/evidence, with which an implementer tries a reader of the published format: made from fixed
//! seeds and without compression, so that they are the same bytes for ever.

use super::case::*;
use super::story::*;
use duly_ledger::verify::{Options, OwnList, Report, Trust, verify};
use duly_ledger::{field_key, to_hex};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;
use zip::write::SimpleFileOptions;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/evidence");
/// Writes the files anew instead of comparing them.
const WRITE: &str = "DULY_WRITE_EXAMPLES";

const TEXTS: [(&str, &str); 4] = [
    ("hbs", "{{!-- content = full --}}\nYour data was stolen. This is a made-up text.\n"),
    ("hbs", "{{!-- content = full; title = What happened --}}\nYour data was stolen. This is a made-up letter.\n"),
    ("json", "{\"what_happened\":\"a made-up breach\"}"),
    ("toml", "# A made-up legal profile.\n"),
];

/// The story with all that a pack of an incident may hold.
fn incident() -> Case {
    let mut case = story();
    let hash = |text: &str| to_hex(&Sha256::digest(text));
    let of = |n: usize| hash(TEXTS[n].1);
    for (ending, text) in TEXTS {
        case.files.insert(format!("texts/{}.{ending}", hash(text)), text.as_bytes().to_vec());
    }
    rewrite_plan(&mut case, |body| {
        let account = json!({"at": "", "kind": "sandbox", "live": false});
        body["accounts"] = json!({"letters": account, "sms-a": account});
        body["lanes"] = json!(["letters", "sms-a"]);
        body["approvals"] = json!(1);
        body["routes"] = json!({"sms-then-letter": 4});
        let mut templates = [of(0), of(1)];
        templates.sort();
        body["templates"] = json!(templates);
        body["texts"] = json!(of(2));
        let law = &mut body["profiles"]["uk-gdpr"];
        law["jurisdictions"] = json!({"GB": 4});
        law["text"] = json!(of(3));
        law["version"] = json!("2026-09-01");
    });
    let (mut openings, mut rows) = (String::new(), String::new());
    for id in 1..=4 {
        let k = to_hex(&field_key(&key(id), "external_reference"));
        writeln!(openings, "{}", json!({"k": {"external_reference": k}, "p": to_hex(&person(id))})).unwrap();
        writeln!(rows, "{}", json!({"fate": "person", "list": 1, "p": to_hex(&person(id)), "row": id})).unwrap();
    }
    writeln!(rows, "{}", json!({"fate": "duplicate_of", "list": 1, "p": to_hex(&person(1)), "row": 5})).unwrap();
    writeln!(rows, "{}", json!({"fate": "quarantined", "list": 1, "p": null, "row": 6})).unwrap();
    let about = json!({"for": "regulator", "format": 1, "kind": "incident", "origin": origin(), "size": case.events.len()});
    for (name, text) in [
        ("keys/openings.jsonl", openings),
        ("keys/rows.jsonl", rows),
        ("pack.json", about.to_string()),
        ("README.txt", "A made-up pack, to try a reader of Duly's evidence format on.\n".to_owned()),
    ] {
        case.files.insert(name.into(), text.into_bytes());
    }
    case
}

/// Nothing of a clock, a user, or of a version of a compressor.
fn stored(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The list as its controller has it.
fn list() -> String {
    let row = |id: u8| format!("{},Person {id},{}\n", reference(id), phone(id));
    let rows: String = [1, 2, 3, 4, 1].into_iter().map(row).collect();
    format!("external_reference,name,mobile\n{rows},Nobody,\n")
}

fn files() -> [(&'static str, Vec<u8>); 4] {
    let case = incident();
    [
        ("incident.zip", stored(&case.pack_files())),
        ("person.zip", stored(&super::person::pack(&case, 1))),
        ("log.vkey", format!("{}\n", signer(&origin()).vkey()).into_bytes()),
        ("list.csv", list().into_bytes()),
    ]
}

#[test]
fn the_published_packs_are_what_their_seeds_make() {
    for (name, made) in files() {
        let path = Path::new(FOLDER).join(name);
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(FOLDER).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let is_same = std::fs::read(&path).is_ok_and(|there| there == made);
        assert!(is_same, "{name} is another one: {WRITE}=1 writes it, and docs/evidence-format.md says what it holds");
    }
}

#[test]
fn the_published_packs_are_good_under_the_published_key() {
    let path = |name: &str| Path::new(FOLDER).join(name);
    let trust = Trust::named(path("log.vkey").to_str().unwrap()).unwrap();
    let by = |name: &str, options: &Options| -> Report { verify(std::fs::File::open(path(name)).unwrap(), &trust, options) };
    let list = Options { own_list: Some(OwnList::file(&path("list.csv")).unwrap()), ..Options::default() };
    let incident = by("incident.zip", &list);
    assert_eq!((incident.exit_code(), incident.equation.people, incident.not_looked_at), (0, 4, 2), "{incident}");
    assert_eq!(incident.own_list[2], "row 6 is nobody: quarantined");
    let person = by("person.zip", &Options::default());
    assert_eq!((person.exit_code(), person.kind), (0, "person"), "{person}");
}
