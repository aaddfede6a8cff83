//! Checks a pack: everything in it against the checkpoint, the checkpoint against a key that the reader already has.
//!
//! The section "Verification" of docs/evidence-format.md says what is checked; each of its groups is a file here.

mod anchors;
mod json;
mod kinds;
mod lines;
mod lists;
mod messages;
mod own_list;
mod pack;
mod people;
mod person;
mod plans;
mod print;
mod replay;
mod report;
mod scan;
mod states;
mod trust;
mod world;

pub use own_list::OwnList;
pub use report::{Anchor, Code, Equation, Finding, Findings, Report, Verdict};
pub use trust::Trust;

use crate::checkpoint::Checkpoint;
use crate::event::time_text;
use crate::hash::to_hex;
use crate::note::Note;
use pack::{Pack, PackError};
use people::People;
use replay::Generation;
use std::collections::BTreeMap;
use std::io::{Read, Seek};
use world::World;

/// The newest format that is known here.
const FORMAT: u64 = 1;
/// Most generations of a log.
const GENERATIONS_MAX: u64 = 1000;
/// People without an end state that a report names.
const OPEN_KEPT_MAX: usize = 100_000;

/// What else is demanded of a pack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Signed checkpoints that somebody kept: the pack must continue each that is of its log.
    pub known_checkpoints: Vec<Vec<u8>>,
    /// The reader's own copy of a list.
    pub own_list: Option<OwnList>,
    /// Whether people without an end state are findings.
    pub is_complete: bool,
}

/// Checks a pack of an incident or of a person.
pub fn verify(pack: impl Read + Seek, trust: &Trust, options: &Options) -> Report {
    let mut report = Report::empty("incident");
    let done = Pack::open(pack).and_then(|mut pack| {
        let is_of_person = pack.has("events/1.json") && !pack.has("tile/entries/000") && !pack.has("tile/entries/000.p/1");
        if is_of_person {
            report.kind = "person";
            return person::verify(&mut pack, trust, options, &mut report);
        }
        verify_incident(&mut pack, trust, options, &mut report)
    });
    match done {
        Err(PackError::Unreadable(why)) => report.verdict = Verdict::Unchecked(why),
        Err(PackError::Hostile { file, what }) => {
            report.findings.push(Finding { file, ..Finding::new(Code::Pack, what) });
        }
        Ok(()) => {}
    }
    if report.verdict == Verdict::Good && report.findings.total() > 0 {
        report.verdict = Verdict::Bad;
    }
    report
}

fn verify_incident<R: Read + Seek>(
    pack: &mut Pack<R>,
    trust: &Trust,
    options: &Options,
    report: &mut Report,
) -> Result<(), PackError> {
    let mut findings = Findings::default();
    let generations = checkpoints(pack, trust, report, &mut findings)?;
    let Some(newest) = generations.last() else {
        report.findings = findings;
        return Ok(());
    };
    (report.origin, report.size, report.root) =
        (newest.checkpoint.origin.clone(), newest.checkpoint.size, newest.checkpoint.root);
    report.generations = newest.number;
    let anchored = anchors::load(pack, trust, &mut report.anchors, &mut findings)?;
    let known = known_checkpoints(options, trust, &generations, &mut findings);
    let (people, twice) = People::new(lists::load(pack, &mut findings)?);
    for person in twice {
        findings.push(Finding::new(Code::Manifest, "the person stands in two manifests").person(person));
    }
    let plan_files = plans::load(pack, &mut findings)?;
    let mut world = World::whole(people, plan_files, findings);

    let mut roots = BTreeMap::new();
    for (i, generation) in generations.iter().enumerate() {
        let origin = &generation.checkpoint.origin;
        let all = anchored.iter().map(|a| &a.checkpoint).chain(&known).filter(|c| c.origin == *origin);
        let mut wanted: BTreeMap<u64, Option<[u8; 32]>> = all.map(|c| (c.size, None)).collect();
        if opened(pack, generation, i.checked_sub(1).and_then(|i| generations.get(i)), &mut world)? == Opened::TooNew {
            // Its tree can be judged all the same.
            replay::replay(pack, generation, &mut world, &mut wanted)?;
            report.findings = world.findings.only(&[Code::Signature, Code::Size, Code::Root, Code::Tile]);
            report.verdict = if report.findings.total() == 0 { Verdict::TooOld } else { Verdict::Bad };
            return Ok(());
        }
        replay::replay(pack, generation, &mut world, &mut wanted)?;
        roots.extend(wanted.into_iter().map(|(size, root)| ((origin.clone(), size), root)));
    }
    world.finish();
    anchors::check(&anchored, &roots, &mut world.findings);
    for checkpoint in &known {
        let had = roots.get(&(checkpoint.origin.clone(), checkpoint.size)).copied().flatten();
        if had != Some(checkpoint.root) {
            let text = format!("the pack does not continue the checkpoint of size {} that you know", checkpoint.size);
            world.findings.push(Finding::new(Code::Rollback, text));
        }
    }
    if let Some(list) = &options.own_list {
        own_list::check(pack, list, &mut world, report)?;
    }
    report.not_looked_at = pack.not_looked_at().len() as u64;
    tell(&world, options, report);
    report.checked.extend(checked_in_incident(&world, options));
    Ok(())
}

