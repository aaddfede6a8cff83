//! The first leaf of a generation: which log it opens, in which format, and what it goes on from.

use super::FORMAT;
use super::pack::{Pack, PackError};
use super::replay::Generation;
use super::report::{Code, Finding};
use super::world::World;
use crate::hash::to_hex;
use crate::tile::{bundle_entries, entry_bundles};
use serde_json::Value;
use std::io::{Read, Seek};

/// Whether the events are in a format that is known here.
#[derive(PartialEq, Eq)]
pub enum Opened {
    Known,
    TooNew,
}

/// Looks at the first leaf before all else: it says which format the others are in.
pub fn opened<R: Read + Seek>(
    pack: &mut Pack<R>,
    generation: &Generation,
    before: Option<&Generation>,
    world: &mut World,
) -> Result<Opened, PackError> {
    let first = entry_bundles(generation.checkpoint.size).next();
    let bytes = match first {
        Some(bundle) => pack.read(&format!("{}{}", generation.prefix, bundle.path()), 1 << 21)?.unwrap_or_default(),
        None => Vec::new(),
    };
    match bundle_entries(&bytes).next() {
        Some(Ok(entry)) => Ok(judge_opened(entry, generation, before, world)),
        // The replay names what is missing.
        _ if first.is_some() => Ok(Opened::Known),
        _ => Ok(judge_opened(b"", generation, before, world)),
    }
}

fn judge_opened(entry: &[u8], generation: &Generation, before: Option<&Generation>, world: &mut World) -> Opened {
    let value: Value = serde_json::from_slice(entry).unwrap_or_default();
    let said = |name: &str| value.get("d").and_then(|d| d.get(name)).cloned().unwrap_or_default();
    if said("format").as_u64().is_some_and(|format| format > FORMAT) || value.get("v").and_then(|v| v.as_u64()) > Some(FORMAT) {
        return Opened::TooNew;
    }
    let inc = value.get("inc").and_then(|inc| inc.as_str()).unwrap_or_default();
    let origin = &generation.checkpoint.origin;
    let of_log = origin.strip_suffix(&format!("/{}", generation.number)).filter(|_| generation.number > 1).unwrap_or(origin);
    let mut wrong = Vec::new();
    if value.get("k").and_then(|k| k.as_str()) != Some("log.opened") {
        wrong.push("it does not open the log");
    }
    if said("kind").as_str() != Some("incident") {
        wrong.push("it opens no log of an incident");
    }
    if said("origin").as_str() != Some(origin) || said("generation").as_u64() != Some(generation.number) {
        wrong.push("it opens a log of another name or generation");
    }
    if !of_log.ends_with(&format!("/{inc}")) || (before.is_some() && inc != world.inc) {
        wrong.push("it has another id than the log's name");
    }
    if let Some(before) = before {
        let names = said("from_root").as_str() == Some(&to_hex(&before.checkpoint.root));
        if !names || said("from_size").as_u64() != Some(before.checkpoint.size) {
            wrong.push("it follows another checkpoint than the one of the generation before: leaves are missing");
        }
    }
    world.inc = inc.to_owned();
    world.origin.clone_from(origin);
    for text in wrong {
        world.findings.push(Finding::new(Code::Opened, text).leaf(generation.number, 0));
    }
    Opened::Known
}
