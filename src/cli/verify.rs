//! `duly verify`: the same check as the small program `duly-verify`, for whoever has this one at hand.

use super::failure::read_bytes;
use super::{Context, Failure, Refusal};
use crate::evidence::anchor::{Roots, stamp};
use clap::Args;
use duly_ledger::verify::{Code, Finding, Options, OwnList, Report, Trust, Verdict, public_keys, verify};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Largest file of a stamp.
const STAMP_BYTES_MAX: u64 = 1 << 20;

/// `duly verify`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly verify pack.zip --key cards-2026.vkey\n  duly verify pack.zip --key cards-2026.vkey --known-checkpoint checkpoint-of-march --complete\n  duly verify pack.zip --policy trusted.policy --list affected.csv --json\n\nNeeds no database, no network and no settings. The key never comes from the pack.\nExit code 0: good. 1: bad, the findings say where. 2: not checked, or this verifier is too old."
)]
pub struct Verify {
    /// The pack
    #[arg(value_name = "PACK.zip")]
    pack: PathBuf,
    /// The log's key: a vkey, a file with one, or an Ed25519 public key in 64 hexadecimal digits
    #[arg(long, value_name = "KEY", required_unless_present = "policy", conflicts_with = "policy")]
    key: Option<String>,
    /// A C2SP tlog-policy: logs, witnesses, quorum
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A signed checkpoint that you kept: the pack must continue it; may be given again
    #[arg(long, value_name = "FILE")]
    known_checkpoint: Vec<PathBuf>,
    /// Your own copy of a manifest (.jsonl), or of the list (.csv, compared by its references alone, where the pack
    /// holds openings)
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Check time stamps too: the authority's root certificate in PEM, from the authority itself
    #[arg(long, value_name = "FILE.pem")]
    tsa_root: Option<PathBuf>,
    /// Key of an approver whom you know, in 64 hexadecimal digits, or a file with one a line: no other key approves; may be
    /// given again
    #[arg(long, value_name = "KEY")]
    approver: Vec<String>,
    /// Key with which the controller signs lists, as the controller gave it to you: in 64 hexadecimal digits, or a file with
    /// one a line; no other key signs a list; may be given again
    #[arg(long, value_name = "KEY")]
    list_key: Vec<String>,
    /// Tell also findings that may follow from others
    #[arg(long)]
    all: bool,
    /// Take a person without an end state for a finding
    #[arg(long)]
    complete: bool,
}

/// Checks a pack.
pub fn run(context: &Context, args: &Verify) -> Result<(), Failure> {
    let wrong = |what: String| Refusal::of(what, "`duly verify --help` shows how to name keys and lists");
    let trust = match (&args.key, &args.policy) {
        (Some(key), _) => Trust::named(key).map_err(wrong)?,
        (None, Some(path)) => Trust::policy_file(path).map_err(wrong)?,
        (None, None) => return Err(wrong("no key is given".to_owned())),
    };
    let mut options = Options { is_complete: args.complete, tells_all: args.all, ..Options::default() };
    for keys in &args.approver {
        options.approvers.extend(public_keys(keys).map_err(wrong)?);
    }
    for keys in &args.list_key {
        options.list_keys.extend(public_keys(keys).map_err(wrong)?);
    }
    for path in &args.known_checkpoint {
        options.known_checkpoints.push(read_bytes(path)?);
    }
    options.own_list = args.list.as_deref().map(OwnList::file).transpose().map_err(wrong)?;
    let pack = File::open(&args.pack)
        .map_err(|cause| Refusal::because(format!("{} cannot be opened", args.pack.display()), "check the path", cause))?;
    let mut report = verify(BufReader::new(pack), &trust, &options);
    if let Some(path) = &args.tsa_root {
        check_stamps(&args.pack, &Roots::from_pem(&read_bytes(path)?)?, &mut report)?;
    }
    context.print(&report.to_json(), report.to_string().trim_end());
    match report.verdict {
        Verdict::Good => Ok(()),
        Verdict::Bad => Err(Refusal::found(
            "the pack does not hold what it says",
            "ask for the pack again, and tell the controller what was found",
        )),
        Verdict::TooOld => Err(Refusal::of("the pack is written in a later format", "verify it with a newer program")),
        Verdict::Unchecked(why) => Err(Refusal::of(why, "ask for the pack again: nothing is said for or against what it holds")),
    }
}

/// The stamps' own signatures, which the small verifier leaves to others: what holds is said to be checked.
fn check_stamps(path: &Path, roots: &Roots, report: &mut Report) -> Result<(), Failure> {
    let unreadable = |cause| Refusal::because("the pack cannot be read again", "ask for the pack again", cause);
    let mut pack = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(unreadable)?;
    for anchor in report.anchors.iter_mut().filter(|anchor| anchor.command.is_some()) {
        let [stamped, token] = ["checkpoint", "tsr"].map(|kind| format!("anchors/{}.{kind}", anchor.size));
        let mut read = |name: &str| {
            let mut bytes = Vec::new();
            let file = pack.by_name(name).map_err(unreadable)?;
            file.take(STAMP_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok::<_, Failure>(bytes)
        };
        match stamp::check(&read(&token)?, &read(&stamped)?, Some(roots), None) {
            Ok(_) => (anchor.is_verified, anchor.command) = (true, None),
            Err(error) => report.findings.push(Finding::new(Code::Anchor, error.to_string()).file(&token)),
        }
    }
    report.check_times();
    if report.findings.total() > 0 {
        report.verdict = Verdict::Bad;
    }
    Ok(())
}