/// What the replay showed, into the report.
fn tell(world: &World, options: &Options, report: &mut Report) {
    report.equation = world.people.equation();
    report.open_people = world.people.open().take(OPEN_KEPT_MAX).collect();
    report.events = world.events.clone();
    report.newest_event = world.newest.and_then(|at| time_text(at).ok());
    report.approvers = world.approvers.clone();
    let words = |(channel, (claimed, accepted)): (&states::Channel, &(u64, u64))| {
        (channel.as_str(), BTreeMap::from([("claimed", *claimed), ("accepted", *accepted)]))
    };
    report.channels = world.channels.iter().map(words).collect();
    report.findings = world.findings.clone();
    if options.is_complete {
        for person in world.people.open() {
            report.findings.push(Finding::new(Code::Incomplete, "the person has no end state").person(person));
        }
    }
    report.limits = print::limits(report);
}

fn checked_in_incident(world: &World, options: &Options) -> Vec<String> {
    let mut lines = vec![
        "the checkpoint's signature, by the key that you gave".to_owned(),
        format!("{} events: bytes, fields, order, and the tree that leads to the checkpoint", world.events.values().sum::<u64>()),
        "each person's chain of events, without gap".to_owned(),
        format!("{} list(s): every line of the manifest, count and root", world.frozen.len()),
        format!("{} plan(s): text, approval by somebody else, contents of every message", world.plans.len()),
        "every call: under a running plan, no hold, to the listed address, with the approved content, never twice".to_owned(),
    ];
    lines.extend(world.signed_lists.iter().cloned());
    lines.extend(options.known_checkpoints.first().map(|_| "that this pack continues the checkpoints that you know".to_owned()));
    lines
}

/// The signed checkpoints of all generations, oldest first.
fn checkpoints<R: Read + Seek>(
    pack: &mut Pack<R>,
    trust: &Trust,
    report: &mut Report,
    findings: &mut Findings,
) -> Result<Vec<Generation>, PackError> {
    let mut prefixes: Vec<String> = (1..GENERATIONS_MAX)
        .map(|g| format!("generation/{g}/"))
        .take_while(|prefix| pack.has(&format!("{prefix}checkpoint")))
        .collect();
    prefixes.push(String::new());
    let mut generations: Vec<Generation> = Vec::new();
    for (number, prefix) in (1..).zip(prefixes) {
        let file = format!("{prefix}checkpoint");
        let Some(bytes) = pack.read(&file, 1 << 20)? else {
            findings.push(Finding::new(Code::Pack, "it is missing").file(&file));
            return Ok(Vec::new());
        };
        let checkpoint = match trust.open(&bytes) {
            Ok(checkpoint) => checkpoint,
            Err(text) => {
                findings.push(Finding::new(Code::Signature, text).file(&file));
                return Ok(Vec::new());
            }
        };
        if prefix.is_empty() {
            witnesses(pack, trust, &bytes, &checkpoint, report, findings)?;
        }
        let is_next = |first: &Generation| checkpoint.origin == format!("{}/{number}", first.checkpoint.origin);
        if !generations.first().is_none_or(is_next) {
            findings.push(Finding::new(Code::Opened, "it is not the next generation of this log").file(&file));
        }
        generations.push(Generation { number, prefix, checkpoint });
    }
    Ok(generations)
}

