//! `duly-verify`: checks a pack of Duly's evidence. No database, no network, no clock.

use duly_ledger::verify::{Options, OwnList, Report, Trust, Verdict, public_keys, verify};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Checks a pack of evidence against a key that you already have.

Usage: duly-verify PACK.zip (--key KEY | --policy FILE) [OPTIONS]

  --key KEY                 a vkey (name+hash+key), a file with one, or an Ed25519 public key in 64 hex digits
  --policy FILE             a C2SP tlog-policy: logs, witnesses, quorum
  --known-checkpoint FILE   a signed checkpoint that you kept: the pack must continue it (may be given again)
  --list FILE.jsonl         your own copy of a manifest: its people must be those of the log
  --list FILE.csv           your own list, compared by its column `external_reference` alone; the pack must hold openings
  --approver KEY            64 hex digits, or a file with one a line: no other key approves (may be given again)
  --list-key KEY            the controller's, likewise: no other key signs a list (may be given again)
  --all                     tell also findings that may follow from others
  --complete                a person without an end state is a finding
  --json                    the report as JSON
  --help                    this text

The key never comes from the pack: get it from whoever runs the log, by another way.
Exit code 0: good. 1: bad, the findings say where. 2: not checked, or this verifier is too old.

Examples:
  duly-verify pack.zip --key log.vkey
  duly-verify pack.zip --key log.vkey --known-checkpoint checkpoint-of-march --complete
  duly-verify pack.zip --policy trusted.policy --list affected.csv --json
";

struct Arguments {
    pack: PathBuf,
    trust: Trust,
    options: Options,
    is_json: bool,
}

fn main() -> ExitCode {
    let is_json = std::env::args_os().any(|argument| argument == "--json");
    let arguments = match read_arguments(lexopt::Parser::from_env()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return say(HELP, 0),
        Err(error) => return refuse(&error, "`duly-verify --help` shows how to call it", is_json),
    };
    let file = match File::open(&arguments.pack) {
        Ok(file) => file,
        Err(error) => {
            let what = format!("{} cannot be opened ({error})", arguments.pack.display());
            return refuse(&what, "check the path", is_json);
        }
    };
    let report = verify(BufReader::new(file), &arguments.trust, &arguments.options);
    let text = if arguments.is_json { format!("{:#}\n", report.to_json()) } else { report.to_string() };
    say(&text, report.exit_code())
}

/// Nothing was checked: programs are told so in the form that they asked for.
fn refuse(what: &str, hint: &str, is_json: bool) -> ExitCode {
    eprintln!("error: {what}\n\nhint: {hint}");
    if !is_json {
        return ExitCode::from(2);
    }
    let report = Report { verdict: Verdict::Unchecked(what.to_owned()), ..Report::empty("unknown") };
    say(&format!("{:#}\n", report.to_json()), 2)
}

/// A reader that went away (a pipe to `head`) changes nothing of the answer.
fn say(text: &str, code: u8) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(_) => ExitCode::from(2),
    }
}

fn read_arguments(mut parser: lexopt::Parser) -> Result<Option<Arguments>, String> {
    let (mut pack, mut trust, mut options, mut is_json) = (None, None, Options::default(), false);
    let given = |error: lexopt::Error| error.to_string();
    while let Some(argument) = parser.next().map_err(given)? {
        match argument {
            Long("key") => trust = Some(Trust::named(&parser.value().and_then(|v| v.string()).map_err(given)?)?),
            Long("policy") => trust = Some(Trust::policy_file(Path::new(&parser.value().map_err(given)?))?),
            Long("known-checkpoint") => options.known_checkpoints.push(bytes_of(Path::new(&parser.value().map_err(given)?))?),
            Long("list") => options.own_list = Some(OwnList::file(Path::new(&parser.value().map_err(given)?))?),
            Long("approver") => options.approvers.extend(keys_of(&mut parser)?),
            Long("list-key") => options.list_keys.extend(keys_of(&mut parser)?),
            Long("complete") => options.is_complete = true,
            Long("all") => options.tells_all = true,
            Long("json") => is_json = true,
            Long("help") | Short('h') => return Ok(None),
            Value(path) if pack.is_none() => pack = Some(path.parse::<PathBuf>().map_err(given)?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let pack = pack.ok_or("no pack is named")?;
    let trust = trust.ok_or("no key is given: `--key` or `--policy`")?;
    Ok(Some(Arguments { pack, trust, options, is_json }))
}

fn keys_of(parser: &mut lexopt::Parser) -> Result<Vec<[u8; 32]>, String> {
    public_keys(&parser.value().and_then(|value| value.string()).map_err(|error| error.to_string())?)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
