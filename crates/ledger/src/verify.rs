//! Checks a pack: everything in it against the checkpoint, the checkpoint against a key that the reader already has.
//!
//! The section "Verification" of docs/evidence-format.md says what is checked; each of its groups is a file here.

mod anchors;
mod checked;
mod follow;
mod json;
mod kinds;
mod limits;
mod lines;
mod lists;
mod messages;
mod names;
mod notices;
mod opened;
mod opening;
mod own_list;
mod pack;
mod people;
mod person;
mod plans;
mod print;
mod rehearsal;
mod replay;
mod report;
mod scan;
mod signed;
mod stamp;
mod states;
mod templates;
mod trust;
mod world;

pub use own_list::OwnList;
pub use rehearsal::Rehearsal;
pub use report::{Anchor, Claim, Code, Counted, Equation, FailedAudit, Finding, Findings, RFC_3161, Report, Verdict};
pub use states::Word;
pub use trust::{Trust, public_keys};

use crate::checkpoint::Checkpoint;
use crate::event::time_text;
use crate::hash::{from_hex, to_hex};
use crate::key_change::KeyLine;
use crate::note::Note;
use crate::proof::parse_decimal;
use anchors::{Anchored, Roots};
use checked::{checked_in_incident, signature_line};
use opened::{Opened, opened};
use pack::{Pack, PackError};
use people::People;
use replay::{Generation, Had};
use sha2::{Digest, Sha256};
use signed::{Opener, Signed};
use std::collections::BTreeMap;
use std::io::{Read, Seek};
use world::World;

/// The newest format that is known here.
const FORMAT: u64 = 1;
/// Most generations of a log.
const GENERATIONS_MAX: u64 = 1000;
/// Largest file of `texts/`.
const TEXT_MAX: usize = 64 << 20;
/// People without an end state that a report names.
const OPEN_KEPT_MAX: usize = 100_000;

/// What else is demanded of a pack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Signed checkpoints that somebody kept: the pack must continue each that is of its log.
    pub known_checkpoints: Vec<Vec<u8>>,
    /// The reader's own copy of a list.
    pub own_list: Option<OwnList>,
    /// Ed25519 public keys of approvers whom the reader knows: no other key approves then.
    pub approvers: Vec<[u8; 32]>,
    /// Ed25519 public keys with which the controller signs lists, as the reader knows them: no other key signs one then.
    pub list_keys: Vec<[u8; 32]>,
    /// Whether people without an end state are findings.
    pub is_complete: bool,
    /// Whether findings that may follow from others are told too.
    pub tells_all: bool,
}