fn witnesses<R: Read + Seek>(
    pack: &mut Pack<R>,
    trust: &Trust,
    bytes: &[u8],
    checkpoint: &Checkpoint,
    report: &mut Report,
    findings: &mut Findings,
) -> Result<(), PackError> {
    let Ok(note) = Note::parse(bytes) else { return Ok(()) };
    let more = pack.text(&format!("anchors/{}.cosig", checkpoint.size))?.unwrap_or_default();
    let more: Vec<_> = more.lines().filter_map(|line| line.parse().ok()).collect();
    if !trust.witnessed(checkpoint.size, &note, &more, &mut report.anchors, findings) {
        findings.push(Finding::new(Code::Witness, "fewer witnesses have seen the checkpoint than the policy demands"));
    }
    Ok(())
}

/// Kept checkpoints of this log; one that is larger than the pack is a rollback at once.
fn known_checkpoints(options: &Options, trust: &Trust, generations: &[Generation], findings: &mut Findings) -> Vec<Checkpoint> {
    let mut known = Vec::new();
    for bytes in &options.known_checkpoints {
        match trust.open(bytes) {
            Err(text) => {
                findings.push(Finding::new(Code::Rollback, format!("a checkpoint that you know is not to be believed: {text}")))
            }
            Ok(checkpoint) => match generations.iter().find(|g| g.checkpoint.origin == checkpoint.origin) {
                None => {
                    let text =
                        format!("a checkpoint that you know is of the log `{}`, which is not in the pack", checkpoint.origin);
                    findings.push(Finding::new(Code::Rollback, text));
                }
                Some(of) if of.checkpoint.size < checkpoint.size => {
                    let text =
                        format!("you know a checkpoint of size {}, and the pack ends at {}", checkpoint.size, of.checkpoint.size);
                    findings.push(Finding::new(Code::Rollback, text));
                }
                Some(_) => known.push(checkpoint),
            },
        }
    }
    known
}

#[derive(PartialEq, Eq)]
enum Opened {
    Known,
    TooNew,
}

/// Looks at the first leaf before all else: it says which format the others are in.
fn opened<R: Read + Seek>(
    pack: &mut Pack<R>,
    generation: &Generation,
    before: Option<&Generation>,
    world: &mut World,
) -> Result<Opened, PackError> {
    let first = crate::tile::entry_bundles(generation.checkpoint.size).next();
    let bytes = match first {
        Some(bundle) => pack.read(&format!("{}{}", generation.prefix, bundle.path()), 1 << 21)?.unwrap_or_default(),
        None => Vec::new(),
    };
    match crate::tile::bundle_entries(&bytes).next() {
        Some(Ok(entry)) => Ok(judge_opened(entry, generation, before, world)),
        // The replay names what is missing.
        _ if first.is_some() => Ok(Opened::Known),
        _ => Ok(judge_opened(b"", generation, before, world)),
    }
}

fn judge_opened(entry: &[u8], generation: &Generation, before: Option<&Generation>, world: &mut World) -> Opened {
    let value: serde_json::Value = serde_json::from_slice(entry).unwrap_or_default();
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
    for text in wrong {
        world.findings.push(Finding::new(Code::Opened, text).leaf(generation.number, 0));
    }
    Opened::Known
}

/// A time in seconds since 1970, for people.
fn time_of_seconds(seconds: u64) -> String {
    let micros = i64::try_from(seconds).ok().and_then(|s| s.checked_mul(1_000_000));
    micros.and_then(|micros| time_text(micros).ok()).unwrap_or_else(|| format!("{seconds} seconds after 1970"))
}
