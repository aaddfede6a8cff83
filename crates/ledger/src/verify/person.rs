//! A pack of one person: each event with its proof, a chain without gap, and what was opened.

use super::checked::signature_line;
use super::lines::{Columns, parse};
use super::pack::{Pack, PackError};
use super::people::{List, People};
use super::report::{Code, Finding, Report, Verdict};
use super::scan::scan;
use super::signed::Opener;
use super::trust::Trust;
use super::world::{At, World};
use super::{Options, opening, tell};
use crate::checkpoint::Checkpoint;
use crate::event::BYTES_MAX;
use crate::hash::leaf_hash;
use crate::key_change::KeyLine;
use crate::proof::{ProofFile, parse_decimal, parse_hash, verify_inclusion};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Seek};

/// Checks a pack of a person.
pub fn verify<R: Read + Seek>(
    pack: &mut Pack<R>,
    trust: &Trust,
    options: &Options,
    report: &mut Report,
) -> Result<(), PackError> {
    let Some(bytes) = pack.read("checkpoint", 1 << 20)? else {
        report.findings.push(Finding::new(Code::Pack, "it is missing").file("checkpoint"));
        return Ok(());
    };
    let mut opener = Opener::new(trust);
    let signed = match opener.open(pack, &bytes)? {
        Ok(signed) => signed,
        Err(text) => {
            report.findings.push(Finding::new(Code::Signature, text).file("checkpoint"));
            return Ok(());
        }
    };
    let checkpoint = &signed.checkpoint;
    (report.origin, report.size, report.root) = (checkpoint.origin.clone(), checkpoint.size, checkpoint.root);
    let hint: Value = pack.text("pack.json")?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    if hint.get("format").and_then(Value::as_u64).is_some_and(|format| format > super::FORMAT) {
        report.verdict = Verdict::TooOld;
        return Ok(());
    }
    let (lines, line_person) = manifest_line(pack, report)?;
    let (people, _) = People::new(vec![List { number: 1, lines, frozen: None }]);
    let mut world = World::of_person(people);
    world.named_list_keys.clone_from(&options.list_keys);
    world.origin.clone_from(&checkpoint.origin);
    let leaves = leaves(pack, &bytes, checkpoint, &mut world)?;
    if let Some(inc) = leaves.values().find_map(|leaf| scan(&leaf.bytes).map(|fact| fact.inc.to_owned())) {
        world.inc = inc;
        if !checkpoint.origin.split('/').any(|part| part == world.inc) {
            world.findings.push(Finding::new(Code::Inc, "the events belong to another log than the checkpoint"));
        }
    }
    for (index, leaf) in &leaves {
        world.take(At { generation: 1, leaf: *index }, leaf_hash(&leaf.bytes), &leaf.bytes);
    }
    one_person(&leaves, line_person, &mut world);
    world.finish();
    let line = world.key_line(&trust.given(std::slice::from_ref(&checkpoint.origin)));
    signed.is_in_force(&line, 1, Some("checkpoint"), &mut world.findings);
    let is_known = known_checkpoints(pack, (options, &mut opener), (&signed.checkpoint, &line), (&mut *report, &mut world))?;
    check_manifest_line(pack, &mut world)?;
    let opened = opening::check(pack, line_person, &leaves, &mut world)?;
    report.not_looked_at = pack.not_looked_at().len() as u64;
    if let Some(why) = beyond(trust, options) {
        report.verdict = Verdict::Unchecked(why.to_owned());
    }
    tell(&world, options, report);
    let events = leaves.values().filter(|leaf| leaf.n.is_some()).count();
    report.checked = vec![
        signature_line(opener.changes_to(&checkpoint.origin, &signed.by)),
        format!("{events} events of the person, each proved to be in the log; the chain has no gap from 1 to {events}"),
        format!("{} events of lists, plans and the log's key, each proved to be in the log", leaves.len() - events),
        "the person's line in the frozen manifest".to_owned(),
    ];
    report.checked.extend(world.signed_lists.into_iter().map(|(_, line)| line));
    report.checked.extend(opened);
    report.checked.extend(is_known.then(|| "that this pack is of the checkpoint that you know".to_owned()));
    if report.findings.total() > 0 {
        // What a person's pack shows hangs on each of its leaves.
        report.checked.clear();
    }
    Ok(())
}

/// What the reader asks and a person's pack cannot answer, if anything.
fn beyond(trust: &Trust, options: &Options) -> Option<&'static str> {
    let asked = [
        (options.own_list.is_some(), "a list cannot be compared with a person's pack: ask for the incident's"),
        (
            !options.approvers.is_empty(),
            "a person's pack holds no approvals to compare with the keys that you named: ask for the incident's",
        ),
        (
            trust.needs_witnesses(),
            "your policy asks for witnesses: whether they have cosigned the log is checked with the incident's pack",
        ),
    ];
    asked.into_iter().rev().find(|(is_asked, _)| *is_asked).map(|(_, why)| why)
}

