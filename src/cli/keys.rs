//! Keys: the master key's recovery sheet in two halves, and the controller's list key.

mod sheet;

use super::failure::read_text;
use super::setup::write_secret;
use super::sign::{new_passphrase, prompt};
use super::{Context, Failure, Refusal};
use crate::model::seal::Key;
use crate::model::sheet::{GROUPS, GROUPS_PER_LINE, Half, SheetError, check_line, fingerprint, join, split};
use crate::model::user_key;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How often a line is asked for again.
const TRIES_MAX: usize = 5;

/// `duly key`.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a controller's list key and print its public half; it may live away from the server
    #[command(after_help = "Example:\n  duly key new --name 'Northmere Police' --key list.key")]
    New {
        /// Whose key it is
        #[arg(long)]
        name: String,
        /// Where the key file goes
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Write the master key's recovery sheet as two halves, for two holders
    ///
    /// Each half is written as text and as a page to print. One half alone opens nothing.
    #[command(
        after_help = "Example:\n  duly key split --first half-1 --second half-2      half-1.txt, half-1.pdf, half-2.txt, half-2.pdf"
    )]
    Split {
        /// Where the first half goes, without its ending
        #[arg(long, value_name = "FILE", required_unless_present = "stdout", conflicts_with = "stdout")]
        first: Option<PathBuf>,
        /// Where the second half goes, without its ending
        #[arg(long, value_name = "FILE", required_unless_present = "stdout", conflicts_with = "stdout")]
        second: Option<PathBuf>,
        /// Print both halves instead: whoever sees the screen then has the key
        #[arg(long)]
        stdout: bool,
    },
    /// Rebuild the master key from both halves and show that it opens this database; nothing is written
    #[command(
        after_help = "Examples:\n  duly key test-restore                                                 asks for both halves, without an echo\n  duly key test-restore --first half-1.txt --second half-2.txt"
    )]
    TestRestore(Halves),
    /// Rebuild the master key from both halves and write it to a new file
    #[command(after_help = "Example:\n  duly key restore --out .local/keys/master.key")]
    Restore {
        #[command(flatten)]
        halves: Halves,
        /// New file for the key, mode 0600
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Where the halves come from.
#[derive(Args)]
pub struct Halves {
    /// File with one half; without it both are asked for
    #[arg(long, value_name = "FILE", requires = "second")]
    first: Option<PathBuf>,
    /// File with the other half
    #[arg(long, value_name = "FILE", requires = "first")]
    second: Option<PathBuf>,
}

/// Runs a key command.
pub async fn run(context: &Context, command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::New { name, key } => new(context, &name, &key),
        KeyCommand::Split { first, second, .. } => write_halves(context, first.zip(second)),
        KeyCommand::TestRestore(halves) => test(context, &halves).await,
        KeyCommand::Restore { halves, out } => {
            let key = halves.read()?;
            write_secret(&out, key.to_hex().as_bytes())?;
            let name = hex::encode_upper(fingerprint(&key));
            context.print(&json!({"key": name, "file": out}), "");
            eprintln!("Key {name} is in `{}`. Show that it is this database's: duly key test-restore", out.display());
            Ok(())
        }
    }
}

fn new(context: &Context, name: &str, path: &Path) -> Result<(), Failure> {
    let (file, public) = user_key::create(name, &new_passphrase(name)?)?;
    write_secret(path, file)?;
    let public = hex::encode(public);
    context.print(&json!({"name": name, "key": path, "public": public}), &public);
    eprintln!("The key signs lists: duly list sign --statement FILE --key {} --out FILE", path.display());
    eprintln!("Tell its public half to whoever checks the evidence, by another way than this server.");
    Ok(())
}

