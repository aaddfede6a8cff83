//! The last part of the demo: the pack is written and verified, by two verifiers, and a changed byte is found.

use super::ground::Ground;
use super::say;
use crate::cli::{Failure, Refusal};
use crate::evidence::{Archive, sequencer};
use crate::report::pack::{Audience, incident};
use duly_ledger::verify::{Options, Report, Trust, Verdict, Word, verify};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Where the browser's verifier and its driver are, in a checkout.
const BROWSER: &str = "tests/page/run.mjs";

/// Longest wait for the last events to be signed.
const PLACED_WITHIN: Duration = Duration::from_secs(20);

/// What the verifiers said.
pub struct Proof {
    report: Report,
    refused: Report,
    browser: Browser,
}

/// What the other implementation said of the pack and of its altered copy.
#[derive(Default)]
struct Browser {
    /// Nothing where there is no browser.
    said: Vec<String>,
    differs: bool,
}

impl Proof {
    /// Signs what is left, writes the pack and its key, verifies it, changes one byte in a copy and verifies that.
    pub async fn make(ground: &Ground, folder: &Path) -> Result<Self, Failure> {
        let (settings, store) = (&ground.settings, &ground.office.store);
        let archive = Arc::new(Archive::open(settings, store)?);
        place_all(&archive).await?;
        let [pack, altered, key] = ["pack.zip", "pack-altered.zip", "log.vkey"].map(|name| folder.join(name));
        let packed = incident::write(store, &ground.incident, Audience::Regulator, BufWriter::new(File::create(&pack)?)).await?;
        let vkey = archive.signer(&packed.origin)?.vkey().clone();
        std::fs::write(&key, format!("{vkey}\n"))?;
        alter(&pack, &altered)?;
        let trust = Trust::Vkeys(vec![vkey]);
        let check = |path: &Path| Ok::<_, Failure>(verify(BufReader::new(File::open(path)?), &trust, &Options::default()));
        let browser = in_browser([(pack.as_path(), "good"), (altered.as_path(), "bad")], &key)?;
        Ok(Self { report: check(&pack)?, refused: check(&altered)?, browser })
    }

    /// What does not hold; empty where all of it does.
    pub fn wrong(&self) -> Vec<&'static str> {
        let names_leaf = self.refused.findings.kept.iter().any(|finding| finding.leaf.is_some());
        let checks = [
            (self.report.verdict != Verdict::Good, "the pack does not verify"),
            (self.refused.verdict != Verdict::Bad, "a changed byte was not found"),
            (!names_leaf, "the changed leaf was not named"),
            (self.browser.differs, "the browser's verifier says otherwise: run `node tests/page/run.mjs --pack … --key …`"),
        ];
        checks.iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| *what).collect()
    }

    /// Prints what the verifiers said, the browser's among them where there is one.
    pub fn print(&self) {
        let (report, equation) = (&self.report, &self.report.equation);
        println!("  {} events in one log, root {}", report.size, duly_ledger::to_hex(&report.root));
        println!(
            "  people of the manifests {} = notified {} + unreachable {} + exempt {} + withdrawn {} + open {}",
            equation.people, equation.notified, equation.unreachable, equation.exempt, equation.withdrawn, equation.open
        );
        report.rehearsal.lines().iter().for_each(|line| println!("  {line}"));
        for finding in report.findings.kept.iter().take(5) {
            println!("  {}: {}", finding.code.as_str(), finding.text);
        }
        println!("  one byte changed in a copy: {}", first_finding(&self.refused));
        match self.browser.said.as_slice() {
            [] => println!("  verify.html was not tried: this machine has no node and Chromium; open docs/verify.html yourself"),
            said => println!("  verify.html in a browser: {}", said.join("; ")),
        }
    }
}

/// The other implementation, in a real browser.
fn in_browser(packs: [(&Path, &str); 2], key: &Path) -> Result<Browser, Failure> {
    let mut browser = Browser::default();
    let has_browser = ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| is_installed(name));
    if !has_browser || !is_installed("node") || !Path::new(BROWSER).exists() {
        return Ok(browser);
    }
    for (pack, expected) in packs {
        let mut node = Command::new("node");
        node.arg(BROWSER).arg("--pack").arg(pack).arg("--key").arg(key).args(["--expect", expected]);
        let run = node.output()?;
        browser.differs |= !run.status.success();
        browser.said.push(String::from_utf8_lossy(&run.stdout).lines().next().unwrap_or_default().to_owned());
    }
    Ok(browser)
}

fn first_finding(report: &Report) -> String {
    let finding = report.findings.kept.iter().find(|finding| finding.leaf.is_some()).or(report.findings.kept.first());
    finding.map_or_else(
        || "NOT FOUND".to_owned(),
        |f| format!("refused, {}{}", f.text, f.leaf.map(|leaf| format!(" (leaf {leaf})")).unwrap_or_default()),
    )
}

fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Signs whatever waits. The process that was killed with the rest still holds its lead, for some seconds.
async fn place_all(archive: &Arc<Archive>) -> Result<(), Failure> {
    let until = Instant::now() + PLACED_WITHIN;
    loop {
        sequencer::run_once(archive.clone()).await?;
        let waiting = archive.store.sequencing_lag().await?.events;
        if waiting == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Refusal::found(format!("{waiting} events have no place in the log"), "run the demo again"));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Copies a pack and changes one hexadecimal digit of one commitment in it.
fn alter(from: &Path, to: &Path) -> Result<(), Failure> {
    let broken = |cause: zip::result::ZipError| Refusal::because("the pack cannot be copied", "run the demo again", cause);
    let mut pack = ZipArchive::new(BufReader::new(File::open(from)?)).map_err(broken)?;
    let mut copy = ZipWriter::new(BufWriter::new(File::create(to)?));
    let mut is_altered = false;
    for i in 0..pack.len() {
        let mut file = pack.by_index(i).map_err(broken)?;
        let name = file.name().map_err(broken)?.into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let place = bytes.windows(11).position(|window| window == b"\"content\":\"");
        if let Some(digit) =
            place.filter(|_| !is_altered && name.starts_with("tile/entries/")).and_then(|at| bytes.get_mut(at + 11))
        {
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            is_altered = true;
        }
        copy.start_file(name, SimpleFileOptions::default()).map_err(broken)?;
        copy.write_all(&bytes)?;
    }
    copy.finish().map_err(broken)?;
    if !is_altered {
        return Err(Refusal::found("the pack has no commitment of a message that could be changed", "run the demo again"));
    }
    say("altered", "one digit of one commitment, in a copy of the pack");
    Ok(())
}
