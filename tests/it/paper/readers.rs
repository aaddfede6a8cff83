//! Programs that read or judge a PDF and that we did not write. Those that are not here are named loudly, and nothing is
//! claimed for them.

use crate::support::skipped;
use std::io::Write;
use std::process::{Command, Output};
use tempfile::NamedTempFile;

/// One of them.
pub struct Reader {
    pub program: &'static str,
    /// What it is asked, before the file's name.
    args: &'static [&'static str],
    /// What it is asked behind that.
    rest: &'static [&'static str],
    /// Whether it tells the title or the text, and not only whether the file is sound.
    pub reads: bool,
    judge: fn(&str, &str, &str) -> bool,
}

pub const READERS: &[Reader] = &[
    Reader { program: "qpdf", args: &["--check"], rest: &[], reads: false, judge: |_, _, _| true },
    Reader { program: "pdfinfo", args: &["-enc", "UTF-8"], rest: &[], reads: true, judge: info },
    Reader {
        program: "pdftotext",
        args: &["-enc", "UTF-8"],
        rest: &["-"],
        reads: true,
        judge: |said, _, name| said.contains(name),
    },
    // Both standards that a letter claims: PDF/A-2a for archives, PDF/UA-1 for who listens to it.
    Reader { program: "verapdf", args: &["--format", "text", "--flavour", "2a"], rest: &[], reads: false, judge: passes },
    Reader { program: "verapdf", args: &["--format", "text", "--flavour", "ua1"], rest: &[], reads: false, judge: passes },
];

fn passes(said: &str, _: &str, _: &str) -> bool {
    said.starts_with("PASS")
}

/// Title, tags, and no lock.
fn info(said: &str, title: &str, _: &str) -> bool {
    let of = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    of("Title:") == Some(title) && of("Tagged:") == Some("yes") && of("Encrypted:") == Some("no")
}

/// Whether it can be started; says so where it cannot.
pub fn is_there(reader: &Reader) -> bool {
    // Some end with an error when they tell their version.
    let is_there = Command::new(reader.program).arg("--version").output().is_ok();
    if !is_there {
        skipped(&format!("no PDF was held against `{}`: it is not installed", reader.program));
    }
    is_there
}

impl Reader {
    /// What it has against a PDF; `None`: nothing.
    pub fn finds(&self, pdf: &[u8], title: &str, name: &str) -> Option<String> {
        let Output { status, stdout, stderr } = run(self.program, self.args, pdf, self.rest);
        let (said, against) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        // Poppler reads a key of the tag tree as an older standard has it; nothing follows from it.
        let against: Vec<&str> = against.lines().filter(|line| !line.contains("Suspects object is wrong type")).collect();
        let is_fine = status.success() && against.is_empty() && (self.judge)(&said, title, name);
        (!is_fine).then(|| format!("{status}: {against:?}: {said}"))
    }
}

/// Runs one over a PDF.
pub fn run(program: &str, args: &[&str], pdf: &[u8], rest: &[&str]) -> Output {
    let mut file = NamedTempFile::with_suffix(".pdf").unwrap();
    file.write_all(pdf).unwrap();
    Command::new(program).args(args).arg(file.path()).args(rest).output().unwrap()
}