/// Kept checkpoints of this log: a person's pack has one to compare with, and no leaves to go on from another. Whether one
/// of them is the pack's own.
fn known_checkpoints<R: Read + Seek>(
    pack: &mut Pack<R>,
    (options, opener): (&Options, &mut Opener),
    (checkpoint, line): (&Checkpoint, &KeyLine),
    (report, world): (&mut Report, &mut World),
) -> Result<bool, PackError> {
    let mut is_known = false;
    for bytes in &options.known_checkpoints {
        let known = match opener.open(pack, bytes)? {
            Ok(known) => known,
            Err(why) => {
                report.verdict = Verdict::Unchecked(format!("a checkpoint that you know cannot be compared: {why}"));
                continue;
            }
        };
        let (size, theirs) = (checkpoint.size, &known.checkpoint);
        if theirs.origin != checkpoint.origin {
            let why = format!("a checkpoint that you know is of the log `{}`, which is not in the pack", theirs.origin);
            report.verdict = Verdict::Unchecked(why);
        } else if !known.is_in_force(line, 1, None, &mut world.findings) {
            // That is a finding already, and says more than its size would.
        } else if theirs.size > size {
            let text = format!("you know a checkpoint of size {}, and the pack ends at {size}", theirs.size);
            world.findings.push(Finding::new(Code::Rollback, text));
        } else if theirs.size < size {
            let why = "whether the log went on from the checkpoint that you know cannot be told from a person's pack: ask for the incident's";
            report.verdict = Verdict::Unchecked(why.to_owned());
        } else if theirs.root == checkpoint.root {
            is_known = true;
        } else {
            world.findings.push(Finding::new(Code::Rollback, format!("you know another log of size {size}")));
        }
    }
    Ok(is_known)
}

/// A leaf with the number under which the pack has it, if it is one of the person's.
pub(super) struct Leaf {
    pub n: Option<u64>,
    pub bytes: Vec<u8>,
}

/// All leaves of the pack, by index; one that its proof does not lead to the checkpoint is a finding.
fn leaves<R: Read + Seek>(
    pack: &mut Pack<R>,
    signed: &[u8],
    checkpoint: &Checkpoint,
    world: &mut World,
) -> Result<BTreeMap<u64, Leaf>, PackError> {
    let mut leaves = BTreeMap::new();
    for name in pack.names() {
        let Some((folder, stem)) = name.strip_suffix(".json").and_then(|n| n.split_once('/')) else { continue };
        let Some(number) = parse_decimal(stem).filter(|_| matches!(folder, "events" | "log")) else { continue };
        let bytes = pack.read(&name, BYTES_MAX)?.unwrap_or_default();
        let proof = pack.text(&format!("{folder}/{stem}.tlog-proof"))?.and_then(|text| text.parse::<ProofFile>().ok());
        let Some(proof) = proof.filter(|proof| proof.checkpoint.as_bytes() == signed) else {
            world.findings.push(Finding::new(Code::Proof, "it has no proof that leads to the pack's checkpoint").file(&name));
            continue;
        };
        if !verify_inclusion(&leaf_hash(&bytes), proof.index, checkpoint.size, &proof.path, &checkpoint.root) {
            world
                .findings
                .push(Finding::new(Code::Proof, "its proof does not lead to the checkpoint").file(&name).leaf(1, proof.index));
            continue;
        }
        let n = (folder == "events").then_some(number);
        let is_named_right = match n {
            Some(n) => scan(&bytes).and_then(|fact| fact.place).is_some_and(|place| place.n == n),
            None => number == proof.index,
        };
        if !is_named_right {
            world.findings.push(Finding::new(Code::Proof, "its name is not that of its event").file(&name).leaf(1, proof.index));
        }
        leaves.insert(proof.index, Leaf { n, bytes });
    }
    Ok(leaves)
}

/// All events must be of one person, the one of the manifest line.
fn one_person(leaves: &BTreeMap<u64, Leaf>, line: Option<[u8; 16]>, world: &mut World) {
    for (index, leaf) in leaves.iter().filter(|(_, leaf)| leaf.n.is_some()) {
        let person = scan(&leaf.bytes).and_then(|fact| fact.place).map(|place| place.person);
        if person != line {
            world.findings.push(Finding::new(Code::Stranger, "it is of another person than the manifest line").leaf(1, *index));
        }
    }
}

fn manifest_line<R: Read + Seek>(pack: &mut Pack<R>, report: &mut Report) -> Result<(Columns, Option<[u8; 16]>), PackError> {
    let mut lines = Columns::default();
    let line = pack.read("manifest-line.json", 8192)?.unwrap_or_default();
    if let Err(text) = lines.push(&line) {
        report.findings.push(Finding::new(Code::Manifest, text).file("manifest-line.json"));
    }
    Ok((lines, parse(&line).map(|(person, _)| person)))
}

/// The line leads to the root of a list that the log froze.
fn check_manifest_line<R: Read + Seek>(pack: &mut Pack<R>, world: &mut World) -> Result<(), PackError> {
    let line = pack.read("manifest-line.json", 8192)?.unwrap_or_default();
    let text = pack.text("manifest-line.proof")?.unwrap_or_default();
    let holds = read_line_proof(&text).is_some_and(|(list, index, size, path)| {
        let frozen = world.frozen.iter().filter(|(number, count, _)| (*number, *count) == (list, size));
        frozen.into_iter().any(|(.., root)| verify_inclusion(&leaf_hash(&line), index, size, &path, root))
    });
    if !holds {
        let text = "the line is not proved to be in a list that the pack's events froze";
        world.findings.push(Finding::new(Code::Manifest, text).file("manifest-line.proof"));
    }
    Ok(())
}

type LineProof = (u64, u64, u64, Vec<[u8; 32]>);

fn read_line_proof(text: &str) -> Option<LineProof> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let mut number = |name: &str| lines.next()?.strip_prefix(name).and_then(parse_decimal);
    let (list, index, size) = (number("list ")?, number("index ")?, number("size ")?);
    Some((list, index, size, lines.map(parse_hash).collect::<Option<Vec<_>>>()?))
}
