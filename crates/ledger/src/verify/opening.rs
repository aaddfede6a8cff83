//! What a person's pack opens: fields of the manifest line, and the bytes of messages.

use super::lines::parse;
use super::pack::{Pack, PackError};
use super::person::Leaf;
use super::plans::canonical_json;
use super::report::{Code, Finding};
use super::scan::scan;
use super::world::World;
use crate::commitment::commit_under;
use crate::hash::{from_hex, to_hex};
use crate::proof::parse_decimal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Seek};

/// Largest message that is opened, bytes.
const MESSAGE_MAX: usize = 64 << 20;

/// Compares every opened value with its commitment; what holds comes back as lines.
pub fn check<R: Read + Seek>(
    pack: &mut Pack<R>,
    person: Option<[u8; 16]>,
    leaves: &BTreeMap<u64, Leaf>,
    world: &mut World,
) -> Result<Vec<String>, PackError> {
    let Some(text) = pack.text("keys.json")? else {
        let mut opened = Vec::new();
        messages(pack, None, leaves, world, &mut opened)?;
        return Ok(opened);
    };
    let wrong = |what: &str| Finding::new(Code::Opening, what).file("keys.json");
    let Some(keys) = canonical_json(&text) else {
        world.findings.push(wrong("it is no canonical JSON"));
        return Ok(Vec::new());
    };
    if keys.get("p").and_then(Value::as_str).map(str::to_owned) != person.map(|p| to_hex(&p)) {
        world.findings.push(wrong("it is of another person"));
    }
    let key = |field: &str| keys.get("k").and_then(|k| k.get(field)).and_then(Value::as_str).and_then(from_hex::<32>);
    let line = pack.read("manifest-line.json", 8192)?.unwrap_or_default();
    let listed = parse(&line).map(|(_, fields)| fields).unwrap_or_default();
    let mut opened = Vec::new();
    for (field, value) in keys.get("values").and_then(Value::as_object).into_iter().flatten() {
        let commitment = listed.iter().find(|(name, _)| name == field).map(|(_, c)| *c);
        let made = key(field).zip(value.as_str()).map(|(key, value)| commit_under(&key, value.as_bytes()));
        if made.is_none() || made != commitment {
            world.findings.push(wrong("a value is not the one that the manifest line commits to"));
        } else {
            opened.push(format!("the opened field `{field}` is the one of the frozen list"));
        }
    }
    messages(pack, key("content"), leaves, world, &mut opened)?;
    Ok(opened)
}

fn messages<R: Read + Seek>(
    pack: &mut Pack<R>,
    key: Option<[u8; 32]>,
    leaves: &BTreeMap<u64, Leaf>,
    world: &mut World,
    opened: &mut Vec<String>,
) -> Result<(), PackError> {
    for name in pack.names().into_iter().filter(|name| name.starts_with("messages/")) {
        let n = name.strip_prefix("messages/").and_then(|rest| rest.split_once('.')).and_then(|(n, _)| parse_decimal(n));
        let bytes = pack.read(&name, MESSAGE_MAX)?.unwrap_or_default();
        let made = key.map(|key| commit_under(&key, &Sha256::digest(&bytes)));
        let leaf = leaves.values().find(|leaf| leaf.n.is_some() && leaf.n == n).and_then(|leaf| scan(&leaf.bytes));
        let said = leaf.filter(|fact| fact.kind == "message.intent").and_then(|fact| fact.hex::<32>("content"));
        if made.is_some() && made == said {
            opened.push(format!("{name} holds the bytes that the intent {} commits to", n.unwrap_or_default()));
        } else {
            let text = match key {
                Some(_) => "its bytes are not those that the intent commits to",
                None => "the key with which it could be compared is not in the pack",
            };
            world.findings.push(Finding::new(Code::Opening, text).file(&name));
        }
    }
    Ok(())
}