/// Checks a pack of an incident or of a person.
pub fn verify(pack: impl Read + Seek, trust: &Trust, options: &Options) -> Report {
    let mut report = Report::empty("incident");
    let done = Pack::open(pack).and_then(|mut pack| {
        let names = pack.names();
        let has = |start: &str| names.iter().any(|name| name.starts_with(start));
        if !has("checkpoint") && !has("tile/") && !has("events/") {
            return Err(PackError::Unreadable("it is a zip file, but no pack".into()));
        }
        let is_of_person = has("events/") && !has("tile/");
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
    if !options.tells_all {
        report.findings = report.findings.settled();
    }
    if report.verdict != Verdict::TooOld && report.findings.total() > 0 {
        report.verdict = Verdict::Bad;
    }
    report.make_plain();
    report
}

fn verify_incident<R: Read + Seek>(
    pack: &mut Pack<R>,
    trust: &Trust,
    options: &Options,
    report: &mut Report,
) -> Result<(), PackError> {
    let mut findings = Findings::default();
    let mut opener = Opener::new(trust);
    let generations = checkpoints(pack, (trust, &mut opener), report, &mut findings)?;
    let Some(newest) = generations.last() else {
        report.findings = findings;
        return Ok(());
    };
    (report.origin, report.size, report.root) =
        (newest.checkpoint.origin.clone(), newest.checkpoint.size, newest.checkpoint.root);
    report.generations = newest.number;
    let anchored = anchors::load(pack, (trust, &mut opener), &mut report.anchors, &mut findings)?;
    let known = known_checkpoints(pack, (options, &mut opener), &generations, report)?;
    let (people, twice) = People::new(lists::load(pack, &mut findings)?);
    for person in twice {
        findings.push(Finding::new(Code::Manifest, "the person stands in two manifests").person(person));
    }
    let mut plan_files = plans::load(pack, &mut findings)?;
    templates::load(pack, &mut plan_files)?;
    names::check(&pack.names(), &mut findings);
    let mut world = World::whole(people, plan_files, findings);
    world.named_approvers.clone_from(&options.approvers);
    world.named_list_keys.clone_from(&options.list_keys);

    let mut roots = BTreeMap::new();
    for (i, generation) in generations.iter().enumerate() {
        let origin = &generation.checkpoint.origin;
        let signed = anchored.iter().map(|a| &a.signed).chain(known.iter().map(|k| &k.signed));
        let all = signed.map(|signed| &signed.checkpoint).filter(|c| c.origin == *origin).map(|c| c.size);
        let seen = report.anchors.iter().filter(|anchor| anchor.origin == *origin).map(|anchor| anchor.size);
        let mut wanted: BTreeMap<u64, Option<Had>> = all.chain(seen).map(|size| (size, None)).collect();
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
    let origins: Vec<String> = generations.iter().map(|g| g.checkpoint.origin.clone()).collect();
    let line = world.key_line(&trust.given(&origins));
    check_checkpoints((&generations, &line), (&anchored, &known), &roots, &mut world.findings);
    anchors::date(&mut report.anchors, &roots);
    anchors::check_times(&report.anchors, &mut world.findings);
    if let Some(list) = &options.own_list {
        own_list::check(pack, list, &mut world, report)?;
    }
    check_texts(pack, &mut world)?;
    report.not_looked_at = pack.not_looked_at().len() as u64;
    tell(&world, options, report);
    let changes = generations.last().map_or(0, |newest| opener.changes_to(&newest.checkpoint.origin, &newest.by));
    report.checked = checked_in_incident(&world, signature_line(changes), !known.is_empty());
    Ok(())
}

/// The texts are those that the plans name, and each is what its name says: the SHA-256 of its bytes.
fn check_texts<R: Read + Seek>(pack: &mut Pack<R>, world: &mut World) -> Result<(), PackError> {
    let mut missing = world.named_texts();
    let named = missing.clone();
    for name in pack.names().into_iter().filter(|name| name.starts_with("texts/")) {
        let said = name.strip_prefix("texts/").and_then(|rest| rest.split('.').next()).and_then(from_hex::<32>);
        let bytes = pack.read(&name, TEXT_MAX)?.unwrap_or_default();
        if said != Some(Sha256::digest(&bytes).into()) {
            world.findings.push(Finding::new(Code::Text, "it is not what its name says").file(&name));
            continue;
        }
        let hash = said.unwrap_or_default();
        missing.remove(&hash);
        if !named.contains(&hash) {
            world.findings.push(Finding::new(Code::Text, "no plan names it").file(&name));
        }
    }
    for hash in missing {
        let text = format!("a plan names the text {}, and it is not in the pack", to_hex(&hash));
        world.findings.push(Finding::new(Code::Text, text));
    }
    Ok(())
}

/// What the replay showed, into the report.
fn tell(world: &World, options: &Options, report: &mut Report) {
    report.equation = world.people.equation();
    report.open_people = world.people.open().take(OPEN_KEPT_MAX).collect();
    report.events = world.events.clone();
    report.newest_event = world.newest.and_then(|newest| time_text(newest.at_micros).ok());
    report.approvers = world.approvers.clone();
    report.rehearsal = world.rehearsal();
    report.failed_audits = world.failed_audits.clone();
    report.are_approvers_named = !options.approvers.is_empty();
    let words = |(channel, (claimed, accepted)): (&states::Channel, &(u64, u64))| {
        (channel.as_str(), BTreeMap::from([("claimed", *claimed), ("accepted", *accepted)]))
    };
    report.channels = world.channels.iter().map(words).collect();
    report.findings = world.findings.clone();
    report.counted = world.counted;
    if let Some(why) = world.unsigned_lists() {
        report.verdict = Verdict::Unchecked(why);
    }
    if options.is_complete {
        for person in world.people.open() {
            report.findings.push(Finding::new(Code::Incomplete, "the person has no end state").person(person));
        }
    }
}

/// The signed checkpoints of all generations, oldest first.
fn checkpoints<R: Read + Seek>(
    pack: &mut Pack<R>,
    (trust, opener): (&Trust, &mut Opener),
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
        let Signed { checkpoint, by } = match opener.open(pack, &bytes)? {
            Ok(signed) => signed,
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
        generations.push(Generation { number, prefix, checkpoint, by });
    }
    let of = |name: &String| parse_decimal(name.strip_prefix("generation/")?.split_once('/')?.0);
    if pack.names().iter().filter_map(of).any(|number| number >= generations.len() as u64) {
        findings.push(Finding::new(Code::Size, "a generation of the log is missing"));
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
    if !trust.witnessed(checkpoint, &note, &more, &mut report.anchors, findings) {
        findings.push(Finding::new(Code::Witness, "fewer witnesses have seen the checkpoint than the policy demands"));
    }
    Ok(())
}

/// A kept checkpoint of a generation in the pack.
struct Known {
    signed: Signed,
    generation: u64,
    /// Leaves of that generation in the pack.
    size: u64,
}

/// Kept checkpoints of this log; of one that is no checkpoint of it nothing can be said.
fn known_checkpoints<R: Read + Seek>(
    pack: &mut Pack<R>,
    (options, opener): (&Options, &mut Opener),
    generations: &[Generation],
    report: &mut Report,
) -> Result<Vec<Known>, PackError> {
    let mut known = Vec::new();
    for bytes in &options.known_checkpoints {
        let signed = match opener.open(pack, bytes)? {
            Ok(signed) => signed,
            Err(why) => {
                report.verdict = Verdict::Unchecked(format!("a checkpoint that you know cannot be compared: {why}"));
                continue;
            }
        };
        match generations.iter().find(|g| g.checkpoint.origin == signed.checkpoint.origin) {
            Some(of) => known.push(Known { signed, generation: of.number, size: of.checkpoint.size }),
            None => {
                let origin = &signed.checkpoint.origin;
                let why = format!("a checkpoint that you know is of the log `{origin}`, which is not in the pack");
                report.verdict = Verdict::Unchecked(why);
            }
        }
    }
    Ok(known)
}

/// After the replay: the key in force at its size signed each checkpoint, and the log had it.
fn check_checkpoints(
    (generations, line): (&[Generation], &KeyLine),
    (anchored, known): (&[Anchored], &[Known]),
    roots: &Roots,
    findings: &mut Findings,
) {
    let had = |checkpoint: &Checkpoint| {
        let had = roots.get(&(checkpoint.origin.clone(), checkpoint.size)).copied().flatten();
        had.is_some_and(|had| had.root == checkpoint.root)
    };
    for Generation { number, prefix, checkpoint, by } in generations {
        let signed = Signed { checkpoint: checkpoint.clone(), by: by.clone() };
        signed.is_in_force(line, *number, Some(&format!("{prefix}checkpoint")), findings);
    }
    for Anchored { file, signed } in anchored {
        let of = generations.iter().find(|g| g.checkpoint.origin == signed.checkpoint.origin);
        if of.is_none_or(|of| signed.is_in_force(line, of.number, Some(file), findings)) && !had(&signed.checkpoint) {
            findings.push(Finding::new(Code::Anchor, "this log never had the anchored checkpoint").file(file));
        }
    }
    for Known { signed, generation, size } in known {
        let theirs = signed.checkpoint.size;
        if !signed.is_in_force(line, *generation, None, findings) || had(&signed.checkpoint) {
            continue;
        }
        let text = match theirs > *size {
            true => format!("you know a checkpoint of size {theirs}, and the pack ends at {size}"),
            false => format!("the pack does not continue the checkpoint of size {theirs} that you know"),
        };
        findings.push(Finding::new(Code::Rollback, text));
    }
}

/// A time in seconds since 1970, for people.
fn time_of_seconds(seconds: u64) -> String {
    let micros = i64::try_from(seconds).ok().and_then(|s| s.checked_mul(1_000_000));
    micros.and_then(|micros| time_text(micros).ok()).unwrap_or_else(|| format!("{seconds} seconds after 1970"))
}