fn write_halves(context: &Context, paths: Option<(PathBuf, PathBuf)>) -> Result<(), Failure> {
    let halves = split(&context.settings()?.master_key()?);
    let sheets = halves.each_ref().map(sheet::Sheet::of);
    let Some((first, second)) = paths else {
        if context.json {
            let halves = sheets.each_ref().map(|sheet| sheet.text().to_string());
            context.print(&json!({"key": sheets[0].fingerprint(), "halves": halves}), "");
            return Ok(());
        }
        for sheet in &sheets {
            super::output::data(&sheet.text());
        }
        return Ok(());
    };
    let mut files = Vec::new();
    for (sheet, path) in sheets.iter().zip([&first, &second]) {
        files.push((path.with_extension("txt"), Zeroizing::new(sheet.text().as_bytes().to_vec())));
        files.push((path.with_extension("pdf"), Zeroizing::new(sheet.pdf()?)));
    }
    // Looked at before anything is written: a set of three files would be taken for a whole one.
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Refusal::of(format!("`{}` exists", path.display()), "choose another path: nothing is written over"));
    }
    if first.with_extension("txt") == second.with_extension("txt") {
        return Err(Refusal::of("both halves would go to one file", "name two files: each half has a holder of its own"));
    }
    for (path, bytes) in &files {
        write_secret(path, bytes)?;
    }
    let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    let key = sheets[0].fingerprint();
    context.print(&json!({"key": key, "files": names}), &names.join("\n"));
    eprintln!("Two halves of key {key}, each in two forms, readable by you alone. Now:");
    eprintln!("  1. Print each half on paper of its own, on a printer that keeps nothing.");
    eprintln!("  2. Type them in once from the paper: duly key test-restore");
    eprintln!("  3. Hand them to two holders who do not sit together, in sealed envelopes.");
    eprintln!("  4. Delete the four files: whoever has both halves has the key.");
    Ok(())
}

async fn test(context: &Context, halves: &Halves) -> Result<(), Failure> {
    let key = halves.read()?;
    let wrapped = context.store().await?.list_wrapped_keys().await?;
    if wrapped.is_empty() {
        return Err(Refusal::of(
            "this database holds nothing sealed yet, so that no key can show that it opens it",
            "add a controller first, or compare the fingerprint with that of a fresh `duly key split`",
        ));
    }
    let opened = wrapped.iter().filter(|(purpose, bytes)| key.unwrap_key(bytes, purpose).is_ok()).count();
    let name = hex::encode_upper(fingerprint(&key));
    context.print(&json!({"key": name, "opened": opened, "keys": wrapped.len()}), "");
    if opened < wrapped.len() {
        return Err(Refusal::found(
            format!("key {name} opens {opened} of {} keys in this database", wrapped.len()),
            "take the sheet of the key that is in use now, or check `database.url`; make a new sheet after each change of the master key",
        ));
    }
    eprintln!("Both halves fit: key {name} opens all {} keys that it must. It was written nowhere.", wrapped.len());
    Ok(())
}

impl Halves {
    fn read(&self) -> Result<Key, Failure> {
        let (one, other) = match (&self.first, &self.second) {
            (Some(first), Some(second)) => (from_file(first)?, from_file(second)?),
            _ => (typed("First half")?, typed("Second half")?),
        };
        Ok(join(&one, &other)?)
    }
}

fn named(what: &str, error: SheetError) -> Failure {
    Refusal::of(format!("{what}: {error}"), error.remedy())
}

/// A half from a file: the sheet as it was written, or the groups alone.
fn from_file(path: &Path) -> Result<Half, Failure> {
    let text = Zeroizing::new(read_text(path)?);
    let of_sheet: Vec<&str> =
        text.lines().filter_map(|line| line.trim_start().strip_prefix("Groups")?.split_once(':')).map(|l| l.1).collect();
    let groups = Zeroizing::new(if of_sheet.is_empty() { text.to_string() } else { of_sheet.join("\n") });
    Half::parse(&groups).map_err(|error| named(&format!("`{}`", path.display()), error))
}

/// A half as its holder types it: line by line, each asked for again until it fits.
fn typed(which: &str) -> Result<Half, Failure> {
    let mut all = Zeroizing::new(String::new());
    for line in 0..GROUPS / GROUPS_PER_LINE {
        let (first, last) = (line * GROUPS_PER_LINE + 1, (line + 1) * GROUPS_PER_LINE);
        for tries_left in (0..TRIES_MAX).rev() {
            let text = Zeroizing::new(prompt(&format!("{which}, groups {first} to {last}: "))?);
            match check_line(line, &text) {
                Ok(()) => {
                    all.push_str(&text);
                    all.push('\n');
                    break;
                }
                Err(error) if tries_left == 0 => return Err(named(which, error)),
                Err(error) => eprintln!("{error}: type this line again."),
            }
        }
    }
    Half::parse(&all).map_err(|error| named(which, error))
}
